"""Does what the plan says: Ray's trainer on a thread of its own, observed and stopped from here."""

from __future__ import annotations

from typing import Any

from ... import connection
from ...cell.source import CellSource
from ...errors import RayMagicsError, RunCancelled, RunTimeout, UsageError
from ...raylib.datasets import needs_tasks
from ...raylib.logs import hide_worker_lines
from ...raylib.train import kill, request_abort, result_so_far
from ...resources import STARTS, too_many, total_of, why_group_waits
from ...run.launch import be_ready, execute_run
from ...run.library_run import LibraryRun
from ...run.run import Viewer
from ...run.storage import shorten_path
from ...run.waiting import STARTS_SLOWLY
from ...ship.inspection import type_name
from ...ship.picklable import find_culprit, is_picklable
from ...worker.records import OutputMessage
from ...worker.values import Namespace
from .boosting import with_config
from .failures import training_failed
from .history_file import HistoryFile
from .messages import resumed_note, unbound_names
from .observer import TRAINING
from .plan import TrainPlan
from .progress import TrainingProgress
from .quiet import quiet
from .result import completed, empty_result
from .status import TrainStatus
from .trainer import make_trainer, with_name


def check(plan: TrainPlan) -> None:
    """Connects; raises UsageError for workers that this cluster can never hold."""
    be_ready(plan.request, plan.label_selector)
    workers = plan.num_workers.least

    def problem(max_age: float) -> str | None:
        return too_many(plan.request, workers, connection.nodes(max_age), "workers", "--num-workers")

    reason = problem(60.0) and problem(0.0)
    if reason and not connection.can_grow():
        raise UsageError(reason)
    _check_left_for_data(plan)
    if not is_picklable(plan.config, {}):
        path, part = find_culprit("config", plan.config, {})
        raise UsageError(f"Cannot ship --config because of {path} ({type_name(part)}): create it inside the loop.")


def _check_left_for_data(plan: TrainPlan) -> None:
    """Ray Data waits for ever, without a word, where the workers reserve every CPU. Raises UsageError."""
    taken = plan.request.get("CPU", 0.0) * plan.num_workers.least
    total = total_of(connection.nodes(60.0)).get("CPU", 0.0)
    waiting = [name for name, dataset in plan.data.items() if needs_tasks(dataset)]
    if not waiting or total - taken > 0 or connection.can_grow():
        return
    code = plan.code.get(f"data {waiting[0]}", waiting[0])
    raise UsageError(
        f"The {plan.num_workers.text} reserve all {total:g} CPUs of this cluster, so none is left to make --data "
        f"{waiting[0]}: use fewer workers, --resources-per-worker \"{{'CPU': 0.5}}\", or make it before: "
        f"%ray_data --materialize {waiting[0]}_ds = {code}"
    )


def execute_plan(plan: TrainPlan, namespace: Namespace, cell_source: CellSource, view: Viewer) -> Any:
    """Trains; returns what the cell shows, or in the background the Run."""
    plan = with_config(with_name(plan))
    return execute_run(TrainRun(plan, namespace, cell_source), view, plan.background)


RUNNING = "RUNNING"  # Ray's name for the state in which the loop runs
NOISY = ("PlacementGroupCleaner", "DatasetManager", "SplitCoordinator")
"""Ray's own actors whose lines tell a user nothing."""


class TrainRun(LibraryRun):
    """One training. Its value is Ray's Result, completed by `history` and `best_checkpoint`.

    Attributes:
        path: the folder of the run.
        behind: which ranks the others wait for; "" for none.
        progress: what is known of it.
    """

    def __init__(self, plan: TrainPlan, namespace: Namespace, cell_source: CellSource) -> None:
        name = plan.loop.text or cell_source.name
        super().__init__(name[:60], "ray_train", cell_source.cell_id, namespace, plan.into, plan.background)
        self.plan, self.cell_source = plan, cell_source
        self.progress = TrainingProgress(plan.checkpoint_score_attribute, plan.checkpoint_score_order)
        self.outcome: Any = None
        self.path = self.behind = ""
        self.quiet = plan.quiet
        self.abort: Any = None  # the ref of what the controller would answer

    # submitting

    def submit(self) -> None:
        hide_worker_lines(NOISY)
        with quiet():
            prepared = make_trainer(self.plan, self.namespace, self.cell_source, self.id)
        self.path = prepared.path
        self.progress.keep_in(HistoryFile(self.path))
        if prepared.earlier is not None:
            self.progress.begin_with(prepared.earlier)
        if self.plan.resume:
            self.note = resumed_note(prepared.earlier is not None)
        self.start_library(prepared.trainer)

    def call_library(self, prepared: Any) -> tuple[Any, BaseException | None]:
        with quiet():
            try:
                return prepared.fit(), None
            except BaseException as error:
                return None, error

    def output_label(self, message: OutputMessage) -> str:
        return f"rank {message.task}"

    def _take_message(self, message: OutputMessage) -> None:
        events = [data for kind, data in message.events if kind == TRAINING]
        if not events:
            super()._take_message(message)
        for event in events:
            self.progress.take(event)

    # while it runs

    def tick(self) -> None:
        if self.waited is None and self.progress.history.reports:
            self.waited = self.elapsed
        timeout = self.plan.timeout
        if timeout is not None and self.elapsed > timeout and not self.stopping.timed_out:
            self.stopping.timed_out = True
            self.stop(by="--timeout")
        if self.stopping.asked_at is not None:
            self.stop_library()
        else:
            self.behind = self.progress.behind()
        self.why = self._why_waiting()
        super().tick()

    def _why_waiting(self) -> str:
        if self.progress.ranks:
            return self.behind
        if self.elapsed < STARTS_SLOWLY:
            return ""
        workers = self.plan.num_workers.least
        if self.progress.phase not in ("SCHEDULING", "RESCHEDULING"):
            return STARTS
        return why_group_waits(self.plan.request, workers, connection.nodes(1.0), "workers")

    # stopping

    def stop_library(self) -> None:
        """Asked again at each tick, for the controller may not have begun yet.

        While it starts workers it hears nothing, and the loop would begin all the same: so it is killed then.
        """
        controller = self.progress.controller
        if controller is None:
            return
        if self.stopping.forced or self.progress.phase != RUNNING:
            kill(controller)
        elif self.abort is None:
            self.abort = request_abort(controller)

    @property
    def stop_note(self) -> str:
        return "Ray is ending the workers"

    def end_unconfirmed(self) -> None:
        self._stopped("the training did not confirm the stop, and workers may still run")

    # the end

    def conclude(self, result: Any, error: BaseException | None) -> None:
        if error is not None or self.state == "stopping":
            self.progress.interrupt()
        self.outcome = self._outcome(result, error)
        if self.state == "stopping":
            self._stopped("nothing is left running on the cluster")
        elif error is not None:
            self.end("failed", training_failed(error, self.namespace, self.cell_source.label, self._kept()))
        else:
            self.note = self._finished_note()
            self.end("finished")

    def _outcome(self, result: Any, error: BaseException | None) -> Any:
        """What the library has returned, else what it has saved."""
        return completed(result or result_so_far(self.path) or empty_result(self.path, error), self.progress)

    def _finished_note(self) -> str:
        notes = [note for note in (self.note, unbound_names(self.plan.loop, self.namespace)) if note]
        if not self.progress.history.reports:
            notes.append('Nothing was reported; report with train.report({"loss": …}).')
        return " ".join(notes)

    def _stopped(self, left: str) -> None:
        behind = self.behind and f"; {self.behind}"
        self.note = f"{left}; {self._kept()}{behind}"
        if self.stopping.timed_out:
            text = f"{self.name} took longer than --timeout {self.plan.timeout:g} s and was stopped; {self.note}."
            self.end("cancelled", RunTimeout(text))
        else:
            self.end("cancelled", RunCancelled(f"{self.stopped_text}; {self.note}."))

    def _kept(self) -> str:
        """What is left of a run that did not end by itself, and how it goes on."""
        reports = len(self.progress.history.reports)
        said = f"{reports} {'report' if reports == 1 else 'reports'}"
        if getattr(self.outcome, "checkpoint", None) is None:
            return f"{said}, no checkpoint"
        where = f"is in {self.into}" if self.into else f"lies in {shorten_path(self.path)}"
        return f"after {said} the last checkpoint {where}, and --resume goes on from it"

    def end(self, state: str, error: BaseException | None = None) -> None:
        """A run whose cluster is lost keeps what it has saved."""
        if self.live and self.outcome is None and isinstance(error, RayMagicsError):
            self.progress.interrupt()
            self.outcome = self._outcome(None, None)
        if self.outcome is not None and self.outcome.error is None:
            self.outcome.error = error  # a run that was stopped is no success that is empty
        super().end(state, error)

    def bind(self, late: bool = False) -> str:
        """A run that came to nothing leaves the name what it was: it may hold the result of an earlier one."""
        came_to_nothing = not self.progress.history.reports and getattr(self.outcome, "checkpoint", None) is None
        return "" if self.error is not None and came_to_nothing else super().bind(late)

    def release(self) -> None:
        """Handles of actors are freed while there is a cluster: Ray ends a process that frees one just after."""
        super().release()
        self.progress.controller = self.abort = None

    def value(self) -> Any:
        return self.outcome

    def status(self) -> TrainStatus:
        progress = self.progress
        ranks = tuple(progress.ranks[rank] for rank in sorted(progress.ranks))
        starting = self.state == "running" and not ranks
        score = self.plan.checkpoint_score_attribute
        return TrainStatus(
            **self.base_fields(),
            state="pending" if starting else self.state,
            waited=self.waited or 0.0,
            unit="report",
            total=None,
            done=len(progress.history.reports),
            running=0,
            why=self.why if self.live else "",
            note=self.note,
            workers=self.output.workers,
            phase=progress.phase,
            speed=progress.history.per_second,
            wanted=self.plan.num_workers.text.partition(" worker")[0],
            ranks=ranks,
            rows=progress.history.rows(at_once=not self.live),
            checkpoints=tuple(progress.checkpoints.values()),
            best=progress.best,
            scored_by=f"{self.plan.checkpoint_score_order or 'max'} {score}" if score else "",
            restarts=progress.restarts,
            trouble=progress.trouble,
            resizes=progress.resizes,
            path=shorten_path(self.path),
        )
