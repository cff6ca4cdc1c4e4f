"""The only place that touches private API of Ray; tried on Ray 2.60.0. `private` does the same for ipykernel.

Each function is guarded and has a plain fallback, which its docstring names.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal

from ..resources import ClusterState, NodeState, Request

log = logging.getLogger(__name__)

OUR_THREADS = "ray_magics-"
LOOPBACK_SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's own switch: at 0 (its default on macOS and Windows) a new cluster binds to 127.0.0.1 alone.

On Linux `_node_ip_address="127.0.0.1"` does not do that: Ray resolves it back to the network card.
"""

Answer = Literal["ray", "denied", "silent"]

_SHOWN_TASK_STATES = (
    "PENDING_ARGS_AVAIL",
    "PENDING_NODE_ASSIGNMENT",
    "PENDING_OBJ_STORE_MEM_AVAIL",
    "PENDING_ARGS_FETCH",
    "SUBMITTED_TO_WORKER",
    "RUNNING",
    "FINISHED",
    "FAILED",
)


@contextmanager
def loopback_only() -> Iterator[None]:
    """Within it, Ray takes 127.0.0.1 to be this machine's address (Ray 2.60).

    So a cluster that starts here listens on loopback alone, and `127.0.0.1:PORT` is not rewritten to the
    address of the network card when connecting. A user who sets Ray's switch keeps what they set.
    Fallback: the switch in the environment, which Ray reads once, when it is imported.
    """
    if LOOPBACK_SWITCH in os.environ:
        yield
        return
    constants = _ray_constants()
    before = getattr(constants, "ENABLE_RAY_CLUSTER", None)
    os.environ[LOOPBACK_SWITCH] = "0"
    if before is not None:
        constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        del os.environ[LOOPBACK_SWITCH]
        if before is not None:
            constants.ENABLE_RAY_CLUSTER = before


def threads_start_no_cluster() -> None:
    """Ray starts a cluster by itself where something is asked of none; from now on not for a thread of ours, which may
    outlive the connection (Ray 2.60: the hook before each call). Fallback: it does.
    """
    try:
        hook: Any = import_module("ray._private.auto_init_hook")
        start = hook.auto_init_ray
    except (AttributeError, ImportError) as error:
        log.debug("threads may start a cluster: %r", error)
        return
    if getattr(start, "is_ours", False):
        return

    def auto_init_ray() -> None:
        if not threading.current_thread().name.startswith(OUR_THREADS):
            start()

    auto_init_ray.is_ours = True  # type: ignore[attr-defined]
    hook.auto_init_ray = auto_init_ray


def use_token() -> None:
    """Turns Ray's token authentication on in this process and its children (Ray 2.60).

    Fallback: the environment variable alone, which is enough as long as Ray was not imported before.
    """
    os.environ["RAY_AUTH_MODE"] = "token"
    _refresh_authentication()


def use_no_token() -> None:
    """Takes back `use_token`, so that the next connection decides anew (Ray 2.60)."""
    os.environ.pop("RAY_AUTH_MODE", None)
    _refresh_authentication()


def dashboard_url() -> str:
    """The dashboard of the current connection as a URL, or "" (Ray 2.60: `worker.get_dashboard_url`)."""
    try:
        url = import_module("ray._private.worker").get_dashboard_url() or ""
    except Exception as error:
        log.debug("no dashboard address: %r", error)
        return ""
    return f"http://{url}" if url and "://" not in url else url


def ask(address: str, timeout: float) -> Answer:
    """Whether a Ray control service answers at HOST:PORT and accepts us (Ray 2.60: its gRPC service).

    Fallback: `"ray"`, and `ray.init` finds out by itself.
    """
    try:
        import grpc

        everything = _generated("gcs_service_pb2").GetAllNodeInfoRequest()
    except ImportError as error:
        log.debug("cannot ask %s: %r", address, error)
        return "ray"
    with _services(address) as services:
        try:
            services.nodes.GetAllNodeInfo(everything, timeout=timeout)
        except grpc.RpcError as error:
            return "denied" if _is_denied(error) else "silent"
    return "ray"


class ControlService:
    """Reads the facts from a cluster's control service with a deadline a call (Ray 2.60: gRPC, no dashboard).

    Not through Ray's own client: that one waits up to a minute for a dead service. Fallback: `public_cluster_state`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._open = _services(address)
        self._services = self._open.__enter__()

    def close(self) -> None:
        self._open.__exit__(None, None, None)

    def facts(self, timeout: float) -> ClusterState:
        """Nodes, requests that wait, actor states. Raises `ConnectionError` when nothing answers in time."""
        gcs = _generated("gcs_service_pb2")
        with _as_connection_error(self.address):
            status = _generated("autoscaler_pb2").GetClusterStatusRequest()
            state = self._services.autoscaler.GetClusterStatus(status, timeout=timeout).cluster_resource_state
            every_node = gcs.GetAllNodeInfoRequest()
            nodes = self._services.nodes.GetAllNodeInfo(every_node, timeout=timeout)
            every_actor = gcs.GetAllActorInfoRequest()
            actors = self._services.actors.GetAllActorInfo(every_actor, timeout=timeout)
        return ClusterState(_node_facts(nodes.node_info_list, state), _requests(state), _actor_states(actors))

    def tasks(self, timeout: float) -> tuple[tuple[str, int], ...]:
        """How many tasks are in each state. Some 10 ms a state for 1000 tasks: call it every few seconds."""
        with _as_connection_error(self.address):
            pairs = [(state, self._tasks_in(state, timeout)) for state in _SHOWN_TASK_STATES]
        return tuple((state, count) for state, count in pairs if count)

    def _tasks_in(self, state: str, timeout: float) -> int:
        gcs = _generated("gcs_service_pb2")
        filters = gcs.GetTaskEventsRequest.Filters(exclude_driver=True)
        filters.state_filters.add(state=state)
        request = gcs.GetTaskEventsRequest(limit=0, filters=filters)
        reply = self._services.tasks.GetTaskEvents(request, timeout=timeout)
        return int(reply.num_total_stored - reply.num_filtered_on_gcs)


def public_cluster_state() -> ClusterState:
    """The same facts from public functions: no requests that wait, no free amounts of single nodes."""
    ray = import_module("ray")
    free = ray.available_resources()
    nodes = ray.nodes()
    return ClusterState(tuple(_plain_node(node, free if len(nodes) == 1 else node["Resources"]) for node in nodes))


class _Services:
    def __init__(self, channel: Any) -> None:
        gcs = _generated("gcs_service_pb2_grpc")
        self.autoscaler = _generated("autoscaler_pb2_grpc").AutoscalerStateServiceStub(channel)
        self.nodes = gcs.NodeInfoGcsServiceStub(channel)
        self.actors = gcs.ActorInfoGcsServiceStub(channel)
        self.tasks = gcs.TaskInfoGcsServiceStub(channel)


@contextmanager
def _services(address: str) -> Iterator[_Services]:
    grpc_utils = import_module("ray._private.grpc_utils")
    channel = grpc_utils.init_grpc_channel(address, options=[("grpc.max_receive_message_length", 2**29)])
    try:
        yield _Services(channel)
    finally:
        channel.close()


@contextmanager
def _as_connection_error(address: str) -> Iterator[None]:
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        raise ConnectionError(f"the cluster at {address} does not answer") from error


def _is_denied(error: Any) -> bool:
    import grpc

    return error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def _node_facts(infos: Any, state: Any) -> tuple[NodeState, ...]:
    alive = _generated("gcs_pb2").GcsNodeInfo.ALIVE
    free = {node.node_id: dict(node.available_resources) for node in state.node_states}
    return tuple(
        NodeState(
            id=info.node_id.hex(),
            name=info.node_name or info.node_manager_address,
            alive=info.state == alive,
            head=info.is_head_node,
            total=dict(info.resources_total),
            available=free.get(info.node_id, {}),
            labels=dict(info.labels),
            note=info.death_info.reason_message.strip().partition("\n")[0],
        )
        for info in infos
    )


def _requests(state: Any) -> tuple[Request, ...]:
    single = [_request(pending.request, pending.count) for pending in state.pending_resource_requests]
    gangs = [_request(part, 1) for gang in state.pending_gang_resource_requests for part in _bundles(gang)]
    return tuple(single + gangs)


def _bundles(gang: Any) -> list[Any]:
    return list(gang.requests) or [r for way in gang.bundle_selectors[:1] for r in way.resource_requests]


def _request(request: Any, count: int) -> Request:
    labels = {c.label_key: _selector(c) for s in request.label_selectors for c in s.label_constraints}
    return Request(dict(request.resources_bundle), count, labels)


def _selector(constraint: Any) -> str:
    values = list(constraint.label_values)
    text = values[0] if len(values) == 1 else f"in({','.join(values)})"
    return f"!{text}" if constraint.operator == _generated("common_pb2").LABEL_OPERATOR_NOT_IN else text


def _actor_states(reply: Any) -> tuple[str, ...]:
    """Those of the user's actors; our own mailboxes do not count."""
    states = _generated("gcs_pb2").ActorTableData.ActorState
    actors = [actor for actor in reply.actor_table_data if actor.ray_namespace != "ray_magics"]
    return tuple(states.Name(actor.state) for actor in actors)


def _plain_node(node: Mapping[str, Any], free: Mapping[str, float]) -> NodeState:
    return NodeState(
        id=node["NodeID"],
        name=node["NodeName"],
        alive=node["Alive"],
        head="node:__internal_head__" in node["Resources"],
        total=node["Resources"],
        available=free,
        labels=node.get("Labels", {}),
        note=node.get("DeathReasonMessage", ""),
    )


def _generated(name: str) -> Any:
    return import_module(f"ray.core.generated.{name}")


def _ray_constants() -> Any:
    try:
        return import_module("ray._private.ray_constants")
    except ImportError as error:
        log.debug("no ray_constants: %r", error)
        return None


def _refresh_authentication() -> None:
    if "ray" not in sys.modules:
        return
    try:
        raylet = import_module("ray._raylet")
        raylet.Config.initialize("")
        raylet.AuthenticationTokenLoader.instance().reset_cache()
    except Exception as error:
        log.debug("the authentication mode could not be refreshed: %r", error)


def hide_worker_lines(actors: tuple[str, ...] = (), runs_tell: Callable[[], bool] = lambda: False) -> None:
    """Ray prints what workers print into whatever cell runs; from now on not that of these actors, nor its page about a
    worker of a run that died, which the run tells itself (Ray 2.60).

    `actors` are the beginnings of their class names; `runs_tell` says whether there is a run that tells of its dead
    workers itself: one that goes on, or has ended just now. Fallback: Ray goes on printing.
    """
    try:
        dispatcher = import_module("ray._private.ray_logging").global_worker_stdstream_dispatcher
        with dispatcher._lock:
            dispatcher.handlers = [(name, _sieve(handler, actors, runs_tell)) for name, handler in dispatcher.handlers]
        worker: Any = import_module("ray._private.worker")
        worker.print_to_stdstream = _sieve(worker.print_to_stdstream, actors, runs_tell)
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        log.debug("lines of %s are not hidden: %r", actors, error)


def _sieve(handler: Any, actors: tuple[str, ...], runs_tell: Callable[[], bool]) -> Any:
    if hasattr(handler, "hides") and set(actors) <= set(handler.hides):
        return handler

    def pass_on(data: Any, **options: Any) -> None:
        if not str(data.get("actor_name") or "").startswith(actors) and not _is_told(data, actors, runs_tell):
            handler(data, **options)

    pass_on.hides = actors  # type: ignore[attr-defined]
    return pass_on


def _is_told(data: Any, actors: tuple[str, ...], runs_tell: Callable[[], bool]) -> bool:
    """Whether the raylet tells of these actors, as that one ended when it was told to, or of a dead worker of a run."""
    lines = [str(line) for line in data.get("lines") or ()]
    if data.get("pid") != "raylet":
        return False
    of_actors = all(any(f"{actor}." in line for actor in actors) for line in lines)
    return of_actors or (runs_tell() and all("A worker died or was killed" in line for line in lines))
