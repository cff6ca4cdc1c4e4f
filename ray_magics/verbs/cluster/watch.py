"""The status of the cluster, again and again: cheap, never late, honest when the cluster is gone."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ...errors import RayApiMissing
from ...raylib.gcs import ControlService, cluster_state_without_gcs
from ...resources import ClusterState, NodeState
from ...run.registry import registry
from ...run.status import RunStatus
from .plan import Connection
from .probe import listens
from .snapshot import cluster_meters, count_states, living_nodes, node_status, waiting_requests
from .status import ClusterStatus

log = logging.getLogger(__name__)

ANSWER_SECONDS = 1.0
TASK_COUNT_SECONDS = 3.0


@dataclass
class ClusterWatch:
    """Polls one connection. `status` costs some 2 ms; tasks are counted apart, every few seconds.

    Attributes:
        service: the cluster's control service, once it was asked.
        service_missing: this Ray does not let it be asked; then there is only what Ray's public functions say.
        last_status, last_state: what the last polls saw.
        polled_at, heard_at, counted_at: monotonic time of the last full answer, sign of life, count of tasks.
    """

    connection: Connection
    service: ControlService | None = None
    service_missing: bool = False
    last_status: ClusterStatus | None = None
    last_state: ClusterState = field(default_factory=ClusterState, repr=False)
    polled_at: float = float("-inf")
    heard_at: float = float("-inf")
    task_counts: tuple[tuple[str, int], ...] = ()
    counted_at: float = 0.0
    count_thread: threading.Thread | None = field(default=None, repr=False)

    def status(self, clock: Callable[[], float] = time.time) -> ClusterStatus:
        """The cluster now; one that does not answer within a second is lost."""
        now = clock()
        try:
            state = self.state()
        except ConnectionError as error:
            return self._lost(now, str(error))
        has_raylet = self.has_raylet()
        nodes = state.nodes if has_raylet else tuple(map(self._as_dead, state.nodes))
        self.last_status = self._connected(replace(state, nodes=nodes), now)
        if not has_raylet or (nodes and not living_nodes(nodes)):
            return self._lost(now, "Ray's process on this machine has died")
        self._refresh_task_counts()
        return self.last_status

    def state(self, max_age: float = 0.0) -> ClusterState:
        """What the control service says now, or said at most `max_age` seconds ago.

        Raises `ConnectionError` when it does not answer.
        """
        if time.monotonic() - self.polled_at > max_age:
            try:
                self.last_state = self._poll()
            except ConnectionError:
                self.heard_at = float("-inf")
                raise
            self.polled_at = self.heard_at = time.monotonic()
        return self.last_state

    def is_alive(self, max_age: float) -> bool:
        """Whether the control service was heard in the last `max_age` seconds, or is there now."""
        if time.monotonic() - self.heard_at > max_age and listens(self.connection.address, ANSWER_SECONDS):
            self.heard_at = time.monotonic()
        return time.monotonic() - self.heard_at <= max_age

    def has_raylet(self) -> bool:
        """Whether Ray's process on this machine is there: that of the node to which this kernel is connected.

        The control service notices its end only some 15 s later. Takes a tenth of a millisecond.
        """
        own = next((node for node in self.last_state.nodes if node.id == self.connection.node_id), None)
        return own is None or not own.raylet or listens(own.raylet, ANSWER_SECONDS)

    def _as_dead(self, node: NodeState) -> NodeState:
        """The node of this machine as what it is; the others as they are."""
        return replace(node, alive=False, note="its process has died") if node.id == self.connection.node_id else node

    def close(self) -> None:
        if self.service is not None:
            self.service.close()

    def _poll(self) -> ClusterState:
        address = self.connection.address
        if not self.connection.has_control_service:
            return cluster_state_without_gcs()
        if not listens(address, ANSWER_SECONDS):
            raise ConnectionError(f"nothing listens at {address} any more")
        if not self.service_missing:
            try:
                self.service = self.service or ControlService(address)
                return self.service.cluster_state(ANSWER_SECONDS)
            except RayApiMissing as error:
                self._do_without_service(error)
        return cluster_state_without_gcs()

    def _do_without_service(self, error: RayApiMissing) -> None:
        log.warning("What waits, actors, tasks and the load of single nodes are not shown: %s", error)
        self.close()
        self.service, self.service_missing = None, True

    def _connected(self, state: ClusterState, now: float) -> ClusterStatus:
        return ClusterStatus(
            "connected",
            address=self.connection.address,
            dashboard=self.connection.dashboard,
            ray=self.connection.ray,
            python=self.connection.python,
            time=now,
            meters=cluster_meters(state.nodes),
            nodes=tuple(node_status(node) for node in state.nodes),
            tasks=self.task_counts,
            actors=count_states(actor for actor in state.actors if actor != "DEAD"),
            waiting=waiting_requests(state.waiting, state.nodes),
            runs=live_runs(),
        )

    def _lost(self, now: float, why: str) -> ClusterStatus:
        last = self.last_status or ClusterStatus("lost", ray=self.connection.ray, python=self.connection.python)
        age = f" What is shown is {now - last.time:.0f} s old." if self.last_status and now - last.time >= 1 else ""
        return replace(
            last,
            state="lost",
            address=self.connection.address,
            time=now,
            message=f"The cluster is lost: {why}. %ray_init --restart begins anew.{age}",
            tasks=(),
            actors=(),
            waiting=(),
            runs=live_runs(),
        )

    def _refresh_task_counts(self) -> None:
        """Starts a thread that counts, so that no status waits for it."""
        is_counting = self.count_thread is not None and self.count_thread.is_alive()
        if self.service is None or is_counting or time.monotonic() - self.counted_at < TASK_COUNT_SECONDS:
            return
        self.counted_at = time.monotonic()
        self.count_thread = threading.Thread(target=self._count_tasks, args=(self.service,), daemon=True)
        self.count_thread.start()

    def _count_tasks(self, service: ControlService) -> None:
        try:
            self.task_counts = service.task_counts(timeout=10.0)
        except Exception as error:
            log.debug("tasks could not be counted: %r", error)


def not_connected(clock: Callable[[], float] = time.time) -> ClusterStatus:
    """The status before the first connection and after the last."""
    python = platform.python_version()
    message = "Not connected. %ray_init connects or starts; the first cell that needs Ray does so too."
    return ClusterStatus("none", python=python, time=clock(), message=message, runs=live_runs())


def live_runs() -> tuple[RunStatus, ...]:
    """The runs of this kernel that have not ended, newest first."""
    return tuple(run.brief() for run in reversed(registry.live()))
