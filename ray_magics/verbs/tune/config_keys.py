"""Which keys of its configuration a trainable reads, from its source alone."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from ...errors import UsageError
from .space import is_key, is_literal
from .trainable import CONFIG

_CONDITIONAL = (ast.If, ast.IfExp, ast.BoolOp, ast.Try, ast.While, ast.With, ast.Match, ast.Lambda, ast.FunctionDef)


def code_of(trainable: Any) -> tuple[ast.Module, str]:
    """The code of a function, or of the ``setup`` of a class, and its name for the configuration.

    Without any code where the source is not to be had.
    """
    try:
        function = getattr(trainable, "setup", trainable) if isinstance(trainable, type) else inspect.unwrap(trainable)
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (SyntaxError, OSError, TypeError, ValueError):
        return ast.Module([], []), CONFIG
    parameters = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg) and node.arg != "self"]
    return tree, parameters[0] if parameters else CONFIG


def reads(tree: ast.AST, config: str) -> Iterator[tuple[str, str]]:
    """Each key that the code reads, in its order, and the default as Python, "" without one.

    ``config["model"].get("depth", 2)`` -> ``("model.depth", "2")``
    """
    for node in sorted(ast.walk(tree), key=_position):
        key = ".".join(_path(node, config) or ())
        if is_key(key):
            yield key, _default(node)


def check_without_space(trainable: Any, text: str) -> None:
    """Raises UsageError for a function that reads keys which an empty configuration lacks, on every way through it."""
    keys = required_keys(*code_of(trainable))
    if keys:
        names = ", ".join(f'"{key}"' for key in keys)
        examples = " ".join(f'"{key}=uniform(0, 1)"' for key in keys)
        raise UsageError(
            f"{text} reads {names} from its configuration, and no --space says what to try: "
            f"add --space {examples}, or --form for controls."
        )


def required_keys(tree: ast.Module, config: str) -> list[str]:
    """The keys without which the code fails for certain; none where it does anything else with `config`."""
    function = tree.body[0] if tree.body else None
    if not isinstance(function, ast.FunctionDef) or not _only_reads(function, config):
        return []
    certain = [node for statement in _before_return(function.body) for node in _unconditional(statement)]
    paths = [_path(node, config) for node in certain if isinstance(node, ast.Subscript)]
    keys = list(dict.fromkeys(".".join(path) for path in paths if path))
    return [key for key in keys if is_key(key) and not any(other.startswith(f"{key}.") for other in keys)]


def _only_reads(function: ast.FunctionDef, config: str) -> bool:
    """Whether `config` stands only in expressions that read a key of it."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == config]
    return len(names) == sum(len(_path(node, config) or ()) == 1 for node in ast.walk(function))


def _before_return(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements up to the first that may leave the function."""
    for statement in body:
        yield statement
        if any(isinstance(node, (ast.Return, ast.Raise)) for node in ast.walk(statement)):
            return


def _unconditional(node: ast.AST) -> Iterator[ast.AST]:
    """The expressions in a statement that are evaluated whenever it is; a loop counts as one that has rounds."""
    if not isinstance(node, _CONDITIONAL):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _unconditional(child)


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _path(node: ast.AST, config: str) -> tuple[str, ...] | None:
    """``config["model"].get("depth", 2)`` -> ``("model", "depth")``; None for code that reads no key of `config`."""
    match node:
        case ast.Name(id=name) if name == config:
            return ()
        case ast.Subscript(value=inner, slice=ast.Constant(value=str(key)), ctx=ast.Load()):
            outer = _path(inner, config)
        case ast.Call(func=ast.Attribute(value=inner, attr="get"), args=[ast.Constant(value=str(key)), *_]):
            outer = _path(inner, config)
        case _:
            return None
    return None if outer is None else (*outer, key)


def _default(node: ast.AST) -> str:
    """``config.get("depth", 2)`` -> ``2``; "" where there is none that a constant can say."""
    match node:
        case ast.Call(args=[_, default, *_]) if is_literal(text := ast.unparse(default)) and text != "None":
            return text
    return ""
