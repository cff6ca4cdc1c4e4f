"""What a cluster has, what a request asks of it, and the sentence that says why the two do not meet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .units import number_text, size_argument, size_text

_OPTIONS = {
    "CPU": "--num-cpus",
    "GPU": "--num-gpus",
    "memory": "--memory",
    "object_store_memory": "--object-store-memory",
}
_NAMES = {"object_store_memory": "object store"}
_IN_BYTES = ("memory", "object_store_memory")
_ORDER = ("CPU", "GPU", "memory", "object_store_memory")
_INTERNAL = re.compile(r"^(node:|accelerator_type:|bundle_group_)|_group_(\d+_)?[0-9a-f]{8,}$")
_IN = re.compile(r"^(!?)in\((.*)\)$")
_TINY = 1e-6
STARTS = "waits for a worker process to start"


@dataclass(frozen=True)
class NodeResources:
    """What one living node has in all and has free, under Ray's names (`CPU`, `GPU`, `memory` in bytes)."""

    name: str
    total: Mapping[str, float]
    available: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeState:
    """A node as the cluster's control service knows it; amounts under Ray's names, memory in bytes.

    `raylet` is where its Ray process listens, HOST:PORT, "" where that is not known.
    """

    id: str
    name: str
    alive: bool
    head: bool
    total: Mapping[str, float] = field(default_factory=dict)
    available: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    raylet: str = ""


@dataclass(frozen=True)
class ResourceRequest:
    """`count` requests for the same resources that wait for a place."""

    resources: Mapping[str, float]
    count: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Driver:
    """A program that is connected to a cluster: its process on its machine, and whether tasks of it run."""

    pid: int
    host: str
    namespace: str = ""
    has_tasks: bool = False


@dataclass(frozen=True)
class ClusterState:
    """One answer of the control service: nodes, what waits, and the state of every actor."""

    nodes: tuple[NodeState, ...] = ()
    waiting: tuple[ResourceRequest, ...] = ()
    actors: tuple[str, ...] = ()


def is_internal(resource: str) -> bool:
    """Whether Ray made this resource for its own bookkeeping (`node:…`, placement group bundles)."""
    return _INTERNAL.search(resource) is not None


def amount_text(resource: str, amount: float) -> str:
    """The amount without its name: `2`, `31 GiB`."""
    return size_text(amount) if resource in _IN_BYTES else number_text(amount)


def resource_name(resource: str) -> str:
    """The name as people say it: `object store` for `object_store_memory`."""
    return _NAMES.get(resource, resource)


def in_order(resources: Iterable[str]) -> list[str]:
    """CPU, GPU, memory, object store, then the custom ones by name."""
    known = {name: index for index, name in enumerate(_ORDER)}
    return sorted(resources, key=lambda name: (known.get(name, len(known)), name))


def resources_text(amounts: Mapping[str, float], hide: Sequence[str] = ()) -> str:
    """`CPU 8, memory 31 GiB`; Ray's internal resources and zero amounts are left out."""
    shown = [name for name in in_order(amounts) if amounts[name] > _TINY and name not in hide]
    parts = [f"{resource_name(n)} {amount_text(n, amounts[n])}" for n in shown if not is_internal(n)]
    return ", ".join(parts) or "nothing"


def total_of(nodes: Iterable[NodeResources]) -> dict[str, float]:
    """The sum over the nodes, by resource."""
    return _sum(node.total for node in nodes)


def available_of(nodes: Iterable[NodeResources]) -> dict[str, float]:
    """What is free, summed over the nodes, by resource."""
    return _sum(node.available for node in nodes)


def why_waiting(
    request: Mapping[str, float],
    nodes: Iterable[NodeResources],
    label_selector: Mapping[str, str] | None = None,
) -> str:
    """Why Ray has not placed this request yet, in words; `nodes` are the living ones."""
    all_nodes = tuple(nodes)
    amounts = _positive(request)
    if not all_nodes:
        return "no node is alive"
    if any("_group_" in name for name in amounts):
        return "waits for room in its placement group"
    matching = tuple(node for node in all_nodes if matches(label_selector or {}, node.labels))
    if not matching:
        return f"no node has the label {selector_text(label_selector or {})}"
    return _why_never(amounts, matching) or _why_not_now(amounts, [n for n in matching if _fits(amounts, n.total)])


def fits_now(request: Mapping[str, float], nodes: Iterable[NodeResources]) -> bool:
    """Whether a node has this much free at the moment."""
    return any(_fits(_positive(request), node.available) for node in nodes)


def room_for(request: Mapping[str, float], nodes: Iterable[NodeResources], free: bool = False) -> int:
    """How many requests of this kind the nodes hold at once, each on one node; with `free`, of what is free now."""
    amounts = _positive(request)
    held = 0
    for node in nodes:
        has = node.available if free else node.total
        held += min((int((has.get(name, 0.0) + _TINY) // amount) for name, amount in amounts.items()), default=2**31)
    return held


def too_many(
    request: Mapping[str, float], count: int, nodes: Iterable[NodeResources], what: str, option: str
) -> str | None:
    """The sentence for `count` requests that this cluster can never hold at once, or None if it can.

    Args:
        what: they are, as "workers".
        option: that sets their number.
    """
    every = tuple(nodes)
    room = room_for(request, every)
    if room >= count:
        return None
    each = resources_text(request)
    have = resources_text(total_of(every), _IN_BYTES)
    less = f"{option} {room}, " if room else ""
    return f"{count} {what} with {each} each do not fit into this cluster, which has {have}: {less}{_ELSEWHERE}"


def why_group_waits(request: Mapping[str, float], count: int, nodes: Iterable[NodeResources], what: str) -> str:
    """Why `count` requests that begin together have not been placed yet; `STARTS` where there is room for them."""
    every = tuple(nodes)
    room = room_for(request, every, free=True)
    if room >= count:
        return STARTS.replace("a worker process", "worker processes") if count > 1 else STARTS
    now = resources_text(available_of(every), _IN_BYTES)
    return f"waits for {count} {what} with {resources_text(request)} each; free: {now}"


def no_more_in_use(request: Mapping[str, float], count: int, nodes: Iterable[NodeResources]) -> bool:
    """Whether `count` tasks with this request account for all that is in use of what it asks for."""
    all_nodes = tuple(nodes)
    total, available = total_of(all_nodes), available_of(all_nodes)
    used = {name: total.get(name, 0.0) - available.get(name, 0.0) for name in request}
    return all(used[name] <= count * amount + _TINY for name, amount in request.items())


def infeasible(
    request: Mapping[str, float],
    nodes: Iterable[NodeResources],
    label_selector: Mapping[str, str] | None = None,
) -> str | None:
    """The sentence for a request that no living node can ever satisfy, or None if one can.

    Ray itself waits forever in silence. With an autoscaler the cluster may still grow: the caller decides.
    """
    all_nodes = tuple(nodes)
    amounts = _positive(request)
    selector = label_selector or {}
    matching = tuple(node for node in all_nodes if matches(selector, node.labels))
    if any(_fits(amounts, node.total) for node in matching):
        return None
    asks = f"the cell asks for {_options(amounts)}"
    if not all_nodes:
        return f"No node is alive in this cluster: {asks}. Start over with %ray_init --restart."
    if not matching:
        return f"No node has the label {selector_text(selector)}. Drop --label-selector, {_ELSEWHERE}"
    if missing := [name for name in amounts if _largest(name, matching) <= _TINY]:
        return _no_such(missing[0], amounts[missing[0]], all_nodes)
    if large := [name for name in amounts if amounts[name] > _largest(name, matching) + _TINY]:
        return _too_large(large[0], amounts[large[0]], matching)
    have = "; ".join(resources_text(node.total, _IN_BYTES[1:]) for node in matching[:4])
    no_node = f"No single node has {_together(amounts)}"
    return f"{no_node}: {asks}, the nodes have {have}. Ask for less, {_ELSEWHERE}"


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels satisfies Ray's label selector (`b`, `!b`, `in(a,b)`, `!in(a,b)`)."""
    return all(_label_fits(wish, labels.get(key)) for key, wish in selector.items())


def selector_text(selector: Mapping[str, str]) -> str:
    """`zone=b, disk=!ssd`."""
    return ", ".join(f"{key}={value}" for key, value in selector.items())


_ELSEWHERE = "or connect elsewhere with %ray_init ADDRESS."


def _label_fits(wish: str, label: str | None) -> bool:
    if match := _IN.match(wish):
        values = [value.strip() for value in match[2].split(",")]
        return (label in values) != bool(match[1])
    return label != wish[1:] if wish.startswith("!") else label == wish


def _positive(request: Mapping[str, float]) -> dict[str, float]:
    return {name: float(amount) for name, amount in request.items() if amount and amount > _TINY}


def _sum(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    result: dict[str, float] = {}
    for part in parts:
        for name, amount in part.items():
            result[name] = result.get(name, 0.0) + amount
    return result


def _fits(amounts: Mapping[str, float], capacity: Mapping[str, float]) -> bool:
    return all(capacity.get(name, 0.0) + _TINY >= amount for name, amount in amounts.items())


def _largest(name: str, nodes: Iterable[NodeResources]) -> float:
    return max((node.total.get(name, 0.0) for node in nodes), default=0.0)


def _with_article(name: str) -> str:
    return f"a {name}" if name in ("CPU", "GPU") else f"the resource {name!r}" if name not in _IN_BYTES else name


def _together(amounts: Mapping[str, float]) -> str:
    parts = [f"{resource_name(n)} {amount_text(n, amounts[n])}" for n in in_order(amounts)]
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) + " together" if len(parts) > 1 else parts[0]


def _why_never(amounts: Mapping[str, float], nodes: Sequence[NodeResources]) -> str:
    for name in amounts:
        largest = _largest(name, nodes)
        if largest <= _TINY:
            return f"no node has {_with_article(name)}"
        if amounts[name] > largest + _TINY:
            asked = f"{amount_text(name, amounts[name])} {resource_name(name)}"
            return f"needs {asked} on one node; the largest node has {amount_text(name, largest)}"
    return "" if any(_fits(amounts, n.total) for n in nodes) else f"no single node has {_together(amounts)}"


def _why_not_now(amounts: Mapping[str, float], nodes: Sequence[NodeResources]) -> str:
    if any(_fits(amounts, node.available) for node in nodes):
        return STARTS
    for name in in_order(amounts):
        free = max(node.available.get(name, 0.0) for node in nodes)
        if free + _TINY < amounts[name]:
            return _in_use(name, amounts[name], free, nodes)
    return f"waits until one node has {_together(amounts)} free"


def _in_use(name: str, need: float, free: float, nodes: Sequence[NodeResources]) -> str:
    total, available = total_of(nodes).get(name, 0.0), available_of(nodes).get(name, 0.0)
    if available + _TINY >= need:
        most = f"needs {amount_text(name, need)} on one node, {amount_text(name, free)} free at most"
        return f"waits for {resource_name(name)}: {most}"
    used = total - available
    verb = "is" if name in _IN_BYTES or used <= 1 else "are"
    share = f"{amount_text(name, used)} of {amount_text(name, total)}"
    return f"waits for {resource_name(name)}: {share} {verb} in use"


def _option(name: str, amount: float) -> str:
    if name not in _OPTIONS:
        return f"--resources {json.dumps({name: int(amount) if amount == int(amount) else amount})}"
    value = size_argument(amount) if name in _IN_BYTES else number_text(amount)
    return f"{_OPTIONS[name]} {value}"


def _options(amounts: Mapping[str, float]) -> str:
    return " ".join(_option(name, amounts[name]) for name in in_order(amounts))


def _no_such(name: str, amount: float, nodes: Sequence[NodeResources]) -> str:
    shown = name if name in _OPTIONS else json.dumps(name)
    has = resources_text(total_of(nodes), hide=("object_store_memory",))
    drop = _OPTIONS.get(name, "--resources")
    return (
        f"No {shown} in this cluster: the cell asks for {_option(name, amount)}, the cluster has {has}. "
        f"Drop {drop}, {_ELSEWHERE}"
    )


def _too_large(name: str, amount: float, nodes: Sequence[NodeResources]) -> str:
    most = amount_text(name, _largest(name, nodes))
    return (
        f"No node with {amount_text(name, amount)} {resource_name(name)}: the cell asks for "
        f"{_option(name, amount)}, the largest node has {most}. Ask for less, {_ELSEWHERE}"
    )
