"""A plan as a plain Ray script, and in words: what runs, what travels, what comes back."""

from __future__ import annotations

import ast
import base64
import inspect
import pickle
import sys
import textwrap
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.capture import Capture
from ..core.parsers import format_size
from ..core.worker.values import pack
from .plan import DEFINE, MAP, RemotePlan

Namespace = Mapping[str, Any]
INLINE = 2000  # characters of a literal that stands in the script as it is
PICKLED = 2**20  # bytes of a pickle that stands in the script as text


def explain(plan: RemotePlan, namespace: Namespace, source: str) -> str:
    """What ``--dry-run`` prints."""
    return f"{describe(plan, namespace)}\n\n{script(plan, namespace, source)}"


# --- in words -----------------------------------------------------------------------------------------------------


def describe(plan: RemotePlan, namespace: Namespace) -> str:
    """The plan in a few aligned lines."""
    lines = [f"runs     {_what(plan)}", *_travels(plan, namespace), f"returns  {_returns(plan)}"]
    lines += [f"missing  {name.name} (line {name.line}) is not defined here" for name in plan.captures.missing]
    return "\n".join(lines)


def _what(plan: RemotePlan) -> str:
    options = ", ".join(f"{key}={value!r}" for key, value in plan.options.items())
    with_options = f" with {options}" if options else ""
    if plan.form == DEFINE:
        return f"here: {', '.join((*plan.cell.functions, *plan.cell.classes))} become remote{with_options}"
    if plan.form == MAP and plan.items:
        return f"the cell once per item of {plan.items.iterable}, many to a task{with_options}"
    return f"one task{with_options}"


def _travels(plan: RemotePlan, namespace: Namespace) -> Iterator[str]:
    heading = "sends   "
    for capture in plan.captures.found:
        yield f"{heading} {_capture(capture, namespace)}"
        heading = "        "
    if not plan.captures.found:
        yield f"{heading} nothing"


def _capture(capture: Capture, namespace: Namespace) -> str:
    size = "" if capture.nbytes is None else f", {format_size(capture.nbytes)}"
    shape = getattr(namespace.get(capture.name), "shape", None)
    shaped = f" {shape}" if isinstance(shape, tuple) else ""
    kind = capture.kind if capture.kind != "value" else capture.type + shaped
    where = f"read by {capture.via}" if capture.via else f"read on line {capture.line}"
    return f"{capture.name}: {kind}{size}, {where}{'' if capture.certain or capture.via else ', perhaps'}"


def _returns(plan: RemotePlan) -> str:
    value = []
    if plan.cell.expression and plan.form != DEFINE:
        value = [f"the value of the last line{f' as {plan.into}' if plan.into else ''}"]
    return ", ".join([*plan.binds, *value]) or "nothing"


# --- as a script --------------------------------------------------------------------------------------------------


def script(plan: RemotePlan, namespace: Namespace, source: str) -> str:
    """A program that does the same with Ray alone; ``python`` runs it."""
    cell = _plain(plan, source)
    parts = ["import ray", *_setting(plan, namespace), "ray.init()"]
    if plan.form == DEFINE:
        return "\n\n".join([*parts, _definitions(plan, cell)]) + "\n"
    parts += [_function(plan, cell), _call(plan)]
    return "\n\n".join(parts) + "\n"


def _plain(plan: RemotePlan, source: str) -> str:
    """The cell without the blank line that stands for its magic; a comment where IPython syntax remains."""
    text = textwrap.dedent(source.strip("\n")).rstrip().removesuffix(";")
    if plan.cell.uses_ipython and "get_ipython()" in text:
        return (
            "from IPython.core.interactiveshell import InteractiveShell\nget_ipython = InteractiveShell.instance\n"
            + text
        )
    return text


def _setting(plan: RemotePlan, namespace: Namespace) -> Iterator[str]:
    """The definitions of what the cell captures: imports, values, then functions and classes."""
    found = list({capture.name: capture for capture in (*plan.captures.found, *plan.feed.found)}.values())
    imports = [_import(capture.name, namespace[capture.name]) for capture in found if capture.kind == "module"]
    if imports:
        yield "\n".join(imports)
    values = [_assignment(capture.name, namespace[capture.name]) for capture in found if capture.kind == "value"]
    if values:
        yield "\n".join(values)
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
        return _class_source(name, value) or _assignment(name, value)


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


def _assignment(name: str, value: Any) -> str:
    literal = repr(value)
    if len(literal) <= INLINE and _is_literal(literal, value):
        return f"{name} = {literal}"
    if _holds_references(value):
        return f"{name} = ...  # make it here: it holds object refs or actor handles, which only the notebook has"
    try:
        pickled = _pickle(value)
    except Exception as error:  # pickling runs code of any type
        return f"{name} = ...  # make it here: it cannot be pickled ({type(error).__name__})"
    if len(pickled) > PICKLED:
        return (
            f"# {format_size(len(pickled))}; save it in the notebook: pickle.dump({name}, open('{name}.pkl', 'wb'))\n"
            f"import pickle\n{name} = pickle.load(open('{name}.pkl', 'rb'))"
        )
    text = base64.b85encode(zlib.compress(pickled)).decode()
    return f"import base64, pickle, zlib\n{name} = pickle.loads(zlib.decompress(base64.b85decode({text!r})))"


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


def _is_literal(literal: str, value: Any) -> bool:
    try:
        return type(ast.literal_eval(literal)) is type(value) and bool(ast.literal_eval(literal) == value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _definitions(plan: RemotePlan, cell: str) -> str:
    """The cell with ``@ray.remote`` above each function and class."""
    tree, lines = ast.parse(cell), cell.splitlines()
    for node in reversed(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            options = plan.actor_options if isinstance(node, ast.ClassDef) else plan.options
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines.insert(first - 1, f"@ray.remote{_arguments(options)}")
    return "\n".join(lines)


def _arguments(options: Mapping[str, Any]) -> str:
    return f"({', '.join(f'{key}={value!r}' for key, value in options.items())})" if options else ""


def _function(plan: RemotePlan, cell: str) -> str:
    """The cell as a remote function: what it captures are parameters, what it binds and its value it returns."""
    first = ["__item__"] if plan.form == MAP else []
    head = f"@ray.remote{_arguments(plan.options)}\ndef cell({', '.join([*first, *_parameters(plan)])}):"
    unpack = [f"{plan.items.target} = __item__"] if plan.items else []
    body = "\n".join([*unpack, _fits_in_function(plan, cell)])
    return f"{head}\n{textwrap.indent(body, '    ')}"


def _parameters(plan: RemotePlan) -> list[str]:
    return [capture.name for capture in plan.captures.found if capture.kind in ("value", "ref")]


def _fits_in_function(plan: RemotePlan, cell: str) -> str:
    """The body; one that must stay at module level (star imports, ``global``, ``await``, ``def``) is run as text."""
    tree = ast.parse(cell)
    globals_used = any(isinstance(node, ast.Global) for node in ast.walk(tree))
    if plan.cell.binds_unknown or plan.cell.is_async or globals_used or plan.cell.functions or plan.cell.classes:
        return _as_text(plan, cell)
    lines, value = _split(tree, cell)
    return "\n".join([*lines, f"return {_answer(plan, tree, value)}"])


def _split(tree: ast.Module, cell: str) -> tuple[list[str], str]:
    """The lines of the statements, and the text of the last expression or ``None``."""
    last, lines = tree.body[-1], cell.splitlines()
    if not isinstance(last, ast.Expr):
        return lines, "None"
    before = lines[last.lineno - 1].encode()[: last.col_offset].decode().rstrip().rstrip(";")
    value = ast.get_source_segment(cell, last.value) or ast.unparse(last.value)
    return [
        *lines[: last.lineno - 1],
        *([before] if before else []),
    ], f"({value})" if "\n" in value else value


def _answer(plan: RemotePlan, tree: ast.Module, value: str) -> str:
    if not plan.binds:
        return value
    certain = {name for node in tree.body for name in _certain(node)}
    if certain.issuperset(plan.binds) and not plan.cell.deletes:
        names = "{" + ", ".join(f"{name!r}: {name}" for name in plan.binds) + "}"
    else:
        names = _existing("locals()", plan)
    return f"{names}, {value}"


def _certain(node: ast.stmt) -> list[str]:
    """Names that a statement surely binds."""
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Import):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    return []


def _as_text(plan: RemotePlan, cell: str) -> str:
    """The cell as text, executed in a namespace of its own."""
    tree = ast.parse(cell)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        tree.body[-1] = ast.Assign([ast.Name("__value__", ast.Store())], tree.body[-1].value)
        ast.fix_missing_locations(tree)
    text = ast.unparse(tree)
    return (
        "import ast, asyncio, inspect\n"
        "namespace = {**globals(), **locals(), '__name__': '__main__'}\n"
        f"code = compile({text!r}, 'cell', 'exec', flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)\n"
        "made = eval(code, namespace)\n"
        "if inspect.iscoroutine(made):\n    asyncio.run(made)\n"
        f"return {_answer_of_text(plan)}"
    )


def _answer_of_text(plan: RemotePlan) -> str:
    value = "namespace.get('__value__')"
    if plan.cell.binds_unknown and plan.form != MAP:
        known = {*plan.captures.names, "namespace"}
        unknown = f"not (name.startswith('__') or name in globals() or name in {sorted(known)!r})"
        return f"{{name: value for name, value in namespace.items() if {unknown}}}, {value}"
    return f"{_existing('namespace', plan)}, {value}" if plan.binds else value


def _existing(names: str, plan: RemotePlan) -> str:
    return f"{{name: value for name, value in {names}.items() if name in {plan.binds!r}}}"


def _call(plan: RemotePlan) -> str:
    result = plan.into or "result"
    lines = _map_call(plan, result) if plan.items else _run_call(plan, result)
    if not plan.into and plan.cell.expression and not plan.cell.silent:
        lines.append(f"print({result})")
    return "\n".join(lines)


def _run_call(plan: RemotePlan, result: str) -> list[str]:
    call = f"ray.get(cell.remote({', '.join(_parameters(plan))}))"
    if plan.binds or plan.cell.binds_unknown:
        return [f"names, {result} = {call}", "globals().update(names)"]
    return [f"{result} = {call}"]


def _map_call(plan: RemotePlan, result: str) -> list[str]:
    assert plan.items is not None
    conditions = "".join(f" if {condition}" for condition in plan.items.conditions)
    loop = f"for {plan.items.target} in {plan.items.iterable}{conditions}"
    once = [f"{name}_ref" for name in _parameters(plan)]
    puts = [f"{ref} = ray.put({name})" for ref, name in zip(once, _parameters(plan), strict=True)]
    call = f"ray.get([cell.remote({', '.join([_item(plan), *once])}) {loop}])"
    if not plan.binds:
        return [*puts, f"{result} = {call}"]
    return [
        *puts,
        f"answers = {call}",
        *(f"{name} = [names[{name!r}] for names, _ in answers]" for name in plan.binds),
        f"{result} = [value for _, value in answers]",
    ]


def _item(plan: RemotePlan) -> str:
    assert plan.items is not None
    return plan.items.target if plan.items.target.isidentifier() else f"({plan.items.target})"
