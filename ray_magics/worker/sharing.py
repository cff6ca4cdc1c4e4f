"""How objects that share memory travel so that they share it again: closures, views of arrays, tensors.

Python's own pickles copy each of them: two functions over one closure part, a view of an array no longer sees its
base, and a tensor comes without its gradient.
"""

from __future__ import annotations

import collections
import pickle
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Reduced = tuple[Any, ...]
DEVICES = ("cpu", "cuda")


def reduce_shared(value: Any, bases: Mapping[int, Any]) -> Reduced | None:
    """How an object travels; None for one that Python's own way suits.

    Args:
        bases: arrays that travel, too, by the id of the array that owns their memory; a view of one stays its view.
    """
    kind = type(value)
    if kind is types.CellType:
        return _reduce_closure_cell(value)
    name = kind.__module__
    if name == "numpy":
        return _reduce_view(value, bases) if bases and kind.__name__ == "ndarray" else None
    if name.startswith("torch"):
        return _reduce_of_torch(value, kind)
    return None


# --- closures -----------------------------------------------------------------------------------------------------


def _reduce_closure_cell(cell: types.CellType) -> Reduced:
    """Contents after the cell itself: a function may stand in its own closure."""
    try:
        contents = (cell.cell_contents,)
    except ValueError:  # empty
        return make_closure_cell, ()
    return make_closure_cell, (), contents, None, None, fill_closure_cell


def make_closure_cell() -> types.CellType:
    return types.CellType()


def fill_closure_cell(cell: types.CellType, contents: tuple[Any, ...]) -> None:
    if contents:
        cell.cell_contents = contents[0]
    else:
        del cell.cell_contents


# --- arrays -------------------------------------------------------------------------------------------------------


def root_of(array: Any) -> Any:
    """The array that owns the memory of a view, or the array itself."""
    kind = type(array)
    while type(array.base) is kind:
        array = array.base
    return array


def shared_bases(values: Iterable[Any]) -> dict[int, Any]:
    """The arrays in whose memory more than one of the values lies, by the id of the array that owns it."""
    if "numpy" not in sys.modules:
        return {}
    arrays = [value for value in values if type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"]
    counts = collections.Counter(id(root_of(array)) for array in arrays)
    whole = whole_arrays(arrays)
    roots = {id(root_of(array)): root_of(array) for array in arrays}
    return {key: whole.get(key, roots[key]) for key, count in counts.items() if count > 1}


def whole_arrays(arrays: Iterable[Any]) -> dict[int, Any]:
    """Those of the arrays that are all of the memory that they lie in, by the id of the array that owns it."""
    found: dict[int, Any] = {}
    for array in arrays:
        root = root_of(array)
        if array.nbytes == root.nbytes and _is_compact(array):
            found.setdefault(id(root), array)
    return found


def _reduce_view(array: Any, bases: Mapping[int, Any]) -> Reduced | None:
    base = bases.get(id(root_of(array)))
    if base is None or base is array or array.dtype.hasobject or base.dtype.hasobject or not _is_compact(base):
        return None
    offset = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return make_view, (base, offset, array.shape, array.strides, array.dtype, array.flags.writeable)


def _is_compact(array: Any) -> bool:
    return bool(array.flags.c_contiguous or array.flags.f_contiguous)


def make_view(
    root: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any, writeable: bool
) -> Any:
    """The array that lies `offset` bytes into the memory of `root`."""
    import numpy

    memory = root.reshape(-1, order="A").view(numpy.uint8)
    view = numpy.ndarray(shape, dtype, memory, offset, strides)
    if not writeable:
        view.flags.writeable = False
    return view


# --- tensors ------------------------------------------------------------------------------------------------------


def _reduce_of_torch(value: Any, kind: type) -> Reduced | None:
    torch = sys.modules["torch"]
    if kind is torch.UntypedStorage and value.device.type in DEVICES:
        return make_storage, (pickle.PickleBuffer(storage_memory(value)), str(value.device))
    return _reduce_tensor(value, torch) if is_plain_tensor(value) else None


def is_plain_tensor(value: Any) -> bool:
    """Whether a value is a tensor that no operation has made, in memory or on a GPU: a parameter, data."""
    torch = sys.modules.get("torch")
    if torch is None or type(value) not in (torch.Tensor, torch.nn.Parameter):
        return False
    plain = value.device.type in DEVICES and value.layout is torch.strided and value.is_leaf
    return bool(plain and not (value.is_quantized or value.is_conj() or value.is_neg()))


def _reduce_tensor(tensor: Any, torch: Any) -> Reduced:
    where = tensor.storage_offset(), tuple(tensor.size()), tensor.stride()
    made = make_tensor, (type(tensor), tensor.untyped_storage(), tensor.dtype, *where, tensor.requires_grad)
    more = tensor_extras(tensor)
    return made if more[0] is None and not more[1] else (*made, more, None, None, set_tensor_extras)


def tensor_extras(tensor: Any) -> tuple[Any, dict[str, Any]]:
    """The gradient of a tensor, and attributes that the user has given it."""
    return tensor.grad, {**vars(tensor)}


def set_tensor_extras(tensor: Any, extras: tuple[Any, dict[str, Any]]) -> None:
    grad, attributes = extras
    tensor.grad = grad
    vars(tensor).update(attributes)


def make_tensor(
    kind: Callable[..., Any],
    storage: Any,
    dtype: Any,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
) -> Any:
    import torch

    tensor = lay_out(storage, dtype, offset, size, stride)
    if kind is torch.nn.Parameter:
        return torch.nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)


def lay_out(storage: Any, dtype: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    """The tensor that lies so in a storage."""
    import torch

    return torch.empty(0, dtype=dtype, device=storage.device).set_(storage, offset, size, stride)


def storage_memory(storage: Any) -> Any:
    """The bytes of a storage as a NumPy array: over the same memory, or copied from a GPU."""
    import torch

    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage).cpu().numpy()


def make_storage(memory: Any, device: str = "cpu") -> Any:
    """A storage of its own with these bytes. Raises RuntimeError where this process has no such device."""
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise RuntimeError(f"a tensor is on {device}, and this worker has no GPU; --num-gpus 1 gives it one")
    size = memoryview(memory).nbytes
    storage = torch.UntypedStorage(size, device=device)
    if size:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is only read
            storage.copy_(torch.frombuffer(memory, dtype=torch.uint8).untyped_storage())
    return storage
