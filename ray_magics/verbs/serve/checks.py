"""What is refused before anything starts: another program's port, another application's route, too little capacity."""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

from ... import connection
from ...errors import UsageError
from ...raylib.logs import hide_worker_lines
from ...raylib.serve_spec import BuiltApplication
from ...run.launch import be_ready
from .application import build_application, check_size, replica_requests
from .capacity import capacity_error, find_unplaceable, with_freed
from .control import OWN_ACTORS, owner_cell
from .details import InstanceDetails
from .plan import DEFAULT_NAME, DEFAULT_PORT, LOOPBACK, ServePlan, Subject
from .served import ask_controller

FREED_TIMEOUT = 3.0  # seconds that the cluster may take to count what was just freed


def check(plan: ServePlan, subject: Subject, namespace: dict[str, Any], cell_id: str = "") -> BuiltApplication:
    """Connects and builds the application. Raises UsageError for what cannot work; nothing was touched then."""
    be_ready({})
    hide_worker_lines(OWN_ACTORS)
    built = build_application(subject, plan, namespace)
    check_size(built, namespace)
    for request in replica_requests(built, one_each=True):
        be_ready(request.resources if request.replicas else {})
    details = ask_controller()
    check_address(plan, details)
    check_names(plan, built, details, cell_id)
    check_capacity(plan, built, details)
    return built


def check_address(plan: ServePlan, details: InstanceDetails) -> None:
    """Serve listens on one address for all applications; a port that another program has is refused before."""
    if not details.is_up:
        check_free(plan.host or LOOPBACK, plan.port or DEFAULT_PORT, "--port")
        if plan.grpc_port is not None:
            check_free(plan.host or LOOPBACK, plan.grpc_port, "--grpc-port")
        return
    for option, wanted, present in (
        ("--host", plan.host, details.http_host),
        ("--port", plan.port, details.http_port),
        ("--grpc-port", plan.grpc_port if details.grpc_functions else None, details.grpc_port),
    ):
        if wanted is not None and wanted != present:
            raise UsageError(
                f"{option}: Serve listens with {present} here, for all applications, not {wanted}; drop {option}, or "
                "end Serve with all its applications first: %ray_serve --shutdown."
            )
    if plan.grpc_port is not None and not details.grpc_functions:
        raise UsageError("Serve runs without gRPC here, and cannot learn it; %ray_serve --shutdown first, then again.")


def check_free(host: str, port: int, option: str) -> None:
    """Raises UsageError where something listens there, or nothing may."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"Another program listens on {host}:{port}; choose another port: {option} {port % 65535 + 1}."
            else:
                message = f"Serve cannot listen on {host}:{port}: {error.strerror or error}; see --host and {option}."
            raise UsageError(message) from error


def check_names(plan: ServePlan, built: BuiltApplication, details: InstanceDetails, cell_id: str) -> None:
    """A name or route that belongs to something else."""
    owner = details.routes.get(plan.route_prefix or "")
    if owner and owner != plan.name:
        raise UsageError(
            f'The route {plan.route_prefix} belongs to the application "{owner}": choose another with --route-prefix, '
            f"or deploy over it with --name {owner}."
        )
    existing = details.application(plan.name).deployments
    is_others = owner_cell(plan.name, cell_id) != cell_id and built.ingress not in existing
    if plan.name == DEFAULT_NAME and existing and is_others:
        raise UsageError(
            f'Another cell serves {next(iter(existing))} as the application "{plan.name}"; give this one a name of its '
            f"own, as in --name {built.ingress.lower()}, or end the other: %ray_serve --delete {plan.name}."
        )


def check_capacity(plan: ServePlan, built: BuiltApplication, details: InstanceDetails) -> None:
    """Replicas for which there is no capacity now would wait for ever without a word."""
    if connection.can_grow():
        return
    existing = details.application(plan.name)
    beside = bool(existing.replicas) and not plan.replace
    requests = replica_requests(built, one_each=beside)
    freed = [
        (replica.node_ip, deployment.resources)
        for deployment in (existing.deployments.values() if plan.replace else ())
        for replica in deployment.replicas
    ]
    end = time.monotonic() + FREED_TIMEOUT
    while name := find_unplaceable(requests, nodes := with_freed(connection.nodes(0.0), freed)):
        if time.monotonic() > end:
            raise UsageError(capacity_error(name, requests, nodes, beside, _others(details, plan.name)))
        time.sleep(0.25)


def _others(details: InstanceDetails, name: str) -> list[str]:
    """``["words (CPU 2)"]``: the other applications that hold CPUs."""
    cpus = {
        app.name: sum(part.resources.get("CPU", 0) * len(part.replicas) for part in app.deployments.values())
        for app in details.applications.values()
        if app.name != name
    }
    return [f"{app} (CPU {count:g})" for app, count in cpus.items() if count][:5]
