"""What a value of the notebook is, without pickling or importing anything."""

from __future__ import annotations

import sys
import types
from typing import Any


def is_ref(value: Any) -> bool:
    """Whether a value is an object ref; asks without importing Ray."""
    ray = sys.modules.get("ray")
    return ray is not None and isinstance(value, getattr(ray, "ObjectRef", ()))


def type_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def kind_of(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return "module"
    if isinstance(value, type):
        return "class"
    if isinstance(value, types.FunctionType):
        return "function"
    return "ref" if is_ref(value) else "value"


def nbytes_of(value: Any) -> int | None:
    """The size where the value itself knows it at once: arrays, tables, bytes, text."""
    if isinstance(value, (bytes, bytearray, str)):
        return len(value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        usage = value.memory_usage(index=True, deep=False)
        return int(usage if isinstance(value, pandas.Series) else usage.sum())
    if isinstance(value, type):
        return None
    try:
        size = getattr(value, "nbytes", None)
    except Exception:  # a __getattr__ of the user's own
        return None
    return size if isinstance(size, int) else None
