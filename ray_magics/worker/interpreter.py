"""Compiles and executes code of the notebook in a namespace."""

from __future__ import annotations

import ast
import asyncio
import builtins
import collections
import contextlib
import copy
import functools
import inspect
import linecache
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

from .changes import Comparison, Objects, unchangeable
from .content import Memory
from .records import TaskSpec
from .values import Namespace, Unpickler, pack, read

_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
LOOKED_AT = 2**24  # bytes up to which a value is looked at for changes in place
SMALL = 2**16  # bytes up to which a captured value is copied for each item of a fan-out
_programs: collections.OrderedDict[tuple[str, str], tuple[Any, Any]] = collections.OrderedDict()


def program(source: str, filename: str) -> tuple[Any, Any]:
    """Compiles code to (its statements, its last expression or None); the last 256 are remembered."""
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
    """Runs a compiled program in `namespace`; returns the value of its last expression, else None."""
    if is_async:
        try:
            return asyncio.run(_execute_async(body, last, namespace))
        finally:
            asyncio.set_event_loop(_event_loop())  # a notebook has one, too; asyncio.run leaves none
    if body is not None:
        exec(body, namespace)
    return None if last is None else eval(last, namespace)


@functools.cache
def _event_loop() -> asyncio.AbstractEventLoop:
    """What ``asyncio.get_event_loop()`` gives to cells without a top-level await; one a process."""
    return asyncio.new_event_loop()


async def _execute_async(body: Any, last: Any, namespace: Namespace) -> Any:
    if body is not None:
        await _awaited(body, namespace)
    return None if last is None else await _awaited(last, namespace)


async def _awaited(code: Any, namespace: Namespace) -> Any:
    value = eval(code, namespace)
    return await value if code.co_flags & inspect.CO_COROUTINE else value


class Arrived:
    """The captured values as they have arrived; what the cell does to them can be found out afterwards."""

    def __init__(
        self, spec: TaskSpec, payload: bytes, references: Sequence[Any], shared: Sequence[Any], namespace: Namespace
    ) -> None:
        self.spec, self.payload, self.references = spec, payload, references
        self.module = sys.modules["__main__"]
        self.buffers = shared[len(spec.resolved) :]
        writable = {*spec.writable}
        buffers = [bytearray(one) if at in writable else one for at, one in enumerate(self.buffers)]
        self.unpickler = Unpickler(payload, buffers, {})
        self.values = read(self.unpickler, namespace, references, fill=True)

    @contextlib.contextmanager
    def as_main(self) -> Iterator[None]:
        """While inside, the namespace is that of the module ``__main__``, as in the notebook."""
        before = sys.modules["__main__"]
        sys.modules["__main__"] = self.module
        try:
            yield
        finally:
            sys.modules["__main__"] = before

    def compare(self, namespace: Namespace) -> Comparison:
        """What has changed of the values that the spec says are looked at."""
        wanted = {name: value for name, value in self.values.items() if name in self.spec.looked_at}
        if not wanted:
            return Comparison(Objects(None), {})
        comparison = Comparison(Objects(self.unpickler.memo), wanted)
        if len(wanted) == len(self.values) and self._is_as_sent(namespace):
            return comparison
        before = Unpickler(self.payload, self.buffers, {}, apart=True)
        read(before, {}, self.references, fill=True)
        return comparison.compare(Objects(before.memo))

    def _is_as_sent(self, namespace: Namespace) -> bool:
        """Whether the values, pickled again, are byte for byte what has arrived; that is quick to find out."""
        packer, refused = pack([*self.values.items()], namespace, self.spec.share_above)
        buffers = zip(packer.buffers, self.buffers, strict=False)
        return (
            not refused
            and packer.payload == self.payload
            and len(packer.buffers) == len(self.buffers)
            and all(Memory(now).equals(Memory(before)) for now, before in buffers)
        )


def _is_definition(value: Any) -> bool:
    """Whether copying a value would give the value itself."""
    return isinstance(value, (types.FunctionType, type))


def has_functions(namespace: Namespace) -> bool:
    """Whether functions or classes of the namespace hold it, as it holds them."""
    return any(map(_is_definition, namespace.values()))


def open_namespace(
    spec: TaskSpec, payload: bytes, references: Sequence[Any], shared: Sequence[Any]
) -> tuple[Namespace, Arrived]:
    """The captured names as the code finds them; what it assigns into is its own, writable copy."""
    module = types.ModuleType("__main__")
    namespace: Namespace = vars(module)
    namespace["__builtins__"] = builtins
    arrived = Arrived(spec, payload, references, shared, namespace)
    arrived.module = module
    namespace.update(zip(spec.resolved, shared, strict=False))
    for name in spec.updates:
        if name in spec.resolved and is_copyable(namespace.get(name)):
            namespace[name] = copy.deepcopy(namespace[name])
    return namespace, arrived


def may_change(spec: TaskSpec, namespace: Namespace) -> Namespace:
    """The captured values that an item may change in place, so that each item gets a copy of its own.

    All small ones, and larger ones where the cell assigns into them or calls a method for its effect alone; not what
    cannot be copied.
    """
    called = [name for name in spec.calls if _is_at_most(namespace, name, LOOKED_AT)]
    small = [name for name in spec.values if _is_at_most(namespace, name, SMALL)]
    names = [name for name in {*spec.updates, *called, *small} if name in namespace]
    return {name: namespace[name] for name in names if is_copyable(namespace[name])}


def _is_at_most(namespace: Namespace, name: str, most: int) -> bool:
    return is_small(namespace.get(name), namespace, most)


def is_small(value: Any, namespace: Namespace, most: int = SMALL) -> bool:
    """Whether a value can change, can be pickled, and is no larger than `most` bytes; nothing with large buffers."""
    if _is_definition(value) or unchangeable(value):
        return False
    packer, refused = pack([("value", value)], namespace, SMALL)
    return not refused and not packer.buffers and packer.sizes["value"] <= most


def is_copyable(value: Any) -> bool:
    """Whether a value can be copied, and a change of the copy stays in it."""
    if _is_definition(value) or unchangeable(value):
        return False
    try:
        copy.deepcopy(value)
    except Exception:  # copying runs code of any type
        return False
    return True
