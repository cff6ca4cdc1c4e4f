"""The one thread per worker that forwards output and wakes a sleeping main thread."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import os
import select
import signal
import sys
import termios
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Protocol

from .last_words import LastWords
from .output import STREAMS, Sink, Stream

TICK = 0.1  # seconds between two flushes of a running task
WAKE = signal.SIGURG  # ignored by default, so a late one does no harm
IDLE = 0.5  # seconds until a task that prints nothing is noticed
COLLECT_AFTER = 0.3  # seconds that a worker is idle before what a cell has left in cycles is freed


class ForwardedTask(Protocol):
    """What the forwarder needs of a task; see `task.Task`."""

    armed: bool
    flushed: float
    sink: Sink
    leaves_cycles: bool

    def printed(self, number: int, text: str) -> None: ...

    def flush(self) -> None: ...


class OutputForwarder(threading.Thread):
    """Reads what is written below Python, flushes output every `TICK` seconds, interrupts what sleeps.

    Ray cancels a task through Python's flag for SIGINT, which a sleeping main thread does not see. Python writes the
    flag to the wakeup file descriptor, too; from there this thread wakes the main thread with the signal `WAKE`.
    """

    def __init__(self) -> None:
        super().__init__(name="ray_magics", daemon=True)
        self.originals = {1: os.dup(1), 2: os.dup(2)}
        self.outputs = {1: _pipe(), 2: _pipe()}
        self.signal_pipe, self.wake_pipe = _pipe(), _pipe()
        os.set_blocking(self.signal_pipe[1], False)
        os.set_blocking(self.wake_pipe[1], False)
        self.reading = threading.Lock()
        self.task: ForwardedTask | None = None
        self.owners: weakref.WeakKeyDictionary[threading.Thread, ForwardedTask] = weakref.WeakKeyDictionary()
        self.late: set[ForwardedTask] = set()  # those of which threads have printed after their end
        self.streams = tuple(Stream(name, at + 1, self.sink) for at, name in enumerate(STREAMS))
        self.last_words: LastWords | None = None
        self.collect_at = 0.0

    def run(self) -> None:
        readers = [self.outputs[1][0], self.outputs[2][0], self.signal_pipe[0], self.wake_pipe[0]]
        while True:
            ready, _, _ = select.select(readers, [], [], TICK if self.task else IDLE)
            if self.signal_pipe[0] in ready:
                self._wake_main_thread(_read(self.signal_pipe[0]))
            if self.wake_pipe[0] in ready:
                _read(self.wake_pipe[0])
            self._drain()
            self._flush()
            self._collect()

    def _wake_main_thread(self, signals: bytes) -> None:
        task, main = self.task, threading.main_thread().ident
        if signal.SIGINT in signals and task is not None and main is not None:
            time.sleep(0.01)  # a main thread that runs Python has seen the flag by now
            if task.armed:
                signal.pthread_kill(main, WAKE)

    def sink(self) -> Sink | None:
        """Where what this thread prints goes: to the task that began it, though another may run by now."""
        owner = self.owners.get(threading.current_thread())
        if owner is not None:
            self.late.add(owner)
        task = owner or self.task
        return None if task is None else task.sink

    def _flush(self) -> None:
        task = self.task
        if task is not None and time.monotonic() - task.flushed >= TICK:
            task.flush()
        while self.late:
            self.late.pop().flush()

    def _collect(self) -> None:
        """Frees what a cell has left: a function and its globals hold each other, and with them handles of actors."""
        if self.collect_at and self.task is None and time.monotonic() > self.collect_at:
            self.collect_at = 0.0
            gc.collect()

    def _drain(self) -> None:
        with self.reading:
            for number, (reader, _) in self.outputs.items():
                while _waiting(reader):
                    self._pass_on(number, _read(reader))

    def _pass_on(self, number: int, data: bytes) -> None:
        task = self.task
        if task is None:
            os.write(self.originals[number], data)
        else:
            task.printed(number, data.decode("utf-8", "replace"))

    def remember(self, folder: str, run: str, task: int | str) -> LastWords | None:
        """Begins the last words of a task; None where no file can be made for them."""
        if self.last_words is None:
            try:
                self.last_words = LastWords(folder)
            except OSError:
                return None
        self.last_words.begin(run, task)
        return self.last_words

    def wake(self) -> None:
        """Wakes this thread: there is output to forward."""
        with contextlib.suppress(BlockingIOError):
            os.write(self.wake_pipe[1], b".")

    @contextlib.contextmanager
    def serving(self, task: ForwardedTask) -> Iterator[None]:
        """On the main thread: what is written to the file descriptors 1 and 2 meanwhile belongs to `task`."""
        before = weakref.WeakSet(threading.enumerate())
        self.task = task
        for number, (_, writer) in self.outputs.items():
            os.dup2(writer, number)
        try:
            yield
        finally:
            for number, original in self.originals.items():
                os.dup2(original, number)
            self._drain()
            self.task = None
            if task.leaves_cycles or self.collect_at:
                self.collect_at = time.monotonic() + COLLECT_AFTER
            for thread in threading.enumerate():
                if thread not in before and thread is not self:
                    self.owners[thread] = task


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    return reader, writer


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 2**16)
    except BlockingIOError:
        return b""


def _waiting(reader: int) -> int:
    return int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, bytes(4)), sys.byteorder)


@functools.cache
def output_forwarder() -> OutputForwarder:
    """The one of this process, started on first use."""
    forwarder = OutputForwarder()
    forwarder.start()
    return forwarder
