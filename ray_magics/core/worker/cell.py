"""Runs the cell, once or per item, and packs the answer."""

from __future__ import annotations

import ast
import asyncio
import builtins
import collections
import copy
import inspect
import linecache
import time
import types
from collections.abc import Callable, Sequence
from typing import Any

from .failure import describe, throw
from .shown import HELPERS, figures, prepare, represent
from .task import Orders, Task
from .values import Namespace, Packer, load, pack

VALUE = "value of the cell"  # the packed name of the last expression; no identifier, so it collides with none
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
MOST = 2**24  # bytes up to which a value is looked at for changes in place
SMALL = 2**16  # bytes up to which a captured value is copied for each item of a fan-out
UNCHANGEABLE = (type(None), bool, int, float, complex, str, bytes, types.ModuleType, types.FunctionType, type)
_programs: collections.OrderedDict[tuple[str, str], tuple[Any, Any]] = collections.OrderedDict()


def program(source: str, filename: str) -> tuple[Any, Any]:
    """Compiles a cell to (its statements, its last expression or None); the last 256 are remembered."""
    if (source, filename) not in _programs:
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        _programs[source, filename] = _compile(source, filename)
        while len(_programs) > 256:
            _programs.popitem(last=False)
    return _programs[source, filename]


def _compile(source: str, filename: str) -> tuple[Any, Any]:
    tree, last = ast.parse(source, filename), None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        expression = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
        last = compile(expression, filename, "eval", flags=_FLAGS, dont_inherit=True)
    return (compile(tree, filename, "exec", flags=_FLAGS, dont_inherit=True) if tree.body else None), last


def execute(body: Any, last: Any, namespace: Namespace, is_async: bool) -> Any:
    """Runs a compiled cell in `namespace`; returns the value of its last expression, else None."""
    if is_async:
        return asyncio.run(_execute_async(body, last, namespace))
    if body is not None:
        exec(body, namespace)
    return None if last is None else eval(last, namespace)


async def _execute_async(body: Any, last: Any, namespace: Namespace) -> Any:
    if body is not None:
        await _awaited(body, namespace)
    return None if last is None else await _awaited(last, namespace)


async def _awaited(code: Any, namespace: Namespace) -> Any:
    value = eval(code, namespace)
    return await value if code.co_flags & inspect.CO_COROUTINE else value


def open_namespace(orders: Orders, payload: bytes, references: Sequence[Any], shared: Sequence[Any]) -> Namespace:
    """The captured names as the cell finds them; what it changes in place is its own, writable copy."""
    namespace: Namespace = {"__name__": "__main__", "__builtins__": builtins, "__doc__": None}
    resolved = orders["resolved"]
    namespace.update(load(payload, namespace, shared[len(resolved) :], references))
    namespace.update(zip(resolved, shared, strict=False))
    for name in orders["updates"]:
        if _copies(namespace.get(name)):
            namespace[name] = copy.deepcopy(namespace[name])
    return namespace


# --- once ---------------------------------------------------------------------------------------------------------


def run_cell(orders: Orders, payload: bytes, references: Sequence[Any], *shared: Any) -> Any:
    """One task: the cell runs once; the answer is that of `answer` or `answer_lazily`. Raises `CellFailed`."""
    task = Task(orders)
    namespace: Namespace = {}
    failure: BaseException | None = None
    with task.captured(), figures(task.sink):
        try:
            with task.interruptible():
                namespace = open_namespace(orders, payload, references, shared)
                before = fingerprints(namespace, orders)
                prepare(task.sink, namespace, orders["uses_ipython"])
                value = execute(*program(orders["source"], orders["filename"]), namespace, orders["is_async"])
        except BaseException as error:
            if task.interrupted:
                task.mail(last=True)  # a cancelled task has no answer to put its output into
                raise KeyboardInterrupt from None
            failure = error
    if failure is not None:
        throw(failure, {**describe(failure, namespace), **task.ending()}, orders["retried"])
    if orders["lazy"]:
        return answer_lazily(task, namespace, value)
    after = fingerprints(namespace, orders)
    changed = [name for name in before if after[name] != before[name]]
    return answer(task, namespace, changed, value)


def fingerprints(namespace: Namespace, orders: Orders) -> dict[str, Any]:
    """Of the values whose methods the cell calls."""
    return {name: fingerprint(namespace, name, orders["share_above"]) for name in orders["calls"]}


def can_be_copied(namespace: Namespace, name: str, most: int) -> bool:
    """Whether a value can change, can be pickled, and is no larger than `most` bytes; nothing with large buffers."""
    value = namespace.get(name)
    if isinstance(value, UNCHANGEABLE):
        return False
    packer, refused = pack([(name, value)], namespace, SMALL)
    return not refused and not packer.buffers and packer.sizes[name] <= most


def fingerprint(namespace: Namespace, name: str, shared: int) -> Any:
    """Tells whether a value was changed in place; None of one above MOST bytes, or one that cannot be pickled.

    Buffers from `shared` bytes on arrive read-only: of those it counts only which they are.
    """
    value = namespace.get(name)
    if isinstance(value, UNCHANGEABLE):
        return None
    packer, refused = pack([(name, value)], namespace, shared)
    if refused or len(packer.payload) > MOST:
        return None
    return hash(packer.payload), *map(_address, packer.buffers)


def _address(buffer: Any) -> tuple[int, int]:
    import numpy

    found = numpy.frombuffer(buffer.raw(), numpy.uint8)
    return int(found.__array_interface__["data"][0]), found.nbytes


def bound_names(orders: Orders, namespace: Namespace) -> list[str]:
    """The names that come back; where the source does not tell them all, whatever is new."""
    names = [name for name in orders["binds"] if name in namespace]
    if orders["binds_unknown"]:
        foreign = {*names, *orders["captured"], *HELPERS}
        names += [name for name in namespace if name not in foreign and not name.startswith("__")]
    return names


def deleted_names(orders: Orders, namespace: Namespace) -> list[str]:
    """The names that the cell has deleted: for certain, or as it turned out."""
    captured = {*orders["captured"]}
    turned_out = [name for name in orders["binds"] if name in captured]
    return [name for name in dict.fromkeys([*orders["deletes"], *turned_out]) if name not in namespace]


def answer(task: Task, namespace: Namespace, changed: Sequence[str], value: Any) -> Any:
    """``(header, payload, buffers, references)``: a dict, pickled pairs, their large buffers, object refs.

    What cannot be pickled stays away and is named in the header, with the reason.
    """
    names = [*bound_names(task.orders, namespace), *changed]
    pairs = [*((name, namespace[name]) for name in dict.fromkeys(names)), (VALUE, value)]
    packer, refused = pack(pairs, namespace, task.orders["share_above"])
    header = {
        **task.ending(),
        "changed": list(changed),
        "deleted": deleted_names(task.orders, namespace),
        "refused": {name: _why(dict(pairs)[name], error) for name, error in refused.items()},
        "shown": represent(value) if VALUE in refused else None,
        "seconds": time.monotonic() - task.started,
    }
    return header, packer.payload, packer.buffers, packer.references


def _why(value: Any, error: Exception) -> str:
    advice = "; try list(...)" if isinstance(value, types.GeneratorType) else ""
    return f"{_type(value)}: {error}{advice}"


def _type(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def answer_lazily(task: Task, namespace: Namespace, value: Any) -> Any:
    """One return value per name that the cell binds, one for its value, and a header; they stay on the cluster."""
    values = [namespace.get(name) for name in task.orders["binds"]]
    header = {**task.ending(), "seconds": time.monotonic() - task.started}
    return (*values, value, header)


# --- per item -------------------------------------------------------------------------------------------------------

Outcome = tuple[bool, Any]  # (whether it is a value, the value or the exception)


def run_items(
    orders: Orders,
    payload: bytes,
    references: Sequence[Any],
    items: bytes,
    item_references: Sequence[Any],
    *shared: Any,
) -> Any:
    """One chunk of a fan-out: the cell runs once per item until ``orders["budget"]`` seconds are over.

    The header says how many items are ``done``; the notebook sends the others again, in chunks of a better size.
    An item that raises ends the chunk, unless ``orders["keep"]``.
    """
    task = Task(orders)
    outcomes: list[Outcome] = []
    namespace: Namespace = {}
    with task.captured(), figures(task.sink):
        try:
            with task.interruptible():
                namespace = open_namespace(orders, payload, references, shared)
                values = load(items, namespace, (), item_references)["items"]
                prepare(task.sink, namespace, orders["uses_ipython"])
                began = time.monotonic()
                run_each(task, namespace, values, outcomes)
        except KeyboardInterrupt:
            task.mail(last=True)
            raise
    return answer_items(task, namespace, outcomes, time.monotonic() - began)


def run_each(task: Task, namespace: Namespace, values: Sequence[Any], outcomes: list[Outcome]) -> None:
    """Runs the cell for one item after the other; each finds the namespace as the first did."""
    orders = task.orders
    compiled = program(orders["source"], orders["filename"])
    target, binds = assigner(orders["target"]), orders["changes"]
    clean, deadline = dict(namespace), time.monotonic() + orders["budget"]
    changing = may_change(orders, namespace)
    for value in values:
        try:
            target(namespace, value)
            if changing:
                namespace.update(copy.deepcopy(changing))
            result = execute(*compiled, namespace, orders["is_async"])
            outputs = orders["outputs"]
            outcomes.append((True, tuple(namespace[name] for name in outputs) if outputs else result))
        except BaseException as error:
            if task.interrupted:
                raise KeyboardInterrupt from None
            outcomes.append((False, error))
            if not orders["keep"]:
                return
        if binds:
            namespace.clear()
            namespace.update(clean)
        if time.monotonic() > deadline:
            return


def may_change(orders: Orders, namespace: Namespace) -> Namespace:
    """The captured values that an item may change in place, so that each item gets a copy of its own.

    All small ones, and larger ones where the cell assigns into them or calls a method for its effect alone; not what
    cannot be copied.
    """
    called = [name for name in orders["calls"] if can_be_copied(namespace, name, MOST)]
    small = [name for name in orders["values"] if can_be_copied(namespace, name, SMALL)]
    names = [name for name in {*orders["updates"], *called, *small} if name in namespace]
    return {name: namespace[name] for name in names if _copies(namespace[name])}


def _copies(value: Any) -> bool:
    """Whether a value can be copied, and a change of the copy stays in it."""
    if isinstance(value, UNCHANGEABLE):
        return False
    try:
        copy.deepcopy(value)
    except Exception:  # copying runs code of any type
        return False
    return True


def assigner(target: str) -> Callable[[Namespace, Any], None]:
    """What binds one item to the target of ``--for``: one name, or a pattern of names."""
    if target.isidentifier():
        return lambda namespace, value: namespace.__setitem__(target, value)
    code = compile(f"{target} = __item__", "<ray_magics --for>", "exec")

    def assign(namespace: Namespace, value: Any) -> None:
        namespace["__item__"] = value
        exec(code, namespace)

    return assign


def answer_items(task: Task, namespace: Namespace, outcomes: list[Outcome], seconds: float) -> Any:
    """As `answer`; the payload holds the pair ``("values", [...])``, the header the failures by position."""
    packer, refused = pack([("values", _values(outcomes))], namespace, task.orders["share_above"])
    if refused:
        outcomes = [_portable(outcome, namespace) for outcome in outcomes]
        packer, _ = pack([("values", _values(outcomes))], namespace, task.orders["share_above"])
    failed = {index: value for index, (is_value, value) in enumerate(outcomes) if not is_value}
    header = {
        **task.ending(),
        "done": len(outcomes),
        "failures": {index: describe(error, namespace) for index, error in failed.items()},
        "seconds": seconds,
    }
    return header, packer.payload, packer.buffers, packer.references


def _values(outcomes: Sequence[Outcome]) -> list[Any]:
    return [value if is_value else None for is_value, value in outcomes]


def _portable(outcome: Outcome, namespace: Namespace) -> Outcome:
    """An outcome that can be pickled: the value, or why it cannot."""
    _, refused = pack([(VALUE, outcome[1])] if outcome[0] else [], namespace, 2**62)
    if not refused:
        return outcome
    return False, TypeError(f"the result ({_type(outcome[1])}) cannot be pickled: {refused[VALUE]}")


__all__ = ["Packer", "run_cell", "run_items"]
