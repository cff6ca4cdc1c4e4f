"""The only place that touches private API of Ray Tune; tried on Ray 2.60.0.

Each function says what it does on a Ray that lacks the names it needs. `tests/cluster/test_raylib_tune.py` fails loudly
when Ray changes them.
"""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..errors import RayMagicsError

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
NEW_OUTPUT = "RAY_AIR_NEW_OUTPUT"
"""Environment variable: at 0 Tune leaves its output to the `progress_reporter`, as it does by itself in a notebook.

Tried on Ray 2.60.0. Fallback: a Ray that does not read it prints its tables into the cell, too.
"""

CONTROLLER_METHODS = ("is_finished", "checkpoint", "cleanup", "_validate_result_metrics", "stop_trial")


def observe(tuner: Any, callbacks: list[Any], wrap_scheduler: Callable[[Any], Any], reporter: Any) -> None:
    """Adds callbacks to a Tuner, wraps its scheduler and replaces its output.

    After the Tuner has written itself to disk, so that what it saves is plain Ray and any program can restore it.
    Tried on Ray 2.60.0. Without these names no trial could be shown or stopped: RayMagicsError, with Ray's version.
    """
    try:
        inner = tuner._local_tuner
        tune_config, run_config = inner._tune_config, inner._run_config
        scheduler, own_callbacks = tune_config.scheduler, run_config.callbacks
        controller = import_module("ray.tune.execution.tune_controller").TuneController
        for name in CONTROLLER_METHODS:
            getattr(controller, name)
    except (AttributeError, ImportError) as error:
        raise _unsupported(error) from error
    tune_config.scheduler = wrap_scheduler(scheduler)
    run_config.callbacks = [*callbacks, *(own_callbacks or [])]
    run_config.progress_reporter, run_config.verbose = reporter, 0


def _unsupported(error: Exception) -> RayMagicsError:
    import ray

    return RayMagicsError(
        f"%ray_tune cannot watch the trials of Ray {ray.__version__} ({error}); it was tried on Ray 2.60.0. "
        "--dry-run prints the search as a plain script."
    )


def metric_of(tuner: Any) -> tuple[str, str]:
    """The metric and mode of a Tuner, also of a restored one; "" where it has none.

    Tried on Ray 2.60.0. Fallback: "", so that no trial is marked as the best.
    """
    config = getattr(getattr(tuner, "_local_tuner", None), "_tune_config", None)
    return getattr(config, "metric", None) or "", getattr(config, "mode", None) or ""


def controller_of(wrapped: Any) -> Any:
    """The controller behind what a scheduler is handed.

    Tried on Ray 2.60.0. Fallback: the same object, for a Ray that hands the controller itself.
    """
    return getattr(wrapped, "_tune_controller", wrapped)


def extend_controller(controller: Any, is_ending: Callable[[], bool], must_abort: Callable[[Any], bool]) -> None:
    """Lets a search end where ``is_ending()``; lets Tune abort over a lacking metric only where ``must_abort(result)``.

    The loop ends after its step, as with Ray's own handler of SIGINT on the main thread: the state of the experiment
    is written before its trials are stopped, so that ``Tuner.restore`` goes on with them. It is the class that is
    changed, since attributes of the controller itself are pickled into that state.

    Tried on Ray 2.60.0. `observe` has refused a Ray whose controller lacks one of `CONTROLLER_METHODS`.
    """
    base: Any = type(controller)

    class ExtendedController(base):  # type: ignore[misc]
        def is_finished(self) -> Any:
            return is_ending() or base.is_finished(self)

        def _validate_result_metrics(self, result: Any) -> Any:
            try:
                return base._validate_result_metrics(self, result)
            except ValueError:
                if must_abort(result):
                    raise
                return None

        def cleanup(self) -> Any:
            """Also comes after an error, when Tune has not written down what was reported."""
            try:
                self.checkpoint(force=True, wait=True)
            except Exception as error:
                log.debug("the state of a search could not be saved: %s", error)
            return base.cleanup(self)

    controller.__class__ = ExtendedController


def stop_trial(controller: Any, trial: Any) -> Any:
    """Stops one trial; returns its actor, which may go on until its next report.

    Tried on Ray 2.60.0. Fallback: None where the actor cannot be found; it leaves by itself.
    """
    actor = getattr(controller, "_trial_to_actor", {}).get(trial)
    controller.stop_trial(trial)
    return actor


def kill_if_stopping(controller: Any, actor: Any) -> None:
    """Kills the actor of a stopped trial that has not left by itself.

    Tried on Ray 2.60.0. Fallback: it is left to leave at its next report.
    """
    manager: Any = getattr(controller, "_actor_manager", None)
    stopping = getattr(controller, "_stopping_actors", {})
    if actor in stopping and hasattr(manager, "remove_actor"):
        stopping.pop(actor)
        manager.remove_actor(tracked_actor=actor, kill=True)


def failure_of(trial: Any) -> BaseException | str:
    """What a trial failed with: the exception as Ray hands it over.

    Tried on Ray 2.60.0. Fallback: its text from the file that Ray writes, or that the trial failed.
    """
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


def has_reached_max_t(scheduler: Any, result: Any) -> bool:
    """Whether a trial has come to the `max_t` of a scheduler that has one.

    Tried on Ray 2.60.0. Fallback: False, so that such a trial counts as stopped early.
    """
    max_t = getattr(scheduler, "_max_t", getattr(scheduler, "_max_t_attr", None))
    time_attr = getattr(scheduler, "_time_attr", "training_iteration")
    return max_t is not None and result.get(time_attr, 0) >= max_t


def history_of(trial: Any, metric: str) -> list[tuple[int, float]]:
    """(iteration, metric) of all that a trial reported before its search was resumed.

    Tried on Ray 2.60.0. Fallback: [], so that its curve begins with the next report.
    """
    try:
        with open(f"{trial.storage.trial_fs_path}/result.json", encoding="utf-8") as file:
            reports = [json.loads(line) for line in file]
        return [(int(report["training_iteration"]), float(report[metric])) for report in reports if metric in report]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as reason:
        log.debug("no history of %s: %s", trial, reason)
        return []


def has_checkpoint(trial: Any) -> bool:
    """Tried on Ray 2.60.0. Fallback: False."""
    return getattr(trial, "checkpoint", None) is not None
