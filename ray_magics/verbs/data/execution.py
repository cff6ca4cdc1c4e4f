"""One execution of a dataset, as Ray's loop reports it and as it can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...errors import RunCancelled, last_line
from ...raylib.data import ExecutionSnapshot, ExecutionView, RunningWork
from .failures import failure_of
from .status import ExecutionStatus

INTERVAL = 0.2  # seconds between two looks at the operators
GRACE = 1.0  # seconds that tasks have to end by themselves after a stop or a failure


class DatasetStopped(RunCancelled, Exception):
    """The execution was stopped by the user. An Exception, for Ray hands no other to whoever consumes the dataset."""


class Execution:
    """What is known of one execution; Ray's loop steps it on a thread of its own.

    Attributes:
        error: what it was stopped or failed with; None before the end, or where all went well.
        over: set when it has ended.
    """

    def __init__(self, dataset: str, on_end: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.dataset, self.on_end, self.clock = dataset, on_end, clock
        self.started, self.ended = clock(), 0.0
        self.error: BaseException | None = None
        self.over = threading.Event()
        self._snapshot = ExecutionSnapshot(dataset)
        self._work = RunningWork()
        self._next_look = 0.0
        self._stop: Exception | None = None
        self._stopped_at: float | None = None
        self._view: ExecutionView | None = None

    def stop(self, reason: Exception) -> None:
        """From any thread: the next step of Ray's loop raises this, and the consumer gets it."""
        self._stop = self._stop or reason
        self._stopped_at = self._stopped_at or self.clock()

    def step(self, view: ExecutionView) -> None:
        self._work, self._view = view.running_work(), view
        if self._stop is not None:
            raise self._stop
        now = self.clock()
        if now >= self._next_look:
            self._next_look = now + INTERVAL
            self._snapshot = view.snapshot()

    def end(self, view: ExecutionView, error: BaseException | None) -> None:
        self._snapshot = view.snapshot()
        self.error, self.ended = error, self.clock()
        if error is None or not self._work.tasks:
            self._work = RunningWork()
        self.over.set()
        self.on_end()

    def leaves_nothing(self, now: float) -> bool:
        """Whether it is over, and none of its tasks runs on; kills what does after a while."""
        if not self.over.is_set():
            self._end_unconsumed(now)
            return self.over.is_set()
        if self._work.tasks and now - self.ended > GRACE:
            self._work.kill()
            self._work = RunningWork()
        return not self._work.tasks

    def _end_unconsumed(self, now: float) -> None:
        """An iterator that a cell has left gets no error, and would hold its tasks for ever."""
        if self._stop is not None and self._stopped_at is not None and now - self._stopped_at > GRACE and self._view:
            view, self._view = self._view, None
            view.shut_down(self._stop)

    def has_operator(self, task: str) -> bool:
        """Whether tasks, or actors, of this name run one of its operators."""
        return any(task in (one.name, f"MapWorker({one.name})") for one in self._snapshot.operators)

    @property
    def has_operators(self) -> bool:
        """Whether it does more than hand out blocks that were there already, as far as is known."""
        return bool(self._snapshot.operators)

    @property
    def is_empty(self) -> bool:
        """Whether it has only handed out blocks that were there already."""
        return self.over.is_set() and not self.has_operators

    @property
    def state(self) -> str:
        if not self.over.is_set():
            return "running"
        if self.error is None:
            return "finished"
        return "cancelled" if self._stop is not None or isinstance(self.error, KeyboardInterrupt) else "failed"

    def status(self) -> ExecutionStatus:
        return ExecutionStatus(
            self.dataset,
            self.state,
            (self.ended or self.clock()) - self.started,
            self._snapshot.operators,
            self._error_text(),
        )

    def _error_text(self) -> str:
        if self.error is None or self.state != "failed":
            return ""
        failure = failure_of(self.error)
        return failure.title if failure else f"{type(self.error).__name__}: {last_line(self.error)}"
