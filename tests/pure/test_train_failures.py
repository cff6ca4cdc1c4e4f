"""How a failed training reads, and what it leaves in the notebook."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ray_magics.cell.source import CellSource
from ray_magics.errors import RayMagicsError, RunCancelled, WorkerLost
from ray_magics.verbs.train.failures import training_failed
from ray_magics.verbs.train.run import TrainRun
from tests.pure.test_train_plan import plan_of

ActorDiedError = type("ActorDiedError", (Exception,), {})


@pytest.mark.parametrize(
    ("failures", "kind", "words"),
    [
        pytest.param({1: ActorDiedError()}, WorkerLost, "the worker of rank 1 died", id="a death"),
        pytest.param({0: ValueError("Returning tensors\nis not supported")}, RayMagicsError,
                     "rank 0: ValueError: Returning tensors; 2 reports", id="an error of Ray's own"),
        pytest.param({0: ActorDiedError(), 1: ValueError("bad")}, RayMagicsError, "rank 1: ValueError", id="both"),
    ],
)  # fmt: skip
def test_failures_without_a_line_of_the_user(failures: Any, kind: type, words: str) -> None:
    error: Any = SimpleNamespace(worker_failures=failures)
    said = training_failed(error, {}, str, "2 reports")
    assert type(said) is kind and words in str(said) and said.__cause__ in failures.values()


def test_a_run_that_came_to_nothing_leaves_the_name_what_it_was() -> None:
    namespace = {"result": "that of before"}
    run = TrainRun(plan_of("--into result", "train.report({})"), namespace, CellSource("", name="In[1]"))
    run.outcome = SimpleNamespace(checkpoint=None, error=None)
    run.state = "stopping"
    run.end("cancelled", RunCancelled("stopped"))
    with pytest.raises(RunCancelled):
        run.finish()
    assert namespace == {"result": "that of before"} and isinstance(run.outcome.error, RunCancelled)


def test_a_run_that_has_reported_binds_what_there_is() -> None:
    namespace: dict[str, Any] = {"result": "that of before"}
    run = TrainRun(plan_of("--into result", "train.report({})"), namespace, CellSource("", name="In[1]"))
    run.progress.history.add(0.5, [{"a": 1}])
    run.outcome = outcome = SimpleNamespace(checkpoint=None, error=None)
    run.end("failed", RayMagicsError("broken"))
    with pytest.raises(RayMagicsError):
        run.finish()
    assert namespace["result"] is outcome


class Controller:
    """Records what is asked of it."""

    def __init__(self) -> None:
        self.aborts = 0
        self.abort = SimpleNamespace(remote=self._abort)

    def _abort(self) -> str:
        self.aborts += 1
        return "ref"


@pytest.mark.parametrize(
    ("phase", "force", "kills", "aborts"),
    [("SCHEDULING", False, True, 0), ("RUNNING", False, False, 1), ("RUNNING", True, True, 0)],
)
def test_a_controller_that_starts_workers_is_killed_and_one_that_trains_is_asked(
    phase: str, force: bool, kills: bool, aborts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[Any] = []
    monkeypatch.setattr("ray_magics.verbs.train.run.kill", killed.append)
    run = TrainRun(plan_of("", "train.report({})"), {}, CellSource("", name="In[1]"))
    run.progress.controller, run.progress.phase = (controller := Controller()), phase
    run.stopping.ask(0.0, force)
    run.stop_library()
    run.stop_library()
    assert (bool(killed), controller.aborts) == (kills, aborts)
