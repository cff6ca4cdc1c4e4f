"""What comes back from the cluster: values, failures of the cell, failures of the cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import RayMagicsError, UsageError, WorkerLost
from ..core.worker.failure import CARRIED, CellFailed
from ..core.worker.values import Namespace, load

Description = Mapping[str, Any]


def unpack(packed: Sequence[Any], namespace: Namespace) -> dict[str, Any]:
    """The values of an answer, writable and independent of the object store."""
    payload, buffers, references = packed
    return load(payload, namespace, [bytearray(buffer) for buffer in buffers], references)


def as_array(values: list[Any]) -> Any:
    """A list of NumPy scalars, or of arrays alike in shape and type, as one array; any other list as it is."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not values or not isinstance(values[0], (numpy.generic, numpy.ndarray)):
        return values
    first = values[0]
    alike = all(type(v) is type(first) and v.dtype == first.dtype and v.shape == first.shape for v in values)
    return numpy.array(values) if alike and first.dtype != object else values


def description_of(error: BaseException) -> Description | None:
    """What the island said of the failure of a cell; None where something else failed."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, CellFailed):
        return dict(cause.args[0])
    carried = getattr(cause, CARRIED, None)
    return dict(carried) if carried is not None else None


def letters_of(future: Any) -> int:
    """How many letters a task has sent, as its answer says."""
    error = future.exception()
    if error is not None:
        return int((description_of(error) or {}).get("letters", 0))
    answer = future.result()
    header = answer if isinstance(answer, dict) else answer[0]
    return int(header["letters"])


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
        text = "a node ran out of memory and Ray killed the worker; ask for more with --memory, or send less"
    elif "WorkerCrashed" in kind or "NodeDied" in kind:
        text = "the worker died while it ran the cell (killed, os._exit, or a crash in native code), "
        text += "each time that Ray tried: --max-retries says how often (3)"
    elif "TaskCancelled" in kind:
        text = "the task was cancelled from elsewhere"
    else:
        lines = [line for line in str(error).splitlines() if line.strip()]
        text = f"{kind}: {(lines or [''])[-1].strip()}"
    made = WorkerLost(text)
    made.__cause__ = error
    return made
