"""What a cell reads and binds, found from its source alone: nothing is run, imported or decompiled.

    >>> cell = read_cell("y = f(x)\\ny + 1")
    >>> [name.name for name in cell.reads], cell.binds, cell.expression
    (['f', 'x'], ('y',), True)

`visitor` says what each kind of node does, `tracker` keeps the names, `scopes` knows what belongs to functions.
"""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass
from functools import lru_cache

from .scopes import string_of
from .syntax import parse_cell
from .tracker import Name
from .visitor import NameVisitor


@dataclass(frozen=True)
class Cell:
    """What a cell does to names. What is uncertain errs on the side of listing more."""

    source: str
    reads: tuple[Name, ...]
    binds: tuple[str, ...]
    updates: tuple[str, ...]
    calls: tuple[str, ...]
    deletes: tuple[str, ...]
    expression: bool
    silent: bool
    definitions_only: bool
    functions: tuple[str, ...]
    classes: tuple[str, ...]
    binds_unknown: bool
    is_async: bool
    empty: bool
    uses_ipython: bool


@lru_cache(maxsize=256)
def read_cell(source: str) -> Cell:
    """Read the source of one cell, plain Python (IPython syntax already transformed).

    Raises SyntaxError as Python itself would on running the cell; top-level `await` is allowed.
    """
    tree, is_async = parse_cell(source)
    visitor = NameVisitor(tree)
    return Cell(
        source=source,
        reads=visitor.outside(),
        binds=tuple(visitor.binds),
        updates=tuple(visitor.updates),
        calls=tuple(visitor.calls),
        deletes=tuple(visitor.deletes),
        expression=bool(tree.body) and isinstance(tree.body[-1], ast.Expr),
        silent=_ends_in_semicolon(source),
        definitions_only=_only_defines(tree.body),
        functions=_names_of(tree.body, ast.FunctionDef, ast.AsyncFunctionDef),
        classes=_names_of(tree.body, ast.ClassDef),
        binds_unknown=visitor.binds_unknown,
        is_async=is_async,
        empty=not tree.body,
        uses_ipython=visitor.uses_ipython,
    )


def names_read(source: str) -> tuple[str, ...]:
    """The global names that the source of a function or class reads, its own name left out.

    The source may be indented, as `inspect.getsource` gives it; `()` if it does not parse.
    """
    indented = source[:1].isspace() and source.strip()
    try:
        cell = read_cell(f"if 1:\n{source}" if indented else source)
    except (SyntaxError, ValueError):
        return ()
    return tuple(name.name for name in cell.reads)


def _ends_in_semicolon(source: str) -> bool:
    if ";" not in source:
        return False
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    strings = [token.string for token in tokens if token.type not in blank]
    return strings[-1:] == [";"]


def _only_defines(body: list[ast.stmt]) -> bool:
    if body and _is_docstring(body[0]):
        body = body[1:]
    defines = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    allowed = (*defines, ast.Import, ast.ImportFrom)
    return all(isinstance(node, allowed) for node in body) and any(isinstance(n, defines) for n in body)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and string_of(node.value) is not None


def _names_of(body: list[ast.stmt], *kinds: type[ast.stmt]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(getattr(node, "name", "") for node in body if isinstance(node, kinds)))
