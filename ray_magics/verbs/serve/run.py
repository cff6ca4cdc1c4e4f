"""Brings a version up beside the old one, swaps or takes it back."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Mapping
from typing import Any

from ...cell.source import CellSource
from ...errors import RayMagicsError, RunCancelled, ServeUnavailable, UsageError, last_line, remote_error
from ...raylib import serve as private
from ...raylib.serve import Built, DeploySpec
from ...resources import STARTS
from ...run.interrupts import interrupt_raises
from ...run.launch import launch
from ...run.run import Event, Run, Viewer
from ...run.status import RunStatus
from ...worker.failure import describe
from ...worker.interpreter import execute, program
from . import application
from . import details as facts
from .control import LEFT, VERB, common, handle_of, note_version, start_serve, stop_runs
from .failures import error_of
from .handle import Handle
from .plan import ServePlan, Subject
from .status import ServeStatus
from .watch import CHECK, watch

STARTS_SLOWLY = 8.0  # seconds without a running replica after which a view says why
COMPARED = 1.0  # seconds between two looks at whose version the controller has
_STARTING = "Serve itself may still be starting"


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


def start(
    plan: ServePlan, subject: Subject, built: Built, namespace: dict[str, Any], cell_source: CellSource, view: Viewer
) -> ServeRun:
    """Deploys; it is over when this returns, unless it is in the background."""
    stop_runs(lambda name: name == plan.name)
    run = ServeRun(plan, subject, built, namespace, cell_source)
    launch(run, view, plan.background)
    return run


def finish(run: ServeRun) -> Any:
    """Binds the handle; returns what the cell shows."""
    if run.error is not None:
        raise run.error
    return None


class ServeRun(Run):
    """One deployment of an application. Its value is a Handle.

    Attributes:
        phase: "starting" Serve, "leaving" (an application of that name), "checking" the new version out of reach of
            requests, "joining" (its parts start beside those of the old one), "updating".
        former: the old version, where there is one.
    """

    def __init__(
        self, plan: ServePlan, subject: Subject, built: Built, namespace: dict[str, Any], cell_source: CellSource
    ) -> None:
        super().__init__(plan.name, VERB, cell_source.cell_id)
        self.plan, self.subject, self.built, self.namespace, self.cell_source = (
            plan,
            subject,
            built,
            namespace,
            cell_source,
        )
        self.phase, self.note = "", ""
        self.former: DeploySpec | None = None
        self.deploy_spec: DeploySpec | None = None
        self.steps: list[str] = []
        self.old: frozenset[str] = frozenset()
        self.there: frozenset[str] = frozenset()
        self.since = self.compared = 0.0
        self.taken_in = False
        self.done = self.total = 0
        self.bound_before = namespace.get(plan.into) if plan.into else None

    def submit(self) -> None:
        self.state = "running"
        if private.client() is not None:
            return self._begin()
        self.phase = "starting"
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
        if event[0] == "started" and event[1] is not None:
            self.end("failed", RayMagicsError(f"Ray Serve did not start: {last_line(event[1])}"))
        elif event[0] == "started" and self.state == "stopping":
            self._stopped()
        elif event[0] == "started":
            self._begin()

    # bringing the new version up

    def _begin(self) -> None:
        details = watch().look(0.0, strict=True)
        if facts.status_of(details, self.plan.name) == "DELETING":
            self.phase, self.since = "leaving", time.monotonic()
            return
        replicas = facts.replicas_of(details, self.plan.name)
        self.old = frozenset(one["replica_id"] for some in replicas.values() for one in some)
        if facts.serves(details, self.plan.name):
            self.former = private.keep(self.plan.name, list(replicas), self._ingress(details))
            watch().old[self.plan.name] = self.old
        self.there = frozenset(replicas)
        self.steps = self._way()
        self._next()

    def _way(self) -> list[str]:
        """The phases through which the new version comes up, so that the old one serves until all of it is ready.

        Replicas of one deployment are replaced beside the old ones by Ray. Deployments of other names start as further
        parts of the old application. Where several change, or one has no replica until it is asked, only a check of
        all of them tells that none will fail.
        """
        new, there = set(self.built.deployments), self.there
        idle = not all(count for _, _, count in application.requests(self.built, one_each=False))
        if self.former is None or self.plan.replace or (new == there and len(new) == 1 and not idle):
            return ["updating"]
        check = ["checking"] if new & there or idle else []
        return [*check, *(["joining"] if new - there else []), "updating"]

    def _next(self) -> None:
        self.phase, self.since, self.taken_in = self.steps.pop(0), time.monotonic(), False
        if self.phase == "checking":
            told = private.deploy_spec(application.check_version(self.built, self.subject, self.plan))
        else:
            self.deploy_spec = self.deploy_spec or private.deploy_spec(self.built)
            joins = self.phase == "joining" and self.former is not None
            told = private.joined(self.former, self.deploy_spec) if joins and self.former else self.deploy_spec
        private.deploy(told)
        watch().look(0.0)

    def _ingress(self, details: Mapping[str, Any] | None) -> str:
        return private.ingress_of((details or {})["applications"][self.plan.name])

    @property
    def target(self) -> str:
        """The name under which the present version comes up."""
        return f"{self.plan.name}{CHECK}" if self.phase == "checking" else self.plan.name

    def tick(self) -> None:
        now = time.monotonic()
        self.watch_cluster(now)
        if self.live and self.phase == "starting" and self.elapsed > self.plan.timeout:
            self.end("failed", RayMagicsError(f"Ray Serve was not up after {self.plan.timeout:g} s; {_STARTING}."))
        if not self.live or self.state == "stopping" or self.phase in ("", "starting"):
            return
        details = watch().look(0.1)
        if self.phase == "leaving":
            return self._wait_until_left(details, now)
        status = facts.status_of(details, self.target)
        if self.phase != "checking" and self._overtaken(status, now):
            return
        self.done, self.total = facts.ready(details, self.target, self.old, self._coming())
        if status == "DEPLOY_FAILED":
            self._refused(facts.failed_deployments(details, self.target), details)
        elif status == "RUNNING" or self._is_live(details):
            self._arrived()
        else:
            self._give_up_if(now - self.since > self.plan.timeout, self._too_slow(details))

    def _overtaken(self, status: str, now: float, arrived: bool = False) -> bool:
        """Whether somebody else has deleted or deployed the application meanwhile, which ends this deployment."""
        if status in ("", "DELETING"):
            what = "was deleted"
        elif now < self.compared + COMPARED or self.deploy_spec is None:
            return False
        else:
            self.compared = now
            try:
                is_ours = private.is_of(self.deploy_spec, self._coming())
            except ServeUnavailable:
                return False
            if is_ours or not (self.taken_in or arrived):
                self.taken_in = is_ours
                return False
            what = "was deployed from elsewhere"
        watch().old.pop(self.plan.name, None)
        self.end(
            "failed",
            RayMagicsError(f'The application "{self.plan.name}" {what} meanwhile; this version is not served.'),
        )
        return True

    def _coming(self) -> set[str]:
        """The deployments that come up in this phase."""
        new = set(self.built.deployments)
        return new - self.there if self.phase == "joining" else new

    def _is_live(self, details: Mapping[str, Any] | None) -> bool:
        """All replicas of the new version run and the old ones take no new requests; Ray waits until they are gone."""
        living = [one for some in facts.replicas_of(details, self.target).values() for one in some]
        gone = all(facts.is_stopping(one) for one in living if one["replica_id"] in self.old)
        return bool(self.old) and self.phase == "updating" and gone and 0 < self.total <= self.done

    def _wait_until_left(self, details: Mapping[str, Any] | None, now: float) -> None:
        if facts.status_of(details, self.plan.name) != "DELETING":
            return self._begin()
        self._give_up_if(now - self.since > LEFT, f'the application "{self.plan.name}" is still being deleted')

    def _arrived(self) -> None:
        if self.phase == "checking":
            private.delete(self.target)
        if self.steps:
            return self._next()
        self.compared = 0.0
        if self._overtaken(facts.status_of(watch().look(0.0), self.target), time.monotonic(), arrived=True):
            return
        watch().old.pop(self.plan.name, None)
        note_version(self.plan.name, self.cell)
        self.done = self.total
        self._bind()
        self.end("finished")

    # failing, and going back

    def _refused(self, failed: list[tuple[str, str]], details: Mapping[str, Any] | None) -> None:
        name, message = failed[0] if failed else (self.built.ingress, facts.message_of(details, self.target))
        said = watch().last_lines(self.target, name)
        after = self._take_back()
        self.end("failed", error_of(name, message, after, self.namespace, self.cell_source.label, said))

    def _give_up_if(self, over: bool, why: str) -> None:
        if over:
            after = self._take_back()
            self.end("failed", RayMagicsError(f"{why}; {after}."))

    def _too_slow(self, details: Mapping[str, Any] | None) -> str:
        waiting = [
            name
            for name, some in facts.replicas_of(details, self.target).items()
            if name in self.built.deployments
            and not any(facts.is_running(one) and one["replica_id"] not in self.old for one in some)
        ]
        who = ", ".join(waiting[:3]) or self.plan.name
        return (
            f"{who} was not ready after {self.plan.timeout:g} s: its constructor still runs, or its replica waits for "
            "resources; --timeout gives it more time"
        )

    def _take_back(self) -> str:
        """Leaves the old version as it was, or nothing; says which."""
        name = self.plan.name
        watch().old.pop(name, None)
        if self.phase == "checking":
            private.delete(self.target)
            return f'the old version of "{name}" keeps serving'
        if self.former is not None:
            private.deploy(self.former)
            return f'the old version of "{name}" {"starts again" if self.plan.replace else "keeps serving"}'
        if self.phase == "updating":
            private.delete(name)
        return f'nothing is served as "{name}"'

    def cancel(self, force: bool) -> None:
        if self.phase != "starting" or not self.live:
            self._stopped()
        elif force:
            self.note = _STARTING
            self.end("cancelled", RunCancelled(f"The deployment was stopped; {_STARTING}."))

    def _stopped(self) -> None:
        self.note = self._take_back()
        self.end("cancelled", RunCancelled(f"The deployment was stopped after {self.elapsed:.1f} s; {self.note}."))

    # what comes of it

    def _bind(self) -> None:
        into = self.plan.into
        if not into:
            return
        if self.plan.background and self.namespace.get(into) is not self.bound_before:
            self.note = f"{into} got another value meanwhile and keeps it; run.value() is the handle"
        else:
            self.namespace[into] = self.value()

    def value(self) -> Handle:
        return handle_of(self.plan.name, self.cell_source.label)

    def release(self) -> None:
        self.former = self.deploy_spec = self.bound_before = None

    def logs(self, worker: str = "") -> str:
        if worker:
            raise UsageError("--worker picks a worker of a run; the log of an application names its replicas.")
        return watch().text(self.plan.name)

    def brief(self) -> RunStatus:
        return RunStatus(
            **self.base_fields(), state=self.state, unit="replica", total=self.total or None, done=self.done
        )

    def status(self) -> ServeStatus:
        waiting = self.state == "running" and self.phase in ("starting", "leaving")
        return ServeStatus(
            **self.base_fields(),
            state="pending" if waiting else self.state,
            unit="replica",
            total=self.total or None,
            done=self.done,
            running=0,
            why=self._why() if self.live else "",
            **common(lambda name: name == self.plan.name, self.note),
        )

    def _why(self) -> str:
        if self.phase == "starting":
            return "Ray Serve starts on this cluster"
        if self.phase == "leaving":
            return "waits until the application of this name is gone"
        if self.phase == "checking":
            return "the new version is checked beside the old one, which keeps serving"
        if self.phase == "joining":
            return "the new version starts beside the old one, which keeps serving"
        if self.old:
            return (
                "the old version stops first"
                if self.plan.replace
                else "the old version serves until the new one is ready"
            )
        return STARTS if self.elapsed > STARTS_SLOWLY and not self.done else ""
