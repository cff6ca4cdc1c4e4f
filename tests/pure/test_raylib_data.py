"""Fails loudly when the private API of Ray Data changes that `ray_magics/raylib/data.py` uses; no cluster."""

from __future__ import annotations

import inspect
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from ray_magics.raylib import data as private
from ray_magics.verbs.data.execution import DatasetStopped, Execution
from ray_magics.verbs.data.run import KEPT, DataRun


def test_ray_informs_callbacks_of_an_execution_and_hands_over_what_they_raise() -> None:
    from ray.data._internal.execution.streaming_executor import StreamingExecutor
    from ray.data._internal.planner.planner import Planner

    assert "cls() for cls in logical_plan.context.execution_callback_classes" in inspect.getsource(Planner.plan)
    loop = inspect.getsource(StreamingExecutor.run)
    assert (
        "callback.on_execution_step(self)" in loop and "except Exception as e:" in loop and "mark_finished(exc)" in loop
    )
    end = inspect.getsource(StreamingExecutor.shutdown)
    assert "callback.after_execution_succeeds(self)" in end and "callback.after_execution_fails(self, exception)" in end
    assert issubclass(DatasetStopped, Exception) and issubclass(DatasetStopped, KeyboardInterrupt)


def test_the_numbers_of_an_operator_are_those_of_ray() -> None:
    from ray.data._internal.execution.interfaces.op_runtime_metrics import OpRuntimeMetrics

    names = inspect.getsource(private._operator)
    fields = set(OpRuntimeMetrics.__dataclass_fields__)
    for name in ("num_row_inputs_received", "row_outputs_taken", "block_outputs_taken", "bytes_outputs_taken"):
        assert name in names and name in fields
    assert {"num_tasks_failed", "obj_store_mem_spilled", "block_generation_time"} <= fields


def test_watching_replaces_one_property_and_gives_it_back() -> None:
    from ray.data.context import DataContext

    private.unwatch_executions()
    own = vars(DataContext)["execution_callback_classes"]
    assert private.watch_executions(lambda dataset: None) and private.watch_executions(lambda dataset: None)
    classes = DataContext.get_current().execution_callback_classes
    assert [kind.__name__ for kind in classes].count("WatchedExecution") == 1 and len(classes) > 1
    private.unwatch_executions()
    assert vars(DataContext)["execution_callback_classes"] is own


def test_a_watcher_that_fails_harms_no_dataset() -> None:
    from ray.data._internal.execution.execution_callback import ExecutionCallback

    def broken(dataset: str) -> Any:
        raise RuntimeError("no view")

    callback = private._make_callback(ExecutionCallback, broken)()
    executor = SimpleNamespace(_dataset_id="d", _topology={})
    callback.before_execution_starts(executor)
    callback.on_execution_step(executor)
    callback.after_execution_fails(executor, ValueError("x"))


def test_a_stop_is_raised_in_the_loop_and_known_at_the_end() -> None:
    ended: list[str] = []
    execution = Execution("d", lambda: ended.append("d"), clock=lambda: 5.0)
    view = private.ExecutionView(executor := _Executor())
    execution.step(view)
    assert execution.state == "running"
    execution.stop(DatasetStopped("stopped"))
    with pytest.raises(DatasetStopped):
        execution.step(view)
    execution.end(view, DatasetStopped("stopped"))
    assert (execution.state, ended, execution.leaves_nothing(6.0)) == ("cancelled", ["d"], True) and executor


class _Executor:
    _dataset_id = "d"

    def __init__(self) -> None:
        self._topology: dict[Any, Any] = {}


def test_what_a_view_says_is_not_logged_too_and_other_lines_are() -> None:
    private.quiet_executions()
    private.quiet_executions()
    progress = logging.getLogger(private.PROGRESS_LOGGERS[0])
    assert len([one for one in progress.filters if one is private._is_no_progress]) == 1

    def passes(logger: str, level: int, text: str) -> bool:
        record = logging.LogRecord(logger, level, "", 0, text, None, None)
        return bool(logging.getLogger(logger).filter(record))

    assert not passes(private.PROGRESS_LOGGERS[0], logging.INFO, "Starting execution of Dataset")
    assert passes(private.PROGRESS_LOGGERS[0], logging.WARNING, "operator is slow")
    assert not passes(private.FAILURE_LOGGERS[0], logging.ERROR, "An exception was raised")
    assert not passes(private.TIPS_LOGGER, logging.INFO, "Tip: use take_batch()")
    assert passes(private.UNHANDLED_LOGGER, logging.ERROR, "Unhandled error (suppress with ...): my own")
    assert not passes(private.UNHANDLED_LOGGER, logging.ERROR, "Unhandled error: File site-packages/ray/data/x.py")


def test_logs_are_filtered_while_executions_are_watched_and_no_longer() -> None:
    names = [*private.PROGRESS_LOGGERS, *private.FAILURE_LOGGERS, private.TIPS_LOGGER, private.UNHANDLED_LOGGER]
    private.quiet_executions()
    private.quiet_executions()
    assert all(logging.getLogger(name).filters for name in names)
    private.quiet_executions(False)
    assert not any(logging.getLogger(name).filters for name in names)


def test_a_run_of_thousands_of_executions_keeps_the_last() -> None:
    run = DataRun("loop")
    run.state = "running"
    for number in range(KEPT + 70):
        run.watch(f"dataset_{number}").over.set()
    assert len(run.executions) <= KEPT + 1 and run.executions[-1].dataset == f"dataset_{KEPT + 69}"
