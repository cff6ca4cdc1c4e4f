"""The status of the cluster, again and again: cheap, never late, honest when the cluster is gone."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ...raylib import core as private
from ...resources import ClusterState
from ...run.registry import registry
from ...run.status import RunStatus
from . import snapshot as facts_of
from .plan import Connection
from .probe import listens
from .status import ClusterStatus

log = logging.getLogger(__name__)

ANSWER_SECONDS = 1.0
TASK_COUNT_SECONDS = 3.0


@dataclass
class ClusterWatch:
    """Watches one connection. `status` costs some 2 ms; tasks are counted apart, every few seconds."""

    connection: Connection
    service: private.ControlService | None = None
    last: ClusterStatus | None = None
    tasks: tuple[tuple[str, int], ...] = ()
    counted: float = 0.0
    counting: threading.Thread | None = field(default=None, repr=False)
    recent: ClusterState = field(default_factory=ClusterState, repr=False)
    asked: float = float("-inf")
    heard: float = float("-inf")

    def status(self, clock: Callable[[], float] = time.time) -> ClusterStatus:
        """The cluster now; one that does not answer within a second is lost."""
        now = clock()
        try:
            facts = self.facts()
        except ConnectionError as error:
            return self._lost(now, str(error))
        self._count_tasks()
        self.last = self._connected(facts, now)
        return self.last

    def facts(self, max_age: float = 0.0) -> ClusterState:
        """What the control service says now, or said at most `max_age` seconds ago.

        Raises `ConnectionError` when it does not answer.
        """
        if time.monotonic() - self.asked > max_age:
            try:
                self.recent = self._ask()
            except ConnectionError:
                self.heard = float("-inf")
                raise
            self.asked = self.heard = time.monotonic()
        return self.recent

    def alive(self, max_age: float) -> bool:
        """Whether the control service was heard in the last `max_age` seconds, or is there now."""
        if time.monotonic() - self.heard > max_age and listens(self.connection.address, ANSWER_SECONDS):
            self.heard = time.monotonic()
        return time.monotonic() - self.heard <= max_age

    def _ask(self) -> ClusterState:
        address = self.connection.address
        if not self.connection.has_control_service:
            return private.public_cluster_state()
        if not listens(address, ANSWER_SECONDS):
            raise ConnectionError(f"nothing listens at {address} any more")
        return self._service().facts(ANSWER_SECONDS)

    def close(self) -> None:
        if self.service is not None:
            self.service.close()

    def _service(self) -> private.ControlService:
        if self.service is None:
            self.service = private.ControlService(self.connection.address)
        return self.service

    def _connected(self, facts: ClusterState, now: float) -> ClusterStatus:
        return ClusterStatus(
            "connected",
            address=self.connection.address,
            dashboard=self.connection.dashboard,
            ray=self.connection.ray,
            python=self.connection.python,
            time=now,
            meters=facts_of.cluster_meters(facts.nodes),
            nodes=tuple(facts_of.node_status(node) for node in facts.nodes),
            tasks=self.tasks,
            actors=facts_of.counted(facts.actors),
            waiting=facts_of.waiting(facts.waiting, facts.nodes),
            runs=live_runs(),
        )

    def _lost(self, now: float, why: str) -> ClusterStatus:
        last = self.last or ClusterStatus("lost", ray=self.connection.ray, python=self.connection.python)
        age = f" What is shown is {max(now - last.time, 0):.0f} s old." if self.last else ""
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

    def _count_tasks(self) -> None:
        """Starts a thread that counts, so that no status waits for it."""
        busy = self.counting is not None and self.counting.is_alive()
        if self.service is None or busy or time.monotonic() - self.counted < TASK_COUNT_SECONDS:
            return
        self.counted = time.monotonic()
        self.counting = threading.Thread(target=self._count, args=(self.service,), daemon=True)
        self.counting.start()

    def _count(self, service: private.ControlService) -> None:
        try:
            self.tasks = service.tasks(timeout=10.0)
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
