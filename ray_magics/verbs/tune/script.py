"""A search as a plain Ray script, and in words: what runs, what it searches, what is sent."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ...ship.script import Namespace, assignment, code_of, describe_captures, finished, is_literal, plain, setting
from .algorithms import SCHEDULERS, SEARCHES, Algorithm, Choice, mutations
from .plan import CELL, FUNCTION, RAY, TunePlan
from .space import KINDS, OBJECT, Dimension, nested, safe_repr

_INDENT = "    "


def explain(plan: TunePlan, namespace: Namespace, source: str) -> str:
    """What ``--dry-run`` prints."""
    return f"{describe(plan, namespace)}\n\n{script(plan, namespace, source)}"


# --- in words -----------------------------------------------------------------------------------------------------


def describe(plan: TunePlan, namespace: Namespace) -> str:
    """The plan in a few aligned lines."""
    if plan.resume:
        kept = f"{plan.storage_path or '~/ray_results'}/{plan.name or plan.trainable.name + '_<newest>'}"
        return f"goes on  with {kept}: its space, metric, samples and algorithms stay as they were"
    lines = [
        f"runs     {_what(plan)}",
        *_aligned("searches", (f"{one.key} = {one.text}" for one in plan.space), "nothing: every trial is the same"),
        f"by       {plan.search.label}, {plan.scheduler.label}{_target(plan)}",
        *describe_captures(plan.trainable.captures, namespace),
        f"keeps    {plan.storage_path or '~/ray_results'}/{plan.name or plan.trainable.name + '_<time>'}",
        f"returns  a ResultGrid{f' as {plan.into}' if plan.into else ''}",
    ]
    return "\n".join(lines)


def _what(plan: TunePlan) -> str:
    name = {CELL: "the cell"}.get(plan.trainable.form, plan.trainable.text)
    times = "as often as the time allows" if plan.num_samples == -1 else f"{plan.num_samples} times"
    grid = [one.key for one in plan.space if one.kind == "grid_search"]
    resources = ", ".join(f"{amount:g} {name}" for name, amount in plan.request.items())
    return f"{name}, {times}{f' for each {chr(44).join(grid)}' if grid else ''}, with {resources or 'nothing'} reserved"


def _aligned(heading: str, lines: Iterator[str], otherwise: str) -> list[str]:
    all_lines = list(lines) or [otherwise]
    return [f"{heading if number == 0 else '':<8} {line}" for number, line in enumerate(all_lines)]


def _target(plan: TunePlan) -> str:
    return f", {plan.mode} {plan.metric}" if plan.metric else ""


# --- as a script --------------------------------------------------------------------------------------------------


def script(plan: TunePlan, namespace: Namespace, source: str) -> str:
    """A program that does the same with Ray alone; ``python`` runs it."""
    captures = [one for one in (*plan.trainable.captures.found, *plan.feed.found) if one.name not in ("ray", "tune")]
    parts = ["import ray\nfrom ray import tune", *_imports(plan), *setting(captures, namespace)]
    if plan.trainable.form == CELL:
        parts.append(_cell_function(plan, source))
    if plan.trainable.form == RAY and not plan.trainable.text.isidentifier():
        parts.append(assignment("trainable", plan.trainable.value))
    wrapped = _may_return_a_number(plan, namespace)
    parts += [*([_wrapper(plan)] if wrapped else []), "ray.init()", _fit(plan, wrapped)]
    return finished("\n\n".join(parts) + "\n")


def _imports(plan: TunePlan) -> Iterator[str]:
    homes = [SCHEDULERS.get(plan.scheduler.name), SEARCHES.get(plan.search.name) if _names_search(plan) else None]
    lines = [f"from {module} import {name}" for module, name in (_home(one) for one in homes if one and one.home)]
    if lines:
        yield "\n".join(lines)


def _home(algorithm: Algorithm) -> tuple[str, str]:
    module, _, name = algorithm.home.partition(":")
    return module, name


def _names_search(plan: TunePlan) -> bool:
    """Whether the script says the search; Ray's own default needs no word."""
    algorithm = SEARCHES.get(plan.search.name)
    return algorithm is not None and (algorithm.compares or plan.seed is not None or bool(plan.search.options))


def _cell_function(plan: TunePlan, source: str) -> str:
    """The cell as a function of config; what it captures are the script's globals."""
    cell = plain(source, plan.trainable.cell.uses_ipython)
    name = plan.trainable.name
    if not plan.trainable.cell.expression:
        return f"def {name}(config):\n{textwrap.indent(cell, _INDENT)}"
    *lines, last = _with_value(cell)
    value = f'{{{plan.metric!r}: value}} if hasattr(value, "__float__") else value' if plan.metric else "value"
    body = "\n".join([*lines, f"value = {last}", f"return {value}"])
    return f"def {name}(config):\n{textwrap.indent(body, _INDENT)}"


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
        found = f"path = sorted(glob.glob(os.path.expanduser({newest!r})))[-1]"
        return f"import glob, os\n{found}\ntuner = tune.Tuner.restore(path, {trainable}, resume_errored=True)"
    arguments = [
        trainable,
        f"param_space={_space(plan)}",
        f"tune_config=tune.TuneConfig({', '.join(_tune_config(plan))})",
        f"run_config=tune.RunConfig({', '.join(_run_config(plan))})",
    ]
    return "tuner = tune.Tuner(\n" + "".join(f"{_INDENT}{argument},\n" for argument in arguments) + ")"


def _trainable(plan: TunePlan, wrapped: bool) -> str:
    one = plan.trainable
    name = one.text
    if one.form == CELL:
        name = one.name
    elif wrapped or (one.form == RAY and not one.text.isidentifier()):
        name = "trainable"
    return f"tune.with_resources({name}, {plan.resources!r})" if plan.resources else name


def _wrapper(plan: TunePlan) -> str:
    """What makes a number that the function returns the metric, as the magic does."""
    value = f'{{{plan.metric!r}: value}} if hasattr(value, "__float__") else value'
    return f"def trainable(config):\n    value = {plan.trainable.text}(config)\n    return {value}"


def _may_return_a_number(plan: TunePlan, namespace: Namespace) -> bool:
    """Whether the function, by its source, returns something other than a dict that is written there."""
    if plan.trainable.form != FUNCTION or not plan.metric:
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
    inner = "".join(f"{_INDENT * (depth + 1)}{key!r}: {_literal(one, depth + 1)},\n" for key, one in value.items())
    return f"{{\n{inner}{_INDENT * depth}}}" if value else "{}"


def dimension_code(dimension: Dimension) -> str:
    """``tune.loguniform(0.0001, 0.1)``"""
    if dimension.kind in KINDS:
        call = dimension.text.strip()
        if dimension.kind == "sample_from" or not all(_is_plain(one) for one in dimension.args):
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
    if plan.scheduler.name not in ("fifo",):
        yield f"scheduler={_algorithm(plan.scheduler, SCHEDULERS, _changed(plan))}"
    if not plan.search.name or _names_search(plan):
        yield f"search_alg={_algorithm(plan.search, SEARCHES, _seed(plan))}"
    if plan.time_budget_s is not None:
        yield f"time_budget_s={plan.time_budget_s:g}"


def _algorithm(choice: Choice, known: Mapping[str, Algorithm], more: Mapping[str, str]) -> str:
    if not choice.name:
        return choice.text
    given = {key: code_of(value, key) for key, value in choice.options.items()}
    arguments = ", ".join(f"{key}={value}" for key, value in {**more, **given}.items())
    return f"{_home(known[choice.name])[1]}({arguments})"


def _seed(plan: TunePlan) -> dict[str, str]:
    algorithm = SEARCHES.get(plan.search.name)
    if algorithm is None or plan.seed is None or not algorithm.seed:
        return {}
    limit = {"max_concurrent": str(plan.max_concurrent_trials)} if plan.max_concurrent_trials else {}
    return {algorithm.seed: str(plan.seed), **({} if algorithm.compares else limit)}


def _changed(plan: TunePlan) -> dict[str, str]:
    """What ``pbt`` and ``pb2`` may change, where the line does not say it."""
    name = plan.scheduler.name
    key = {"pbt": "hyperparam_mutations", "pb2": "hyperparam_bounds"}.get(name, "")
    if not key or key in plan.scheduler.options or "custom_explore_fn" in plan.scheduler.options:
        return {}
    changed = nested(mutations(plan.space, name).values(), _bounds if name == "pb2" else _mutation)
    return {key: "{" + ", ".join(f"{one!r}: {_inline(value)}" for one, value in changed.items()) + "}"}


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_inline(one)}" for key, one in value.items()) + "}"
    return str(value)


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
