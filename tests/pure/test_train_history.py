"""What a training has reported, and its events, without a cluster."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ray_magics.raylib import train_events
from ray_magics.verbs.train.history import ALWAYS, MOST_BUCKETS, History, ThinnedCurve, json_number
from ray_magics.verbs.train.history_file import HistoryFile
from ray_magics.verbs.train.progress import TrainingProgress
from ray_magics.worker.failure import CARRIED

# --- curves


@pytest.mark.parametrize("count", [1, 2, MOST_BUCKETS, MOST_BUCKETS + 1, 1000, 10_007])
def test_a_thinned_curve_is_short_and_keeps_its_extremes_and_its_end(count: int) -> None:
    curve = ThinnedCurve()
    values = [math.sin(step) * step for step in range(1, count + 1)]
    for step, value in enumerate(values, 1):
        curve.add((step, step / 10, value))
    points = curve.points()
    drawn = [value for _, _, value in points]
    assert len(points) <= 2 * MOST_BUCKETS + 1 and points[-1][0] == count
    assert (min(drawn), max(drawn)) == (min(values), max(values))
    assert [step for step, _, _ in points] == sorted({step for step, _, _ in points})


def test_a_stretch_without_numbers_is_a_gap() -> None:
    curve = ThinnedCurve()
    for step, value in enumerate([1.0, math.nan, math.nan, 2.0], 1):
        curve.add((step, 0.0, value))
    assert [math.isnan(value) for _, _, value in curve.points()] == [False, True, True, False]


def test_history_keeps_every_report_of_every_rank() -> None:
    history = History()
    for step in range(3):
        history.add(step / 2, [{"loss": step, "note": "a"}, {"loss": step + 1, "note": "b"}])
    table = history.to_table()
    assert len(table) == 6 and list(table.columns) == ["report", "seconds", "rank", "loss", "note"]
    assert list(table[table["rank"] == 1]["loss"]) == [1, 2, 3]
    assert list(History().to_table().columns) == ["report", "seconds", "rank"]


def test_a_metric_called_like_a_column_of_the_table_has_another_name_there() -> None:
    history = History()
    history.add(0.5, [{"step": 100, "rank": 7, "seconds": -1.0}])
    (row,) = history.to_table().to_dict("records")
    assert row == {"report": 1, "seconds": 0.5, "rank": 0, "step": 100, "reported_rank": 7, "reported_seconds": -1.0}


def test_a_run_that_goes_on_has_the_reports_before_it(tmp_path: Path) -> None:
    first, second = TrainingProgress(), TrainingProgress()
    first.keep_in(HistoryFile(str(tmp_path)))
    for event in (started(0, 1), report(102.0, loss=1.0), report(103.0, loss=math.nan)):
        first.take(event)
    second.keep_in(HistoryFile(str(tmp_path)))
    second.begin_with(SimpleNamespace(best_checkpoints=[]))
    for event in ({**started(0, 1), "time": 500.0}, report(501.0, loss=0.5)):
        second.take(event)
    table = second.history.to_table()
    assert list(table[table["rank"] == 0]["report"]) == [1, 2, 3]
    assert [seconds for _, seconds, _ in second.history.reports] == [2.0, 3.0, 4.0]
    assert len(list(HistoryFile(str(tmp_path)).read())) == 3


def test_reports_of_a_new_run_replace_those_in_its_folder_and_a_broken_line_ends_them(tmp_path: Path) -> None:
    for value in (1, 2):
        HistoryFile(str(tmp_path)).append(0.5, [{"a": value}])
    with open(tmp_path / "reports.jsonl", "a") as file:
        file.write("[0.6, [{")
    assert list(HistoryFile(str(tmp_path)).read()) == [(0.5, [{"a": 2}])]


@pytest.mark.parametrize("folder", ["s3://bucket/run", "/there/is/no/such/folder"])
def test_reports_that_cannot_be_kept_harm_nothing(folder: str) -> None:
    file = HistoryFile(folder)
    file.append(0.5, [{"a": 1}])
    assert list(file.read()) == []


def test_a_row_has_the_mean_and_each_rank_and_only_numbers_are_metrics() -> None:
    history = History()
    history.add(0.5, [{"loss": 1.0, "ok": True, "name": "x"}, {"loss": 3.0}])
    (row,) = history.rows()
    assert (row["id"], row["last"]) == ("loss", 2.0)
    assert [(line["name"], line["points"]) for line in row["lines"]] == [
        ("mean", [[1, 0.5, 2.0]]),
        ("rank 0", [[1, 0.5, 1.0]]),
        ("rank 1", [[1, 0.5, 3.0]]),
    ]


def test_numbers_that_json_has_not_are_counted_and_written_as_text() -> None:
    history = History()
    for value in (1.0, math.nan, math.inf):
        history.add(0.0, [{"loss": value}])
    (row,) = history.rows()
    assert (row["last"], row["least"], row["unfinite"]) == ("Infinity", 1.0, 2)
    assert [json_number(value) for value in (math.nan, -math.inf, None, 0.1234567)] == [
        "NaN",
        "-Infinity",
        None,
        0.123457,
    ]


def test_a_whole_number_beyond_all_floats_is_infinite_in_a_curve_and_whole_in_the_table() -> None:
    history = History()
    history.add(0.0, [{"huge": 10**400}])
    assert history.rows()[0]["last"] == "Infinity" and history.reports[0][2][0]["huge"] == 10**400


def test_a_long_curve_is_drawn_anew_only_when_it_has_grown() -> None:
    history = History()
    rows = set()
    for step in range(10_000):
        history.add(step, [{"loss": float(step)}])
        rows.add(id(history.rows()[0]))
    assert ALWAYS < len(rows) < 500
    assert history.rows(at_once=True)[0]["last"] == 9999


# --- events


def test_what_a_report_holds_travels_as_numbers_and_text() -> None:
    numpy = pytest.importorskip("numpy")
    report = SimpleNamespace(checkpoint=None)
    event = train_events.reported(
        report,
        [
            {
                "a": numpy.float32(0.5),
                "n": numpy.int64(3),
                "eval": {"acc": 1},
                "o": [1, object],
                "none": None,
                "v": numpy.ones(2),
            }
        ],
    )
    assert event["metrics"] == [
        {"a": 0.5, "n": 3, "eval/acc": 1, "o": [1, repr(object)], "none": None, "v": [1.0, 1.0]}
    ]
    assert type(event["metrics"][0]["n"]) is int


def test_a_report_that_is_no_dict_is_kept_as_a_value() -> None:
    event = train_events.reported(SimpleNamespace(checkpoint=None), [[1, 2]])  # type: ignore[list-item]
    assert event["metrics"] == [{"value": [1, 2]}]


def test_a_rank_that_has_failed_has_ended_though_its_thread_runs() -> None:
    one = SimpleNamespace(running=True, error=ValueError())
    assert train_events.ended_ranks(SimpleNamespace(worker_statuses={0: one})) == {0: True}


def test_the_first_failure_that_a_loop_raised_is_the_trouble() -> None:
    own = ValueError("bad")
    setattr(own, CARRIED, {"failure": {"title": "ValueError: bad"}})
    group = SimpleNamespace(worker_failures={0: RuntimeError("connection reset"), 1: own})
    assert train_events.error_text(group) == "rank 1: ValueError: bad"  # type: ignore[arg-type]


def started(*ranks: int, pid: int = 10) -> dict[str, Any]:
    workers = [{"rank": rank, "node": "10.0.0.1", "pid": pid + rank, "gpus": []} for rank in ranks]
    return {"kind": "workers", "time": 100.0, "workers": workers}


def report(time: float, checkpoint: dict[str, Any] | None = None, **metrics: Any) -> dict[str, Any]:
    return {"kind": "report", "time": time, "metrics": [metrics, metrics], "checkpoint": checkpoint}


def alive(rank: int, reports: int, waits: float = 0.0, pid: int = 10) -> dict[str, Any]:
    return {"kind": "worker", "rank": rank, "pid": pid + rank, "memory": 2**20, "reports": reports, "waits": waits}


def progress_of(*events: dict[str, Any], **options: Any) -> TrainingProgress:
    progress = TrainingProgress(**options)
    for event in events:
        progress.take(event)
    return progress


def test_reports_of_a_rank_that_died_are_those_that_were_taken_in() -> None:
    progress = progress_of(started(0, 1), report(101.0, loss=1.0), report(102.0, loss=1.0), alive(0, 4))
    assert [progress.ranks[rank].reports for rank in (0, 1)] == [4, 2]


def test_seconds_count_from_the_first_workers_on() -> None:
    progress = progress_of(started(0, 1), report(102.5, loss=1.0), started(0, 1), report(110.0, loss=0.5))
    assert [seconds for _, seconds, _ in progress.history.reports] == [2.5, 10.0]


def test_a_rank_that_has_ended_is_named_while_another_waits_for_it() -> None:
    ended = {"kind": "ended", "ranks": {1: False}}
    progress = progress_of(started(0, 1), alive(1, 3), ended, alive(0, 4, waits=12.0))
    assert "rank 0 waits in its report 4 for rank 1, which has ended (report 3)" in progress.behind()
    assert not progress_of(started(0, 1), alive(1, 3), alive(0, 4, waits=2.0)).behind()


def test_a_sign_of_life_of_a_dead_worker_says_nothing_of_its_successor() -> None:
    progress = progress_of(started(0, pid=10), started(0, pid=20), alive(0, 7, pid=10))
    assert progress.ranks[0].reports == 0


def test_checkpoints_that_are_gone_are_marked_and_the_best_is_known() -> None:
    def checkpoint(name: str, *kept: str) -> dict[str, Any]:
        return {"name": name, "path": f"/x/{name}", "size": 10, "kept": [*kept]}

    progress = progress_of(
        started(0, 1),
        report(101.0, checkpoint("a", "a"), loss=3.0),
        report(102.0, checkpoint("b", "a", "b"), loss=1.0),
        report(103.0, checkpoint("c", "b", "c"), loss=2.0),
        score_attribute="loss",
        score_order="min",
    )
    assert [(one.name, one.kept) for one in progress.checkpoints.values()] == [("a", False), ("b", True), ("c", True)]
    assert progress.best == "b"


def test_states_count_restarts_and_keep_the_reason() -> None:
    def state(name: str, error: str = "") -> dict[str, Any]:
        return {"kind": "state", "state": name, "error": error, "workers": None}

    progress = progress_of(state("RUNNING"), state("RESTARTING", "rank 1: the worker died"), state("RUNNING"))
    assert (progress.restarts, progress.trouble, progress.phase) == (1, "rank 1: the worker died", "RUNNING")
