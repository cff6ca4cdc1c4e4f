"""A search as a plain Ray script, and as a summary: what runs, what it searches, what is sent."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...cell.reader import read_cell
from ...ship.captures import Capture, find_captures
from ...ship.script import (
    Namespace,
    assignment,
    code_of,
    describe_captures,
    finished,
    is_literal,
    plain,
    setting,
    split_head,
)
from .algorithms import FIFO, SCHEDULERS, SEARCHES, Algorithm, AlgorithmChoice, mutations
from .plan import TunePlan
from .space import KINDS, OBJECT, Dimension, nested, safe_repr
from .trainable import CELL, FUNCTION, RAY

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
    return f"{name}, {times}{f' for each {chr(44).join(grid)}' if grid else ''}, with {resources or 'nothing'} reserved"


def _aligned(heading: str, lines: list[str]) -> list[str]:
    lines = lines or ["nothing: every trial is the same"]
    return [f"{heading if number == 0 else '':<8} {line}" for number, line in enumerate(lines)]


def _target(plan: TunePlan) -> str:
    return f", {plan.mode} {plan.metric}" if plan.metric else ""


# --- as a script --------------------------------------------------------------------------------------------------


def script(plan: TunePlan, namespace: Namespace, source: str) -> str:
    """A program that does the same with Ray alone; ``python`` runs it."""
    captures = (*plan.trainable.captures.found, *_space_captures(plan, namespace))
    definitions = setting([capture for capture in captures if capture.name not in ("ray", "tune")], namespace)
    head = split_head(plain(source, plan.trainable.cell.uses_ipython))[0] if plan.trainable.kind == CELL else ""
    parts = [*([head] if head else []), "import ray\nfrom ray import tune", *_imports(plan), *definitions]
    if plan.trainable.kind == CELL:
        parts.append(_cell_function(plan, source))
    if plan.trainable.kind == RAY and not plan.trainable.text.isidentifier():
        parts.append(assignment("trainable", plan.trainable.value))
    wrapped = _may_return_a_number(plan, namespace)
    parts += [*([_wrapper(plan)] if wrapped else []), "ray.init()", _fit(plan, wrapped)]
    return finished("\n\n".join(parts) + "\n")


def _space_captures(plan: TunePlan, namespace: Namespace) -> Iterable[Capture]:
    """What the expressions of ``--space`` read from the notebook."""
    return find_captures(read_cell(plan.space_code), namespace).found if plan.space_code else ()


def _imports(plan: TunePlan) -> Iterator[str]:
    algorithms = [SCHEDULERS.get(plan.scheduler.name), SEARCHES.get(plan.search.name) if _names_search(plan) else None]
    paths = [algorithm.import_path.partition(":") for algorithm in algorithms if algorithm and algorithm.import_path]
    if paths:
        yield "\n".join(f"from {module} import {name}" for module, _, name in paths)


def _names_search(plan: TunePlan) -> bool:
    """Whether the script names the search; Ray's own default goes without saying."""
    algorithm = SEARCHES.get(plan.search.name)
    return algorithm is not None and (algorithm.needs_metric or plan.seed is not None or bool(plan.search.parameters))


def _cell_function(plan: TunePlan, source: str) -> str:
    """The cell as a function of config; what it captures are the script's globals."""
    cell = split_head(plain(source, plan.trainable.cell.uses_ipython))[1]
    name = plan.trainable.name
    if plan.trainable.cell.is_async:
        return f"{_function_of(plan, cell, f'async def _{name}')}\n\n{_RUN_ASYNC.format(name=name)}"
    return _function_of(plan, cell, f"def {name}")


_RUN_ASYNC = "def {name}(config):\n    import asyncio\n    return asyncio.run(_{name}(config))"


def _function_of(plan: TunePlan, cell: str, head: str) -> str:
    if not plan.trainable.cell.expression:
        return f"{head}(config):\n{textwrap.indent(cell, _INDENT)}"
    *lines, last = _with_value(cell)
    value = f'{{{plan.metric!r}: value}} if hasattr(value, "__float__") else value' if plan.metric else "value"
    body = "\n".join([*lines, f"value = {last}", f"return {value}"])
    return f"{head}(config):\n{textwrap.indent(body, _INDENT)}"


def _with_value(cell: str) -> list[str]:
    """The lines of the cell, and its last expression."""
    tree = ast.parse(cell)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    lines = cell.splitlines()
    before = lines[last.lineno - 1].encode()[: last.col_offset].decode().rstrip().rstrip(";")
    return [*lines[: last.lineno - 1], *([before] if before else []), ast.unparse(last.value)]


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
    if plan.reuse_actors:
        yield "reuse_actors=True"
    if plan.scheduler.name != FIFO:
        yield f"scheduler={_algorithm(plan.scheduler, SCHEDULERS, _mutations(plan))}"
    if not plan.search.name or _names_search(plan):
        yield f"search_alg={_algorithm(plan.search, SEARCHES, _seed(plan))}"
    if plan.time_budget_s is not None:
        yield f"time_budget_s={plan.time_budget_s:g}"


def _algorithm(choice: AlgorithmChoice, known: Mapping[str, Algorithm], defaults: Mapping[str, str]) -> str:
    if not choice.name:
        return choice.text
    written = _written(choice.text)
    parameters = {
        key: code_of(value, key) if _is_plain(value) else written.get(key, code_of(value, key))
        for key, value in choice.parameters.items()
    }
    arguments = ", ".join(f"{key}={value}" for key, value in {**defaults, **parameters}.items())
    return f"{known[choice.name].import_path.partition(':')[2]}({arguments})"


def _written(text: str) -> dict[str, str]:
    """The keyword arguments of a call as the line has them, with the names of Tune's distributions in full."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return {}
    keywords = call.keywords if isinstance(call, ast.Call) else []
    for node in [inner for keyword in keywords for inner in ast.walk(keyword.value)]:
        if isinstance(node, ast.Name) and node.id in KINDS:
            node.id = f"tune.{node.id}"
    return {keyword.arg: ast.unparse(keyword.value) for keyword in keywords if keyword.arg}


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
        yield f"stop={plan.stop!r}"
