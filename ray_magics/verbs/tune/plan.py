"""Every decision about a search, as data."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

from ...cell.reader import Cell, read_cell
from ...errors import UsageError
from ...ship.captures import Captures, find_captures
from .algorithms import FIFO, RANDOM, SCHEDULERS, SEARCHES, Choice, check_algorithm, check_grid, check_mutations
from .space import Dimension

CELL, FUNCTION, RAY = "cell", "function", "ray"
MODES = ("min", "max")
CONFIG = "config"
_AUTOMATIC = {
    "training_iteration",
    "time_total_s",
    "time_this_iter_s",
    "iterations_since_restore",
    "time_since_restore",
}


@dataclass(frozen=True)
class Trainable:
    """What a trial executes.

    Attributes:
        form: "cell" (the body of the magic), "function" (of one argument, the configuration) or "ray" (a Trainable
            class, the name of a registered one, or what ``tune.with_parameters`` and its like return: goes to Ray as
            it is).
        name: what Ray, its folders and the view call it.
        cell: the code that runs with `config` in scope; for a function the call of it.
        captures: what that code reads from the notebook.
        text: as it stands on the line.
        value: for "ray", the object.
    """

    form: str
    name: str
    cell: Cell
    captures: Captures = field(default_factory=Captures)
    text: str = ""
    value: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class TunePlan:
    """What ``%%ray_tune`` will do; the names are those of ``tune.TuneConfig`` and ``tune.RunConfig``.

    Attributes:
        num_samples: configurations to draw; each is one trial, times the grid.
        reuse_actors: a worker process that has ended a trial takes the next.
        feed: what the expressions of ``--space`` read, for the script.
        stop: metric -> value at which a trial ends; or an object or function of Ray's.
        storage_path: a folder or a URI of the storage; "" for Ray's default.
        name: the experiment's folder in it; "" until a name is made.
        resume: goes on with the experiment of that name, else with the newest of this trainable.
    """

    trainable: Trainable
    space: tuple[Dimension, ...] = ()
    metric: str = ""
    mode: str = ""
    num_samples: int = 1
    max_concurrent_trials: int | None = None
    reuse_actors: bool = False
    scheduler: Choice = field(default_factory=lambda: Choice(FIFO))
    search: Choice = field(default_factory=lambda: Choice(RANDOM))
    seed: int | None = None
    stop: Any = None
    time_budget_s: float | None = None
    num_cpus: float | None = None
    num_gpus: float | None = None
    storage_path: str = ""
    name: str = ""
    resume: bool = False
    feed: Captures = field(default_factory=Captures)
    into: str | None = None
    background: bool = False
    quiet: bool = False

    @property
    def request(self) -> dict[str, float]:
        """What one trial reserves, under the names of Ray's resources."""
        named = {"CPU": 1 if self.num_cpus is None else self.num_cpus, "GPU": self.num_gpus or 0}
        return {name: float(amount) for name, amount in named.items() if amount}

    @property
    def resources(self) -> dict[str, float] | None:
        """The same for ``tune.with_resources``; None where the line says nothing."""
        given = {"cpu": self.num_cpus, "gpu": self.num_gpus}
        said = {name: amount for name, amount in given.items() if amount is not None}
        return said or None

    @property
    def varied(self) -> tuple[str, ...]:
        """The keys whose values differ from trial to trial."""
        return tuple(dimension.key for dimension in self.space if dimension.varies)


def make_plan(
    line: Any,
    trainable: Trainable,
    space: tuple[Dimension, ...],
    scheduler: Choice,
    search: Choice,
    stop: Any,
    feed: Captures | None = None,
    is_there: Callable[[str], bool] = lambda module: find_spec(module) is not None,
) -> TunePlan:
    """Decides what is searched, how, and where it is kept.

    Args:
        line: the parsed line, see `magic.ray_tune`.
        is_there: whether a package can be imported.

    Raises:
        UsageError: options that contradict each other, the space or the trainable.
    """
    _check_metric(line.metric, line.mode)
    if line.num_samples == -1 and line.time_budget_s is None:
        raise UsageError("--num-samples -1 goes on until the time is over: add --time-budget-s SECONDS.")
    for choice, known, option in ((scheduler, SCHEDULERS, "--scheduler"), (search, SEARCHES, "--search")):
        check_algorithm(choice, known, option, bool(line.metric), is_there)
    check_mutations(scheduler, space)
    _check_trainable(trainable)
    _check_stop(stop)
    _check_storage(line.storage_path)
    _check_name(line.name)
    return TunePlan(
        trainable=trainable,
        space=check_grid(search, space),
        metric=line.metric or "",
        mode=line.mode or "",
        num_samples=line.num_samples or 1,
        max_concurrent_trials=line.max_concurrent_trials,
        reuse_actors=line.reuse_actors,
        scheduler=scheduler,
        search=search,
        seed=line.seed,
        stop=stop,
        time_budget_s=line.time_budget_s,
        num_cpus=line.num_cpus,
        num_gpus=line.num_gpus,
        storage_path=line.storage_path or "",
        name=line.name or "",
        resume=line.resume,
        feed=feed or Captures(),
        into=line.into,
        background=line.background,
        quiet=line.quiet,
    )


def cell_trainable(cell: Cell, namespace: Mapping[str, Any], cell_id: str = "") -> Trainable:
    """The body of the magic as a trainable; it finds `config` and `tune`. Raises UsageError for an empty one.

    Its name is the same whenever the same cell runs again, so that `--resume` finds its experiment.
    """
    if cell.empty:
        raise UsageError(
            "The cell is empty: write what one trial does below %%ray_tune, with config in scope, "
            'and tune.report({"loss": …}) in it.'
        )
    captures = find_captures(cell, namespace, without=[CONFIG])
    missing = tuple(name for name in captures.missing if name.name not in (CONFIG, "tune"))
    digest = sha256((cell_id or cell.source).encode()).hexdigest()
    return Trainable(CELL, f"cell_{digest[:6]}", cell, Captures(captures.found, missing))


def named_trainable(text: str, value: Any, namespace: Mapping[str, Any]) -> Trainable:
    """What stands behind ``%ray_tune``: a function, a Trainable class, the name of a registered one.

    Raises UsageError for a value that cannot be called.
    """
    if isinstance(value, (type, str)) or hasattr(value, "_resources") or _is_rays(value):
        cell = read_cell(text)
        return Trainable(RAY, _name_of(value, text), cell, find_captures(cell, namespace), text, value)
    if not callable(value):
        raise UsageError(
            f'"{text}" is a {type(value).__name__}; %ray_tune needs a function of one argument, config, '
            "or a Trainable class."
        )
    source = f"{text}({CONFIG})" if text.isidentifier() else f"({text})({CONFIG})"
    cell = read_cell(source)
    return Trainable(FUNCTION, _name_of(value, text), cell, find_captures(cell, namespace, without=[CONFIG]), text)


def _is_rays(value: Any) -> bool:
    """What Ray has wrapped already, as ``tune.with_parameters`` does."""
    return str(getattr(value, "__module__", "")).startswith("ray.")


def _name_of(value: Any, text: str) -> str:
    name = value if isinstance(value, str) else getattr(value, "__name__", text)
    return re.sub(r"\W+", "_", str(name)).strip("_")[:60] or "trainable"


def _check_metric(metric: str | None, mode: str | None) -> None:
    if metric and not mode:
        raise UsageError(f"--metric {metric} needs --mode: min if less is better, max if more is.")
    if mode and not metric:
        raise UsageError(f"--mode {mode} needs --metric NAME, what the trials report.")


def _check_trainable(trainable: Trainable) -> None:
    missing = trainable.captures.missing
    if missing and trainable.form == CELL:
        name = missing[0]
        raise UsageError(f'The cell reads "{name.name}" on line {name.line}, which is not defined.')


def _check_stop(stop: Any) -> None:
    if stop is None or callable(stop) or hasattr(stop, "stop_all"):
        return
    if not isinstance(stop, Mapping):
        raise UsageError(f'--stop: {stop!r} is not a condition; try --stop "training_iteration=10"')
    for key, value in stop.items():
        if isinstance(value, bool) or not hasattr(value, "__float__") or getattr(value, "shape", ()) != ():
            raise UsageError(f'--stop: "{key}={value!r}" is not a number; try --stop "{key}=10"')


def _check_storage(path: str | None) -> None:
    """A folder that cannot be written is told now, not by the first trial."""
    if not path or "://" in path:
        return
    folder = os.path.abspath(os.path.expanduser(path))
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        raise UsageError(f"--storage-path: {folder} is a file, not a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--storage-path: {path} cannot be written ({folder} is read-only for this user).")


def _check_name(name: str | None) -> None:
    if name is not None and (os.sep in name or name in ("", ".", "..")):
        raise UsageError(f'--name: "{name}" is not a name of a folder; try --name my_search')
