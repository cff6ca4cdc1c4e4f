"""How values reach the cluster: pickled once a run; large buffers put once, reused while their content is the same."""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from importlib.abc import InspectLoader
from typing import Any

from .connection import session
from .errors import UsageError
from .parsers import format_size
from .worker import MODULES
from .worker.values import Namespace, Packer

PART = 2**26  # bytes that one thread fingerprints at a time


@dataclass(frozen=True)
class Parcel:
    """Captured names, ready to travel as arguments of a task.

    Attributes:
        payload: the pickled names, or an object ref to them where they are large.
        references: object refs and actor handles found inside the values.
        shared: object refs of names that are refs themselves (`resolved`), then of the large buffers.
        sizes: name -> bytes.
        sent: names with buffers that were not on the cluster yet.
    """

    payload: Any
    references: Sequence[Any] = ()
    shared: Sequence[Any] = ()
    resolved: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    sent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A name to ship: where the cell reads it, and whether the cell surely needs it."""

    name: str
    line: int = 0
    certain: bool = True
    via: str = ""


class ObjectCache:
    """Buffers that are on the cluster already, by a fingerprint of their content.

    A buffer is kept while a name of the notebook that was shipped with it still has that content.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.session: tuple[str, ...] = ()
        self.refs: dict[bytes, Any] = {}
        self.of_name: dict[str, frozenset[bytes]] = {}

    def put(self, buffer: Any) -> tuple[bytes, Any]:
        import ray

        with self.lock:
            self._follow(session())
            key = fingerprint(buffer)
            if key not in self.refs:
                self.refs[key] = ray.put(buffer)
            return key, self.refs[key]

    def keep(self, used: Mapping[str, frozenset[bytes]], namespace: Namespace) -> None:
        """Remembers which buffers each shipped name uses; forgets those that no living name uses."""
        with self.lock:
            self.of_name.update(used)
            self.of_name = {name: keys for name, keys in self.of_name.items() if name in namespace}
            living = frozenset().union(*self.of_name.values())
            self.refs = {key: ref for key, ref in self.refs.items() if key in living}

    def _follow(self, session: tuple[str, ...]) -> None:
        if session != self.session:
            self.session, self.refs, self.of_name = session, {}, {}


objects = ObjectCache()


def fingerprint(buffer: Any) -> bytes:
    """A 128-bit xxHash (XXH3) of the content, and its length; not cryptographic, at memory speed."""
    import xxhash

    view = memoryview(buffer).cast("B")
    if view.nbytes <= PART:
        return xxhash.xxh3_128_digest(view) + view.nbytes.to_bytes(8, "big")
    parts = [view[start : start + PART] for start in range(0, view.nbytes, PART)]
    digests = list(_hashers().map(xxhash.xxh3_128_digest, parts))
    return xxhash.xxh3_128_digest(b"".join(digests)) + view.nbytes.to_bytes(8, "big")


@cache
def _hashers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), "ray_magics-fingerprint")


def ship(wanted: Iterable[Wanted], namespace: Namespace, threshold: int, as_refs: Iterable[str] = ()) -> Parcel:
    """Puts the named values where tasks reach them.

    What cannot be pickled is left out where neither the cell nor a function that travels certainly needs it; else
    raises UsageError.

    Args:
        threshold: bytes from which a buffer is put into the object store and shared.
        as_refs: names of object refs that the cell wants as refs; others arrive as their values.
    """
    wanted = list(wanted)
    resolved = {w.name for w in wanted if is_ref(namespace[w.name])}.difference(as_refs)
    while True:
        try:
            return _ship(wanted, namespace, threshold, tuple(w.name for w in wanted if w.name in resolved))
        except _Refused as refused:
            if refused.wanted.certain:
                raise cannot_ship(refused.wanted, namespace, refused.reason) from refused.reason
            wanted = [one for one in wanted if one.name != refused.wanted.name]


class _Refused(Exception):
    def __init__(self, wanted: Wanted, reason: Exception) -> None:
        self.wanted, self.reason = wanted, reason


def _ship(wanted: list[Wanted], namespace: Namespace, threshold: int, resolved: tuple[str, ...]) -> Parcel:
    packer = Packer(namespace, threshold)
    ranges = _pack(packer, [w for w in wanted if w.name not in resolved], namespace)
    _check_room(packer, ranges)
    known = set(objects.refs)
    keys, buffers = _put_all(packer.buffers)
    payload: Any = packer.payload
    if len(payload) >= threshold:
        payload = objects.put(payload)[1]
    objects.keep({name: frozenset(keys[start:end]) for name, (start, end) in ranges.items()}, namespace)
    sent = tuple(name for name, (start, end) in ranges.items() if not known.issuperset(keys[start:end]))
    shared = (*(namespace[name] for name in resolved), *buffers)
    return Parcel(payload, packer.references, shared, resolved, packer.sizes, sent)


def _pack(packer: Packer, wanted: list[Wanted], namespace: Namespace) -> dict[str, tuple[int, int]]:
    """Packs the names and those that their functions read; returns name -> its range of buffers."""
    ranges: dict[str, tuple[int, int]] = {}
    queue = list(wanted)
    while queue:
        for one in queue:
            start = len(packer.buffers)
            try:
                packer.add(one.name, namespace[one.name])
            except Exception as reason:  # pickling runs code of any type
                raise _Refused(one, reason) from reason
            ranges[one.name] = (start, len(packer.buffers))
        known = {*ranges, *(w.name for w in wanted)}
        queue = [Wanted(n) for n in packer.referenced if n in namespace and n not in known]
    return ranges


def _put_all(buffers: Sequence[Any]) -> tuple[list[bytes], list[Any]]:
    put = [objects.put(buffer) for buffer in buffers]
    return [key for key, _ in put], [ref for _, ref in put]


def _check_room(packer: Packer, ranges: Mapping[str, tuple[int, int]]) -> None:
    """A value larger than every object store can hold is told before it is sent."""
    total = sum(buffer.raw().nbytes for buffer in packer.buffers) + packer.stream.tell()
    if total < 2**27:
        return
    import ray

    room = ray.cluster_resources().get("object_store_memory", float("inf"))
    if total > room:
        name = max(ranges, key=lambda name: packer.sizes[name])
        raise UsageError(
            f'Cannot ship "{name}" ({format_size(packer.sizes[name])}): the object store of this cluster holds '
            f"{format_size(int(room))}. Read it on the worker from a file, or start with "
            f"%ray_init --object-store-memory {format_size(2 * total)}."
        )


def is_ref(value: Any) -> bool:
    """Whether a value is an object ref; asks without importing Ray."""
    ray = sys.modules.get("ray")
    return ray is not None and isinstance(value, getattr(ray, "ObjectRef", ()))


def cannot_ship(wanted: Wanted, namespace: Namespace, reason: Exception) -> UsageError:
    """``Cannot ship "lock" (_thread.lock), which this cell reads on line 3. …``"""
    where = f"which this cell reads on line {wanted.line}" if wanted.line else "which a function of this cell reads"
    if wanted.via:
        where = f"which {wanted.via} reads"
    path, culprit = find_culprit(wanted.name, namespace[wanted.name], namespace)
    inside = f" because of {path} ({type_name(culprit)})" if path != wanted.name else ""
    return UsageError(
        f'Cannot ship "{wanted.name}" ({type_name(namespace[wanted.name])}), {where}{inside}: '
        f"{str(reason).splitlines()[0] if str(reason) else type(reason).__name__}. "
        + ("Create it inside the cell." if wanted.line else "Create it inside the function.")
    )


def find_culprit(path: str, value: Any, namespace: Namespace, depth: int = 4) -> tuple[str, Any]:
    """The innermost part of a value that cannot be pickled: ``("model.lock", <lock>)``."""
    if depth:
        for part, inner in _parts(value):
            if not travels(inner, namespace):
                return find_culprit(path + part, inner, namespace, depth - 1)
    return path, value


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", inner) for key, inner in list(value.items())[:1000]]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", inner) for index, inner in enumerate(value[:1000])]
    return [(f".{name}", inner) for name, inner in getattr(value, "__dict__", {}).items()]


def travels(value: Any, namespace: Namespace) -> bool:
    """Whether a value can be pickled."""
    try:
        Packer(namespace, 2**62).add("value", value)
    except Exception:  # any error of pickling means no
        return False
    return True


def type_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


# --- what a worker needs beside values ---------------------------------------------------------------------------


@cache
def sources(*more: str) -> tuple[tuple[str, str], ...]:
    """The island, and `more` modules of a verb that execute there, as (module name, source text) in import order."""
    package = f"{__package__}.worker"
    return tuple((name, _source(name)) for name in (package, *(f"{package}.{name}" for name in MODULES), *more))


def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    source = spec.loader.get_source(module) if spec and isinstance(spec.loader, InspectLoader) else None
    assert source is not None, f"{module} has no source here"
    return source


@cache
def entry(function: str) -> Any:
    """Ray's remote function for ``run_cell`` or ``run_items`` of the island; exported once a cluster."""
    import ray

    return ray.remote(traveller(sources(), f"{__package__}.worker.cell", function))


def traveller(island: tuple[tuple[str, str], ...], module: str, function: str) -> Callable[..., Any]:
    """A function that travels by value, builds the island where it arrives, and calls `function` of its `module`.

    The island's modules get their own names there. The first argument may be an `envelope`.
    """

    def build() -> None:
        import sys
        import types

        package = island[0][0]
        for name, source in island:
            module = types.ModuleType(name)
            vars(module).update(__package__=name if name == package else name.rpartition(".")[0])
            vars(module).update(__file__=f"<ray_magics {name}>", __path__=[])
            sys.modules[name] = module
            exec(compile(source, module.__file__ or "", "exec"), vars(module))
            if name.rpartition(".")[0] == package:
                setattr(sys.modules[package], name.rpartition(".")[2], module)
        vars(sys.modules[package])["ISLAND"] = island

    def run(first: Any, *arguments: Any) -> Any:
        import pickle
        import sys

        leading = pickle.loads(first) if isinstance(first, bytes) else (first,)
        if getattr(sys.modules.get(island[0][0]), "ISLAND", None) != island:
            build()
        return getattr(sys.modules[module], function)(*leading, *arguments)

    build.__module__ = run.__module__ = "__main__"
    run.__name__ = function
    return run


def envelope(leading: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments of an entry: plain data as one pickle, since Ray takes about 0.1 ms for each argument."""
    plain = isinstance(leading[1], bytes) and not any(isinstance(part, list) and part for part in leading)
    return (pickle.dumps(leading),) if plain else leading


def surroundings() -> dict[str, Any]:
    """Where the notebook finds files and modules: its folder, its own import path, its local modules' files."""
    return {"cwd": os.getcwd(), "path": _own_path(), "modules": _local_modules()}


def _own_path() -> list[str]:
    """The entries of ``sys.path`` that are neither Python's nor an environment's; "" is the present folder."""
    foreign = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    return [entry or os.getcwd() for entry in sys.path if not entry.startswith(foreign)]


_judged: set[str] = set()
_own_modules: list[str] = []
_counted = 0


def _local_modules() -> dict[str, tuple[str, int, int]]:
    """Imported modules of the user's own: name -> (file, time of change in ns, bytes)."""
    global _counted
    if len(sys.modules) != _counted:
        new = [(name, module) for name, module in list(sys.modules.items()) if name not in _judged]
        _judged.update(name for name, _ in new)
        _own_modules.extend(name for name, module in new if _local(module))
        _counted = len(sys.modules)
    local = [name for name in _own_modules if name in sys.modules]
    return {name: stamp for name in local if (stamp := _stamp(sys.modules[name])) is not None}


def _local(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or module.__name__.partition(".")[0] == "ray_magics":
        return False
    foreign = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    return "site-packages" not in file and "dist-packages" not in file and not file.startswith(foreign)


def _stamp(module: Any) -> tuple[str, int, int] | None:
    try:
        facts = os.stat(module.__file__)
    except (OSError, TypeError):
        return None
    return module.__file__, facts.st_mtime_ns, facts.st_size
