"""``%ray_data``: reads the line, evaluates it, shows and stops what it executes, binds the result."""

from __future__ import annotations

from argparse import Namespace as Line
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from ...cell.source import CellSource, cell_source_of
from ...errors import UsageError
from ...line.api import record_of
from ...line.options import argument, group, magic, option_of, run_options
from ...line.parsers import Expression, expression, name, number, positive_int, seconds, size
from ...line.settings import settings
from ...run.interrupts import interrupts_wait
from .options import RAY_OPTIONS, WHOLE, DataOptions, batch_size, concurrency
from .transform import PARAMETERS

if TYPE_CHECKING:
    from .plan import DataPlan


transform_options = group(
    argument("--op", choices=tuple(PARAMETERS), help="What the cell is: map_batches, unless given."),
    argument("--key", metavar="COLUMN", help="For map_groups: the column, or columns a,b, by which rows are grouped."),
    argument("--batch-size", type=batch_size, help="Rows of a batch; whole for a whole block."),
    argument("--batch-format", choices=("default", "numpy", "pandas", "pyarrow"), help="What a batch or group is."),
    argument("--zero-copy-batch", action="store_true", help="Batches are read-only views, which saves a copy."),
    argument("--concurrency", type=concurrency, help="Tasks or actors at a time: 2; of a class also 1:4."),
    argument("--compute", type=expression, metavar="EXPR", help="Or a strategy: ActorPoolStrategy(size=2)."),
    argument("--num-cpus", type=number, help="CPUs of each task or actor (1)."),
    argument("--num-gpus", type=number, help="GPUs of each; 0.25 lets four share one."),
    argument("--memory", type=size, metavar="SIZE", help="Memory that each reserves: 512MB, 2GiB."),
    argument("--resources", type=expression, metavar="EXPR", help="Custom resources: \"{'tpu': 1}\"."),
    argument("--accelerator-type", metavar="NAME", help="The kind of accelerator the node must have: A100."),
    argument("--runtime-env", type=expression, metavar="EXPR", help="Ray's runtime environment."),
    argument("--fn-args", type=expression, metavar="EXPR", help="Further arguments of the function: a list."),
    argument("--fn-kwargs", type=expression, metavar="EXPR", help="Further arguments by name: a dict."),
    argument("--fn-constructor-args", type=expression, metavar="EXPR", help="Arguments of the class: a list."),
    argument("--fn-constructor-kwargs", type=expression, metavar="EXPR", help="The same by name: a dict."),
)


@magic("ray_data", kind="line_cell", remainder="expression")
@argument("input", nargs="?", type=expression, metavar="INPUT", help="Of a cell: the dataset it transforms.")
@transform_options
@argument("--rows", type=positive_int, metavar="N", help="Execute as much as N rows need, and show them.")
@argument("--materialize", action="store_true", help="Execute the dataset and keep its blocks in the object store.")
@argument("--stats", action="store_true", help="Execute the dataset and print what took the time.")
@argument("--into", type=name, metavar="NAME", help="Bind the value to NAME.")
@argument("--timeout", type=seconds, metavar="SECONDS", help="Stop what it executes after so many seconds.")
@argument("--watch", choices=("on", "off"), help="Whether cells without a magic show what datasets execute, too (on).")
@run_options
def ray_data(line: Line, cell: str | None = None) -> Any:
    """Load, transform and consume datasets with Ray Data.

    On a line: an expression with everything of ray.data in scope, beside the names of the notebook; also col, lit and
    the aggregates. A dataset shows its schema, size and plan and executes nothing. What consumes one, as count,
    to_pandas and write_parquet do, shows each operator live and can be stopped; also in cells without a magic.
    A cell is a transform of INPUT: statements about batch (row, group), whose last expression, or what batch has
    become, is the result; or one function; or one class with __call__, of which each actor makes one object.

        %ray_data ds = read_parquet("trips/*.parquet").filter(expr="fare > 2")
        %ray_data --rows 5 ds
        %ray_data train, valid = ds.train_test_split(test_size=0.3)
        %ray_data --background --into done ds.write_parquet("cleaned")

        %%ray_data ds --into scaled --batch-size 256
        batch["fare"] = batch["fare"] / top

        %%ray_data images --into labelled --concurrency 1:4 --num-gpus 0.5
        class Classifier:
            def __init__(self):
                self.model = load("model.pt")
            def __call__(self, batch):
                return {"path": batch["path"], "label": self.model(batch["image"])}

        %ray_data --watch off
    """
    shell: Any = get_ipython()
    with interrupts_wait():
        if line.watch is not None:
            settings().watch_datasets = line.watch == "on"
            if cell is None and not line.expression.strip():
                return None
        cell_source = cell_source_of(shell, line.expression if cell is None else cell, is_cell=cell is not None)
        plan = _make_plan(line, cell_source, shell.user_ns, is_cell=cell is not None)
        if line.dry_run:
            return show_plan(plan, shell.user_ns, cell_source)
        return carry_out(plan, shell.user_ns, cell_source)


def _make_plan(line: Line, cell_source: CellSource, namespace: dict[str, Any], is_cell: bool) -> DataPlan:
    from .expression import ray_data_scope, read_expression
    from .plan import make_plan
    from .transform import read_transform

    given = {key: value for key in RAY_OPTIONS if (value := getattr(line, key)) is not None and value is not False}
    if given.get("batch_size") == WHOLE:
        given["batch_size"] = None
    code = {key: value.text for key, value in given.items() if isinstance(value, Expression)}
    if isinstance(given.get("compute"), Expression):
        namespace_of_ray = {**ray_data_scope(), **namespace}
        given["compute"] = given["compute"].evaluate(namespace_of_ray, "--compute")
    ray = {
        key: value.evaluate(namespace, option_of(key)) if isinstance(value, Expression) else value
        for key, value in given.items()
    }
    options = record_of(DataOptions, line, ray=ray, ray_code=code, op=line.op or "map_batches")
    if not is_cell:
        return make_plan(options, read_expression(line.expression))
    if line.input is None:
        raise UsageError("%%ray_data needs the dataset that the cell transforms: %%ray_data ds --into scaled")
    transform = read_transform(cell_source, options.op, namespace)
    return make_plan(options, read_expression(line.input.text), transform)


def show_plan(plan: DataPlan, namespace: dict[str, Any], cell_source: CellSource) -> None:
    """Prints what would happen, and the plain script."""
    from .script import explain

    print(explain(plan, namespace, cell_source.code))


def carry_out(plan: DataPlan, namespace: dict[str, Any], cell_source: CellSource) -> Any:
    """Does what the plan says; returns what the cell shows, or a Run.

    A value that has got a name is no output; a dataset with a name shows its card all the same.
    """
    from IPython.display import display

    from ...kernel import kernel_of
    from ...ship.datasets import is_dataset
    from ...views.show import RunView
    from .card import data_card
    from .dataset_view import dataset_bundle
    from .evaluate import execute_plan, remember_origin
    from .preview import show_rows_with

    has_rays_bars = kernel_of(get_ipython()) is None  # in a terminal Ray draws its own
    view = RunView(data_card, at_once=plan.background, quiet=plan.quiet or has_rays_bars, cell=cell_source.cell_id)
    outcome = execute_plan(plan, namespace, cell_source, view)
    if not plan.background:
        remember_origin(plan, outcome.value, namespace, cell_source.code)
    if plan.background or not plan.targets:
        show_rows_with(outcome.value, outcome.rows)
        return outcome.value
    if is_dataset(outcome.value) and not plan.quiet:
        display(dataset_bundle(outcome.value, ", ".join(plan.targets), outcome.rows, cell_source), raw=True)
    return None
