"""One parameter as texts, and the assignment of ``--space`` that says the same.

Parameter("lr", "loguniform", ("1e-4", "1e-1"))  <->  Assignment("lr", "loguniform(1e-4, 1e-1)")
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..space import CONSTANT, KINDS, Assignment, is_literal, space_assignment

EXPRESSION = "expression"
LABELS: dict[str, tuple[str, ...]] = {
    "uniform": ("lower", "upper"),
    "loguniform": ("lower", "upper", "base"),
    "quniform": ("lower", "upper", "step"),
    "qloguniform": ("lower", "upper", "step", "base"),
    "randint": ("lower", "upper"),
    "lograndint": ("lower", "upper", "base"),
    "qrandint": ("lower", "upper", "step"),
    "qlograndint": ("lower", "upper", "step", "base"),
    "randn": ("mean", "deviation"),
    "qrandn": ("mean", "deviation", "step"),
    "choice": ("values",),
    "grid_search": ("values",),
    "sample_from": ("function",),
    CONSTANT: ("value",),
    EXPRESSION: ("value",),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter: its dotted key, a kind of `LABELS`, and the texts that have these labels."""

    key: str = ""
    kind: str = "uniform"
    args: tuple[str, ...] = ()


def assignment_text(parameter: Parameter) -> str:
    """``Parameter("lr", "uniform", ("0", "1"))`` -> ``lr=uniform(0, 1)``"""
    key, right = parameter.key.strip(), ", ".join(args_of(parameter))
    if parameter.kind not in (CONSTANT, EXPRESSION):
        right = f"{parameter.kind}({right})"
    return f"{key}={right}" if key or parameter.kind != EXPRESSION else right


def args_of(parameter: Parameter) -> tuple[str, ...]:
    """The texts without blanks around them and without the empty ones at the end."""
    args = [arg.strip() for arg in parameter.args]
    while args and not args[-1]:
        args.pop()
    return tuple(args)


def parameter_of(assignment: Assignment) -> Parameter:
    """``Assignment("lr", "uniform(0, 1)")`` -> ``Parameter("lr", "uniform", ("0", "1"))``"""
    call = ast.parse(assignment.text, mode="eval").body
    if assignment.key and isinstance(call, ast.Call) and not call.keywords:
        kind = ast.unparse(call.func).removeprefix("tune.")
        if kind in KINDS and len(call.args) <= len(LABELS[kind]):
            return Parameter(assignment.key, kind, tuple(_written_args(assignment.text, call)))
    kind = CONSTANT if assignment.key and is_literal(assignment.text) else EXPRESSION
    return Parameter(assignment.key, kind, (assignment.text,))


def _written_args(text: str, call: ast.Call) -> Iterator[str]:
    """The arguments of a call as they are written, parentheses included; positions of `ast` count bytes."""
    source = text.encode()
    start, close = source.index(b"(", call.func.end_col_offset or 0) + 1, (call.end_col_offset or 0) - 1
    for arg in call.args:
        comma = source.find(b",", arg.end_col_offset or 0, close)
        end = close if comma < 0 else comma
        yield source[start:end].decode().strip()
        start = end + 1


def normal_parameter(parameter: Parameter) -> Parameter:
    """A parameter without mistakes as its line gives it back: an expression of a known kind goes by that kind."""
    if parameter.kind == EXPRESSION:
        return parameter_of(space_assignment(assignment_text(parameter)))
    return Parameter(parameter.key.strip(), parameter.kind, args_of(parameter))
