"""Scopes of Python code: which names belong to a function, a class or a comprehension."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

_SWALLOWERS = frozenset({"suppress", "raises", "assertRaises", "assertRaisesRegex"})

_OTHER_ERRORS = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException) and not issubclass(NameError, value)
)

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Scope:
    """One level of names.

    Attributes:
        names, globals: what belongs to it, and what a `global` statement leaves to the module.
        lazy: its code runs later than where it stands.
        class_name: for a class and its methods the name of the class, which is bound when a method runs.
        settled: the names that are certainly bound or deleted where the walk is; None on a path that never ends.
    """

    kind: Literal["module", "class", "function", "comprehension", "types"]
    names: frozenset[str] = frozenset()
    globals: frozenset[str] = frozenset()
    lazy: bool = False
    class_name: str = ""
    settled: set[str] | None = field(default_factory=set)

    @property
    def is_inner(self) -> bool:
        """Whether statements, or a walrus, inside it bind in the scope around it."""
        return self.kind in ("comprehension", "types")


def bound_by(node: ast.AST) -> list[str]:
    """The names that this very node binds in its scope (its children not counted)."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name for alias in aliases if alias.name != "*"]
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
            return [name] if name else []
        case ast.MatchMapping(rest=name):
            return [name] if name else []
    return []


def same_scope(node: ast.AST) -> Iterable[ast.AST]:
    """The children that bind in the scope of the node: not the body of a nested function or class."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [*node.decorator_list, *defaults(node.args)]
        case ast.Lambda():
            return defaults(node.args)
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case ast.comprehension():
            return [node.iter, *node.ifs]
    return ast.iter_child_nodes(node)


def scope_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield node
        yield from scope_nodes(same_scope(node))


def scope_of(kind: Literal["class", "function"], body: Sequence[ast.AST], args: Iterable[str] = ()) -> Scope:
    """The scope of a function or class with this body.

    `def f(a): global g; b = [c for c in d]`  ->  names {a, b}, globals {g}
    """
    nodes = list(scope_nodes(body))
    bound = {name for node in nodes for name in bound_by(node)} | set(args)
    outer = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    nonlocal_ = {name for node in nodes if isinstance(node, ast.Nonlocal) for name in node.names}
    return Scope(kind, frozenset(bound - outer - nonlocal_), frozenset(outer), lazy=kind == "function")


def arguments(args: ast.arguments) -> Iterator[ast.arg]:
    yield from (*args.posonlyargs, *args.args, *args.kwonlyargs)
    yield from (arg for arg in (args.vararg, args.kwarg) if arg)


def defaults(args: ast.arguments) -> list[ast.expr]:
    return [*args.defaults, *(default for default in args.kw_defaults if default)]


def annotations_of(node: Function) -> list[ast.expr]:
    annotations = [arg.annotation for arg in arguments(node.args)] + [node.returns]
    return [annotation for annotation in annotations if annotation]


def type_params(node: ast.AST) -> list[Any]:
    """`def f[T](x)`: Python 3.12 and later."""
    return getattr(node, "type_params", [])


def root_name(node: ast.expr, through_calls: bool = False) -> str | None:
    """`df.loc[0].a`  ->  `df`; with `through_calls` also `df.groupby(k).a`  ->  `df`."""
    while True:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                node = value
            case ast.Call(func=func) if through_calls:
                node = func
            case _:
                return None


def may_swallow(node: ast.With | ast.AsyncWith) -> bool:
    """Whether the `with` may go on after an exception in its body, as `suppress(...)` does."""
    called = (item.context_expr.func for item in node.items if isinstance(item.context_expr, ast.Call))
    return any(getattr(func, "attr", getattr(func, "id", "")) in _SWALLOWERS for func in called)


def may_catch_name_error(handler: ast.ExceptHandler) -> bool:
    """Whether a NameError may end in the handler: `except`, `except Exception`, `except errors`, but not `OSError`."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return not all(isinstance(kind, ast.Name) and kind.id in _OTHER_ERRORS for kind in kinds)


def joined(ends: list[set[str] | None]) -> set[str] | None:
    """What is settled where paths meet; a path that ended in `raise` or `break` has no say."""
    reached = [end for end in ends if end is not None]
    return set.intersection(*reached) if reached else None


def scope_names(nodes: Iterable[ast.AST]) -> frozenset[str]:
    return frozenset(name for node in scope_nodes(nodes) for name in bound_by(node))


def string_of(node: ast.AST | None) -> str | None:
    """The string that a node is, if it is one."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def has_lazy_annotations(tree: ast.Module) -> bool:
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return any(node.module == "__future__" and "annotations" in bound_by(node) for node in imports)
