"""How a plain script hands the captured values to its task, and which of them come back changed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...cell.in_place import Uses, uses_of
from ...ship.captures import reads_of
from ...ship.definitions import source_of
from ...ship.pickles import Namespace, has_arrays, holds_references, nbytes_pickled, sharing_groups
from ...ship.script import is_defined
from ...worker.changes import unchangeable
from .plan import MAP, RemotePlan

SMALL = 2**16  # bytes up to which a value comes back because it was passed on
_READER_WORDS = """
    apply_async bind copy count decision_function difference encode endswith find format get index intersection issubset
    items join keys lower most_common options predict predict_log_proba predict_proba remote replace score split
    startswith state_dict strip tolist transform union upper values
"""
_READERS = frozenset(_READER_WORDS.split())  # methods that leave their object as it is
_WRITER_WORDS = """
    __setitem__ append backward byteswap copyto fill fill_diagonal insert itemset partition place pop put putmask resize
    setfield setflags shuffle sort update
"""
_WRITERS = frozenset(_WRITER_WORDS.split())  # methods and functions that write into an array or table
_READING_WORDS = """
    Counter DataFrame Series array asarray choice concatenate deepcopy display dumps mean median put sample stack std
    tensor
"""
_READ_BY = frozenset(_READING_WORDS.split())  # functions that leave what they are given as it is


@dataclass(frozen=True)
class Passing:
    """The captured values on their way to the task and back.

    Attributes:
        names: of the values that are parameters, each its own or all of one tuple.
        refs: object refs that arrive as their values, and are always parameters of their own.
        together: the values are one argument: parts that they share stay shared.
        as_globals: they and what the cell binds are globals of the task: helpers of the notebook read or rebind them.
        returned: those that the cell may change in place.
        rebound: other names that helpers of the notebook may bind.
        copied: those that arrive read-only, and that the cell may write into.
    """

    names: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    together: bool = False
    as_globals: bool = False
    returned: tuple[str, ...] = ()
    rebound: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those of the task's function."""
        return (*(("captured",) if self.together else self.names), *self.refs)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What it is called with."""
        return (*((self.tuple_text,) if self.together else self.names), *self.refs)

    @property
    def tuple_text(self) -> str:
        """``(a, b)``"""
        return f"({', '.join(self.names)}{',' if len(self.names) == 1 else ''})"


def passing_of(plan: RemotePlan, namespace: Namespace) -> Passing:
    """Decides it from the sources of the cell and its helpers, and from what the values are."""
    kinds = {capture.name: capture.kind for capture in plan.captures.found}
    refs = tuple(name for name, kind in kinds.items() if kind == "ref" and name not in plan.as_refs)
    names = tuple(n for n, kind in kinds.items() if kind == "value" and not is_defined(n, namespace))
    helpers = {n: namespace[n] for n, kind in kinds.items() if kind in ("function", "class")}
    sources = [source for helper in helpers.values() if (source := source_of(helper))]
    rebound = _rebound(sources)
    groups = sharing_groups(names, namespace)
    changed = _changed(plan, names, helpers, sources, namespace)
    changed |= {name for group in groups if changed & {*group} for name in group}
    changed = {name for name in changed | rebound if name in names and not holds_references(namespace[name])}
    as_globals = bool(rebound) or _helpers_see(helpers, {*plan.binds, *changed}, namespace)
    in_order = tuple(name for name in names if name in changed)
    return Passing(
        names=names,
        refs=refs,
        together=bool(groups) or (as_globals and bool(names)),
        as_globals=as_globals,
        returned=() if plan.form == MAP else in_order,
        rebound=() if plan.form == MAP else tuple(sorted(rebound - {*in_order})),
        copied=tuple(name for name in in_order if has_arrays(namespace[name])),
    )


def _rebound(sources: Iterable[str]) -> set[str]:
    """Names that helpers declare ``global``."""
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    return {name for node in nodes if isinstance(node, ast.Global) for name in node.names}


def _helpers_see(helpers: Mapping[str, Any], names: set[str], namespace: Namespace) -> bool:
    return any(names & {*reads_of(helper, namespace)} for helper in helpers.values())


def _changed(
    plan: RemotePlan, names: tuple[str, ...], helpers: Mapping[str, Any], sources: Iterable[str], namespace: Namespace
) -> set[str]:
    """The values that the cell may change in place."""
    uses = uses_of([plan.cell.source, *sources], names)
    certain = {*plan.cell.updates, *(plan.outputs or ())}
    may_change = [name for name in names if not unchangeable(namespace[name])]
    return {name for name in may_change if name in certain or _may_change(name, uses[name], plan, helpers, namespace)}


def _may_change(name: str, use: Uses, plan: RemotePlan, helpers: Mapping[str, Any], namespace: Namespace) -> bool:
    value = namespace[name]
    if use.written:
        return True
    if hasattr(value, "dtype") or hasattr(value, "dtypes"):  # an array or a table
        written = {method for method in use.methods if method in _WRITERS or _ends_in_underscore(method)}
        return bool(written or use.functions & (_WRITERS | {*helpers}))
    called = use.methods - _READERS
    if called and name in plan.cell.calls:
        return True
    return bool(called or use.functions - _READ_BY) and _is_small(value)


def _is_small(value: Any) -> bool:
    """Whether it is cheap to send back; not what cannot be sent."""
    try:
        return nbytes_pickled(value) <= SMALL
    except Exception:  # pickling runs code of any type
        return False


def _ends_in_underscore(method: str) -> bool:
    """``add_`` of PyTorch."""
    return method.endswith("_") and not method.endswith("__")
