"""Fails loudly when the private API of Ray Tune changes that `ray_magics/raylib/tune.py` uses."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from ray_magics.errors import RayMagicsError
from ray_magics.raylib import tune as private


@pytest.fixture(scope="module")
def controller() -> Any:
    from ray.tune.execution.tune_controller import TuneController

    return TuneController


def test_the_loop_of_a_search_ends_when_the_controller_says_so_and_saves_before_it_cleans_up() -> None:
    from ray.tune import tune

    source = inspect.getsource(tune.run)
    assert "while not runner.is_finished() and not experiment_interrupted_event.is_set():" in source
    assert source.index("runner.checkpoint(force=True, wait=True)") < source.rindex("runner.cleanup()")


def test_a_tuner_reads_its_configs_when_it_fits() -> None:
    from ray.tune.impl.tuner_internal import TunerInternal

    source = inspect.getsource(TunerInternal)
    for name in ("self._tune_config.scheduler", "self._run_config.callbacks", "self._run_config.progress_reporter"):
        assert name in source
    assert "callbacks=self._run_config.callbacks" in inspect.getsource(TunerInternal._get_tune_run_arguments)


def test_the_class_of_a_controller_can_be_changed_and_is_not_pickled(controller: Any) -> None:
    assert "self.__dict__.copy()" in inspect.getsource(controller.__getstate__)
    assert not hasattr(controller, "__slots__")


def test_a_scheduler_is_handed_the_controller_in_a_wrapper() -> None:
    from ray.tune.execution import tune_controller

    assert "self._tune_controller = tune_controller" in inspect.getsource(tune_controller.TrialRunnerWrapper.__init__)
    assert private.controller_of("plain") == "plain"


def test_a_stopped_trial_leaves_its_actor_among_those_that_are_stopping(controller: Any) -> None:
    source = inspect.getsource(controller)
    for name in ("self._trial_to_actor: ", "self._stopping_actors: ", "def stop_trial(self, trial)"):
        assert name in source
    assert "self._actor_manager.remove_actor(tracked_actor=tracked_actor, kill=True)" in source


def test_a_report_without_the_metric_is_refused_by_a_value_error(controller: Any) -> None:
    source = inspect.getsource(controller._validate_result_metrics)
    assert "raise ValueError" in source and "TUNE_DISABLE_STRICT_METRIC_CHECKING" in source


def test_a_failed_trial_has_its_exception_and_its_text_in_files() -> None:
    from ray.tune.experiment import Trial

    source = inspect.getsource(Trial.handle_error)
    assert "open(self.pickled_error_file" in source and "open(self.error_file" in source
    assert private.failure_of(object()) == "the trial failed"


def test_the_end_of_a_trial_is_known_of_the_schedulers_that_have_one() -> None:
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, HyperBandScheduler

    for made in (ASHAScheduler(max_t=9), HyperBandScheduler(max_t=9, time_attr="training_iteration")):
        at_end, before = ({"training_iteration": number} for number in (9, 8))
        assert private.has_reached_max_t(made, at_end) and not private.has_reached_max_t(made, before)
    assert not private.has_reached_max_t(FIFOScheduler(), {"training_iteration": 100})


def test_tunes_own_output_can_be_left_to_a_reporter(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.tune.experimental.output import get_air_verbosity

    monkeypatch.setenv(private.NEW_OUTPUT, "0")
    assert get_air_verbosity(None) is None


def test_a_ray_that_lets_nobody_watch_its_trials_is_one_line_with_its_version() -> None:
    import ray

    with pytest.raises(
        RayMagicsError, match=rf"cannot watch the trials of Ray {ray.__version__} .*_local_tuner"
    ) as found:
        private.observe(object(), [], lambda scheduler: scheduler, None)
    assert "\n" not in str(found.value)


def test_other_names_that_ray_lacks_have_a_fallback() -> None:
    stopped: list[Any] = []
    plain = SimpleNamespace(stop_trial=stopped.append)
    assert private.metric_of(plain) == ("", "") and private.stop_trial(plain, "trial") is None and stopped == ["trial"]
    private.kill_if_stopping(plain, "actor")
    assert private.history_of(plain, "loss") == [] and not private.has_checkpoint(plain)
