"""The connection that every verb needs: a facade of the verb `cluster`, which finds, starts and ends it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from .resources import NodeResources

T = TypeVar("T")


class Connector(Protocol):
    """What the verb `cluster` provides; see `cluster.run`."""

    def ensure_connected(self) -> Any:
        """Finds or starts a cluster, and says which in one line if it is new."""

    def nodes(self, max_age: float = 0.0) -> tuple[NodeResources, ...]:
        """The living nodes: what they have and what is free, as known for at most `max_age` seconds."""
        ...

    def lost(self, max_age: float) -> str:
        """What to say of a cluster that was not heard in the last `max_age` seconds; "" while it is there."""
        ...

    def can_grow(self) -> bool:
        """Whether an autoscaler may add nodes."""
        ...

    def join_existing(self) -> bool:
        """Joins the cluster that there is, and starts none; whether there is one."""
        ...

    def owns_cluster(self) -> bool:
        """Whether the cluster ends with this process."""
        ...


_connectors: list[Callable[[], Connector]] = []


def set_connector(get_connector: Callable[[], Connector]) -> None:
    """Says who connects; `get_connector` is called whenever somebody needs it."""
    _connectors[:] = [get_connector]


def ensure_connected() -> None:
    """Raises UsageError where there is no cluster and none can be started."""
    _connectors[-1]().ensure_connected()


def is_up() -> bool:
    """Whether this process is connected; asks without importing Ray."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


SessionId = tuple[str, str, str]


def session_id() -> SessionId:
    """Tells one connection from the next: address, node, job; Ray's job id alone is 01000000 on every new cluster.

    Three empty texts without a connection. Takes some 20 microseconds.
    """
    if not is_up():
        return "", "", ""
    import ray

    context = ray.get_runtime_context()
    return getattr(context, "gcs_address", ""), context.get_node_id(), context.get_job_id()


class Session:
    """What lives as long as one connection: parts, each the only object of its class.

    A part that has a method `close` is closed when the connection has ended.
    """

    def __init__(self, id: SessionId) -> None:
        self.id = id
        self._parts: dict[type, Any] = {}
        self._lock = threading.RLock()

    def part(self, kind: type[T]) -> T:
        """The one object of this class that belongs to the connection, made when it is first asked for."""
        with self._lock:
            if kind not in self._parts:
                self._parts[kind] = kind()
            part: T = self._parts[kind]
            return part

    def put(self, part: T) -> T:
        """Takes an object that was made elsewhere as the one of its class; one that was there is closed."""
        with self._lock:
            before = self._parts.get(type(part))
            self._parts[type(part)] = part
        _close(before)
        return part

    def get(self, kind: type[T]) -> T | None:
        """The object of this class, if there is one."""
        with self._lock:
            return self._parts.get(kind)

    def close(self) -> None:
        """Lets go of all parts."""
        with self._lock:
            parts, self._parts = self._parts, {}
        for part in parts.values():
            _close(part)

    def drop(self, kind: type) -> None:
        """Lets go of the object of this class; the next one that asks gets a new one."""
        with self._lock:
            self._parts.pop(kind, None)


def _close(part: object) -> None:
    if callable(close := getattr(part, "close", None)):
        close()


_present: list[Session] = [Session(("", "", ""))]
_changing = threading.RLock()


def session() -> Session:
    """The session of the present connection; of none, where there is none."""
    id = session_id()
    present = _present[0]
    if present.id == id:
        return present
    with _changing:
        if _present[0] is present:
            _present[0] = Session(id)
            present.close()
        return _present[0]


def nodes(max_age: float = 0.0) -> tuple[NodeResources, ...]:
    return _connectors[-1]().nodes(max_age)


def lost(max_age: float) -> str:
    return _connectors[-1]().lost(max_age)


def can_grow() -> bool:
    return _connectors[-1]().can_grow()


def join_existing() -> bool:
    return _connectors[-1]().join_existing()


def owns_cluster() -> bool:
    return _connectors[-1]().owns_cluster()
