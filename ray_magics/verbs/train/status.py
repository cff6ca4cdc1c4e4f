"""What a view of a training shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...run.status import RunStatus


@dataclass(frozen=True)
class WorkerStatus:
    """One worker.

    Attributes:
        state: "running", "finished", "failed" or "cancelled".
        reports: how many it has begun.
        waits: seconds that it waits in the last of them for other ranks.
        memory: bytes; None while not known.
    """

    rank: int
    node: str = ""
    pid: int = 0
    gpus: tuple[str, ...] = ()
    state: str = "running"
    reports: int = 0
    waits: float = 0.0
    memory: int | None = None


@dataclass(frozen=True)
class CheckpointStatus:
    """One checkpoint.

    Attributes:
        step: the report with which it came; 0 for one of the run that went on.
        size: bytes; None where not known.
        score: the metric by which checkpoints are compared; None without one.
        kept: whether it is still there.
    """

    name: str
    step: int
    size: int | None = None
    score: float | None = None
    kept: bool = True


@dataclass(frozen=True)
class TrainStatus(RunStatus):
    """A snapshot of a training: that of a run whose unit is the report, and more.

    Attributes:
        phase: Ray's name for the state of its controller, as "RUNNING"; "" before it has begun.
        wanted: how many workers were asked for: "2", "1 to 4".
        ranks: the workers of the present group.
        rows: the metrics as JSON; an unchanged one is the same object as before.
        checkpoints: in the order of their making.
        best: the name of the best one; "" where nothing says which.
        scored_by: metric and order by which they are compared; "" for none.
        restarts, resizes: how often the group of workers began anew.
        trouble: why it began anew, or failed, the last time.
        path: the folder of the run.
        speed: reports in a second, without the time that workers take to begin; None while not known.
    """

    phase: str = ""
    wanted: str = ""
    ranks: tuple[WorkerStatus, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    checkpoints: tuple[CheckpointStatus, ...] = ()
    best: str = ""
    scored_by: str = ""
    restarts: int = 0
    resizes: int = 0
    trouble: str = ""
    path: str = ""
    speed: float | None = None

    @property
    def rate(self) -> float | None:
        return self.speed

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "reports": self.done, "workers": len(self.ranks)}
