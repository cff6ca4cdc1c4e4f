"""Names and values to bytes and back: functions of the notebook travel without their globals."""

from __future__ import annotations

import builtins
import functools
import io
import pickle
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from .sharing import reduce_shared, shared_bases

Namespace = dict[str, Any]
Pairs = Sequence[tuple[Any, Any]]  # (name, value), or another key than a name

_namespaces: list[Namespace] = []  # where functions belong while something is unpickled
_references: list[Sequence[Any]] = []  # the object refs and actor handles of what is unpickled
_REFERENCES = frozenset({"ObjectRef", "ActorHandle", "ObjectRefGenerator", "DynamicObjectRefGenerator"})


_FILES = frozenset({io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO})


def _namespace() -> Namespace:
    return _namespaces[-1]


def _reference(index: int) -> Any:
    return _references[-1][index]


_CACHED = type(functools.lru_cache(len))


def make_cached(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    """The function with a cache of its own, empty."""
    return functools.lru_cache(maxsize, typed)(function)


class _NamespaceMark:
    """Stands for "the namespace of the reader" inside a pickle."""

    def __reduce__(self) -> tuple[Callable[[], Namespace], tuple[()]]:
        return _namespace, ()


def with_slots(kind: type, reduced: Any) -> Any:
    """How cloudpickle writes a class, with its ``__slots__``, without which its instances there have a ``__dict__``."""
    is_made = isinstance(reduced, tuple) and reduced[0].__name__ == "_make_skeleton_class"
    if not is_made or "__slots__" not in vars(kind) or issubclass(kind, tuple):  # typing makes those of a NamedTuple
        return reduced
    make, (meta, name, bases, members, *rest), *tail = reduced
    return (make, (meta, name, bases, {**members, "__slots__": kind.__slots__}, *rest), *tail)  # type: ignore[attr-defined]


@functools.cache
def pickler_class() -> Any:
    """Cloudpickle's pickler, for values of one namespace; made on first use because it needs Ray's cloudpickle.

    Functions of the namespace are written without their globals and bound to the reader's namespace instead; the
    names they read are collected in ``referenced``. Object refs and actor handles go to ``references``: Ray counts
    only those that it sees as arguments. What shares memory shares it again, see `sharing`. Tables travel as a pickle
    of their own, for parts of them belong to nobody else. Protocol 5; `offer` is called with each buffer (True: keep it
    in the stream).
    """
    from ray import cloudpickle

    class NamespacePickler(cloudpickle.Pickler):
        def __init__(self, file: Any, namespace: Namespace, offer: Callable[[pickle.PickleBuffer], bool]) -> None:
            super().__init__(file, protocol=5, buffer_callback=offer)
            self.namespace, self.mark, self.offer = namespace, _NamespaceMark(), offer
            self.bases: Mapping[int, Any] = {}
            self.opaque: Any = None  # the table whose pickle this is
            self.referenced: dict[str, None] = {}
            self.references: list[Any] = []

        def reducer_override(self, value: Any) -> Any:
            kind = type(value)
            if kind.__name__ in _REFERENCES and kind.__module__.startswith("ray"):
                self.references.append(value)
                return _reference, (len(self.references) - 1,)
            if kind in _FILES and value not in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
                raise TypeError("an open file belongs to its process; open it inside the cell")
            if kind is _CACHED and isinstance(value.__wrapped__, types.FunctionType):
                parameters = value.cache_parameters()
                return make_cached, (value.__wrapped__, parameters["maxsize"], parameters["typed"])
            shared = reduce_shared(value, self.bases)
            if shared is not None:
                return shared
            if is_opaque(value) and value is not self.opaque:
                return self.reduce_opaque(value)
            reduced = super().reducer_override(value)
            if kind is types.FunctionType and value.__globals__ is self.namespace and isinstance(reduced, tuple):
                return self.without_globals(reduced)
            return with_slots(value, reduced) if isinstance(value, type) else reduced

        def without_globals(self, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
            make, (code, _, name, defaults, closure, *rest), (state, slots), *tail = reduced
            closure = slots["__closure__"]  # its own parts, where cloudpickle makes new ones
            self.referenced.update(dict.fromkeys(slots["__globals__"]))
            slots = {**slots, "__globals__": {}, "__closure__": None}
            return (make, (code, self.mark, name, defaults, closure, *rest), (state, slots), *tail)

        def reduce_opaque(self, value: Any) -> tuple[Any, ...]:
            file = io.BytesIO()
            buffers: list[pickle.PickleBuffer] = []

            def keep(buffer: pickle.PickleBuffer) -> bool:
                buffers.append(buffer)
                return False  # out of band

            pickler = NamespacePickler(file, self.namespace, keep)
            pickler.opaque, pickler.references = value, self.references
            pickler.dump(value)
            return open_opaque, (file.getvalue(), buffers)

    return NamespacePickler


@functools.cache
def answer_pickler_class() -> Any:
    """A `pickler_class` for what comes back: objects that the reader has are written as their numbers alone."""

    class AnswerPickler(pickler_class()):  # type: ignore[misc]
        number_of: Mapping[int, int] = {}  # id of an object -> its number

        def persistent_id(self, value: Any) -> int | None:
            return self.number_of.get(id(value))

    return AnswerPickler


def is_opaque(value: Any) -> bool:
    """Whether the parts of a value belong to it alone, as those of a table: pandas copies what is shared."""
    pandas = sys.modules.get("pandas")
    tables = getattr(pandas, "DataFrame", ()), getattr(pandas, "Series", ()), getattr(pandas, "Index", ())
    return pandas is not None and isinstance(value, tables)


def open_opaque(payload: bytes, buffers: Sequence[Any]) -> Any:
    return pickle.loads(payload, buffers=buffers)


class Numbered(Protocol):
    """Objects by their numbers."""

    def __getitem__(self, number: int, /) -> Any: ...


class Unpickler(pickle.Unpickler):
    """Reads ``(name, value)`` pairs.

    Args:
        known: objects by their numbers, for what was written by an `answer_pickler_class`.
        apart: classes of the notebook are made anew; otherwise Python's process has one of each, and reading it again
            sets its attributes back.
    """

    def __init__(self, payload: bytes, buffers: Sequence[Any], known: Numbered, apart: bool = False) -> None:
        super().__init__(io.BytesIO(payload), buffers=buffers)
        self.known, self.apart = known, apart

    def persistent_load(self, number: int) -> Any:
        return self.known[number]

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        position = _TRACKED.get(name) if self.apart and module.endswith("cloudpickle") else None
        return found if position is None else functools.partial(_untracked, found, position)

    def pairs(self) -> Iterator[tuple[str, Any]]:
        while True:
            try:
                pair = self.load()
            except EOFError:
                return
            yield pair


_TRACKED = {"_make_skeleton_class": 4, "_make_skeleton_enum": 5}  # where cloudpickle passes the id of a class


def _untracked(make: Callable[..., Any], position: int, *arguments: Any) -> Any:
    return make(*(None if at == position else argument for at, argument in enumerate(arguments)))


def load(
    payload: bytes,
    namespace: Namespace,
    buffers: Sequence[Any],
    references: Sequence[Any],
    known: Numbered | None = None,
) -> Namespace:
    """Reads pickled ``(name, value)`` pairs into a dict; functions are bound to `namespace`.

    `known` are objects by their numbers, which the pickle names.
    """
    return read(Unpickler(payload, buffers, known or {}), namespace, references)


def read(unpickler: Unpickler, namespace: Namespace, references: Sequence[Any], fill: bool = False) -> Namespace:
    """As `load`; the `memo` of the unpickler then has every object by its number, as that of the pickler has.

    With `fill` each pair is put into the namespace at once, where a ``__setstate__`` that is to come may read it.
    """
    values: Namespace = {}
    builtins_before = namespace.get("__builtins__", builtins)
    _namespaces.append(namespace)
    _references.append(references)
    try:
        for name, value in unpickler.pairs():
            values[name] = value
            if fill:
                namespace[name] = value
        return values
    finally:
        _namespaces.pop()
        _references.pop()
        namespace["__builtins__"] = builtins_before  # cloudpickle replaces the module by its dict


def _offer(buffers: list[pickle.PickleBuffer], threshold: int, buffer: pickle.PickleBuffer) -> bool:
    """Takes large buffers out of the stream. It knows no pickler: in a cycle, all that was packed would live on."""
    try:
        large = buffer.raw().nbytes >= threshold
    except BufferError:
        return True
    if large:
        buffers.append(buffer)
    return not large


class Packer:
    """Pickles named values into one stream, so that what two of them share stays shared.

    Attributes:
        sizes: name -> bytes, buffers included.
        buffers: buffers of `threshold` bytes or more, out of band, in order.
    """

    def __init__(
        self,
        namespace: Namespace,
        threshold: int,
        known: Mapping[int, int] | None = None,
        bases: Mapping[int, Any] | None = None,
    ) -> None:
        """`known` are numbers, by id, of objects that the reader has; see `reduce_shared` for `bases`."""
        self.stream = io.BytesIO()
        self.buffers: list[pickle.PickleBuffer] = []
        self.sizes: dict[Any, int] = {}
        kind = answer_pickler_class() if known else pickler_class()
        self.pickler = kind(self.stream, namespace, functools.partial(_offer, self.buffers, threshold))
        self.pickler.bases = bases or {}
        if known:
            self.pickler.number_of = known

    def add(self, name: Any, value: Any) -> None:
        """Raises whatever pickling raises; the packer is unusable then."""
        start, known = self.stream.tell(), len(self.buffers)
        self.pickler.dump((name, value))
        large = sum(buffer.raw().nbytes for buffer in self.buffers[known:])
        self.sizes[name] = self.stream.tell() - start + large

    @property
    def payload(self) -> bytes:
        return self.stream.getvalue()

    @property
    def references(self) -> list[Any]:
        return list(self.pickler.references)

    @property
    def referenced(self) -> list[str]:
        return list(self.pickler.referenced)


def pack(
    pairs: Pairs,
    namespace: Namespace,
    threshold: int,
    known: Mapping[int, int] | None = None,
    bases: Mapping[int, Any] | None = None,
) -> tuple[Packer, dict[Any, Exception]]:
    """Packs what can be pickled; says, by name, what Python had against the rest. `known`, `bases` as of `Packer`."""
    refused: dict[Any, Exception] = {}
    bases = {**shared_bases(value for _, value in pairs), **(bases or {})}
    while True:
        packer = Packer(namespace, threshold, known, bases)
        culprit = _add_all(packer, [pair for pair in pairs if pair[0] not in refused])
        if culprit is None:
            return packer, refused
        refused.update([culprit])


def _add_all(packer: Packer, pairs: Pairs) -> tuple[Any, Exception] | None:
    for name, value in pairs:
        try:
            packer.add(name, value)
        except Exception as error:  # pickling runs code of any type; its errors are the answer
            return name, error
    return None


# --- replies ------------------------------------------------------------------------------------------------------


Reply = tuple[dict[str, Any], bytes, Sequence[Any], Sequence[Any]]  # a TaskReply, pickled pairs, buffers, object refs
_ONE_PICKLE = 2**16  # bytes


def seal(reply: dict[str, Any], packer: Packer) -> bytes | Reply:
    """What a task returns. Without anything that Ray has to move by itself it is one pickle, which costs Ray less."""
    parts = (reply, packer.payload, packer.buffers, packer.references)
    if packer.buffers or packer.references or len(packer.payload) > _ONE_PICKLE:
        return parts
    return pickle.dumps(parts)


def unseal(answer: bytes | Reply) -> Reply:
    """The parts of what `seal` made."""
    parts: Reply = pickle.loads(answer) if isinstance(answer, bytes) else answer
    return parts
