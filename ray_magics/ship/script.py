"""What a captured name is in a plain script, and in words; each verb's `script` says the rest."""

from __future__ import annotations

import ast
import base64
import inspect
import os
import pickle
import re
import sys
import textwrap
import types
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..units import size_text
from ..worker.values import pack
from .captures import Capture, Captures

Namespace = Mapping[str, Any]
SHORTEST_SECRET = 8  # characters
_SECRET_VARIABLE = re.compile("SEC|TOK|KEY|PASS|PWD|CRED|AUTH(?!OR)", re.IGNORECASE)
_SECRET_NAME = re.compile("passw|secret|api_?key|access_?key|auth_?token|credential", re.IGNORECASE)
INLINE = 2000  # characters of a literal that stands in the script as it is
PICKLED = 2**12  # bytes of a compressed pickle that stands in the script as text; a larger one is a file beside it


def describe_captures(captures: Captures, namespace: Namespace) -> Iterator[str]:
    """The captured names, a line each, with their types and sizes."""
    heading = "sends   "
    for capture in captures.found:
        yield f"{heading} {_capture(capture, namespace)}"
        heading = "        "
    if not captures.found:
        yield f"{heading} nothing"


def _capture(capture: Capture, namespace: Namespace) -> str:
    size = "" if capture.nbytes is None else f", {size_text(capture.nbytes)}"
    shape = getattr(namespace.get(capture.name), "shape", None)
    shaped = f" {shape}" if isinstance(shape, tuple) else ""
    kind = capture.kind if capture.kind != "value" else capture.type + shaped
    where = f"read by {capture.via}" if capture.via else f"read on line {capture.line}"
    return f"{capture.name}: {kind}{size}, {where}{'' if capture.certain or capture.via else ', perhaps'}"


def plain(source: str, uses_ipython: bool) -> str:
    """The cell without the blank line that stands for its magic; a comment where IPython syntax remains."""
    text = textwrap.dedent(source.strip("\n")).rstrip().removesuffix(";")
    if uses_ipython and "get_ipython()" in text:
        return (
            "from IPython.core.interactiveshell import InteractiveShell\nget_ipython = InteractiveShell.instance\n"
            + text
        )
    return text


def split_head(cell: str) -> tuple[str, str]:
    """What must stand at the head of a module, ``from __future__`` and ``import *``, and the rest of the cell."""
    lines = cell.splitlines()
    head: list[str] = []
    for node in reversed(ast.parse(cell).body):
        if isinstance(node, ast.ImportFrom) and (node.module == "__future__" or node.names[0].name == "*"):
            head.insert(0, ast.unparse(node))
            del lines[node.lineno - 1 : node.end_lineno]
    head.sort(key=lambda line: not line.startswith("from __future__"))
    return "\n".join(head), "\n".join(lines)


def setting(captures: Iterable[Capture], namespace: Namespace) -> Iterator[str]:
    """The definitions of what the cell captures: imports, values, then functions and classes."""
    found = list({capture.name: capture for capture in captures}.values())
    imports = [_import(capture.name, namespace[capture.name]) for capture in found if capture.kind == "module"]
    if imports:
        yield "\n".join(imports)
    values = {capture.name: namespace[capture.name] for capture in found if capture.kind == "value"}
    if values:
        yield "\n".join(_assignments(values))
    refs = [f"{c.name} = ray.put({c.name})" for c in found if c.kind == "ref"]
    if refs:
        yield "\n".join([f"# {len(refs)} object refs of the notebook stand for values that only it can make", *refs])
    for capture in reversed(found):
        if capture.kind in ("function", "class"):
            yield _definition(capture.name, namespace[capture.name])


def _import(name: str, module: Any) -> str:
    return f"import {module.__name__}" if module.__name__ == name else f"import {module.__name__} as {name}"


def _definition(name: str, value: Any) -> str:
    """The source of a function or class; one that comes from a module is imported."""
    if value.__module__ not in ("__main__", None):
        alias = "" if value.__name__ == name else f" as {name}"
        return f"from {_public_module(value)} import {value.__qualname__}{alias}"
    try:
        return textwrap.dedent(inspect.getsource(value)).rstrip()
    except (OSError, TypeError):
        return _class_source(name, value) or assignment(name, value)


def _public_module(value: Any) -> str:
    """``sklearn.svm`` for a class of ``sklearn.svm._classes`` that stands there, too."""
    module: str = value.__module__
    outer, _, inner = module.rpartition(".")
    is_there = outer and getattr(sys.modules.get(outer), value.__qualname__, None) is value
    return outer if is_there and inner.startswith("_") else module


def _class_source(name: str, value: Any) -> str:
    """Before Python 3.13 the source of a notebook's class is found through one of its methods."""
    import linecache

    for member in vars(value).values():
        code = getattr(inspect.unwrap(getattr(member, "__func__", member)), "__code__", None)
        if code is None:
            continue
        text = "".join(linecache.getlines(code.co_filename))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    return ""


def _assignments(values: Mapping[str, Any]) -> Iterator[str]:
    """A line for each value; those that share parts come from one pickle, so that they go on sharing them."""
    sharing = _sharing(values)
    yield from (assignment(name, value) for name, value in values.items() if name not in sharing)
    if sharing:
        yield _pickled("shared", tuple(values[name] for name in sharing))
        yield f"{', '.join(sharing)} = shared"


def _sharing(values: Mapping[str, Any]) -> list[str]:
    """The names of values in which one list, dict, array or other object that can change is found twice."""
    inside: dict[str, set[int]] = {}
    for name, value in values.items():
        packer, refused = pack([(name, value)], {}, 2**62)
        memo = {} if refused else packer.pickler.memo.copy()
        inside[name] = {key for key, (_, part) in memo.items() if _can_change(part)}
    counts = Counter(key for keys in inside.values() for key in keys)
    return [name for name, keys in inside.items() if any(counts[key] > 1 for key in keys)]


def _can_change(part: Any) -> bool:
    plain = isinstance(part, (type, types.FunctionType, types.ModuleType))
    return not plain and (isinstance(part, (list, dict, set, bytearray)) or hasattr(part, "__dict__"))


def assignment(name: str, value: Any) -> str:
    """``name = ...``: a literal, else a pickle as text, else a word on why not."""
    if type(value).__name__ == "Deployment" and hasattr(value, "func_or_class"):
        return f"from ray import serve\n{_definition(name, value.func_or_class)}"
    literal = repr(value)
    if len(literal) <= INLINE and is_literal(literal, value):
        return f"{name} = {code_of(value, name)}"
    if _holds_references(value):
        return f"{name} = ...  # make it here: it holds object refs or actor handles, which only the notebook has"
    return _pickled(name, value)


def _pickled(name: str, value: Any) -> str:
    try:
        pickled = _pickle(value)
    except Exception as error:  # pickling runs code of any type
        return f"{name} = ...  # make it here: it cannot be pickled ({type(error).__name__})"
    compressed = zlib.compress(pickled)
    if len(compressed) > PICKLED:
        return (
            f"# {size_text(len(pickled))}; save it in the notebook: pickle.dump({name}, open('{name}.pkl', 'wb'))\n"
            f"import pickle\n{name} = pickle.load(open('{name}.pkl', 'rb'))"
        )
    text = base64.b85encode(compressed).decode()
    return f"import base64, pickle, zlib\n{name} = pickle.loads(zlib.decompress(base64.b85decode({text!r})))"


def code_of(value: Any, name: str = "") -> str:
    """A value as Python; texts that are secrets are read from the environment and do not stand there.

    Secrets are the values of environment variables that are called so, and texts whose name or key is.
    """
    if isinstance(value, str):
        return _text(value, name)
    if type(value) is dict:
        return f"{{{', '.join(f'{code_of(key)}: {code_of(one, str(key))}' for key, one in value.items())}}}"
    if type(value) is list:
        return f"[{', '.join(code_of(one, name) for one in value)}]"
    if type(value) is tuple:
        return f"({', '.join(code_of(one, name) for one in value)}{',' if len(value) == 1 else ''})"
    return repr(value)


def _text(value: str, name: str) -> str:
    for variable, secret in os.environ.items():
        if len(secret) >= SHORTEST_SECRET and secret in value and _SECRET_VARIABLE.search(variable):
            parts = filter(None, re.split(f"({re.escape(secret)})", value))
            return " + ".join(f"os.environ[{variable!r}]" if part == secret else _text(part, "") for part in parts)
    return f"os.environ[{name.upper()!r}]" if _SECRET_NAME.search(name) and value else repr(value)


def finished(script: str) -> str:
    """The script with the import that what `code_of` wrote needs, unless it stands above already."""
    above, found, _ = script.partition("os.environ[")
    return f"import os\n{script}" if found and not re.search("^import os$", above, re.MULTILINE) else script


def _holds_references(value: Any) -> bool:
    if "ray" not in sys.modules:
        return False
    packer, _ = pack([("value", value)], {}, 2**62)
    return bool(packer.references)


def _pickle(value: Any) -> bytes:
    if type(value).__module__ == "__main__":
        from ray import cloudpickle

        return bytes(cloudpickle.dumps(value))
    return pickle.dumps(value)


def is_literal(literal: str, value: Any) -> bool:
    """Whether Python reads the text as an equal value of the same type."""
    try:
        return type(ast.literal_eval(literal)) is type(value) and bool(ast.literal_eval(literal) == value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
