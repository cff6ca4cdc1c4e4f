"""The only place that touches private API of Ray Tune; tried on Ray 2.60.0.

`tests/cluster/test_raylib_tune.py` fails loudly when it changes.
"""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

PRIVATE = (
    "ray.tune.execution.tune_controller:TuneController._actor_manager",
    "ray.tune.execution.tune_controller:TuneController._stopping_actors",
    "ray.tune.execution.tune_controller:TuneController._trial_to_actor",
    "ray.tune.execution.tune_controller:TuneController._validate_result_metrics",
    "ray.tune.execution.tune_controller:TuneController.checkpoint",
    "ray.tune.execution.tune_controller:TuneController.cleanup",
    "ray.tune.execution.tune_controller:TuneController.is_finished",
    "ray.tune.execution.tune_controller:TuneController.stop_trial",
    "ray.tune.execution.tune_controller:TrialRunnerWrapper._tune_controller",
    "ray.tune.experiment.trial:Trial.error_file",
    "ray.tune.experiment.trial:Trial.pickled_error_file",
    "ray.tune.experiment.trial:Trial.storage",
    "ray.tune.impl.tuner_internal:TunerInternal._run_config",
    "ray.tune.impl.tuner_internal:TunerInternal._tune_config",
    "ray.tune.schedulers.async_hyperband:AsyncHyperBandScheduler._max_t",
    "ray.tune.schedulers.async_hyperband:AsyncHyperBandScheduler._time_attr",
    "ray.tune.schedulers.hyperband:HyperBandScheduler._max_t_attr",
    "ray.tune.schedulers.hyperband:HyperBandScheduler._time_attr",
    "ray.tune.tuner:Tuner._local_tuner",
)
QUIET = "RAY_AIR_NEW_OUTPUT"
"""At 0 Tune leaves its output to the `progress_reporter`, as it does by itself in a notebook."""


def observe(tuner: Any, callbacks: list[Any], steer: Any, reporter: Any) -> None:
    """Adds callbacks, wraps the scheduler by ``steer(scheduler)`` and replaces the output of a Tuner.

    After the Tuner has written itself to disk, so that what it saves is plain Ray and any program can restore it.
    """
    inner = tuner._local_tuner
    config = inner._tune_config
    config.scheduler = steer(config.scheduler)
    inner._run_config.callbacks = [*callbacks, *(inner._run_config.callbacks or [])]
    inner._run_config.progress_reporter, inner._run_config.verbose = reporter, 0


def metric_of(tuner: Any) -> tuple[str, str]:
    """The metric and mode of a restored Tuner, "" where it has none."""
    config = tuner._local_tuner._tune_config
    return config.metric or "", config.mode or ""


def controller_of(wrapped: Any) -> Any:
    """The controller behind what a scheduler is handed."""
    return getattr(wrapped, "_tune_controller", wrapped)


def take_over(controller: Any, ended: Callable[[], bool], missing: Callable[[Any], bool]) -> None:
    """Lets a search end where ``ended()``; lets Tune abort over a lacking metric only where ``missing(result)``.

    The loop ends after its step, as with Ray's own handler of SIGINT on the main thread: the state of the experiment
    is written before its trials are stopped, so that ``Tuner.restore`` goes on with them. It is the class that is
    changed, since attributes of the controller itself are pickled into that state.
    """
    kind: Any = type(controller)

    class Watched(kind):  # type: ignore[misc]
        def is_finished(self) -> Any:
            return ended() or kind.is_finished(self)

        def _validate_result_metrics(self, result: Any) -> Any:
            try:
                return kind._validate_result_metrics(self, result)
            except ValueError:
                if missing(result):
                    raise
                return None

        def cleanup(self) -> Any:
            """Also comes after an error, when Tune has not written down what was reported."""
            try:
                self.checkpoint(force=True, wait=True)
            except Exception as error:
                log.debug("the state of a search could not be saved: %s", error)
            return kind.cleanup(self)

    controller.__class__ = Watched


def stop_trial(controller: Any, trial: Any) -> Any:
    """Stops one trial; returns its actor, which may go on until its next report."""
    actor = controller._trial_to_actor.get(trial)
    controller.stop_trial(trial)
    return actor


def kill_if_stopping(controller: Any, actor: Any) -> None:
    """Kills the actor of a stopped trial that has not left by itself."""
    if actor in controller._stopping_actors:
        controller._stopping_actors.pop(actor)
        controller._actor_manager.remove_actor(tracked_actor=actor, kill=True)


def failure_of(trial: Any) -> BaseException | str:
    """What a trial failed with: the exception as Ray hands it over, or its text."""
    try:
        with open(trial.pickled_error_file, "rb") as file:
            error: BaseException = pickle.load(file)
            return error
    except Exception as reason:  # unpickling runs code of any type
        log.debug("no exception of %s: %s", trial, reason)
    try:
        with open(trial.error_file, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, TypeError, AttributeError):
        return "the trial failed"


def has_had_its_time(scheduler: Any, result: Any) -> bool:
    """Whether a trial has come to the `max_t` of a scheduler that has one."""
    most = getattr(scheduler, "_max_t", getattr(scheduler, "_max_t_attr", None))
    attribute = getattr(scheduler, "_time_attr", "training_iteration")
    return most is not None and result.get(attribute, 0) >= most


def history_of(trial: Any, metric: str) -> list[tuple[int, float]]:
    """(iteration, metric) of all that a trial reported before its search was resumed; [] where that cannot be read."""
    try:
        with open(f"{trial.storage.trial_fs_path}/result.json", encoding="utf-8") as file:
            reports = [json.loads(line) for line in file]
        return [(int(one["training_iteration"]), float(one[metric])) for one in reports if metric in one]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as reason:
        log.debug("no history of %s: %s", trial, reason)
        return []


def has_checkpoint(trial: Any) -> bool:
    return getattr(trial, "checkpoint", None) is not None
