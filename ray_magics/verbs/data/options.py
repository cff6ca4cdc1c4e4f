"""The options of ``%ray_data``, as the magic and the Python function share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...line.parsers import parser

RAY_OPTIONS = (
    *("batch_size", "batch_format", "zero_copy_batch", "fn_args", "fn_kwargs", "fn_constructor_args"),
    *("fn_constructor_kwargs", "num_cpus", "num_gpus", "memory", "resources", "accelerator_type", "runtime_env"),
    "compute",
)
"""What Ray takes for an operation, under Ray's names."""


@dataclass(frozen=True)
class Concurrency:
    """``--concurrency 2`` or ``1:4``: so many tasks or actors at a time.

    Attributes:
        least, most: the same for a fixed number.
    """

    least: int
    most: int

    def compute(self, on_actors: bool) -> tuple[str, dict[str, int]]:
        """The name of Ray's strategy, and its arguments."""
        if not on_actors:
            return "TaskPoolStrategy", {"size": self.most}
        if self.least == self.most:
            return "ActorPoolStrategy", {"size": self.most}
        return "ActorPoolStrategy", {"min_size": self.least, "max_size": self.most}


@parser("a number of tasks or actors", "2", "1:4", metavar="N|MIN:MAX")
def concurrency(text: str) -> Concurrency:
    """2, or from 1 to 4."""
    least, _, most = text.partition(":")
    sizes = Concurrency(int(least), int(most or least))
    if not 1 <= sizes.least <= sizes.most:
        raise ValueError(text)
    return sizes


WHOLE = "whole"


@parser("a number of rows, or whole for a whole block", "256", "whole", metavar="N")
def batch_size(text: str) -> int | str:
    """1, 2, 3 …, or `WHOLE`, which Ray calls None."""
    if text == WHOLE:
        return text
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


@dataclass(frozen=True)
class DataOptions:
    """What the line, or a program, asks for.

    Attributes:
        op: the operation that the cell is; see `transform.PARAMETERS`.
        key: the column, or the columns, by which rows are grouped.
        concurrency: tasks or actors at a time; None as Ray decides.
        ray: the options of `RAY_OPTIONS` that are given.
        ray_code: of those that are expressions on the line, their code.
        rows: rows of the value to show; None for none.
        materialize: execute the dataset and keep its blocks in the object store.
        stats: print what took the time.
        into: the name for the value.
        timeout: in seconds.
    """

    op: str = "map_batches"
    key: str | None = None
    concurrency: Concurrency | None = None
    ray: Mapping[str, Any] = field(default_factory=dict)
    ray_code: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    materialize: bool = False
    stats: bool = False
    into: str | None = None
    timeout: float | None = None
    background: bool = False
    quiet: bool = False
