"""One parameter as texts, and the word of ``--space`` that says the same.

Field("lr", "loguniform", ("1e-4", "1e-1"))  <->  Assignment("lr", "loguniform(1e-4, 1e-1)")
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..space import CONSTANT, KINDS, Assignment, space_assignment

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
_KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Field:
    """One parameter: its dotted key, a word of `LABELS`, and the texts that have these labels."""

    key: str = ""
    kind: str = "uniform"
    args: tuple[str, ...] = ()


def word_of(field: Field) -> str:
    """``Field("lr", "uniform", ("0", "1"))`` -> ``lr=uniform(0, 1)``"""
    key, right = field.key.strip(), ", ".join(args_of(field))
    if field.kind not in (CONSTANT, EXPRESSION):
        right = f"{field.kind}({right})"
    return f"{key}={right}" if key or field.kind != EXPRESSION else right


def args_of(field: Field) -> tuple[str, ...]:
    """The texts without blanks around them and without the empty ones at the end."""
    args = [arg.strip() for arg in field.args]
    while args and not args[-1]:
        args.pop()
    return tuple(args)


def field_of(word: Assignment) -> Field:
    """``Assignment("lr", "uniform(0, 1)")`` -> ``Field("lr", "uniform", ("0", "1"))``"""
    call = ast.parse(word.text, mode="eval").body
    if word.key and isinstance(call, ast.Call) and not call.keywords:
        kind = ast.unparse(call.func).removeprefix("tune.")
        if kind in KINDS and len(call.args) <= len(LABELS[kind]):
            return Field(word.key, kind, tuple(_written_args(word.text, call)))
    kind = CONSTANT if word.key and is_literal(word.text) else EXPRESSION
    return Field(word.key, kind, (word.text,))


def _written_args(text: str, call: ast.Call) -> Iterator[str]:
    """The arguments of a call as they are written, parentheses included; positions of `ast` count bytes."""
    source = text.encode()
    start, close = source.index(b"(", call.func.end_col_offset or 0) + 1, (call.end_col_offset or 0) - 1
    for arg in call.args:
        comma = source.find(b",", arg.end_col_offset or 0, close)
        end = close if comma < 0 else comma
        yield source[start:end].decode().strip()
        start = end + 1


def normal_field(field: Field) -> Field:
    """A field without mistakes as its word gives it back: an expression that has a word goes by that word."""
    if field.kind == EXPRESSION:
        return field_of(space_assignment(word_of(field)))
    return Field(field.key.strip(), field.kind, args_of(field))


def is_key(text: str) -> bool:
    """``lr``, ``model.depth``"""
    return _KEY.fullmatch(text) is not None


def is_literal(text: str) -> bool:
    """``3``, ``'adam'``, ``[1, 2]``"""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError):
        return False
    return True
