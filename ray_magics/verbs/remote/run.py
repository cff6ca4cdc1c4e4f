"""Does what the plan says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...cell.source import CellSource
from ...errors import UsageError
from ...run.failures import refused_options
from ...run.launch import be_ready, execute_run
from ...run.run import Viewer
from ...ship.captures import reads_of
from ...ship.inspection import nbytes_of
from ...units import size_text
from ...worker.values import Namespace
from .cell_run import CellRun
from .definitions import Definitions
from .map_run import MapRun
from .plan import RemotePlan
from .pool_run import PoolRun


def check(plan: RemotePlan) -> None:
    """Connects; raises UsageError for a request that this cluster can never satisfy."""
    be_ready(plan.request, plan.options.get("label_selector"))


def execute_plan(plan: RemotePlan, namespace: Namespace, cell_source: CellSource, view: Viewer) -> Any:
    """Runs a plan; returns what the cell shows, or in the background the Run."""
    kind = PoolRun if plan.pool else MapRun if plan.items else CellRun
    return execute_run(kind(plan, namespace, cell_source), view, plan.background)


def define(plan: RemotePlan, namespace: Namespace, cell_source: CellSource) -> Definitions:
    """Runs the definitions here, then makes what the plan says remote; all of it, or the notebook is as it was."""
    before = dict(namespace)
    try:
        exec(compile(cell_source.code, cell_source.filename, "exec"), namespace)
        definitions = plan.definitions if plan.chosen else plan.definitions.as_made(namespace)
        namespace.update(_remote_ones(plan, definitions.remote, namespace))
    except BaseException:
        for name in namespace.keys() - before.keys():
            del namespace[name]
        namespace.update(before)
        raise
    return definitions


def describe_definitions(definitions: Definitions) -> str:
    """A sentence where something stays plain, else ""."""
    remote, plain = (", ".join(names) for names in (definitions.remote, definitions.plain))
    if not plain:
        return ""
    stays = f"{plain} stay{'s' if len(definitions.plain) == 1 else ''} as defined"
    return f"{remote} became remote; {stays}." if remote else f"{stays}; --only NAME makes one remote."


def _remote_ones(plan: RemotePlan, names: Iterable[str], namespace: Namespace) -> dict[str, Any]:
    import ray

    made: dict[str, Any] = {}
    for name in names:
        is_class = name in plan.cell.classes
        if not is_class:
            _check_globals(name, namespace)
        made[name] = _remote(ray, namespace[name], plan.actor_options if is_class else plan.options)
    return made


def _remote(ray: Any, value: Any, options: Mapping[str, Any]) -> Any:
    if not callable(value) or hasattr(value, "remote"):
        return value  # decorated as remote already
    try:
        return ray.remote(**options)(value) if options else ray.remote(value)
    except (ValueError, TypeError) as error:
        raise refused_options(error) from error


def _check_globals(name: str, namespace: Namespace) -> None:
    """Ray refuses a function that drags more than 95 MiB along, without saying which variable it is."""
    for read in reads_of(namespace[name], namespace):
        nbytes = nbytes_of(namespace.get(read))
        if nbytes is not None and nbytes > 95 * 2**20:
            raise UsageError(
                f'{name} reads "{read}" ({size_text(nbytes)}), which would be sent inside the function: '
                f"make it an argument, {name}.remote(ray.put({read}))."
            )
