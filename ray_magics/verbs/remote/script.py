"""A plan as a plain Ray script, and in words: what runs, what is sent, what comes back."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from typing import Any

from ...ship.script import Namespace, code_of, describe_captures, finished, plain, setting, split_head
from .definitions import is_remote
from .plan import DEFINE, MAP, RemotePlan


def explain(plan: RemotePlan, namespace: Namespace, source: str) -> str:
    """What ``--dry-run`` prints."""
    return f"{describe(plan, namespace)}\n\n{script(plan, namespace, source)}"


# --- in words -----------------------------------------------------------------------------------------------------


def describe(plan: RemotePlan, namespace: Namespace) -> str:
    """The plan in a few aligned lines."""
    lines = [f"runs     {_what(plan)}", *describe_captures(plan.captures, namespace), f"returns  {_returns(plan)}"]
    lines += [f"missing  {name.name} (line {name.line}) is not defined here" for name in plan.captures.missing]
    return "\n".join(lines)


def _what(plan: RemotePlan) -> str:
    options = ", ".join(f"{key}={code_of(value, key)}" for key, value in plan.options.items())
    with_options = f" with {options}" if options else ""
    if plan.form == DEFINE:
        return f"here: {', '.join(plan.definitions.remote) or 'nothing'} become remote{with_options}"
    if plan.form == MAP and plan.items:
        return f"the cell once per item of {plan.items.iterable}, many to a task{with_options}"
    return f"one task{with_options}"


def _returns(plan: RemotePlan) -> str:
    value = []
    if plan.cell.expression and plan.form != DEFINE:
        value = [f"the value of the last line{f' as {plan.into}' if plan.into else ''}"]
    return ", ".join([*plan.binds, *value]) or "nothing"


# --- as a script --------------------------------------------------------------------------------------------------


def script(plan: RemotePlan, namespace: Namespace, source: str) -> str:
    """A program that does the same with Ray alone; ``python`` runs it."""
    cell = plain(source, plan.cell.uses_ipython)
    head, rest = split_head(cell)
    if head and not (plan.form != DEFINE and _must_be_text(plan, cell)):
        cell = rest
    else:
        head = ""
    parts = [*([head] if head else []), "import ray"]
    parts += [*setting((*plan.captures.found, *plan.feed.found), namespace), "ray.init()"]
    if plan.form == DEFINE:
        return finished("\n\n".join([*parts, _definitions(plan, cell)]) + "\n")
    parts += [_function(plan, cell), _call(plan)]
    return finished("\n\n".join(parts) + "\n")


def _definitions(plan: RemotePlan, cell: str) -> str:
    """The cell with ``@ray.remote`` above each function and class."""
    tree, lines = ast.parse(cell), cell.splitlines()
    for node in reversed(tree.body):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if node.name in plan.definitions.remote and not is_remote(node):
            options = plan.actor_options if isinstance(node, ast.ClassDef) else plan.options
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines.insert(first - 1, f"@ray.remote{_arguments(options)}")
    return "\n".join(lines)


def _arguments(options: Mapping[str, Any]) -> str:
    return f"({', '.join(f'{key}={code_of(value, key)}' for key, value in options.items())})" if options else ""


def _function(plan: RemotePlan, cell: str) -> str:
    """The cell as a remote function: what it captures are parameters, what it binds and its value it returns."""
    first = ["__item__"] if plan.form == MAP else []
    names, together = _parameters(plan), _travels_together(plan)
    parameters = [*first, "values"] if together else [*first, *names]
    head = f"@ray.remote{_arguments(plan.options)}\ndef cell({', '.join(parameters)}):"
    unpack = [f"{plan.items.target} = __item__"] if plan.items else []
    unpack += [f"{', '.join(names)} = values"] if together else []
    body = "\n".join([*unpack, _fits_in_function(plan, cell)])
    return f"{head}\n{textwrap.indent(body, '    ')}"


def _changed(plan: RemotePlan) -> tuple[str, ...]:
    """Captured values that the cell changes in place, as far as its source shows; they come back, too."""
    if plan.form == MAP:
        return ()
    changed = {*plan.cell.updates, *plan.cell.calls}.difference(plan.binds)
    return tuple(c.name for c in plan.captures.found if c.kind == "value" and c.name in changed)


def _travels_together(plan: RemotePlan) -> bool:
    """Whether the values are one argument, so that parts which they share stay shared."""
    return bool(_changed(plan)) and len(_parameters(plan)) > 1


def _parameters(plan: RemotePlan) -> list[str]:
    return [capture.name for capture in plan.captures.found if capture.kind in ("value", "ref")]


def _must_be_text(plan: RemotePlan, cell: str) -> bool:
    """Whether the cell can only be at the level of a module."""
    globals_used = any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(cell)))
    parts = plan.cell.binds_unknown, plan.cell.is_async, globals_used, plan.cell.functions, plan.cell.classes
    return any(map(bool, parts))


def _fits_in_function(plan: RemotePlan, cell: str) -> str:
    """The body; one that must stay at module level (star imports, ``global``, ``await``, ``def``) is run as text."""
    tree = ast.parse(cell)
    if _must_be_text(plan, cell):
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
    ], f"({value})" if "\n" in value or isinstance(last.value, ast.Tuple) else value


def _answer(plan: RemotePlan, tree: ast.Module, value: str) -> str:
    changed = _parameters(plan) if _travels_together(plan) else _changed(plan)
    if not plan.binds and not changed:
        return value
    certain = {*(name for node in tree.body for name in _certain(node)), *changed}
    if certain.issuperset(plan.binds) and not plan.cell.deletes:
        names = "{" + ", ".join(f"{name!r}: {name}" for name in dict.fromkeys([*changed, *plan.binds])) + "}"
    else:
        names = _existing("locals()", (*changed, *plan.binds))
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
    names = (*_changed(plan), *plan.binds)
    return f"{_existing('namespace', names)}, {value}" if names else value


def _existing(names: str, wanted: tuple[str, ...]) -> str:
    return f"{{name: value for name, value in {names}.items() if name in {wanted!r}}}"


def _call(plan: RemotePlan) -> str:
    result = plan.into or "result"
    lines = _map_call(plan, result) if plan.items else _run_call(plan, result)
    if not plan.into and plan.cell.expression and not plan.cell.silent:
        lines.append(f"if {result} is not None:\n    print({result})")
    return "\n".join(lines)


def _run_call(plan: RemotePlan, result: str) -> list[str]:
    names = ", ".join(_parameters(plan))
    call = f"ray.get(cell.remote({f'({names})' if _travels_together(plan) else names}))"
    if plan.binds or plan.cell.binds_unknown or _changed(plan):
        return [f"names, {result} = {call}", "globals().update(names)"]
    return [f"{result} = {call}"]


def _map_call(plan: RemotePlan, result: str) -> list[str]:
    assert plan.items is not None
    conditions = "".join(f" if {condition}" for condition in plan.items.conditions)
    loop = f"for {plan.items.target} in {plan.items.iterable}{conditions}"
    once = [f"{name}_ref" for name in _parameters(plan)]
    puts = [f"{ref} = ray.put({name})" for ref, name in zip(once, _parameters(plan), strict=True)]
    refs = f"[cell.remote({', '.join([_item(plan), *once])}) {loop}]"
    call = f"[outcome(ref) for ref in {refs}]" if plan.keep else f"ray.get({refs})"
    puts = [_OUTCOME, *puts] if plan.keep else puts
    if not plan.binds:
        return [*puts, f"{result} = {call}"]
    return [
        *puts,
        f"answers = {call}",
        *(f"{name} = [{_kept(plan, f'answer[0][{name!r}]')} for answer in answers]" for name in plan.binds),
        f"{result} = [{_kept(plan, 'answer[1]')} for answer in answers]",
    ]


_OUTCOME = """def outcome(ref):
    try:
        return ray.get(ref)
    except Exception as error:
        return getattr(error, "cause", error)
"""


def _kept(plan: RemotePlan, value: str) -> str:
    """What stands for an item, which with ``--on-error keep`` may be an exception."""
    return f"answer if isinstance(answer, Exception) else {value}" if plan.keep else value


def _item(plan: RemotePlan) -> str:
    assert plan.items is not None
    return plan.items.target if plan.items.target.isidentifier() else f"({plan.items.target})"
