"""Ray's bookkeeping, already fetched as plain data, turned into a status. Pure Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ...resources import (
    NodeResources,
    NodeState,
    Request,
    available_of,
    in_order,
    is_internal,
    resource_name,
    resources_text,
    total_of,
    why_waiting,
)
from .status import NodeStatus, ResourceUsage, Waiting

_SIZED = ("memory", "object_store_memory")


def living(nodes: Iterable[NodeState]) -> tuple[NodeResources, ...]:
    """The nodes that can take work."""
    return tuple(NodeResources(n.name, n.total, n.available, n.labels) for n in nodes if n.alive)


def meters(total: Mapping[str, float], available: Mapping[str, float]) -> tuple[ResourceUsage, ...]:
    """One meter a resource: CPU, GPU, memory, object store, then the custom ones."""
    shown = [name for name in in_order(total) if not is_internal(name) and total[name] > 0]
    return tuple(_meter(name, total[name], available.get(name, 0.0)) for name in shown)


def cluster_meters(nodes: Sequence[NodeState]) -> tuple[ResourceUsage, ...]:
    """The meters of all living nodes together."""
    alive = living(nodes)
    return meters(total_of(alive), available_of(alive))


def node_status(node: NodeState) -> NodeStatus:
    """A dead node keeps its name and its note, and shows no meters."""
    shown = meters(node.total, node.available) if node.alive else ()
    return NodeStatus(node.id, node.name, node.alive, node.head, shown, node.note)


def waiting(requests: Iterable[Request], nodes: Iterable[NodeState]) -> tuple[Waiting, ...]:
    """Every kind of request that waits, the most frequent first, with the reason in words."""
    alive = living(nodes)
    counts: Counter[tuple[str, str]] = Counter()
    for request in requests:
        counts[_request_text(request), why_waiting(request.resources, alive, request.labels)] += request.count
    return tuple(Waiting(text, count, why) for (text, why), count in counts.most_common())


def counted(states: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """`(("ALIVE", 2), ("DEAD", 1))`, the most frequent first."""
    return tuple(Counter(states).most_common())


def _meter(name: str, total: float, available: float) -> ResourceUsage:
    unit = "bytes" if name in _SIZED else ""
    return ResourceUsage(resource_name(name), round(max(total - available, 0.0), 6), total, unit)


def _request_text(request: Request) -> str:
    text = resources_text(request.resources)
    labels = ", ".join(f"{key}={value}" for key, value in request.labels.items())
    return f"{text} on {labels}" if labels else text
