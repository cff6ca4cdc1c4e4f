"""Does what the plan says: a Tuner on a thread of its own, observed and controlled from here."""

from __future__ import annotations

from functools import partial
from typing import Any

from ... import connection
from ...cell.source import CellSource
from ...errors import ClusterLost, RayMagicsError, RunCancelled, UsageError
from ...raylib.tune import metric_of, observe
from ...resources import fits_now, too_many
from ...run.launch import be_ready, execute_run
from ...run.library_run import LibraryRun
from ...run.run import Viewer
from ...run.storage import shorten_path
from ...run.waiting import reason_to_wait
from ...worker.records import OutputMessage
from ...worker.values import Namespace
from .control import SearchControl, make_callback, make_silent_callback, make_silent_reporter, wrap_scheduler
from .failures import error_of_all, failure_text, search_failed
from .messages import metric_not_reported, nothing_reported, trials
from .plan import TunePlan
from .quiet import quiet
from .space import nested_config, safe_repr
from .status import TuneStatus, choices_of
from .trainable import TRAINING
from .trial_table import TrialTable
from .tuner import can_go_on, make_tuner, results_so_far

TRIAL_ACTIONS = ("stop", "pause", "resume")


def check(plan: TunePlan) -> None:
    """Connects; raises UsageError for trials that this cluster can never run."""
    be_ready(plan.request)
    if plan.trainable.kind == TRAINING:
        loop = plan.trainable.value
        nodes = connection.nodes(60.0)
        reason = too_many(loop.request, loop.workers, nodes, "workers of a trial", "--num-workers")
        if reason and not connection.can_grow():
            raise UsageError(reason)


def execute_plan(plan: TunePlan, namespace: Namespace, cell_source: CellSource, view: Viewer) -> Any:
    """Searches; returns what the cell shows, or in the background the Run."""
    return execute_run(TuneRun(plan, namespace, cell_source), view, plan.background)


class TuneRun(LibraryRun):
    """One search. Its value is Ray's ResultGrid, with the best result as the attribute `best`.

    Attributes:
        path: where the experiment is kept.
    """

    def __init__(self, plan: TunePlan, namespace: Namespace, cell_source: CellSource) -> None:
        name = plan.trainable.text or cell_source.name
        super().__init__(name[:60], "ray_tune", cell_source.cell_id, namespace, plan.into, plan.background)
        self.plan, self.cell_source = plan, cell_source
        self.table = TrialTable(plan.varied, plan.metric, plan.mode)
        self.choices = choices_of(plan.space)
        self.control = SearchControl(self.table, partial(failure_text, label=cell_source.label))
        self.grid: Any = None
        self.path, self.quiet = "", plan.quiet

    # submitting

    def submit(self) -> None:
        self.had_capacity = fits_now(self.plan.request, connection.nodes(5.0))
        with quiet():
            prepared = make_tuner(self.plan, self.namespace, self.cell_source, self.id)
        self.path, self.note, self.trainable = prepared.path, prepared.note, prepared.trainable
        self.table.metric, self.table.mode = metric_of(prepared.tuner)
        observe(
            prepared.tuner,
            [make_callback(self.control), make_silent_callback()],
            lambda scheduler: wrap_scheduler(scheduler, self.control),
            make_silent_reporter(),
        )
        self.start_library(prepared.tuner)

    def call_library(self, prepared: Any) -> tuple[Any, BaseException | None]:
        with quiet():
            try:
                return prepared.fit(), None
            except BaseException as error:
                return results_so_far(self.path, self.trainable), error

    def output_label(self, message: OutputMessage) -> str:
        id, _, rank = str(message.task).partition(":")
        trial = self.table.trials.get(id)
        return f"trial {trial.number if trial else id}{rank and f', rank {rank}'}"

    def tick(self) -> None:
        if self.waited is None and self.table.running:
            self.waited = self.elapsed
        self.why = "" if self.table.running else self._why_waiting()
        super().tick()

    def _why_waiting(self) -> str:
        paused = len(self.control.paused_by_user)
        if paused and not self.table.counts()["PENDING"]:
            return f"{trials(paused)} paused; resume or stop {'it' if paused == 1 else 'them'} to end the search"
        if self.elapsed < 1.0 or self.waited is not None:
            return ""
        own = len(self.control.live) if self.had_capacity else 0
        return reason_to_wait(self.plan.request, connection.nodes(1.0), self.elapsed, own=own)

    # stopping, and control of single trials

    def stop_library(self) -> None:
        self.control.end()

    @property
    def stop_note(self) -> str:
        return "Ray is stopping the trials that run"

    def end_unconfirmed(self) -> None:
        self._stopped("the search did not confirm the stop, and trials may still run")

    def command(self, action: str, part: str) -> str:
        """Stops, pauses or resumes one trial from any thread; returns what is wrong with that, "" if nothing."""
        if action not in TRIAL_ACTIONS:
            return f"a search knows {', '.join(TRIAL_ACTIONS)}, not {action}"
        if part not in self.table.trials:
            return "there is no such trial"
        if not self.live or self.table.is_over(part):
            return "this trial is over"
        self.control.request(action, part)
        return ""

    def stop_trial(self, trial: str | int) -> None:
        """Stops one trial, by its id or its number; its last report counts."""
        self._request("stop", trial)

    def pause_trial(self, trial: str | int) -> None:
        """Pauses one trial at its next report; it goes on from its last checkpoint, without one from its beginning."""
        self._request("pause", trial)

    def resume_trial(self, trial: str | int) -> None:
        """Lets a trial go on that was paused."""
        self._request("resume", trial)

    def _request(self, action: str, trial: str | int) -> None:
        numbers = {other.number: key for key, other in list(self.table.trials.items())}
        problem = self.command(action, numbers.get(trial, "") if isinstance(trial, int) else trial)
        if problem:
            raise UsageError(f"trial {trial}: {problem}")

    # the end

    def conclude(self, result: Any, error: BaseException | None) -> None:
        self.grid = result
        if self.state == "stopping" or error is not None:
            self.table.interrupt()
        else:
            self.control.poll()
        if self.grid is not None:
            self.grid.best = self._best()
        if self.control.reported_instead is not None:
            message = metric_not_reported(self.table.metric, self.control.reported_instead)
            self.end("failed", RayMagicsError(message))
        elif self.state == "stopping":
            self._stopped("nothing is left running on the cluster")
        elif error is not None:
            self.end("failed", search_failed(error))
        else:
            self._finished()

    def end(self, state: str, error: BaseException | None = None) -> None:
        """A search whose cluster is lost keeps what it has written down."""
        if isinstance(error, ClusterLost) and self.live and self.grid is None:
            self.table.interrupt()
            self.grid = results_so_far(self.path, self.trainable)
            if self.grid is not None:
                self.grid.best = self._best()
                where = f"is in {self.into}" if self.into else f"lies in {shorten_path(self.path)}"
                error = ClusterLost(
                    f"{str(error).partition('; results that')[0]}. What was reported {where}, and --resume goes on."
                )
        super().end(state, error)

    def _finished(self) -> None:
        trials = self.table.trials
        if self.table.failed and self.table.failed == len(trials):
            self.end("failed", error_of_all(self.control.failures, self.table, self.namespace, self.cell_source.label))
        elif self.table.metric and trials and all(not trial.metrics for trial in trials.values()):
            budget = self.plan.time_budget_s
            late = budget if budget is not None and self.elapsed >= budget else None
            self.end("failed", RayMagicsError(nothing_reported(self.table.metric, late)))
        else:
            self.note = self._first_failure() or self.note
            self.end("finished")

    def _stopped(self, left: str) -> None:
        ended = self.table.done + self.table.failed
        progress = f"{ended} of {trials(len(self.table.trials))} had ended; all that was reported is kept"
        binding = f" in {self.plan.into}" if self.plan.into and self.grid is not None else ""
        advice = ", and --resume goes on" if can_go_on(self.path) else "; its folder is gone"
        self.note = f"{left}; {progress}{binding}{advice}" if self.table.trials else left
        self.end("cancelled", RunCancelled(f"{self.stopped_text}; {self.note}."))

    def _best(self) -> Any:
        """The best result by the last report; None where nothing was reported."""
        if not self.table.metric:
            return None
        try:
            return self.grid.get_best_result(self.table.metric, self.table.mode)
        except (RuntimeError, ValueError):
            return None

    def _first_failure(self) -> str:
        key = next(iter(self.control.failures), "")
        if not key:
            return ""
        first = self.table.trials[key]
        return (
            f"{trials(self.table.failed)} failed; the first, trial {first.number}: {first.error.partition(chr(10))[0]}"
        )

    def release(self) -> None:
        super().release()
        self.trainable = None

    def value(self) -> Any:
        return self.grid

    @property
    def best(self) -> Any:
        """Ray's Result of the best trial so far; None before the end, or where nothing was reported."""
        return getattr(self.grid, "best", None)

    def status(self) -> TuneStatus:
        plan, table = self.plan, self.table
        best = table.best
        waiting = self.why and self.waited is None and self.state == "running"
        return TuneStatus(
            **self.base_fields(),
            state="pending" if waiting else self.state,
            waited=self.waited or 0.0,
            unit="trial",
            total=self.control.total if self.live or not table.trials else len(table.trials),
            done=table.done,
            failed=table.failed,
            running=table.running,
            stopped=table.stopped,
            why=self.why if self.live else "",
            note=self.note,
            workers=self.output.workers,
            metric=table.metric,
            mode=table.mode,
            search=plan.search.label,
            scheduler=plan.scheduler.label,
            params=table.params,
            metrics=table.metrics,
            scales={dimension.key: "log" for dimension in plan.space if dimension.log},
            choices=self.choices,
            best=best.id if best else "",
            best_python=safe_repr(nested_config(best.config), 4000) if best else "",
            path=shorten_path(self.path),
            states=table.counts(),
            rows=table.to_rows(),
        )
