"""What a view of a search shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from ...run.status import RunStatus
from .space import Dimension, safe_repr

PENDING, RUNNING, PAUSED, TERMINATED, ERROR = "PENDING", "RUNNING", "PAUSED", "TERMINATED", "ERROR"
STATES = (RUNNING, PENDING, PAUSED, TERMINATED, ERROR)
OVER = (TERMINATED, ERROR)
REQUESTED, STOPPED_BY_USER, STOPPED_EARLY, PAUSED_BY_USER = "asked", "stopped", "early", "held"  # `Trial.how`
RESUMED = "resumed"  # likewise
Point = tuple[int, float]
DIGITS = 6  # significant, in JSON
MAX_CHOICES = 50  # of a parameter; a longer list is drawn as a range is


class TrialRow(TypedDict):
    """A trial as JSON; `params` and `metrics` are aligned to the columns of the table, `curve` holds pairs."""

    id: str
    number: int
    state: str
    how: str
    params: list[Any]
    metrics: list[Any]
    iterations: int
    seconds: float
    node: str
    checkpoint: bool
    error: str
    curve: list[list[Any]]


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        state: Ray's name for it, one of `STATES`.
        how: "stopped" or "held" (paused) by the user, ended "early" by the scheduler, "asked" while a request is
            under way, "resumed" until it goes on.
        config: flat, with dotted keys.
        metrics: the last report, its numbers alone, flat.
        iterations: ``training_iteration``.
        seconds: ``time_total_s``.
        curve: (iteration, metric) of the search's metric, thinned.
    """

    id: str
    number: int
    state: str = PENDING
    how: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    iterations: int = 0
    seconds: float = 0.0
    node: str = ""
    checkpoint: bool = False
    error: str = ""
    curve: tuple[Point, ...] = ()

    def to_json(self, params: Iterable[str], metrics: Iterable[str]) -> TrialRow:
        """Its row, with values aligned to these columns."""
        return {
            "id": self.id,
            "number": self.number,
            "state": self.state,
            "how": self.how,
            "params": [_plain(self.config.get(name)) for name in params],
            "metrics": [_number(self.metrics.get(name)) for name in metrics],
            "iterations": self.iterations,
            "seconds": round(self.seconds, 2),
            "node": self.node,
            "checkpoint": self.checkpoint,
            "error": self.error[:4000],
            "curve": [[iteration, _number(value)] for iteration, value in self.curve],
        }


def _plain(value: Any) -> Any:
    """A parameter as JSON has it; what JSON has not, as text."""
    if value is None or isinstance(value, (bool, str)):
        return value if not isinstance(value, str) else value[:200]
    number = _number(value)
    return safe_repr(value) if number is None else number


def choices_of(space: Iterable[Dimension]) -> dict[str, list[Any]]:
    """The values of each parameter that is drawn from a list, in the form in which the rows of trials have them."""
    lists = {dimension.key: dimension.options or [] for dimension in space}
    few = {key: values for key, values in lists.items() if 0 < len(values) <= MAX_CHOICES}
    return {key: [_plain(value) for value in values] for key, values in few.items()}


def _number(value: Any) -> Any:
    """Six significant digits; ``"NaN"`` and ``"Infinity"`` as text, since JSON has no such numbers."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return int(number) if number.is_integer() and abs(number) < 1e15 else float(f"{number:.{DIGITS}g}")


@dataclass(frozen=True)
class TuneStatus(RunStatus):
    """A snapshot of a search: that of a run whose unit is the trial, and more.

    Attributes:
        params: columns of the table: the keys that vary.
        metrics: columns of the table: what is reported, the metric of the search first.
        scales: parameters drawn on a logarithmic scale.
        choices: the values of parameters that are drawn from a list.
        best: the id of the best trial by its last report, "" while there is none.
        best_python: its configuration as Python.
        rows: trials as JSON, in the order of their making; an unchanged trial is the same object as before.
    """

    metric: str = ""
    mode: str = ""
    search: str = ""
    scheduler: str = ""
    params: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    scales: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, list[Any]] = field(default_factory=dict)
    best: str = ""
    best_python: str = ""
    path: str = ""
    states: Mapping[str, int] = field(default_factory=dict)
    rows: tuple[TrialRow, ...] = ()

    def to_json(self) -> dict[str, Any]:
        keys = ("metric", "mode", "search", "scheduler", "best", "best_python", "path")
        return {
            **super().to_json(),
            **{key: getattr(self, key) for key in keys},
            "params": list(self.params),
            "metrics": list(self.metrics),
            "scales": dict(self.scales),
            "choices": dict(self.choices),
            "states": [[state, self.states[state]] for state in STATES if self.states.get(state)],
        }
