"""A run is one executed plan: submit, watch, collect, stop. The registry knows all of this kernel's."""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from .. import connection
from ..errors import ClusterLost, RayMagicsError, UsageError
from .interrupts import interrupt_calls, note_interrupt, take_interrupt
from .registry import registry
from .status import ENDED, LIVE, RunStatus
from .stopping import Stopping

log = logging.getLogger(__name__)
Event = tuple[Any, ...]
INTERRUPT = "an interrupt"
SILENT = 10.0  # seconds without a word of the cluster after which a run ends


class Viewer(Protocol):
    """What a run shows itself to; see `views.show`."""

    def offer(self, status: Callable[[], RunStatus]) -> float: ...

    def close(self, status: RunStatus) -> None: ...


class NoView:
    """Shows nothing."""

    def offer(self, status: Callable[[], RunStatus]) -> float:
        return 0.25

    def close(self, status: RunStatus) -> None:
        pass


class Run:
    """One executed plan. A verb supplies `submit`, `handle`, `cancel`, `status` and `value`.

    All of a run happens on the thread that drives it; other threads `post` events to it.
    """

    def __init__(self, name: str, verb: str, cell: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.stopping = Stopping()
        self.id = registry.next_id()
        self.name, self.verb, self.cell = name, verb, cell
        self.state = "pending"
        self.error: BaseException | None = None
        self.started = clock()
        self.ended: float | None = None
        self.over = threading.Event()
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.view: Viewer = NoView()
        self.retained = True
        self._cluster_at = self.started + 1.0

    # what a verb supplies

    def submit(self) -> None:
        """Sends the first tasks."""
        raise NotImplementedError

    def handle(self, event: Event) -> None:
        """Takes in one event that was posted; may send more tasks, may end the run."""
        raise NotImplementedError

    def cancel(self, force: bool) -> None:
        """Asks Ray to cancel all that is under way; the run ends when that is confirmed."""
        raise NotImplementedError

    def tick(self) -> None:
        """Called between events, at least every quarter of a second."""

    def status(self) -> RunStatus:
        raise NotImplementedError

    def value(self) -> Any:
        """The value of a finished run."""
        raise NotImplementedError

    def base_fields(self) -> dict[str, Any]:
        """What the status of every run begins with."""
        return {
            "id": self.id,
            "name": self.name,
            "verb": self.verb,
            "elapsed": self.elapsed,
            "error": self.failure_text,
        }

    @property
    def failure_text(self) -> str:
        """What a view says of a failed run: ``item 3: ValueError: …``; "" for others."""
        if self.error is None or self.state != "failed":
            return ""
        item = getattr(self.error, "item", "")
        return f"{item + ': ' if item else ''}{type(self.error).__name__}: {self.error}"[:2000]

    def finish(self) -> Any:
        """After the end of a run that a cell waited for: binds what came back, and returns what the cell shows.

        Raises what the run raised.
        """
        if self.error is not None:
            raise self.error
        return self.value()

    def brief(self) -> RunStatus:
        """The status as a list of runs needs it: at once, without asking anybody."""
        return self.status()

    def logs(self, worker: str = "") -> str:
        """All that its workers printed, or one of them. Raises UsageError for one that has not."""
        return ""

    def release(self) -> None:
        """Lets go of what only a run under way needs; the registry keeps ended ones for long."""

    def drop_result(self) -> None:
        """Lets go of the value, too: the cell that waited for it has it."""
        self.retained = False

    def command(self, action: str, part: str) -> str:
        """Does something to one part of the run, from any thread; returns what is wrong with that, "" if nothing."""
        return f"run {self.id} has no part {part}"

    # what every run does

    @property
    def elapsed(self) -> float:
        return (self.ended or self.clock()) - self.started

    @property
    def live(self) -> bool:
        return self.state in LIVE

    def post(self, *event: Any) -> None:
        """From any thread, or a signal handler."""
        self.events.put(event)

    def stop(self, force: bool = False, by: str = "a program") -> None:
        """Cancels exactly this run's work on the cluster; asked again, by force. Returns at once.

        `by` says who asks, in words that stand behind "stopped by".
        """
        if self.live:
            self.post("stop", force, by)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the run has ended, at most `timeout` seconds; whether it has. An interrupt leaves it running."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.over.wait(0.1 if end is None else max(0.0, min(0.1, end - time.monotonic()))):
            if end is not None and time.monotonic() >= end:
                return False
        self.view.close(self.status())
        return True

    def result(self, timeout: float | None = None) -> Any:
        """Waits, then returns the value or raises the run's error. Raises TimeoutError after `timeout` seconds,
        UsageError where the value went to the cell that waited for it and is not kept here."""
        if not self.wait(timeout):
            raise TimeoutError(f"run {self.id} is still {self.state}")
        if self.error is not None:
            raise self.error
        if not self.retained:
            raise UsageError(f"What run {self.id} returned went to its cell; only runs with --background keep it.")
        return self.value()

    @property
    def stopped_text(self) -> str:
        """``In[4] was stopped by an interrupt after 7.0 s``"""
        return f"{self.name} was stopped by {self.stopping.by or 'a program'} after {self.elapsed:.1f} s"

    def end(self, state: str, error: BaseException | None = None) -> None:
        if self.state not in ENDED:
            self.state, self.error, self.ended = state, error, self.clock()

    def watch_cluster(self, now: float, lost: Callable[[float], str] | None = None) -> None:
        """Ends the run with its cluster; Ray itself would wait, and in the end take the kernel along.

        `lost` is the sentence about a cluster that was not heard for so many seconds, "" while it is there.
        """
        if now > self._cluster_at and self.live:
            self._cluster_at = now + 1.0
            if words := (lost or connection.lost)(SILENT):
                self.end("failed", ClusterLost(words))

    def drive(self) -> None:
        """Submits and handles events until the run has ended; on the main thread an interrupt stops the run.

        One that comes too late to stop anything is noted for the magic, so that Run All stops all the same.
        """
        try:
            with interrupt_calls(self._interrupted):
                if take_interrupt():
                    self.stop(by=INTERRUPT)
                self._drive()
        finally:
            self.end("failed", RayMagicsError("the run was torn down"))
            self.release()
            self.over.set()
            self.view.close(self.status())

    def _drive(self) -> None:
        self.begin()
        while self.live:
            self.step(min(0.25, self._offer()))

    def begin(self) -> None:
        """Submits; `step` goes on from there."""
        self._guard(self.submit)

    def step(self, timeout: float) -> bool:
        """Ticks, and takes in the next event, if one comes within `timeout` seconds; whether one came."""
        self._guard(self.tick)
        try:
            event = self.events.get(timeout=timeout) if timeout else self.events.get_nowait()
        except queue.Empty:
            return False
        self._guard(self._take, event)
        return True

    def begin_stopping(self, force: bool) -> None:
        """On the thread that drives the run: asks for the end of all that is under way."""
        self.state = "stopping"
        self.stopping.ask(self.clock(), force)
        self.cancel(force)

    def _offer(self) -> float:
        """A view that cannot draw does not harm the run."""
        try:
            return self.view.offer(self.status)
        except Exception as error:
            log.debug("run %s could not be drawn: %r", self.id, error)
            return 0.25

    def _interrupted(self) -> None:
        note_interrupt()
        self.stop(by=INTERRUPT)

    def _take(self, event: Event) -> None:
        if event[0] == "stop":
            take_interrupt()
            self.stopping.by = self.stopping.by or event[2]
            self.begin_stopping(event[1] or self.state == "stopping")
        else:
            self.handle(event)

    def _guard(self, step: Callable[..., None], *arguments: Any) -> None:
        """An error of a step ends the run as failed, but not before its tasks are cancelled."""
        try:
            step(*arguments)
        except Exception as error:
            if self.live:
                self.end("failed", error)
                self._cancel_all()

    def _cancel_all(self) -> None:
        try:
            self.cancel(True)
        except Exception as error:  # the first error is the one to tell
            log.debug("run %s could not be cancelled: %r", self.id, error)

    def in_background(self) -> None:
        """Drives the run on a thread of its own, whose output belongs to the launching cell."""
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self.drive,), name=f"ray_magics-run-{self.id}", daemon=True).start()

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.name}: {self.state}, {self.elapsed:.1f} s>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What a saved notebook shows: no state, which would be out of date."""
        printer.text(f"Run {self.id} of {self.name}: .wait(), .result(), .stop(); %ray_runs shows its state")
