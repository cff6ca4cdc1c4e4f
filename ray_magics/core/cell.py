"""What a cell reads and binds, found from its source alone: nothing is run, imported or decompiled.

    >>> cell = read_cell("y = f(x)\\ny + 1")
    >>> [name.name for name in cell.reads], cell.binds, cell.expression
    (['f', 'x'], ('y',), True)

The walk goes in the order of execution and keeps, for each path, the names that are *settled*: the
cell has certainly bound (or deleted) them, so the value from outside can never be seen again. Reading
any other name is a read from outside. Where paths meet, only what all of them settled stays settled.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import io
import re
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from keyword import iskeyword
from typing import Any, Literal

# IPython adds names to `builtins`, and Python 3.13 one more: the same answer is wanted everywhere.
_BUILTINS = frozenset(dir(builtins)) - {"_", "get_ipython"} | {"display", "PythonFinalizationError"}
_DUNDER_WORDS = """
    __name__ __doc__ __package__ __loader__ __spec__ __file__ __path__ __builtins__ __builtin__ __import__
    __annotations__ __debug__ __class__ __classdict__ __module__ __qualname__ __build_class__
"""
_DUNDERS = frozenset(_DUNDER_WORDS.split())
_SWALLOWERS = frozenset({"suppress", "raises", "assertRaises", "assertRaisesRegex"})
_RUNS_HERE = frozenset({"time", "prun", "capture"})
_RUNS_PYTHON = _RUNS_HERE | {"timeit", "memit", "lprun", "mprun", "debug"}
_MAGIC_WORDS = """
    matplotlib pinfo pinfo2 psource pdoc pdef psearch pwd cd ls env config who whos who_ls pip conda uv cat
    load_ext reload_ext unload_ext autoreload aimport precision system bash sh writefile file history lsmagic
    html HTML latex svg markdown javascript js magic quickref xmode colors pycat
"""
_KNOWN_MAGICS = _RUNS_PYTHON | frozenset(_MAGIC_WORDS.split())


@dataclass(frozen=True)
class Name:
    """A name read from outside: on which line first, and whether certainly.

    `certain` is False for a name that the cell binds too on some path, a Python builtin (which a
    notebook may have shadowed), and a name seen only inside a string.
    """

    name: str
    line: int
    certain: bool = True


@dataclass(frozen=True)
class Cell:
    """What `read_cell` found in a cell. Everything may-happen errs on the side of listing more."""

    source: str
    reads: tuple[Name, ...]
    binds: tuple[str, ...]
    updates: tuple[str, ...]
    calls: tuple[str, ...]
    deletes: tuple[str, ...]
    expression: bool
    silent: bool
    definitions_only: bool
    functions: tuple[str, ...]
    classes: tuple[str, ...]
    binds_unknown: bool
    is_async: bool
    empty: bool
    uses_ipython: bool


@lru_cache(maxsize=256)
def read_cell(source: str) -> Cell:
    """Read the source of one cell, plain Python (IPython syntax already transformed).

    Raises SyntaxError as Python itself would on running the cell; top-level `await` is allowed.
    """
    tree, is_async = _parse(source)
    walk = _Walk(tree)
    return Cell(
        source=source,
        reads=walk.outside(),
        binds=tuple(walk.binds),
        updates=tuple(walk.updates),
        calls=tuple(walk.calls),
        deletes=tuple(walk.deletes),
        expression=bool(tree.body) and isinstance(tree.body[-1], ast.Expr),
        silent=_ends_in_semicolon(source),
        definitions_only=_only_defines(tree.body),
        functions=_names_of(tree.body, ast.FunctionDef, ast.AsyncFunctionDef),
        classes=_names_of(tree.body, ast.ClassDef),
        binds_unknown=walk.binds_unknown,
        is_async=is_async,
        empty=not tree.body,
        uses_ipython=walk.uses_ipython,
    )


def names_read(source: str) -> tuple[str, ...]:
    """The global names that the source of a function or class reads, its own name left out.

    The source may be indented, as `inspect.getsource` gives it; `()` if it does not parse.
    """
    indented = source[:1].isspace() and source.strip()
    try:
        cell = read_cell(f"if 1:\n{source}" if indented else source)
    except (SyntaxError, ValueError):
        return ()
    return tuple(name.name for name in cell.reads)


def _parse(source: str) -> tuple[ast.Module, bool]:
    """The tree, and whether running it takes an event loop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source, "<cell>")
        code = compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return tree, bool(code.co_flags & inspect.CO_COROUTINE)


def _ends_in_semicolon(source: str) -> bool:
    if ";" not in source:
        return False
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    words = [token.string for token in tokens if token.type not in blank]
    return words[-1:] == [";"]


def _only_defines(body: list[ast.stmt]) -> bool:
    if body and _is_text(body[0]):
        body = body[1:]
    defines = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    allowed = (*defines, ast.Import, ast.ImportFrom)
    return all(isinstance(node, allowed) for node in body) and any(isinstance(n, defines) for n in body)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and _text(node.value) is not None


def _text(node: ast.AST | None) -> str | None:
    """The string that a node is, if it is one."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _names_of(body: list[ast.stmt], *kinds: type[ast.stmt]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(getattr(node, "name", "") for node in body if isinstance(node, kinds)))


# --- scopes: which names belong to a function, a class or a comprehension


_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class _Scope:
    """One level of names.

    `settled` is None on a path that is never walked to its end. `known` is, for a class and its
    methods, the name of the class: when a method runs, it is bound.
    """

    kind: Literal["module", "class", "function", "comprehension", "types"]
    names: frozenset[str] = frozenset()
    globals: frozenset[str] = frozenset()
    lazy: bool = False
    known: str = ""
    settled: set[str] | None = field(default_factory=set)

    @property
    def is_inner(self) -> bool:
        """Whether statements, or a walrus, inside it bind in the scope around it."""
        return self.kind in ("comprehension", "types")


def _bound_by(node: ast.AST) -> list[str]:
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


def _same_scope(node: ast.AST) -> Iterable[ast.AST]:
    """The children that bind in the scope of the node: not the body of a nested function or class."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [*node.decorator_list, *_defaults(node.args)]
        case ast.Lambda():
            return _defaults(node.args)
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case ast.comprehension():
            return [node.iter, *node.ifs]
    return ast.iter_child_nodes(node)


def _scope_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield node
        yield from _scope_nodes(_same_scope(node))


def _scope(kind: Literal["class", "function"], body: Sequence[ast.AST], args: Iterable[str] = ()) -> _Scope:
    """The scope of a function or class with this body.

    `def f(a): global g; b = [c for c in d]`  ->  names {a, b}, globals {g}
    """
    nodes = list(_scope_nodes(body))
    bound = {name for node in nodes for name in _bound_by(node)} | set(args)
    outer = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    nonlocal_ = {name for node in nodes if isinstance(node, ast.Nonlocal) for name in node.names}
    return _Scope(kind, frozenset(bound - outer - nonlocal_), frozenset(outer), lazy=kind == "function")


def _arguments(args: ast.arguments) -> Iterator[ast.arg]:
    yield from (*args.posonlyargs, *args.args, *args.kwonlyargs)
    yield from (arg for arg in (args.vararg, args.kwarg) if arg)


def _defaults(args: ast.arguments) -> list[ast.expr]:
    return [*args.defaults, *(default for default in args.kw_defaults if default)]


def _annotations(node: _Function) -> list[ast.expr]:
    found = [arg.annotation for arg in _arguments(node.args)] + [node.returns]
    return [annotation for annotation in found if annotation]


def _type_params(node: ast.AST) -> list[Any]:
    """`def f[T](x)`: Python 3.12 and later."""
    return getattr(node, "type_params", [])


def _root(node: ast.expr, through_calls: bool = False) -> str | None:
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


def _may_swallow(node: ast.With | ast.AsyncWith) -> bool:
    """Whether the `with` may go on after an exception in its body, as `suppress(...)` does."""
    called = (item.context_expr.func for item in node.items if isinstance(item.context_expr, ast.Call))
    return any(getattr(func, "attr", getattr(func, "id", "")) in _SWALLOWERS for func in called)


def _joined(ends: list[set[str] | None]) -> set[str] | None:
    """What is settled where paths meet; a path that ended in `raise` or `break` has no say."""
    reached = [end for end in ends if end is not None]
    return set.intersection(*reached) if reached else None


# --- names inside strings: IPython's magics, eval, DataFrame.query


def _python_in(text: str) -> Cell | None:
    """Read text as Python, leading options dropped: `-n 10 f(x)`  ->  `f(x)`."""
    while text.strip():
        try:
            return read_cell(text)
        except (SyntaxError, ValueError):
            first, _, text = text.strip().partition(" ")
            if not re.match(r"-|\d", first):
                return None
    return None


def _without_magics(text: str) -> str:
    """The lines of IPython syntax inside a cell magic, made `pass`."""
    return re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", text)


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W\d]\w*", text) if not iskeyword(word)]


def _expanded_names(text: str) -> list[str]:
    """`echo {x.a} $y`  ->  `["x", "y"]`, as IPython would expand it."""
    cells = map(_python_in, re.findall(r"\{([^{}]*)\}", text))
    braced = [name.name for cell in cells if cell for name in cell.reads]
    return braced + re.findall(r"\$([^\W\d]\w*)", text)


# --- the walk


class _Walk(ast.NodeVisitor):
    """One pass over a cell in the order of execution; the public attributes are what it found."""

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
        self._scopes = [_Scope("module")]
        self._text_line: int | None = None
        self._lazy_annotations = _has_lazy_annotations(tree)
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
        return not self.binds_unknown and name not in self._maybe_bound and name not in _BUILTINS

    def _top_level(self, node: ast.stmt) -> None:
        self._bound_in_statement = set()
        self.visit(node)
        self._drop(self._bound_in_statement)
        if isinstance(node, ast.Delete):
            names = [name for target in ast.walk(node) for name in _bound_by(target)]
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
            elif name in scope.names or name == scope.known:
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
        known = self._reads.get(name, Name(name, line, False))
        self._reads[name] = Name(name, min(line, known.line), known.certain or certain)

    def _line(self, node: ast.expr) -> int:
        """The line of a node; inside an f-string that of its start, on which all Pythons agree."""
        return self._text_line or node.lineno

    def _bind(self, name: str) -> None:
        """Bind a name in the scope that is walked; at the top of the cell this settles it."""
        home = self._home(name)
        if name in home.globals:
            self._bound_by_functions.add(name)
            self._bind_maybe(name)
        elif home.kind != "function":
            if home.kind == "module":
                self._bind_maybe(name)
            if home.settled is not None:
                home.settled.add(name)

    def _home(self, name: str = "") -> _Scope:
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
        name = _root(node)
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
        home = self._home()
        start, ends = home.settled, []
        for path in paths:
            home.settled = None if start is None else set(start)
            path()
            ends.append(home.settled)
        home.settled = _joined(ends)

    def _maybe(self, *nodes: ast.AST | Sequence[ast.AST] | None) -> None:
        """Walk what may not be executed at all."""
        self._branches(partial(self._walk, *nodes), lambda: None)

    @contextmanager
    def _inside(self, scope: _Scope) -> Iterator[None]:
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    def _types(self, node: ast.AST) -> AbstractContextManager[None]:
        names = frozenset(param.name for param in _type_params(node))
        return self._inside(_Scope("types", names))

    # names and the parts of objects

    def visit_Name(self, node: ast.Name) -> None:
        match node.ctx:
            case ast.Load():
                self._read(node.id, self._line(node))
            case ast.Store():
                self._bind(node.id)
            case ast.Del():
                self._delete(node.id, self._line(node))

    def visit_Attribute(self, node: ast.Attribute | ast.Subscript) -> None:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load):
            self._update(node)

    visit_Subscript = visit_Attribute

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        outer, self._text_line = self._text_line, self._line(node)
        self.generic_visit(node)
        self._text_line = outer

    # statements that bind

    def visit_Assign(self, node: ast.Assign) -> None:
        self._walk(node.value, node.targets)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read(node.target.id, node.lineno)
        self._walk(node.value, node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._walk(node.value)
        if node.value or not isinstance(node.target, ast.Name):
            self._walk(node.target)
        if not self._lazy_annotations and self._home().kind != "function":
            self._walk(node.annotation)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name in _bound_by(node):
            self._bind(name)
        self.binds_unknown |= any(alias.name == "*" for alias in node.names)

    visit_ImportFrom = visit_Import

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._walk(node.value, node.target)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        name, value = (getattr(node, part) for part in ("name", "value"))
        self._walk(name)
        with self._types(node), self._inside(_Scope("types", lazy=True)):
            self._walk(_type_params(node), value)

    # statements with paths

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        self._walk(node.test)
        self._branches(partial(self._walk, node.body), partial(self._walk, node.orelse))

    visit_IfExp = visit_If

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._walk(node.values[0])
        self._maybe(node.values[1:])

    def visit_Compare(self, node: ast.Compare) -> None:
        self._walk(node.left, node.comparators[0])
        self._maybe(node.comparators[1:])

    def visit_Assert(self, node: ast.Assert) -> None:
        self._walk(node.test)
        self._maybe(node.msg)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._walk(node.iter)
        self._loop(node, node.target, node.body)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self._walk(node.test)
        self._loop(node, node.body)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, *turn: ast.AST | Sequence[ast.AST]) -> None:
        self._maybe(*turn)
        if any(isinstance(inner, ast.Break) for inner in ast.walk(node)):
            self._maybe(node.orelse)
        else:
            self._walk(node.orelse)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        self._walk(node.items)
        start = self._home().settled
        before = None if start is None else set(start)
        self._walk(node.body)
        if _may_swallow(node) or self._home().settled is None:
            self._home().settled = before

    visit_AsyncWith = visit_With

    def visit_Try(self, node: ast.Try) -> None:
        self._try(node)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        """A handler starts with what was settled before the body; `finally` always runs."""
        home = self._home()
        start = home.settled
        whole = partial(self._walk, node.body, node.orelse)
        self._branches(whole, *(partial(self._walk, handler) for handler in node.handlers))
        after, home.settled = home.settled, None if start is None else set(start)
        self._walk(node.finalbody)
        home.settled = None if after is None or home.settled is None else after | home.settled

    def visit_TryStar(self, node: ast.TryStar) -> None:
        self._try(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._walk(node.type)
        for name in _bound_by(node):
            self._bind(name)
        self._walk(node.body)

    def visit_Raise(self, node: ast.stmt) -> None:
        self.generic_visit(node)
        self._home().settled = None

    visit_Return = visit_Break = visit_Continue = visit_Raise

    def visit_Match(self, node: ast.Match) -> None:
        self._walk(node.subject)
        self._cases(node.cases)

    def _cases(self, cases: list[ast.match_case]) -> None:
        if cases and _always_matches(cases[0]):
            self._walk(cases[0])
        elif cases:
            self._branches(partial(self._walk, cases[0]), partial(self._cases, cases[1:]))

    def visit_match_case(self, node: ast.match_case) -> None:
        self._walk(node.pattern, node.guard, node.body)

    def visit_MatchAs(self, node: ast.pattern) -> None:
        self.generic_visit(node)
        for name in _bound_by(node):
            self._bind(name)

    visit_MatchStar = visit_MatchMapping = visit_MatchAs

    # functions, classes and comprehensions

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._walk(node.decorator_list, _defaults(node.args))
        if not self._lazy_annotations:
            with self._types(node):
                self._walk(_annotations(node))
        self._bind(node.name)
        known = self._scopes[-1].known
        with self._types(node):
            self._walk(_type_params(node))
            self._function(node.args, node.body, known)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._walk(_defaults(node.args))
        self._function(node.args, [node.body])

    def _function(self, args: ast.arguments, body: Sequence[ast.AST], known: str = "") -> None:
        scope = _scope("function", body, (arg.arg for arg in _arguments(args)))
        with self._inside(replace(scope, known=known)):
            self._walk(body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._walk(node.decorator_list)
        scope = replace(_scope("class", node.body), known=node.name)
        with self._types(node):
            self._walk(_type_params(node), node.bases, node.keywords)
            with self._inside(scope):
                self._walk(node.body)
        self._bind(node.name)

    def visit_ListComp(self, node: _Comprehension) -> None:
        """The first iterable belongs to the scope outside; a walrus binds there too, perhaps never."""
        first, *others = node.generators
        self._walk(first.iter)
        names = _scope_names(generator.target for generator in node.generators)
        with self._inside(_Scope("comprehension", names, lazy=isinstance(node, ast.GeneratorExp))):
            turn = [part for g in others for part in (g.iter, g.target, *g.ifs)]
            self._maybe(first.target, first.ifs, turn, _element(node))

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    # calls

    def visit_Expr(self, node: ast.Expr) -> None:
        """A method called for its effect alone may change its object."""
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            name = _root(call.func, through_calls=True)
            if name and name != "get_ipython" and self._is_outside(name):
                self.calls.setdefault(name)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        texts = [_text(arg) or "" for arg in node.args]
        match node.func:
            case ast.Name(id="exec" | "eval" as name):
                self.binds_unknown |= name == "exec"
                self._read_text(texts[:1], node)
            case ast.Name(id="globals"):
                self.binds_unknown = True
            case ast.Name(id="locals" | "vars") if not node.args:
                self.binds_unknown |= self._home().kind == "module"
            case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method):
                self._ipython(method, texts, node)
            case ast.Attribute(attr="query" | "eval" as name):
                self._read_all(re.findall(r"@(\w+)", "".join(texts[:1])), node)
                self._read_text(texts[:1] if name == "eval" else [], node)

    def _ipython(self, method: str, texts: list[str], node: ast.Call) -> None:
        """`get_ipython().METHOD(TEXTS...)`, as IPython's syntax looks once transformed."""
        if method not in ("run_line_magic", "run_cell_magic") or not texts:
            return self._read_all([name for text in texts for name in _expanded_names(text)], node)
        name, line, *body = [*texts, ""]
        self._read_all(_expanded_names(line), node)
        self.binds_unknown |= name not in _KNOWN_MAGICS or bool(re.search(r"--(out|err|proc)\b", line))
        if name == "capture":
            self._bind_all(_words(re.sub(r"-\S+", "", line)))
        elif name not in _KNOWN_MAGICS - _RUNS_PYTHON:
            body = [line, *body]
        self._magic(name, body, node)

    def _magic(self, name: str, texts: list[str], node: ast.Call) -> None:
        for text in texts:
            cell = _python_in(text)
            if name in _RUNS_PYTHON and not cell:
                cell = _python_in(_without_magics(text))
                self._read_all([] if cell else _words(text), node)
            self._read_all([read.name for read in cell.reads] if cell else [], node)
            self._bind_all(cell.binds if cell and name in _RUNS_HERE else ())

    def _read_text(self, texts: list[str], node: ast.Call) -> None:
        cells = filter(None, map(_python_in, texts))
        self._read_all([name.name for cell in cells for name in cell.reads], node)

    def _read_all(self, names: Iterable[str], node: ast.Call) -> None:
        for name in names:
            self._read(name, self._line(node), in_string=True)

    def _bind_all(self, names: Iterable[str]) -> None:
        for name in names:
            self._bind_maybe(name)


def _scope_names(nodes: Iterable[ast.AST]) -> frozenset[str]:
    return frozenset(name for node in _scope_nodes(nodes) for name in _bound_by(node))


def _element(node: _Comprehension) -> list[ast.expr]:
    return [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]


def _always_matches(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None


def _has_lazy_annotations(tree: ast.Module) -> bool:
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return any(node.module == "__future__" and "annotations" in _bound_by(node) for node in imports)
