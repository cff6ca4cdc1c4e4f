"""The state of a cluster, as its control service reported it, turned into a status. Pure Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ...resources import (
    NodeResources,
    NodeState,
    ResourceRequest,
    available_of,
    in_order,
    is_internal,
    resource_name,
    resources_text,
    total_of,
    why_waiting,
)
from .status import NodeStatus, ResourceUsage, Waiting

_IN_BYTES = ("memory", "object_store_memory")


def living_nodes(nodes: Iterable[NodeState]) -> tuple[NodeResources, ...]:
    """The nodes that can take work."""
    return tuple(NodeResources(n.name, n.total, n.available, n.labels) for n in nodes if n.alive)


def meters(total: Mapping[str, float], available: Mapping[str, float]) -> tuple[ResourceUsage, ...]:
    """The usage of each resource: CPU, GPU, memory, object store, then the custom ones."""
    names = [name for name in in_order(total) if not is_internal(name) and total[name] > 0]
    return tuple(_usage(name, total[name], available.get(name, 0.0)) for name in names)


def cluster_meters(nodes: Sequence[NodeState]) -> tuple[ResourceUsage, ...]:
    """The usage of all living nodes together."""
    living = living_nodes(nodes)
    return meters(total_of(living), available_of(living))


def node_status(node: NodeState) -> NodeStatus:
    """A dead node keeps its name and its note, and shows no usage."""
    usage = meters(node.total, node.available) if node.alive else ()
    return NodeStatus(node.id, node.name, node.alive, node.head, usage, node.note)


def waiting_requests(requests: Iterable[ResourceRequest], nodes: Iterable[NodeState]) -> tuple[Waiting, ...]:
    """Every kind of request that waits, the most frequent first, with the reason in words."""
    living = living_nodes(nodes)
    counts: Counter[tuple[str, str]] = Counter()
    for request in requests:
        counts[_request_text(request), why_waiting(request.resources, living, request.labels)] += request.count
    return tuple(Waiting(text, count, why) for (text, why), count in counts.most_common())


def count_states(states: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """`(("ALIVE", 2), ("DEAD", 1))`, the most frequent first."""
    return tuple(Counter(states).most_common())


def _usage(name: str, total: float, available: float) -> ResourceUsage:
    unit = "bytes" if name in _IN_BYTES else ""
    return ResourceUsage(resource_name(name), round(max(total - available, 0.0), 6), total, unit)


def _request_text(request: ResourceRequest) -> str:
    text = resources_text(request.resources)
    labels = ", ".join(f"{key}={value}" for key, value in request.labels.items())
    return f"{text} on {labels}" if labels else text
