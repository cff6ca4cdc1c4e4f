"""The logic of a run of tasks that has time in it: chunk sizes, late output, cancels, time-outs; on a fake cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ray_magics.cell.reader import read_cell
from ray_magics.cell.source import CellSource
from ray_magics.errors import ClusterLost, RunCancelled, RunTimeout, WorkerLost
from ray_magics.line.parsers import for_clause
from ray_magics.ship.captures import Captures
from ray_magics.verbs.remote.map_run import MapRun
from ray_magics.verbs.remote.plan import MAP, RemotePlan
from tests.fake_cluster import FakeCluster, FakeTask


def fan_out(cluster: FakeCluster, items: int | Any, **options: Any) -> MapRun:
    """A run over that many items, begun."""
    plan = RemotePlan(MAP, read_cell("x"), Captures(), items=for_clause("x in items"), quiet=True, **options)
    values = range(items) if isinstance(items, int) else items
    run = MapRun(plan, {"items": values}, CellSource("x"), cluster)
    run.begin()
    return run


def never(task: FakeTask) -> None:
    """A task that is not answered."""


def test_all_items_come_back_in_order() -> None:
    cluster = FakeCluster(cpus=4)
    run = fan_out(cluster, 1000)
    cluster.finish(run)
    assert run.state == "finished" and run.value() == list(range(1000))


@pytest.mark.parametrize(
    ("seconds", "least", "most"),
    [
        pytest.param(1e-5, 1000, 10_000, id="trivial items: thousands a task"),
        pytest.param(0.01, 10, 40, id="ten milliseconds: about chunk_seconds"),
        pytest.param(0.5, 1, 1, id="half a second: one a task"),
    ],
)
def test_chunks_are_sized_by_measurement(seconds: float, least: int, most: int) -> None:
    cluster = FakeCluster(seconds_per_item=seconds)
    run = fan_out(cluster, (number for number in range(10**7)))
    cluster.advance(run, 30)
    assert least <= len(cluster.tasks[-1].items) <= most


def test_towards_the_end_chunks_get_smaller_so_that_no_worker_idles() -> None:
    cluster = FakeCluster(seconds_per_item=0.004, cpus=2)
    run = fan_out(cluster, 2000)
    cluster.finish(run)
    sizes = [len(task.items) for task in cluster.tasks]
    assert sizes[-1] < max(sizes) / 3 and run.value() == list(range(2000))


def test_few_chunks_are_under_way_however_many_items_there_are() -> None:
    cluster = FakeCluster(seconds_per_item=0.01, cpus=2)
    run = fan_out(cluster, (number for number in range(10**7)))
    for _ in range(50):
        cluster.advance(run, 0.2)
        assert len(cluster.waiting) + len(cluster.running) <= 4


def test_a_chunk_that_dies_with_its_worker_is_sent_again_item_by_item() -> None:
    cluster = FakeCluster(seconds_per_item=0.01)
    work = cluster.work

    def dies(task: FakeTask) -> None:
        if 7 in task.items:
            cluster.at(0.01, lambda: cluster.fail(task, RuntimeError("WorkerCrashed")))
        else:
            work(task)

    cluster.work = dies  # type: ignore[method-assign]
    run = fan_out(cluster, 40, keep=True)
    cluster.finish(run)
    values = run.value()
    assert isinstance(values[7], WorkerLost) and [v for v in values if not isinstance(v, Exception)] == [
        number for number in range(40) if number != 7
    ]


def test_a_reply_waits_for_the_messages_that_its_task_has_sent() -> None:
    cluster = FakeCluster()
    cluster.work = never  # type: ignore[method-assign]
    run = fan_out(cluster, 1)
    (task,) = cluster.tasks
    cluster.reply(task, 1, messages=1)
    cluster.advance(run, 1.0)
    assert run.live
    cluster.say(run, task, "late\n")
    cluster.advance(run, 0.1)
    assert run.state == "finished" and "late" in run.logs()


def test_messages_that_never_come_hold_a_reply_up_for_two_seconds() -> None:
    cluster = FakeCluster()
    cluster.work = never  # type: ignore[method-assign]
    run = fan_out(cluster, 1)
    cluster.reply(cluster.tasks[0], 1, messages=3)
    cluster.advance(run, 1.9)
    assert run.live
    cluster.advance(run, 0.3)
    assert run.state == "finished"


def test_while_the_channel_starts_a_reply_waits_up_to_a_minute() -> None:
    cluster = FakeCluster()
    cluster.work, cluster.channel_since = never, float("inf")  # type: ignore[method-assign]
    run = fan_out(cluster, 1)
    cluster.reply(cluster.tasks[0], 1, messages=3)
    cluster.advance(run, 59)
    assert run.live
    cluster.advance(run, 2)
    assert run.state == "finished"


def stopped_run(ignores: set[str], **options: Any) -> tuple[FakeCluster, MapRun]:
    cluster = FakeCluster()
    cluster.work, cluster.ignores = never, ignores  # type: ignore[method-assign]
    run = fan_out(cluster, 2, chunk=1, **options)
    cluster.advance(run, 1.0)
    run.stop()
    return cluster, run


def test_a_stop_cancels_every_task_and_says_that_nothing_is_left() -> None:
    cluster, run = stopped_run(set())
    cluster.advance(run, 0.1)
    assert run.state == "cancelled" and isinstance(run.error, RunCancelled)
    assert "nothing is left running" in str(run.error) and all(task.cancels == [False] for task in cluster.tasks)


def test_a_cancel_that_was_not_heard_is_sent_again_every_second() -> None:
    cluster, run = stopped_run({"soft", "force"})
    cluster.advance(run, 3.5)
    assert all(task.cancels == [False] * 4 for task in cluster.tasks)


def test_after_the_grace_period_the_note_says_how_to_force() -> None:
    cluster, run = stopped_run({"soft", "force"})
    cluster.advance(run, 5.5)
    assert run.live and run.note == "2 tasks ignored the interrupt; interrupt again to force"


def test_a_second_stop_forces() -> None:
    cluster, run = stopped_run({"soft"})
    cluster.advance(run, 6)
    run.stop()
    cluster.advance(run, 0.1)
    assert run.state == "cancelled" and all(task.cancels[-1] for task in cluster.tasks)


def test_tasks_that_survive_even_force_are_told_after_two_grace_periods() -> None:
    cluster, run = stopped_run({"soft", "force"})
    cluster.advance(run, 1)
    run.stop(force=True)
    cluster.advance(run, 9.9)
    assert run.live
    cluster.advance(run, 0.5)
    assert run.state == "cancelled" and "2 tasks did not confirm the stop and may still run" in str(run.error)


def test_a_time_out_stops_and_forces_by_itself() -> None:
    cluster = FakeCluster()
    cluster.work, cluster.ignores = never, {"soft"}  # type: ignore[method-assign]
    run = fan_out(cluster, 1, timeout=3.0)
    cluster.advance(run, 2.9)
    assert run.state == "running"
    cluster.advance(run, 7)
    assert run.state == "failed" and isinstance(run.error, RunTimeout)
    assert cluster.tasks[0].cancels[0] is False and cluster.tasks[0].cancels[-1] is True


def test_a_cluster_that_falls_silent_ends_the_run() -> None:
    cluster = FakeCluster()
    cluster.work = never  # type: ignore[method-assign]
    run = fan_out(cluster, 1)
    cluster.silent_since = cluster.time
    cluster.advance(run, 9)
    assert run.live
    cluster.advance(run, 3)
    assert run.state == "failed" and isinstance(run.error, ClusterLost)


def test_a_stop_of_a_run_whose_cluster_is_silent_does_not_wait_for_it() -> None:
    cluster = FakeCluster()
    cluster.work = never  # type: ignore[method-assign]
    run = fan_out(cluster, 1)
    cluster.silent_since = cluster.time
    cluster.advance(run, 6)
    run.stop()
    cluster.advance(run, 0.1)
    assert run.state == "cancelled" and "what its cluster still runs is not known" in str(run.error)


@pytest.mark.parametrize(
    ("others", "after", "why"),
    [
        pytest.param(2, 1.5, "waits for CPU: 2 of 2 are in use", id="others hold the CPUs"),
        pytest.param(0, 3.0, "", id="its own workers are starting: no reason yet"),
        pytest.param(0, 6.0, "waits for a worker process to start", id="its own workers start slowly"),
    ],
)
def test_why_a_run_waits(others: int, after: float, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster(cpus=2)
    cluster.work = never  # type: ignore[method-assign]
    cluster.running = set(range(others))
    run = fan_out(cluster, 2, chunk=1)
    cluster.advance(run, after)
    assert run.status().why == why


@pytest.mark.parametrize("by", ["an interrupt", "the button of its view", "%ray_stop"])
def test_a_cancel_says_who_asked(by: str) -> None:
    cluster = FakeCluster()
    cluster.work = never  # type: ignore[method-assign]
    run = fan_out(cluster, 2, chunk=1)
    run.stop(by=by)
    cluster.advance(run, 0.1)
    assert f"was stopped by {by} after" in str(run.error)


def test_a_time_out_says_what_the_run_waited_for() -> None:
    cluster = FakeCluster(cpus=2)
    cluster.work, cluster.running = never, {0, 1}  # type: ignore[method-assign]
    run = fan_out(cluster, 2, chunk=1, timeout=5.0)
    cluster.advance(run, 20)
    assert isinstance(run.error, RunTimeout)
    assert "it had not begun: waits for CPU: 2 of 2 are in use; " in str(run.error)
