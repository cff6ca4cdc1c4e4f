"""``%%ray_tune`` and ``%ray_tune``: the edge."""

from __future__ import annotations

from argparse import Namespace as Line
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from ...cell.source import CellSource, cell_source_of
from ...errors import UsageError
from ...line.options import argument, group, magic, run_options
from ...line.parsers import expression, integer, name, number, parser, positive_int, seconds
from ...run.interrupts import interrupts_wait
from .algorithms import scheduler_name, search_name
from .space import Assignment, space_assignment, stop_assignment

if TYPE_CHECKING:
    from .plan import Trainable, TunePlan


@parser("a number of samples", "10", metavar="N")
def samples(text: str) -> int:
    """1, 2, 3 …, or -1 for as many as the time budget allows."""
    count = int(text)
    if count < 1 and count != -1:
        raise ValueError(text)
    return count


search_options = group(
    argument("--space", type=space_assignment, action="extend", nargs="+", metavar='"NAME=…"',
             help='The search space in words, as often as needed: "lr=loguniform(1e-4, 1e-1)", "model.depth=randint(1, '
                  '5)", "opt=choice([\'adam\', \'sgd\'])", "epochs=10"; or an expression for a dict.'),
    argument("--metric", metavar="NAME", help="The reported number to compare trials by."),
    argument("--mode", choices=("min", "max"), help="Whether less or more of the metric is better."),
    argument("--num-samples", type=samples, help="Configurations to draw (1); -1: until the time budget is over."),
    argument("--max-concurrent-trials", type=positive_int, metavar="N", help="Trials at a time; else what fits."),
    argument("--reuse-actors", action="store_true",
             help="One worker process runs many trials, one after the other: imports and start-up are paid once."),
    argument("--scheduler", type=scheduler_name,
             help="What ends or changes trials early: fifo, asha, hyperband, median, pbt, pb2, bohb, with parameters "
                  "as in asha(max_t=20), or an object."),
    argument("--search", type=search_name,
             help="What draws configurations: random, grid, optuna, hyperopt, bayesopt, nevergrad, bohb, ax, hebo, "
                  "zoopt, with parameters as in optuna(seed=1), or an object."),
    argument("--seed", type=integer, metavar="N", help="The same seed draws the same configurations."),
    argument("--stop", type=stop_assignment, action="extend", nargs="+", metavar='"NAME=N"',
             help='End a trial there: "training_iteration=10", "accuracy=0.99"; or an expression.'),
    argument("--time-budget-s", type=seconds, metavar="SECONDS", help="End the whole search after so long."),
    argument("--num-cpus", type=number, help="CPUs that a trial reserves (1)."),
    argument("--num-gpus", type=number, help="GPUs that a trial reserves; 0.5 shares one."),
    argument("--storage-path", metavar="PATH", help="Where results and checkpoints go (~/ray_results)."),
    argument("--name", metavar="NAME", help="The experiment's folder there; without it, trainable and time."),
)  # fmt: skip


@magic("ray_tune", kind="line_cell")
@argument("trainable", nargs="?", type=expression, metavar="TRAINABLE", help="A function of config, a Trainable class.")
@search_options
@argument("--resume", action="store_true", help="Go on with the experiment of --name, else with the last of this kind.")
@argument("--form", action="store_true", help="Show the search as controls; what is set there is shown as a line.")
@argument("--show", action="store_true", help="Show the table of the last search, or of run RUN, to sort and filter.")
@argument("--into", type=name, metavar="NAME", help="Bind the ResultGrid to NAME instead of showing it.")
@run_options
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

        %ray_tune train --form          # controls for all of it
        %ray_tune train --resume        # after an interrupt or a kernel restart
        %ray_tune --show                # the live table of the last search again
    """
    shell: Any = get_ipython()
    with interrupts_wait():
        if line.show:
            return _show_again(line.trainable.text if line.trainable else "", shell)
        if _wants_form(line, cell):
            return _show_form(line, cell, shell)
        cell_source, plan = _decide(line, cell, shell)
        if line.dry_run:
            return show_plan(plan, shell.user_ns, cell_source)
        return carry_out(plan, shell.user_ns, cell_source)


def _show_again(wanted: str, shell: Any) -> None:
    """The view of a search that this kernel knows, live also after its end."""
    from ...kernel import cell_id, kernel_of
    from ...run.registry import registry
    from ...views.show import LiveFeed, new_view

    searches = [run for run in registry.runs() if run.verb == "ray_tune" and wanted in ("", run.id)]
    if not searches:
        raise UsageError(f"--show: no search {wanted}".rstrip() + " in this kernel; %ray_runs lists what there is.")
    run = searches[-1]
    if run.live:
        LiveFeed(lambda: run.status().to_json(), lambda: run.live, cell_id(shell), 0.5)
    else:
        snapshot = run.status().to_json()
        view = new_view(cell_id(shell), snapshot)
        if kernel_of(shell) is None:
            view.finish(snapshot)


def _wants_form(line: Line, cell: str | None) -> bool:
    """``--form``, or ``%ray_tune TRAINABLE`` and nothing else."""
    said = [name for name, value in vars(line).items() if value is not None and value is not False]
    return line.form or (cell is None and said == ["trainable"])


def _show_form(line: Line, cell: str | None, shell: Any) -> None:
    """Shows controls; what they start is made from the line that they show."""
    from ...kernel import kernel_of
    from .form.guess import guessed_rows
    from .form.line import from_line, in_words

    cell_source, trainable = _subject(line, cell, shell)
    value = shell.user_ns.get(trainable.text) if trainable.value is None else trainable.value
    state = guessed_rows(from_line(line, cell), value)
    if kernel_of(shell) is None or find_spec("anywidget") is None:
        return print(in_words(state))
    from .form.panel import show_form

    def start(words: str, view: Any) -> Any:
        again = ray_tune.parse(words, cell is not None) or line
        if again.dry_run:
            raise UsageError("--dry-run starts nothing: insert the line as a cell and run it to see the plan.")
        again.background = True
        plan = plan_of(again, _subject(again, cell, shell, cell_source)[1], shell.user_ns)
        return carry_out(plan, shell.user_ns, cell_source, view)

    return show_form(state, shell.user_ns, start, cell_source.cell_id)


def _decide(line: Line, cell: str | None, shell: Any) -> tuple[CellSource, TunePlan]:
    """Reads cell and line in the notebook's namespace."""
    cell_source, trainable = _subject(line, cell, shell)
    return cell_source, plan_of(line, trainable, shell.user_ns)


def _subject(
    line: Line, cell: str | None, shell: Any, cell_source: CellSource | None = None
) -> tuple[CellSource, Trainable]:
    """What a trial runs, and where that stands."""
    from .plan import cell_trainable, named_trainable

    if cell is None and line.trainable is None:
        raise UsageError("%ray_tune needs something to run: %ray_tune TRAINABLE, or a cell below %%ray_tune.")
    if cell is not None and line.trainable is not None:
        raise UsageError(f'%%ray_tune takes no "{line.trainable.text}": the cell is what a trial runs.')
    if cell is not None:
        cell_source = cell_source or cell_source_of(shell, cell, is_cell=True)
        return cell_source, cell_trainable(cell_source.read(), shell.user_ns, cell_source.cell_id)
    text = line.trainable.text
    trainable = named_trainable(text, line.trainable.evaluate(shell.user_ns, "TRAINABLE"), shell.user_ns)
    return cell_source or cell_source_of(shell, trainable.cell.source, is_cell=False), trainable


def plan_of(line: Any, trainable: Any, namespace: dict[str, Any]) -> TunePlan:
    """The plan of a line, its expressions evaluated in the notebook."""
    from ...cell.reader import read_cell
    from ...ship.captures import Captures, find_captures
    from .algorithms import FIFO, RANDOM, choose
    from .plan import make_plan
    from .space import make_space

    words = line.space or ()
    scheduler = choose(line.scheduler, FIFO, "--scheduler", namespace, _rays(line.scheduler, "ray.tune.schedulers"))
    search = choose(line.search, RANDOM, "--search", namespace, _rays(line.search, "ray.tune.search"))
    read = "\n".join(word.text for word in words)
    feed = find_captures(read_cell(read), namespace) if read else Captures()
    space = make_space(words, namespace)
    return make_plan(line, trainable, space, scheduler, search, _stop(line.stop or (), namespace), feed)


def _rays(named: Any, module: str) -> dict[str, Any]:
    """Ray's own classes, for an expression that makes one of them; Ray is imported only then."""
    if named is None or named.name:
        return {}
    from importlib import import_module

    return vars(import_module(module))


def _stop(words: tuple[Assignment, ...], namespace: dict[str, Any]) -> Any:
    """``training_iteration=10`` … as a dict; one expression without a key as its value."""
    if not words:
        return None
    values = {word.key: expression(word.text).evaluate(namespace, "--stop") for word in words}
    if "" not in values:
        return values
    if len(values) > 1:
        raise UsageError('--stop takes conditions, as in "training_iteration=10", or one expression, not both.')
    return values[""]


def show_plan(plan: TunePlan, namespace: dict[str, Any], cell_source: CellSource) -> None:
    """Prints what would happen, and the plain script."""
    from .script import explain

    print(explain(plan, namespace, cell_source.code))


def carry_out(plan: TunePlan, namespace: dict[str, Any], cell_source: CellSource, view: Any = None) -> Any:
    """Does what the plan says and binds the result; returns what the cell shows, or a Run."""
    from ...views.show import RunView
    from . import run as doing

    doing.check(plan)
    view = view or RunView(at_once=plan.background, quiet=plan.quiet, cell=cell_source.cell_id)
    run = doing.start(plan, namespace, cell_source, view)
    return run if plan.background else doing.finish(run)


def print_grid(grid: Any, printer: Any, cycle: bool) -> None:
    """A ResultGrid as the output of a cell: Ray's own text has six lines for each trial."""
    from .messages import grid_words

    printer.text(grid_words(grid))
