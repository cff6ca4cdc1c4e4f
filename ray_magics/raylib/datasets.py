"""What Ray Data knows of a dataset before anything is executed; tried on Ray 2.60.0.

Each function says what it does on a Ray that lacks the names it needs. `tests/pure/test_raylib_data.py` fails loudly
when Ray changes them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

PRIVATE = ("ray.data.dataset:Dataset._logical_plan",)


def quiet_copy(dataset: Any) -> Any:
    """The dataset with a context of its own that draws no bars, for actors whose lines nobody wants to read.

    Tried on Ray 2.60.0. Fallback: the dataset itself.
    """
    try:
        copied = type(dataset).copy(dataset, _deep_copy=True)
        copied.context.enable_progress_bars = copied.context.print_on_execution_start = False
    except (AttributeError, TypeError) as error:
        log.debug("a dataset cannot be copied: %r", error)
        return dataset
    return copied


@dataclass(frozen=True)
class DatasetDescription:
    """What is known of a dataset without executing anything.

    Attributes:
        columns: name and type of each; None while the schema is not known.
        rows, nbytes: None while not known.
        plan: depth and name of each logical operator, the last one first.
        is_materialized: whether its blocks are in the object store.
    """

    columns: tuple[tuple[str, str], ...] | None = None
    rows: int | None = None
    nbytes: int | None = None
    plan: tuple[tuple[int, str], ...] = ()
    is_materialized: bool = False


def describe_dataset(dataset: Any) -> DatasetDescription:
    """Executes nothing. Size and plan are private in Ray 2.60; on a Ray that lacks them they are not known."""
    schema = dataset.schema(fetch_if_missing=False)
    columns = None if schema is None else tuple(zip(map(str, schema.names), map(str, schema.types), strict=False))
    try:
        last = dataset._logical_plan.dag
        metadata = last.infer_metadata()
        rows, nbytes, plan = metadata.num_rows, metadata.size_bytes, tuple(_plan(last, 0))
    except (AttributeError, TypeError) as error:
        log.debug("size and plan of a dataset are not known: %r", error)
        rows, nbytes, plan = None, None, ()
    is_materialized = type(dataset).__name__ == "MaterializedDataset"
    return DatasetDescription(columns, rows, nbytes, plan, is_materialized)


def needs_tasks(dataset: Any) -> bool:
    """Whether its blocks have to be made yet; False where that is not known."""
    known = describe_dataset(dataset)
    return not known.is_materialized and any(not _holds_blocks(name) for _, name in known.plan)


def _holds_blocks(operator: str) -> bool:
    return operator.startswith(("From", "InputData"))


def _plan(operator: Any, depth: int) -> Iterator[tuple[int, str]]:
    yield depth, str(operator.name)
    for source in operator.input_dependencies:
        yield from _plan(source, depth + 1)
