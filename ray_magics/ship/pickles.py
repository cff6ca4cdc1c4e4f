"""Values of the notebook as pickles of a plain script, and which of them have to be in one pickle."""

from __future__ import annotations

import base64
import io
import pickle
import sys
import types
import zlib
from collections.abc import Container, Iterable, Mapping
from importlib import import_module
from typing import Any

from ..units import size_text
from ..worker.changes import unchangeable
from ..worker.values import pack

Namespace = Mapping[str, Any]
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_MODULES = {"pickle": "pickle", "cloudpickle": "ray.cloudpickle"}
LONGEST = 4096  # characters of a pickle that stands in the script as text
TRIED = 2**20  # bytes up to which a pickle is made to see how long its text is
BUFFERS = 2**16  # bytes of a buffer that is not copied


def assign_pickle(
    names: tuple[str, ...], values: tuple[Any, ...], defined: Container[str] = (), saved: str = ""
) -> str:
    """``a, b = pickle.loads(...)``, or from a file where that is long; a comment on why not, where it cannot be.

    Args:
        defined: classes that the script defines above.
        saved: the expression for the values in the notebook, for the comment on how to save them; the names, without.
    """
    target, value = ", ".join(names), values[0] if len(names) == 1 else values
    if holds_references(value):
        return f"{target} = ...  # make it here: it holds object refs or actor handles, which only the notebook has"
    try:
        module, nbytes = _module_for(value, defined), nbytes_pickled(value)
        text = _as_text(value, module) if nbytes <= TRIED else ""
    except Exception as error:  # pickling runs code of any type
        return f"{target} = ...  # make it here: it cannot be pickled ({type(error).__name__})"
    if text and len(text) <= LONGEST:
        return f"import base64, pickle, zlib\n{target} = pickle.loads(zlib.decompress(base64.b85decode({text!r})))"
    saved = saved or (target if len(names) == 1 else f"({target})")
    return from_file(names, saved, module, f"{size_text(nbytes)}; ")


def from_file(names: tuple[str, ...], saved: str, module: str = "pickle", words: str = "") -> str:
    """Lines that read the values from a file beside the script, and how the notebook writes that."""
    file, first = f"{'_'.join(names)}.pkl", "import pickle" if module == "pickle" else f"from ray import {module}"
    first = f"{first}; import ray" if saved.startswith("ray.") else first
    return (
        f"# {words}save it in the notebook: {first}; {module}.dump({saved}, open({file!r}, 'wb'))\n"
        f"import pickle\n{', '.join(names)} = pickle.load(open({file!r}, 'rb'))"
    )


def _as_text(value: Any, module: str) -> str:
    return base64.b85encode(zlib.compress(import_module(_MODULES[module]).dumps(value))).decode()


def _module_for(value: Any, defined: Container[str]) -> str:
    """``pickle`` if the script defines all that the pickle refers to, else Ray's ``cloudpickle``, which brings it."""
    try:
        return "pickle" if all(name in defined for name in _names_of_notebook(value)) else "cloudpickle"
    except Exception:  # pickling runs code of any type
        return "cloudpickle"


def notebook_classes(value: Any) -> set[str]:
    """Functions and classes of the notebook that a value consists of; none where it cannot be pickled."""
    try:
        return _names_of_notebook(value)
    except Exception:  # pickling runs code of any type
        return set()


def _names_of_notebook(value: Any) -> set[str]:
    """What of ``__main__`` a pickle refers to by name. Raises whatever pickling raises."""
    names: set[str] = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module == "__main__":
                names.add(name.partition(".")[0])
            return super().find_class(module, name)

    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, 5, buffer_callback=buffers.append)
    if b"__main__" in pickled:
        Reader(io.BytesIO(pickled), buffers=buffers).load()
    return names


def holds_references(value: Any) -> bool:
    """Whether object refs or actor handles are somewhere in the value."""
    if "ray" not in sys.modules:
        return False
    packer, _ = pack([("value", value)], {}, BUFFERS)
    return bool(packer.references)


def nbytes_pickled(value: Any) -> int:
    """Bytes of the value's pickle. Raises whatever pickling raises."""
    packer, refused = pack([("value", value)], {}, BUFFERS)
    if refused:
        raise refused["value"]
    return packer.sizes["value"]


def has_arrays(value: Any) -> bool:
    """Whether parts of the value are buffers, which are read-only when they come out of Ray's object store."""
    packer, _ = pack([("value", value)], {}, 1)
    return bool(packer.buffers)


def sharing_groups(names: Iterable[str], namespace: Namespace) -> list[tuple[str, ...]]:
    """The names whose values have parts in common that can change, together; the others are in no group."""
    packers = {
        name: pack([(name, namespace[name])], {}, BUFFERS)[0] for name in names if not unchangeable(namespace[name])
    }
    parts = {name: _parts(packer) | {id(namespace[name])} for name, packer in packers.items()}
    groups: list[tuple[str, ...]] = []
    for name in parts:
        joined = [group for group in groups if any(parts[name] & parts[other] for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append((*(other for group in joined for other in group), name))
    return [group for group in groups if len(group) > 1]


def _parts(packer: Any) -> set[int]:
    """Ids of the objects in a pickle that can change; those of modules belong to nobody."""
    objects = [value for _, value in packer.pickler.memo.copy().values()]
    return {id(value) for value in objects if not (unchangeable(value) or _is_common(value))}


def _is_common(value: Any) -> bool:
    """Whether a value is one of a module, as a function or a type of numbers is."""
    kind = type(value)
    return isinstance(value, (type, *_FUNCTIONS)) or kind.__module__ == "numpy.dtypes" or kind.__name__ == "dtype"
