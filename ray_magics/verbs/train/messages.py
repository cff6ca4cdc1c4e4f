"""The sentences about a training."""

from __future__ import annotations

from typing import Any

from ...units import number_text


def describe_result(result: Any) -> str:
    """A Result in a line, and its best checkpoint in another."""
    numbers = [(name, value) for name, value in (result.metrics or {}).items() if isinstance(value, (int, float))]
    said = ", ".join(f"{str(name)[:40]} {number_text(value)}" for name, value in numbers[:4]) or "nothing reported"
    kept = "none" if result.best_checkpoint is None else str(result.best_checkpoint.path)[:300]
    return f"Result: {said}: .metrics, .history, .path\n.best_checkpoint: {kept}"
