"""What a status is: frozen facts; what follows from them are properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..worker.records import worker_name

ITEMS = "items"  # stands in the place of a worker for what items of a fan-out have printed
FEW = 3  # items that must have ended before a rate says something
LIVE = ("pending", "running", "stopping")
ENDED = ("finished", "failed", "cancelled")
Clock = Callable[[], float]
Line = tuple[str, str, int]  # stream, text, how often in a row


@dataclass(frozen=True)
class WorkerOutput:
    """The end of what one worker printed: `lines` in all, `hidden` of them not in `tail`."""

    id: str
    lines: int
    hidden: int
    tail: tuple[Line, ...]

    @property
    def label(self) -> str:
        return worker_name(self.id)

    def to_json(self) -> dict[str, Any]:
        tail = [list(line) for line in self.tail]
        return {"id": self.id, "label": self.label, "lines": self.lines, "hidden": self.hidden, "tail": tail}


@dataclass(frozen=True)
class RunStatus:
    """A snapshot of one run.

    Times in seconds; the first worker began after `waited`. `total` is None while unknown; `done` does not count
    `failed`; the user has ended `stopped` of them by hand.
    """

    id: str
    name: str
    verb: str
    state: str
    elapsed: float
    waited: float = 0.0
    unit: str = "task"
    total: int | None = 1
    done: int = 0
    failed: int = 0
    running: int = 0
    why: str = ""
    note: str = ""
    error: str = ""
    workers: tuple[WorkerOutput, ...] = field(default=())
    stopped: int = 0

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def rate(self) -> float | None:
        """Items per second since the first worker began, at the end over all of the time.

        None while a few are not done, for a single task, and where the user has ended all of them.
        """
        tried, seconds = self.done + self.failed - self.stopped, self.elapsed - (self.waited if self.live else 0.0)
        enough = tried >= min(FEW, self.total or FEW) if self.live else tried > 0
        return tried / seconds if self.unit != "task" and enough and seconds > 0 else None

    @property
    def remaining(self) -> float | None:
        if self.rate is None or self.total is None or self.state not in ("pending", "running"):
            return None
        return max(self.total - self.done - self.failed, 0) / self.rate

    def row(self) -> dict[str, Any]:
        """The run as a line of a list of runs."""
        keys = ("id", "name", "verb", "state", "unit", "done", "failed", "total", "elapsed")
        return {**{key: getattr(self, key) for key in keys}, "stoppable": self.live}

    def to_json(self) -> dict[str, Any]:
        """What a component of the page that draws more than a card needs to know of the run."""
        keys = ("running", "rate", "remaining", "why", "note", "error")
        return {**self.row(), **{key: getattr(self, key) for key in keys}}


@dataclass(frozen=True)
class RunsStatus:
    """All runs of this kernel, newest first."""

    runs: tuple[RunStatus, ...] = ()
