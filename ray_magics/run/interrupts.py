"""Interrupts of the notebook: they stop runs, and tear no step in two."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

from ..errors import RunCancelled
from ..kernel import swallowed_interrupt


@contextlib.contextmanager
def interrupt_calls(stop: Callable[[], None]) -> Iterator[None]:
    """While inside, on the main thread, SIGINT calls `stop` and raises nothing, so that no step is torn in two."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def interrupt_raises() -> Iterator[None]:
    """Inside `interrupt_calls`: code of the user runs here, and an interrupt reaches it as KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Around a whole magic: an interrupt before a run stops that run, one after it is raised when all is in order."""
    take_interrupt()
    if swallowed_interrupt.take():
        raise RunCancelled("Interrupted before the work of this cell began.")
    with interrupt_calls(note_interrupt):
        yield
    if take_interrupt():
        raise RunCancelled("Interrupted when the work of this cell was done already.")


_noted: list[bool] = []


def note_interrupt() -> None:
    """Keeps an interrupt for the magic, so that Run All stops also where no run heard of it."""
    _noted.append(True)


def take_interrupt() -> bool:
    """Whether an interrupt was noted since the last call; of the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        return False
    noted = bool(_noted)
    _noted.clear()
    return noted
