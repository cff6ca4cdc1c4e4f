"""A search as a plain Ray script, and as a summary: what runs, what it searches, what is sent."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from ...cell.reader import read_cell
from ...run.loops import IDLE, TRIAL_NAME, NamedLoop
from ...ship.captures import Capture, find_captures
from ...ship.cell_text import executed, indented, must_be_executed, plain, split_value
from ...ship.pickles import Namespace
from ...ship.script import assignment, code_of, describe_captures, finished, is_literal, putting, setting
from .algorithms import FIFO, SCHEDULERS, SEARCHES, Algorithm, AlgorithmChoice, mutations
from .plan import TunePlan
from .space import KINDS, OBJECT, Dimension, nested, safe_repr
from .trainable import CELL, CONFIG, FUNCTION, RAY, TRAINING

_INDENT = "    "


def explain(plan: TunePlan, namespace: Namespace, source: str) -> str:
    """What ``--dry-run`` prints."""
    return f"{describe(plan, namespace)}\n\n{script(plan, namespace, source)}"


# --- as a summary -----------------------------------------------------------------------------------------------------


def describe(plan: TunePlan, namespace: Namespace) -> str:
    """The plan in a few aligned lines."""
    if plan.resume:
        path = f"{plan.storage_path or '~/ray_results'}/{plan.name or plan.trainable.name + '_<newest>'}"
        return f"goes on  with {path}: its space, metric, samples and algorithms stay as they were"
    lines = [
        f"runs     {_what(plan)}",
        *_aligned("searches", [f"{dimension.key} = {dimension.text}" for dimension in plan.space]),
        f"by       {plan.search.label}, {plan.scheduler.label}{_target(plan)}",
        *describe_captures(plan.trainable.captures, namespace),
        f"keeps    {plan.storage_path or '~/ray_results'}/{plan.name or plan.trainable.name + '_<time>'}",
        f"returns  a ResultGrid{f' as {plan.into}' if plan.into else ''}",
    ]
    return "\n".join(lines)


def _what(plan: TunePlan) -> str:
    name = "the cell" if plan.trainable.kind == CELL else plan.trainable.text
    times = "as often as the time allows" if plan.num_samples == -1 else f"{plan.num_samples} times"
    grid = [dimension.key for dimension in plan.space if dimension.kind == "grid_search"]
    resources = ", ".join(f"{amount:g} {name}" for name, amount in plan.request.items())
    if plan.trainable.kind == TRAINING:
        name, resources = f"{name} on {plan.trainable.value.workers} workers", f"{resources} for each of these"
    return f"{name}, {times}{f' for each {chr(44).join(grid)}' if grid else ''}, with {resources or 'nothing'} reserved"


def _aligned(heading: str, lines: list[str]) -> list[str]:
    lines = lines or ["nothing: every trial is the same"]
    return [f"{heading if number == 0 else '':<8} {line}" for number, line in enumerate(lines)]


def _target(plan: TunePlan) -> str:
    return f", {plan.mode} {plan.metric}" if plan.metric else ""


# --- as a script --------------------------------------------------------------------------------------------------


def script(plan: TunePlan, namespace: Namespace, source: str) -> str:
    """A program that does the same with Ray alone; ``python`` runs it."""
    is_training = plan.trainable.kind == TRAINING
    own = () if is_training else plan.trainable.captures.found
    captures = (*own, *_read_by_options(plan, namespace))
    parts = ["import ray\nfrom ray import tune", *_imports(plan, namespace)]
    parts += setting(captures, namespace, imported=["ray", "tune"])
    if is_training:
        parts += plan.trainable.value.script()
    if plan.trainable.kind == CELL:
        parts.append(_cell_function(plan, source))
    if plan.trainable.kind == RAY and not plan.trainable.text.isidentifier():
        parts.append(assignment("trainable", plan.trainable.value))
    wrapped = _may_return_a_number(plan, namespace)
    parts += [*([_wrapper(plan)] if wrapped else []), "ray.init()", *putting(captures), _fit(plan, wrapped)]
    return finished("\n\n".join(parts) + "\n")


def _read_by_options(plan: TunePlan, namespace: Namespace) -> Iterable[Capture]:
    """What the expressions of the line read from the notebook."""
    for code in _expressions(plan):
        yield from find_captures(read_cell(code), namespace).found


def _expressions(plan: TunePlan) -> Iterator[str]:
    """Those of the line that stand in the script as they are written."""
    if plan.space_code:
        yield plan.space_code
    if plan.stop_code and not _is_plain(plan.stop):
        yield plan.stop_code
    for choice in (plan.scheduler, plan.search):
        if not choice.name:
            yield choice.text
        yield from (choice.keywords.get(key, "") for key, value in choice.parameters.items() if not _is_plain(value))


def _imports(plan: TunePlan, namespace: Namespace) -> Iterator[str]:
    """Of the classes of Ray that the line names by a short name, or uses though the notebook has not imported them."""
    algorithms = [SCHEDULERS.get(plan.scheduler.name), SEARCHES.get(plan.search.name) if _names_search(plan) else None]
    paths = [algorithm.import_path for algorithm in algorithms if algorithm and algorithm.import_path]
    for choice, module in ((plan.scheduler, "ray.tune.schedulers"), (plan.search, "ray.tune.search")):
        names = [] if choice.name else [name.name for name in read_cell(choice.text).reads]
        paths += [
            f"{module}:{name}" for name in names if name not in namespace and hasattr(import_module(module), name)
        ]
    if paths:
        yield "\n".join("from {} import {}".format(*path.split(":")) for path in dict.fromkeys(paths))


def _names_search(plan: TunePlan) -> bool:
    """Whether the script names the search; Ray's own default goes without saying."""
    algorithm = SEARCHES.get(plan.search.name)
    return algorithm is not None and (algorithm.needs_metric or plan.seed is not None or bool(plan.search.parameters))


def _cell_function(plan: TunePlan, source: str) -> str:
    """The cell as a function of config; what it captures are the script's globals."""
    trainable = plan.trainable
    code = plain(source, trainable.cell.uses_ipython)
    lines, value = split_value(code)
    if must_be_executed(trainable.cell, trainable.captures.names, CONFIG):
        names = dict.fromkeys([*trainable.captures.names, CONFIG, "tune"])
        lines = executed(code, trainable.cell.is_async, names).split("\n")
        value = value and "namespace['__value__']"
    if value:
        number = f'{{{plan.metric!r}: value}} if hasattr(value, "__float__") else value' if plan.metric else "value"
        lines = [*lines, f"value = {value}", f"return {number}"]
    body = indented("\n".join(lines))
    return f"def {trainable.name}({CONFIG}):\n{body}"


def _fit(plan: TunePlan, wrapped: bool) -> str:
    result = plan.into or "results"
    lines = [_tuner(plan, wrapped), f"{result} = tuner.fit()"]
    if plan.metric:
        lines.append(f"print({result}.get_best_result().config)")
    return "\n".join(lines)


def _tuner(plan: TunePlan, wrapped: bool) -> str:
    trainable = _trainable(plan, wrapped)
    if plan.resume:
        newest = f"{plan.storage_path or '~/ray_results'}/{plan.name or plan.trainable.name + '_20*'}"
        find = f"path = sorted(glob.glob(os.path.expanduser({newest!r})))[-1]"
        return f"import glob, os\n{find}\ntuner = tune.Tuner.restore(path, {trainable}, resume_errored=True)"
    arguments = [
        trainable,
        f"param_space={_space(plan)}",
        f"tune_config=tune.TuneConfig({', '.join(_tune_config(plan))})",
        f"run_config=tune.RunConfig({', '.join(_run_config(plan))})",
    ]
    return "tuner = tune.Tuner(\n" + "".join(f"{_INDENT}{argument},\n" for argument in arguments) + ")"


def _trainable(plan: TunePlan, wrapped: bool) -> str:
    trainable = plan.trainable
    name = trainable.text
    if trainable.kind == TRAINING:
        return f"tune.with_resources({TRIAL_NAME}, {plan.resources or IDLE!r})"
    if trainable.kind == CELL:
        name = trainable.name
    elif wrapped or (trainable.kind == RAY and not trainable.text.isidentifier()):
        name = "trainable"
    return f"tune.with_resources({name}, {plan.resources!r})" if plan.resources else name


def _wrapper(plan: TunePlan) -> str:
    """What makes a number that the function returns the metric, as the magic does."""
    value = f'{{{plan.metric!r}: value}} if hasattr(value, "__float__") else value'
    return f"def trainable(config):\n    value = {plan.trainable.text}(config)\n    return {value}"


def _may_return_a_number(plan: TunePlan, namespace: Namespace) -> bool:
    """Whether the function, by its source, returns something other than a dict that is written there."""
    if plan.trainable.kind != FUNCTION or not plan.metric:
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(namespace[plan.trainable.text])))
    except (OSError, TypeError, KeyError, SyntaxError):
        return False
    nodes = list(ast.walk(tree))
    if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in nodes):
        return False
    values = [node.value for node in nodes if isinstance(node, ast.Return) and node.value is not None]
    return any(not isinstance(value, (ast.Dict, ast.Constant)) for value in values)


def _space(plan: TunePlan) -> str:
    return _literal(nested(plan.space, dimension_code), 1)


def _literal(value: Any, depth: int) -> str:
    """A nested dict of code over several lines."""
    if not isinstance(value, Mapping):
        return str(value)
    inner = "".join(
        f"{_INDENT * (depth + 1)}{key!r}: {_literal(inside, depth + 1)},\n" for key, inside in value.items()
    )
    return f"{{\n{inner}{_INDENT * depth}}}" if value else "{}"


def dimension_code(dimension: Dimension) -> str:
    """``tune.loguniform(0.0001, 0.1)``"""
    if dimension.kind in KINDS:
        call = dimension.text.strip()
        if dimension.kind == "sample_from" or not all(map(_is_plain, dimension.args)):
            return f"tune.{call.removeprefix('tune.')}"
        return f"tune.{dimension.kind}({', '.join(map(repr, dimension.args))})"
    if dimension.kind == OBJECT or not _is_plain(dimension.args[0]):
        return dimension.text
    return code_of(dimension.args[0], dimension.key)


def _is_plain(value: Any) -> bool:
    return is_literal(safe_repr(value, 10**6), value)


def _tune_config(plan: TunePlan) -> Iterator[str]:
    if plan.metric:
        yield f"metric={plan.metric!r}"
        yield f"mode={plan.mode!r}"
    yield f"num_samples={plan.num_samples}"
    if plan.max_concurrent_trials:
        yield f"max_concurrent_trials={plan.max_concurrent_trials}"
    elif plan.trainable.kind == TRAINING:
        yield f"max_concurrent_trials={_at_a_time(plan.trainable.value)}"
    if plan.reuse_actors:
        yield "reuse_actors=True"
    if plan.scheduler.name != FIFO:
        yield f"scheduler={_algorithm(plan.scheduler, SCHEDULERS, _mutations(plan))}"
    if not plan.search.name or _names_search(plan):
        yield f"search_alg={_algorithm(plan.search, SEARCHES, _seed(plan))}"
    if plan.time_budget_s is not None:
        yield f"time_budget_s={plan.time_budget_s:g}"


def _at_a_time(loop: NamedLoop) -> str:
    """As many trials as the cluster has workers for, which Tune knows nothing of."""
    resource, amount = next(iter(loop.request.items()), ("CPU", 1.0))
    return f"max(1, int(ray.cluster_resources().get({resource!r}, 0) // {amount * loop.workers:g}))"


def _algorithm(choice: AlgorithmChoice, known: Mapping[str, Algorithm], defaults: Mapping[str, str]) -> str:
    if not choice.name:
        return choice.text
    parameters = {
        key: code_of(value, key) if _is_plain(value) else choice.keywords.get(key, repr(value))
        for key, value in choice.parameters.items()
    }
    arguments = ", ".join(f"{key}={value}" for key, value in {**defaults, **parameters}.items())
    return f"{known[choice.name].import_path.partition(':')[2]}({arguments})"


def _seed(plan: TunePlan) -> dict[str, str]:
    algorithm = SEARCHES.get(plan.search.name)
    if algorithm is None or plan.seed is None or not algorithm.seed:
        return {}
    limit = {"max_concurrent": str(plan.max_concurrent_trials)} if plan.max_concurrent_trials else {}
    return {algorithm.seed: str(plan.seed), **({} if algorithm.needs_metric else limit)}


def _mutations(plan: TunePlan) -> dict[str, str]:
    """What ``pbt`` and ``pb2`` may change, where the line does not say it."""
    name = plan.scheduler.name
    key = {"pbt": "hyperparam_mutations", "pb2": "hyperparam_bounds"}.get(name, "")
    if not key or key in plan.scheduler.parameters or "custom_explore_fn" in plan.scheduler.parameters:
        return {}
    return {key: _inline(nested(mutations(plan.space, name).values(), _bounds if name == "pb2" else _mutation))}


def _inline(code: Any) -> str:
    """A nested dict of code in one line."""
    if isinstance(code, Mapping):
        return "{" + ", ".join(f"{key!r}: {_inline(inside)}" for key, inside in code.items()) + "}"
    return str(code)


def _bounds(dimension: Dimension) -> str:
    return repr(list(dimension.bounds or ()))


def _mutation(dimension: Dimension) -> str:
    return repr(dimension.options) if dimension.options is not None else dimension_code(dimension)


def _run_config(plan: TunePlan) -> Iterator[str]:
    if plan.name:
        yield f"name={plan.name!r}"
    if plan.storage_path:
        import os

        is_uri = "://" in plan.storage_path
        path = plan.storage_path if is_uri else os.path.abspath(os.path.expanduser(plan.storage_path))
        yield f"storage_path={path!r}"
    if plan.stop is not None:
        yield f"stop={code_of(plan.stop) if _is_plain(plan.stop) else plan.stop_code or repr(plan.stop)}"
