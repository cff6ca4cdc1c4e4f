"""The spec of the tasks of a run."""

from __future__ import annotations

from typing import Any

from ..cell.reader import Cell
from ..cell.source import CellSource
from ..line.settings import settings
from ..ship.environment import notebook_environment
from ..ship.payload import Payload
from ..worker.records import TaskSpec
from .channel import output_channel


def task_spec(run: str, cell: Cell, cell_source: CellSource, payload: Payload, **more: Any) -> TaskSpec:
    """What workers get to know of the code of a run; `more` are further fields of the spec."""
    return TaskSpec(
        run=run,
        source=cell_source.code,
        filename=cell_source.filename,
        is_async=cell.is_async,
        uses_ipython=cell.uses_ipython,
        updates=cell.updates,
        resolved=payload.resolved,
        output_queue=output_channel().address,
        log_lines=settings().log_lines,
        share_above=settings().share_above,
        **notebook_environment(),
        **more,
    )
