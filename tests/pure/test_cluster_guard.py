"""The guard of a connection: a kernel outlives its cluster, on a clock of the test's own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from ray_magics import connection
from ray_magics.connection import Session
from ray_magics.errors import ClusterLost, UsageError
from ray_magics.run.run import Run
from ray_magics.verbs.cluster import run as cluster_run
from ray_magics.verbs.cluster import watch as watching
from ray_magics.verbs.cluster.plan import Connection
from ray_magics.verbs.cluster.watch import ClusterWatch

RAY_ENDS_THE_KERNEL = 60.0  # seconds after the control service has died


@dataclass
class World:
    """A clock that sleeping moves, and a control service that answers until `dies`, and again from `returns` on."""

    now: float = 1000.0
    dies: float = 1030.0
    returns: float = float("inf")
    connected: bool = True
    session: Session = field(default_factory=lambda: Session(("10.0.0.1:6379", "node", "01000000")))
    at: dict[float, Callable[[], object]] = field(default_factory=dict)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for due in [moment for moment in self.at if moment <= self.now]:
            self.at.pop(due)()

    def listens(self, address: str, timeout: float) -> bool:
        there = not self.dies <= self.now < self.returns
        self.now += 0.001 if there else timeout
        return there

    def shutdown(self) -> None:
        self.connected, self.session = False, Session(("", "", ""))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World()
    clock = SimpleNamespace(monotonic=world.monotonic, sleep=world.sleep, time=world.monotonic)
    for module in (cluster_run, watching):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(cluster_run, "listens", world.listens)
    monkeypatch.setattr(watching, "listens", world.listens)
    monkeypatch.setattr(cluster_run, "is_up", lambda: world.connected)
    monkeypatch.setattr(cluster_run, "session", lambda: world.session)
    monkeypatch.setattr(cluster_run, "_lost", [])
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(shutdown=world.shutdown))
    yield world


def watch() -> ClusterWatch:
    """The watch of a new connection, which is the present one from now on."""
    return cluster_run.session().put(ClusterWatch(Connection(address="10.0.0.1:6379")))


def test_a_dead_cluster_is_let_go_before_ray_ends_the_kernel(world: World) -> None:
    cluster_run._guard(watch())
    assert not world.connected
    assert world.now - world.dies + cluster_run.GUARD_SECONDS >= cluster_run.DISCONNECT_SECONDS
    assert world.now - world.dies < RAY_ENDS_THE_KERNEL - 10
    assert cluster_run.snapshot().state == "lost"


def test_after_letting_go_no_verb_starts_a_cluster_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_run._guard(watch())
    monkeypatch.setattr(cluster_run.join, "join_or_start", lambda plan: pytest.fail(f"connects: {plan}"))
    with pytest.raises(UsageError, match=r"10\.0\.0\.1:6379 is gone.*%ray_init --restart"):
        cluster_run.ensure_connected()


def test_a_service_that_is_silent_for_a_while_is_kept(world: World) -> None:
    world.returns = world.dies + cluster_run.DISCONNECT_SECONDS - 2 * cluster_run.GUARD_SECONDS
    world.at[world.returns + 100] = watch  # ends the guard of the first
    cluster_run._guard(watch())
    assert world.connected and world.now > world.returns + 100


def test_the_guard_of_an_earlier_connection_leaves_the_present_one_alone(world: World) -> None:
    earlier = watch()
    world.at[world.dies + 10] = watch
    cluster_run._guard(earlier)
    assert world.connected and cluster_run.session().get(ClusterWatch) is not earlier


def test_nobody_waits_for_a_dead_cluster_that_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes some seconds to let go of it."""
    seen: list[object] = []

    def ask() -> None:
        seen.append(cluster_run.lost(10.0))
        with pytest.raises(UsageError, match="is gone"):
            cluster_run.ensure_connected()

    def shutdown() -> None:
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        world.shutdown()

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(shutdown=shutdown))
    cluster_run._guard(watch())
    assert "10.0.0.1:6379 is gone" in str(seen[0])


def test_a_cluster_is_lost_once_it_was_silent_for_so_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_run, "_has_nodes", lambda watch, max_age: True)
    watch()
    world.now = world.dies - 1
    assert cluster_run.lost(10.0) == ""
    world.now = world.dies + 5
    assert cluster_run.lost(10.0) == ""
    world.now = world.dies + 10
    assert "10.0.0.1:6379 is gone" in cluster_run.lost(10.0) and "%ray_init --restart" in cluster_run.lost(10.0)


def test_a_run_ends_with_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sleeper(Run):
        def submit(self) -> None:
            self.state = "running"

        def tick(self) -> None:
            self.watch_cluster(time.monotonic() + 2)

        def status(self) -> None: ...

    monkeypatch.setattr(connection, "lost", lambda max_age: "The cluster is gone. %ray_init --restart begins anew.")
    run = Sleeper("In[1]", "ray_remote")
    run.drive()
    with pytest.raises(ClusterLost, match="%ray_init --restart"):
        run.result()
