"""A plan as a plain Ray script, and in words: what runs, what is sent, what comes back."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from ...ship.cell_text import executed, indented, must_be_text, plain, shows_nothing, split_value
from ...ship.pickles import Namespace
from ...ship.script import code_of, describe_captures, finished, putting, setting
from .definitions import is_remote
from .passing import Passing, passing_of
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
        where = f" on actors that each hold {plan.pool.source}" if plan.pool else ", many to a task"
        return f"the cell once per item of {plan.items.iterable}{where}{with_options}"
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
    captures = (*plan.captures.found, *plan.feed.found, *(plan.pool.captures.found if plan.pool else ()))
    namespace = plan.pool.namespace(namespace) if plan.pool else namespace
    parts = ["import ray", *setting(captures, namespace, imported=["ray"]), "ray.init()", *putting(captures)]
    if plan.form == DEFINE:
        return finished("\n\n".join([*parts, _definitions(plan, cell)]) + "\n")
    passing = passing_of(plan, namespace)
    parts += [_function(plan, passing, cell), *_pool(plan)]
    parts += [*([_OUTCOME] if plan.keep else []), _call(plan, passing, cell)]
    return finished("\n\n".join(parts) + "\n")


def _definitions(plan: RemotePlan, cell: str) -> str:
    """The cell with ``@ray.remote`` above each function and class that becomes remote."""
    tree, lines = ast.parse(cell), cell.split("\n")
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


def _function(plan: RemotePlan, passing: Passing, cell: str) -> str:
    """The cell as a remote function; what it binds or changes, and its value, it returns."""
    first = [*([plan.pool.name] if plan.pool else []), *(["__item__"] if plan.form == MAP else [])]
    decorator = "" if plan.pool else f"@ray.remote{_arguments(plan.options)}\n"
    head = f"{decorator}def cell({', '.join([*first, *passing.parameters])}):"
    unpack = [f"{plan.items.target} = __item__"] if plan.items else []
    body = "\n".join([*_arrival(plan, passing), *unpack, _fits_in_function(plan, passing, cell)])
    return f"{head}\n{indented(body)}"


def _pool(plan: RemotePlan) -> Iterator[str]:
    """The actors of a pool, each with its object; they take turns."""
    if plan.pool is None:
        return
    yield (
        f"@ray.remote{_arguments({'num_cpus': 1, **plan.actor_options})}\nclass PooledActor:\n"
        f"    def __init__(self):\n        self.made = {plan.pool.source}\n\n"
        "    def run(self, *arguments):\n        return cell(self.made, *arguments)"
    )
    size = plan.pool.size or "int(ray.cluster_resources()['CPU'])"
    yield f"import itertools\nturn = itertools.cycle([PooledActor.remote() for _ in range({size})])"


def _arrival(plan: RemotePlan, passing: Passing) -> Iterator[str]:
    """Statements that give the captured values their names, and make writable what the cell may write into."""
    if passing.as_globals:
        targets = plan.items.names if plan.items else ()
        names = dict.fromkeys([*passing.names, *targets, *plan.binds])
        own = [name for name in names if name not in passing.refs]
        yield from [f"global {', '.join(own)}"] if own else []
    if passing.copied:
        yield "import copy  # arrays that Ray sends are read-only"
    if passing.together:
        target = passing.tuple_text if len(passing.names) == 1 else ", ".join(passing.names)
        yield f"{target} = {'copy.deepcopy(captured)' if passing.copied else 'captured'}"
    else:
        yield from (f"{name} = copy.deepcopy({name})" for name in passing.copied)


def _fits_in_function(plan: RemotePlan, passing: Passing, cell: str) -> str:
    """The body; one that must stay at module level (star imports, ``global``, ``await``, ``def``) is run as text."""
    if must_be_text(plan.cell) or plan.cell.functions or plan.cell.classes:
        return _as_text(plan, passing, cell)
    lines, value = split_value(cell)
    if value and _names_back(plan, passing) and (passing.as_globals or ":=" in value):
        lines, value = [*lines, f"__value__ = {value}"], "__value__"  # it binds names, or what it calls does
    return "\n".join([*lines, f"return {_answer(plan, passing, ast.parse(cell), value or 'None')}"])


def _answer(plan: RemotePlan, passing: Passing, tree: ast.Module, value: str) -> str:
    names = _names_back(plan, passing)
    if not names:
        return value
    certain = {*passing.returned, *(name for node in tree.body for name in _certain(node))}
    if certain.issuperset(names) and not plan.cell.deletes:
        return "{" + ", ".join(f"{name!r}: {name}" for name in names) + f"}}, {value}"
    return f"{_existing('globals()' if passing.as_globals else 'locals()', names)}, {value}"


def _names_back(plan: RemotePlan, passing: Passing) -> tuple[str, ...]:
    """What the task returns beside its value."""
    future = {name for node in ast.parse(plan.cell.source).body for name in _future(node)}
    return tuple(
        name for name in dict.fromkeys([*passing.returned, *passing.rebound, *plan.binds]) if name not in future
    )


def _future(node: ast.stmt) -> list[str]:
    is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return [alias.name for alias in node.names] if is_future and isinstance(node, ast.ImportFrom) else []


def _certain(node: ast.stmt) -> list[str]:
    """Names that a statement surely binds."""
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)) and isinstance(node.target, ast.Name):
        return [node.target.id] if node.value is not None else []
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    return []


def _as_text(plan: RemotePlan, passing: Passing, cell: str) -> str:
    """The cell as text, executed in a namespace of its own, or in the globals where helpers have to see it."""
    names = dict.fromkeys([*plan.captures.names, *(plan.items.names if plan.items else ())])
    code = executed(cell, plan.cell.is_async, names, passing.as_globals)
    return f"{code}\nreturn {_answer_of_text(plan, passing, tuple(names))}"


def _answer_of_text(plan: RemotePlan, passing: Passing, known: tuple[str, ...]) -> str:
    value, names = "namespace.get('__value__')", _names_back(plan, passing)
    if plan.cell.binds_unknown and plan.form != MAP:
        old = tuple(name for name in known if name not in names)
        return (
            f"{{name: value for name, value in namespace.items() if name[:2] != '__' and name not in {old!r}}}, {value}"
        )
    return f"{_existing('namespace', names)}, {value}" if names else value


def _existing(namespace: str, names: tuple[str, ...]) -> str:
    return f"{{name: value for name, value in {namespace}.items() if name in {names!r}}}"


_OUTCOME = """\
def outcome(ref):
    try:
        return ray.get(ref)
    except ray.exceptions.RayError as error:
        return getattr(error, "cause", None) or error"""


def _call(plan: RemotePlan, passing: Passing, cell: str) -> str:
    result = plan.into or "result"
    lines = _map_call(plan, passing, result) if plan.items else _run_call(plan, passing, result)
    if not plan.into and plan.cell.expression and not plan.cell.silent:
        lines += _shown(plan, cell, result)
    return "\n".join(lines)


def _shown(plan: RemotePlan, cell: str, result: str) -> list[str]:
    """What a notebook shows of the value: nothing where it is None."""
    if plan.items:
        return [f"print({result})"]
    return [] if shows_nothing(cell) else [f"if {result} is not None:\n    print({result})"]


def _run_call(plan: RemotePlan, passing: Passing, result: str) -> list[str]:
    call = f"ray.get(cell.remote({', '.join(passing.arguments)}))"
    if passing.copied:
        return ["import copy", f"names, {result} = copy.deepcopy({call})", "globals().update(names)"]
    if _names_back(plan, passing) or plan.cell.binds_unknown:
        return [f"names, {result} = {call}", "globals().update(names)"]
    return [f"{result} = {call}"]


def _map_call(plan: RemotePlan, passing: Passing, result: str) -> list[str]:
    assert plan.items is not None
    conditions = "".join(f" if {condition}" for condition in plan.items.conditions)
    loop = f"for {plan.items.target} in {plan.items.iterable}{conditions}"
    values = dict(zip(passing.parameters, passing.arguments, strict=True))
    once = [name if name in passing.refs else f"{name}_ref" for name in values]
    puts = [f"{name}_ref = ray.put({value})" for name, value in values.items() if name not in passing.refs]
    callee = "next(turn).run" if plan.pool else "cell"
    tasks = f"[{callee}.remote({', '.join([_item(plan), *once])}) {loop}]"
    call = f"[outcome(ref) for ref in {tasks}]" if plan.keep else f"ray.get({tasks})"
    if not plan.binds:
        return [*puts, f"{result} = {call}"]
    error = "answer if isinstance(answer, Exception) else " if plan.keep else ""
    return [
        *puts,
        f"answers = {call}",
        *(f"{name} = [{error}answer[0][{name!r}] for answer in answers]" for name in plan.binds),
        f"{result} = [{error}answer[1] for answer in answers]",
    ]


def _item(plan: RemotePlan) -> str:
    assert plan.items is not None
    return plan.items.target if plan.items.target.isidentifier() else f"({plan.items.target})"
