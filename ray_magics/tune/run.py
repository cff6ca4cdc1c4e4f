"""Does what the plan says: a Tuner on a thread of its own, watched and steered from here."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
import time
from functools import partial
from typing import Any

from ..core import connection
from ..core.dispatch import Inbox
from ..core.errors import RayMagicsError, RunCancelled, UsageError
from ..core.launch import be_ready, launch
from ..core.output import mailroom
from ..core.place import Place
from ..core.resources import STARTS, fits_now, why_waiting
from ..core.run import Event, Run, Viewer
from ..core.settings import settings
from ..core.worker.values import Namespace
from . import private
from .board import Board
from .failures import error_of_all, search_failed, told
from .plan import TunePlan
from .quiet import quiet
from .space import nested_config, shown
from .status import TuneStatus
from .steering import Desk, make_silent, make_steered, make_unsaid, make_watcher
from .tuner import can_go_on, make_tuner, results_so_far
from .words import at_home, trials, unmet, unreported

STARTS_SLOWLY = 8.0  # seconds without a running trial after which a view says that workers are starting
LETTERS_LATE = 0.3  # seconds that the end of a search waits for output still under way
TRIAL_ACTIONS = ("stop", "pause", "resume")


def check(plan: TunePlan) -> None:
    """Connects; raises UsageError for trials that this cluster can never run."""
    be_ready(plan.request)


def start(plan: TunePlan, namespace: Namespace, place: Place, view: Viewer) -> TuneRun:
    """Starts a search; it is over when this returns, unless it is in the background."""
    run = TuneRun(plan, namespace, place)
    launch(run, view, plan.background)
    return run


def finish(run: TuneRun) -> Any:
    """Binds the result, of a search that was stopped what there is, and returns what the cell shows."""
    run.bind()
    if run.error is not None:
        raise run.error
    return None if run.plan.into else run.value()


class TuneRun(Run):
    """One search. Its value is Ray's ResultGrid, with the best result as the attribute `best`.

    Attributes:
        path: where the experiment is kept.
    """

    def __init__(self, plan: TunePlan, namespace: Namespace, place: Place) -> None:
        name = plan.trainable.text or place.name
        super().__init__(name[:60], "ray_tune", place.cell)
        self.plan, self.namespace, self.place = plan, namespace, place
        self.inbox = Inbox(self.id, into_cell=False)
        self.board = Board(plan.varied, plan.metric, plan.mode)
        self.desk = Desk(self.board, partial(told, label=place.label))
        self.grid: Any = None
        self.path = self.why = self.note = ""
        self.waited: float | None = None
        self.stop_asked: float | None = None
        self.forced = False
        self.before = namespace.get(plan.into) if plan.into else None

    # submitting

    def submit(self) -> None:
        mailroom.receive(self.id, lambda letter: self.post("letter", letter))
        mailroom.open()
        with quiet():
            made = make_tuner(self.plan, self.namespace, self.place, self.id)
        self.path, self.note, self.trainable = made.path, made.note, made.trainable
        self.board.metric, self.board.mode = private.metric_of(made.tuner)
        private.observe(
            made.tuner,
            [make_watcher(self.desk), make_unsaid()],
            lambda scheduler: make_steered(scheduler, self.desk),
            make_silent(),
        )
        self.state = "running"
        context = contextvars.copy_context()
        target = (self._fit, made.tuner)
        threading.Thread(target=context.run, args=target, name=f"ray_magics-search-{self.id}", daemon=True).start()

    def _fit(self, tuner: Any) -> None:
        """On the thread of the search."""
        with quiet():
            try:
                self.post("over", tuner.fit(), None)
            except BaseException as error:
                self.post("over", results_so_far(self.path, self.trainable), error)

    # events

    def handle(self, event: Event) -> None:
        if event[0] == "letter":
            self._take_letter(event[1])
        elif event[0] == "over":
            self.grid, failure = event[1], event[2]
            self._drain()
            self._conclude(failure)

    def _take_letter(self, letter: Any) -> None:
        trial = self.board.trials.get(letter["task"])
        name = f"trial {trial.number}" if trial else f"trial {letter['task']}"
        self.inbox.take_letter(letter, name)

    def _drain(self) -> None:
        """Takes in the output that is still under way."""
        end = time.monotonic() + LETTERS_LATE
        while time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                event = self.events.get(timeout=max(end - time.monotonic(), 0.01))
                if event[0] == "letter":
                    self._take_letter(event[1])

    def tick(self) -> None:
        now = time.monotonic()
        mailroom.open()
        if self.waited is None and self.board.running:
            self.waited = self.elapsed
        self.why = "" if self.board.running else self._why_waiting()
        self._watch_stop(now)
        self.watch_cluster(now)

    def _why_waiting(self) -> str:
        held = len(self.desk.held)
        if held and not self.board.counts()["PENDING"]:
            return f"{trials(held)} paused; resume or stop {'it' if held == 1 else 'them'} to end the search"
        if self.elapsed < 1.0 or self.waited is not None:
            return ""
        nodes = tuple(connection.nodes(1.0))
        if fits_now(self.plan.request, nodes):
            return STARTS if self.elapsed > STARTS_SLOWLY else ""
        return why_waiting(self.plan.request, nodes, None)

    # stopping, and steering single trials

    def cancel(self, force: bool) -> None:
        self.stop_asked = self.stop_asked or time.monotonic()
        self.forced = self.forced or force
        self.desk.end()

    def command(self, action: str, part: str) -> str:
        """Stops, pauses or resumes one trial from any thread; returns what is wrong with that, "" if nothing."""
        if action not in TRIAL_ACTIONS:
            return f"a search knows {', '.join(TRIAL_ACTIONS)}, not {action}"
        if part not in self.board.trials:
            return "there is no such trial"
        if not self.live or self.board.is_over(part):
            return "this trial is over"
        self.desk.ask(action, part)
        return ""

    def stop_trial(self, trial: str | int) -> None:
        """Stops one trial, by its id or its number; its last report counts."""
        self._ask("stop", trial)

    def pause_trial(self, trial: str | int) -> None:
        """Pauses one trial at its next report; it goes on from its last checkpoint, without one from its beginning."""
        self._ask("pause", trial)

    def resume_trial(self, trial: str | int) -> None:
        """Lets a trial go on that was paused."""
        self._ask("resume", trial)

    def _ask(self, action: str, trial: str | int) -> None:
        numbers = {other.number: key for key, other in list(self.board.trials.items())}
        problem = self.command(action, numbers.get(trial, "") if isinstance(trial, int) else trial)
        if problem:
            raise UsageError(f"trial {trial}: {problem}")

    def _watch_stop(self, now: float) -> None:
        if self.stop_asked is None:
            return
        if now - self.stop_asked > settings().stop_grace:
            self.note = "Ray is stopping the trials that run; those that do not answer are killed"
        if self.forced and now - self.stop_asked > 4 * settings().stop_grace:
            self._stopped("the search did not confirm the stop, and trials may still run")

    # the end

    def _conclude(self, failure: BaseException | None) -> None:
        if self.state == "stopping" or failure is not None:
            self.board.interrupt()
        else:
            self.desk.look()
        if self.grid is not None:
            self.grid.best = self._best()
        if self.desk.unmet is not None:
            self.end("failed", RayMagicsError(unmet(self.board.metric, self.desk.unmet)))
        elif self.state == "stopping":
            self._stopped("nothing is left running on the cluster")
        elif failure is not None:
            self.end("failed", search_failed(failure))
        else:
            self._finished()

    def _finished(self) -> None:
        trials = self.board.trials
        if self.board.failed and self.board.failed == len(trials):
            self.end("failed", error_of_all(self.desk.failures, self.board, self.namespace, self.place.label))
        elif self.board.metric and trials and all(not trial.metrics for trial in trials.values()):
            budget = self.plan.time_budget_s
            late = budget if budget is not None and self.elapsed >= budget else None
            self.end("failed", RayMagicsError(unreported(self.board.metric, late)))
        else:
            self.note = self._first_failure() or self.note
            self.end("finished")

    def _stopped(self, left: str) -> None:
        ended = self.board.done + self.board.failed
        kept = f"{ended} of {trials(len(self.board.trials))} had ended; all that was reported is kept"
        bound = f" in {self.plan.into}" if self.plan.into and self.grid is not None else ""
        again = ", and --resume goes on" if can_go_on(self.path) else "; its folder is gone"
        self.note = f"{left}; {kept}{bound}{again}" if self.board.trials else left
        self.end("cancelled", RunCancelled(f"{self.name} was stopped after {self.elapsed:.1f} s; {self.note}."))

    def _best(self) -> Any:
        """The best result by the last report; None where nothing was reported."""
        if not self.board.metric:
            return None
        try:
            return self.grid.get_best_result(self.board.metric, self.board.mode)
        except (RuntimeError, ValueError):
            return None

    def _first_failure(self) -> str:
        key = next(iter(self.desk.failures), "")
        if not key:
            return ""
        first = self.board.trials[key]
        return (
            f"{trials(self.board.failed)} failed; the first, trial {first.number}: {first.error.partition(chr(10))[0]}"
        )

    def end(self, state: str, error: BaseException | None = None) -> None:
        mailroom.forget(self.id)
        if self.plan.background and self.live:
            self._bind_late()
        super().end(state, error)

    def release(self) -> None:
        self.before = self.trainable = None

    def bind(self) -> None:
        """Gives the notebook the result, also that of a search which was stopped or failed."""
        if self.plan.into and self.grid is not None:
            self.namespace[self.plan.into] = self.grid

    def _bind_late(self) -> None:
        """At the end of a background run, unless the notebook has assigned the name anew."""
        if self.plan.into and self.namespace.get(self.plan.into) is not self.before:
            self.note = f"{self.plan.into} got another value meanwhile and keeps it; this result is in the Run"
        else:
            self.bind()

    def value(self) -> Any:
        return self.grid

    @property
    def best(self) -> Any:
        """Ray's Result of the best trial so far; None before the end, or where nothing was reported."""
        return getattr(self.grid, "best", None)

    def logs(self, worker: str = "") -> str:
        return self.inbox.log.text(worker)

    def status(self) -> TuneStatus:
        plan, board = self.plan, self.board
        best = board.best
        waiting = self.why and self.waited is None and self.state == "running"
        return TuneStatus(
            **self.facts(),
            state="pending" if waiting else self.state,
            waited=self.waited or 0.0,
            unit="trial",
            total=self.desk.total if self.live or not board.trials else len(board.trials),
            done=board.done,
            failed=board.failed,
            running=board.running,
            why=self.why if self.live else "",
            note=self.note,
            workers=self.inbox.workers,
            metric=board.metric,
            mode=board.mode,
            search=plan.search.label,
            scheduler=plan.scheduler.label,
            params=board.params,
            metrics=board.metrics,
            scales={dimension.key: "log" for dimension in plan.space if dimension.log},
            best=best.id if best else "",
            best_python=shown(nested_config(best.config), 4000) if best else "",
            path=at_home(self.path),
            states=board.counts(),
            rows=board.to_rows(),
        )
