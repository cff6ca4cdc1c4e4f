"""Does what the plan says: evaluates the expression in the notebook, watched, and binds its value."""

from __future__ import annotations

import contextvars
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from IPython.core.getipython import get_ipython

from ... import kernel
from ...cell.source import CellSource
from ...errors import RunCancelled, UsageError
from ...run.binding import Binding
from ...run.interrupts import interrupt_raises
from ...run.launch import be_ready
from ...run.run import INTERRUPT, Viewer
from ...ship.datasets import is_dataset, remember
from .execution import DatasetStopped
from .expression import ray_data_scope
from .failures import data_error
from .operation import apply
from .plan import DataPlan
from .run import DataRun
from .script import made_by
from .transform import check_picklable, make_callable

STOPS_WITHIN = 5.0  # seconds that an interrupted cell waits for Ray to confirm


@dataclass(frozen=True)
class Outcome:
    """What a line or a cell has come to.

    Attributes:
        value: of the expression, or the dataset with the cell applied; in the background the Run.
        rows: those of the dataset that are to be shown; None for none.
    """

    value: Any
    rows: Sequence[Mapping[str, Any]] | None = None


def execute_plan(plan: DataPlan, namespace: dict[str, Any], cell_source: CellSource, view: Viewer) -> Outcome:
    """Binds the names of the line."""
    be_ready({})
    evaluate = _make_evaluate(plan, namespace, cell_source)
    binding = Binding(namespace, plan.targets) if plan.background else None
    parent = kernel.parent_message(get_ipython())
    run = DataRun(cell_source.name, cell_source.cell_id, plan.timeout, parent, binding)
    consume = partial(_consume, plan, evaluate)
    if plan.background:
        run.named_values = partial(_named_values, plan)
        run.launch(view)
        _in_background(run, consume, namespace, cell_source)
        return Outcome(run)
    run.launch_when_needed(view)
    value, rows = _in_foreground(run, consume, namespace, cell_source)
    namespace.update(_named_values(plan, value))
    return Outcome(value, rows)


def _make_evaluate(plan: DataPlan, namespace: dict[str, Any], cell_source: CellSource) -> Callable[[], Any]:
    """What gives the value: the expression of a line, or the dataset of a cell with the cell applied to it."""
    evaluate = plan.expression.make(cell_source.filename, namespace, ray_data_scope())
    if plan.transform is None:
        return evaluate
    transform = plan.transform
    check_picklable(transform, namespace)
    function = make_callable(transform, cell_source, namespace)

    def transformed() -> Any:
        dataset = evaluate()
        if not is_dataset(dataset):
            raise UsageError(
                f"{plan.expression.code} is of type {type(dataset).__name__}; a cell transforms a dataset."
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Use 'expr' instead of 'fn'")  # the cell is no expression
            return apply(dataset, transform, function, plan.ray, plan.concurrency, plan.key)

    return transformed


def _consume(plan: DataPlan, evaluate: Callable[[], Any]) -> tuple[Any, list[Any] | None]:
    """The value, and the rows of it that are to be shown."""
    value = evaluate()
    if not is_dataset(value):
        return value, None
    if plan.materialize or plan.stats:
        value = value.materialize()
    if plan.stats:
        print(value.stats())
    return value, list(value.limit(plan.rows).iter_rows()) if plan.rows else None


def _in_foreground(
    run: DataRun, consume: Callable[[], Any], namespace: dict[str, Any], cell_source: CellSource
) -> tuple[Any, list[Any] | None]:
    """On this thread, as the cell itself would do it; the run watches."""
    try:
        with interrupt_raises(), run.current():
            value, rows = consume()
    except KeyboardInterrupt as error:
        if not isinstance(error, DatasetStopped):
            run.stop(by=INTERRUPT)
        run.consumer_ends(error=error)
        raise _stopped(run) from None
    except BaseException as error:
        run.consumer_ends(error=error)
        run.over_soon()
        short = data_error(error, namespace, cell_source.label)
        raise short from short.__cause__
    run.consumer_ends(value)
    run.over_soon()
    return value, rows


def _stopped(run: DataRun) -> BaseException:
    """Waits until nothing is left, and says so."""
    left = "nothing is left running" if run.ends_within(STOPS_WITHIN) else "tasks that do not answer may still run"
    return RunCancelled(f"{run.stopped_text}; {left}, and no value is bound.")


def _in_background(
    run: DataRun, consume: Callable[[], Any], namespace: dict[str, Any], cell_source: CellSource
) -> None:
    def work() -> None:
        with run.current():
            try:
                run.consumer_ends(consume()[0])
            except BaseException as error:
                run.consumer_ends(error=data_error(error, namespace, cell_source.label))

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name=f"ray_magics-data-{run.id}", daemon=True).start()


def _named_values(plan: DataPlan, value: Any) -> dict[str, Any]:
    return plan.expression.named_values(value) | ({plan.into: value} if plan.into else {})


def remember_origin(plan: DataPlan, value: Any, namespace: dict[str, Any], source: str) -> None:
    """Keeps the code of datasets that a line or a cell has made, for scripts of what is made of them."""
    if is_dataset(value):
        remember(value, made_by(plan, namespace, source))
    elif plan.expression.unpacks:
        for number, part in enumerate(namespace[name] for name in plan.expression.targets):
            if is_dataset(part):
                remember(part, made_by(plan, namespace, source, number))
