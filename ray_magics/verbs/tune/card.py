"""The card of a search: a page draws it with the component "search"; text and HTML show the best trials."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from ...views import format as f
from ...views.card import Card, Cell, Counts, Curve, Group, Row, Section, Special, State, Table, Text
from ...views.run_card import run_card
from .status import ERROR, REQUESTED, RESUMED, STATES, STOPPED_BY_USER, STOPPED_EARLY, TERMINATED, TrialRow, TuneStatus

BEST = "★"

_MAX_TRIALS, _MAX_PARAMS, _MAX_METRICS, _MAX_FAILURES = 25, 8, 3, 3
_MAX_TEXT = 40  # characters of a name or a value
_MAX_CODE = 1500
_EXCEPTION = re.compile(r"[\w.]+(\(\w+\))?: ")
_STATES = {TERMINATED: "ended", ERROR: "failed"}
_ENDS = {
    STOPPED_EARLY: State("finished", "Stopped early"),
    STOPPED_BY_USER: State("cancelled", "Stopped"),
}


def search_card(status: TuneStatus) -> Card:
    """The run of a search, and its trials."""
    search = Special("search", status.to_json(), status.rows, still=lambda: tuple(_still(status)), lasts=True)
    return run_card(status, search, stop="Stop all")


def _still(status: TuneStatus) -> Iterator[Section]:
    yield Counts("Trials", tuple((_STATES.get(state, state), status.states.get(state, 0)) for state in STATES))
    yield from (Text(goal, "muted") for goal in (goal_text(status),) if goal)
    yield from (Text(f"{BEST} {best}", "strong") for best in (best_text(status),) if best)
    if status.best_python:
        yield Text(f.plain(status.best_python, _MAX_CODE), "code")
    trials = shown_trials(status)
    if trials:
        yield _table(status, trials)
        yield from (Text(sentence, "muted") for sentence in (_left_out(status),) if sentence)
    yield from map(_failure, failed_trials(trials))
    if status.path:
        yield Text(f"Results: {f.one_line(status.path)}", "muted")


def goal_text(status: TuneStatus) -> str:
    """ "Goal: lowest loss · search: random · scheduler: asha" """
    extreme = {"min": "lowest ", "max": "highest "}.get(status.mode, "")
    goal = f"{extreme}{_short(status.metric)}" if status.metric else ""
    facts = (("goal", goal), ("search", _short(status.search)), ("scheduler", _short(status.scheduler)))
    return f.capitalized(f.facts_text(facts))


def best_text(status: TuneStatus) -> str:
    """ "Best so far: loss 0.25, trial 3", or nothing while there is none."""
    trial = next((trial for trial in status.rows if trial["id"] == status.best), None) if status.best else None
    if trial is None:
        return ""
    metrics = dict(zip(status.metrics, trial["metrics"], strict=False))
    score = f"{_short(status.metric)} {_value(metrics.get(status.metric))}, " if status.metric else ""
    return f"Best{' so far' if status.live else ''}: {score}trial {trial['number']}"


def shown_trials(status: TuneStatus) -> list[TrialRow]:
    """At most 25 trials, the best first; a few failed ones are always among them."""
    ranked = sorted(status.rows, key=lambda trial: _rank(status, trial))
    chosen = failed_trials(ranked)
    others = (trial for trial in ranked if not any(trial is other for other in chosen))
    chosen += [trial for _, trial in zip(range(_MAX_TRIALS - len(chosen)), others, strict=False)]
    return sorted(chosen, key=lambda trial: _rank(status, trial))


def failed_trials(trials: Iterable[TrialRow]) -> list[TrialRow]:
    """The first few that failed."""
    return [trial for trial in trials if trial["state"] == ERROR][:_MAX_FAILURES]


def _rank(status: TuneStatus, trial: TrialRow) -> tuple[float, ...]:
    """The best is the lowest; what has no number comes last, in the order of making."""
    number = trial["number"]
    score = _score(trial["metrics"][status.metrics.index(status.metric)]) if status.metric in status.metrics else None
    if status.best and trial["id"] == status.best:
        return 0, 0, number
    if score is None or status.mode not in ("min", "max"):
        return 2, 0, number
    return 1, score if status.mode == "min" else -score, number


def _score(reported: object) -> float | None:
    return reported if isinstance(reported, (int, float)) and math.isfinite(reported) else None


def _table(status: TuneStatus, trials: list[TrialRow]) -> Table:
    names = status.params[:_MAX_PARAMS] + status.metrics[:_MAX_METRICS]
    columns = ("Trial", "State", *map(_short, names), "Curve", "Iterations", "Time", "Node")
    rows = tuple(trial_row(status, trial) for trial in trials)
    return Table(columns, rows, hidden=len(status.rows) - len(trials))


def trial_row(status: TuneStatus, trial: TrialRow) -> Row:
    """The cells of a trial, under the headings of the table."""
    values = (*trial["params"][:_MAX_PARAMS], *trial["metrics"][:_MAX_METRICS])
    cells: tuple[Cell, ...] = (
        _label(status, trial),
        state_of(trial),
        *map(_value, values),
        Curve(tuple((x, score) for x, y in trial["curve"] if (score := _score(y)) is not None)),
        f.count(trial["iterations"]) if trial["iterations"] else "",
        f.seconds(trial["seconds"]) if trial["seconds"] else "",
        _short(trial["node"]),
    )
    return Row(trial["id"], cells)


def _label(status: TuneStatus, trial: TrialRow) -> str:
    """ "3", and a sign on the best: "3 ★" """
    return f"{trial['number']} {BEST}" if status.best and trial["id"] == status.best else str(trial["number"])


def state_of(trial: TrialRow) -> State:
    """The state of a trial, which says what a user or the scheduler has done to it."""
    if trial["how"] == REQUESTED:
        return State("stopping", "Stopping or pausing")
    if trial["how"] == RESUMED:
        return State("pending", "Resuming")
    if trial["state"] == TERMINATED or trial["how"] == STOPPED_BY_USER:
        return _ENDS.get(trial["how"], State("finished", "Finished"))
    name = "failed" if trial["state"] == ERROR else f.task_state(trial["state"])
    return State(name, f.capitalized(name))


def _value(content: object) -> str:
    """A parameter or a reported number; nothing if it is absent."""
    if content is None:
        return ""
    return f.cell_text(content if isinstance(content, (int, float)) else _short(content))


def _left_out(status: TuneStatus) -> str:
    """ "Not shown: 2 parameters, 1 metric", or nothing."""
    counts = (("parameter", len(status.params) - _MAX_PARAMS), ("metric", len(status.metrics) - _MAX_METRICS))
    hidden = ", ".join(f"{f.count(number)} {f.plural(unit, number)}" for unit, number in counts if number > 0)
    return f"Not shown: {hidden}" if hidden else ""


def _failure(trial: TrialRow) -> Section:
    head, lines = last_lines(trial["error"])
    title = f"Trial {trial['number']} failed: {head}"
    return Group((Text("\n".join(lines), "error"),), title, opened=False) if lines else Text(title)


def last_lines(error: str) -> tuple[str, list[str]]:
    """What an error says in one line, and its last lines if they say more."""
    lines = [f.output_line(line, 300) for line in f.plain(error[-4000:], 4000).splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)] or [line for line in lines if not line[0].isspace()]
    head = f.one_line((named or lines or [""])[-1], 150)
    return head, [] if lines == [head] else lines[-10:]


def _short(text: object) -> str:
    return f.one_line(text, _MAX_TEXT)
