"""What is served: Serve itself, its applications, what a view and a page ask of them; `run` brings versions up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ... import connection
from ...errors import Label, UsageError, first_line
from ...raylib import serve as private
from ...raylib import serve_spec
from ...raylib.logs import hide_worker_lines
from ...run.registry import registry
from .details import ApplicationDetails
from .handle import Handle, Origin
from .measurements import elsewhere_note
from .plan import DEFAULT_PORT, LOOPBACK, ServePlan
from .served import ask_controller, served_names, served_sentence
from .status import ServeStatus
from .watch import current_watch

MAGIC = "ray_serve"  # under which runs and views of applications are listed
OWN_ACTORS = ("ServeController", "ServeReplica", "ProxyActor")  # whose lines a view and %ray_logs show
DELETE_TIMEOUT = 30.0  # seconds that an application under deletion gets
_PROXY_GONE = "HTTP requests are refused just now: Serve's proxy starts again. Handles work."


class Deployed:
    """What this kernel has deployed in one connection.

    Attributes:
        cells: application -> the cell that deployed it.
        versions: application -> how often it was deployed.
    """

    def __init__(self) -> None:
        self.cells: dict[str, str] = {}
        self.versions: dict[str, int] = {}


def _deployed() -> Deployed:
    return connection.session().part(Deployed)


def start_serve(plan: ServePlan) -> None:
    """Starts Serve on this cluster, on loopback unless the plan says otherwise."""
    from ray import serve

    hide_worker_lines(OWN_ACTORS)
    options: dict[str, Any] = {"http_options": {"host": plan.host or LOOPBACK, "port": plan.port or DEFAULT_PORT}}
    if plan.grpc_port is not None:
        options["grpc_options"] = {"port": plan.grpc_port, "grpc_servicer_functions": list(plan.grpc_functions)}
    with private.quiet():
        serve.start(**options)


def handle_of(name: str, label: Label = str) -> Handle:
    """A handle of a running application. Raises UsageError where there is none."""
    from ray import serve

    if private.client() is None:
        raise UsageError(f'No application "{name}" is served here; Serve does not run.')
    try:
        with private.quiet():
            return Handle(serve.get_app_handle(name), Origin(connection.session_id(), label))
    except serve.exceptions.RayServeException as error:
        raise _not_served(name) from error


def reconfigure(name: str, options: Mapping[str, Any]) -> None:
    """Changes user_config, num_replicas and the like of the ingress of a running application, in place."""
    app = ask_controller().applications.get(name)
    if app is None:
        raise _not_served(name)
    if "ray_actor_options" in options:
        raise UsageError("--num-cpus and --num-gpus need new replicas: run the cell that made the application again.")
    try:
        private.deploy(serve_spec.reconfigured(running_spec(app), app.ingress, options))
    except ValueError as error:
        raise UsageError(f"Ray Serve refuses this: {first_line(error)}") from error


def running_spec(app: ApplicationDetails) -> serve_spec.DeploySpec:
    """What to send Serve's controller to have an application as it is now."""
    return private.running_spec(app.name, list(app.deployments), app.ingress, app.external_scaler)


def stop_runs(is_meant: Callable[[str], bool]) -> None:
    """Deployments of these applications that are under way in this kernel end before anything else happens to them."""
    runs = [run for run in registry.live() if run.verb == MAGIC and is_meant(run.name)]
    for run in runs:
        run.stop(by="another %%ray_serve")
    for run in runs:
        run.over.wait(10.0)


def delete(name: str) -> str:
    """Ends an application; waits until its route is gone."""
    if not connection.join_existing():
        raise UsageError(f'No application "{name}" is served here; there is no cluster.')
    stop_runs(lambda other: other == name)
    if name not in served_names():
        raise _not_served(name)
    private.delete(name)
    end = time.monotonic() + DELETE_TIMEOUT
    while (is_there := name in ask_controller().applications) and time.monotonic() < end:
        time.sleep(0.1)
    _deployed().cells.pop(name, None)
    if is_there:
        return f'The application "{name}" is being deleted; its replicas still end.'
    return f'Deleted the application "{name}".'


def shutdown() -> str:
    """Ends Serve on this cluster with all its applications; starts nothing."""
    if connection.is_up():
        stop_runs(lambda _: True)
    names = served_names()
    if not connection.is_up() or private.client() is None:
        return "Serve does not run here; nothing to shut down."
    from ray import serve

    with private.quiet():
        serve.shutdown()
    ended = f" Its applications ended: {', '.join(names)}." if names else ""
    return f"Serve is shut down.{ended}"


def note_version(name: str, cell_id: str) -> None:
    """Remembers that a cell of this kernel has deployed an application."""
    deployed = _deployed()
    deployed.cells[name], deployed.versions[name] = cell_id, deployed.versions.get(name, 0) + 1


def owner_cell(name: str, default: str) -> str:
    """The cell of this kernel that deployed an application."""
    return _deployed().cells.get(name, default)


def version(name: str) -> int:
    """Tells one version of an application that this kernel deployed from the next."""
    return _deployed().versions.get(name, 0)


def is_updating(name: str) -> bool:
    """Whether this kernel brings up another version of an application just now."""
    return connection.is_up() and name in current_watch().old_replicas


def _not_served(name: str) -> UsageError:
    return UsageError(f'No application "{name}" is served here; {served_sentence()}.')


def served_fields(is_wanted: Callable[[str], bool], note: str = "") -> dict[str, Any]:
    """What every ServeStatus says beside its run: where Serve listens, how long it lives, the applications."""
    if not connection.is_up():
        return {"note": note}
    hide_worker_lines(OWN_ACTORS)
    watch = current_watch()
    apps = watch.applications(is_wanted)
    lifetime = "kernel" if connection.owns_cluster() else "cluster"
    proxy_gone = _PROXY_GONE if watch.refused and any(app.url for app in apps) else ""
    return {
        "note": note or proxy_gone or elsewhere_note(apps, own_node_ip()),
        "http": watch.details.http_address,
        "grpc": watch.details.grpc_address,
        "lifetime": lifetime if watch.details.is_up else "",
        "apps": apps,
    }


def own_node_ip() -> str:
    """The address of this kernel's machine, as Ray names its nodes."""
    import ray

    return str(ray.util.get_node_ip_address())


def snapshot(name: str = "") -> ServeStatus:
    """All that is served, or one application, as a view shows it; nothing is started."""
    return ServeStatus("", name, MAGIC, "", 0.0, unit="replica", **served_fields(lambda app: name in ("", app)))


def command(action: str, part: str, content: Mapping[str, Any]) -> str:
    """Carries out what a view asks of an application; returns what is wrong with that, "" if nothing."""
    if action != "try":
        return "unknown command"
    if not connection.is_up() or part not in (details := current_watch().details).applications:
        return "there is no such application"
    return current_watch().tester.send(part, details.http_address, content.get("request"))


def logs(name: str) -> str | None:
    """The log lines of an application's replicas; None where there is no application of that name."""
    return current_watch().text(name) if connection.is_up() and name in served_names() else None
