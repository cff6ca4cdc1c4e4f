"""The present connection: made when it is asked for, watched while it lasts, dropped at the end."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ...connection import is_up, session
from ...errors import UsageError
from ...line.settings import settings
from ...raylib.core import forbid_auto_init_in_our_threads
from ...raylib.logs import hide_worker_lines
from ...raylib.private import warn_of_untried
from ...resources import NodeResources
from ...run.registry import registry
from ...run.registry import runs as runs  # public: `ray_magics.runs`
from . import detached, join, users
from .messages import cluster_gone_text, connection_text, in_use_text, no_living_node_text, no_raylet_text
from .plan import Connection, ConnectPlan, differences, make_connect_plan
from .probe import listens
from .quiet import silence
from .snapshot import living_nodes
from .status import ClusterStatus
from .watch import ClusterWatch, not_connected

log = logging.getLogger(__name__)

STOP_RUNS_SECONDS = 10.0
GUARD_SECONDS = 2.0
RAYLET_LATE = 10.0  # seconds after the end of a run in which Ray may still print about its workers
DISCONNECT_SECONDS = 40.0
"""After so long without a control service this kernel disconnects.

Ray ends the whole kernel, with every variable in it, 60 s after the control service died.
"""


_lost: list[ClusterStatus] = []  # the last status of a cluster that is gone, until another connection or %ray_shutdown
_lock = threading.RLock()  # held while a connection is made or ended, which may take seconds
_watch_lock = threading.RLock()


def init(
    address: str | None = None,
    *,
    num_cpus: int | None = None,
    num_gpus: int | None = None,
    resources: Mapping[str, float] | None = None,
    object_store_memory: int | None = None,
    namespace: str | None = None,
    runtime_env: Mapping[str, Any] | None = None,
    detached: bool = False,
    restart: bool = False,
) -> Connection:
    """`%ray_init` for programs: connects or starts, and prints nothing.

    `object_store_memory` in bytes. Raises what `connect` raises.
    """
    plan = make_connect_plan(
        os.environ,
        settings(),
        address=address,
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        resources=resources,
        object_store_memory=object_store_memory,
        namespace=namespace,
        runtime_env=runtime_env,
        detached=detached,
    )
    return connect(plan, restart)


def connect(plan: ConnectPlan, restart: bool = False) -> Connection:
    """Connects or starts as planned. Asking twice for the same does nothing.

    Raises `UsageError` when the present connection is another one (`restart` ends it first), when nothing
    answers, when the token is missing or wrong, and when a cluster would start in a thread of its own.
    """
    if restart:
        _end_connection(plan)
    with _lock:
        if is_up():
            return _checked_same(plan)
        try:
            connection = join.join_or_start(plan)
        except BaseException:
            join.restore_token_auth()
            raise
        _start_watch(connection)
        return connection


def ensure_connected(say: Callable[..., Any] = print) -> Connection:
    """The connection that every verb uses: the present one, or the one the settings or `RAY_ADDRESS` name,
    or the user's detached cluster, or a new one on this machine. A new connection is announced in one line, which
    begins before the waiting. `say` is called as `print` is.

    Raises `UsageError` when the cluster is gone, and for what `connect` raises.
    """
    if is_up():
        return _checked_alive()
    with _lock:
        if is_up():
            return _checked_alive()
        if _lost:
            raise UsageError(_gone_text(_lost[0].address))
        plan = make_connect_plan(os.environ, settings())
        say("Connecting to Ray ... ", end="", flush=True)
        try:
            connection = connect(plan)
        except BaseException:
            say()
            raise
    say(connection_text(connection, nodes()))
    return connection


def join_existing() -> bool:
    """Joins the cluster that the settings, `RAY_ADDRESS` or an earlier ``--detached`` name, and starts none.

    Raises `UsageError` as `ensure_connected` does.
    """
    if not is_up():
        plan = make_connect_plan(os.environ, settings())
        if plan.starts and not (plan.is_open and detached.find(detached.runtime_folder(os.environ))):
            return False
    ensure_connected()
    return True


def owns_cluster() -> bool:
    """Whether the present cluster ends with this process."""
    connection = current()
    return connection.started and not connection.detached


def current() -> Connection:
    """The present connection; one that the user made with `ray.init` is described as far as Ray tells."""
    return _watch().connection


def shutdown(force: bool = False) -> str:
    """Ends the connection, and the cluster too if it was made here. Says what it did.

    A cluster that this kernel started stops, and so does this user's detached one; others go on running.

    Raises `UsageError`, and stops nothing, where other programs use the detached cluster, unless with `force`.
    """
    if not force:
        _check_unused()
    stopped = _stop_runs() if is_up() else ""
    with _lock:
        if not is_up():
            _lost.clear()
            return _stop_detached() or "Nothing to shut down: this kernel is not connected to a Ray cluster."
        connection = current()
        _disconnect()
        return " ".join(filter(None, (stopped, _after_disconnect(connection))))


def nodes(max_age: float = 0.0) -> tuple[NodeResources, ...]:
    """The living nodes, what they have and what is free, as known for at most `max_age` seconds.

    Raises `ConnectionError` when the cluster does not answer within a second.
    """
    return living_nodes(_watch().state(max_age).nodes)


def lost(max_age: float) -> str:
    """What to say of a cluster that was not heard in the last `max_age` seconds; "" while it is there.

    Takes a second at most.
    """
    if not is_up():
        return _gone_text(_lost[0].address if _lost else "")
    return _lost_text(_watch(), max_age)


def _lost_text(watch: ClusterWatch, max_age: float) -> str:
    address = watch.connection.address
    if not watch.connection.has_control_service:
        return ""
    if not watch.is_alive(max_age):
        return _gone_text(address)
    if not _has_nodes(watch, max_age):
        return no_living_node_text(address)
    return "" if watch.has_raylet() else no_raylet_text(address)


def _gone_text(address: str) -> str:
    return cluster_gone_text(address, users.who_stopped(detached.runtime_folder(os.environ), address))


def _has_nodes(watch: ClusterWatch, max_age: float) -> bool:
    """False only where the cluster itself says that none of its nodes is alive."""
    try:
        return bool(living_nodes(watch.state(max_age).nodes))
    except ConnectionError:
        return True


def can_grow() -> bool:
    """Whether an autoscaler may add nodes: Ray labels the nodes of a cluster that has one with their group."""
    return any("ray.io/node-group" in node.labels for node in nodes())


def snapshot(clock: Callable[[], float] = time.time) -> ClusterStatus:
    """The cluster now, in some 2 ms; `lost` when it does not answer within a second, `none` without one."""
    if is_up():
        return _watch().status(clock)
    return _lost[0] if _lost else not_connected(clock)


def _checked_same(plan: ConnectPlan) -> Connection:
    connection = _checked_alive()
    different = differences(connection.plan, plan)
    if not different:
        return connection
    raise UsageError(
        f"Ray is connected already, and this asks for another connection: {'; '.join(different)}. "
        "Add --restart to end the present one first."
    )


def _checked_alive() -> Connection:
    watch = _watch()
    if reason := _lost_text(watch, 2 * GUARD_SECONDS):
        raise UsageError(reason)
    return watch.connection


def _end_connection(plan: ConnectPlan) -> None:
    if is_up():
        shutdown()
    if plan.detached:
        _check_unused()
        _stop_detached()


def _watch() -> ClusterWatch:
    """That of the present connection, which the user may have made with `ray.init`."""
    with _watch_lock:
        return session().get(ClusterWatch) or _start_watch(join.describe_connection())


def _start_watch(connection: Connection) -> ClusterWatch:
    watch = session().put(ClusterWatch(connection))
    _lost.clear()
    warn_of_untried(connection.ray)
    forbid_auto_init_in_our_threads()
    hide_worker_lines(run_reports=lambda: registry.lately(RAYLET_LATE))
    if connection.has_control_service:
        threading.Thread(target=_guard, args=(watch,), name="ray_magics-guard", daemon=True).start()
    return watch


def _guard(watch: ClusterWatch) -> None:
    """Disconnects from a cluster whose control service has gone, so that the kernel lives on."""
    heard_at = time.monotonic()
    while session().get(ClusterWatch) is watch:
        if listens(watch.connection.address, GUARD_SECONDS):
            heard_at = watch.heard_at = time.monotonic()
        elif time.monotonic() - heard_at > DISCONNECT_SECONDS:
            return _disconnect_lost(watch)
        time.sleep(GUARD_SECONDS)


def _disconnect_lost(watch: ClusterWatch) -> None:
    with _lock:
        if session().get(ClusterWatch) is watch:
            log.debug("nothing listens at %s: disconnecting", watch.connection.address)
            _lost[:] = [watch.status()]
            _disconnect()


def _disconnect() -> None:
    import ray

    with silence():
        ray.shutdown()
    session()  # drops that of the connection that has ended
    join.restore_token_auth()


def _after_disconnect(connection: Connection) -> str:
    if connection.detached:
        return _stop_detached() or f"The detached cluster at {connection.address} was gone already."
    if connection.started:
        return "Stopped the Ray cluster that this kernel had started."
    other = detached.find(detached.runtime_folder(os.environ))
    if other is None:
        return f"Disconnected from {connection.address}; that cluster goes on running."
    if other.address == connection.address:
        return f"Disconnected from your detached cluster at {other.address}; %ray_shutdown again stops it."
    extra = f"Your detached cluster at {other.address} runs, too; %ray_shutdown again stops it."
    return f"Disconnected from {connection.address}; that cluster goes on running. {extra}"


def _check_unused() -> None:
    """Raises UsageError where a shutdown would take a detached cluster away from other programs."""
    cluster = detached.find(detached.runtime_folder(os.environ))
    if cluster is None or (is_up() and not current().detached):
        return
    if others := users.other_drivers(cluster, join.authenticated):
        raise UsageError(in_use_text(cluster.address, others))


def _stop_detached() -> str:
    folder = detached.runtime_folder(os.environ)
    with detached.locked(folder):
        cluster = detached.find(folder)
        if cluster is None:
            return ""
        users.note_stop(folder, cluster.address)
        detached.stop(cluster, folder)
    return f"Stopped your detached Ray cluster at {cluster.address}; its processes are gone."


def _stop_runs() -> str:
    """Not under the lock, which runs that end ask for."""
    runs = registry.live()
    for run in runs:
        run.stop(force=True, by="%ray_shutdown")
    deadline = time.monotonic() + STOP_RUNS_SECONDS
    for run in runs:
        run.over.wait(max(0.0, deadline - time.monotonic()))
    ended = sum(run.over.is_set() for run in runs)
    late = f" {len(runs) - ended} did not confirm that." if ended < len(runs) else ""
    return f"Stopped {len(runs)} run{'s' if len(runs) > 1 else ''} of this kernel.{late}" if runs else ""
