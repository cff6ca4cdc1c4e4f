"""Failures as Ray hands them over: of the user's code, of the cluster, of what was asked of Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import RayMagicsError, UsageError, WorkerLost, last_line
from ..worker.failure import CARRIED, CellFailed, describe, is_rays
from ..worker.records import RemoteFailure, TaskReply
from .last_words import LeftBehind


def failed_reply(error: BaseException) -> tuple[RemoteFailure, TaskReply] | None:
    """What the worker runtime said of the failure of a cell; None where something else failed."""
    cause = getattr(error, "cause", None)
    carried = cause.args[0] if isinstance(cause, CellFailed) else getattr(cause, CARRIED, None)
    if carried is None:
        return None
    return RemoteFailure.from_wire(carried["failure"]), TaskReply.from_wire(carried["reply"])


def failure_from_ray(error: BaseException) -> RemoteFailure | None:
    """The failure of code that Ray alone has run, as that of an actor class is; None where there is no such."""
    return describe(error, {}, "a worker") if is_rays(error) else None


def refused_options(error: Exception) -> UsageError:
    """What Ray has against the options of the line, or against an object ref that a cell reads."""
    text = str(error).strip().partition("\n")[0]
    if "owner is unknown" in text:
        return UsageError(
            "An object ref that this cell reads was left on a cluster that is gone: run the cell that made it again."
        )
    return UsageError(f"Ray refuses this: {text[:300]}")


def is_death(error: BaseException) -> bool:
    """Whether Ray says that the worker died, and no more."""
    return any(kind in type(error).__name__ for kind in ("WorkerCrashed", "ActorDied", "ActorUnavailable"))


def lost(error: BaseException, left: Sequence[LeftBehind] = (), label: Callable[[str], str] = str) -> RayMagicsError:
    """An error of Ray's own as one sentence; the original is its ``__cause__``.

    Args:
        left: what the workers that died left behind.
        label: names a file of the notebook, see `CellSource.label`.
    """
    kind = type(error).__name__
    if "OutOfMemory" in kind:
        text = "a node ran out of memory and Ray killed the worker; reserve more for it, or send less"
    elif "LocalRayletDied" in kind:
        text = (
            "Ray's process on this machine (raylet) died: it was killed, ran out of memory, or crashed; "
            "%ray_init --restart begins anew"
        )
    elif is_death(error) or "NodeDied" in kind:
        text = f"the worker died while it ran the cell ({_cause_of_death(left, label)}){_tries(left)}"
    elif "TaskCancelled" in kind:
        text = "the task was cancelled from elsewhere"
    else:
        text = f"{kind}: {last_line(error)}"
    lost_worker = WorkerLost(text)
    lost_worker.__cause__ = error
    return lost_worker


def _cause_of_death(left: Sequence[LeftBehind], label: Callable[[str], str]) -> str:
    crash = left[-1].crash if left else ""
    place = left[-1].place(label) if left else ""
    if crash:
        return f"{crash}{place and f' at {place}'}"
    return "killed, or os._exit" if left else "killed, os._exit, or a crash in native code"


def _tries(left: Sequence[LeftBehind]) -> str:
    if len(left) > 1:
        return f"; Ray ran the cell {len(left)} times, --max-retries 0 runs it once"
    return "" if left else ", each time that Ray tried"
