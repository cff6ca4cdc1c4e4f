"""Schedulers and search algorithms of Ray 2.60 by their short names: ``asha``, ``pbt(perturbation_interval=4)``.

Sources: https://docs.ray.io/en/latest/tune/api/schedulers.html and suggestion.html of the same page.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import UsageError
from ...line.parsers import Parser, Unfit, close_to, expression
from .space import BOUNDED_KINDS, Dimension

Namespace = Mapping[str, Any]
FIFO, RANDOM, GRID = "fifo", "random", "grid"


@dataclass(frozen=True)
class Algorithm:
    """A class of Ray Tune.

    Attributes:
        import_path: module and class, ``"ray.tune.schedulers:ASHAScheduler"``; "" for Ray's default.
        packages: what it needs beside Ray: names to import -> requirements for ``%pip install``.
        needs_metric: whether it compares trials, so that it needs ``--metric`` and ``--mode``.
        seed: its parameter for a seed.
    """

    import_path: str
    packages: Mapping[str, str] = field(default_factory=dict)
    needs_metric: bool = True
    seed: str = ""


METHODS = {"--scheduler": ("on_trial_result",), "--search": ("suggest", "next_trial")}  # an object has one of them
_SCHEDULERS = "ray.tune.schedulers"
_SEARCH = "ray.tune.search"

SCHEDULERS = {
    FIFO: Algorithm("", needs_metric=False),
    "asha": Algorithm(f"{_SCHEDULERS}:ASHAScheduler"),
    "hyperband": Algorithm(f"{_SCHEDULERS}:HyperBandScheduler"),
    "median": Algorithm(f"{_SCHEDULERS}:MedianStoppingRule"),
    "pbt": Algorithm(f"{_SCHEDULERS}:PopulationBasedTraining"),
    "pb2": Algorithm(f"{_SCHEDULERS}.pb2:PB2", {"sklearn": "scikit-learn"}),
    "bohb": Algorithm(f"{_SCHEDULERS}:HyperBandForBOHB"),
}
SEARCHES = {
    RANDOM: Algorithm(f"{_SEARCH}:BasicVariantGenerator", needs_metric=False, seed="random_state"),
    GRID: Algorithm(f"{_SEARCH}:BasicVariantGenerator", needs_metric=False, seed="random_state"),
    "optuna": Algorithm(f"{_SEARCH}.optuna:OptunaSearch", {"optuna": "optuna"}, seed="seed"),
    "hyperopt": Algorithm(f"{_SEARCH}.hyperopt:HyperOptSearch", {"hyperopt": "hyperopt"}, seed="random_state_seed"),
    "bayesopt": Algorithm(
        f"{_SEARCH}.bayesopt:BayesOptSearch", {"bayes_opt": '"bayesian-optimization<2"'}, seed="random_state"
    ),
    "nevergrad": Algorithm(f"{_SEARCH}.nevergrad:NevergradSearch", {"nevergrad": "nevergrad"}),
    "bohb": Algorithm(
        f"{_SEARCH}.bohb:TuneBOHB", {"hpbandster": "hpbandster", "ConfigSpace": "ConfigSpace"}, seed="seed"
    ),
    "ax": Algorithm(f"{_SEARCH}.ax:AxSearch", {"ax": "ax-platform"}),
    "hebo": Algorithm(f"{_SEARCH}.hebo:HEBOSearch", {"hebo": "HEBO"}, seed="random_state_seed"),
    "zoopt": Algorithm(f"{_SEARCH}.zoopt:ZOOptSearch", {"zoopt": "zoopt"}),
}  # fmt: skip


@dataclass(frozen=True)
class AlgorithmText:
    """A scheduler or search as the line writes it, checked for syntax: ``asha(max_t=20)``, or an expression.

    Attributes:
        name: its short name; "" for an expression.
        keywords: its parameters, not evaluated.
        text: as it was written.
    """

    name: str
    keywords: tuple[tuple[str, str], ...] = ()
    text: str = ""


@dataclass(frozen=True)
class AlgorithmChoice:
    """A scheduler or search, evaluated.

    Attributes:
        name: its short name; "" for an object of the user's own.
        parameters: of its constructor.
        instance: that object.
        text: as it was written.
        keywords: the expressions of the parameters.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    instance: Any = None
    text: str = ""
    keywords: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def label(self) -> str:
        """How a view calls it."""
        return self.name or type(self.instance).__name__


def algorithm_parser(what: str, known: Mapping[str, Algorithm], example: str) -> Parser[AlgorithmText]:
    """Reads ``--scheduler`` or ``--search``; a misspelt short name is an error while the line is read."""

    def read(text: str) -> AlgorithmText:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Name) and node.id in known:
            return AlgorithmText(node.id, text=text)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            return AlgorithmText(node.func.id, _keywords(node), text)
        if isinstance(node, ast.Name) and text.islower() and close_to(text, known):
            raise ValueError(text)
        return AlgorithmText("", text=expression(text).text)

    return Parser(f"one of {', '.join(known)}", (example,), read, "NAME|EXPR", tuple(known))


def _keywords(node: ast.Call) -> tuple[tuple[str, str], ...]:
    if node.args or any(keyword.arg is None for keyword in node.keywords):
        raise Unfit("takes its parameters by name")
    return tuple((str(keyword.arg), ast.unparse(keyword.value)) for keyword in node.keywords)


scheduler_name = algorithm_parser("scheduler", SCHEDULERS, "asha")
search_name = algorithm_parser("search", SEARCHES, "optuna")


def choose_algorithm(
    written: AlgorithmText | None, default: str, option: str, namespace: Namespace, ray_classes: Namespace
) -> AlgorithmChoice:
    """The algorithm with its parameters evaluated in the notebook; an expression may name Ray's classes, too.

    Raises UsageError for a value that is no object with the methods of such an algorithm.
    """
    if written is None:
        return AlgorithmChoice(default, text=default)
    if written.name:
        parameters = {key: expression(text).evaluate(namespace, option) for key, text in written.keywords}
        return AlgorithmChoice(written.name, parameters, text=written.text, keywords=dict(written.keywords))
    instance = expression(written.text).evaluate({**ray_classes, **namespace}, option)
    if isinstance(instance, type):
        raise UsageError(f"{option}: {written.text} is a class; make an object of it: {option} {written.text}()")
    if isinstance(instance, str):
        raise UsageError(
            f'{option}: "{written.text}" is the text {instance!r}; write {option} {instance} without quotes'
        )
    if not any(hasattr(instance, method) for method in METHODS[option]):
        kind = type(instance).__name__
        raise UsageError(f'{option}: "{written.text}" is a {kind}, not one of Ray Tune\'s; try {option} {default}')
    return AlgorithmChoice("", instance=instance, text=written.text)


def check_algorithm(
    choice: AlgorithmChoice,
    known: Mapping[str, Algorithm],
    option: str,
    has_metric: bool,
    is_installed: Callable[[str], bool],
) -> None:
    """Raises UsageError for a package that is missing, and for a metric that is needed and not there."""
    algorithm = known.get(choice.name)
    if algorithm is None:
        return
    missing = [pip for module, pip in algorithm.packages.items() if not is_installed(module)]
    if missing:
        raise UsageError(f"{option} {choice.name} needs a package that is not here: %pip install {' '.join(missing)}")
    if algorithm.needs_metric and not has_metric and "metric" not in choice.parameters:
        raise UsageError(
            f"{option} {choice.name} compares trials by a metric: add --metric NAME --mode min|max, "
            "with a name that the trials report."
        )


def mutations(space: tuple[Dimension, ...], scheduler: str) -> dict[str, Dimension]:
    """What ``pbt`` or ``pb2`` may change while trials run: ranges, and for ``pbt`` lists, too."""
    kinds = BOUNDED_KINDS if scheduler == "pb2" else (*BOUNDED_KINDS, "choice", "randn", "qrandn")
    return {dimension.key: dimension for dimension in space if dimension.kind in kinds}


def check_mutations(choice: AlgorithmChoice, space: tuple[Dimension, ...]) -> None:
    """Raises UsageError for a scheduler that changes parameters, where there are none that it may change."""
    needed = {"pbt": "hyperparam_mutations", "pb2": "hyperparam_bounds"}.get(choice.name)
    own = {"hyperparam_mutations", "hyperparam_bounds", "custom_explore_fn"} & set(choice.parameters)
    if needed and not own and not mutations(space, choice.name):
        raise UsageError(
            f"--scheduler {choice.name} changes parameters while trials run, and the space has none that it may "
            f'change: add --space "lr=loguniform(1e-4, 1e-1)", or {choice.name}({needed}={{…}}).'
        )


def expand_grid(search: AlgorithmChoice, space: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
    """The space as the search takes it: ``grid`` goes through every listed value, others draw from lists.

    Raises UsageError for a range that ``grid`` cannot list, and for a grid that only Ray's own search can do.
    """
    if search.name == GRID:
        return tuple(_as_grid(dimension) for dimension in space)
    grids = [dimension.key for dimension in space if dimension.kind == "grid_search"]
    if grids and search.name not in (RANDOM, ""):
        raise UsageError(
            f'--search {search.name} draws values by itself and takes no grid_search: use "{grids[0]}=choice([…])".'
        )
    return space


def _as_grid(dimension: Dimension) -> Dimension:
    if dimension.options is not None:
        values = dimension.options
    elif dimension.kind == "randint" and dimension.args[1] - dimension.args[0] <= 1000:
        values = list(range(int(dimension.args[0]), int(dimension.args[1])))
    elif not dimension.varies:
        return dimension
    else:
        raise UsageError(
            f'--search grid goes through lists, and "{dimension.key}={dimension.text}" has none; '
            f'try "{dimension.key}=grid_search([…])".'
        )
    return Dimension(dimension.key, "grid_search", (values,), f"grid_search({values!r})")
