"""Keeps libraries quiet while a view shows what they would print."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any


class Quiet:
    """A context with other levels of loggers and other environment variables; several threads may be in it at once.

    Args:
        level: of the loggers while anybody is inside.
        environ: environment variables meanwhile, or a function that gives them.
        least: afterwards all is as before, but no logger below this level.
    """

    def __init__(
        self,
        level: int,
        loggers: tuple[str, ...],
        environ: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        least: int = logging.NOTSET,
    ) -> None:
        self.level, self.loggers, self.least = level, loggers, least
        self.make_environ = environ if callable(environ) else lambda: environ or {}
        self.environ: Mapping[str, str] = {}
        self.lock = threading.Lock()
        self.entered = 0
        self.before: dict[str, Any] = {}

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            self.entered += 1
            if self.entered == 1:
                self._begin()
        try:
            yield
        finally:
            with self.lock:
                self.entered -= 1
                if self.entered == 0:
                    self._end()

    def _begin(self) -> None:
        self.environ = dict(self.make_environ())
        self.before = {name: logging.getLogger(name).level for name in self.loggers}
        self.before |= {name: os.environ.get(name) for name in self.environ}
        os.environ.update(self.environ)
        for name in self.loggers:
            logging.getLogger(name).setLevel(self.level)

    def _end(self) -> None:
        for name in self.loggers:
            logging.getLogger(name).setLevel(max(self.before[name], self.least))
        for name in self.environ:
            if self.before[name] is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = self.before[name]
