"""What an object holds: taken apart, so that it can be compared, sent, and written into another object of its type."""

from __future__ import annotations

import array
import collections
import enum
import io
import struct
import sys
import types
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

from .sharing import DEVICES, fill_closure_cell, is_plain_tensor, lay_out, make_storage, storage_memory
from .values import is_opaque, open_opaque, pack, pickler_class

_ATOMS = (type(None), bool, int, float, complex, str, bytes, range, slice, type(...), type(NotImplemented))
ATOMS = frozenset((*_ATOMS, types.CodeType))
BLOCK = 2**24  # bytes that are compared at a time


class Content(NamedTuple):
    """What an object holds; it is compared part by part.

    Attributes:
        kind: how it was taken apart; a key of `WRITERS` where it can be written into another object.
        fixed: what no writing changes: where that differs, the object cannot become the other.
        state: the rest.
        sent: what travels of it where that is not `state`.
        gone: names of attributes that are to be deleted.
    """

    kind: str
    fixed: Sequence[Any] = ()
    state: Sequence[Any] = ()
    sent: Any = None
    gone: Sequence[str] = ()

    def since(self, before: Content, is_same: Callable[[Any, Any], bool]) -> Content:
        """This, with the names of the attributes that it had before and has no more.

        Of attributes only those that differ travel: others may be less than the notebook's own, as one that the
        object's `__getstate__` leaves empty.
        """
        now, old = _attributes(self), _attributes(before)
        if not (now or old):
            return self
        gone = [name for name in old if name not in now]
        if self.kind != "instance" or hasattr(self.fixed[0], "__setstate__"):
            return self._replace(gone=gone)
        changed = {name for name, value in now.items() if name not in old or not is_same(value, old[name])}
        return self._replace(gone=gone, sent=[_only(self.state[0], changed), *self.state[1:]])

    def to_wire(self) -> tuple[str, Any, Sequence[str]]:
        return self.kind, list(self.state) if self.sent is None else self.sent, self.gone


class Memory:
    """The bytes of an array or another buffer, as a part of a content."""

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer

    def equals(self, other: Memory) -> bool:
        a, b = memoryview(self.buffer), memoryview(other.buffer)
        if a.readonly and address(a) == address(b) and a.nbytes == b.nbytes:
            return True
        if not (a.c_contiguous and b.c_contiguous):
            return a.tobytes() == b.tobytes()
        if a.nbytes != b.nbytes or not a.nbytes:
            return a.nbytes == b.nbytes
        a, b = a.cast("B"), b.cast("B")
        return all(a[at : at + BLOCK].tobytes() == b[at : at + BLOCK].tobytes() for at in range(0, a.nbytes, BLOCK))


def address(memory: memoryview) -> int | None:
    """Where a buffer lies, None where only NumPy could say."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not memory.contiguous or not memory.nbytes:
        return None
    return int(numpy.frombuffer(memory.cast("B"), "u1").__array_interface__["data"][0])


def content_of(value: Any) -> Content:
    """Takes an object apart; one of Ray's has no content of its own. Raises what its ``__reduce_ex__`` raises."""
    kind = type(value)
    if kind.__module__.startswith("ray."):
        return Content("constant")
    if kind in _TAKERS:
        return _TAKERS[kind](value)
    for base, take in _TAKERS_OF_SUBCLASSES.items():
        if isinstance(value, base):
            return take(value)
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return _of_array(value)
    if kind.__module__.startswith("torch") and (content := _of_torch(value)) is not None:
        return content
    return _of_opaque(value) if is_opaque(value) else _of_instance(value)


def equal_atoms(a: Any, b: Any) -> bool:
    """Whether two of one type are the same bit by bit: ``nan`` is, ``0.0`` and ``-0.0`` are not."""
    if type(a) is float:
        return struct.pack("d", a) == struct.pack("d", b)
    if type(a) is complex:
        return struct.pack("dd", a.real, a.imag) == struct.pack("dd", b.real, b.imag)
    return bool(a == b)


def image(value: Any) -> Any:
    """Something that is equal for two values that hold the same."""
    packer, refused = pack([("value", value)], {}, 2**62)
    return repr(refused) if refused else packer.payload


# --- taking apart -------------------------------------------------------------------------------------------------


def _of_dict(value: dict[Any, Any]) -> Content:
    return Content("dict", (), [*value, *value.values()], sent=dict(value))


def _of_mapping(value: dict[Any, Any]) -> Content:
    """One of a subclass, as a ``Counter``."""
    factory = getattr(value, "default_factory", None)
    return Content("mapping", [type(value), factory], [_own_attributes(value), dict(value)])


def _of_sequence(value: Any) -> Content:
    return Content("sequence", [type(value), getattr(value, "maxlen", None)], [_own_attributes(value), list(value)])


def _of_collection(value: Any) -> Content:
    return Content("collection", [type(value)], [_own_attributes(value), list(value)])


def _of_function(value: types.FunctionType) -> Content:
    state = [value.__defaults__, value.__kwdefaults__, _own_attributes(value)]
    return Content("function", [value.__code__, *(value.__closure__ or ())], state)


def _of_closure_cell(value: types.CellType) -> Content:
    try:
        return Content("closure", (), [value.cell_contents])
    except ValueError:  # empty
        return Content("closure")


def _of_class(value: type) -> Content:
    """The attributes that code sets; those that Python sets are left alone."""
    pythons = (types.GetSetDescriptorType, types.MemberDescriptorType)
    members = {
        name: vars(value)[name]
        for name in sorted(vars(value))
        if not (name == "_abc_impl" or (name.startswith("__") and name.endswith("__")))
        and not isinstance(vars(value)[name], pythons)
    }
    return Content("class", (), [members])


def _of_array(value: Any) -> Content:
    if value.dtype.hasobject:
        return Content("objects", [value.dtype, value.shape], list(value.flat))
    memory = Memory(value.view("u1") if value.flags.c_contiguous and value.ndim else value.tobytes())
    return Content("array", [value.dtype, value.shape, value.strides], [memory], sent=value.copy())


def _of_torch(value: Any) -> Content | None:
    torch = sys.modules["torch"]
    if type(value) is torch.UntypedStorage and value.device.type in DEVICES:
        memory = storage_memory(value)
        return Content("storage", [str(value.device)], [Memory(memory)], sent=memory)
    if is_plain_tensor(value):
        where = value.untyped_storage(), value.dtype, value.storage_offset(), tuple(value.size()), value.stride()
        return Content("tensor", [type(value)], [*where, value.requires_grad, value.grad, _own_attributes(value)])
    if isinstance(value, torch.Tensor):
        return Content("other tensor", [type(value)], [image(value)], sent=[value.detach(), value.requires_grad])
    return None


def _of_opaque(value: Any) -> Content:
    payload, buffers = pickler_class()(io.BytesIO(), {}, None).reduce_opaque(value)[1]
    memories = [Memory(buffer) for buffer in buffers]
    return Content("opaque", [type(value)], [payload, *memories], sent=(payload, buffers))


def _of_instance(value: Any) -> Content:
    kind = type(value)
    reduce = pickler_class().dispatch_table.get(kind)
    reduced = reduce(value) if reduce else value.__reduce_ex__(5)
    if isinstance(reduced, str):
        return Content("constant", [reduced])
    make, arguments, state, items, pairs, setter = (*reduced, *[None] * 6)[:6]
    fixed = [kind, make, *arguments, setter]
    content = [state, None if items is None else list(items), None if pairs is None else dict(pairs)]
    written = hasattr(value, "__setstate__") or hasattr(value, "__dict__") or isinstance(state, tuple)
    if not written or isinstance(value, _ITERATORS):
        return Content("other", [*fixed, *content])
    return Content("instance", fixed, content)


_ITERABLES: tuple[Any, ...] = ([], (), "", b"", bytearray(), {}, set(), range(0))
_ITERATORS = tuple(type(iter(iterable)) for iterable in _ITERABLES)


def _own_attributes(value: Any) -> dict[str, Any]:
    return dict(getattr(value, "__dict__", ()))


def _attributes(content: Content) -> Mapping[str, Any]:
    """Those in a state as pickle knows it: a dict, or a pair of those in ``__dict__`` and of those in slots."""
    if content.kind not in ("instance", "class", "mapping", "sequence", "collection"):
        return {}
    state = content.state[0]
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}


def _only(state: Any, names: Container[str]) -> Any:
    """A state as pickle knows it, with these attributes alone."""
    if isinstance(state, tuple):
        return tuple(_only(part, names) for part in state)
    return {name: value for name, value in state.items() if name in names} if isinstance(state, dict) else state


_TAKERS: dict[type, Callable[[Any], Content]] = {
    list: lambda value: Content("list", (), list(value)),
    dict: _of_dict,
    set: lambda value: Content("set", (), list(value)),
    tuple: lambda value: Content("frozen", list(value)),
    frozenset: lambda value: Content("frozen", list(value)),
    bytearray: lambda value: Content("bytes", (), [bytes(value)]),
    array.array: lambda value: Content("numbers", [value.typecode], [value.tobytes()]),
    types.FunctionType: _of_function,
    types.CellType: _of_closure_cell,
}
_TAKERS_OF_SUBCLASSES: dict[type, Callable[[Any], Content]] = {
    enum.EnumMeta: lambda value: Content("constant", [value.__qualname__]),
    enum.Enum: lambda value: Content("constant", [value.name]),
    type: _of_class,
    dict: _of_mapping,
    list: _of_sequence,
    collections.deque: _of_sequence,
    set: _of_collection,
}


# --- writing ------------------------------------------------------------------------------------------------------


def write(value: Any, kind: str, sent: Any, gone: Sequence[str]) -> None:
    """Makes an object hold what another of its type holds. Raises what the object raises."""
    WRITERS[kind](value, sent)
    for name in gone:
        delattr(value, name)


def _write_list(value: Any, sent: Any) -> None:
    value[:] = sent


def _write_dict(value: Any, sent: Any) -> None:
    value.clear()
    value.update(sent)


def _write_mapping(value: Any, sent: Any) -> None:
    attributes, items = sent
    value.clear()
    for key, item in items.items():
        value[key] = item
    _set_attributes(value, attributes)


def _write_sequence(value: Any, sent: Any) -> None:
    attributes, items = sent
    value.clear()
    value.extend(items)
    _set_attributes(value, attributes)


def _write_collection(value: Any, sent: Any) -> None:
    attributes, items = sent
    value.clear()
    value.update(items)
    _set_attributes(value, attributes)


def _set_attributes(value: Any, attributes: Mapping[str, Any]) -> None:
    if attributes:
        vars(value).update(attributes)


def _write_numbers(value: Any, sent: Any) -> None:
    del value[:]
    value.frombytes(sent[0])


def _write_function(value: Any, sent: Any) -> None:
    value.__defaults__, value.__kwdefaults__, attributes = sent
    _set_attributes(value, attributes)


def _write_class(value: Any, sent: Any) -> None:
    for name, member in sent[0].items():
        if vars(value).get(name) is not member:
            setattr(value, name, member)


def _write_array(value: Any, sent: Any) -> None:
    value[...] = sent


def _write_objects(value: Any, sent: Any) -> None:
    for at, item in enumerate(sent):
        value.flat[at] = item


def _write_storage(value: Any, sent: Any) -> None:
    storage = make_storage(sent, str(value.device))
    if storage.nbytes() != value.nbytes():
        value.resize_(storage.nbytes())
    value.copy_(storage)


def _write_tensor(value: Any, sent: Any) -> None:
    storage, dtype, offset, size, stride, requires_grad, grad, attributes = sent
    value.data = lay_out(storage, dtype, offset, size, stride)
    value.requires_grad_(requires_grad)
    value.grad = grad
    _set_attributes(value, attributes)


def _write_other_tensor(value: Any, sent: Any) -> None:
    data, requires_grad = sent
    value.data = data
    value.requires_grad_(requires_grad)


def _write_opaque(value: Any, sent: Any) -> None:
    value.__setstate__(open_opaque(*sent).__getstate__())


def _write_instance(value: Any, sent: Any) -> None:
    """As pickle itself does it, after it has made an object."""
    state, items, pairs = sent
    if items is not None:
        value.clear()
        value.extend(items)
    if pairs is not None:
        value.clear()
        value.update(pairs)
    set_state = getattr(value, "__setstate__", None)
    if set_state is not None:
        set_state(state)
        return
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if parts[0]:
        vars(value).update(parts[0])
    for name, part in (parts[1] or {}).items():
        setattr(value, name, part)


WRITERS: dict[str, Callable[[Any, Any], None]] = {
    "list": _write_list,
    "dict": _write_dict,
    "set": lambda value, sent: _write_collection(value, ({}, sent)),
    "bytes": lambda value, sent: value.__setitem__(slice(None), sent[0]),
    "numbers": _write_numbers,
    "mapping": _write_mapping,
    "sequence": _write_sequence,
    "collection": _write_collection,
    "function": _write_function,
    "closure": lambda value, sent: fill_closure_cell(value, tuple(sent)),
    "class": _write_class,
    "array": _write_array,
    "objects": _write_objects,
    "storage": _write_storage,
    "tensor": _write_tensor,
    "other tensor": _write_other_tensor,
    "opaque": _write_opaque,
    "instance": _write_instance,
}
HASHED = ("dict", "set", "mapping", "collection")  # they ask keys for hashes, which may be objects that change, too
