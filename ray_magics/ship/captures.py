"""Which values of the notebook a cell needs: names, kinds and sizes; never the values themselves."""

from __future__ import annotations

import ast
import builtins
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..cell.reader import Cell, names_read
from ..cell.tracker import Name
from .inspection import kind_of, nbytes_of, type_name

HIDDEN = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open", "_ih", "_oh", "_dh"})
_RAY_CALLS = frozenset({"get", "wait", "cancel", "kill"})


@dataclass(frozen=True)
class Capture:
    """One name of the notebook that code needs.

    Attributes:
        kind: value, function, class, module or ref.
        type: of its value, as `type_name` says it.
        line: where the cell reads it first, 0 where only a function that it uses does.
        certain: False where the code may not need it.
        via: the function or class whose body reads it.
        nbytes: where it is cheap to know.
    """

    name: str
    kind: str = "value"
    type: str = ""
    line: int = 0
    certain: bool = True
    via: str = ""
    nbytes: int | None = None


@dataclass(frozen=True)
class Captures:
    """What a cell captures, in the order of reading, and the names it reads that do not exist here."""

    found: tuple[Capture, ...] = ()
    missing: tuple[Name, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(capture.name for capture in self.found)


def find_captures(
    cell: Cell, namespace: Mapping[str, Any], only: Iterable[str] | None = None, without: Iterable[str] = ()
) -> Captures:
    """The names of `namespace` that the cell, and the functions and classes it uses, may read.

    Args:
        only: of values, just these are sent (``--inputs``); modules always do.
        without: names that mean something else inside the cell, as the target of ``--for`` does.
    """
    wanted = [name for name in cell.reads if name.name not in {*without, *HIDDEN} or name.name in (only or ())]
    present = [name for name in wanted if name.name in namespace]
    missing = [n for n in wanted if n.name not in namespace and n.certain and not hasattr(builtins, n.name)]
    direct = {n.name: _capture(n.name, namespace[n.name], n.line, n.certain) for n in present}
    found = [*direct.values(), *_indirect(direct, namespace)]
    if only is not None:
        found = [capture for capture in found if capture.name in only or capture.kind == "module"]
    return Captures(tuple(found), tuple(missing))


def _indirect(direct: Mapping[str, Capture], namespace: Mapping[str, Any]) -> Iterator[Capture]:
    """What captured functions and classes read in their turn."""
    known, queue = {*direct}, list(direct)
    while queue:
        reader = queue.pop(0)
        for name in reads_of(namespace[reader], namespace):
            if name not in known and name in namespace and name not in HIDDEN:
                known.add(name)
                queue.append(name)
                yield _capture(name, namespace[name], 0, False, reader)


def _capture(name: str, value: Any, line: int, certain: bool, via: str = "") -> Capture:
    return Capture(name, kind_of(value), type_name(value), line, certain, via, nbytes_of(value))


def reads_of(value: Any, namespace: Mapping[str, Any]) -> tuple[str, ...]:
    """Names that a function, a class, or the class of an instance of the notebook reads as globals."""
    if isinstance(value, types.FunctionType):
        functions: list[types.FunctionType] = [value] if value.__globals__ is namespace else []
    else:
        functions = list(_methods(value if isinstance(value, type) else type(value), namespace))
    return tuple(dict.fromkeys(name for function in functions for name in _names_of(function.__code__)))


def _methods(kind: type, namespace: Mapping[str, Any]) -> Iterator[types.FunctionType]:
    if kind.__module__ != "__main__":
        return
    for base in kind.__mro__:
        for member in vars(base).values():
            function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", None) or member)
            if isinstance(function, types.FunctionType) and function.__globals__ is namespace:
                yield function


@lru_cache(maxsize=1024)
def _names_of(code: types.CodeType) -> tuple[str, ...]:
    """By source where there is one, else every name that the code object mentions."""
    try:
        names = names_read("".join(inspect.getsourcelines(code)[0]))
    except (OSError, TypeError, SyntaxError, IndexError):
        names = ()
    return names or tuple(_mentioned(code))


def _mentioned(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _mentioned(constant)


def handled_as_refs(source: str) -> frozenset[str]:
    """Names given to ``ray.get``, ``ray.wait``, ``ray.cancel`` or awaited: the cell wants the ref, not its value."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Await):
            names.update(_names_in(node.value))
        elif isinstance(node, ast.Call) and _is_ray_call(node.func):
            for argument in node.args:
                names.update(_names_in(argument))
    return frozenset(names)


def _is_ray_call(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in _RAY_CALLS
        and isinstance(function.value, ast.Name)
        and function.value.id == "ray"
    )


def _names_in(node: ast.expr) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
