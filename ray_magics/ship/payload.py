"""Captured values, pickled once a run; large buffers are put once and reused while their content is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import UsageError
from ..line.settings import settings
from ..units import size_argument, size_text
from ..worker.changes import Objects, unchangeable
from ..worker.sharing import shared_bases
from ..worker.values import Namespace, Packer, Unpickler, read
from .captures import Capture, Captures
from .inspection import is_ref, type_name
from .objects import ObjectCache, object_cache
from .picklable import cannot_ship

CHECKED_ABOVE = 2**27  # bytes from which the size of the object store is asked for


class ReadAgain(NamedTuple):
    """Captured values, read from what was sent."""

    values: Namespace
    objects: Objects


@dataclass(frozen=True)
class Payload:
    """Captured values as the arguments of a task.

    Attributes:
        pickled: the names with their values, or an object ref to that where it is large.
        references: object refs and actor handles found inside the values.
        shared: object refs of names that are refs themselves (`resolved`), then of the large buffers.
        sizes: name -> bytes.
        sent: names with buffers that were not on the cluster yet.
        buffers_of: name -> its first large buffer, and the first that is not its own.
        nbytes: the sizes of the large buffers.
        pickler: that of the values; its memo has the number of each object in them.
    """

    pickled: Any
    references: Sequence[Any] = ()
    shared: Sequence[Any] = ()
    resolved: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    sent: tuple[str, ...] = ()
    buffers_of: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    nbytes: Sequence[int] = ()
    pickler: Any = None

    @property
    def objects(self) -> Objects:
        """The notebook's objects."""
        return Objects(None if self.pickler is None else self.pickler.memo, sent=True)

    def read_again(self, namespace: Namespace) -> ReadAgain:
        """Copies of the values as they were sent."""
        import ray

        pickled = self.pickled if isinstance(self.pickled, bytes) else ray.get(self.pickled)
        shared = ray.get(list(self.shared[len(self.resolved) :]))
        unpickler = Unpickler(pickled, [bytearray(one) for one in shared], {}, apart=True)
        values = read(unpickler, {**namespace}, self.references)
        return ReadAgain(values, Objects(unpickler.memo))

    def in_band(self, name: str) -> int:
        """The bytes of a value without its large buffers."""
        return self.sizes[name] - sum(self.nbytes[slice(*self.buffers_of[name])])


@dataclass(frozen=True)
class Watch:
    """Where changes by the cell are found.

    Attributes:
        looked_at: names of values that are looked at afterwards.
        writable: numbers of the large buffers into which the cell may write.
        too_large: names of values that are not looked at, though the cell may change them.
    """

    looked_at: tuple[str, ...] = ()
    writable: tuple[int, ...] = ()
    too_large: tuple[str, ...] = ()


def make_watch(payload: Payload, namespace: Namespace, always: Iterable[str], limit: int) -> Watch:
    """The smallest first, up to `limit` bytes together; those of `always` whatever their size."""
    always = {*always}
    names = [name for name in payload.buffers_of if not unchangeable(namespace[name])]
    looked_at = _up_to(limit, {name: payload.in_band(name) for name in names}, always)
    writable = _up_to(limit, {name: payload.sizes[name] for name in looked_at}, always)
    return Watch(
        looked_at=tuple(looked_at),
        writable=tuple(number for name in writable for number in range(*payload.buffers_of[name])),
        too_large=tuple(name for name in names if name not in looked_at),
    )


def _up_to(limit: int, sizes: Mapping[str, int], always: set[str]) -> list[str]:
    fits: set[str] = set()
    for name in sorted(sizes, key=lambda name: sizes[name]):
        limit -= sizes[name]
        if limit >= 0:
            fits.add(name)
    return [name for name in sizes if name in fits or name in always]


class CapturedValues:
    """The captured values of a plan on their way to the cluster; more can be added.

    Attributes:
        payload: what is shipped so far.
    """

    def __init__(self, captures: Captures, namespace: Namespace, as_refs: Iterable[str] = ()) -> None:
        self.namespace, self.as_refs = namespace, tuple(as_refs)
        self.captures = list(captures.found)
        self.payload = self._ship()

    def _ship(self) -> Payload:
        return ship(self.captures, self.namespace, settings().share_above, self.as_refs)

    def add(self, names: Iterable[str]) -> bool:
        """Ships names that turned out to be read, too, where the notebook has them; whether there were any."""
        known = {*self.payload.sizes, *(capture.name for capture in self.captures)}
        more = [Capture(name, certain=False) for name in names if name in self.namespace and name not in known]
        if more:
            self.captures = [*self.captures, *more]
            self.payload = self._ship()
        return bool(more)

    def watch(self, always: Iterable[str]) -> Watch:
        return make_watch(self.payload, self.namespace, always, settings().track_changes_up_to)

    def warn_once(self, names: Iterable[str]) -> list[str]:
        """Those of the names whose values no run of this connection has warned of yet."""
        warned = object_cache().warned
        new = [name for name in names if warned.get(name) != id(self.namespace.get(name))]
        warned.update({name: id(self.namespace.get(name)) for name in new})
        return new

    def print_large(self) -> None:
        """Prints a line for each value that is sent now and is very large."""
        for name in self.payload.sent:
            size = self.payload.sizes[name]
            if size >= settings().tell_above:
                kind = type_name(self.namespace[name])
                print(f'"{name}" ({kind}, {size_text(size)}) is sent to the cluster once, until it changes.')


def ship(captures: Iterable[Capture], namespace: Namespace, threshold: int, as_refs: Iterable[str] = ()) -> Payload:
    """Puts the captured values where tasks reach them.

    What cannot be pickled is left out where neither the cell nor a function that is sent certainly needs it; else
    raises UsageError.

    Args:
        threshold: bytes from which a buffer is put into the object store and shared.
        as_refs: names of object refs that the cell wants as refs; others arrive as their values.
    """
    captures = sorted(captures, key=lambda capture: _ORDER.index(capture.kind))
    resolved = {c.name for c in captures if is_ref(namespace[c.name])}.difference(as_refs)
    while True:
        try:
            return _ship(captures, namespace, threshold, tuple(c.name for c in captures if c.name in resolved))
        except _Refused as refused:
            if refused.capture.certain:
                raise cannot_ship(refused.capture, namespace, refused.reason) from refused.reason
            captures = [capture for capture in captures if capture.name != refused.capture.name]


_ORDER = ("module", "function", "class", "value", "ref")  # what a value may need while it is unpickled comes first


class _Refused(Exception):
    def __init__(self, capture: Capture, reason: Exception) -> None:
        self.capture, self.reason = capture, reason


def _ship(captures: list[Capture], namespace: Namespace, threshold: int, resolved: tuple[str, ...]) -> Payload:
    values = [namespace[capture.name] for capture in captures if capture.name not in resolved]
    packer = Packer(namespace, threshold, bases=shared_bases(values))
    ranges = _pack(packer, [capture for capture in captures if capture.name not in resolved], namespace)
    _check_capacity(packer, ranges)
    objects = object_cache()
    known = set(objects.refs)
    keys, buffers = _put_all(objects, packer.buffers)
    pickled: Any = packer.payload
    if len(pickled) >= threshold:
        pickled = objects.put(pickled)[1]
    objects.keep({name: frozenset(keys[start:end]) for name, (start, end) in ranges.items()}, namespace)
    sent = tuple(name for name, (start, end) in ranges.items() if not known.issuperset(keys[start:end]))
    shared = (*(namespace[name] for name in resolved), *buffers)
    nbytes = [buffer.raw().nbytes for buffer in packer.buffers]
    return Payload(pickled, packer.references, shared, resolved, packer.sizes, sent, ranges, nbytes, packer.pickler)


def _pack(packer: Packer, captures: list[Capture], namespace: Namespace) -> dict[str, tuple[int, int]]:
    """Packs the names and those that their functions read; returns name -> its range of buffers."""
    ranges: dict[str, tuple[int, int]] = {}
    queue = list(captures)
    while queue:
        for capture in queue:
            start = len(packer.buffers)
            try:
                packer.add(capture.name, namespace[capture.name])
            except Exception as reason:  # pickling runs code of any type
                raise _Refused(capture, reason) from reason
            ranges[capture.name] = (start, len(packer.buffers))
        known = {*ranges, *(capture.name for capture in captures)}
        queue = [Capture(name) for name in packer.referenced if name in namespace and name not in known]
    return ranges


def _put_all(objects: ObjectCache, buffers: Sequence[Any]) -> tuple[list[bytes], list[Any]]:
    put = [objects.put(buffer) for buffer in buffers]
    return [key for key, _ in put], [ref for _, ref in put]


def _check_capacity(packer: Packer, ranges: Mapping[str, tuple[int, int]]) -> None:
    """Raises UsageError for a value that no object store of this cluster could hold, before it is sent."""
    total = sum(buffer.raw().nbytes for buffer in packer.buffers) + packer.stream.tell()
    if total < CHECKED_ABOVE:
        return
    import ray

    capacity = ray.cluster_resources().get("object_store_memory", float("inf"))
    if total > capacity:
        name = max(ranges, key=lambda name: packer.sizes[name])
        raise UsageError(
            f'Cannot ship "{name}" ({size_text(packer.sizes[name])}): the object store of this cluster holds '
            f"{size_text(int(capacity))}. Read it on the worker from a file, or start with "
            f"%ray_init --object-store-memory {size_argument(2 * total)}."
        )
