"""The run of what datasets execute in a cell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ray_magics.raylib.data import ExecutionSnapshot, OperatorSnapshot
from ray_magics.run.binding import Binding
from ray_magics.verbs.data.execution import Execution
from ray_magics.verbs.data.run import DataRun


class CountingView:
    """Counts what it is offered."""

    def __init__(self) -> None:
        self.offered = 0

    def offer(self, status: Any) -> float:
        self.offered += 1
        return 0.25

    def close(self, status: Any) -> None:
        pass


def execution_of(*operators: OperatorSnapshot) -> Execution:
    execution = Execution("dataset_1", lambda: None)
    work: Any = SimpleNamespace(running_work=lambda: None, snapshot=lambda: ExecutionSnapshot("dataset_1", operators))
    execution.step(work)
    return execution


@pytest.mark.parametrize(
    ("operators", "in_background", "times"),
    [
        pytest.param((), False, 0, id="blocks that are there are handed out without a view"),
        pytest.param((), True, 1, id="a run in the background has one all the same"),
        pytest.param((OperatorSnapshot("1", "Map(f)"),), False, 1, id="an operator has a view"),
    ],
)
def test_a_view_is_offered_for_work_alone(operators: Any, in_background: bool, times: int) -> None:
    run = DataRun("In[1]", binding=Binding({}, []) if in_background else None)
    run.view = view = CountingView()
    run.executions.append(execution_of(*operators))
    run._offer()
    assert view.offered == times
