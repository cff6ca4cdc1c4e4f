"""The cell of ``%%ray_data`` as the function or class that Ray applies to each batch, row or group."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...cell.reader import Cell, read_cell
from ...cell.source import CellSource
from ...errors import UsageError
from ...ship.captures import Captures, find_captures
from ...ship.picklable import cannot_ship, is_picklable

PARAMETERS = {"map_batches": "batch", "map": "row", "filter": "row", "flat_map": "row", "map_groups": "group"}
"""Operation -> what the statements of a cell call the data that they are about."""

RETURN = {
    "filter": 'whether the row stays, as in: row["fare"] > 2',
    "flat_map": "which rows come of it, as in: [row, row]",
}
"""Operation -> what its last line has to be."""

STATEMENTS, FUNCTION, CLASS = "statements", "function", "class"


@dataclass(frozen=True)
class Transform:
    """What is applied.

    Attributes:
        operation: the method of the dataset, or of its groups.
        form: "statements" about `parameter`, one "function", or one "class" with ``__call__``.
        name: of the function or class; of statements that of the parameter.
        cell: the code.
        captures: what it reads from the notebook.
        value: the function or class itself, where a program has given it.
    """

    operation: str
    form: str
    name: str
    cell: Cell
    captures: Captures
    value: Any = None

    @property
    def parameter(self) -> str:
        return PARAMETERS[self.operation]

    @property
    def is_stateful(self) -> bool:
        return self.form == CLASS


def read_transform(cell_source: CellSource, operation: str, namespace: Mapping[str, Any]) -> Transform:
    """Raises UsageError for an empty cell, and for one that reads what is not defined; InvalidCell for no Python."""
    parameter = PARAMETERS[operation]
    cell = cell_source.read()
    if cell.empty:
        raise UsageError(
            f"The cell is empty: write below %%ray_data what is done to {parameter}, "
            "or one function, or one class with __call__."
        )
    form, name = _form(cell_source.code, parameter)
    if form == STATEMENTS and operation in RETURN and not cell.expression:
        raise UsageError(f"--op {operation}: the last line of the cell says {RETURN[operation]}.")
    captures = find_captures(cell, namespace, without=[parameter])
    missing = [one for one in captures.missing if one.name != parameter and one.needed]
    if missing:
        raise UsageError(f'The cell reads "{missing[0].name}" on line {missing[0].line}, which is not defined.')
    if form == STATEMENTS and parameter not in {read.name for read in cell.reads} | {*cell.binds}:
        raise UsageError(
            f"The cell does not use {parameter}, which is what --op {operation} gives it; "
            f"a function or a class with __call__ may call it anything."
        )
    if cell.uses_ipython:
        raise UsageError("A transform runs on workers, where there are no magics and no shell: use plain Python in it.")
    return Transform(operation, form, name, cell, captures)


def _form(code: str, parameter: str) -> tuple[str, str]:
    """A cell of imports and definitions alone is its last function or class; any other is statements."""
    body = ast.parse(code).body
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, *functions)
    last = body[-1]
    if not all(isinstance(node, allowed) for node in body) or not isinstance(last, (ast.ClassDef, *functions)):
        return STATEMENTS, parameter
    if isinstance(last, ast.ClassDef):
        is_called = any(isinstance(node, functions) and node.name == "__call__" for node in last.body)
        if not is_called and not last.bases:
            raise UsageError(f"class {last.name} has no __call__, which Ray calls with each {parameter}.")
        return CLASS, last.name
    return FUNCTION, last.name


def given_transform(operation: str, value: Any) -> Transform:
    """Of a function or class that a program has given. Raises UsageError for anything else."""
    if not callable(value):
        raise UsageError(f"transform: {value!r} is no function and no class")
    form = CLASS if isinstance(value, type) else FUNCTION
    return Transform(operation, form, getattr(value, "__name__", "transform"), read_cell("pass"), Captures(), value)


def check_picklable(transform: Transform, namespace: dict[str, Any]) -> None:
    """Raises UsageError, which names the value, for one that cannot go to workers."""
    for capture in transform.captures.found:
        if capture.kind == "value" and not is_picklable(namespace[capture.name], namespace):
            raise cannot_ship(capture, namespace, TypeError("it cannot be pickled"))


def make_callable(transform: Transform, cell_source: CellSource, namespace: Mapping[str, Any]) -> Any:
    """The function or class, with the notebook's values of now; binds nothing in the notebook."""
    if transform.value is not None:
        return transform.value
    scope = {**namespace, "__name__": "__main__"}
    if transform.form == STATEMENTS:
        return _function_of(transform, cell_source, scope)
    exec(compile(cell_source.code, cell_source.filename, "exec"), scope)
    return scope[transform.name]


def _function_of(transform: Transform, cell_source: CellSource, scope: dict[str, Any]) -> Any:
    """The statements as the body of a function of the parameter."""
    tree = ast.parse(cell_source.code)
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    body = [node for node in tree.body if node not in future]
    [function] = ast.parse(f"def cell({transform.parameter}): pass").body
    assert isinstance(function, ast.FunctionDef)
    function.body = with_result(body, transform)
    module = ast.fix_missing_locations(ast.Module([*future, function], []))
    code = compile(module, cell_source.filename, "exec")
    [inner] = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    made = types.FunctionType(inner.replace(co_name="<module>", co_qualname="<module>"), scope, cell_source.name)
    made.__module__, made.__qualname__ = "__main__", cell_source.name  # Ray calls the operator so: MapBatches(In[4])
    return made


def with_result(body: list[ast.stmt], transform: Transform) -> list[ast.stmt]:
    """The statements, and the return of what they say: the last expression, or what the parameter has become.

    An expression that has no value, as ``batch.update(...)`` has none, counts as a statement.
    """
    parameter = transform.parameter
    last = body[-1]
    if not isinstance(last, ast.Expr):
        return [*body, ast.Return(ast.Name(parameter, ast.Load()))]
    if isinstance(last.value, ast.Name):
        return [*body[:-1], ast.copy_location(ast.Return(last.value), last)]
    keep = ast.parse(f"__value__ = None\n{parameter} if __value__ is None else __value__").body
    assign, choice = keep[0], keep[1]
    assert isinstance(assign, ast.Assign) and isinstance(choice, ast.Expr)
    assign.value = last.value
    returned = ast.copy_location(ast.Return(choice.value), last)
    for node in [assign, *ast.walk(choice)]:
        ast.copy_location(node, last)
    return [*body[:-1], assign, returned]
