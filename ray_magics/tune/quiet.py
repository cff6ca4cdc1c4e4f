"""Tune, and what it searches with, print no tables and log lines while searches of ours run: the view says it all."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

from . import private

_lock = threading.Lock()
_inside = 0
_before: dict[str, Any] = {}
_LOGGERS = ("ray.tune", "ray.train", "ray.air", "optuna", "hyperopt")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Around the making and the running of a Tuner; several searches may be inside at once."""
    global _inside
    with _lock:
        _inside += 1
        if _inside == 1:
            _before.update({name: logging.getLogger(name).level for name in _LOGGERS})
            _before[private.QUIET] = os.environ.get(private.QUIET)
            os.environ[private.QUIET] = "0"
            for name in _LOGGERS:
                logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore()


def _restore() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(_before[name])
    value = _before[private.QUIET]
    if value is None:
        os.environ.pop(private.QUIET, None)
    else:
        os.environ[private.QUIET] = value
