"""The status of a cluster, as the views show it: one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...run.status import RunStatus

State = Literal["connected", "lost", "none", "ended"]


@dataclass(frozen=True)
class ResourceUsage:
    """`used` of `total`, both in `unit` (`""` for counts, `"bytes"`)."""

    name: str
    used: float
    total: float
    unit: str = ""


@dataclass(frozen=True)
class NodeStatus:
    """One machine; `id` is Ray's node id in hex, `note` says in words what is wrong with it."""

    id: str
    name: str
    alive: bool
    head: bool
    meters: tuple[ResourceUsage, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Waiting:
    """`count` requests for the same resources that Ray has not placed yet, and why."""

    request: str
    count: int
    why: str


@dataclass(frozen=True)
class ClusterStatus:
    """The whole cluster at `time` (seconds since 1970); `state` is none before a connection."""

    state: State
    address: str = ""
    dashboard: str = ""
    ray: str = ""
    python: str = ""
    time: float = 0.0
    message: str = ""
    meters: tuple[ResourceUsage, ...] = ()
    nodes: tuple[NodeStatus, ...] = ()
    tasks: tuple[tuple[str, int], ...] = ()
    actors: tuple[tuple[str, int], ...] = ()
    waiting: tuple[Waiting, ...] = ()
    runs: tuple[RunStatus, ...] = ()
