"""``%%ray_train`` and ``%ray_train``: reads the line and the cell, makes the plan, trains, binds the result."""

from __future__ import annotations

from argparse import Namespace as Line
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from ...cell.source import CellSource, cell_source_of
from ...errors import UsageError
from ...line.options import magic
from ...run.interrupts import interrupts_wait
from .options import train_options

if TYPE_CHECKING:
    from .plan import TrainPlan


@magic("ray_train", kind="line_cell")
@train_options
def ray_train(line: Line, cell: str | None = None) -> Any:
    """Train with Ray Train: a loop that runs on several workers at once.

    The cell is the loop: statements with config in scope, or functions of which the last, or that of --loop, is the
    loop. train, Checkpoint and, for torch, prepare_model and prepare_data_loader are in scope without an import. It
    reports with train.report({"loss": …}, checkpoint=…) on every rank. Statements end with the last line; return and
    early ends belong into a function. The view shows each worker, every reported
    number as a curve, and the checkpoints; Stop ends the run and keeps the last checkpoint. The result is Ray's Result,
    with all reports as the table history, and best_checkpoint. What the loop does to values of the notebook stays on
    the workers: what shall last goes into a checkpoint.

        %%ray_train --num-workers 2 --config "{'lr': 0.1}" --into result
        model = prepare_model(Net())
        optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
        for epoch in range(10):
            for x, y in prepare_data_loader(loader):
                ...
            train.report({"loss": loss.item()})

        %ray_train train_loop --num-workers 4 --use-gpu --into result
        %ray_train --trainer xgboost --label is_big_tip --data train=train_ds valid=valid_ds --into result
        %ray_train trainer                     # one that the notebook has built
        %ray_train train_loop --resume         # after an interrupt or a kernel restart
        %ray_tune NAME --space "lr=loguniform(1e-3, 1e-1)" --metric loss --mode min
                                               # a search over the loop of a cell, by its function or --name
    """
    shell: Any = get_ipython()
    with interrupts_wait():
        cell_source, plan = _decide(line, cell, shell)
        if cell is not None:
            remember_loop(plan, shell.user_ns, cell_source)
        if line.dry_run:
            return show_plan(plan, shell.user_ns, cell_source)
        return carry_out(plan, shell.user_ns, cell_source)


def _decide(line: Line, cell: str | None, shell: Any) -> tuple[CellSource, TrainPlan]:
    """Reads cell and line in the notebook's namespace."""
    from .boosting import boosting_loop
    from .loop import cell_loop, named_loop
    from .options import read_options
    from .plan import make_plan

    options = read_options(line, shell.user_ns)
    if cell is not None:
        if line.loop is not None:
            raise UsageError(f'%%ray_train takes no "{line.loop.text}": the cell is the loop.')
        cell_source = cell_source_of(shell, cell, is_cell=True)
        loop = cell_loop(cell_source, shell.user_ns, options.trainer, options.loop_name)
        return cell_source, make_plan(options, loop)
    if options.loop_name is not None:
        raise UsageError("--loop is for a cell of functions; a line names the loop itself: %ray_train LOOP")
    if line.loop is None:
        cell_source = cell_source_of(shell, "", is_cell=False)
        loop, cell_source = boosting_loop(options, cell_source, shell.user_ns)
        return cell_source, make_plan(options, loop, is_written=True)
    text = line.loop.text
    loop = named_loop(text, line.loop.evaluate(shell.user_ns, "LOOP"), shell.user_ns)
    return cell_source_of(shell, loop.cell.source, is_cell=False), make_plan(options, loop)


def remember_loop(plan: TrainPlan, namespace: dict[str, Any], cell_source: CellSource) -> None:
    """From now on ``%ray_tune NAME`` searches over the loop of this cell."""
    from .trial import remember

    remember(plan, namespace, cell_source)


def show_plan(plan: TrainPlan, namespace: dict[str, Any], cell_source: CellSource) -> None:
    """Prints what would happen, and the plain script."""
    from .script import explain

    print(explain(plan, namespace, cell_source.code))


def carry_out(plan: TrainPlan, namespace: dict[str, Any], cell_source: CellSource) -> Any:
    """Does what the plan says and binds the result; returns what the cell shows, or a Run."""
    from ...views.show import RunView
    from .card import train_card
    from .run import check, execute_plan

    check(plan)
    view = RunView(train_card, at_once=plan.background, quiet=plan.quiet, cell=cell_source.cell_id)
    return execute_plan(plan, namespace, cell_source, view)


def print_result(result: Any, printer: Any, cycle: bool) -> None:
    """A Result as the output of a cell, in two lines; one that is not of a run of ours as Ray prints it."""
    from .messages import describe_result

    printer.text(describe_result(result) if hasattr(result, "history") else repr(result))
