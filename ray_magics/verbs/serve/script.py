"""A deployment as a plain Ray script, and in words."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from ...cell.reader import Cell, read_cell
from ...errors import UsageError
from ...ship.captures import Captures, find_captures
from ...ship.script import assignment, code_of, describe_captures, finished, is_literal, plain, setting
from .plan import DEFAULT_PORT, LOOPBACK, ServePlan, dir_of

Namespace = Mapping[str, Any]
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_RAYS = ("ray", "serve")
_MAX_ONGOING = 100


def explain(plan: ServePlan, source: str, namespace: dict[str, Any]) -> str:
    """What ``--dry-run`` prints. Nothing of the cell runs."""
    cell = read_cell(source)
    captures = Captures(tuple(one for one in find_captures(cell, namespace).found if one.name not in _RAYS))
    return f"{describe(plan, captures, namespace)}\n\n{script(plan, source, cell, captures, namespace)}"


def describe(plan: ServePlan, captures: Captures, namespace: Namespace) -> str:
    """The plan in a few aligned lines."""
    address = f"http://{plan.host or LOOPBACK}:{plan.port or DEFAULT_PORT}"
    where = f"{address}{plan.route_prefix}" if plan.route_prefix else "through handles alone"
    update = "the old one stops first" if plan.replace else "it serves until the new one is ready"
    lines = [
        f'serves   application "{plan.name}", {where}',
        f"updates  where there is an older version, {update}",
        *describe_captures(captures, namespace),
        f"returns  a handle{f' as {plan.into}' if plan.into else ''}",
    ]
    return "\n".join(lines)


def script(plan: ServePlan, source: str, cell: Cell, captures: Captures, namespace: Namespace) -> str:
    """A program that does the same with Ray alone; ``python`` runs it."""
    tree = ast.parse(plain(source, cell.uses_ipython))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    application = _application(last.value if isinstance(last, ast.Expr) else None, tree, namespace)
    body = ast.unparse(tree)
    given: list[str] = []
    application = _with_options(application, plan, tree, given)
    parts = [
        "import ray\nfrom ray import serve",
        *setting(captures.found, namespace),
        *([body] if body else []),
        *given,
        f"app = {ast.unparse(application)}",
        "\n".join(["ray.init()", *_start(plan), _run(plan)]),
    ]
    return finished("\n\n".join(parts) + "\n")


def _application(last: ast.expr | None, tree: ast.Module, namespace: Namespace) -> ast.expr:
    """The expression of the application: the last line, a name bound to one, the only deployment of the cell."""
    defined = {node.name: node for node in tree.body if isinstance(node, Definition)}
    if isinstance(last, ast.Name) and last.id in defined:
        return _bound(defined[last.id])
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and _is_bind(node.value)]
    if isinstance(last, ast.Name):
        assigned = [node for node in assigned if last.id in map(ast.unparse, node.targets)]
    if last is not None and not (isinstance(last, ast.Name) and assigned):
        return _known(last, namespace)
    if assigned:
        tree.body.remove(assigned[-1])
        return assigned[-1].value
    return _bound(_only(defined, namespace))


def _known(last: ast.expr, namespace: Namespace) -> ast.expr:
    """A name of the notebook is served as what it is there."""
    from .plan import APPLICATION, DEFINITION, kind_of

    kind = kind_of(namespace.get(last.id)) if isinstance(last, ast.Name) else APPLICATION
    if kind == APPLICATION:
        return last
    made = f"serve.deployment({ast.unparse(last)})" if kind == DEFINITION else ast.unparse(last)
    return ast.parse(f"{made}.bind()", mode="eval").body


def _is_bind(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "bind"


def _only(defined: Mapping[str, Definition], namespace: Namespace) -> Definition:
    decorated = [node for node in defined.values() if _is_deployment(node)]
    own = [node for node in defined.values() if not node.name.startswith("_")]
    callable_ = [node for node in own if isinstance(node, ast.ClassDef) and _has_call(node, defined, namespace)]
    functions = [node for node in own if not isinstance(node, ast.ClassDef)]
    found = decorated or callable_ or functions
    if len(found) != 1:
        names = ", ".join(node.name for node in found) or "none"
        raise UsageError(f"The cell's deployments: {names}. Put the one to serve on its last line.")
    return found[0]


def _is_deployment(node: Definition) -> bool:
    return any("deployment" in ast.unparse(decorator) for decorator in node.decorator_list)


def _has_call(node: ast.ClassDef, defined: Mapping[str, Definition], namespace: Namespace) -> bool:
    """Its own, or one of a base that the cell or the notebook defines."""
    if any(isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and one.name == "__call__" for one in node.body):
        return True
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != node.name]
    there = [base for name in bases if isinstance(base := defined.get(name), ast.ClassDef)]
    known = [base for name in bases if isinstance(base := namespace.get(name), type)]
    return any(_has_call(base, defined, namespace) for base in there) or any("__call__" in dir_of(one) for one in known)


def _bound(node: Definition) -> ast.expr:
    made = node.name if _is_deployment(node) else f"serve.deployment({node.name})"
    return ast.parse(f"{made}.bind()", mode="eval").body


def _with_options(application: ast.expr, plan: ServePlan, tree: ast.Module, given: list[str]) -> ast.expr:
    """``Model.bind(x)`` as ``Model.options(num_replicas=2).bind(x)``; anything else as it is.

    Values that are no literals are defined before it, in `given`.
    """
    if not (_is_bind(application) and isinstance(application, ast.Call)):
        return application
    assert isinstance(application.func, ast.Attribute)
    options = dict(plan.options)
    said = f"{ast.unparse(tree)} {ast.unparse(application)}"
    if "max_ongoing_requests" not in options and "max_ongoing_requests" not in said:
        options["max_ongoing_requests"] = _MAX_ONGOING
    if options.get("num_replicas", 0) is None:
        del options["num_replicas"]
    keywords = ", ".join(f"{key}={_value(key, value, given)}" for key, value in options.items())
    bound = ", ".join(f"{key}={_value(key, value, given)}" for key, value in plan.bind.items())
    made = ast.parse(f"x.options({keywords}).bind({bound})", mode="eval").body
    assert isinstance(made, ast.Call) and isinstance(made.func, ast.Attribute) and isinstance(made.func.value, ast.Call)
    assert isinstance(made.func.value.func, ast.Attribute)
    made.func.value.func.value = application.func.value
    made.args, made.keywords = application.args, [*application.keywords, *made.keywords]
    return made


def _value(key: str, value: Any, given: list[str]) -> str:
    """A literal as it is; the name of anything else, whose definition `given` gets."""
    value = value.model_dump(exclude_unset=True) if hasattr(value, "model_dump") else value
    if is_literal(repr(value), value):
        return code_of(value, key)
    given.append(assignment(f"given_{key}", value))
    return f"given_{key}"


def _start(plan: ServePlan) -> Iterator[str]:
    if plan.host or plan.port or plan.grpc_port:
        address = {"host": plan.host or LOOPBACK, "port": plan.port or DEFAULT_PORT}
        grpc = {"port": plan.grpc_port, "grpc_servicer_functions": list(plan.grpc_functions)}
        yield f"serve.start(http_options={address!r}{f', grpc_options={grpc!r}' if plan.grpc_port else ''})"


def _run(plan: ServePlan) -> str:
    return f"serve.run(app, name={plan.name!r}, route_prefix={plan.route_prefix!r}, blocking=True)"
