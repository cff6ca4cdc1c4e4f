"""Which values can be pickled, and which part of one cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..worker.values import Namespace, Packer
from .captures import Capture
from .inspection import type_name


def cannot_ship(capture: Capture, namespace: Namespace, reason: Exception) -> UsageError:
    """``Cannot ship "lock" (_thread.lock), which this cell reads on line 3. …``"""
    where = f"which this cell reads on line {capture.line}" if capture.line else "which a function of this cell reads"
    if capture.via:
        where = f"which {capture.via} reads"
    path, culprit = find_culprit(capture.name, namespace[capture.name], namespace)
    inside = f" because of {path} ({type_name(culprit)})" if path != capture.name else ""
    return UsageError(
        f'Cannot ship "{capture.name}" ({type_name(namespace[capture.name])}), {where}{inside}: '
        f"{str(reason).splitlines()[0] if str(reason) else type(reason).__name__}. "
        + ("Create it inside the cell." if capture.line else "Create it inside the function.")
    )


def find_culprit(path: str, value: Any, namespace: Namespace, depth: int = 4) -> tuple[str, Any]:
    """The innermost part of a value that cannot be pickled: ``("model.lock", <lock>)``."""
    if depth:
        for part, inner in _parts(value):
            if not is_picklable(inner, namespace):
                return find_culprit(path + part, inner, namespace, depth - 1)
    return path, value


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", inner) for key, inner in list(value.items())[:1000]]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", inner) for index, inner in enumerate(value[:1000])]
    return [(f".{name}", inner) for name, inner in getattr(value, "__dict__", {}).items()]


def is_picklable(value: Any, namespace: Namespace) -> bool:
    """Whether a value can be pickled."""
    try:
        Packer(namespace, 2**62).add("value", value)
    except Exception:  # any error of pickling means no
        return False
    return True
