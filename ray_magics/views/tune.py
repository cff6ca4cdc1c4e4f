"""What the text and the HTML of a search show, as plain text: which trials, and what of each."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from ray_magics.views import format as f
from ray_magics.views.format import Snapshot

BEST = "★"

_MAX_TRIALS, _MAX_PARAMS, _MAX_METRICS, _MAX_FAILURES = 25, 8, 3, 3
_MAX_TEXT = 40  # characters of a name or a value
_EXCEPTION = re.compile(r"[\w.]+(\(\w+\))?: ")
_STATES = {"TERMINATED": "ended", "ERROR": "failed"}
_ENDS = {"": ("finished", "Finished"), "early": ("finished", "Stopped early"), "stopped": ("cancelled", "Stopped")}


def goal(run: Snapshot) -> str:
    """ "Goal: lowest loss · search: random · scheduler: asha" """
    extreme = {"min": "lowest ", "max": "highest "}.get(run["mode"], "")
    parts = (
        f"goal: {extreme}{_short(run['metric'])}" if run["metric"] else "",
        f"search: {_short(run['search'])}" if run["search"] else "",
        f"scheduler: {_short(run['scheduler'])}" if run["scheduler"] else "",
    )
    return f.capitalized(" · ".join(filter(None, parts)))


def states(run: Snapshot) -> list[tuple[str, int]]:
    """The states that Ray names, as everyone calls them."""
    return [(_STATES.get(state, state), number) for state, number in run["states"]]


def state(trial: Snapshot) -> tuple[str, str]:
    """The state whose sign it bears, and its label: ("cancelled", "Stopped")"""
    if trial["how"] == "asked":
        return "stopping", "Stopping or pausing"
    if trial["state"] == "TERMINATED":
        return _ENDS.get(trial["how"], _ENDS[""])
    name = "failed" if trial["state"] == "ERROR" else f.task_state(trial["state"])
    return name, f.capitalized(name)


def best(run: Snapshot) -> str:
    """ "Best so far: loss 0.25, trial 3", or nothing while there is none."""
    trial = next((trial for trial in run["trials"] if trial["id"] == run["best"]), None) if run["best"] else None
    if trial is None:
        return ""
    metrics = dict(zip(run["metrics"], trial["metrics"], strict=False))
    score = f"{_short(run['metric'])} {value(metrics.get(run['metric']))}, " if run["metric"] else ""
    return f"Best{' so far' if f.is_live(run) else ''}: {score}trial {value(trial['number'])}"


def shown(run: Snapshot) -> list[Snapshot]:
    """At most 25 trials, the best first; a few failed ones are always among them."""
    ranked = sorted(run["trials"], key=lambda trial: _rank(run, trial))
    chosen = failed(ranked)
    others = (trial for trial in ranked if not any(trial is other for other in chosen))
    chosen += [trial for _, trial in zip(range(_MAX_TRIALS - len(chosen)), others, strict=False)]
    return sorted(chosen, key=lambda trial: _rank(run, trial))


def _rank(run: Snapshot, trial: Snapshot) -> tuple[float, ...]:
    """The best is the lowest; what has no number comes last, in the order of making."""
    names, number = run["metrics"], trial["number"]
    score = _score(trial["metrics"][names.index(run["metric"])]) if run["metric"] in names else None
    if run["best"] and trial["id"] == run["best"]:
        return 0, 0, number
    if score is None or run["mode"] not in ("min", "max"):
        return 2, 0, number
    return 1, score if run["mode"] == "min" else -score, number


def _score(reported: object) -> float | None:
    return reported if isinstance(reported, (int, float)) and math.isfinite(reported) else None


def columns(run: Snapshot, trials: list[Snapshot]) -> list[tuple[str, list[str]]]:
    """The heading and the cells of each column of the table, beginning after the state; empty ones are left out."""
    table = [
        *_aligned(run["params"][:_MAX_PARAMS], [trial["params"] for trial in trials]),
        *_aligned(run["metrics"][:_MAX_METRICS], [trial["metrics"] for trial in trials]),
        ("Curve", [sparkline(trial["curve"]) for trial in trials]),
        ("Iterations", [f.count(trial["iterations"]) if trial["iterations"] else "" for trial in trials]),
        ("Time", [f.seconds(trial["seconds"]) if trial["seconds"] else "" for trial in trials]),
        ("Node", [_short(trial["node"]) for trial in trials]),
    ]
    return [(heading, [cell or f.DASH for cell in cells]) for heading, cells in table if any(cells)]


def _aligned(names: list[str], rows: list[list[object]]) -> Iterator[tuple[str, list[str]]]:
    for index, name in enumerate(names):
        yield _short(name), [value(row[index]) for row in rows]


def left_out(run: Snapshot) -> str:
    """ "Not shown: 2 parameters, 1 metric", or nothing."""
    counts = (("parameter", len(run["params"]) - _MAX_PARAMS), ("metric", len(run["metrics"]) - _MAX_METRICS))
    hidden = ", ".join(f"{f.count(number)} {f.plural(unit, number)}" for unit, number in counts if number > 0)
    return f"Not shown: {hidden}" if hidden else ""


def label(run: Snapshot, trial: Snapshot) -> str:
    """ "3", and a sign on the best: "3 ★" """
    number = value(trial["number"])
    return f"{number} {BEST}" if run["best"] and trial["id"] == run["best"] else number


def value(content: object) -> str:
    """A parameter or a reported number; nothing if it is absent."""
    if content is None:
        return ""
    if isinstance(content, (int, float)) and not isinstance(content, bool):
        return f.number_text(content)
    return _short(content)


def failed(trials: Iterable[Snapshot]) -> list[Snapshot]:
    """The first few that failed."""
    return [trial for trial in trials if trial["state"] == "ERROR"][:_MAX_FAILURES]


def last_lines(error: object) -> tuple[str, list[str]]:
    """What an error says in one line, and its last lines if they say more."""
    lines = [f.output_line(line, 300) for line in f.plain(str(error)[-4000:], 4000).splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)] or [line for line in lines if not line[0].isspace()]
    head = f.one_line((named or lines or [""])[-1], 150)
    return head, [] if lines == [head] else lines[-10:]


def sparkline(points: Iterable[tuple[float, object]], width: int = 12) -> str:
    """[[1, 3.0], [2, 2.0], [3, 1.0]] -> "█▅▁"; of many points, some; what is no number is skipped."""
    values = [score for _, reported in points if (score := _score(reported)) is not None]
    if len(values) < 2:
        return ""
    count = min(width, len(values))
    picked = [values[(place + 1) * len(values) // count - 1] for place in range(count)]
    return f.sparkline(picked, min(picked), max(picked))


def _short(text: object) -> str:
    return f.one_line(text, _MAX_TEXT)
