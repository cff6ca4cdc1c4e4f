"""Sends what happens in a run of Ray Train to the notebook; shipped as source, executes on controller and workers."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from ...raylib.train_events import Event, ended_ranks, reported, started, state_changed, workers_started
from ...worker.records import OutputMessage
from ...worker.task import where

TRAINING = "training"
"""The kind of the events of an OutputMessage that are about the training and not output."""

FLUSH_TIMEOUT = 3.0  # seconds that the last event may take to the notebook
BEAT = 2.0  # seconds between two signs of life of a worker


class EventSender:
    """Sends events of one run in order; they wait here until the notebook has opened its output queue."""

    def __init__(self, run: str, queue: tuple[str, str]) -> None:
        self.run, self.queue_address = run, queue
        self.queue: Any = None
        self.waiting: list[Event] = []
        self.last: Any = None
        self.ended: dict[int, bool] = {}
        self.state: Event = {}
        self.lock = threading.Lock()

    def send(self, event: Event) -> None:
        import ray

        with self.lock:
            self.waiting.append(event)
            if self.queue is None:
                with contextlib.suppress(ValueError):
                    self.queue = ray.get_actor(*self.queue_address)
            if self.queue is not None:
                events, self.waiting = [(TRAINING, one) for one in self.waiting], []
                message = OutputMessage(self.run, TRAINING, where(), events)
                self.last = self.queue.put.remote(message.to_wire())

    def send_changed(self, event: Event) -> None:
        """The controller tells of its state at every look at the workers."""
        if event["kind"] == "workers":
            self.ended = {}
        if event["kind"] != "state" or event != self.state:
            self.send(event)
        if event["kind"] == "state":
            self.state = event

    def flush(self) -> None:
        """Waits until all has arrived."""
        import ray

        if self.last is not None:
            ray.wait([self.last], timeout=FLUSH_TIMEOUT)


_senders: dict[str, EventSender] = {}


def sender_of(target: Mapping[str, Any]) -> EventSender:
    """That of a run in this process."""
    run = str(target["run"])
    if run not in _senders:
        _senders[run] = EventSender(run, tuple(target["queue"]))
    return _senders[run]


def observe(target: Mapping[str, Any], name: str, *arguments: Any) -> None:
    """Takes in one event of Ray Train's; `target` says for which run, and where its notebook listens."""
    sender = sender_of(target)
    if name == "report begins":
        reporting.begin()
    elif name == "report ends":
        reporting.end()
    elif name == "flush":
        sender.flush()
    elif name == "polled":
        _send_ended(sender, ended_ranks(*arguments))
    else:
        sender.send_changed(_EVENTS[name](*arguments))


_EVENTS: Mapping[str, Any] = {
    "started": started,
    "state": state_changed,
    "workers": workers_started,
    "report": reported,
}


def _send_ended(sender: EventSender, ended: dict[int, bool]) -> None:
    if ended != sender.ended:
        sender.ended = ended
        sender.send({"kind": "ended", "ranks": ended})


class Reporting:
    """How often this worker has reported, and since when it waits in a report for the other ranks."""

    def __init__(self) -> None:
        self.count = 0
        self.began: float | None = None

    def begin(self) -> None:
        self.count += 1
        self.began = time.monotonic()

    def end(self) -> None:
        self.began = None

    @property
    def waits(self) -> float:
        began = self.began
        return 0.0 if began is None else time.monotonic() - began


reporting = Reporting()


@contextlib.contextmanager
def signs_of_life(target: Mapping[str, Any], rank: int) -> Any:
    """While inside, the notebook hears of this worker's memory and reports every `BEAT` seconds."""
    over = threading.Event()
    sender = sender_of(target)

    def beat() -> None:
        while not over.wait(BEAT):
            sender.send(sign_of_life(rank))

    sender.send(sign_of_life(rank))

    thread = threading.Thread(target=beat, name="ray_magics-signs-of-life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        sender.send(sign_of_life(rank))


def sign_of_life(rank: int) -> Event:
    return {
        "kind": "worker",
        "rank": rank,
        "pid": os.getpid(),
        "memory": memory(),
        "reports": reporting.count,
        "waits": round(reporting.waits, 1),
    }


def memory() -> int | None:
    """Bytes that this process holds in memory; None where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
