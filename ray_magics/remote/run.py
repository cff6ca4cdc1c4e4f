"""Does what the plan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import connection
from ..core.capture import nbytes_of, reads_of
from ..core.errors import UsageError
from ..core.failures import refused_options
from ..core.launch import be_ready, launch
from ..core.parsers import format_size
from ..core.place import Place
from ..core.run import Viewer
from ..core.worker.values import Namespace
from .cell_run import CellRun
from .map_run import MapRun
from .plan import RemotePlan
from .task_run import TaskRun


def check(plan: RemotePlan) -> None:
    """Connects; raises UsageError for a request that this cluster can never satisfy."""
    be_ready(plan.request, plan.options.get("label_selector"))


def start(plan: RemotePlan, namespace: Namespace, place: Place, view: Viewer) -> TaskRun:
    """Starts a run; it is over when this returns, unless it is in the background."""
    kind = MapRun if plan.items else CellRun
    run = kind(plan, namespace, place, connection.nodes)
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
    shown = run.shown() if cell.expression and not (run.plan.into or cell.silent) else None
    run.let_go()
    return shown


def define(plan: RemotePlan, namespace: Namespace, place: Place) -> None:
    """Runs the definitions here, then makes each function a remote function and each class an actor class."""
    import ray

    exec(compile(place.source, place.filename, "exec"), namespace)
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
                f'{name} reads "{read}" ({format_size(nbytes)}), which would travel inside the function: '
                f"make it an argument, {name}.remote(ray.put({read}))."
            )
