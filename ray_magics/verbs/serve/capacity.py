"""Whether the cluster has the capacity for what is to start; Ray Serve itself would wait without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ...resources import NodeResources, resources_text
from ...units import number_text

Resources = Mapping[str, float]
_TINY = 1e-6  # amounts are sums of tenths


class ReplicaRequest(NamedTuple):
    """What each of so many replicas of a deployment reserves."""

    deployment: str
    resources: Resources
    replicas: int


def find_unplaceable(requests: Iterable[ReplicaRequest], nodes: Iterable[NodeResources]) -> str:
    """The deployment whose replicas find no node beside the others, "" where all of them do.

    Places the largest first, each on the first node that has as much free.
    """
    free_by_node = [dict(node.available) for node in nodes]
    replicas = [request for request in requests for _ in range(request.replicas)]
    for request in sorted(replicas, key=lambda request: -sum(request.resources.values())):
        free = next((free for free in free_by_node if _fits(request.resources, free)), None)
        if free is None:
            return request.deployment
        for resource, amount in request.resources.items():
            free[resource] = free.get(resource, 0.0) - amount
    return ""


def with_freed(nodes: Iterable[NodeResources], freed: Iterable[tuple[str, Resources]]) -> list[NodeResources]:
    """The nodes as they will be when these amounts, by the name of a node, are free again."""
    free_by_node = [(node, dict(node.available)) for node in nodes]
    for name, resources in freed:
        named = [free for node, free in free_by_node if node.name == name]
        for free in (named or [free for _, free in free_by_node])[:1]:
            free.update({resource: free.get(resource, 0.0) + amount for resource, amount in resources.items()})
    return [replace(node, available=free) for node, free in free_by_node]


def _fits(resources: Resources, free: Resources) -> bool:
    return all(free.get(resource, 0.0) + _TINY >= amount for resource, amount in resources.items())


def capacity_error(
    name: str, requests: Iterable[ReplicaRequest], nodes: Iterable[NodeResources], updating: bool, others: Sequence[str]
) -> str:
    """The sentence: what is asked, what is free, which other applications hold the rest, what to type."""
    starting = [request for request in requests if request.replicas]
    total = _sum((request.resources, request.replicas) for request in starting)
    replicas = sum(request.replicas for request in starting)
    free = _sum((node.available, 1) for node in nodes)
    free_text = resources_text({resource: free.get(resource, 0.0) for resource in total})
    held = f" Others that hold room: {', '.join(others)}." if others else ""
    beside = " beside the old version, which keeps serving" if updating else ""
    ways = ["--num-cpus 0.1 asks for less"] if total.get("CPU", 0.0) > 0.1 * replicas + _TINY else []
    if updating:
        ways.append("--replace stops the old version first")
    elif others:
        ways.append("%ray_serve --delete NAME makes room")
    count = "a replica" if replicas == 1 else f"{number_text(replicas)} replicas"
    whose = name if len(starting) == 1 else "its deployments together"
    advice = f" {', '.join(ways)}." if ways else ""
    return f"No room for {count} of {whose} ({resources_text(total)}){beside}: free is {free_text}.{held}{advice}"


def _sum(amounts: Iterable[tuple[Resources, int]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for resources, count in amounts:
        for resource, amount in resources.items():
            total[resource] = total.get(resource, 0.0) + amount * count
    return total
