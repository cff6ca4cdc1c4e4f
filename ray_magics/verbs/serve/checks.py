"""What is told before anything starts: another program's port, another application's route, no room."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Mapping
from typing import Any

from ... import connection
from ...errors import UsageError
from ...raylib import serve as private
from ...raylib.logs import hide_worker_lines
from ...raylib.serve import Built
from ...run.launch import be_ready
from . import application
from . import details as facts
from .application import make_built, requests
from .capacity import capacity_error, no_room, with_more
from .control import OWN_ACTORS, owner_of
from .plan import DEFAULT_NAME, DEFAULT_PORT, LOOPBACK, ServePlan, Subject

FREED_LATE = 3.0  # seconds that the cluster may take to count what was just freed


def check(plan: ServePlan, subject: Subject, namespace: dict[str, Any], cell: str = "") -> Built:
    """Connects and builds the application. Raises UsageError for what cannot work; nothing was touched then."""
    be_ready({})
    hide_worker_lines(OWN_ACTORS)
    built = make_built(subject, plan, namespace)
    application.check_size(built, namespace)
    for _, request, count in requests(built, one_each=True):
        be_ready(request if count else {})
    details = private.details()
    check_address(plan, details)
    check_names(plan, built, details, cell)
    check_room(plan, built, details)
    return built


def check_address(plan: ServePlan, details: Mapping[str, Any] | None) -> None:
    """Serve listens on one address for all applications; a port that another program has is told before."""
    if details is None:
        host, port = plan.host or LOOPBACK, plan.port or DEFAULT_PORT
        for one, option in ((port, "--port"), (plan.grpc_port, "--grpc-port")):
            if one is not None:
                check_free(host, one, option)
        return
    there = details.get("http_options") or {}
    grpc = details.get("grpc_options") or {}
    given = ((plan.host, there.get("host"), "--host"), (plan.port, there.get("port"), "--port"))
    asked = plan.grpc_port if grpc.get("grpc_servicer_functions") or plan.grpc_port is None else None
    for wanted, has, option in (*given, (asked, grpc.get("port"), "--grpc-port")):
        if wanted is not None and wanted != has:
            raise UsageError(_other_address(option, has, wanted))
    if plan.grpc_port is not None and not grpc.get("grpc_servicer_functions"):
        raise UsageError("Serve runs without gRPC here, and cannot learn it; %ray_serve --shutdown first, then again.")


def _other_address(option: str, has: Any, wanted: Any) -> str:
    return (
        f"{option}: Serve listens with {has} here, for all applications, not {wanted}; drop {option}, or end Serve "
        "with all its applications first: %ray_serve --shutdown."
    )


def check_free(host: str, port: int, option: str) -> None:
    """Raises UsageError where something listens there, or nothing may."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                words = f"Another program listens on {host}:{port}; choose another port: {option} {port % 65535 + 1}."
            else:
                words = f"Serve cannot listen on {host}:{port}: {error.strerror or error}; see --host and {option}."
            raise UsageError(words) from error


def check_names(plan: ServePlan, built: Built, details: Mapping[str, Any] | None, cell: str) -> None:
    """A name or route that belongs to something else."""
    owner = facts.by_route(details).get(plan.route_prefix or "")
    if owner and owner != plan.name:
        raise UsageError(
            f'The route {plan.route_prefix} belongs to the application "{owner}": choose another with --route-prefix, '
            f"or deploy over it with --name {owner}."
        )
    there = facts.replicas_of(details, plan.name)
    other = owner_of(plan.name, cell)
    if plan.name == DEFAULT_NAME and there and other != cell and built.ingress not in there:
        raise UsageError(
            f'Another cell serves {next(iter(there))} as the application "{plan.name}"; give this one a name of its '
            f"own, as in --name {built.ingress.lower()}, or end the other: %ray_serve --delete {plan.name}."
        )


def check_room(plan: ServePlan, built: Built, details: Mapping[str, Any] | None) -> None:
    """Replicas that find no room now would wait for ever without a word."""
    updating = any(facts.replicas_of(details, plan.name).values())
    if connection.can_grow():
        return
    wanted = requests(built, one_each=updating and not plan.replace)
    freed = facts.held_by(details, plan.name) if plan.replace else []
    end = time.monotonic() + FREED_LATE
    while name := no_room(wanted, nodes := with_more(connection.nodes(0.0), freed)):
        if time.monotonic() > end:
            raise UsageError(
                capacity_error(name, wanted, nodes, updating and not plan.replace, _holders(details, plan.name))
            )
        time.sleep(0.25)


def _holders(details: Mapping[str, Any] | None, name: str) -> list[str]:
    found = []
    for app, one in ((details or {}).get("applications") or {}).items():
        cpus = sum(
            (deployment.get("required_resources") or {}).get("CPU", 0) * len(deployment.get("replicas") or ())
            for deployment in one["deployments"].values()
        )
        if cpus and app != name:
            found.append(f"{app} (CPU {cpus:g})")
    return found[:5]
