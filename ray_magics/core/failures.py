"""Failures as Ray hands them over: of the user's code, of the cluster, of what was asked of Ray."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from .errors import RayMagicsError, UsageError, WorkerLost, last_line
from .worker.failure import CARRIED, CellFailed, describe

Description = Mapping[str, Any]
Frame = tuple[str, int, str, str]  # file, line, function, text


def description_of(error: BaseException) -> Description | None:
    """What the island said of the failure of a cell; None where something else failed."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, CellFailed):
        return dict(cause.args[0])
    carried = getattr(cause, CARRIED, None)
    return dict(carried) if carried is not None else None


FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+), in (\S+)', re.MULTILINE)


def described_by_ray(error: BaseException) -> Description | None:
    """The same of code that Ray alone has run, as that of an actor class is, from Ray's text of the traceback.

    None where there is no exception of the user's in it. Source: ``RayTaskError`` of Ray 2.60.
    """
    cause = getattr(error, "cause", None)
    if not isinstance(cause, Exception):
        return None
    frames = [(file, int(line), function, "") for file, line, function in FRAME.findall(str(error))]
    return {**describe(cause, {}), "frames": own_frames(frames), "where": _place(error)}


def own_frames(frames: list[Frame]) -> list[Frame]:
    """Those of the user's code; the last of Ray's where there are no others."""
    ray = sys.modules.get("ray")
    packages = os.path.dirname(os.path.dirname(getattr(ray, "__file__", "") or "")) or "site-packages"
    own = [frame for frame in frames if not frame[0].startswith(packages) and "/concurrent/futures/" not in frame[0]]
    return own or frames[-1:]


def _place(error: BaseException) -> str:
    """``"4711@10.0.0.1"``: the worker where it happened."""
    pid, node = getattr(error, "pid", None), getattr(error, "ip", None)
    return f"{pid}@{node}" if pid and node else "a worker"


def refused_options(error: Exception) -> UsageError:
    """What Ray has against the options of the line, or against an object ref that a cell reads."""
    text = str(error).strip().partition("\n")[0]
    if "owner is unknown" in text:
        return UsageError(
            "An object ref that this cell reads was left on a cluster that is gone: run the cell that made it again."
        )
    return UsageError(f"Ray refuses this: {text[:300]}")


def lost(error: BaseException) -> RayMagicsError:
    """An error of Ray's own as one sentence; the original is its ``__cause__``."""
    kind = type(error).__name__
    if "OutOfMemory" in kind:
        text = "a node ran out of memory and Ray killed the worker; reserve more for it, or send less"
    elif "WorkerCrashed" in kind or "NodeDied" in kind:
        text = "the worker died while it ran the cell (killed, os._exit, or a crash in native code), "
        text += "each time that Ray tried"
    elif "TaskCancelled" in kind:
        text = "the task was cancelled from elsewhere"
    else:
        text = f"{kind}: {last_line(error)}"
    made = WorkerLost(text)
    made.__cause__ = error
    return made
