"""A deployment as a plain Ray script, and in words."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from ...cell.reader import Cell, read_cell
from ...errors import UsageError
from ...ship.captures import Captures, find_captures
from ...ship.cell_text import plain
from ...ship.script import assignment, code_of, describe_captures, finished, is_literal, putting, setting
from .application import NOTEBOOK_DEFAULTS
from .earlier import source_of_earlier
from .plan import APPLICATION, ASGI_APP, DEFAULT_PORT, DEFINITION, LOOPBACK, ServePlan, attributes_of, kind_of

Namespace = Mapping[str, Any]
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_RAY_NAMES = ("ray", "serve")  # which the script imports itself


def explain(plan: ServePlan, source: str, namespace: dict[str, Any]) -> str:
    """What ``--dry-run`` prints. Nothing of the cell runs."""
    cell = read_cell(source)
    captures = Captures(tuple(c for c in find_captures(cell, namespace).found if c.name not in _RAY_NAMES))
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
    definitions: list[str] = []
    application = _with_options(application, plan, tree, definitions, namespace)
    refs = list(putting(captures.found))
    parts = [
        "import ray\nfrom ray import serve",
        *setting(captures.found, namespace, partial(source_of_earlier, namespace=namespace), _RAY_NAMES),
        *(["ray.init()", *refs] if refs else []),
        *([body] if body else []),
        *definitions,
        f"app = {ast.unparse(application)}",
        "\n".join([*([] if refs else ["ray.init()"]), *_start(plan), _run(plan)]),
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
    if isinstance(last, ast.Name) and last.id in _apps(tree):
        return _bind_app(last.id)
    if last is not None and not (isinstance(last, ast.Name) and assigned):
        return _from_notebook(last, namespace)
    if assigned:
        tree.body.remove(assigned[-1])
        return assigned[-1].value
    apps = _apps(tree)
    if len(apps) == 1 and not any(map(_can_answer(defined, namespace), defined.values())):
        return _bind_app(apps[0])
    return _bound(_only(defined, namespace))


def _can_answer(defined: Mapping[str, Definition], namespace: Namespace) -> Callable[[Definition], bool]:
    """Whether a definition is a deployment, or a class that is called for a request."""

    def can(node: Definition) -> bool:
        return _is_deployment(node) or (isinstance(node, ast.ClassDef) and _has_call(node, defined, namespace))

    return can


def _from_notebook(last: ast.expr, namespace: Namespace) -> ast.expr:
    """A name of the notebook is served as what it is there."""
    kind = kind_of(namespace.get(last.id)) if isinstance(last, ast.Name) else APPLICATION
    if kind == ASGI_APP:
        return _bind_app(ast.unparse(last))
    return last if kind == APPLICATION else _bind(ast.unparse(last), is_deployment=kind != DEFINITION)


def _apps(tree: ast.Module) -> list[str]:
    """The names to which the cell assigns a FastAPI app."""
    made = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).rpartition(".")[2] == "FastAPI"
    ]
    return [target.id for node in made for target in node.targets if isinstance(target, ast.Name)]


def _bind_app(name: str) -> ast.expr:
    """``app`` as the ingress of a deployment of its own."""
    return _bind(f"serve.ingress({name})(type({name!r}, (), {{}}))", is_deployment=False)


def _is_bind(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "bind"


def _only(defined: Mapping[str, Definition], namespace: Namespace) -> Definition:
    """The deployment of a cell, else its class or function that can answer. Raises UsageError for none or several."""
    deployments = [node for node in defined.values() if _is_deployment(node)]
    own = [node for node in defined.values() if not node.name.startswith("_")]
    classes = [node for node in own if isinstance(node, ast.ClassDef) and _has_call(node, defined, namespace)]
    functions = [node for node in own if not isinstance(node, ast.ClassDef)]
    candidates = deployments or classes or functions
    if len(candidates) != 1:
        names = ", ".join(node.name for node in candidates) or "none"
        raise UsageError(f"The cell's deployments: {names}. Put the one to serve on its last line.")
    return candidates[0]


def _is_deployment(node: Definition) -> bool:
    return any("deployment" in ast.unparse(decorator) for decorator in node.decorator_list)


def _has_call(node: ast.ClassDef, defined: Mapping[str, Definition], namespace: Namespace) -> bool:
    """Its own, or one of a base that the cell or the notebook defines."""
    functions = [part for part in node.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))]
    if any(function.name == "__call__" for function in functions):
        return True
    names = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != node.name]
    in_cell = [base for name in names if isinstance(base := defined.get(name), ast.ClassDef)]
    in_notebook = [base for name in names if isinstance(base := namespace.get(name), type)]
    return any(_has_call(base, defined, namespace) for base in in_cell) or any(
        "__call__" in attributes_of(base) for base in in_notebook
    )


def _bound(node: Definition) -> ast.expr:
    return _bind(node.name, _is_deployment(node))


def _bind(name: str, is_deployment: bool) -> ast.expr:
    """``Model`` -> ``Model.bind()``, or ``serve.deployment(Model).bind()``"""
    return ast.parse(f"{name if is_deployment else f'serve.deployment({name})'}.bind()", mode="eval").body


def _with_options(
    application: ast.expr, plan: ServePlan, tree: ast.Module, definitions: list[str], namespace: Namespace
) -> ast.expr:
    """``Model.bind(x)`` as ``Model.options(num_replicas=2).bind(x)``; anything else as it is.

    Values that are no literals are defined before it, in `definitions`.
    """
    if not (_is_bind(application) and isinstance(application, ast.Call)):
        return application
    assert isinstance(application.func, ast.Attribute)
    options = dict(plan.options)
    if not any("max_ongoing_requests" in text for text in (*options, ast.unparse(tree), ast.unparse(application))):
        options["max_ongoing_requests"] = NOTEBOOK_DEFAULTS["max_ongoing_requests"]
    if options.get("num_replicas", 0) is None:
        del options["num_replicas"]
    keywords = ", ".join(f"{name}={_value(name, value, definitions, namespace)}" for name, value in options.items())
    arguments = ", ".join(f"{name}={_value(name, value, definitions, namespace)}" for name, value in plan.bind.items())
    call = ast.parse(f"_.options({keywords}).bind({arguments})", mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call)
    assert isinstance(call.func.value.func, ast.Attribute)
    call.func.value.func.value = application.func.value
    call.args, call.keywords = application.args, [*application.keywords, *call.keywords]
    return call


def _value(name: str, value: Any, definitions: list[str], namespace: Namespace) -> str:
    """A literal as it is; the name of anything else, whose definition `definitions` gets."""
    value = value.model_dump(exclude_unset=True) if hasattr(value, "model_dump") else value
    if is_literal(repr(value), value):
        return code_of(value, name)
    in_notebook = next((name for name, one in namespace.items() if one is value), f"given_{name}")
    definitions.append(assignment(f"given_{name}", value, saved=in_notebook))
    return f"given_{name}"


def _start(plan: ServePlan) -> Iterator[str]:
    if plan.host or plan.port or plan.grpc_port:
        address = {"host": plan.host or LOOPBACK, "port": plan.port or DEFAULT_PORT}
        grpc = {"port": plan.grpc_port, "grpc_servicer_functions": list(plan.grpc_functions)}
        yield f"serve.start(http_options={address!r}{f', grpc_options={grpc!r}' if plan.grpc_port else ''})"


def _run(plan: ServePlan) -> str:
    return f"serve.run(app, name={plan.name!r}, route_prefix={plan.route_prefix!r}, blocking=True)"
