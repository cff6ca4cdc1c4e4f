"""``ray_magics.data``: the Python API of ``%ray_data``."""

from __future__ import annotations

from typing import Any

from ...cell.source import CellSource
from ...errors import UsageError
from ...ship.datasets import is_dataset
from ...views.show import RunView
from .card import data_card
from .evaluate import execute_plan
from .expression import read_expression
from .options import RAY_OPTIONS, DataOptions
from .options import concurrency as parse_concurrency
from .plan import make_plan
from .transform import PARAMETERS, given_transform


def data(
    source: Any,
    transform: Any = None,
    *,
    op: str = "map_batches",
    key: str | None = None,
    concurrency: int | str | None = None,
    rows: int | None = None,
    materialize: bool = False,
    timeout: float | None = None,
    background: bool = False,
    quiet: bool = True,
    **options: Any,
) -> Any:
    """Transforms or consumes a dataset as ``%ray_data`` does; returns the value, or a Run in the background.

        scaled = ray_magics.data(ds, Scale, concurrency="1:4", fn_constructor_kwargs={"by": 10})
        count = ray_magics.data(lambda: scaled.count(), timeout=60)

    Args:
        source: a dataset, or a function without arguments that makes or consumes one.
        transform: the function or class that is applied to each batch, row or group.
        op: map_batches, map, filter, flat_map or map_groups.
        key: for map_groups, the column by which rows are grouped.
        concurrency: tasks or actors at a time: 2, or "1:4" for a class.
        rows: returns so many rows of the dataset as a list of dicts.
        materialize: executes the dataset and keeps its blocks in the object store.
        timeout: in seconds.
        options: those of Ray for the operation, by their names.

    Raises:
        TypeError: an option that there is not.
        UsageError: what the magic would refuse.
        RunTimeout: `timeout` is over.
    """
    for name in sorted({*options} - {*RAY_OPTIONS}):
        raise TypeError(f"data() has no option {name!r}; it takes those of %%ray_data")
    if op not in PARAMETERS:
        raise UsageError(f"op: {op!r} is not one of {', '.join(PARAMETERS)}")
    sizes = None if concurrency is None else parse_concurrency(str(concurrency), "concurrency")
    chosen = DataOptions(
        op=op, key=key, concurrency=sizes, ray=options, rows=rows, materialize=materialize, timeout=timeout,
        background=background, quiet=quiet,
    )  # fmt: skip
    text = "source()" if callable(source) and not is_dataset(source) else "source"
    plan = make_plan(chosen, read_expression(text), None if transform is None else given_transform(op, transform))
    name = getattr(source if transform is None else transform, "__name__", type(source).__name__)
    cell_source = CellSource(text, name=name[:60], filename="<data>")
    view = RunView(data_card, at_once=background, quiet=quiet)
    outcome = execute_plan(plan, {"source": source}, cell_source, view)
    return outcome.value if outcome.rows is None else outcome.rows
