"""The sentences about a training."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ...run.storage import shorten_path
from ...units import number_text
from .loop import STATEMENTS, TrainLoop


def resumed_note(is_resumed: bool) -> str:
    if is_resumed:
        return "Goes on from the last checkpoint of that run."
    return "There is nothing to resume, so this is a new run."


def unbound_names(loop: TrainLoop, namespace: Mapping[str, Any]) -> str:
    """What a cell of statements has bound or changed on the workers alone, where the notebook has such a name, too."""
    if loop.kind != STATEMENTS:
        return ""
    names = [name for name in dict.fromkeys((*loop.cell.binds, *loop.cell.updates)) if name in namespace]
    names = [name for name in names if not isinstance(namespace[name], ModuleType)]
    if not names:
        return ""
    said, more = ", ".join(names[:5]), f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{said}{more} of the notebook stay as they were: what the loop does to its names stays on the workers."


def describe_result(result: Any) -> str:
    """A Result in a line, and its best checkpoint in another."""
    numbers = [(name, value) for name, value in (result.metrics or {}).items() if isinstance(value, (int, float))]
    said = ", ".join(f"{str(name)[:40]} {number_text(value)}" for name, value in numbers[:4]) or "nothing reported"
    kept = "none" if result.best_checkpoint is None else shorten_path(str(result.best_checkpoint.path))[:300]
    return f"Result: {said}: .metrics, .history, .path\n.best_checkpoint: {kept}"
