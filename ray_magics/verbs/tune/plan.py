"""Every decision about a search, as data: the options of a line or of a program become a plan."""

from __future__ import annotations

from argparse import Namespace as Line
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ...errors import UsageError
from ...line.parsers import expression
from ...run.storage import check_name, check_storage
from ...worker.values import Namespace
from .algorithms import (
    FIFO,
    RANDOM,
    SCHEDULERS,
    SEARCHES,
    AlgorithmChoice,
    AlgorithmText,
    check_algorithm,
    check_mutations,
    choose_algorithm,
    expand_grid,
)
from .space import Assignment, Dimension, make_space
from .trainable import TRAINING, Trainable, check_trainable


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """What a search is asked to be; the names are those of ``tune.TuneConfig`` and ``tune.RunConfig``.

    Attributes:
        space_code: what ``--space`` says as Python, an expression a line, for what the script has to define.
        num_samples: configurations to draw; each is one trial, times the grid. -1: until the time budget is over.
        reuse_actors: a worker process that has ended a trial takes the next.
        stop: metric -> value at which a trial ends; or an object or function of Ray's.
        stop_code: what ``--stop`` says as Python, a dict or an expression.
        time_budget_s: seconds for the whole search.
        num_cpus, num_gpus: what one trial reserves; None for Ray's default.
        storage_path: a folder or a URI of the storage; "" for Ray's default.
        name: the experiment's folder in it; None until a name is made.
        resume: goes on with the experiment of that name, else with the newest of this trainable.
        into: the name that the result is bound to.
    """

    space: tuple[Dimension, ...] = ()
    space_code: str = ""
    metric: str = ""
    mode: str = ""
    num_samples: int = 1
    max_concurrent_trials: int | None = None
    reuse_actors: bool = False
    scheduler: AlgorithmChoice = field(default_factory=lambda: AlgorithmChoice(FIFO, text=FIFO))
    search: AlgorithmChoice = field(default_factory=lambda: AlgorithmChoice(RANDOM, text=RANDOM))
    seed: int | None = None
    stop: Any = None
    stop_code: str = ""
    time_budget_s: float | None = None
    num_cpus: float | None = None
    num_gpus: float | None = None
    storage_path: str = ""
    name: str | None = None
    resume: bool = False
    into: str | None = None
    background: bool = False
    quiet: bool = False

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> TuneOptions:
        """Of options by their names; None stands for one that is not given, and what is no option is left out."""
        names = [option.name for option in fields(cls)]
        return cls(**{name: values[name] for name in names if values.get(name) is not None})


def read_options(line: Line, namespace: Namespace) -> TuneOptions:
    """The options of a parsed line, its expressions evaluated in the notebook. Raises UsageError."""
    assignments = line.space or ()
    return TuneOptions.from_values(
        {
            **vars(line),
            "scheduler": _choose(line.scheduler, FIFO, "--scheduler", namespace, "ray.tune.schedulers"),
            "search": _choose(line.search, RANDOM, "--search", namespace, "ray.tune.search"),
            "space": make_space(assignments, namespace),
            "space_code": "\n".join(assignment.text for assignment in assignments),
            "stop": _stop(line.stop or (), namespace),
            "stop_code": _stop_code(line.stop or ()),
        }
    )


def _choose(
    written: AlgorithmText | None, default: str, option: str, namespace: Namespace, module: str
) -> AlgorithmChoice:
    """Ray's own classes are known in an expression, which may make an object of one; Ray is imported only then."""
    is_expression = written is not None and not written.name
    ray_classes = vars(import_module(module)) if is_expression else {}
    return choose_algorithm(written, default, option, namespace, ray_classes)


def _stop(conditions: tuple[Assignment, ...], namespace: Namespace) -> Any:
    """``training_iteration=10`` … as a dict; one expression without a key as its value."""
    if not conditions:
        return None
    values = {one.key: expression(one.text).evaluate(namespace, "--stop") for one in conditions}
    if "" not in values:
        return values
    if len(values) > 1:
        raise UsageError('--stop takes conditions, as in "training_iteration=10", or one expression, not both.')
    return values[""]


def _stop_code(conditions: tuple[Assignment, ...]) -> str:
    if conditions and not conditions[0].key:
        return conditions[0].text
    pairs = ", ".join(f"{condition.key!r}: {condition.text}" for condition in conditions)
    return f"{{{pairs}}}" if pairs else ""


@dataclass(frozen=True)
class TunePlan(TuneOptions):
    """What ``%%ray_tune`` will do: options that do not contradict each other, and what a trial executes."""

    trainable: Trainable

    @property
    def request(self) -> dict[str, float]:
        """What one trial, or a worker of it, reserves, under the names of Ray's resources."""
        if self.trainable.kind == TRAINING:
            return dict(self.trainable.value.request)
        amounts = {"CPU": 1 if self.num_cpus is None else self.num_cpus, "GPU": self.num_gpus or 0}
        return {name: float(amount) for name, amount in amounts.items() if amount}

    @property
    def resources(self) -> dict[str, float] | None:
        """The same for ``tune.with_resources``; None where the options say nothing."""
        amounts = {"cpu": self.num_cpus, "gpu": self.num_gpus}
        return {name: amount for name, amount in amounts.items() if amount is not None} or None

    @property
    def varied(self) -> tuple[str, ...]:
        """The keys whose values differ from trial to trial."""
        return tuple(dimension.key for dimension in self.space if dimension.varies)


def make_plan(
    options: TuneOptions,
    trainable: Trainable,
    is_installed: Callable[[str], bool] = lambda module: find_spec(module) is not None,
) -> TunePlan:
    """Decides what is searched, how, and where it is kept.

    Args:
        is_installed: whether a package can be imported.

    Raises:
        UsageError: options that contradict each other, the space or the trainable.
    """
    _check_metric(options.metric, options.mode)
    if options.num_samples == -1 and options.time_budget_s is None:
        raise UsageError("--num-samples -1 goes on until the time is over: add --time-budget-s SECONDS.")
    check_algorithm(options.scheduler, SCHEDULERS, "--scheduler", bool(options.metric), is_installed)
    check_algorithm(options.search, SEARCHES, "--search", bool(options.metric), is_installed)
    check_mutations(options.scheduler, options.space)
    check_trainable(trainable)
    _check_stop(options.stop)
    check_storage(options.storage_path)
    check_name(options.name, "my_search")
    space = expand_grid(options.search, options.space)
    num_samples = options.num_samples or 1
    return TunePlan(trainable, **{**vars(options), "space": space, "num_samples": num_samples})


def _check_metric(metric: str, mode: str) -> None:
    if metric and not mode:
        raise UsageError(f"--metric {metric} needs --mode: min if less is better, max if more is.")
    if mode and not metric:
        raise UsageError(f"--mode {mode} needs --metric NAME, what the trials report.")


def _check_stop(stop: Any) -> None:
    if stop is None or callable(stop) or hasattr(stop, "stop_all"):
        return
    if not isinstance(stop, Mapping):
        raise UsageError(f'--stop: {stop!r} is not a condition; try --stop "training_iteration=10"')
    for key, value in stop.items():
        if isinstance(value, bool) or not hasattr(value, "__float__") or getattr(value, "shape", ()) != ():
            raise UsageError(f'--stop: "{key}={value!r}" is not a number; try --stop "{key}=10"')
