"""The search as seen from its own thread: keeps the books, obeys the page. Ray is imported where it is used."""

from __future__ import annotations

import functools
import logging
import queue
import time
from collections.abc import Callable, Mapping
from typing import Any

from ...raylib import tune as private
from .status import ASKED, EARLY, HELD, PAUSED, RUNNING, STOPPED
from .trial_table import TrialTable, flat_metrics

log = logging.getLogger(__name__)
KILL_AFTER = 2.0  # seconds that the actor of a stopped trial has to leave
ENDLESS = 10**9  # trials; Tune's "as many as the time allows" is larger


class SearchControl:
    """Where the run and the thread of its search meet.

    Attributes:
        total: trials to come in all, None while unknown or without end.
        unmet: what the first report without the metric paused_by_user instead.
        failures: id of a trial -> what it failed with.
    """

    def __init__(self, table: TrialTable, failure_text: Callable[[BaseException | str], str]) -> None:
        """`failure_text` is given the failure of a trial and returns what its row shall say."""
        self.table, self.failure_text = table, failure_text
        self.requests: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self.total: int | None = None
        self.ending = False
        self.unmet: list[str] | None = None
        self.failures: dict[str, BaseException | str] = {}
        self.controller: Any = None
        self.live: dict[str, Any] = {}
        self.paused_by_user: set[str] = set()
        self.pausing: set[str] = set()
        self.stopped: set[str] = set()
        self.early: set[str] = set()
        self.leaving: dict[Any, float] = {}

    # from any thread

    def ask(self, action: str, trial: str) -> None:
        self.requests.put((action, trial))
        if action in ("stop", "pause"):
            self.table.change(trial, how=ASKED)

    def end(self) -> None:
        self.ending = True

    # from the thread of the search

    def meet(self, controller: Any) -> None:
        if controller is not self.controller:
            self.controller = controller
            private.take_over(controller, lambda: self.ending, self._misses_metric)

    def _misses_metric(self, result: Mapping[str, Any]) -> bool:
        """Whether the search must end: only if no trial has reported the metric yet, so that it may be misspelt."""
        if any(self.table.metric in trial.metrics for trial in self.table.trials.values()):
            return False
        self.unmet = sorted(flat_metrics(result))
        return True

    def add(self, trial: Any) -> None:
        self.live[trial.trial_id] = trial
        self.table.add(trial.trial_id, trial.config, trial.status)
        if trial.last_result and not self.table.trials[trial.trial_id].iterations:
            self.table.report(trial.trial_id, trial.last_result, private.has_checkpoint(trial))
            self.table.remember(trial.trial_id, private.history_of(trial, self.table.metric))

    def obey(self) -> None:
        """Carries out what was asked since the last step."""
        while not self.requests.empty():
            action, trial = self.requests.get()
            if trial in self.live:
                getattr(self, f"_{action}")(self.live[trial])

    def _stop(self, trial: Any) -> None:
        self.stopped.add(trial.trial_id)
        self.paused_by_user.discard(trial.trial_id)
        actor = private.stop_trial(self.controller, trial)
        if actor is not None:
            self.leaving[actor] = time.monotonic()

    def _pause(self, trial: Any) -> None:
        if trial.status == RUNNING:
            self.pausing.add(trial.trial_id)
        else:
            self.table.change(trial.trial_id, how="")

    def _resume(self, trial: Any) -> None:
        self.paused_by_user.discard(trial.trial_id)
        self.table.change(trial.trial_id, how="")

    def look(self) -> None:
        """Writes down what has changed in this step."""
        for key, trial in list(self.live.items()):
            self.table.change(key, state=trial.status, how=self._how(key, trial.status))
            if self.table.is_over(key):
                del self.live[key]
        now = time.monotonic()
        for actor, since in list(self.leaving.items()):
            if now - since > KILL_AFTER:
                del self.leaving[actor]
                private.kill_if_stopping(self.controller, actor)

    def _how(self, key: str, state: str) -> str:
        if state == "TERMINATED":
            return STOPPED if key in self.stopped else EARLY if key in self.early else ""
        if state == PAUSED and key in self.paused_by_user:
            return HELD
        return ASKED if key in self.pausing or (key in self.stopped and state != "ERROR") else ""

    def decide(self, trial: Any, decision: str, at_end: bool) -> str:
        """What becomes of a trial after a report: what the scheduler wants, unless the user has asked for a pause.

        `at_end` says that the trial has had all the time there is.
        """
        key = trial.trial_id
        if decision == "STOP" and not at_end:
            self.early.add(key)
        elif key in self.pausing and decision == "CONTINUE":
            self.pausing.discard(key)
            self.paused_by_user.add(key)
            return "PAUSE"
        return decision

    def failed(self, trial: Any) -> None:
        failure = private.failure_of(trial)
        self.failures[trial.trial_id] = failure
        self.table.change(trial.trial_id, state="ERROR", how="", error=self.failure_text(failure))


def _guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """A fault of the books must not abort the user's search, as Tune would for an exception in a callback."""

    @functools.wraps(hook)
    def guarded(*arguments: Any, **more: Any) -> None:
        try:
            hook(*arguments, **more)
        except Exception:
            log.debug("the view of a search gave up %s", hook.__name__, exc_info=True)

    return guarded


def make_watcher(control: SearchControl) -> Any:
    """A ``tune.Callback`` that keeps the table of trials."""
    from ray import tune

    class Watcher(tune.Callback):
        @_guarded
        def setup(self, *_: Any, **info: Any) -> None:
            total = info.get("total_num_samples") or 0
            control.total = total if 0 < total < ENDLESS else None

        @_guarded
        def on_step_begin(self, iteration: int, trials: Any, **_: Any) -> None:
            if len(trials) > len(control.table.trials):
                for trial in trials:
                    if trial.trial_id not in control.table.trials:
                        control.add(trial)
            control.obey()

        @_guarded
        def on_step_end(self, iteration: int, trials: Any, **_: Any) -> None:
            control.look()

        @_guarded
        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            control.table.change(trial.trial_id, state=trial.status)

        @_guarded
        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any) -> None:
            control.table.report(trial.trial_id, result, private.has_checkpoint(trial))

        @_guarded
        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            control.failed(trial)

    return Watcher()


def make_steered(scheduler: Any, control: SearchControl) -> Any:
    """The scheduler, but trials that the user has paused stay so, and trials asked to pause do so."""
    from ray.tune import schedulers

    fifo: Any = schedulers.FIFOScheduler
    real: Any = scheduler if scheduler is not None else fifo()

    class Steered(schedulers.TrialScheduler):
        @property
        def metric(self) -> Any:
            return real.metric

        @property
        def supports_buffered_results(self) -> Any:
            return real.supports_buffered_results

        def set_search_properties(self, metric: Any, mode: Any, **spec: Any) -> Any:
            return real.set_search_properties(metric, mode, **spec)

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            _guarded(control.meet)(private.controller_of(tune_controller))
            real.on_trial_add(tune_controller, trial)
            _guarded(control.add)(trial)

        def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
            real.on_trial_error(tune_controller, trial)

        def on_trial_result(self, tune_controller: Any, trial: Any, result: Any) -> Any:
            decision = real.on_trial_result(tune_controller, trial, result)
            return control.decide(trial, decision, private.has_had_its_time(real, result))

        def on_trial_complete(self, tune_controller: Any, trial: Any, result: Any) -> None:
            real.on_trial_complete(tune_controller, trial, result)

        def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
            real.on_trial_remove(tune_controller, trial)

        def choose_trial_to_run(self, tune_controller: Any) -> Any:
            chosen = real.choose_trial_to_run(
                _Without(tune_controller, control.paused_by_user) if control.paused_by_user else tune_controller
            )
            return None if chosen is not None and chosen.trial_id in control.paused_by_user else chosen

        def debug_string(self) -> Any:
            return real.debug_string()

        def save(self, checkpoint_path: str) -> Any:
            return real.save(checkpoint_path)

        def restore(self, checkpoint_path: str) -> Any:
            return real.restore(checkpoint_path)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    made: Any = Steered
    return made()


class _Without:
    """The controller as a scheduler sees it while the user holds trials back."""

    def __init__(self, controller: Any, paused_by_user: set[str]) -> None:
        self._controller, self._held = controller, paused_by_user

    def get_trials(self) -> list[Any]:
        return [trial for trial in self._controller.get_trials() if trial.trial_id not in self._held]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._controller, name)


def make_silent() -> Any:
    """A progress reporter that says nothing: the view does."""
    from ray.tune import ProgressReporter

    class Silent(ProgressReporter):
        def should_report(self, trials: Any, done: bool = False) -> bool:
            return False

        def report(self, trials: Any, done: bool, *sys_info: Any) -> None:
            pass

    return Silent()


def make_unsaid() -> Any:
    """The callback that Tune would add by itself to print a line for each trial, with nothing to say."""
    from ray.tune.progress_reporter import TrialProgressCallback

    class Unsaid(TrialProgressCallback):
        def on_trial_result(self, *_: Any, **__: Any) -> None:
            pass

        on_trial_error = on_trial_complete = on_trial_result

    made: Any = Unsaid
    return made()
