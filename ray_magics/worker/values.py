"""Names and values to bytes and back: functions of the notebook travel without their globals."""

from __future__ import annotations

import builtins
import functools
import io
import pickle
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Namespace = dict[str, Any]
Pairs = Sequence[tuple[str, Any]]

_namespaces: list[Namespace] = []  # where functions belong while something is unpickled
_references: list[Sequence[Any]] = []  # the object refs and actor handles of what is unpickled
_REFERENCES = frozenset({"ObjectRef", "ActorHandle", "ObjectRefGenerator", "DynamicObjectRefGenerator"})


_FILES = frozenset({io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO})


def _namespace() -> Namespace:
    return _namespaces[-1]


def _reference(index: int) -> Any:
    return _references[-1][index]


class _NamespaceMark:
    """Stands for "the namespace of the reader" inside a pickle."""

    def __reduce__(self) -> tuple[Callable[[], Namespace], tuple[()]]:
        return _namespace, ()


@functools.cache
def pickler_class() -> Any:
    """Cloudpickle's pickler, for values of one namespace; made on first use because it needs Ray's cloudpickle.

    Functions of the namespace are written without their globals and bound to the reader's namespace instead; the
    names they read are collected in ``referenced``. Object refs and actor handles go to ``references``: Ray counts
    only those that it sees as arguments. Protocol 5; `offer` is called with each buffer (True: keep it in the stream).
    """
    from ray import cloudpickle

    class NamespacePickler(cloudpickle.Pickler):
        def __init__(self, file: Any, namespace: Namespace, offer: Callable[[pickle.PickleBuffer], bool]) -> None:
            super().__init__(file, protocol=5, buffer_callback=offer)
            self.namespace, self.mark = namespace, _NamespaceMark()
            self.referenced: dict[str, None] = {}
            self.references: list[Any] = []

        def reducer_override(self, value: Any) -> Any:
            kind = type(value)
            if kind.__name__ in _REFERENCES and kind.__module__.startswith("ray"):
                self.references.append(value)
                return _reference, (len(self.references) - 1,)
            if kind in _FILES and value not in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
                raise TypeError("an open file belongs to its process; open it inside the cell")
            reduced = super().reducer_override(value)
            if kind is types.FunctionType and value.__globals__ is self.namespace and isinstance(reduced, tuple):
                return self.without_globals(reduced)
            return reduced

        def without_globals(self, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
            make, (code, _, *rest), (state, slots), *tail = reduced
            self.referenced.update(dict.fromkeys(slots["__globals__"]))
            return (make, (code, self.mark, *rest), (state, {**slots, "__globals__": {}}), *tail)

    return NamespacePickler


def load(payload: bytes, namespace: Namespace, buffers: Sequence[Any], references: Sequence[Any]) -> Namespace:
    """Reads pickled ``(name, value)`` pairs into a dict; functions are bound to `namespace`."""
    builtins_before = namespace.get("__builtins__", builtins)
    _namespaces.append(namespace)
    _references.append(references)
    try:
        return dict(_pairs(pickle.Unpickler(io.BytesIO(payload), buffers=buffers)))
    finally:
        _namespaces.pop()
        _references.pop()
        namespace["__builtins__"] = builtins_before  # cloudpickle replaces the module by its dict


def _pairs(unpickler: pickle.Unpickler) -> Iterator[tuple[str, Any]]:
    while True:
        try:
            pair = unpickler.load()
        except EOFError:
            return
        yield pair


class Packer:
    """Pickles named values into one stream, so that what two of them share stays shared.

    Attributes:
        sizes: name -> bytes, buffers included.
        buffers: buffers of `threshold` bytes or more, out of band, in order.
    """

    def __init__(self, namespace: Namespace, threshold: int) -> None:
        self.threshold = threshold
        self.stream = io.BytesIO()
        self.buffers: list[pickle.PickleBuffer] = []
        self.sizes: dict[str, int] = {}
        self.pickler = pickler_class()(self.stream, namespace, self._offer)

    def _offer(self, buffer: pickle.PickleBuffer) -> bool:
        try:
            large = buffer.raw().nbytes >= self.threshold
        except BufferError:
            return True
        if large:
            self.buffers.append(buffer)
        return not large

    def add(self, name: str, value: Any) -> None:
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


def pack(pairs: Pairs, namespace: Namespace, threshold: int) -> tuple[Packer, dict[str, Exception]]:
    """Packs what can be pickled; says, by name, what Python had against the rest."""
    refused: dict[str, Exception] = {}
    while True:
        packer = Packer(namespace, threshold)
        culprit = _add_all(packer, [pair for pair in pairs if pair[0] not in refused])
        if culprit is None:
            return packer, refused
        refused.update([culprit])


def _add_all(packer: Packer, pairs: Pairs) -> tuple[str, Exception] | None:
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
