"""The names of a cell while it is walked: read from outside, bound, changed, deleted, and on which paths.

On each path some names are *settled*: the cell has certainly bound (or deleted) them, so the value from outside can
never be seen again. Reading any other name is a read from outside. Where paths meet, only what all
of them settled stays settled.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from .scopes import Scope, bound_by, has_lazy_annotations, joined, root_name, type_params

# IPython adds names to `builtins`, and Python 3.13 one more: the same answer is wanted everywhere.
BUILTINS = frozenset(dir(builtins)) - {"_", "get_ipython"} | {"display", "PythonFinalizationError"}
_DUNDER_WORDS = """
    __name__ __doc__ __package__ __loader__ __spec__ __file__ __path__ __builtins__ __builtin__ __import__
    __annotations__ __debug__ __class__ __classdict__ __module__ __qualname__ __build_class__
"""
_DUNDERS = frozenset(_DUNDER_WORDS.split())


@dataclass(frozen=True)
class Name:
    """A name read from outside: on which line first, and whether certainly.

    `certain` is False for a name that the cell binds too on some path, a Python builtin (which a
    notebook may have shadowed), and a name seen only inside a string.
    `needed` is True where the cell cannot but fail without it: False for what only a function reads, a branch that may
    not be taken, or a `try` that may catch a NameError.
    """

    name: str
    line: int
    certain: bool = True
    needed: bool = True


class NameTracker(ast.NodeVisitor):
    """Walks a cell, statement by statement. A subclass says what each kind of node does.

    Attributes:
        binds, updates, calls, deletes: names in the order in which they first occur; updated are objects that the cell
            assigns into (`a.b = …`, `a[0] = …`), called those whose method it calls for its effect alone.
        binds_unknown: it may bind names that its source does not show, as `exec` does.
        uses_ipython: it reads `get_ipython` or `display`.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.binds: dict[str, None] = {}
        self.updates: dict[str, None] = {}
        self.calls: dict[str, None] = {}
        self.deletes: dict[str, None] = {}
        self.binds_unknown = False
        self.uses_ipython = False
        self._reads: dict[str, Name] = {}
        self._read_later: set[str] = set()
        self._maybe_bound: set[str] = set()
        self._bound_in_statement: set[str] = set()
        self._bound_by_functions: set[str] = set()
        self._scopes = [Scope("module")]
        self._optional = 0  # how many branches deep the walk is, each of which may not be taken
        self._text_line: int | None = None
        self._lazy_annotations = has_lazy_annotations(tree)
        for node in tree.body:
            self._top_level(node)
        self._drop(self._bound_by_functions)

    def outside(self) -> tuple[Name, ...]:
        """The names read from outside, by line."""
        names = [replace(name, certain=self._certain(name)) for name in self._reads.values()]
        return tuple(sorted(names, key=lambda name: name.line))

    def _certain(self, name: Name) -> bool:
        return name.certain or (name.name in self._read_later and self._only_outside(name.name))

    def _only_outside(self, name: str) -> bool:
        """Whether nothing walked so far, nor Python itself, may give the name another value."""
        return not self.binds_unknown and name not in self._maybe_bound and name not in BUILTINS

    def _top_level(self, node: ast.stmt) -> None:
        self._bound_in_statement = set()
        self.visit(node)
        self._drop(self._bound_in_statement)
        if isinstance(node, ast.Delete):
            names = [name for target in ast.walk(node) for name in bound_by(target)]
            self.deletes.update(dict.fromkeys(names))

    def _drop(self, names: set[str]) -> None:
        for name in names:
            self.deletes.pop(name, None)

    # reading, binding, changing one name

    def _is_outside(self, name: str) -> bool:
        """Whether the name, read here, may have its value from outside the cell."""
        if name in _DUNDERS:
            return False
        innermost = True
        for scope in reversed(self._scopes[1:]):
            if name in scope.globals:
                break
            if scope.kind == "class":
                if innermost and (scope.settled is None or name in scope.settled):
                    return False
                if innermost and name in scope.names:
                    break
            elif name in scope.names or name == scope.class_name:
                return False
            innermost = innermost and scope.kind == "types"
        settled = self._scopes[0].settled
        return settled is not None and name not in settled

    @property
    def _is_lazy(self) -> bool:
        """Whether this code runs later than where it stands."""
        return any(scope.lazy for scope in self._scopes)

    def _read(self, name: str, line: int, in_string: bool = False) -> None:
        if not self._is_outside(name):
            return
        self.uses_ipython |= name in ("get_ipython", "display")
        if name == "get_ipython":
            return
        if self._is_lazy and not in_string:
            self._read_later.add(name)
        certain = not in_string and not self._is_lazy and self._only_outside(name)
        needed = certain and not self._optional
        earlier = self._reads.get(name, Name(name, line, False, False))
        line = min(line, earlier.line)
        self._reads[name] = Name(name, line, earlier.certain or certain, earlier.needed or needed)

    def _line(self, node: ast.expr) -> int:
        """The line of a node; inside an f-string that of its start, on which all Pythons agree."""
        return self._text_line or node.lineno

    def _bind(self, name: str) -> None:
        """Bind a name in the scope that is walked; at the top of the cell this settles it."""
        scope = self._binding_scope(name)
        if name in scope.globals:
            self._bound_by_functions.add(name)
            self._bind_maybe(name)
        elif scope.kind != "function":
            if scope.kind == "module":
                self._bind_maybe(name)
            if scope.settled is not None:
                scope.settled.add(name)

    def _binding_scope(self, name: str = "") -> Scope:
        """The scope in which a statement, or a walrus, binds the name."""
        scopes = reversed(self._scopes)
        return next(scope for scope in scopes if not scope.is_inner or name in scope.names)

    def _bind_maybe(self, name: str) -> None:
        self.binds.setdefault(name)
        self._maybe_bound.add(name)
        self._bound_in_statement.add(name)

    def _delete(self, name: str, line: int) -> None:
        self._read(name, line)
        self._bind(name)

    def _update(self, node: ast.Attribute | ast.Subscript) -> None:
        name = root_name(node)
        if name and self._is_outside(name):
            self.updates.setdefault(name)
            self.binds.setdefault(name)

    # paths and scopes

    def _walk(self, *nodes: ast.AST | Sequence[ast.AST] | None) -> None:
        for node in nodes:
            if isinstance(node, ast.AST):
                self.visit(node)
            else:
                self._walk(*(node or ()))

    def _branches(self, *paths: Callable[[], None]) -> None:
        """Walk each path from here; what all of them settle is settled after."""
        scope = self._binding_scope()
        start, ends = scope.settled, []
        for path in paths:
            scope.settled = None if start is None else set(start)
            path()
            ends.append(scope.settled)
        scope.settled = joined(ends)

    @contextmanager
    def _optionally(self, is_optional: bool = True) -> Iterator[None]:
        """What is walked inside may not be executed, or may fail without harm."""
        self._optional += is_optional
        yield
        self._optional -= is_optional

    def _maybe(self, *nodes: ast.AST | Sequence[ast.AST] | None) -> None:
        """Walk what may not be executed at all."""
        self._branches(partial(self._walk, *nodes), lambda: None)

    @contextmanager
    def _inside(self, scope: Scope) -> Iterator[None]:
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    def _types(self, node: ast.AST) -> AbstractContextManager[None]:
        names = frozenset(param.name for param in type_params(node))
        return self._inside(Scope("types", names))
