"""``%%ray_remote`` and ``%ray_remote``: the magic layer."""

from __future__ import annotations

from argparse import Namespace as Line
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from ...cell.source import CellSource, cell_source_of
from ...line.api import record_of
from ...line.options import argument, group, magic, run_options
from ...line.parsers import expression, for_clause, name, names, number, pool_clause, positive_int, seconds, size
from ...run.interrupts import interrupts_wait
from .options import RemoteOptions, actor_options, ray_options

if TYPE_CHECKING:
    from .plan import RemotePlan

task_options = group(
    argument("--num-cpus", type=number, help="CPUs that the task reserves (Ray's default: 1)."),
    argument("--num-gpus", type=number, help="GPUs that the task reserves; 0.5 shares one."),
    argument("--memory", type=size, metavar="SIZE", help="Memory that the task reserves: 512MB, 2GiB."),
    argument("--resources", type=expression, metavar="EXPR", help="Custom resources: \"{'tpu': 1}\"."),
    argument("--accelerator-type", metavar="NAME", help="The kind of accelerator the node must have: A100."),
    argument("--label-selector", type=expression, metavar="EXPR", help="Labels of the node: \"{'zone': 'b'}\"."),
    argument("--max-retries", type=int, metavar="N", help="Times Ray runs the task again when its worker dies (3)."),
    argument("--retry-exceptions", type=expression, nargs="?", const=True, metavar="EXPR",
             help="Retry on exceptions, too: all, or a list of types."),
    argument("--max-calls", type=positive_int, metavar="N", help="Tasks after which a worker process is replaced."),
    argument("--scheduling-strategy", metavar="NAME|EXPR", help="DEFAULT, SPREAD, or an expression for a strategy."),
    argument("--runtime-env", type=expression, metavar="EXPR", help="Ray's runtime environment: \"{'env_vars': …}\"."),
)  # fmt: skip
actor_line_options = group(
    argument("--max-restarts", type=int, metavar="N", help="Times Ray restarts an actor that died (0; -1: always)."),
    argument("--max-task-retries", type=int, metavar="N", help="Times Ray repeats a method of an actor that died."),
    argument("--max-concurrency", type=positive_int, metavar="N", help="Methods that an actor runs at a time."),
    argument("--concurrency-groups", type=expression, metavar="EXPR", help="Methods at once, by group: \"{'io': 2}\"."),
    argument("--name", metavar="NAME", help="A name by which ray.get_actor finds the actor."),
    argument("--namespace", metavar="NAME", help="The namespace of that name."),
    argument("--lifetime", choices=("detached", "non_detached"), help="detached: the actor outlives this kernel."),
    argument("--get-if-exists", action="store_true", help="With --name: the actor that there is, or a new one."),
)  # fmt: skip


@magic("ray_remote", kind="line_cell", remainder="expression")
@task_options
@actor_line_options
@argument("--for", dest="items", type=for_clause, metavar='"x in xs"', help="Run the cell once per item, in order.")
@argument("--pool", type=pool_clause, metavar="CLASS", help="Run the items on actors that each hold one object of it.")
@argument("--pool-size", type=positive_int, metavar="N", help="How many actors; without it, as many as fit.")
@argument("--chunk", type=positive_int, metavar="N", help="Items per task; without it, as measured.")
@argument("--on-error", choices=("raise", "keep"), help="keep leaves the exception in its place and goes on.")
@argument("--into", type=name, metavar="NAME", help="Bind the value of the cell to NAME instead of showing it.")
@argument("--inputs", type=names, metavar="a,b", help="Of the notebook's values, only these are sent.")
@argument("--outputs", type=names, metavar="c,d", help="Of the names the cell assigns, only these come back.")
@argument("--lazy", action="store_true", help="Leave the results on the cluster, as object refs.")
@argument("--timeout", type=seconds, metavar="SECONDS", help="Stop the run after so many seconds.")
@argument("--run", action="store_true", help="Run the cell even if it only defines functions and classes.")
@argument("--only", type=names, metavar="a,b", help="Of a cell of definitions, only these become remote.")
@run_options
def ray_remote(line: Line, cell: str | None = None) -> Any:
    """Run this cell on the Ray cluster.

    The cell is one task: names it reads come from the notebook, names it assigns come back, its last expression
    is the output. A cell of nothing but imports, functions and classes makes each function a remote function and
    each class an actor class, as @ray.remote does, but for exceptions, enums, records and what others of the cell call.
    With --for the cell runs once per item.

        %%ray_remote --num-cpus 2
        model = train(X, y)
        model.score(X, y)

        %%ray_remote --for "seed in range(100)" --into scores
        cross_val_score(model(seed), X, y).mean()

        %%ray_remote --for "batch in batches" --pool "model=Predictor(weights)" --pool-size 2
        model.predict(batch)

        %%ray_remote
        def square(x):
            return x * x
        # then: ray.get(square.remote(3))

        %ray_remote sum(x * x for x in xs)
    """
    from .plan import make_plan

    shell: Any = get_ipython()
    with interrupts_wait():
        text = line.expression if cell is None else cell
        if not text.strip() and line.pool and line.items:
            text = f"{line.pool.name}({line.items.target})"  # an object that is called with the item
        cell_source = cell_source_of(shell, text, is_cell=cell is not None)
        options = _options(line, shell.user_ns)
        plan = make_plan(cell_source.read(), options, shell.user_ns)
        if line.dry_run:
            return show_plan(plan, shell.user_ns, cell_source)
        return carry_out(plan, shell.user_ns, cell_source)


def _options(line: Line, namespace: dict[str, Any]) -> RemoteOptions:
    """The record of a parsed line."""
    given = vars(line)
    return record_of(RemoteOptions, line, ray=ray_options(given, namespace), actor=actor_options(given, namespace))


def show_plan(plan: RemotePlan, namespace: dict[str, Any], cell_source: CellSource) -> None:
    """Prints what would happen, and the plain script."""
    from .script import explain

    print(explain(plan, namespace, cell_source.code))


def carry_out(plan: RemotePlan, namespace: dict[str, Any], cell_source: CellSource) -> Any:
    """Does what the plan says and binds what comes back; returns what the cell shows, or a Run."""
    from ...views.show import RunView
    from .plan import DEFINE
    from .run import check, execute_plan

    check(plan)
    if plan.form == DEFINE:
        return _define(plan, namespace, cell_source)
    view = RunView(at_once=plan.background, quiet=plan.quiet, cell=cell_source.cell_id)
    return execute_plan(plan, namespace, cell_source, view)


def _define(plan: RemotePlan, namespace: dict[str, Any], cell_source: CellSource) -> None:
    """Defines, and says what stays plain; errors and prints of what became remote are shown as those of a cell."""
    from .call_sites import note_definitions
    from .run import define, describe_definitions
    from .short_errors import shorten_errors_of

    definitions = define(plan, namespace, cell_source)
    shorten_errors_of(definitions.remote, cell_source.label)
    note_definitions(get_ipython(), definitions.remote, cell_source.code)
    words = describe_definitions(definitions)
    if words and not plan.quiet:
        print(words)
