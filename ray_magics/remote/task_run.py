"""A run made of Ray tasks that execute a cell: what one task and a fan-out share."""

from __future__ import annotations

import collections
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..core import connection
from ..core.dispatch import Inbox, Luggage, orders_for
from ..core.errors import RayMagicsError, RunCancelled, RunTimeout, remote_error
from ..core.failures import Description, description_of, lost, refused_options
from ..core.output import mailroom
from ..core.resources import STARTS, NodeResources, fits_now, no_more_in_use, why_waiting
from ..core.run import SILENT, Event, Run
from ..core.settings import settings
from ..core.ship import Parcel, entry, envelope
from ..core.status import RunStatus
from ..core.worker.values import Namespace
from .answers import letters_of
from .plan import RemotePlan

Nodes = Callable[..., Iterable[NodeResources]]
MAIL_AFTER = 0.3  # seconds until the mailbox for live output is opened
LETTERS_LATE = 2.0  # seconds that an answer waits for letters still under way
MAIL_AGAIN = 1.0  # seconds between two looks whether it is open
MAIL_STARTS = 60.0  # seconds that it waits at most while the mailbox starts
STARTS_SLOWLY = 5.0  # seconds without news after which a view says that workers are starting
CANCEL_AGAIN = 1.0  # seconds; a worker that was just starting the task may have missed Ray's interrupt


class TaskRun(Run):
    """Ships what the cell reads, launches tasks, takes in letters and answers, and stops them when asked."""

    def __init__(self, plan: RemotePlan, namespace: Namespace, place: Any, nodes: Nodes) -> None:
        """`place` says where the cell is: its `name`, `filename`, `label` of a file name, and `cell` id."""
        super().__init__(place.name, "ray_remote", place.cell)
        self.plan, self.namespace, self.place, self.nodes = plan, namespace, place, nodes
        self.outstanding: dict[int, Any] = {}
        self.numbers = itertools.count()
        self.letters: collections.Counter[int] = collections.Counter()
        self.late: list[tuple[float, Event]] = []
        self.inbox = Inbox(self.id, into_cell=not plan.background)
        self.remote: Any = None
        self.mail_at = self.started + MAIL_AFTER
        self.waited: float | None = None
        self.why = self.note = ""
        self.failed = 0
        self.stop_asked: float | None = None
        self.forced = self.timed_out = False
        self.failure: BaseException | None = None
        names = [*plan.binds, *plan.cell.calls, *([plan.into] if plan.into else [])]
        self.before = {name: namespace.get(name) for name in names}

    # submitting

    def prepare(self, orders: Mapping[str, Any]) -> None:
        """Ships what the cell reads and makes the orders that all its tasks share."""
        plan = self.plan
        self.had_room = fits_now(plan.request, self.nodes(5.0))
        self.luggage = Luggage(plan.captures, self.namespace, plan.as_refs)
        if not plan.quiet:
            self.luggage.tell_large()
        retried = bool(plan.options.get("retry_exceptions"))
        shared = orders_for(self.id, plan.cell, self.place, self.parcel, retried=retried)
        self.orders: dict[str, Any] = {**shared, **orders}
        mailroom.receive(self.id, lambda letter: self.post("letter", letter))

    @property
    def parcel(self) -> Parcel:
        return self.luggage.parcel

    @property
    def values_captured(self) -> list[str]:
        return [capture.name for capture in self.plan.captures.found if capture.kind == "value"]

    @property
    def values_called(self) -> list[str]:
        """Captured values of which the cell calls a method for its effect alone: it changes them in place."""
        return [name for name in self.plan.cell.calls if name in {*self.values_captured}]

    def ship_too(self, names: Iterable[str]) -> None:
        """Ships names that turned out to be read, too, where the notebook has them."""
        if self.luggage.add(names):
            self.orders["resolved"] = self.parcel.resolved

    def launch(self, function: str, *arguments: Any, **options: Any) -> int:
        number = next(self.numbers)
        parcel = self.parcel
        orders = {**self.orders, "task": number}
        leading = envelope((orders, parcel.payload, parcel.references, *arguments))
        try:
            if self.remote is None:
                self.remote = entry(function).options(name=self.name, **self.plan.options, **options)
            made = self.remote.remote(*leading, *parcel.shared)
        except ValueError as error:
            raise refused_options(error) from error
        self.refs = made if isinstance(made, list) else [made]
        self.outstanding[number] = self.refs[-1]
        self.refs[-1].future().add_done_callback(lambda future: self.post("answer", number, future))
        self.state = "running"
        return number

    # events

    def handle(self, event: Event) -> None:
        if event[0] == "letter":
            self.take_letter(event[1])
        elif self._is_early(event):
            self.late.append((time.monotonic(), event))
        else:
            self._take_answer(event[1], event[2])

    def take_letter(self, letter: Mapping[str, Any]) -> None:
        self.letters[letter["task"]] += 1
        self._work_began()
        self.inbox.take_letter(letter)
        self.note = self.inbox.note or self.note

    def take_output(self, where: str, events: Sequence[tuple[str, Any]]) -> None:
        self._work_began()
        self.inbox.take(where, events)

    def _work_began(self) -> None:
        self.waited = self.elapsed if self.waited is None else self.waited
        self.why = ""

    def _is_early(self, event: Event) -> bool:
        """Whether letters of this task are still under way: output stays in order."""
        return letters_of(event[2]) > self.letters[event[1]]

    def tick(self) -> None:
        now = time.monotonic()
        due = [event for came, event in self.late if _has_waited(came, now) or not self._is_early(event)]
        self.late = [(came, event) for came, event in self.late if event not in due]
        for event in due:
            self._take_answer(event[1], event[2])
        if now > self.mail_at and self.live:
            self.mail_at = now + MAIL_AGAIN
            mailroom.open()
        self._watch_clock(now)
        self.watch_cluster(now)

    def _watch_clock(self, now: float) -> None:
        if self.plan.timeout is not None and self.elapsed > self.plan.timeout and not self.timed_out:
            self.timed_out = True
            self.stop()
        if self.stop_asked is not None:
            self._watch_stop(now, self.stop_asked)
        elif not self.inbox.seen and self.elapsed > 1.0:
            self.why = self._why_waiting()

    def _why_waiting(self) -> str:
        request, nodes = self.plan.request, tuple(self.nodes())
        ours = self.had_room and no_more_in_use(request, len(self.outstanding), nodes)
        if ours or fits_now(request, nodes):
            return STARTS if self.elapsed > STARTS_SLOWLY else ""
        return why_waiting(request, nodes, self.plan.options.get("label_selector"))

    def _take_answer(self, number: int, future: Any) -> None:
        self.outstanding.pop(number, None)
        if self.state == "stopping":
            self._stopped_if_done()
            return
        error = future.exception()
        if error is None:
            self.answered(number, future.result())
        else:
            description = description_of(error)
            if description is not None:
                self.take_output(description["where"], description["events"])
            self.refused(number, error, description)

    def answered(self, number: int, answer: Any) -> None:
        """Takes the answer of a task in."""
        raise NotImplementedError

    def refused(self, number: int, error: BaseException, description: Description | None) -> None:
        """Takes the failure of a task in; `description` where the cell itself failed."""
        raise NotImplementedError

    # stopping

    def cancel(self, force: bool) -> None:
        self.stop_asked = time.monotonic()
        self.forced = self.forced or force
        if words := connection.lost(SILENT / 2):
            self.outstanding.clear()
            return self._end_stopped(f"what its cluster still runs is not known. {words.removesuffix('.')}")
        self._ask_ray_to_cancel(force)
        self._stopped_if_done()

    def _ask_ray_to_cancel(self, force: bool) -> None:
        """The newest first: they wait in Ray's queue, and shall not start where an older one ends.

        Ray 2.60 aborts the whole process when a task ends at the very moment in which it is cancelled (a failed check
        in `CompletePendingTask`); the fewer tasks start and end meanwhile, the rarer that is.
        """
        import ray

        self.cancel_asked = time.monotonic()
        for ref in reversed(list(self.outstanding.values())):
            ray.cancel(ref, force=force, recursive=True)

    def _watch_stop(self, now: float, asked: float) -> None:
        if not self.forced and now - self.cancel_asked > CANCEL_AGAIN:
            self._ask_ray_to_cancel(False)
        if now - asked > settings().stop_grace:
            self._still_stopping(now - asked)

    def _still_stopping(self, seconds: float) -> None:
        count = len(self.outstanding)
        if self.timed_out and not self.forced:
            self.cancel(True)
        elif self.forced and seconds > 2 * settings().stop_grace:
            self._end_stopped(f"{_tasks(count)} did not confirm the stop and may still run")
        else:
            self.note = f"{_tasks(count)} ignored the interrupt; {self._again()} to force"

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
        if self.timed_out:
            self.end("failed", RunTimeout(f"--timeout {self.plan.timeout:g}: {self.name} was stopped; {left}."))
        else:
            self.end("cancelled", RunCancelled(f"{self.name} was stopped after {self.elapsed:.1f} s; {left}."))

    # the end

    def fail(self, error: BaseException, description: Description | None, item: str = "") -> None:
        """Ends the run as failed, with the user's own exception where the cell failed, once nothing runs any more."""
        shown = error
        if description is not None:
            shown = remote_error(description, self.namespace, self.place.label, item)
        elif not isinstance(error, RayMagicsError):
            shown = lost(error)
        self.failure, self.state = shown, "stopping"
        self.cancel(False)

    def end(self, state: str, error: BaseException | None = None) -> None:
        mailroom.forget(self.id)
        if state == "finished" and self.plan.background and self.live:
            self.bind_late()
        super().end(state, error)

    def release(self) -> None:
        self.before.clear()
        for name in ("luggage", "orders", "remote", "refs"):
            vars(self).pop(name, None)

    @property
    def bound(self) -> dict[str, Any]:
        """The names that come back, with their values."""
        return {}

    def bind(self, keep: Iterable[str] = ()) -> None:
        """Gives the notebook what the cell assigned, and the value its name; leaves the names in `keep` alone."""
        into = {self.plan.into: self.value()} if self.plan.into else {}
        found = {**self.bound, **into}
        self.namespace.update({name: value for name, value in found.items() if name not in keep})

    def bind_late(self) -> None:
        """Binds at the end of a background run what the notebook has not assigned anew since the run began."""
        anew = [name for name, value in self.before.items() if self.namespace.get(name) is not value]
        self.bind(anew)
        if anew:
            names = ", ".join(anew)
            self.note = f"{names} got another value meanwhile and keeps it; this run's is in the Run's .bound"

    def shown(self) -> Any:
        """What the cell shows as its output."""
        return self.value()

    def logs(self, worker: str = "") -> str:
        return self.inbox.log.text(worker)

    def status(self) -> RunStatus:
        return RunStatus(
            **self.facts(),
            state="pending" if self.why and self.state == "running" else self.state,
            waited=self.waited or 0.0,
            failed=self.failed,
            why=self.why if self.live else "",
            note=self.note,
            workers=self.inbox.workers,
            **self.progress(),
        )

    def progress(self) -> dict[str, Any]:
        """Of the fields of `RunStatus`, those that count."""
        return {"total": 1, "done": int(self.state == "finished"), "running": len(self.outstanding)}


def _has_waited(came: float, now: float) -> bool:
    """Whether letters that are not here by now will never be; none arrive before the mailbox has started."""
    return now - max(came, mailroom.listens_since) > LETTERS_LATE or now - came > MAIL_STARTS


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
