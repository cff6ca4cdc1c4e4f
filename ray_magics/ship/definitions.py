"""Functions and classes of the notebook as source, and what their source reads."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterable, Mapping
from typing import Any

from ..cell.reader import names_read, read_cell
from ..raylib.remote import remote_definition

FUTURE_ANNOTATIONS = 0x1000000  # flag of code compiled with ``from __future__ import annotations``


def importing(name: str, value: Any) -> str:
    """``from sklearn.svm import SVC`` for what a module has under its own name, ``import x`` for a module, else ""."""
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__}" if value.__name__ == name else f"import {value.__name__} as {name}"
    module, path = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not isinstance(module, str) or module == "__main__" or not isinstance(path, str):
        return ""
    if getattr(sys.modules.get(module), path, None) is not value:
        return ""
    return f"from {_public_module(module, path, value)} import {path}{'' if path == name else f' as {name}'}"


def _public_module(module: str, path: str, value: Any) -> str:
    """``sklearn.svm`` for a class of ``sklearn.svm._classes`` that stands there, too."""
    packages = [module[:end] for end, sign in enumerate(module) if sign == "."]
    return next((package for package in packages if getattr(sys.modules.get(package), path, None) is value), module)


def definition(name: str, value: Any) -> str:
    """The source that gives `name` its function, class, remote function or actor class; "" where there is none."""
    remote = remote_definition(value)
    if remote is not None:
        return _as_remote(name, remote.value, remote.options)
    if not isinstance(value, (type, types.FunctionType)) or value.__module__ not in ("__main__", None):
        return ""
    if isinstance(value, types.FunctionType) and value.__closure__ and inspect.unwrap(value) is value:
        return ""  # its source does not say what the variables around it are
    source = source_of(value)
    return _named(source, value.__name__, name)


def _as_remote(name: str, value: Any, options: Mapping[str, Any]) -> str:
    """The source with ``@ray.remote``, which the notebook's own source may lack."""
    source = source_of(value)
    if source and not any("remote" in decorator for decorator in decorators(source)):
        arguments = ", ".join(f"{key}={option!r}" for key, option in options.items())
        source = f"@ray.remote{f'({arguments})' if arguments else ''}\n{source}"
    return _named(source, value.__name__, name)


def _named(source: str, own: str, name: str) -> str:
    """The source, if it defines the thing itself, with a second name where the notebook has one."""
    if name in _defined(source):
        return source
    return f"{source}\n{name} = {own}" if own in _defined(source) else ""


def _defined(source: str) -> set[str]:
    """Names that functions, classes and lambdas of the source get."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def source_of(value: Any) -> str:
    """The source of a function or class with its decorators; "" where there is none, or it is no statement."""
    try:
        text = textwrap.dedent(inspect.getsource(value)).rstrip()
    except (OSError, TypeError):
        text = _class_source(value)
    try:
        ast.parse(text)
    except SyntaxError:
        return ""
    return text


def _class_source(value: Any) -> str:
    """Before Python 3.13 the source of a notebook's class is found through one of its methods."""
    import linecache

    for member in getattr(value, "__dict__", {}).values():
        function = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
        code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
        if code is None:
            continue
        text = "".join(linecache.getlines(code.co_filename))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    return ""


def decorators(source: str) -> list[str]:
    """Those of the first function or class of the source."""
    nodes = ast.parse(source).body
    return [ast.unparse(decorator) for decorator in getattr(nodes[0], "decorator_list", [])] if nodes else []


def reads(source: str) -> tuple[str, ...]:
    """Names that the source reads from outside, now or when it is called."""
    return names_read(source)


def reads_at_once(source: str) -> tuple[str, ...]:
    """Names that must exist before the source runs: decorators, bases, defaults, bodies of classes."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [ast.Pass()]
        elif isinstance(node, ast.Lambda):
            node.body = ast.Constant(None)
    return tuple(name.name for name in read_cell(ast.unparse(tree)).reads)


def has_future_annotations(values: Iterable[Any]) -> bool:
    """Whether a function or class of the notebook was compiled with annotations as text."""
    plain = [getattr(remote_definition(value), "value", value) for value in values]
    functions = [member for value in plain if isinstance(value, type) for member in vars(value).values()]
    codes = [getattr(function, "__code__", None) for function in [*plain, *functions]]
    return any(code.co_flags & FUTURE_ANNOTATIONS for code in codes if isinstance(code, types.CodeType))
