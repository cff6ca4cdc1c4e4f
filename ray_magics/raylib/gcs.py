"""Ray's Global Control Service (GCS) over gRPC, with a deadline for each call; tried on Ray 2.60.0.

Not through Ray's own client, which waits up to a minute for a dead service, and not through the dashboard.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal

from ..errors import RayApiMissing
from ..resources import ClusterState, Driver, NodeState, ResourceRequest
from .private import TRIED_ON, private, ray_version

log = logging.getLogger(__name__)

_GENERATED = "ray.core.generated"
PRIVATE = (
    "ray._private.grpc_utils:init_grpc_channel",
    f"{_GENERATED}.autoscaler_pb2:GetClusterStatusRequest",
    f"{_GENERATED}.autoscaler_pb2_grpc:AutoscalerStateServiceStub",
    f"{_GENERATED}.common_pb2:LABEL_OPERATOR_NOT_IN",
    f"{_GENERATED}.gcs_pb2:ActorTableData.ActorState",
    f"{_GENERATED}.gcs_pb2:GcsNodeInfo.ALIVE",
    f"{_GENERATED}.gcs_service_pb2:GetAllActorInfoRequest",
    f"{_GENERATED}.gcs_service_pb2:GetAllJobInfoRequest",
    f"{_GENERATED}.gcs_service_pb2:GetAllNodeInfoRequest",
    f"{_GENERATED}.gcs_service_pb2:GetTaskEventsRequest.Filters",
    f"{_GENERATED}.gcs_service_pb2_grpc:ActorInfoGcsServiceStub",
    f"{_GENERATED}.gcs_service_pb2_grpc:JobInfoGcsServiceStub",
    f"{_GENERATED}.gcs_service_pb2_grpc:NodeInfoGcsServiceStub",
    f"{_GENERATED}.gcs_service_pb2_grpc:TaskInfoGcsServiceStub",
)
_TASK_STATES = (
    "PENDING_ARGS_AVAIL",
    "PENDING_NODE_ASSIGNMENT",
    "PENDING_OBJ_STORE_MEM_AVAIL",
    "PENDING_ARGS_FETCH",
    "SUBMITTED_TO_WORKER",
    "RUNNING",
    "FINISHED",
    "FAILED",
)

ProbeResult = Literal["ray", "denied", "silent"]


def probe_gcs(address: str, timeout: float) -> ProbeResult:
    """Whether a GCS answers at HOST:PORT within `timeout` seconds, and accepts us.

    Fallback: `"ray"`, and `ray.init` finds out by itself.
    """
    try:
        import grpc

        everything = private(f"{_GENERATED}.gcs_service_pb2:GetAllNodeInfoRequest")()
        with _open_stubs(address) as stubs:
            try:
                stubs.nodes.GetAllNodeInfo(everything, timeout=timeout)
            except grpc.RpcError as error:
                return "denied" if _is_denied(error) else "silent"
    except (ImportError, RayApiMissing) as error:
        log.debug("cannot probe %s: %r", address, error)
    return "ray"


class ControlService:
    """The GCS of one cluster. Raises RayApiMissing where this Ray does not speak as the one that was tried."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._context = _open_stubs(address)
        self._stubs = self._context.__enter__()

    def close(self) -> None:
        self._context.__exit__(None, None, None)

    def cluster_state(self, timeout: float) -> ClusterState:
        """Nodes, requests that wait, actor states. Raises ConnectionError when nothing answers in `timeout` seconds."""
        with _translated_errors(self.address):
            status = private(f"{_GENERATED}.autoscaler_pb2:GetClusterStatusRequest")()
            state = self._stubs.autoscaler.GetClusterStatus(status, timeout=timeout).cluster_resource_state
            every_node = private(f"{_GENERATED}.gcs_service_pb2:GetAllNodeInfoRequest")()
            nodes = self._stubs.nodes.GetAllNodeInfo(every_node, timeout=timeout)
            every_actor = private(f"{_GENERATED}.gcs_service_pb2:GetAllActorInfoRequest")()
            actors = self._stubs.actors.GetAllActorInfo(every_actor, timeout=timeout)
            return ClusterState(_node_states(nodes.node_info_list, state), _requests(state), _actor_states(actors))

    def drivers(self, timeout: float) -> tuple[Driver, ...]:
        """The programs that are connected. Raises ConnectionError as `cluster_state` does."""
        with _translated_errors(self.address):
            request = private(f"{_GENERATED}.gcs_service_pb2:GetAllJobInfoRequest")(skip_submission_job_info_field=True)
            jobs = self._stubs.jobs.GetAllJobInfo(request, timeout=timeout).job_info_list
            return tuple(
                Driver(job.driver_pid, job.driver_ip_address, job.config.ray_namespace, job.is_running_tasks)
                for job in jobs
                if not job.is_dead
            )

    def task_counts(self, timeout: float) -> tuple[tuple[str, int], ...]:
        """How many tasks are in each state. Some 10 ms a state for 1000 tasks: call it every few seconds."""
        with _translated_errors(self.address):
            counts = [(state, self._task_count(state, timeout)) for state in _TASK_STATES]
        return tuple((state, count) for state, count in counts if count)

    def _task_count(self, state: str, timeout: float) -> int:
        request_type = private(f"{_GENERATED}.gcs_service_pb2:GetTaskEventsRequest")
        filters = request_type.Filters(exclude_driver=True)
        filters.state_filters.add(state=state)
        reply = self._stubs.tasks.GetTaskEvents(request_type(limit=0, filters=filters), timeout=timeout)
        return int(reply.num_total_stored - reply.num_filtered_on_gcs)


def cluster_state_without_gcs() -> ClusterState:
    """The state from Ray's public functions: no requests that wait, no actors, no free amounts of single nodes."""
    ray = import_module("ray")
    free = ray.available_resources()
    nodes = ray.nodes()
    return ClusterState(tuple(_public_node(node, free if len(nodes) == 1 else node["Resources"]) for node in nodes))


class _Stubs:
    """The gRPC services of a GCS that are asked."""

    def __init__(self, channel: Any) -> None:
        gcs = f"{_GENERATED}.gcs_service_pb2_grpc"
        self.autoscaler = private(f"{_GENERATED}.autoscaler_pb2_grpc:AutoscalerStateServiceStub")(channel)
        self.jobs = private(f"{gcs}:JobInfoGcsServiceStub")(channel)
        self.nodes = private(f"{gcs}:NodeInfoGcsServiceStub")(channel)
        self.actors = private(f"{gcs}:ActorInfoGcsServiceStub")(channel)
        self.tasks = private(f"{gcs}:TaskInfoGcsServiceStub")(channel)


@contextmanager
def _open_stubs(address: str) -> Iterator[_Stubs]:
    open_channel = private("ray._private.grpc_utils:init_grpc_channel")
    channel = open_channel(address, options=[("grpc.max_receive_message_length", 2**29)])
    try:
        yield _Stubs(channel)
    finally:
        channel.close()


@contextmanager
def _translated_errors(address: str) -> Iterator[None]:
    """gRPC's errors as ConnectionError; a message without the fields that are read here as RayApiMissing."""
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        raise ConnectionError(f"the cluster at {address} does not answer") from error
    except (AttributeError, ValueError) as error:  # what protobuf raises for an unknown field
        if isinstance(error, ValueError) and "field" not in str(error):  # a channel that is closed meanwhile
            raise
        text = f"Ray {ray_version()} answers otherwise than Ray {TRIED_ON}, on which ray_magics was tried: {error}"
        raise RayApiMissing(text) from error


def _is_denied(error: Any) -> bool:
    import grpc

    return error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def _node_states(infos: Any, state: Any) -> tuple[NodeState, ...]:
    alive = private(f"{_GENERATED}.gcs_pb2:GcsNodeInfo.ALIVE")
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
            raylet=f"{info.node_manager_address}:{info.node_manager_port}" if info.node_manager_port else "",
        )
        for info in infos
    )


def _requests(state: Any) -> tuple[ResourceRequest, ...]:
    single = [_request(pending.request, pending.count) for pending in state.pending_resource_requests]
    gangs = [_request(bundle, 1) for gang in state.pending_gang_resource_requests for bundle in _bundles(gang)]
    return tuple(single + gangs)


def _bundles(gang: Any) -> list[Any]:
    return list(gang.requests) or [r for way in gang.bundle_selectors[:1] for r in way.resource_requests]


def _request(request: Any, count: int) -> ResourceRequest:
    labels = {c.label_key: _selector_text(c) for s in request.label_selectors for c in s.label_constraints}
    return ResourceRequest(dict(request.resources_bundle), count, labels)


def _selector_text(constraint: Any) -> str:
    values = list(constraint.label_values)
    text = values[0] if len(values) == 1 else f"in({','.join(values)})"
    is_excluded = constraint.operator == private(f"{_GENERATED}.common_pb2:LABEL_OPERATOR_NOT_IN")
    return f"!{text}" if is_excluded else text


def _actor_states(reply: Any) -> tuple[str, ...]:
    """Those of the user's actors; our own output queues do not count."""
    states = private(f"{_GENERATED}.gcs_pb2:ActorTableData.ActorState")
    actors = [actor for actor in reply.actor_table_data if actor.ray_namespace != "ray_magics"]
    return tuple(states.Name(actor.state) for actor in actors)


def _public_node(node: Mapping[str, Any], free: Mapping[str, float]) -> NodeState:
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
