"""``%%ray_tune`` and ``%ray_tune``: reads the line and the cell, makes the plan, runs it, binds the result."""

from __future__ import annotations

from argparse import Namespace as Line
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from ...cell.source import CellSource, cell_source_of
from ...errors import UsageError
from ...line.options import magic
from ...run.interrupts import interrupts_wait
from .options import tune_options

if TYPE_CHECKING:
    from ...views.show import RunView
    from .plan import TunePlan
    from .trainable import Trainable


@magic("ray_tune", kind="line_cell")
@tune_options
def ray_tune(line: Line, cell: str | None = None) -> Any:
    """Search for the best configuration with Ray Tune.

    A trial is one call of a function with a configuration drawn from the space, or this cell with config in scope.
    It reports with tune.report({"loss": …}) as often as it likes; what it returns, or the value of the cell, is
    reported, too: a dict as it is, a number as the metric. The view shows every trial and stops or pauses any.
    The result is Ray's ResultGrid, with the best one as its attribute best. Trials run in folders of their own.

        %ray_tune train --space "lr=loguniform(1e-4, 1e-1)" "width=choice([32, 64])" --metric loss --mode min \\
            --num-samples 20 --scheduler asha --into search

        %%ray_tune --space "C=loguniform(0.01, 100)" --metric accuracy --mode max --num-samples 30
        cross_val_score(SVC(C=config["C"]), X, y).mean()

        %ray_tune train                 # one trial, with an empty config
        %ray_tune train --form          # controls for all of it; %ray_tune --form writes a cell with you
        %ray_tune train --resume        # after an interrupt or a kernel restart
        %ray_tune --show                # the live table of the last search again
    """
    shell: Any = get_ipython()
    with interrupts_wait():
        if line.show:
            return _show_again(line.trainable.text if line.trainable else "", shell)
        if line.form:
            return _show_form(line, cell, shell)
        cell_source, plan = _decide(line, cell, shell)
        if line.dry_run:
            return show_plan(plan, shell.user_ns, cell_source)
        return carry_out(plan, shell.user_ns, cell_source)


def _show_again(run_id: str, shell: Any) -> None:
    """The view of a search that this kernel knows, live also after its end."""
    from ...kernel import cell_id, kernel_of
    from ...run.registry import registry
    from ...views.show import LiveFeed, new_view
    from .card import search_card
    from .run import TuneRun

    searches = [run for run in registry.runs() if isinstance(run, TuneRun) and run_id in ("", run.id)]
    if not searches:
        raise UsageError(f"--show: no search {run_id}".rstrip() + " in this kernel; %ray_runs lists what there is.")
    run = searches[-1]
    if run.live:
        LiveFeed(lambda: search_card(run.status()), lambda: run.live, cell_id(shell), 0.5)
    else:
        card = search_card(run.status())
        view = new_view(cell_id(shell), card)
        if kernel_of(shell) is None:
            view.finish(card)


def _show_form(line: Line, cell: str | None, shell: Any) -> None:
    """Shows controls; what they start is made from the line that they show."""
    from dataclasses import replace

    from ...kernel import kernel_of
    from .form.guess import guessed_rows
    from .form.line import from_line, without_controls
    from .plan import make_plan, read_options

    cell = "" if cell is None and line.trainable is None else cell
    state = from_line(line, cell)
    if state.is_unwritten and line.trainable is None:
        cell_source = cell_source_of(shell, state.cell or "", is_cell=True)
    else:
        cell_source, trainable = _read_trainable(line, cell, shell)
        state = guessed_rows(state, _value_of(trainable, shell))
    if kernel_of(shell) is None or find_spec("anywidget") is None:
        return print(without_controls(state))
    from .form.panel import show_form

    def start(arguments: str, view: RunView) -> Any:
        shown = ray_tune.parse(arguments, cell is not None) or line
        if shown.dry_run:
            raise UsageError("--dry-run starts nothing: insert the line as a cell and run it to see the plan.")
        options = replace(read_options(shown, shell.user_ns), background=True)
        plan = make_plan(options, _read_trainable(shown, cell, shell, cell_source)[1])
        return carry_out(plan, shell.user_ns, cell_source, view)

    return show_form(state, shell.user_ns, start, cell_source.cell_id)


def _decide(line: Line, cell: str | None, shell: Any) -> tuple[CellSource, TunePlan]:
    """Reads cell and line in the notebook's namespace."""
    from .config_keys import check_without_space
    from .plan import make_plan, read_options

    cell_source, trainable = _read_trainable(line, cell, shell)
    if _is_alone(line):
        check_without_space(_value_of(trainable, shell), trainable.text)
    return cell_source, make_plan(read_options(line, shell.user_ns), trainable)


def _is_alone(line: Line) -> bool:
    """``%ray_tune TRAINABLE`` and nothing else."""
    return [name for name, value in vars(line).items() if value is not None and value is not False] == ["trainable"]


def _read_trainable(
    line: Line, cell: str | None, shell: Any, cell_source: CellSource | None = None
) -> tuple[CellSource, Trainable]:
    """What a trial runs, and where that stands."""
    from ...run.loops import find_loop
    from .trainable import cell_trainable, loop_trainable, named_trainable

    if cell is None and line.trainable is None:
        raise UsageError("%ray_tune needs something to run: %ray_tune TRAINABLE, or a cell below %%ray_tune.")
    if cell is not None and line.trainable is not None:
        raise UsageError(f'%%ray_tune takes no "{line.trainable.text}": the cell is what a trial runs.')
    if cell is not None:
        cell_source = cell_source or cell_source_of(shell, cell, is_cell=True)
        return cell_source, cell_trainable(cell_source.read(), shell.user_ns, cell_source.cell_id)
    text = line.trainable.text
    loop = None if text in shell.user_ns else find_loop(text)
    if loop is not None:
        return cell_source or cell_source_of(shell, "", is_cell=False), loop_trainable(loop)
    trainable = named_trainable(text, line.trainable.evaluate(shell.user_ns, "TRAINABLE"), shell.user_ns)
    return cell_source or cell_source_of(shell, trainable.cell.source, is_cell=False), trainable


def _value_of(trainable: Trainable, shell: Any) -> Any:
    """The object itself, where it is Ray's or has a name; else None."""
    return shell.user_ns.get(trainable.text) if trainable.value is None else trainable.value


def show_plan(plan: TunePlan, namespace: dict[str, Any], cell_source: CellSource) -> None:
    """Prints what would happen, and the plain script."""
    from .script import explain

    print(explain(plan, namespace, cell_source.code))


def carry_out(plan: TunePlan, namespace: dict[str, Any], cell_source: CellSource, view: RunView | None = None) -> Any:
    """Does what the plan says and binds the result; returns what the cell shows, or a Run."""
    from ...views.show import RunView
    from .card import search_card
    from .run import check, execute_plan

    check(plan)
    view = view or RunView(search_card, at_once=plan.background, quiet=plan.quiet, cell=cell_source.cell_id)
    return execute_plan(plan, namespace, cell_source, view)


def print_grid(grid: Any, printer: Any, cycle: bool) -> None:
    """A ResultGrid as the output of a cell: Ray's own text has six lines for each trial."""
    from .messages import describe_grid

    printer.text(describe_grid(grid))
