"""The search as seen from its own thread: writes the table of trials, carries out what the page requests.

Ray is imported where it is used.
"""

from __future__ import annotations

import functools
import logging
import queue
import time
from collections.abc import Callable, Mapping
from typing import Any

from ...raylib.tune import (
    controller_of,
    extend_controller,
    failure_of,
    has_checkpoint,
    has_reached_max_t,
    history_of,
    kill_if_stopping,
    stop_trial,
)
from .status import PAUSED, PAUSED_BY_USER, REQUESTED, RESUMED, RUNNING, STOPPED_BY_USER, STOPPED_EARLY
from .trial_table import TrialTable, flat_metrics

log = logging.getLogger(__name__)
KILL_AFTER = 2.0  # seconds that the actor of a stopped trial has to leave
ENDLESS = 10**9  # trials; Tune's "as many as the time allows" is larger


class SearchControl:
    """Where the run and the thread of its search meet.

    Attributes:
        requests: (action, trial id) that the user has asked for.
        total: trials to come in all, None while unknown or without end.
        ending: whether the search is to end after its step.
        reported_instead: what the first report without the metric held; None while there was none.
        failures: id of a trial -> what it failed with.
        live: Ray's trials that are not over, by id.
        pausing: ids of trials that are to pause at their next report; then they are `paused_by_user`.
        resumed: ids of those that the user lets go on, which run before trials that wait to begin.
        stopped, early: ids of those that the user, or the scheduler, has stopped.
        leaving: actors of stopped trials, and since when.
    """

    def __init__(self, table: TrialTable, failure_text: Callable[[BaseException | str], str]) -> None:
        """`failure_text` is given the failure of a trial and returns what its row shall say."""
        self.table, self.failure_text = table, failure_text
        self.requests: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self.total: int | None = None
        self.ending = False
        self.reported_instead: list[str] | None = None
        self.failures: dict[str, BaseException | str] = {}
        self.controller: Any = None
        self.live: dict[str, Any] = {}
        self.paused_by_user: set[str] = set()
        self.pausing: set[str] = set()
        self.resumed: set[str] = set()
        self.stopped: set[str] = set()
        self.early: set[str] = set()
        self.leaving: dict[Any, float] = {}

    # from any thread

    def request(self, action: str, trial: str) -> None:
        """Asks for "stop", "pause" or "resume" of a trial at the next step of the search."""
        self.requests.put((action, trial))
        if action in ("stop", "pause"):
            self.table.update(trial, how=REQUESTED)

    def end(self) -> None:
        """Lets the search end after its step."""
        self.ending = True

    # from the thread of the search

    def attach(self, controller: Any) -> None:
        """Takes hold of the controller of the search, once."""
        if controller is not self.controller:
            self.controller = controller
            extend_controller(controller, lambda: self.ending, self._misses_metric)

    def _misses_metric(self, result: Mapping[str, Any]) -> bool:
        """Whether the search must end: only if no trial has reported the metric yet, so that it may be misspelt."""
        if any(self.table.metric in trial.metrics for trial in self.table.trials.values()):
            return False
        self.reported_instead = sorted(flat_metrics(result))
        return True

    def add(self, trial: Any) -> None:
        self.live[trial.trial_id] = trial
        self.table.add(trial.trial_id, trial.config, trial.status)
        if trial.last_result and not self.table.trials[trial.trial_id].iterations:
            self.table.report(trial.trial_id, trial.last_result, has_checkpoint(trial))
            self.table.restore_curve(trial.trial_id, history_of(trial, self.table.metric))

    def carry_out_requests(self) -> None:
        """Does what was requested since the last step."""
        while not self.requests.empty():
            action, trial = self.requests.get()
            if trial in self.live:
                getattr(self, f"_{action}")(self.live[trial])

    def _stop(self, trial: Any) -> None:
        self.stopped.add(trial.trial_id)
        self.paused_by_user.discard(trial.trial_id)
        actor = stop_trial(self.controller, trial)
        if actor is not None:
            self.leaving[actor] = time.monotonic()

    def _pause(self, trial: Any) -> None:
        if trial.status == RUNNING:
            self.pausing.add(trial.trial_id)
        else:
            self.table.update(trial.trial_id, how="")

    def _resume(self, trial: Any) -> None:
        if trial.trial_id in self.paused_by_user:
            self.paused_by_user.discard(trial.trial_id)
            self.resumed.add(trial.trial_id)
        self.table.update(trial.trial_id, how=self._how(trial.trial_id, trial.status))

    def next_resumed(self) -> Any:
        """The trial that the user lets go on first: every scheduler of Tune would begin with those that wait."""
        self.resumed = {key for key in self.resumed if key in self.live and self.live[key].status == PAUSED}
        return self.live[min(self.resumed)] if self.resumed else None

    def poll(self) -> None:
        """Writes down what has changed in this step."""
        for key, trial in list(self.live.items()):
            self.table.update(key, state=trial.status, how=self._how(key, trial.status))
            if self.table.is_over(key):
                del self.live[key]
        now = time.monotonic()
        for actor, since in list(self.leaving.items()):
            if now - since > KILL_AFTER:
                del self.leaving[actor]
                kill_if_stopping(self.controller, actor)

    def _how(self, key: str, state: str) -> str:
        if state == "TERMINATED":
            return STOPPED_BY_USER if key in self.stopped else STOPPED_EARLY if key in self.early else ""
        if state == PAUSED and key in self.paused_by_user:
            return PAUSED_BY_USER
        if state == PAUSED and key in self.resumed:
            return RESUMED
        return REQUESTED if key in self.pausing or (key in self.stopped and state != "ERROR") else ""

    def decide(self, trial: Any, decision: str, at_end: bool) -> str:
        """What becomes of a trial after a report: what the scheduler wants, unless the user has requested a pause.

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

    def fail(self, trial: Any) -> None:
        failure = failure_of(trial)
        self.failures[trial.trial_id] = failure
        self.table.update(trial.trial_id, state="ERROR", how="", error=self.failure_text(failure))


def _never_raises(hook: Callable[..., None]) -> Callable[..., None]:
    """A fault of the view must not abort the user's search, as Tune would for an exception in a callback."""

    @functools.wraps(hook)
    def guarded(*arguments: Any, **more: Any) -> None:
        try:
            hook(*arguments, **more)
        except Exception:
            log.debug("the view of a search gave up %s", hook.__name__, exc_info=True)

    return guarded


def make_callback(control: SearchControl) -> Any:
    """A ``tune.Callback`` that keeps the table of trials."""
    from ray import tune

    class TableCallback(tune.Callback):
        @_never_raises
        def setup(self, *_: Any, **info: Any) -> None:
            total = info.get("total_num_samples") or 0
            control.total = total if 0 < total < ENDLESS else None

        @_never_raises
        def on_step_begin(self, iteration: int, trials: Any, **_: Any) -> None:
            if len(trials) > len(control.table.trials):
                for trial in trials:
                    if trial.trial_id not in control.table.trials:
                        control.add(trial)
            control.carry_out_requests()

        @_never_raises
        def on_step_end(self, iteration: int, trials: Any, **_: Any) -> None:
            control.poll()

        @_never_raises
        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            control.table.update(trial.trial_id, state=trial.status)

        @_never_raises
        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any) -> None:
            control.table.report(trial.trial_id, result, has_checkpoint(trial))

        @_never_raises
        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            control.fail(trial)

    return TableCallback()


def wrap_scheduler(scheduler: Any, control: SearchControl) -> Any:
    """The scheduler, but trials that the user has paused stay so, and trials requested to pause do so."""
    from ray.tune import schedulers

    fifo: Any = schedulers.FIFOScheduler
    inner: Any = scheduler if scheduler is not None else fifo()

    class SchedulerWrapper(schedulers.TrialScheduler):
        @property
        def metric(self) -> Any:
            return inner.metric

        @property
        def supports_buffered_results(self) -> Any:
            return inner.supports_buffered_results

        def set_search_properties(self, metric: Any, mode: Any, **spec: Any) -> Any:
            return inner.set_search_properties(metric, mode, **spec)

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            _never_raises(control.attach)(controller_of(tune_controller))
            inner.on_trial_add(tune_controller, trial)
            _never_raises(control.add)(trial)

        def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
            inner.on_trial_error(tune_controller, trial)

        def on_trial_result(self, tune_controller: Any, trial: Any, result: Any) -> Any:
            decision = inner.on_trial_result(tune_controller, trial, result)
            return control.decide(trial, decision, has_reached_max_t(inner, result))

        def on_trial_complete(self, tune_controller: Any, trial: Any, result: Any) -> None:
            inner.on_trial_complete(tune_controller, trial, result)

        def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
            inner.on_trial_remove(tune_controller, trial)

        def choose_trial_to_run(self, tune_controller: Any) -> Any:
            if (resumed := control.next_resumed()) is not None:
                return resumed
            paused = control.paused_by_user
            chosen = inner.choose_trial_to_run(_WithoutPaused(tune_controller, paused) if paused else tune_controller)
            return None if chosen is not None and chosen.trial_id in paused else chosen

        def debug_string(self) -> Any:
            return inner.debug_string()

        def save(self, checkpoint_path: str) -> Any:
            return inner.save(checkpoint_path)

        def restore(self, checkpoint_path: str) -> Any:
            return inner.restore(checkpoint_path)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    wrapper: Any = SchedulerWrapper
    return wrapper()


class _WithoutPaused:
    """The controller as a scheduler sees it while the user has paused trials."""

    def __init__(self, controller: Any, paused_by_user: set[str]) -> None:
        self._controller, self._paused = controller, paused_by_user

    def get_trials(self) -> list[Any]:
        return [trial for trial in self._controller.get_trials() if trial.trial_id not in self._paused]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._controller, name)


def make_silent_reporter() -> Any:
    """A progress reporter that prints nothing: the view shows all."""
    from ray.tune import ProgressReporter

    class SilentReporter(ProgressReporter):
        def should_report(self, trials: Any, done: bool = False) -> bool:
            return False

        def report(self, trials: Any, done: bool, *sys_info: Any) -> None:
            pass

    return SilentReporter()


def make_silent_callback() -> Any:
    """Stands for the callback that Tune adds by itself to print a line for each trial, and prints none."""
    from ray.tune.progress_reporter import TrialProgressCallback

    class SilentCallback(TrialProgressCallback):
        def on_trial_result(self, *_: Any, **__: Any) -> None:
            pass

        on_trial_error = on_trial_complete = on_trial_result

    callback: Any = SilentCallback
    return callback()
