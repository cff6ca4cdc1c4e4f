"""``[NAME =] EXPRESSION`` with everything of ``ray.data`` in scope."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ...cell.reader import names_read
from ...errors import UsageError

EXAMPLE = '%ray_data ds = read_parquet("trips/*.parquet").filter(expr="fare > 2")'
MODULES = ("ray.data", "ray.data.expressions", "ray.data.aggregate")
_PYTHONS_OWN = frozenset({"range"})  # names of ray.data that Python has, too
_TAKE_ITERABLES = frozenset(
    {"all", "any", "dict", "enumerate", "filter", "from_items", "iter", "len", "list", "map", "max", "min", "reversed"}
    | {"set", "frozenset", "sorted", "sum", "tuple", "zip"}
)


@dataclass(frozen=True)
class DataExpression:
    """What follows ``%ray_data``.

    Attributes:
        expression: the code of the value.
        targets: the names that the value is bound to.
        unpacks: whether each of them gets a part of it.
    """

    expression: ast.expr
    targets: tuple[str, ...] = ()
    unpacks: bool = False

    @property
    def code(self) -> str:
        return ast.unparse(self.expression)

    def qualified(self, namespace: Mapping[str, Any]) -> str:
        """The code with Ray's names as ``ray.data.read_parquet``, for a script; see `imports` for the others."""
        names = {*self.of_ray(namespace, ray_data_scope())} - self._bound_inside()
        tree = _WithPythonsOwn(names & _PYTHONS_OWN, "{}").visit(copy.deepcopy(self.expression))
        return ast.unparse(_Qualified(names).visit(tree))

    def imports(self, namespace: Mapping[str, Any]) -> list[str]:
        """The imports of those of Ray's names that `qualified` leaves, for they mean something else in a part of it."""
        left = {*self.of_ray(namespace, ray_data_scope())} & self._bound_inside()
        return [f"from {module_of(name)} import {name}" for name in sorted(left)]

    def _bound_inside(self) -> set[str]:
        """The parameters of lambdas, and the variables of comprehensions."""
        nodes = [*ast.walk(self.expression)]
        stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        return stored | {node.arg for node in nodes if isinstance(node, ast.arg)}

    def of_ray(self, namespace: Mapping[str, Any], ray_names: Iterable[str]) -> tuple[str, ...]:
        """The names in it that are Ray's: those of the notebook come first, Python's own last."""
        return tuple(sorted(name for name in {*names_read(self.code)} & {*ray_names} if name not in namespace))

    def make(self, filename: str, namespace: dict[str, Any], scope: Mapping[str, Any]) -> Callable[[], Any]:
        """A function that evaluates it in the notebook's namespace; what it makes there reads the notebook's globals.

        Args:
            scope: what is in scope beside the notebook's names.
        """
        names = self.of_ray(namespace, scope)
        body = _WithPythonsOwn(set(names) & _PYTHONS_OWN).visit(copy.deepcopy(self.expression))
        function = ast.parse(f"lambda {', '.join(names)}: 0", mode="eval")
        assert isinstance(function.body, ast.Lambda)
        function.body.body = body
        code = compile(ast.fix_missing_locations(function), filename, "eval")
        return lambda: eval(code, namespace)(*(scope[name] for name in names))

    def named_values(self, value: Any) -> dict[str, Any]:
        """The value under the names of the line. Raises ValueError as Python does for another number of values."""
        if not self.unpacks:
            return dict.fromkeys(self.targets, value)
        values = tuple(value)
        if len(values) != len(self.targets):
            raise ValueError(f"{len(values)} values for the {len(self.targets)} names {', '.join(self.targets)}")
        return dict(zip(self.targets, values, strict=True))


def read_expression(text: str) -> DataExpression:
    """Raises UsageError for what is no expression, with or without a name to bind."""
    if not text.strip():
        raise UsageError(f"%ray_data needs an expression: {EXAMPLE}")
    try:
        body = ast.parse(text.strip()).body
    except SyntaxError as error:
        raise UsageError(f"%ray_data: {error.msg}: {text.strip()}") from None
    if len(body) != 1 or not isinstance(body[0], (ast.Expr, ast.Assign)):
        raise UsageError(f"%ray_data takes one expression, which may be bound to a name: {EXAMPLE}")
    statement = body[0]
    if any(isinstance(node, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)) for node in ast.walk(statement)):
        raise UsageError("%ray_data takes no :=, await or yield; bind the value as in %ray_data ds = range(100)")
    if isinstance(statement, ast.Expr):
        return DataExpression(statement.value)
    return DataExpression(statement.value, *_targets(statement))


def _targets(statement: ast.Assign) -> tuple[tuple[str, ...], bool]:
    [*targets] = statement.targets
    if len(targets) == 1 and isinstance(targets[0], (ast.Tuple, ast.List)):
        names, unpacks = targets[0].elts, True
    else:
        names, unpacks = targets, False
    if not all(isinstance(name, ast.Name) for name in names):
        raise UsageError("%ray_data binds names alone: ds = …, or train, valid = …")
    return tuple(name.id for name in names if isinstance(name, ast.Name)), unpacks


class _WithPythonsOwn(ast.NodeTransformer):
    """Leaves ``range`` to Python where the code iterates over it: there Ray's would be a dataset."""

    def __init__(self, names: set[str], form: str = "__import__('builtins').{}") -> None:
        self.names, self.form = names, form

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.iter = self._pythons_own(node.iter)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in _TAKE_ITERABLES:
            node.args = [self._pythons_own(argument) for argument in node.args]
        return self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        node.value = self._pythons_own(node.value)
        return self.generic_visit(node)

    def _pythons_own(self, node: ast.expr) -> ast.expr:
        """``range(3)`` as ``__import__("builtins").range(3)``, or marked as what `_Qualified` leaves alone."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self.names:
            own = ast.parse(self.form.format(node.func.id), mode="eval").body
            node.func = ast.copy_location(own, node.func)
            node.func.is_pythons_own = True  # type: ignore[attr-defined]
        return node


class _Qualified(ast.NodeTransformer):
    """Ray's names with their module."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = set(names)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.names or hasattr(node, "is_pythons_own"):
            return node
        return ast.parse(f"{module_of(node.id)}.{node.id}", mode="eval").body


def module_of(name: str) -> str:
    """The module of Ray Data that has a name of `ray_data_scope`."""
    return next(module for module in MODULES if name in public_names(module))


def public_names(module: str) -> list[str]:
    """The names that a module of Ray Data offers."""
    loaded = import_module(module)
    own = [key for key, value in vars(loaded).items() if isinstance(value, type) and value.__module__ == module]
    return [name for name in getattr(loaded, "__all__", own) if not name.startswith("_")]


def ray_data_scope() -> dict[str, Any]:
    """The public names of ``ray.data``, of its expressions and of its aggregates."""
    return {name: getattr(import_module(module), name) for module in reversed(MODULES) for name in public_names(module)}
