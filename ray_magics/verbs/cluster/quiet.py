"""Ray starts with noise, sometimes only the second time, and leaves its processes behind when it fails."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from . import probe as reach

T = TypeVar("T")


@contextmanager
def no_orphans() -> Iterator[None]:
    """A start that fails halfway or is interrupted leaves Ray's processes behind: ends them."""
    import psutil

    before = set(psutil.Process().children())
    try:
        yield
    except BaseException:
        for process in set(psutil.Process().children()) - before:
            with contextlib.suppress(psutil.Error):
                if any("ray" in part for part in process.cmdline()):
                    process.kill()
        raise


@contextmanager
def silence() -> Iterator[Callable[[], str]]:
    """Catches warnings and what C++ writes to the error stream; yields a function that reads the latter."""
    with tempfile.TemporaryFile() as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = os.dup(2)
        try:
            os.dup2(caught.fileno(), 2)
            yield lambda: _read_all(caught)
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _read_all(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


def import_quietly() -> None:
    if "ray" not in sys.modules:
        with silence():
            import ray  # noqa: F401


def twice(start: Callable[[], T]) -> T:
    """A machine that was too busy to start a cluster in Ray's 30 s may manage the second time."""
    with contextlib.suppress(reach.TooSlow):
        return start()
    return start()
