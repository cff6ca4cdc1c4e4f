"""Starting Ray without its noise, again if it took too long, and without processes left behind if it failed."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

from .probe import StartTimeout

T = TypeVar("T")


@contextmanager
def no_orphans() -> Iterator[None]:
    """A start that fails halfway or is interrupted leaves Ray's processes behind: ends them."""
    import psutil

    children = set(psutil.Process().children())
    try:
        yield
    except BaseException:
        for process in set(psutil.Process().children()) - children:
            with contextlib.suppress(psutil.Error):
                if any("ray" in part for part in process.cmdline()):
                    process.kill()
        raise


@contextmanager
def silence() -> Iterator[Callable[[], str]]:
    """Catches warnings and what C++ writes to the error stream; yields a function that reads the latter."""
    with tempfile.TemporaryFile() as output, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stderr = os.dup(2)
        try:
            os.dup2(output.fileno(), 2)
            yield lambda: _read_all(output)
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _read_all(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def import_ray_quietly() -> None:
    if "ray" not in sys.modules:
        with silence():
            import ray  # noqa: F401


def retry_once(start: Callable[[], T]) -> T:
    """What `start` returns, asked again if it took too long: a busy machine may manage the second time."""
    with contextlib.suppress(StartTimeout):
        return start()
    return start()
