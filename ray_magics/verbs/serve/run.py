"""Brings a version up beside the old one, swaps or takes it back."""

from __future__ import annotations

import contextvars
import threading
import time
from dataclasses import replace
from typing import Any

from ...cell.source import CellSource
from ...errors import RayMagicsError, RunCancelled, ServeUnavailable, UsageError, last_line, remote_error
from ...raylib import serve as private
from ...raylib import serve_spec
from ...raylib.serve_spec import BuiltApplication, DeploySpec
from ...resources import STARTS
from ...run.binding import Binding
from ...run.interrupts import interrupt_raises
from ...run.launch import execute_run
from ...run.run import Event, Run, Viewer
from ...run.status import RunStatus
from ...run.waiting import STARTS_SLOWLY
from ...worker.failure import describe
from ...worker.interpreter import execute, program
from .application import build_check, reads_body, replica_requests
from .control import DELETE_TIMEOUT, MAGIC, handle_of, note_version, running_spec, served_fields, start_serve, stop_runs
from .details import InstanceDetails
from .failures import startup_error
from .handle import Handle
from .plan import ServePlan, Subject
from .rollout import AWAITING_DELETION, CHECKING, JOINING, STARTING_SERVE, UPDATING, Rollout
from .status import ServeStatus
from .watch import current_watch

COMPARE_INTERVAL = 1.0  # seconds between two questions whose version the controller has
_SERVE_MAY_START = "Serve itself may still be starting"


def run_cell(parsed: Any, cell_source: CellSource, namespace: dict[str, Any]) -> Any:
    """Runs the cell in the notebook, and returns the value of its last line. A failure shows the line of the cell."""
    if parsed.is_async:
        raise UsageError("%%ray_serve runs its cell without an event loop: move what awaits into a cell of its own.")
    try:
        with interrupt_raises():
            return execute(*program(cell_source.code, cell_source.filename), namespace, False)
    except Exception as error:
        failure = describe(error, namespace, "this notebook")
        raise remote_error(failure, namespace, cell_source.label, "nothing was deployed") from None


def execute_plan(
    plan: ServePlan,
    subject: Subject,
    built: BuiltApplication,
    namespace: dict[str, Any],
    cell_source: CellSource,
    view: Viewer,
) -> Any:
    """Deploys; returns nothing, for the view shows it all, or in the background the Run."""
    stop_runs(lambda name: name == plan.name)
    return execute_run(ServeRun(plan, subject, built, namespace, cell_source), view, plan.background)


class ServeRun(Run):
    """One deployment of an application. Its value is a Handle.

    Attributes:
        spec: the new version as the controller is sent it, once it was.
        done, total: replicas of the new version that run, and that are to run.
    """

    def __init__(
        self,
        plan: ServePlan,
        subject: Subject,
        built: BuiltApplication,
        namespace: dict[str, Any],
        cell_source: CellSource,
    ) -> None:
        super().__init__(plan.name, MAGIC, cell_source.cell_id)
        self.plan, self.subject, self.built = plan, subject, built
        self.namespace, self.cell_source = namespace, cell_source
        idle = not all(request.replicas for request in replica_requests(built, one_each=False))
        self.rollout = Rollout(plan.name, frozenset(built.deployments), stops_first=plan.replace, starts_idle=idle)
        self.spec: DeploySpec | None = None
        self.compared_at = 0.0
        self.done = self.total = 0
        self.note = ""
        self.binding = Binding(namespace, [plan.into] if plan.into else [])

    def submit(self) -> None:
        self.state = "running"
        if private.client() is not None:
            return self._begin()
        self.rollout = self.rollout.enter(STARTING_SERVE, time.monotonic())
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._start_serve,), name="ray_magics-serve", daemon=True).start()

    def _start_serve(self) -> None:
        """On a thread of its own: it takes some seconds."""
        try:
            start_serve(self.plan)
            self.post("started", None)
        except Exception as error:
            self.post("started", error)

    def handle(self, event: Event) -> None:
        """``("started", error or None)``: Serve itself has started, or not."""
        _, error = event
        if error is not None:
            self.end("failed", RayMagicsError(f"Ray Serve did not start: {last_line(error)}"))
        elif self.state == "stopping":
            self._stopped()
        else:
            self._begin()

    # bringing the new version up

    def _begin(self) -> None:
        app = current_watch().refresh(0.0, strict=True).application(self.name)
        if app.status == "DELETING":
            self.rollout = self.rollout.enter(AWAITING_DELETION, time.monotonic())
            return
        self.rollout = self.rollout.over(app, running_spec(app) if app.is_serving else None)
        if self.rollout.previous is not None:
            current_watch().old_replicas[self.name] = self.rollout.old_replicas
        self._enter_next_phase()

    def _enter_next_phase(self) -> None:
        self.rollout = self.rollout.advance(time.monotonic())
        if self.rollout.phase == CHECKING:
            private.deploy(serve_spec.make_deploy_spec(build_check(self.subject, self.plan)))
        else:
            self.spec = self.spec or serve_spec.make_deploy_spec(self.built)
            previous = self.rollout.previous if self.rollout.phase == JOINING else None
            private.deploy(serve_spec.with_added_deployments(previous, self.spec) if previous else self.spec)
        current_watch().refresh(0.0)

    def tick(self) -> None:
        now, rollout, timeout = time.monotonic(), self.rollout, self.plan.timeout
        self.watch_cluster(now)
        if self.live and rollout.phase == STARTING_SERVE and self.elapsed > timeout:
            self.end("failed", RayMagicsError(f"Ray Serve was not up after {timeout:g} s; {_SERVE_MAY_START}."))
        if not self.live or self.state == "stopping" or rollout.phase in ("", STARTING_SERVE):
            return
        details = current_watch().refresh(0.1)
        if rollout.phase == AWAITING_DELETION:
            return self._await_deletion(details, now)
        if rollout.phase != CHECKING and self._is_overtaken(details, now):
            return
        self.done, self.total = rollout.progress(details)
        if rollout.has_failed(details):
            self._fail(details)
        elif rollout.is_ready(details):
            self._finish_phase()
        elif now - rollout.started_at > timeout:
            self._give_up(self._too_slow(details))

    def _await_deletion(self, details: InstanceDetails, now: float) -> None:
        if details.application(self.name).status != "DELETING":
            self._begin()
        elif now - self.rollout.started_at > DELETE_TIMEOUT:
            self._give_up(f'the application "{self.name}" is still being deleted')

    def _is_overtaken(self, details: InstanceDetails, now: float, is_ready: bool = False) -> bool:
        """Whether somebody else has deleted or deployed the application meanwhile, which ends this run."""
        if details.application(self.name).status in ("", "DELETING"):
            what = "was deleted"
        elif self._is_ours(now, is_ready):
            return False
        else:
            what = "was deployed from elsewhere"
        current_watch().old_replicas.pop(self.name, None)
        message = f'The application "{self.name}" {what} meanwhile; this version is not served.'
        self.end("failed", RayMagicsError(message))
        return True

    def _is_ours(self, now: float, is_ready: bool) -> bool:
        """Whether the controller has what it was sent, or may not have taken it in yet."""
        if now < self.compared_at + COMPARE_INTERVAL or self.spec is None:
            return True
        self.compared_at = now
        try:
            is_ours = private.is_deployed(self.spec, self.rollout.starting_deployments)
        except ServeUnavailable:
            return True
        was_accepted = self.rollout.accepted
        self.rollout = replace(self.rollout, accepted=is_ours)
        return is_ours or not (was_accepted or is_ready)

    def _finish_phase(self) -> None:
        if self.rollout.phase == CHECKING:
            private.delete(self.rollout.target)
        if self.rollout.phase != UPDATING:
            return self._enter_next_phase()
        self.compared_at = 0.0
        if self._is_overtaken(current_watch().refresh(0.0), time.monotonic(), is_ready=True):
            return
        current_watch().old_replicas.pop(self.name, None)
        note_version(self.name, self.cell)
        reads = current_watch().reads_body
        (reads.add if reads_body(self.built) else reads.discard)(self.name)
        self.done = self.total
        self._bind()
        self.end("finished")

    # failing, and going back

    def _fail(self, details: InstanceDetails) -> None:
        deployment, message = self.rollout.failure(details, self.built.ingress)
        last_printed = current_watch().last_printed(self.rollout.target, deployment)
        consequence = self._take_back()
        label = self.cell_source.label
        self.end("failed", startup_error(deployment, message, consequence, self.namespace, label, last_printed))

    def _give_up(self, why: str) -> None:
        self.end("failed", RayMagicsError(f"{why}; {self._take_back()}."))

    def _too_slow(self, details: InstanceDetails) -> str:
        who = ", ".join(self.rollout.waiting_for(details)[:3]) or self.name
        return (
            f"{who} was not ready after {self.plan.timeout:g} s: its constructor still runs, or its replica waits for "
            "resources; --timeout gives it more time"
        )

    def _take_back(self) -> str:
        """Leaves the old version as it was, or nothing; says which."""
        current_watch().old_replicas.pop(self.name, None)
        if self.rollout.phase == CHECKING:
            private.delete(self.rollout.target)
        elif self.rollout.previous is not None:
            private.deploy(self.rollout.previous)
        elif self.rollout.phase == UPDATING:
            private.delete(self.name)
        return self.rollout.consequence

    def cancel(self, force: bool) -> None:
        if self.rollout.phase != STARTING_SERVE or not self.live:
            self._stopped()
        elif force:
            self.note = _SERVE_MAY_START
            self.end("cancelled", RunCancelled(f"The deployment was stopped; {_SERVE_MAY_START}."))

    def _stopped(self) -> None:
        self.note = self._take_back()
        self.end("cancelled", RunCancelled(f"The deployment {self.stopped_text.partition(' ')[2]}; {self.note}."))

    # what comes of it

    def _bind(self) -> None:
        values = {self.plan.into: self.value()} if self.plan.into else {}
        if changed := self.binding.bind(values, late=self.plan.background):
            self.note = f"{changed}; run.value() is the handle"

    def finish(self) -> None:
        if self.error is not None:
            raise self.error

    def value(self) -> Handle:
        return handle_of(self.name, self.cell_source.label)

    def release(self) -> None:
        self.spec = None
        self.binding.release()
        self.rollout = replace(self.rollout, previous=None)

    def logs(self, worker: str = "") -> str:
        if worker:
            raise UsageError("--worker picks a worker of a run; the log of an application names its replicas.")
        return current_watch().text(self.name)

    def brief(self) -> RunStatus:
        return RunStatus(
            **self.base_fields(), state=self.state, unit="replica", total=self.total or None, done=self.done
        )

    def status(self) -> ServeStatus:
        is_waiting = self.state == "running" and self.rollout.phase in (STARTING_SERVE, AWAITING_DELETION)
        return ServeStatus(
            **self.base_fields(),
            state="pending" if is_waiting else self.state,
            unit="replica",
            total=self.total or None,
            done=self.done,
            why=self._why() if self.live else "",
            **served_fields(lambda app: app == self.name, self.note),
        )

    def _why(self) -> str:
        slow = not self.rollout.old_replicas and self.elapsed > STARTS_SLOWLY and not self.done
        return self.rollout.reason or (STARTS if slow else "")
