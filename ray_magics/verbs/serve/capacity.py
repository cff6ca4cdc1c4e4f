"""Whether the cluster has room for what is to start; Ray Serve itself would wait without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ...resources import NodeResources, resources_text
from ...units import number_text

Requests = Sequence[tuple[str, Mapping[str, float], int]]  # deployment, what a replica reserves, how many
_TINY = 1e-6


def no_room(requests: Requests, nodes: Iterable[NodeResources]) -> str:
    """The deployment whose replicas find no place beside the others, "" where all of them do.

    Places the largest first, each on the first node that has as much free.
    """
    free = [dict(node.available) for node in nodes]
    replicas = [(name, request) for name, request, count in requests for _ in range(count)]
    for name, request in sorted(replicas, key=lambda one: -sum(one[1].values())):
        cell_source = next((node for node in free if _fits(request, node)), None)
        if cell_source is None:
            return name
        for resource, amount in request.items():
            cell_source[resource] = cell_source.get(resource, 0.0) - amount
    return ""


def with_more(nodes: Iterable[NodeResources], freed: Iterable[tuple[str, Mapping[str, float]]]) -> list[NodeResources]:
    """The nodes as they will be when these amounts, by the name of a node, are free again."""
    found = [replace(node, available=dict(node.available)) for node in nodes]
    for name, amounts in freed:
        node = next((node for node in found if node.name == name), found[0] if found else None)
        for resource, amount in amounts.items() if node else ():
            node.available[resource] = node.available.get(resource, 0.0) + amount  # type: ignore[index, union-attr]
    return found


def _fits(request: Mapping[str, float], free: Mapping[str, float]) -> bool:
    return all(free.get(resource, 0.0) + _TINY >= amount for resource, amount in request.items())


def capacity_error(
    name: str, requests: Requests, nodes: Iterable[NodeResources], updating: bool, holders: Sequence[str]
) -> str:
    """The sentence: what is asked, what is free, who holds the rest, what to type."""
    every = tuple(nodes)
    wanted = [(request, count) for _, request, count in requests if count]
    total = _sum((request, count) for request, count in wanted)
    replicas = sum(count for _, count in wanted)
    free = _sum((node.available, 1) for node in every)
    asked = resources_text({key: total[key] for key in total})
    left = resources_text({key: free.get(key, 0.0) for key in total})
    held = f" Others that hold room: {', '.join(holders)}." if holders else ""
    beside = " beside the old version, which keeps serving" if updating else ""
    ways = ["--num-cpus 0.1 asks for less"] if total.get("CPU", 0.0) > 0.1 * replicas + _TINY else []
    if updating:
        ways.append("--replace stops the old version first")
    elif holders:
        ways.append("%ray_serve --delete NAME makes room")
    each = "a replica" if replicas == 1 else f"{number_text(replicas)} replicas"
    whose = name if len(wanted) == 1 else "its deployments together"
    advice = f" {', '.join(ways)}." if ways else ""
    return f"No room for {each} of {whose} ({asked}){beside}: free is {left}.{held}{advice}"


def _sum(amounts: Iterable[tuple[Mapping[str, float], int]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one, count in amounts:
        for resource, amount in one.items():
            found[resource] = found.get(resource, 0.0) + amount * count
    return found
