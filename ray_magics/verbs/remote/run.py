"""Does what the plan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import connection
from ...cell.source import CellSource
from ...errors import UsageError
from ...run.failures import refused_options
from ...run.launch import be_ready, launch
from ...run.run import Viewer
from ...ship.captures import reads_of
from ...ship.inspection import nbytes_of
from ...units import size_text
from ...worker.values import Namespace
from .cell_run import CellRun
from .map_run import MapRun
from .plan import RemotePlan
from .task_run import TaskRun


def check(plan: RemotePlan) -> None:
    """Connects; raises UsageError for a request that this cluster can never satisfy."""
    be_ready(plan.request, plan.options.get("label_selector"))


def start(plan: RemotePlan, namespace: Namespace, cell_source: CellSource, view: Viewer) -> TaskRun:
    """Starts a run; it is over when this returns, unless it is in the background."""
    kind = MapRun if plan.items else CellRun
    run = kind(plan, namespace, cell_source, connection.nodes)
    launch(run, view, plan.background)
    return run


def finish(run: TaskRun) -> Any:
    """Binds what came back and returns what the cell shows; raises what the run raised."""
    if run.error is not None:
        raise run.error
    run.bind()
    if run.note and not run.plan.quiet:
        print(run.note)
    cell = run.plan.cell
    displayed = run.displayed_value() if cell.expression and not (run.plan.into or cell.silent) else None
    run.drop_result()
    return displayed


def define(plan: RemotePlan, namespace: Namespace, cell_source: CellSource) -> None:
    """Runs the definitions here, then makes each function a remote function and each class an actor class."""
    import ray

    exec(compile(cell_source.code, cell_source.filename, "exec"), namespace)
    for name in plan.cell.functions:
        _check_globals(name, namespace)
        namespace[name] = _remote(ray, namespace[name], plan.options)
    for name in plan.cell.classes:
        namespace[name] = _remote(ray, namespace[name], plan.actor_options)


def _remote(ray: Any, value: Any, options: Mapping[str, Any]) -> Any:
    if not callable(value) or hasattr(value, "remote"):
        return value  # decorated as remote already
    try:
        return ray.remote(**options)(value) if options else ray.remote(value)
    except ValueError as error:
        raise refused_options(error) from error


def _check_globals(name: str, namespace: Namespace) -> None:
    """Ray refuses a function that drags more than 95 MiB along, without saying which variable it is."""
    for read in reads_of(namespace[name], namespace):
        nbytes = nbytes_of(namespace.get(read))
        if nbytes is not None and nbytes > 95 * 2**20:
            raise UsageError(
                f'{name} reads "{read}" ({size_text(nbytes)}), which would travel inside the function: '
                f"make it an argument, {name}.remote(ray.put({read}))."
            )
