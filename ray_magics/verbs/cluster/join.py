"""Joins the cluster of a plan, or starts it: this user's detached one, one of this kernel, one by its address."""

from __future__ import annotations

import logging
import os
import platform
import threading
from dataclasses import replace
from typing import Any

from ...connection import session_id
from ...errors import UsageError
from ...raylib import core as private
from . import detached
from . import probe as reach
from .plan import Connection, ConnectPlan, differences
from .quiet import import_quietly, no_orphans, silence, twice

log = logging.getLogger(__name__)

_took_token: list[bool] = []  # whether Ray's token was turned on for a cluster that somebody else started


def join_or_start(plan: ConnectPlan) -> Connection:
    """Raises `UsageError` when nothing answers, the token is missing or wrong, or a thread would start a cluster."""
    if plan.detached:
        return _detached(plan)
    if plan.is_open and (known := detached.find(detached.runtime_folder(os.environ))):
        return _join_detached(known, plan, started=False)
    return _start_here(plan) if plan.starts else _join(plan)


def _start_here(plan: ConnectPlan) -> Connection:
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("Ray is not running, and only a cell can start it: run %ray_init first.")
    reach.make_token()
    context = twice(lambda: _ray_init_here(plan))
    return _connection(plan, context, address="local", started=True)


def _ray_init_here(plan: ConnectPlan) -> Any:
    with no_orphans():
        return _ray_init(plan, address="local", dashboard_host="127.0.0.1", **plan.sizing())


def _join(plan: ConnectPlan) -> Connection:
    address = plan.address or "auto"
    if address != "auto":
        reach.check_listens(address, plan.source)
        _take_token()
    if address != "auto" and not address.startswith("ray://"):
        import_quietly()
        reach.check_answers(address)
    return _connection(plan, _ray_init(plan, address=address), address)


def _detached(plan: ConnectPlan) -> Connection:
    folder = detached.runtime_folder(os.environ)
    with detached.locked(folder):
        known = detached.find(folder)
        started = known is None
        if known is None:
            reach.make_token()
            _take_token()
            known = twice(lambda: detached.start(plan, folder, os.environ))
    _check_same_cluster(known, plan)
    return _join_detached(known, plan, started)


def _check_same_cluster(known: detached.Detached, plan: ConnectPlan) -> None:
    there = replace(known.plan, namespace=plan.namespace, runtime_env=plan.runtime_env)
    if found := differences(there, plan):
        raise UsageError(
            f"Your detached Ray cluster at {known.address} runs with other options: {'; '.join(found)}. "
            "Add --restart to stop it and start a new one."
        )


def _join_detached(known: detached.Detached, plan: ConnectPlan, started: bool) -> Connection:
    _take_token()
    import_quietly()
    reach.check_answers(known.address)
    context = _ray_init(plan, address=known.address)
    joined = replace(known.plan, namespace=plan.namespace, runtime_env=plan.runtime_env)
    return replace(_connection(joined, context, known.address, started), detached=True)


def _connection(plan: ConnectPlan, context: Any, address: str, started: bool = False) -> Connection:
    found = adopted()
    actual = address if address.startswith("ray://") else found.address
    dashboard = getattr(context, "dashboard_url", "") or ""
    return replace(
        found,
        address=actual,
        dashboard=f"http://{dashboard}" if dashboard and "://" not in dashboard else dashboard,
        started=started,
        plan=replace(plan, address="local" if address == "local" else actual),
    )


def adopted() -> Connection:
    """What Ray tells of the connection that this process has."""
    import ray

    context = ray.get_runtime_context()
    address, node_id, _ = session_id()
    return Connection(
        address=address,
        dashboard=private.dashboard_url(),
        namespace=context.namespace,
        node_id=node_id,
        ray=ray.__version__,
        python=platform.python_version(),
        plan=ConnectPlan(address=address, namespace=context.namespace),
    )


def _ray_init(plan: ConnectPlan, **options: Any) -> Any:
    import_quietly()
    import ray

    with private.loopback_only(), silence() as noise:
        try:
            return ray.init(logging_level=logging.ERROR, log_to_driver=True, **options, **plan.joining())
        except Exception as error:
            log.debug("ray.init failed: %r\n%s", error, noise())
            ray.shutdown()
            raise reach.failure(error, plan) from error


def _take_token() -> None:
    if reach.take_token():
        _took_token.append(True)


def give_token_back() -> None:
    """After the connection: token authentication is as it was before, where only that connection needed it."""
    if _took_token:
        private.use_no_token()
        _took_token.clear()
