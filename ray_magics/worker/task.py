"""One execution on a worker: its output, its interrupt, its environment."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .forwarder import WAKE, output_forwarder
from .output import STREAMS, Sink, folder_of
from .records import Event, OutputMessage, TaskReply, TaskSpec

Stamps = Mapping[str, tuple[str, int, int]]


class Task:
    """One execution of `spec`.

    Attributes:
        messages: how many messages of output it has sent; `last_message` is Ray's reference to the last one.
        leaves_cycles: whether what it leaves is freed by Python's collector alone.
        armed, interrupted: whether a cancel by Ray would interrupt it now, and whether one has.
    """

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        forwarder, path = output_forwarder(), _log_path(spec)
        self.last_words = forwarder.remember(os.path.dirname(path), spec.run, spec.task)
        remember = [] if self.last_words is None else [self.last_words.add]
        self.sink = Sink(spec.log_lines, path, forwarder.wake, *remember)
        self.started = self.flushed = time.monotonic()
        self.messages = 0
        self.last_message: Any = None
        self.output_queue: Any = None
        self.armed = self.interrupted = self.leaves_cycles = False
        self.flushing = threading.Lock()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.started

    def printed(self, number: int, text: str) -> None:
        self.sink.write(STREAMS[number - 1], text)

    def flush(self, last: bool = False) -> None:
        """Sends what was printed since the last flush; it waits here until the notebook has opened its output queue."""
        with self.flushing:
            self.flushed = time.monotonic()
            if self.output_queue is None:
                self.output_queue = _find_output_queue(self.spec.output_queue)
            if self.output_queue is not None:
                self._send(self.sink.take(last))

    def _send(self, events: list[Event]) -> None:
        if not events and self.messages and not self.sink.hiding:
            return
        message = OutputMessage(self.spec.run, self.spec.task, where(), events, self.messages, self.sink.hidden)
        self.last_message = self.output_queue.put.remote(message.to_wire())
        self.messages += 1
        if self.last_words is not None and self.last_words.run == self.spec.run:
            self.last_words.message_sent()

    def flush_rest(self, timeout: float = 5.0) -> None:
        """Sends all that is left, and waits at most `timeout` seconds until it has arrived.

        For libraries that leave no reply into which output could be put.
        """
        import ray

        deadline = time.monotonic() + timeout
        if not (self.sink.events or self.sink.hiding):
            self.sink.take(last=True)
        else:
            self.flush(last=True)
            while self.output_queue is None and time.monotonic() < deadline and self.sink.events:
                time.sleep(0.1)
                self.flush(last=True)
        if self.last_message is not None:
            ray.wait([self.last_message], timeout=max(0.0, deadline - time.monotonic()))

    @contextlib.contextmanager
    def flushed_at_end(self) -> Iterator[None]:
        """All that is printed inside has arrived at the notebook at the end; see `flush_rest`."""
        try:
            yield
        finally:
            self.flush_rest()

    def reply(self, **more: Any) -> TaskReply:
        """What the task says at its end: the output not flushed yet, and how many messages it has sent."""
        with self.flushing:
            events = self.sink.take(last=True)
            return TaskReply(self.spec.run, self.spec.task, where(), events, self.messages, **more)

    def interrupt(self, *_: Any) -> None:
        if self.armed:
            self.armed, self.interrupted = False, True
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """A cancel by Ray becomes one KeyboardInterrupt inside, even in a sleep, and none on the way out.

        SIGINT itself stays blocked, as Ray leaves it: a notebook's interrupt goes to the whole process group, and
        only the tasks that Ray cancels shall hear of it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self.interrupt), signal.signal(WAKE, lambda *_: None)
        wakeup = signal.set_wakeup_fd(output_forwarder().signal_pipe[1], warn_on_full_buffer=False)
        self.armed = True
        try:
            yield
        finally:
            self.armed = False
            signal.set_wakeup_fd(wakeup)
            signal.signal(signal.SIGINT, before[0])
            signal.signal(WAKE, before[1])

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """What is printed inside goes to the sink; files and modules are found where the notebook finds them."""
        sys.stdout, sys.stderr = output_forwarder().streams  # for good: a thread, or a logger, may outlive the cell
        with output_forwarder().serving(self), notebook_environment(self.spec):
            yield


@functools.cache
def where() -> str:
    """``"4711@10.0.0.1"``: this worker, as views name it."""
    import ray

    return f"{os.getpid()}@{ray.util.get_node_ip_address()}"


def _find_output_queue(address: tuple[str, str]) -> Any:
    import ray

    try:
        return ray.get_actor(*address)
    except ValueError:
        return None


def _log_path(spec: TaskSpec) -> str:
    return os.path.join(folder_of(spec.output_queue[0]), f"{spec.run}-{spec.task}-{os.getpid()}.log")


@contextlib.contextmanager
def notebook_environment(spec: TaskSpec) -> Iterator[None]:
    """The notebook's folder and import path, where this machine has them; edited local modules are loaded anew."""
    folder, path = os.getcwd(), sys.path[:]
    with contextlib.suppress(OSError):
        os.chdir(spec.cwd)
    sys.path[:] = [*spec.path, *(entry for entry in path if entry not in spec.path)]
    forget_edited(spec.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        with contextlib.suppress(OSError):
            os.chdir(folder)


_stamps: dict[str, tuple[str, int, int]] = {}


def forget_edited(stamps: Stamps) -> None:
    """Drops local modules whose file has changed since this worker met them, with their whole package."""
    edited = {name.partition(".")[0] for name, stamp in stamps.items() if _stamps.get(name, stamp) != stamp}
    _stamps.update(stamps)
    if edited:
        for name in [name for name in sys.modules if name.partition(".")[0] in edited]:
            del sys.modules[name]
