"""The sentences about a search."""

from __future__ import annotations

from typing import Any

from ...line.parsers import close_to
from .space import safe_repr


def trials(count: int) -> str:
    """``1 trial``, ``12 trials``"""
    return "1 trial" if count == 1 else f"{count} trials"


def metric_not_reported(metric: str, reported: list[str]) -> str:
    """The metric that reports lack, and what they hold instead."""
    close = close_to(metric, reported)
    there = ", ".join(f'"{name}"' for name in reported[:8]) or "no numbers"
    advice = f"did you mean {close}?" if close else f"report it with tune.report({{{metric!r}: …}})."
    return f'--metric {metric}: the trials report {there}, not "{metric}"; {advice}'


def nothing_reported(metric: str, budget: float | None) -> str:
    """No trial has reported anything, for lack of time if `budget` says so."""
    if budget is not None:
        return f"--time-budget-s {budget:g} was over before any trial reported; a worker takes seconds to start."
    return (
        f"--metric {metric}: no trial reported anything; report it with tune.report({{{metric!r}: …}}), "
        "or return a number or a dict."
    )


def describe_grid(grid: Any) -> str:
    """A ResultGrid in one line, and its best result in another where it is known."""
    failed = f", {grid.num_errors} failed" if grid.num_errors else ""
    head = f"ResultGrid of {trials(len(grid))}{failed}: [0], .get_dataframe(), .get_best_result(), .experiment_path"
    best = getattr(grid, "best", None)
    return head if best is None else f"{head}\n.best.config: {safe_repr(best.config, 500)}"
