"""The card of a training: its workers, what they report, and its checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...run.status import LIVE
from ...units import size_text
from ...views import format as f
from ...views.card import Card, Cell, Curve, Facts, Row, Section, Special, State, Table, Text
from ...views.run_card import run_card
from .status import CheckpointStatus, TrainStatus, WorkerStatus

BEST = "★"
WORKERS = ("Rank", "State", "Node", "Process", "GPU", "Memory", "Reports")
METRICS = ("Metric", "Last", "Least", "Most", "Curve")
CHECKPOINTS = ("Checkpoint", "Report", "Size", "Score")

_MOST_WORKERS, _MOST_METRICS, _MOST_CHECKPOINTS = 50, 20, 10
_PHASES = {
    "INITIALIZING": "begins",
    "SCHEDULING": "starts its workers",
    "RESCHEDULING": "starts its workers again",
    "RUNNING": "trains",
    "PREEMPTING": "leaves nodes that are taken away",
    "RESTARTING": "starts again from the last checkpoint",
    "RESIZING": "changes the number of its workers",
    "SHUTTING_DOWN": "ends its workers",
}
_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def train_card(status: TrainStatus) -> Card:
    """Header and progress of the run, then workers, curves and checkpoints."""
    training = Special("training", status.to_json(), status.rows, still=lambda: tuple(_still(status)), lasts=True)
    body = (
        Facts(tuple(_facts(status))),
        _workers(status),
        *((training,) if status.rows or status.ranks or not status.live else ()),
        *_checkpoints(status),
        *((Text(f"Results: {f.one_line(status.path)}", "muted"),) if status.path else ()),
    )
    return run_card(status, *body)


def _facts(status: TrainStatus) -> Iterator[tuple[str, str]]:
    phase = _PHASES.get(status.phase, status.phase.lower().replace("_", " ")) if status.live else ""
    yield "now", phase
    yield "workers", status.wanted
    yield "best checkpoint by", status.scored_by
    why = f" ({f.one_line(status.trouble, 100)})" if status.restarts and status.trouble else ""
    yield "started again", f"{_times(status.restarts)}{why}"
    yield "resized", _times(status.resizes)


def _times(number: int) -> str:
    return "" if not number else "once" if number == 1 else f"{f.count(number)} times"


def _workers(status: TrainStatus) -> Section:
    rows = tuple(_worker(worker) for worker in status.ranks[:_MOST_WORKERS])
    return Table(WORKERS, rows, hidden=max(len(status.ranks) - _MOST_WORKERS, 0))


def _worker(worker: WorkerStatus) -> Row:
    text = f.capitalized(worker.state)
    if worker.state in LIVE and worker.waits >= 1:
        text = f"Waits for other ranks, {f.clock(worker.waits)}"
    cells: tuple[Cell, ...] = (
        str(worker.rank),
        State(worker.state, text),
        worker.node,
        str(worker.pid) if worker.pid else "",
        ", ".join(worker.gpus),
        size_text(worker.memory) if worker.memory else "",
        f.count(worker.reports) if worker.reports else "",
    )
    return Row(str(worker.rank), cells)


def _still(status: TrainStatus) -> Iterator[Section]:
    """What text and HTML show in place of the curves."""
    rows = tuple(_metric(row) for row in status.rows[:_MOST_METRICS])
    if not rows:
        yield Text("Nothing was reported.", "muted")
        return
    yield Table(METRICS, rows, hidden=max(len(status.rows) - _MOST_METRICS, 0))
    if any(len(row["lines"]) > 1 for row in status.rows):
        yield Text("Numbers are the mean of the workers.", "muted")
    for row in status.rows:
        if row["unfinite"]:
            reports = f"{f.count(row['unfinite'])} {f.plural('report', row['unfinite'])}"
            yield Text(f"{f.one_line(row['id'], 40)}: {reports} with NaN or infinity.", "notice")


def _metric(row: Mapping[str, Any]) -> Row:
    points = [(float(step), value) for step, _, value in row["lines"][0]["points"] if isinstance(value, (int, float))]
    numbers = (_number(row[key]) for key in ("last", "least", "most"))
    return Row(str(row["id"]), (f.one_line(row["id"], 40), *numbers, Curve(tuple(points))))


def _number(value: float | str | None) -> float | None:
    return _NOT_FINITE.get(value) if isinstance(value, str) else value


def _checkpoints(status: TrainStatus) -> Iterator[Section]:
    if not status.checkpoints:
        return
    kept = [one for one in status.checkpoints if one.kept]
    shown = kept[-_MOST_CHECKPOINTS:]
    best = [one for one in kept if one.name == status.best and one not in shown]
    rows = tuple(_checkpoint(one, status.best) for one in (*best, *shown))
    yield Table(CHECKPOINTS, rows, title="Checkpoints", hidden=len(kept) - len(rows))
    if gone := len(status.checkpoints) - len(kept):
        yield Text(
            f"{f.count(gone)} earlier {f.plural('checkpoint', gone)} {'was' if gone == 1 else 'were'} not kept.",
            "muted",
        )


def _checkpoint(checkpoint: CheckpointStatus, best: str) -> Row:
    cells: tuple[Cell, ...] = (
        f"{f.one_line(checkpoint.name, 60)} {BEST}" if checkpoint.name == best else f.one_line(checkpoint.name, 60),
        f.count(checkpoint.step) if checkpoint.step else "earlier",
        "" if checkpoint.size is None else size_text(checkpoint.size),
        checkpoint.score,
    )
    return Row(checkpoint.name, cells)
