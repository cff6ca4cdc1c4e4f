"""A run of what datasets execute in one cell: whoever consumes them, it shows and stops that."""

from __future__ import annotations

import collections
import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ... import kernel
from ...errors import RunTimeout
from ...run.binding import Binding
from ...run.registry import registry
from ...run.run import INTERRUPT, Event, Run, Viewer
from .execution import DatasetStopped, Execution
from .status import DataStatus

KEPT = 50  # executions that a run remembers
SHOWN = 5  # executions that a view shows with their operators
MOST_LINES = 10_000  # printed lines that %ray_logs has of a run
GIVE_UP = 10.0  # seconds after which a stop that Ray does not confirm is given up

_current: contextvars.ContextVar[DataRun | None] = contextvars.ContextVar("ray_magics_data_run", default=None)


class DataRun(Run):
    """What datasets execute for one cell. The cell consumes; the run watches on a thread of its own.

    Attributes:
        executions: the last `KEPT`, oldest first; there were `dropped` more.
        parent: the message to which the output of its cell belongs.
        binding: the names that get the value at the end, where no cell waits for it.
        timeout: seconds after which it stops them; None for never.
    """

    def __init__(
        self,
        name: str,
        cell: str = "",
        timeout: float | None = None,
        parent: Any = None,
        binding: Binding | None = None,
    ) -> None:
        super().__init__(name, "ray_data", cell)
        self.timeout, self.parent, self.binding = timeout, parent, binding
        self.lines: collections.deque[str] = collections.deque(maxlen=MOST_LINES)
        self.executions: list[Execution] = []
        self.dropped = 0
        self.consumer_is_over = False
        self.result_value: Any = None
        self.named_values: Callable[[Any], Mapping[str, Any]] = lambda value: {}
        self.note = ""

    # for whoever consumes

    def launch(self, view: Viewer) -> None:
        """From now on it is shown and can be stopped; `consumer_ends` says that no more will come."""
        self.launch_when_needed(view)
        self._launch()

    def launch_when_needed(self, view: Viewer) -> None:
        """The same from the first execution on: what executes nothing is no run."""
        self.view = view

    def _launch(self) -> None:
        if self.state == "pending":
            self.state = "running"
            registry.add(self)
            self.in_background()

    def watch(self, dataset: str) -> Execution:
        """Takes in an execution that is about to begin."""
        self._launch()
        execution = Execution(dataset, lambda: self.post("execution ended"), self.clock)
        if self.stopping.asked_at is not None:
            execution.stop(self._reason())
        self.executions.append(execution)
        self._let_go_of_old()
        self.post("execution began")
        return execution

    def _let_go_of_old(self) -> None:
        """A loop may execute thousands; a view shows the last ones."""
        while len(self.executions) > KEPT and self.executions[0].leaves_nothing(self.clock()):
            self.dropped += not self.executions.pop(0).is_empty

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Within it, on this thread, what a dataset executes belongs to this run."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def consumer_ends(self, value: Any = None, error: BaseException | None = None) -> None:
        """The cell, or the expression of the line, has ended; an iterator that it has left goes on to be shown."""
        self.post("consumer ended", value, error)

    def over_soon(self) -> bool:
        """Waits until the end of its view stands in the cell; whether it does."""
        return self.ends_within(3.0) if all(execution.over.is_set() for execution in self.executions) else False

    def ends_within(self, seconds: float) -> bool:
        """Whether all has ended, and its view is drawn, after at most so many seconds; at once where nothing began."""
        return not self.executions or self.wait(seconds)

    def has_operator(self, task: str) -> bool:
        """Whether a task, or an actor class, of this name is one of its operators'."""
        return any(execution.has_operator(task) for execution in self.executions)

    # what every run does

    def _offer(self) -> float:
        """Blocks that were there already are handed out without a view; a run in the background always has one."""
        is_watched = self.binding is not None or any(execution.has_operators for execution in self.executions)
        return super()._offer() if is_watched else 0.25

    def submit(self) -> None:
        pass

    def handle(self, event: Event) -> None:
        if event[0] == "consumer ended":
            self.consumer_is_over, self.result_value = True, event[1]
            self.error = self.error or event[2]
        self._end_if_over()

    def tick(self) -> None:
        now = self.clock()
        if self.timeout is not None and self.elapsed > self.timeout and not self.stopping.timed_out:
            self.stopping.timed_out = True
            self.stop(by="--timeout")
        if self.stopping.is_late(now):
            self.note = "Ray has not confirmed the stop yet; tasks may still run"
        asked = self.stopping.asked_at
        if asked is not None and now - asked > GIVE_UP:
            self.end("cancelled", self._reason())
        self._end_if_over()
        self.watch_cluster(now)

    def cancel(self, force: bool) -> None:
        for execution in self.executions:
            execution.stop(self._reason())
        self._end_if_over()

    def _reason(self) -> Exception:
        if self.stopping.timed_out:
            return RunTimeout(f"{self.name} took longer than --timeout {self.timeout:g} s and was stopped.")
        return DatasetStopped(f"{self.stopped_text}; what the dataset had made so far is discarded.")

    def _end_if_over(self) -> None:
        now = self.clock()
        left = [execution for execution in self.executions if not execution.leaves_nothing(now)]
        if not self.live or not self.consumer_is_over or left:
            return
        last = self.executions[-1].state if self.executions else ""
        if self.stopping.asked_at is not None or isinstance(self.error, KeyboardInterrupt) or last == "cancelled":
            self.stopping.by = self.stopping.by or INTERRUPT
            self.end("cancelled", self._reason() if self.error is None else self.error)
        elif (error := self.error or self._uncaught()) is not None:
            self.end("failed", error)
        else:
            self.end("finished")

    def _uncaught(self) -> BaseException | None:
        """What the last execution failed with, where no cell waits for the run that would say so."""
        last = self.executions[-1] if self.executions else None
        return last.error if last is not None and last.state == "failed" else None

    def end(self, state: str, error: BaseException | None = None) -> None:
        if self.live:
            self.error = None  # `Run.end` takes it from here
            if state == "finished" and self.binding is not None:
                self.note = self.binding.bind(self.named_values(self.result_value), late=True) or self.note
        super().end(state, error)

    def release(self) -> None:
        if self.binding is not None:
            self.binding.release()

    def logs(self, worker: str = "") -> str:
        return "\n".join(self.lines)

    def value(self) -> Any:
        return self.result_value

    def status(self) -> DataStatus:
        real = [execution for execution in self.executions if not execution.is_empty]
        shown = [execution.status() for execution in real[-SHOWN:]]
        operators = shown[-1].operators if shown else ()
        totals = [one.blocks_out if one.done else one.blocks_total for one in operators]
        known = [total for total in totals if total is not None]
        done = sum(one.blocks_out for one in operators)
        return DataStatus(
            **self.base_fields(),
            state=self.state,
            unit="block",
            total=max(sum(known), done) if operators and len(known) == len(totals) else None,
            done=done,
            running=sum(one.tasks for one in shown if one.state == "running"),
            note=self.note,
            executions=tuple(shown),
            earlier=self.dropped + len(real) - len(shown),
        )


def printing(task: str, lines: list[str]) -> AbstractContextManager[object]:
    """Within it, what this thread prints appears under the cell for which a dataset has run tasks of this name."""
    for run in reversed(registry.runs()):
        if isinstance(run, DataRun) and run.has_operator(task):
            run.lines.extend(lines)
            return kernel.printing_under(run.parent)
    return contextlib.nullcontext()


def current_run() -> DataRun | None:
    """The run that what this thread executes belongs to, where a magic has said so and it has not ended."""
    run = _current.get()
    return run if run is not None and run.live else None
