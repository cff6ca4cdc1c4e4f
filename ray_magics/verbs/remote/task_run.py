"""A run made of Ray tasks that execute a cell: what one task and a fan-out share."""

from __future__ import annotations

import collections
import itertools
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from ...cell.source import CellSource
from ...errors import RayMagicsError, RunCancelled, RunTimeout, remote_error
from ...line.settings import settings
from ...resources import fits_now
from ...run.binding import Binding
from ...run.dispatch import task_spec
from ...run.failures import failed_reply, is_death, lost, refused_options
from ...run.last_words import LeftBehind
from ...run.output import RunOutput
from ...run.run import SILENT, Event, Run
from ...run.status import RunStatus
from ...run.tasks import Function, RayTasks, TaskCluster
from ...run.waiting import reason_to_wait
from ...ship.entrypoint import pack_args
from ...ship.payload import CapturedValues, Payload
from ...worker.records import OutputMessage, RemoteFailure
from ...worker.values import Namespace
from .plan import RemotePlan
from .replies import messages_sent

CHANNEL_AFTER = 0.3  # seconds until the output channel is opened
CHANNEL_AGAIN = 1.0  # seconds between two looks whether it is open
CHANNEL_STARTS = 60.0  # seconds that a reply waits at most while the output queue starts
MESSAGES_LATE = 2.0  # seconds that a reply waits for messages still under way
VIEW_LATE = 0.3  # seconds that the view may take to appear
CANCEL_AGAIN = 1.0  # seconds; a worker that was just starting the task may have missed Ray's interrupt


class TaskRun(Run):
    """Ships what the cell reads, launches tasks, takes in messages and replies, and stops them when asked."""

    def __init__(
        self, plan: RemotePlan, namespace: Namespace, cell_source: CellSource, cluster: TaskCluster | None = None
    ) -> None:
        self.cluster = cluster or RayTasks()
        super().__init__(cell_source.name, "ray_remote", cell_source.cell_id, self.cluster.now)
        self.plan, self.namespace, self.cell_source = plan, namespace, cell_source
        self.outstanding: dict[int, Any] = {}
        self.numbers = itertools.count()
        self.messages: collections.Counter[int | str] = collections.Counter()
        self.messages_of: collections.Counter[tuple[int | str, str]] = collections.Counter()
        self.left: Sequence[LeftBehind] = ()
        self.early: list[tuple[float, Event]] = []
        view_at = 0.0 if plan.quiet else self.started + settings().view_after + VIEW_LATE
        self.output = RunOutput(self.id, into_cell=not plan.background, held_until=view_at)
        self.open_channel_at = self.started + CHANNEL_AFTER
        self.waited: float | None = None
        self.why = self.note = self.waited_for = ""
        self.failed = 0
        self.failure: BaseException | None = None
        into = [plan.into] if plan.into else []
        self.binding = Binding(namespace, [*plan.binds, *plan.cell.calls, *plan.captures.names, *into])

    # submitting

    def prepare(self, always: Iterable[str], **fields: Any) -> None:
        """Ships what the cell reads and makes the spec that all its tasks share.

        Args:
            always: names whose values are looked at for changes whatever their size.
            fields: of TaskSpec.
        """
        plan = self.plan
        self.had_capacity = fits_now(plan.request, self.cluster.nodes(5.0))
        self.captured = CapturedValues(plan.captures, self.namespace, plan.as_refs)
        if not plan.quiet:
            self.captured.print_large()
        self.watch = self.captured.watch(always)
        fields = {**fields, "looked_at": self.watch.looked_at, "writable": self.watch.writable}
        retried = bool(plan.options.get("retry_exceptions"))
        self.spec = task_spec(self.id, plan.cell, self.cell_source, self.payload, retried=retried, **fields)
        self.cluster.receive(self.id, lambda message: self.post("message", message))

    @property
    def payload(self) -> Payload:
        return self.captured.payload

    @property
    def values_captured(self) -> list[str]:
        return [capture.name for capture in self.plan.captures.found if capture.kind == "value"]

    @property
    def values_called(self) -> list[str]:
        """Captured values of which the cell calls a method for its effect alone: it changes them in place."""
        return [name for name in self.plan.cell.calls if name in {*self.values_captured}]

    def ship_too(self, names: Iterable[str]) -> None:
        """Ships names that turned out to be read, too, where the notebook has them."""
        if self.captured.add(names):
            self.spec = replace(self.spec, resolved=self.payload.resolved)

    def launch(self, function: Function, *arguments: Any, **options: Any) -> int:
        """Sends one task that calls a function of the worker runtime; returns its number."""
        number = next(self.numbers)
        payload = self.payload
        spec = {**self.spec.to_wire(), "task": number}
        leading = pack_args((spec, payload.pickled, payload.references, *arguments))
        try:
            options = {"name": self.name, **self.plan.options, **options}
            self.refs = self.cluster.submit(function, options, (*leading, *payload.shared))
        except ValueError as error:
            raise refused_options(error) from error
        self.outstanding[number] = self.refs[-1]
        self.cluster.when_done(self.refs[-1], lambda future: self.post("reply", number, future))
        self.state = "running"
        return number

    # events

    def handle(self, event: Event) -> None:
        if event[0] == "message":
            self.take_message(event[1])
        elif self._is_early(event):
            self.early.append((self.clock(), event))
        else:
            self._take_future(event[1], event[2])

    def take_message(self, message: OutputMessage) -> None:
        self.messages[message.task] += 1
        self.messages_of[message.task, message.where.partition("@")[0]] += 1
        self._work_began()
        self.output.take_message(message)
        self.note = self.output.note or self.note

    def take_output(self, where: str, events: Sequence[tuple[str, Any]]) -> None:
        self._work_began()
        self.output.take(where, events)

    def _work_began(self) -> None:
        self.waited = self.elapsed if self.waited is None else self.waited
        self.why = ""

    def _is_early(self, event: Event) -> bool:
        """Whether messages of this task are still under way: output stays in order."""
        return messages_sent(event[2]) > self.messages[event[1]]

    def tick(self) -> None:
        now = self.clock()
        due = [event for came, event in self.early if self._has_waited(came, now) or not self._is_early(event)]
        self.early = [(came, event) for came, event in self.early if event not in due]
        for event in due:
            self._take_future(event[1], event[2])
        if now > self.open_channel_at and self.live:
            self.open_channel_at = now + CHANNEL_AGAIN
            self.cluster.open_channel()
        self.output.print_held(now)
        self._watch_clock(now)
        self.watch_cluster(now, self.cluster.lost)

    def _has_waited(self, came: float, now: float) -> bool:
        """Whether messages that are not here by now will never be; none arrive before the output queue has started."""
        return now - max(came, self.cluster.channel_open_since()) > MESSAGES_LATE or now - came > CHANNEL_STARTS

    def _watch_clock(self, now: float) -> None:
        if self.plan.timeout is not None and self.elapsed > self.plan.timeout and not self.stopping.timed_out:
            self.stopping.timed_out = True
            self.waited_for = self.why if self.waited is None else ""
            self.stop(by="--timeout")
        if self.stopping.asked_at is not None:
            self._watch_stop(now)
        elif not self.output.seen and self.elapsed > 1.0:
            own = len(self.outstanding) if self.had_capacity else 0
            selector = self.plan.options.get("label_selector")
            self.why = reason_to_wait(self.plan.request, self.cluster.nodes(), self.elapsed, selector, own)

    def _take_future(self, number: int, future: Any) -> None:
        self.outstanding.pop(number, None)
        if self.state == "stopping":
            self._stopped_if_done()
            return
        error = future.exception()
        if error is None:
            self.take_reply(number, future.result())
            return
        failed = failed_reply(error)
        if failed is not None:
            self.take_output(failed[1].where, failed[1].events)
        elif is_death(error):
            self._take_last_words(number)
        self.take_failure(number, error, failed[0] if failed else None)

    def _take_last_words(self, number: int) -> None:
        """Puts what the worker of a task had not sent when it died where its output goes."""
        self.left = self.cluster.last_words(self.id, number)
        for left in self.left[-1:]:
            where = next((one for one in self.output.seen if one.startswith(f"{left.pid}@")), f"{left.pid}@")
            self.take_output(where, left.after(self.messages_of[number, str(left.pid)]))

    def take_reply(self, number: int, answer: Any) -> None:
        """Takes in what a task has returned."""
        raise NotImplementedError

    def take_failure(self, number: int, error: BaseException, failure: RemoteFailure | None) -> None:
        """Takes in the failure of a task; `failure` where the cell itself failed."""
        raise NotImplementedError

    # stopping

    def cancel(self, force: bool) -> None:
        if words := self.cluster.lost(SILENT / 2):
            self.outstanding.clear()
            return self._end_stopped(f"what its cluster still runs is not known. {words.removesuffix('.')}")
        self._ask_for_cancel(force)
        self._stopped_if_done()

    def _ask_for_cancel(self, force: bool) -> None:
        """The newest first: they wait in Ray's queue, and shall not start where an older one ends.

        Ray 2.60 aborts the whole process when a task ends at the very moment in which it is cancelled (a failed check
        in `CompletePendingTask`); the fewer tasks start and end meanwhile, the rarer that is.
        """
        self.cancel_asked = self.clock()
        self.cluster.cancel(reversed(list(self.outstanding.values())), force)

    def _watch_stop(self, now: float) -> None:
        forced, timed_out = self.stopping.forced, self.stopping.timed_out
        if not forced and now - self.cancel_asked > CANCEL_AGAIN:
            self._ask_for_cancel(False)
        if not self.stopping.is_late(now):
            return
        count = _tasks(len(self.outstanding))
        if timed_out and not forced:
            self.begin_stopping(True)
        elif forced and self.stopping.is_late(now, graces=2):
            self._end_stopped(f"{count} did not confirm the stop and may still run; %ray_status shows what does")
        else:
            self.note = f"{count} ignored the interrupt; {self._again()} to force"

    def _again(self) -> str:
        return "stop it again" if self.plan.background else "interrupt again"

    def _stopped_if_done(self) -> None:
        if not self.outstanding and self.live:
            self._end_stopped("nothing is left running on the cluster")

    def _end_stopped(self, left: str) -> None:
        if self.failure is not None:
            self.end("failed", self.failure)
            return
        self.note = left
        if self.stopping.timed_out:
            waited = f"it had not begun: {self.waited_for.rstrip('.')}; " if self.waited_for else ""
            self.end("failed", RunTimeout(f"--timeout {self.plan.timeout:g}: {self.name} was stopped; {waited}{left}."))
        else:
            self.end("cancelled", RunCancelled(f"{self.stopped_text}; {left}."))

    # the end

    def fail(self, error: BaseException, failure: RemoteFailure | None, item: str = "") -> None:
        """Ends the run as failed, with the user's own exception where the cell failed, once nothing runs any more."""
        raised = error
        if failure is not None:
            raised = remote_error(failure, self.namespace, self.cell_source.label, item)
        elif not isinstance(error, RayMagicsError):
            raised = lost(error, self.left, self.cell_source.label)
        self.failure = raised
        self.begin_stopping(False)

    def end(self, state: str, error: BaseException | None = None) -> None:
        self.output.print_held()
        self.cluster.receive(self.id, late_output(self.output))
        if state == "finished" and self.plan.background and self.live and (changed := self.bind(late=True)):
            self.note = f"{changed}; this run's is in the Run's .bound"
        super().end(state, error)

    def release(self) -> None:
        self.binding.release()
        for name in ("captured", "spec", "refs"):
            vars(self).pop(name, None)

    @property
    def bound(self) -> dict[str, Any]:
        """The names that come back, with their values."""
        return {}

    @property
    def deleted(self) -> Sequence[str]:
        """The names that the cell has deleted."""
        return ()

    def bind(self, late: bool = False) -> str:
        """Gives the notebook what the cell assigned, and the value its name; see `Binding.bind`."""
        into = {self.plan.into: self.value()} if self.plan.into else {}
        return self.binding.bind({**self.bound, **into}, self.deleted, late)

    def finish(self) -> Any:
        if self.error is not None:
            raise self.error
        self.bind()
        if self.note and not self.plan.quiet:
            print(self.note)
        cell = self.plan.cell
        displayed = self.displayed_value() if cell.expression and not (self.plan.into or cell.silent) else None
        self.drop_result()
        return displayed

    def displayed_value(self) -> Any:
        """What the cell shows as its output."""
        return self.value()

    def logs(self, worker: str = "") -> str:
        return self.output.log.text(worker)

    def status(self) -> RunStatus:
        return RunStatus(
            **self.base_fields(),
            state="pending" if self.why and self.state == "running" else self.state,
            waited=self.waited or 0.0,
            failed=self.failed,
            why=self.why if self.live else "",
            note=self.note,
            workers=self.output.workers,
            **self.progress(),
        )

    def progress(self) -> dict[str, Any]:
        """Of the fields of `RunStatus`, those that count."""
        return {"total": 1, "done": int(self.state == "finished"), "running": len(self.outstanding)}


def late_output(output: RunOutput) -> Callable[[OutputMessage], None]:
    """Keeps, for its logs alone, what threads of a run print after its end, as long as there is somebody to read it."""
    reference = weakref.ref(output.log)

    def keep(message: OutputMessage) -> None:
        log = reference()
        if log is not None:
            log.add(message.where, message.events)

    return keep


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
