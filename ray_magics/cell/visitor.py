"""One walk over a cell in the order of execution: what each kind of node does to the names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from keyword import iskeyword

from .scopes import (
    Comprehension,
    Scope,
    annotations_of,
    arguments,
    bound_by,
    defaults,
    may_catch_name_error,
    may_swallow,
    root_name,
    scope_names,
    scope_of,
    string_of,
    type_params,
)
from .syntax import parse_cell
from .tracker import NameTracker

_RUNS_HERE = frozenset({"time", "prun", "capture"})
_RUNS_PYTHON = _RUNS_HERE | {"timeit", "memit", "lprun", "mprun", "debug"}
_MAGIC_WORDS = """
    matplotlib pinfo pinfo2 psource pdoc pdef psearch pwd cd ls env config who whos who_ls pip conda uv cat
    load_ext reload_ext unload_ext autoreload aimport precision system bash sh writefile file history lsmagic
    html HTML latex svg markdown javascript js magic quickref xmode colors pycat
"""
_KNOWN_MAGICS = _RUNS_PYTHON | frozenset(_MAGIC_WORDS.split())


class NameVisitor(NameTracker):
    """Visits a cell node by node, in the order of execution."""

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
        if not self._lazy_annotations and self._binding_scope().kind != "function":
            self._walk(node.annotation)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name in bound_by(node):
            self._bind(name)
        self.binds_unknown |= any(alias.name == "*" for alias in node.names)

    visit_ImportFrom = visit_Import

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._walk(node.value, node.target)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        name, value = (getattr(node, part) for part in ("name", "value"))
        self._walk(name)
        with self._types(node), self._inside(Scope("types", lazy=True)):
            self._walk(type_params(node), value)

    # statements with paths

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        self._walk(node.test)
        with self._optionally():
            self._branches(partial(self._walk, node.body), partial(self._walk, node.orelse))

    visit_IfExp = visit_If

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._walk(node.values[0])
        with self._optionally():
            self._maybe(node.values[1:])

    def visit_Compare(self, node: ast.Compare) -> None:
        self._walk(node.left, node.comparators[0])
        with self._optionally():
            self._maybe(node.comparators[1:])

    def visit_Assert(self, node: ast.Assert) -> None:
        self._walk(node.test)
        with self._optionally():
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
        start = self._binding_scope().settled
        before = None if start is None else set(start)
        with self._optionally(may_swallow(node)):
            self._walk(node.body)
        if may_swallow(node) or self._binding_scope().settled is None:
            self._binding_scope().settled = before

    visit_AsyncWith = visit_With

    def visit_Try(self, node: ast.Try) -> None:
        self._try(node)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        """A handler starts with what was settled before the body; `finally` always runs."""
        scope = self._binding_scope()
        start = scope.settled

        def whole() -> None:
            with self._optionally(any(may_catch_name_error(handler) for handler in node.handlers)):
                self._walk(node.body)
            self._walk(node.orelse)

        self._branches(whole, *(partial(self._walk, handler) for handler in node.handlers))
        after, scope.settled = scope.settled, None if start is None else set(start)
        self._walk(node.finalbody)
        scope.settled = None if after is None or scope.settled is None else after | scope.settled

    def visit_TryStar(self, node: ast.TryStar) -> None:
        self._try(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        with self._optionally():
            self._walk(node.type)
            for name in bound_by(node):
                self._bind(name)
            self._walk(node.body)

    def visit_Raise(self, node: ast.stmt) -> None:
        self.generic_visit(node)
        self._binding_scope().settled = None

    visit_Return = visit_Break = visit_Continue = visit_Raise

    def visit_Match(self, node: ast.Match) -> None:
        self._walk(node.subject)
        with self._optionally():
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
        for name in bound_by(node):
            self._bind(name)

    visit_MatchStar = visit_MatchMapping = visit_MatchAs

    # functions, classes and comprehensions

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._walk(node.decorator_list, defaults(node.args))
        if not self._lazy_annotations:
            with self._types(node):
                self._walk(annotations_of(node))
        self._bind(node.name)
        class_name = self._scopes[-1].class_name
        with self._types(node):
            self._walk(type_params(node))
            self._function(node.args, node.body, class_name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._walk(defaults(node.args))
        self._function(node.args, [node.body])

    def _function(self, args: ast.arguments, body: Sequence[ast.AST], class_name: str = "") -> None:
        scope = scope_of("function", body, (arg.arg for arg in arguments(args)))
        with self._inside(replace(scope, class_name=class_name)):
            self._walk(body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._walk(node.decorator_list)
        scope = replace(scope_of("class", node.body), class_name=node.name)
        with self._types(node):
            self._walk(type_params(node), node.bases, node.keywords)
            with self._inside(scope):
                self._walk(node.body)
        self._bind(node.name)

    def visit_ListComp(self, node: Comprehension) -> None:
        """The first iterable belongs to the scope outside; a walrus binds there too, perhaps never."""
        first, *others = node.generators
        self._walk(first.iter)
        names = scope_names(generator.target for generator in node.generators)
        with self._inside(Scope("comprehension", names, lazy=isinstance(node, ast.GeneratorExp))):
            turn = [part for g in others for part in (g.iter, g.target, *g.ifs)]
            self._maybe(first.target, first.ifs, turn, _element(node))

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    # calls

    def visit_Expr(self, node: ast.Expr) -> None:
        """A method called for its effect alone may change its object."""
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            name = root_name(call.func, through_calls=True)
            if name and name != "get_ipython" and self._is_outside(name):
                self.calls.setdefault(name)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        texts = [string_of(arg) or "" for arg in node.args]
        match node.func:
            case ast.Name(id="exec" | "eval" as name):
                self.binds_unknown |= name == "exec"
                self._read_code(texts[:1], node)
            case ast.Name(id="globals"):
                self.binds_unknown = True
            case ast.Name(id="locals" | "vars") if not node.args:
                self.binds_unknown |= self._binding_scope().kind == "module"
            case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method):
                self._ipython(method, texts, node)
            case ast.Attribute(attr="query" | "eval" as name):
                self._read_all(re.findall(r"@(\w+)", "".join(texts[:1])), node)
                self._read_code(texts[:1] if name == "eval" else [], node)

    def _ipython(self, method: str, texts: list[str], node: ast.Call) -> None:
        """`get_ipython().METHOD(TEXTS...)`, as IPython's syntax looks once transformed."""
        if method not in ("run_line_magic", "run_cell_magic") or not texts:
            return self._read_all([name for text in texts for name in _expanded_names(text)], node)
        name, line, *body = [*texts, ""]
        self._read_all(_expanded_names(line), node)
        self.binds_unknown |= name not in _KNOWN_MAGICS or bool(re.search(r"--(out|err|proc)\b", line))
        if name == "capture":
            self._bind_all(_identifiers(re.sub(r"-\S+", "", line)))
        elif name not in _KNOWN_MAGICS - _RUNS_PYTHON:
            body = [line, *body]
        self._magic(name, body, node)

    def _magic(self, name: str, texts: list[str], node: ast.Call) -> None:
        for text in texts:
            inner = _read_python(text)
            if name in _RUNS_PYTHON and not inner:
                inner = _read_python(_without_magics(text))
                self._read_all([] if inner else _identifiers(text), node)
            if inner:
                self._read_all(inner.names_read(), node)
                self._bind_all(inner.binds if name in _RUNS_HERE else ())

    def _read_code(self, texts: list[str], node: ast.Call) -> None:
        for inner in filter(None, map(_read_python, texts)):
            self._read_all(inner.names_read(), node)

    def names_read(self) -> list[str]:
        """The names read from outside, by line."""
        return [name.name for name in self.outside()]

    def _read_all(self, names: Iterable[str], node: ast.Call) -> None:
        for name in names:
            self._read(name, self._line(node), in_string=True)

    def _bind_all(self, names: Iterable[str]) -> None:
        for name in names:
            self._bind_maybe(name)


def _element(node: Comprehension) -> list[ast.expr]:
    return [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]


def _always_matches(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None


# --- names inside strings: IPython's magics, eval, DataFrame.query


def _read_python(text: str) -> NameVisitor | None:
    """Reads text as Python, leading options dropped: `-n 10 f(x)`  ->  `f(x)`."""
    while text.strip():
        try:
            tree, _ = parse_cell(text)
        except (SyntaxError, ValueError):
            first, _, text = text.strip().partition(" ")
            if not re.match(r"-|\d", first):
                return None
        else:
            return NameVisitor(tree)
    return None


def _without_magics(text: str) -> str:
    """The lines of IPython syntax inside a cell magic, made `pass`."""
    return re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", text)


def _identifiers(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W\d]\w*", text) if not iskeyword(word)]


def _expanded_names(text: str) -> list[str]:
    """`echo {x.a} $y`  ->  `["x", "y"]`, as IPython would expand it."""
    cells = filter(None, map(_read_python, re.findall(r"\{([^{}]*)\}", text)))
    braced = [name for cell in cells for name in cell.names_read()]
    return braced + re.findall(r"\$([^\W\d]\w*)", text)
