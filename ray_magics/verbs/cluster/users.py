"""Who uses a detached cluster beside this kernel, and who has stopped it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ...errors import RayApiMissing
from ...raylib.gcs import ControlService
from ...resources import Driver
from .detached import DetachedCluster

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
_STOPPED = "stopped.json"
_RAYS_OWN = "_ray_internal"  # how the namespaces of Ray's own drivers begin


def other_drivers(cluster: DetachedCluster, authenticated: Callable[[], AbstractContextManager[None]]) -> list[str]:
    """What else is connected, in words; nothing where the cluster does not answer."""
    with authenticated():
        try:
            service = ControlService(cluster.address)
        except RayApiMissing as error:
            log.debug("who uses the cluster is not known: %s", error)
            return []
        with contextlib.closing(service):
            try:
                drivers = service.drivers(ANSWER_SECONDS)
            except (ConnectionError, RayApiMissing) as error:
                log.debug("who uses the cluster is not known: %s", error)
                return []
    own = {os.getpid(), cluster.pid}
    others = [one for one in drivers if one.pid not in own and not one.namespace.startswith(_RAYS_OWN)]
    return [_words(driver) for driver in others if _lives(driver.pid)]


def _words(driver: Driver) -> str:
    return f"{describe_process(driver.pid)}{', whose tasks run,' if driver.has_tasks else ''}"


def _lives(pid: int) -> bool:
    """A detached cluster is on this machine, and so is what uses it."""
    import psutil

    return bool(psutil.pid_exists(pid))


def describe_process(pid: int) -> str:
    """``train.ipynb (process 4711)``; without the notebook where the process does not say."""
    import psutil

    try:
        path = psutil.Process(pid).environ().get("JPY_SESSION_NAME", "")
    except (psutil.Error, OSError):
        path = ""
    name = os.path.basename(path)
    return f"{name} (process {pid})" if name else f"process {pid}"


def note_stop(folder: Path, address: str) -> None:
    """Leaves word for the other kernels that this one has stopped the cluster."""
    note = {"address": address, "by": describe_process(os.getpid()), "at": time.strftime("%H:%M:%S")}
    with contextlib.suppress(OSError):
        (folder / _STOPPED).write_text(json.dumps(note))


def who_stopped(folder: Path, address: str) -> str:
    """``%ray_shutdown in train.ipynb (process 4711), at 14:05:10,``; "" where nobody left word."""
    try:
        note: Any = json.loads((folder / _STOPPED).read_text())
        is_same = bool(address) and note["address"] == address
        return f"%ray_shutdown in {note['by']}, at {note['at']}," if is_same else ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""
