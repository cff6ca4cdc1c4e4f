"""What is served: Serve itself, its applications, what a view and a page ask of them; `run` brings versions up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ... import connection
from ...errors import Label, UsageError, first_line
from ...raylib import serve as private
from ...raylib.logs import hide_worker_lines
from ...run.registry import registry
from . import details as facts
from .handle import Handle, Origin
from .plan import DEFAULT_PORT, LOOPBACK, ServePlan
from .status import ServeStatus
from .watch import CHECK, watch

VERB = "ray_serve"
OWN_ACTORS = ("ServeController", "ServeReplica", "ProxyActor")  # whose lines a view and %ray_logs show
_REFUSED = "HTTP requests are refused just now: Serve's proxy starts again. Handles work."
_LAST = "this is how it was last seen"
LEFT = 30.0  # seconds that an application under deletion gets

_owners: dict[tuple[Any, str], str] = {}  # (connection, application) -> the cell that deployed it
_versions: dict[tuple[Any, str], int] = {}  # (connection, application) -> how often this kernel deployed it


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
            return Handle(serve.get_app_handle(name), Origin(connection.session(), label))
    except serve.exceptions.RayServeException as error:
        raise UsageError(f'No application "{name}" is served here; {served()}.') from error


def reconfigure(name: str, options: Mapping[str, Any]) -> None:
    """Changes user_config, num_replicas and the like of the ingress of a running application, in place."""
    details = private.details()
    found = ((details or {}).get("applications") or {}).get(name)
    if found is None:
        raise UsageError(f'No application "{name}" is served here; {served()}.')
    if "ray_actor_options" in options:
        raise UsageError("--num-cpus and --num-gpus need new replicas: run the cell that made the application again.")
    ingress = private.ingress_of(found)
    kept = private.keep(name, list(found["deployments"]), ingress)
    try:
        private.deploy(private.reconfigured(kept, ingress, options))
    except ValueError as error:
        raise UsageError(f"Ray Serve refuses this: {first_line(error)}") from error


def stop_runs(names: Callable[[str], bool]) -> None:
    """Deployments of these applications that are under way in this kernel end before anything else happens to them."""
    going = [run for run in registry.live() if run.verb == VERB and names(run.name)]
    for run in going:
        run.stop()
    for run in going:
        run.over.wait(10.0)


def delete(name: str) -> str:
    """Ends an application; waits until its route is gone."""
    if not connection.join_existing():
        raise UsageError(f'No application "{name}" is served here; there is no cluster.')
    stop_runs(lambda one: one == name)
    if name not in served_names():
        raise UsageError(f'No application "{name}" is served here; {served()}.')
    private.delete(name)
    end = time.monotonic() + LEFT
    while facts.status_of(private.details(), name) and time.monotonic() < end:
        time.sleep(0.1)
    _owners.pop((connection.session(), name), None)
    if facts.status_of(private.details(), name):
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


def note_version(name: str, cell: str) -> None:
    """Remembers that a cell of this kernel has deployed an application."""
    key = connection.session(), name
    _owners[key], _versions[key] = cell, _versions.get(key, 0) + 1


def owner_of(name: str, otherwise: str) -> str:
    """The cell of this kernel that deployed an application."""
    return _owners.get((connection.session(), name), otherwise)


def version(name: str) -> int:
    """Tells one version of an application that this kernel deployed from the next."""
    return _versions.get((connection.session(), name), 0) if connection.is_up() else 0


def is_updating(name: str) -> bool:
    """Whether this kernel brings up another version of an application just now."""
    return connection.is_up() and name in watch().old


def served_names() -> list[str]:
    details = private.details() if connection.is_up() else None
    return [name for name in sorted((details or {}).get("applications") or ()) if not name.endswith(CHECK)]


def served() -> str:
    """``there are: digits, words``"""
    names = served_names()
    return f"there are: {', '.join(names)}" if names else "nothing is served"


def common(names: Any, note: str = "") -> dict[str, Any]:
    """What every status of served applications says: where Serve listens, how long it lives, the applications."""
    if not connection.is_up():
        return {"note": note}
    hide_worker_lines(OWN_ACTORS)
    seen = watch()
    apps = tuple(seen.applications(names))
    details = seen.details or {}
    lifetime = "kernel" if connection.owns_cluster() else "cluster"
    return {
        "note": note or (_REFUSED if seen.refused and any(app["url"] for app in apps) else ""),
        "http": facts.http_address(details),
        "grpc": facts.grpc_address(details),
        "lifetime": lifetime if details else "",
        "apps": apps,
    }


def snapshot(name: str = "") -> ServeStatus:
    """All that is served, or one application, as a view shows it; nothing is started."""
    return ServeStatus("", name, VERB, "", 0.0, unit="replica", **common(lambda one: name in ("", one)))


def command(action: str, part: str, content: Mapping[str, Any]) -> str:
    """Carries out what a view asks of an application; returns what is wrong with that, "" if nothing."""
    if action != "try":
        return "unknown command"
    if not connection.is_up() or facts.status_of(watch().details, part) == "":
        return "there is no such application"
    return watch().tester.ask(part, facts.http_address(watch().details or {}), content.get("request"))


def logs(name: str) -> str | None:
    """The log lines of an application's replicas; None where there is no application of that name."""
    return watch().text(name) if connection.is_up() and name in served_names() else None


def looks(served: str) -> tuple[Callable[[], Mapping[str, Any]], Callable[[], bool]]:
    """What a live view asks: a snapshot, and whether there will be others."""
    last: list[Mapping[str, Any]] = []
    first: list[int] = []

    def look() -> Mapping[str, Any]:
        if last and last[-1]["apps"] and not connection.is_up():
            return {**last[-1], "note": f"The connection to Ray has ended; {_LAST}."}
        first[:] = first or [version(served)]
        if last and version(served) != first[0]:
            return {**last[-1], "note": "Another cell serves a newer version since."}
        if last and is_updating(served):
            return last[-1]
        now = snapshot(served).to_json()
        if served and last and last[-1]["apps"] and all(app["status"] == "DELETING" for app in now["apps"]):
            return {**last[-1], "note": f'"{served}" is not served any more; {_LAST}.'}
        last[:] = [now]
        return now

    def going() -> bool:
        there = not served or not last or served in served_names()
        return connection.is_up() and there and (not first or version(served) == first[0])

    return look, going
