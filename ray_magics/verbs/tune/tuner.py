"""A plan as Ray's own Tuner: new, or restored from where an experiment is kept."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from ... import connection
from ...cell.source import CellSource
from ...errors import RayMagicsError, UsageError, first_line
from ...resources import room_for
from ...run.dispatch import task_spec
from ...run.loops import IDLE, NamedLoop
from ...run.storage import absolute_storage, names_of, new_name, run_path, shorten_path, storage_of
from ...ship.entrypoint import make_entrypoint, sources
from ...ship.payload import CapturedValues
from ...worker.values import Namespace
from .algorithms import SCHEDULERS, SEARCHES, Algorithm, AlgorithmChoice, mutations
from .plan import TunePlan
from .space import CONSTANT, KINDS, OBJECT, Dimension, nested
from .trainable import RAY, TRAINING

log = logging.getLogger(__name__)
TRIAL = "ray_magics.verbs.tune.trial"


@dataclass(frozen=True)
class PreparedTuner:
    """A Tuner, where its experiment is kept, what its trials run, and a note for the user."""

    tuner: Any
    path: str
    trainable: Any
    note: str = ""


def make_tuner(plan: TunePlan, namespace: Namespace, cell_source: CellSource, run: str) -> PreparedTuner:
    """Ray's Tuner for this plan. Raises UsageError for what Ray refuses."""
    trainable = make_trainable(plan, namespace, cell_source, run)
    path = find_experiment(plan) if plan.resume else ""
    if path:
        note = "Resumed: its space, metric, samples and algorithms stay as they were."
        return PreparedTuner(_restored(path, trainable), path, trainable, note)
    _check_new(plan)
    name = plan.name or new_name(plan.storage_path, plan.trainable.name)
    note = "There is nothing to resume, so this is a new search." if plan.resume else ""
    return PreparedTuner(_new(plan, trainable, name), run_path(plan.storage_path, name), trainable, note)


def _check_new(plan: TunePlan) -> None:
    """Nothing that is kept is overwritten, and nothing is searched that was meant to go on."""
    if plan.resume and (plan.name or not plan.space):
        name, folder = plan.name or f"{plan.trainable.name}_<time>", shorten_path(storage_of(plan.storage_path))
        raise UsageError(f"--resume: there is no experiment {name} in {folder} to go on with.")
    if plan.name and can_go_on(run_path(plan.storage_path, plan.name)):
        raise UsageError(
            f"--name {plan.name}: {shorten_path(run_path(plan.storage_path, plan.name))} holds an experiment already; "
            "--resume goes on with it, or choose another name."
        )


def make_trainable(plan: TunePlan, namespace: Namespace, cell_source: CellSource, run: str) -> Any:
    """What Tune calls in each trial: the user's code with what it reads, or Ray's own trainable as it is."""
    from ray import tune

    own = plan.trainable
    if own.kind == TRAINING:
        return tune.with_resources(own.value.make_trial(run), plan.resources or IDLE)
    trainable = _quiet(own.value) if own.kind == RAY else _shipped(plan, namespace, cell_source, run)
    if plan.resources is None:
        return trainable
    try:
        return tune.with_resources(trainable, plan.resources)
    except ValueError as error:
        raise UsageError(f"{own.text}: {first_line(error)}") from error


def _quiet(trainable: Any) -> Any:
    """Ray's own trainable, whose trials do not log each checkpoint.

    Ray writes the resources onto a class or function; the user's own stays as it is.
    """

    def quiet() -> None:
        import logging

        for library in ("ray.train", "ray.tune"):
            logging.getLogger(library).setLevel(logging.WARNING)

    quiet.__module__ = "__main__"  # so that it travels by value: a worker has no ray_magics
    if isinstance(trainable, type):
        return _quiet_class(trainable, quiet)
    return _quiet_function(trainable, quiet) if inspect.isfunction(trainable) else trainable


def _quiet_function(function: Callable[[Any], Any], quiet: Callable[[], None]) -> Any:
    @wraps(function)  # also the attributes in which Ray keeps resources
    def trial(config: Any) -> Any:
        quiet()
        return function(config)

    trial.__module__ = "__main__"
    return trial


def _quiet_class(trainable: type[Any], quiet: Callable[[], None]) -> Any:
    subclass: Any

    def setup(self: Any, config: Any, **more: Any) -> None:
        quiet()
        super(subclass, self).setup(config, **more)

    setup.__module__ = "__main__"
    subclass = type(trainable.__name__, (trainable,), {"setup": setup, "__module__": "__main__"})
    return subclass


def _shipped(plan: TunePlan, namespace: Namespace, cell_source: CellSource, run: str) -> Any:
    """A function that executes the code in the worker runtime; large values are sent once, by reference."""
    captured = CapturedValues(plan.trainable.captures, namespace)
    if not plan.quiet:
        captured.print_large()
    payload = captured.payload
    spec = task_spec(run, plan.trainable.cell, cell_source, payload, metric=plan.metric).to_wire()
    execute = make_entrypoint(sources(TRIAL), TRIAL, "run_trial")
    pickled, references, shared = payload.pickled, list(payload.references), list(payload.shared)

    def trial(config: Mapping[str, Any]) -> Any:
        return execute(spec, pickled, references, shared, config)

    trial.__module__, trial.__name__ = "__main__", plan.trainable.name
    return trial


def _new(plan: TunePlan, trainable: Any, name: str) -> Any:
    from ray import tune

    config = tune.TuneConfig(
        metric=plan.metric or None,
        mode=plan.mode or None,
        search_alg=make_search(plan),
        scheduler=make_scheduler(plan),
        num_samples=plan.num_samples,
        max_concurrent_trials=_at_a_time(plan),
        reuse_actors=plan.reuse_actors,
        time_budget_s=plan.time_budget_s,
    )
    run_config = tune.RunConfig(name=name, storage_path=absolute_storage(plan.storage_path), stop=plan.stop)
    try:
        return tune.Tuner(trainable, param_space=make_space(plan), tune_config=config, run_config=run_config)
    except (OSError, ValueError) as error:
        where = plan.storage_path or "~/ray_results"
        if isinstance(error, OSError) or "storage" in str(error).lower():
            raise UsageError(f"--storage-path {where}: {first_line(error)}") from error
        raise UsageError(f"Ray Tune refuses this: {first_line(error)}") from error


def _at_a_time(plan: TunePlan) -> int | None:
    """Trials that Tune may start: it does not know of the workers that a training has, which would wait for ever."""
    if plan.trainable.kind != TRAINING or plan.max_concurrent_trials:
        return plan.max_concurrent_trials
    loop: NamedLoop = plan.trainable.value
    return max(1, room_for(loop.request, connection.nodes(60.0)) // loop.workers)


def make_space(plan: TunePlan) -> dict[str, Any]:
    """The space as ``param_space``."""
    return nested(plan.space, ray_value)


def ray_value(dimension: Dimension) -> Any:
    """A dimension as Ray's own object."""
    from ray import tune

    if dimension.kind in (CONSTANT, OBJECT):
        return dimension.args[0]
    assert dimension.kind in KINDS
    return getattr(tune, dimension.kind)(*dimension.args)


def make_scheduler(plan: TunePlan) -> Any:
    """Ray's scheduler; None for FIFO, its default. ``pbt`` and ``pb2`` may change what the space varies."""
    choice = plan.scheduler
    defaults = {}
    if choice.name == "pbt" and not {"hyperparam_mutations", "custom_explore_fn"} & set(choice.parameters):
        defaults["hyperparam_mutations"] = nested(mutations(plan.space, "pbt").values(), _mutation)
    if choice.name == "pb2" and "hyperparam_bounds" not in choice.parameters:
        defaults["hyperparam_bounds"] = nested(mutations(plan.space, "pb2").values(), _bounds)
    return make_algorithm(choice, SCHEDULERS, "--scheduler", defaults)


def _bounds(dimension: Dimension) -> list[float]:
    return list(dimension.bounds or ())


def _mutation(dimension: Dimension) -> Any:
    return dimension.options if dimension.options is not None else ray_value(dimension)


def make_search(plan: TunePlan) -> Any:
    """Ray's search algorithm; None for its default."""
    choice = plan.search
    algorithm = SEARCHES.get(choice.name)
    defaults: dict[str, Any] = {}
    if algorithm is not None and plan.seed is not None and algorithm.seed:
        defaults[algorithm.seed] = plan.seed
    if algorithm is not None and not algorithm.needs_metric:
        if not defaults and not choice.parameters:
            return None
        if plan.max_concurrent_trials:
            defaults["max_concurrent"] = plan.max_concurrent_trials
    return make_algorithm(choice, SEARCHES, "--search", defaults)


def make_algorithm(
    choice: AlgorithmChoice, known: Mapping[str, Algorithm], option: str, defaults: Mapping[str, Any]
) -> Any:
    """An object of the class that the choice names. Raises UsageError for what its constructor refuses."""
    algorithm = known.get(choice.name)
    if algorithm is None:
        return choice.instance
    if not algorithm.import_path:
        return None
    from importlib import import_module

    module, _, name = algorithm.import_path.partition(":")
    algorithm_class = getattr(import_module(module), name)
    accepted = [key for key in inspect.signature(algorithm_class).parameters if not key.startswith("_")]
    unknown = [key for key in choice.parameters if key not in accepted]
    if unknown and "kwargs" not in accepted:
        raise UsageError(f'{option} {choice.name} has no parameter "{unknown[0]}"; it has {", ".join(accepted)}.')
    try:
        return algorithm_class(**{**defaults, **choice.parameters})
    except (TypeError, ValueError, AssertionError, ImportError, AttributeError) as error:
        raise UsageError(f"{option} {choice.text}: {first_line(error)}") from error


# --- where experiments are kept -----------------------------------------------------------------------------------


def find_experiment(plan: TunePlan) -> str:
    """The experiment to go on with: that of ``--name``, else the newest of this trainable; "" where there is none."""
    if plan.name:
        path = run_path(plan.storage_path, plan.name)
        return path if can_go_on(path) else ""
    names = names_of(plan.storage_path, plan.trainable.name)
    paths = (run_path(plan.storage_path, name) for name in names)
    return next((path for path in paths if can_go_on(path)), "")


def can_go_on(path: str) -> bool:
    """Whether an experiment is kept there."""
    from ray import tune

    try:
        return bool(tune.Tuner.can_restore(path))
    except (OSError, ValueError):
        return False


def results_so_far(path: str, trainable: Any) -> Any:
    """The ResultGrid of an experiment that broke off, as far as it was written down; None where it was not."""
    from ray import tune

    try:
        return tune.Tuner.restore(path, trainable).get_results()
    except Exception as error:  # best effort, after a failure that is shown anyway
        log.debug("no results in %s: %s", path, error)
        return None


def _restored(path: str, trainable: Any) -> Any:
    """Trials that had not ended go on, from their last checkpoints; those that had failed are tried again."""
    from ray import tune

    try:
        return tune.Tuner.restore(path, trainable, resume_errored=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise RayMagicsError(f"--resume: {path} cannot be restored: {first_line(error)}") from error
