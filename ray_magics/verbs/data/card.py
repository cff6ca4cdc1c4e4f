"""The card of what datasets execute in a cell: a table of operators for each execution."""

from __future__ import annotations

from ...raylib.data import OperatorSnapshot
from ...run.status import LIVE
from ...units import size_text
from ...views import format as f
from ...views.card import Card, Cell, Facts, Group, Row, Section, State, Table, Text
from ...views.run_card import run_card
from .status import DataStatus, ExecutionStatus

COLUMNS = (
    *("Operator", "State", "Rows", "Rows/s", "Blocks", "Size", "Tasks", "Queued", "Waits for"),
    *("Uses", "Work"),
)
MOST_OPERATORS = 60
_MOST_NAME = 60
SLOWEST = "slowest"
_REASONS = {
    "ResourceBudget": "CPUs or memory",
    "ConcurrencyCap": "its own tasks",
    "DownstreamCapacity": "the next operator",
}


def data_card(status: DataStatus) -> Card:
    """Header and progress of the run, then each execution, the newest first and unfolded."""
    *earlier, last = status.executions or (None,)
    body: list[Section] = [*_spilled(status)]
    if last is not None:
        body += [*_execution(last, says_error=not status.error)]
    body += [_folded(execution) for execution in reversed(earlier) if execution is not None]
    if status.earlier:
        body.append(Text(f"{f.count(status.earlier)} earlier {f.plural('execution', status.earlier)}", "muted"))
    return run_card(status, *body)


def _spilled(status: DataStatus) -> tuple[Section, ...]:
    spilled = sum(execution.spilled for execution in status.executions)
    if not spilled:
        return ()
    return (Text(f"{size_text(spilled)} did not fit into the object store and went to disk, which is slow.", "notice"),)


def _folded(execution: ExecutionStatus) -> Section:
    return Group((*_execution(execution, titled=False),), State(execution.state, _title(execution)), opened=False)


def _title(execution: ExecutionStatus) -> str:
    """``finished: 1,000 rows in 3.2 s``"""
    rows = f"{f.count(execution.rows)} {f.plural('row', execution.rows)}"
    return f"{f.capitalized(execution.state)}: {rows} in {f.seconds(execution.elapsed)}"


def _execution(execution: ExecutionStatus, titled: bool = True, says_error: bool = True) -> tuple[Section, ...]:
    shown = execution.operators[:MOST_OPERATORS]
    rows = tuple(_row(execution, operator) for operator in shown)
    table = Table(COLUMNS, rows, hidden=len(execution.operators) - len(shown), key="operators" if titled else "")
    error = (Text(execution.error, "error"),) if execution.error and says_error else ()
    name = (Facts((("Dataset", execution.name),)),) if titled else ()
    return (*name, table, *error) if rows else (*name, *error)


def _row(execution: ExecutionStatus, operator: OperatorSnapshot) -> Row:
    is_slowest = operator is execution.slowest
    name = f.one_line(operator.name, _MOST_NAME)
    rate = operator.rows_out / execution.elapsed if execution.elapsed > 0 and operator.rows_out else None
    cells: tuple[Cell, ...] = (
        f"{name} ({SLOWEST})" if is_slowest else name,
        _state(execution, operator),
        _of(operator.rows_out, None if operator.done else operator.rows_total),
        "" if rate is None else f.count(rate) if rate >= 10 else f"{rate:.1f}",
        _of(operator.blocks_out, None if operator.done else operator.blocks_total),
        size_text(operator.bytes_out) if operator.bytes_out else "",
        _tasks(operator, execution.state in LIVE),
        f.count(operator.queued) if operator.queued and execution.state in LIVE else "",
        _reason(operator) if execution.state in LIVE else "",
        _uses(operator) if execution.state in LIVE else "",
        f.seconds(operator.seconds) if operator.seconds else "",
    )
    return Row(operator.id, cells)


def _state(execution: ExecutionStatus, operator: OperatorSnapshot) -> State:
    if operator.done and not (operator.tasks_failed and execution.state == "failed"):
        return State("finished", "Finished")
    if execution.state not in LIVE:
        return State("failed", "Failed") if operator.tasks_failed else State("cancelled", "Stopped")
    if operator.tasks:
        return State("running", "Running")
    return State("pending", "Pending")


def _reason(operator: OperatorSnapshot) -> str:
    """What holds it back, where it has something to do; Ray's own word for a policy that is not known here."""
    if operator.done:
        return ""
    if operator.actors_pending and not operator.actors:
        return "its actors"
    if not operator.queued:
        return "" if operator.tasks else "input"
    return _REASONS.get(operator.waits_for, operator.waits_for)


def _of(done: int, total: int | None) -> str:
    """ "120 of 1,000" """
    if total is None or total <= done:
        return f.count(done) if done else ""
    return f"{f.count(done)} of {f.count(total)}"


def _uses(operator: OperatorSnapshot) -> str:
    """ "2 CPU, 0.5 GPU, 11 MiB", the last of it in the object store."""
    parts = [f"{operator.cpu:g} CPU" if operator.cpu else "", f"{operator.gpu:g} GPU" if operator.gpu else ""]
    parts.append(size_text(operator.object_store) if operator.object_store else "")
    return ", ".join(filter(None, parts))


def _tasks(operator: OperatorSnapshot, is_live: bool) -> str:
    """ "2 on 2+1 actors", where one starts, and "1 failed" also afterwards."""
    parts = [f.count(operator.tasks)] if operator.tasks and is_live else []
    if is_live and operator.actors is not None and (operator.actors or operator.actors_pending):
        starting = f"+{operator.actors_pending}" if operator.actors_pending else ""
        parts.append(f"on {operator.actors}{starting} {f.plural('actor', operator.actors or operator.actors_pending)}")
    if operator.tasks_failed:
        parts.append(f"{f.count(operator.tasks_failed)} failed")
    return " ".join(parts)
