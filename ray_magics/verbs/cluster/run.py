"""The present connection: made when it is asked for, watched while it lasts, put away at the end."""

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
from ...raylib import core as private
from ...resources import NodeResources
from ...run.registry import registry
from ...run.registry import runs as runs  # public: `ray_magics.runs`
from . import detached, join
from . import probe as reach
from .messages import connection_text, deserted, gone
from .plan import Connection, ConnectPlan, differences, make_connect_plan
from .quiet import silence
from .snapshot import living
from .status import ClusterStatus
from .watch import ClusterWatch, not_connected

log = logging.getLogger(__name__)
is_connected = is_up  # whoever made the connection

STOP_RUNS_SECONDS = 10.0
GUARD_SECONDS = 2.0
RAYLET_LATE = 10.0  # seconds after the end of a run in which Ray may still tell of its workers
LET_GO_SECONDS = 40.0
"""Ray ends the whole kernel, with every variable in it, 60 s after the control service died."""


class _Memory:
    """What is known of the present connection beyond what Ray itself knows."""

    watch: ClusterWatch | None = None
    lost: ClusterStatus | None = None
    identity: tuple[str, ...] = ()


_memory = _Memory()
_lock = threading.RLock()


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
        _end_present(plan)
    with _lock:
        if is_connected():
            return _same_or_error(plan)
        _forget()
        try:
            connection = join.join_or_start(plan)
        except BaseException:
            join.give_token_back()
            raise
        _remember(connection)
        return connection


def ensure_connected(say: Callable[..., Any] = print) -> Connection:
    """The connection that every verb uses: the present one, or the one the settings or `RAY_ADDRESS` name,
    or the user's detached cluster, or a new one on this machine. A new connection is told in one line, which begins
    before the waiting. `say` is called as `print` is.

    Raises `UsageError` when the cluster is gone, and for what `connect` raises.
    """
    with _lock:
        if is_connected():
            return _living(current())
        if _memory.lost is not None:
            raise UsageError(gone(_memory.lost.address))
        plan = make_connect_plan(os.environ, settings())
        say("Connecting to Ray ... ", end="", flush=True)
        try:
            connection = connect(plan)
        except BaseException:
            say()
            raise
    say(connection_text(connection, nodes()))
    return connection


def find() -> bool:
    """Joins the cluster that the settings, `RAY_ADDRESS` or an earlier ``--detached`` name, and starts none.

    Raises `UsageError` as `ensure_connected` does.
    """
    if not is_connected():
        plan = make_connect_plan(os.environ, settings())
        if plan.starts and not (plan.is_open and detached.find(detached.runtime_folder(os.environ))):
            return False
    ensure_connected()
    return True


def is_own() -> bool:
    """Whether the present cluster ends with this process."""
    connection = current()
    return connection.started and not connection.detached


def current() -> Connection:
    """The present connection; one that the user made with `ray.init` is described as far as Ray tells."""
    return _watch().connection


def shutdown() -> str:
    """Ends the connection, and the cluster too if it was made here. Says what it did.

    A cluster that this kernel started stops, and so does this user's detached one; others go on running.
    """
    stopped = _stop_runs() if is_connected() else ""
    with _lock:
        if not is_connected():
            _forget()
            _memory.lost = None
            return _stop_detached() or "Nothing to shut down: this kernel is not connected to a Ray cluster."
        connection = current()
        _disconnect()
        return " ".join(filter(None, (stopped, _after_disconnect(connection))))


def nodes(max_age: float = 0.0) -> tuple[NodeResources, ...]:
    """The living nodes, what they have and what is free, as known for at most `max_age` seconds.

    Raises `ConnectionError` when the cluster does not answer within a second.
    """
    return living(_watch().facts(max_age).nodes)


def lost(max_age: float) -> str:
    """What to say of a cluster that was not heard in the last `max_age` seconds; "" while it is there.

    Takes a second at most.
    """
    if not is_connected():
        return gone(_memory.lost.address if _memory.lost else "the address that it had")
    connection = current()
    if not connection.has_control_service:
        return ""
    if not _watch().alive(max_age):
        return gone(connection.address)
    return "" if _has_nodes(max_age) else deserted(connection.address)


def _has_nodes(max_age: float) -> bool:
    """False only where the cluster itself says that none of its nodes is alive."""
    try:
        return bool(nodes(max_age))
    except ConnectionError:
        return True


def can_grow() -> bool:
    """Whether an autoscaler may add nodes: Ray labels the nodes of a cluster that has one with their group."""
    return any("ray.io/node-group" in node.labels for node in nodes())


def snapshot(clock: Callable[[], float] = time.time) -> ClusterStatus:
    """The cluster now, in some 2 ms; `lost` when it does not answer within a second, `none` without one."""
    if is_connected():
        return _watch().status(clock)
    return _memory.lost or not_connected(clock)


def _same_or_error(plan: ConnectPlan) -> Connection:
    connection = _living(current())
    found = differences(connection.plan, plan)
    if not found:
        return connection
    raise UsageError(
        f"Ray is connected already, and this asks for another connection: {'; '.join(found)}. "
        "Add --restart to end the present one first."
    )


def _living(connection: Connection) -> Connection:
    if words := lost(2 * GUARD_SECONDS):
        raise UsageError(words)
    return connection


def _end_present(plan: ConnectPlan) -> None:
    if is_connected():
        shutdown()
    if plan.detached:
        _stop_detached()


def _watch() -> ClusterWatch:
    with _lock:
        if _memory.watch is None or _memory.identity != session():
            _forget()
            _remember(join.adopted())
        assert _memory.watch is not None
        return _memory.watch


def _remember(connection: Connection) -> None:
    _memory.watch, _memory.identity, _memory.lost = ClusterWatch(connection), session(), None
    private.threads_start_no_cluster()
    private.hide_worker_lines(runs_tell=lambda: registry.lately(RAYLET_LATE))
    if connection.has_control_service:
        threading.Thread(target=_guard, args=(_memory.watch,), name="ray_magics-guard", daemon=True).start()


def _guard(watch: ClusterWatch) -> None:
    """Lets go of a cluster whose control service has gone, so that the kernel lives on."""
    seen = time.monotonic()
    while _memory.watch is watch:
        if reach.listens(watch.connection.address, GUARD_SECONDS):
            seen = watch.heard = time.monotonic()
        elif time.monotonic() - seen > LET_GO_SECONDS:
            return _let_go(watch)
        time.sleep(GUARD_SECONDS)


def _let_go(watch: ClusterWatch) -> None:
    with _lock:
        if _memory.watch is watch and is_connected():
            log.debug("nothing listens at %s: disconnecting", watch.connection.address)
            _memory.lost = watch.status()
            _disconnect()


def _forget() -> None:
    if _memory.watch is not None:
        _memory.watch.close()
    _memory.watch, _memory.identity = None, ()


def _disconnect() -> None:
    import ray

    with silence():
        ray.shutdown()
    _forget()
    join.give_token_back()


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


def _stop_detached() -> str:
    folder = detached.runtime_folder(os.environ)
    with detached.locked(folder):
        known = detached.find(folder)
        if known is None:
            return ""
        detached.stop(known, folder)
    return f"Stopped your detached Ray cluster at {known.address}; its processes are gone."


def _stop_runs() -> str:
    """Not under the lock, which runs that end ask for."""
    going = registry.live()
    for run in going:
        run.stop(force=True)
    end = time.monotonic() + STOP_RUNS_SECONDS
    for run in going:
        run.over.wait(max(0.0, end - time.monotonic()))
    ended = sum(run.over.is_set() for run in going)
    late = f" {len(going) - ended} did not confirm that." if ended < len(going) else ""
    return f"Stopped {len(going)} run{'s' if len(going) > 1 else ''} of this kernel.{late}" if going else ""
