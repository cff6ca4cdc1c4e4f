"""A first guess at the space: the parameters that the code reads from its configuration."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..plan import CONFIG
from ..space import CONSTANT
from .field import Field, is_key, is_literal
from .state import FormState


def guessed_rows(state: FormState, value: Any = None) -> FormState:
    """The state with a row for each parameter that the code reads from `config`, where the line names no space.

    ``config["lr"]`` -> a range to fill in; ``config.get("width", 32)`` -> the constant 32.
    """
    if state.rows:
        return state
    found: dict[str, Field] = {}
    for row in _reads(*_code_of(state, value)):
        if row.key not in found or row.kind == CONSTANT:
            found[row.key] = row
    inner = [row for row in found.values() if not any(other.startswith(f"{row.key}.") for other in found)]
    return replace(state, rows=tuple(inner))


def _code_of(state: FormState, value: Any) -> tuple[ast.AST, str]:
    """The code that reads the configuration, and its name there; no code where it is not to be had."""
    try:
        if state.cell is not None:
            return ast.parse(state.cell), CONFIG
        value = getattr(value, "setup", value) if isinstance(value, type) else inspect.unwrap(value)
        tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
    except (SyntaxError, OSError, TypeError, ValueError):
        return ast.parse(""), CONFIG
    parameters = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg) and node.arg != "self"]
    return tree, parameters[0] if parameters else CONFIG


def _reads(tree: ast.AST, name: str) -> Iterator[Field]:
    """A field for each cell_source that reads a key, in the order of the code."""
    for node in sorted(ast.walk(tree), key=_position):
        key = ".".join(_path(node, name) or ())
        if is_key(key):
            default = _default(node)
            yield Field(key, CONSTANT, (default,)) if default else Field(key)


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _path(node: ast.AST, name: str) -> tuple[str, ...] | None:
    """``config["model"].get("depth", 2)`` -> ``("model", "depth")``; None for code that reads no key of `name`."""
    match node:
        case ast.Name(id=found) if found == name:
            return ()
        case ast.Subscript(value=inner, slice=ast.Constant(value=str(key)), ctx=ast.Load()):
            outer = _path(inner, name)
        case ast.Call(func=ast.Attribute(value=inner, attr="get"), args=[ast.Constant(value=str(key)), *_]):
            outer = _path(inner, name)
        case _:
            return None
    return None if outer is None else (*outer, key)


def _default(node: ast.AST) -> str:
    """``config.get("depth", 2)`` -> ``2``; "" where there is none that a constant can say."""
    match node:
        case ast.Call(args=[_, default, *_]) if is_literal(text := ast.unparse(default)) and text != "None":
            return text
    return ""
