"""Source to syntax tree, as Python itself would read a cell."""

from __future__ import annotations

import ast
import inspect
import warnings


def parse_cell(source: str) -> tuple[ast.Module, bool]:
    """The tree of a cell, and whether running it takes an event loop. Raises SyntaxError as running it would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source, "<cell>")
        code = compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return tree, bool(code.co_flags & inspect.CO_COROUTINE)
