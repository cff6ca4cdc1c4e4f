"""Joins the cluster of a plan, or starts it: this user's detached one, one of this kernel, one by its address."""

from __future__ import annotations

import logging
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ...connection import is_up, session_id
from ...errors import UsageError
from ...raylib.auth import reset_token_auth
from ...raylib.core import dashboard_url, loopback_only
from . import detached, probe
from .detached import DetachedCluster
from .plan import Connection, ConnectPlan, differences
from .quiet import import_ray_quietly, no_orphans, retry_once, silence

log = logging.getLogger(__name__)

_enabled_token_auth: list[bool] = []  # not empty while this connection alone has Ray's token authentication on


def join_or_start(plan: ConnectPlan) -> Connection:
    """Raises `UsageError` when nothing answers, the token is missing or wrong, or a thread would start a cluster."""
    if plan.detached:
        return _join_or_start_detached(plan)
    if plan.is_open and (cluster := detached.find(detached.runtime_folder(os.environ))):
        return _join_detached(cluster, plan, started=False)
    return _start_here(plan) if plan.starts else _join(plan)


def _start_here(plan: ConnectPlan) -> Connection:
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("Ray is not running, and only a cell can start it: run %ray_init first.")
    probe.create_token()
    context = retry_once(lambda: _ray_init_here(plan))
    return _connection(plan, context, address="local", started=True)


def _ray_init_here(plan: ConnectPlan) -> Any:
    with no_orphans():
        return _ray_init(plan, address="local", dashboard_host="127.0.0.1", **plan.sizing())


def _join(plan: ConnectPlan) -> Connection:
    address = plan.address or "auto"
    if address != "auto":
        probe.check_listens(address, plan.source)
        _enable_token_auth()
    if address != "auto" and not address.startswith("ray://"):
        import_ray_quietly()
        probe.check_answers(address)
    return _connection(plan, _ray_init(plan, address=address), address)


def _join_or_start_detached(plan: ConnectPlan) -> Connection:
    folder = detached.runtime_folder(os.environ)
    with detached.locked(folder):
        cluster = detached.find(folder)
        started = cluster is None
        if cluster is None:
            probe.create_token()
            _enable_token_auth()
            cluster = retry_once(lambda: detached.start(plan, folder, os.environ))
    _check_same_cluster(cluster, plan)
    return _join_detached(cluster, plan, started)


def _check_same_cluster(cluster: DetachedCluster, plan: ConnectPlan) -> None:
    running = replace(cluster.plan, namespace=plan.namespace, runtime_env=plan.runtime_env)
    if different := differences(running, plan):
        raise UsageError(
            f"Your detached Ray cluster at {cluster.address} runs with other options: {'; '.join(different)}. "
            "Add --restart to stop it and start a new one."
        )


def _join_detached(cluster: DetachedCluster, plan: ConnectPlan, started: bool) -> Connection:
    _enable_token_auth()
    import_ray_quietly()
    probe.check_answers(cluster.address)
    context = _ray_init(plan, address=cluster.address)
    joined = replace(cluster.plan, namespace=plan.namespace, runtime_env=plan.runtime_env)
    return replace(_connection(joined, context, cluster.address, started), detached=True)


def _connection(plan: ConnectPlan, context: Any, address: str, started: bool = False) -> Connection:
    connection = describe_connection()
    actual = address if address.startswith("ray://") else connection.address
    dashboard = getattr(context, "dashboard_url", "") or ""
    return replace(
        connection,
        address=actual,
        dashboard=f"http://{dashboard}" if dashboard and "://" not in dashboard else dashboard,
        started=started,
        plan=replace(plan, address="local" if address == "local" else actual),
    )


def describe_connection() -> Connection:
    """What Ray tells of the connection that this process has."""
    import ray

    context = ray.get_runtime_context()
    address, node_id, _ = session_id()
    return Connection(
        address=address,
        dashboard=dashboard_url(),
        namespace=context.namespace,
        node_id=node_id,
        ray=ray.__version__,
        python=platform.python_version(),
        plan=ConnectPlan(address=address, namespace=context.namespace),
    )


def _ray_init(plan: ConnectPlan, **options: Any) -> Any:
    import_ray_quietly()
    import ray

    with loopback_only(), silence() as stderr:
        try:
            return ray.init(logging_level=logging.ERROR, log_to_driver=True, **options, **plan.joining())
        except Exception as error:
            log.debug("ray.init failed: %r\n%s", error, stderr())
            ray.shutdown()
            raise probe.connect_error(error, plan) from error


def _enable_token_auth() -> None:
    if probe.enable_token_auth():
        _enabled_token_auth.append(True)


@contextmanager
def authenticated() -> Iterator[None]:
    """Within it, a cluster may be asked that wants the token, also without a connection to it."""
    if is_up():
        yield
        return
    import_ray_quietly()
    _enable_token_auth()
    try:
        yield
    finally:
        restore_token_auth()


def restore_token_auth() -> None:
    """After the connection: token authentication is as it was before, where only that connection needed it."""
    if _enabled_token_auth:
        reset_token_auth()
        _enabled_token_auth.clear()
