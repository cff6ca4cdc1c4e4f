"""A plan as a plain script of Ray Data, and in words."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from ...cell.reader import read_cell
from ...ship.captures import Captures, find_captures
from ...ship.cell_text import indented, plain
from ...ship.datasets import PLACE, source_for
from ...ship.script import code_of, describe_captures, finished, setting
from .expression import MODULES, ray_data_scope, read_expression
from .plan import DataPlan
from .transform import STATEMENTS, Transform, with_result

_RAY = "ray.data"


def explain(plan: DataPlan, namespace: dict[str, Any], source: str) -> str:
    """What ``--dry-run`` prints."""
    return f"{describe(plan, namespace)}\n\n{script(plan, namespace, source)}"


def describe(plan: DataPlan, namespace: Mapping[str, Any]) -> str:
    """The plan in a few aligned lines."""
    transform = plan.transform
    if transform is None:
        lines = [f"runs     {plan.expression.code}", "sends    what that reads"]
    else:
        what = "the cell" if transform.form == STATEMENTS else transform.name
        lines = [f"runs     {transform.operation} of {plan.expression.code} with {what}{_with(plan, namespace)}"]
        lines += describe_captures(_captures(plan, namespace), dict(namespace))
    lines += [f"returns  the value{f' as {names}' if (names := ', '.join(plan.targets)) else ''}"]
    return "\n".join([*lines, "executes nothing before the dataset is consumed"] if transform else lines)


def _with(plan: DataPlan, namespace: Mapping[str, Any]) -> str:
    options = _arguments(plan, namespace)
    return f", {options}" if options else ""


def script(plan: DataPlan, namespace: dict[str, Any], source: str) -> str:
    """A program that does the same with Ray alone; ``python`` runs it."""
    own = plan.expression.of_ray(namespace, ray_data_scope())
    captures = [*find_captures(read_cell(plan.expression.code), namespace, without=own).found]
    captures += _captures(plan, namespace).found
    body = [
        *plan.expression.imports(namespace),
        *setting(captures, namespace, source_for(namespace), imported=["ray"]),
    ]
    if plan.transform is not None:
        body.append(transform_code(plan.transform, source))
    body.append(_call(plan, namespace))
    text = "\n\n".join(body)
    modules = [module for module in MODULES if f"{module}." in text]
    return finished("\n\n".join(["\n".join(f"import {module}" for module in modules or [_RAY]), text]) + "\n")


def _captures(plan: DataPlan, namespace: Mapping[str, Any]) -> Captures:
    """What the cell reads, and the expressions of its options."""
    found = [*plan.transform.captures.found] if plan.transform else []
    for code in plan.ray_code.values():
        found += find_captures(read_cell(code), namespace).found
    return Captures(tuple({capture.name: capture for capture in reversed(found)}.values())[::-1])


def made_by(plan: DataPlan, namespace: Mapping[str, Any], source: str, part: int | None = None) -> str:
    """The statements that make the value again, or one part of it, under the name `PLACE`."""
    name = f"{PLACE}_transform"
    value = _value(plan, namespace, name)
    lines = [transform_code(plan.transform, source, name)] if plan.transform else []
    value = value if part is None else f"list({value})[{part}]"
    return "\n".join([*plan.expression.imports(namespace), *lines, f"{PLACE} = {value}"])


def transform_code(transform: Transform, source: str, name: str = "transform") -> str:
    """The cell as a function called `name`, or as it is where it defines one or a class."""
    code = plain(source, transform.cell.uses_ipython)
    if transform.form != STATEMENTS:
        return code.strip("\n")
    tree = ast.parse(code)
    returned = ast.unparse(ast.Module(with_result(tree.body, transform)[len(tree.body) - 1 :], []))
    last = tree.body[-1]
    keeps_last = not isinstance(last, ast.Expr)
    lines = code.split("\n")
    kept = code if keeps_last else "\n".join(lines[: last.lineno - 1])
    tail = returned.split("\n")[-1] if keeps_last else returned
    body = re.sub(r"\A\n+|\s+\Z", "", f"{kept.rstrip()}\n{tail}")
    return f"def {name}({transform.parameter}):\n{indented(body)}"


def _arguments(plan: DataPlan, namespace: Mapping[str, Any]) -> str:
    """Ray's options as they stand on the line, or as literals."""
    arguments = {key: code_of(value, key) for key, value in plan.ray.items() if key not in plan.ray_code}
    arguments |= {key: read_expression(code).qualified(namespace) for key, code in plan.ray_code.items()}
    if plan.concurrency is not None and plan.transform is not None:
        strategy, sizes = plan.concurrency.compute(plan.transform.is_stateful)
        arguments["compute"] = f"ray.data.{strategy}({', '.join(f'{key}={value}' for key, value in sizes.items())})"
    return ", ".join(f"{key}={value}" for key, value in arguments.items())


def _value(plan: DataPlan, namespace: Mapping[str, Any], name: str = "transform") -> str:
    """The expression of the value; `name` is that of the function that statements of a cell have become."""
    code = plan.expression.qualified(namespace)
    if plan.transform is None:
        return code
    applied = name if plan.transform.form == STATEMENTS else plan.transform.name
    grouped = f".groupby({_key(plan.key)})" if plan.key else ""
    options = _arguments(plan, namespace)
    source = code if re.fullmatch(r"[\w.]+(\([^()]*\))?", code) else f"({code})"
    return f"{source}{grouped}.{plan.transform.operation}({applied}{f', {options}' if options else ''})"


def _call(plan: DataPlan, namespace: Mapping[str, Any]) -> str:
    code = _value(plan, namespace)
    if plan.materialize or plan.stats:
        code = f"{code if plan.transform else f'({code})'}.materialize()"
    targets = ", ".join(plan.targets) or "result"
    lines = [f"{targets} = {code}", *([f"print({targets}.stats())"] if plan.stats else [])]
    lines.append(f"print({f'{targets}.take({plan.rows})' if plan.rows else targets})")
    return "\n".join(lines)


def _key(key: str | None) -> str:
    return repr(key.split(",") if key and "," in key else key)
