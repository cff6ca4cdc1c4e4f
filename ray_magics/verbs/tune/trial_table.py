"""The trials of a search as they change; written by the thread of the search, marked and read by others."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .space import flat
from .status import ERROR, OVER, PENDING, RUNNING, STATES, STOPPED_BY_USER, TERMINATED, Point, Trial, TrialRow

CURVE_POINTS = 200  # of a curve, with few trials
ALL_CURVE_POINTS = 200_000  # of all curves together
LEAST_CURVE_POINTS = 12
MAX_COLUMNS = 12  # of parameters, and of reported numbers
AUTO_FILLED = frozenset(  # what Ray adds to each report
    {
        *("checkpoint_dir_name", "config", "date", "done", "experiment_id", "experiment_tag", "hostname", "node_ip"),
        *("iterations_since_restore", "pid", "should_checkpoint", "time_since_restore", "time_this_iter_s"),
        *("time_total_s", "timestamp", "training_iteration", "trial_id", "timesteps_since_restore"),
        *("timesteps_total", "episodes_total", "warmup_time"),
    }
)


class TrialTable:
    """The trials of one search by id, and what follows from them.

    Attributes:
        params: keys of the configuration that get a column; without any, those of the trials.
    """

    def __init__(self, params: tuple[str, ...], metric: str, mode: str) -> None:
        self.params, self.metric, self.mode = params, metric, mode
        self.infers_params = not params
        self.lock = threading.RLock()
        self.interrupted = 0
        self.trials: dict[str, Trial] = {}
        self.states: Counter[str] = Counter()
        self.metrics: tuple[str, ...] = (metric,) if metric else ()
        self.best: Trial | None = None
        self.rows: dict[str, tuple[Trial, tuple[tuple[str, ...], ...], TrialRow]] = {}

    # written by the thread of the search

    def add(self, trial: str, config: Mapping[str, Any], state: str) -> None:
        if trial not in self.trials:
            self._store(Trial(trial, _number_of(trial, len(self.trials)), state, config=flat(config)))
            if self.infers_params:
                new = [key for key in self.trials[trial].config if key not in self.params]
                self.params = (*self.params, *new)[:MAX_COLUMNS]

    def update(self, trial: str, **changes: Any) -> None:
        """Changes fields of a trial; also from other threads."""
        with self.lock:
            before = self.trials.get(trial)
            if before is not None and any(getattr(before, key) != value for key, value in changes.items()):
                self._store(replace(before, **changes))

    def report(self, trial: str, result: Mapping[str, Any], checkpoint: bool) -> None:
        """Takes a report in: its numbers, a point of the curve, the best."""
        with self.lock:
            self._report(trial, result, checkpoint)

    def _report(self, trial: str, result: Mapping[str, Any], checkpoint: bool) -> None:
        before = self.trials[trial]
        numbers = {key: float(value) for key, value in flat_metrics(result).items()}
        iteration = int(result.get("training_iteration", 0))
        curve = before.curve
        if curve and iteration <= curve[-1][0]:  # a trial without a checkpoint has begun again
            curve = tuple(point for point in curve if point[0] < iteration)
        if self.metric in numbers:
            curve = thinned((*curve, (iteration, numbers[self.metric])), self._most_points())
        updated = replace(
            before,
            config=flat(result.get("config") or before.config),
            metrics=numbers,
            iterations=iteration,
            seconds=float(result.get("time_total_s", 0.0)),
            node=str(result.get("node_ip", "")),
            checkpoint=before.checkpoint or checkpoint,
            curve=curve,
        )
        self._add_columns(numbers)
        self._store(updated)
        self._update_best(updated)

    def restore_curve(self, trial: str, curve: Iterable[Point]) -> None:
        """The curve of a trial from before the search was resumed."""
        self.update(trial, curve=tuple(curve)[-CURVE_POINTS:])

    def interrupt(self) -> None:
        """The search was stopped: trials that had not ended count neither as running nor as done."""
        for trial in list(self.trials.values()):
            if trial.state not in OVER:
                self.interrupted += trial.state != PENDING
                self.update(trial.id, state=PENDING if trial.state == PENDING else TERMINATED, how=STOPPED_BY_USER)

    def _store(self, trial: Trial) -> None:
        before = self.trials.get(trial.id)
        if before is not None:
            self.states[before.state] -= 1
        self.states[trial.state] += 1
        self.trials[trial.id] = trial

    def _most_points(self) -> int:
        return max(LEAST_CURVE_POINTS, min(CURVE_POINTS, ALL_CURVE_POINTS // max(len(self.trials), 1)))

    def _add_columns(self, numbers: Mapping[str, float]) -> None:
        new = [name for name in numbers if name not in self.metrics]
        if new and len(self.metrics) < MAX_COLUMNS:
            self.metrics = (*self.metrics, *new)[:MAX_COLUMNS]

    def _update_best(self, trial: Trial) -> None:
        """Keeps the best by the last report, as ``ResultGrid.get_best_result`` finds it."""
        if not self.mode:
            return
        if self.best is None or self._rank(trial) >= self._rank(self.best):
            self.best = trial
        elif trial.id == self.best.id:
            self.best = max(self.trials.values(), key=self._rank)
        if self._score(self.best) == -math.inf:
            self.best = None

    def _rank(self, trial: Trial) -> tuple[float, int]:
        """Of equal ones the first is the best, as for Ray."""
        return self._score(trial), -trial.number

    def _score(self, trial: Trial) -> float:
        value = trial.metrics.get(self.metric, math.nan)
        if not math.isfinite(value):
            return -math.inf
        return value if self.mode == "max" else -value

    # read by anybody

    @property
    def done(self) -> int:
        return self.states[TERMINATED] - self.interrupted

    @property
    def failed(self) -> int:
        return self.states[ERROR]

    @property
    def stopped(self) -> int:
        """Of those that are done, how many the user has stopped."""
        ended = sum(t.how == STOPPED_BY_USER and t.state == TERMINATED for t in list(self.trials.values()))
        return max(ended - self.interrupted, 0)

    @property
    def running(self) -> int:
        return self.states[RUNNING]

    def is_over(self, trial: str) -> bool:
        return trial in self.trials and self.trials[trial].state in OVER

    def counts(self) -> dict[str, int]:
        return {state: self.states[state] for state in STATES}

    def to_rows(self) -> tuple[TrialRow, ...]:
        """The trials as JSON; an unchanged one is the same object as in the last call."""
        return tuple(self._row(trial) for trial in list(self.trials.values()))

    def _row(self, trial: Trial) -> TrialRow:
        known = self.rows.get(trial.id)
        columns = (self.params, self.metrics)
        if known is not None and known[0] is trial and known[1] == columns:
            return known[2]
        row = trial.to_json(*columns)
        self.rows[trial.id] = (trial, columns, row)
        return row


def _number_of(trial: str, otherwise: int) -> int:
    """Ray ends its ids with the number: ``c17e1_00003``."""
    number = trial.rpartition("_")[2]
    return int(number) if number.isdigit() and len(number) < 9 else otherwise


def flat_metrics(result: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that the user's code reported, nested ones as ``eval/loss``, without what Ray adds."""
    own = {key: value for key, value in result.items() if not _is_auto_filled(str(key))}
    return {key: value for key, value in _slashed(own, "") if _is_number(value)}


def _is_auto_filled(key: str) -> bool:
    return key.startswith("__") or key.partition("/")[0] in AUTO_FILLED


def _slashed(values: Mapping[Any, Any], prefix: str) -> list[tuple[str, Any]]:
    flattened: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            flattened += _slashed(value, f"{prefix}{key}/")
        else:
            flattened.append((f"{prefix}{key}", value))
    return flattened


def _is_number(value: Any) -> bool:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def thinned(curve: tuple[Point, ...], most: int) -> tuple[Point, ...]:
    """Every second point, and the last, of a curve that has more than `most`."""
    return (*curve[:-1:2], curve[-1]) if len(curve) > most else curve
