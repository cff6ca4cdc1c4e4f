"""The text of a cell in a plain script: at its top level, as the body of a function, or executed as text."""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize
from collections.abc import Iterable, Iterator

from ..cell.reader import Cell

INDENT = "    "


def plain(source: str, uses_ipython: bool) -> str:
    """The cell without the blank line that stands for its magic; a comment where IPython syntax remains."""
    text = textwrap.dedent(source.strip("\n")).rstrip().removesuffix(";")
    if uses_ipython and "get_ipython()" in text:
        return (
            "from IPython.core.interactiveshell import InteractiveShell\nget_ipython = InteractiveShell.instance\n"
            + text
        )
    return text


def indented(code: str) -> str:
    """The code as the body of a ``def``; the lines of a text within quotes stay as they are."""
    within = set(_lines_within_texts(code))
    lines = enumerate(code.split("\n"), 1)
    return "\n".join(line if number in within or not line.strip() else f"{INDENT}{line}" for number, line in lines)


def _lines_within_texts(code: str) -> Iterator[int]:
    """Numbers of the lines that begin inside a text; Python 3.12 and later have tokens for the ends of an f-string."""
    begun: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        first, last = token.start[0], token.end[0]
        if tokenize.tok_name[token.type] == "FSTRING_START":
            begun.append(first)
        elif tokenize.tok_name[token.type] == "FSTRING_END":
            yield from range(begun.pop() + 1, last + 1)
        elif token.type == tokenize.STRING:
            yield from range(first + 1, last + 1)


def split_value(code: str) -> tuple[list[str], str]:
    """The lines of the statements, and the last expression; "" where the code does not end in one."""
    tree, lines = ast.parse(code), code.split("\n")
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        return lines, ""
    before = lines[last.lineno - 1].encode()[: last.col_offset].decode().rstrip().rstrip(";")
    return [*lines[: last.lineno - 1], *([before] if before else [])], _as_item(code, last.value)


def _as_item(code: str, node: ast.expr) -> str:
    """The text of an expression as it may stand in a tuple, in parentheses where it takes these."""
    text = ast.get_source_segment(code, node) or ast.unparse(node)
    try:
        stands = len(ast.parse(f"f({text})", mode="eval").body.args) == 1  # type: ignore[attr-defined]
    except SyntaxError:
        stands = False
    needs = "\n" in text or not stands or isinstance(node, (ast.NamedExpr, ast.Starred))
    return f"({text})" if needs else text


def shows_nothing(code: str) -> bool:
    """Whether the code ends in a call of ``print``, whose value is None."""
    last = ast.parse(code).body[-1]
    call = last.value if isinstance(last, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"


def must_be_text(cell: Cell) -> bool:
    """Whether the code cannot be the body of a function: star imports, ``exec``, ``global`` or a top-level await."""
    has_global = any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(cell.source)))
    return cell.binds_unknown or cell.is_async or has_global


def executed(code: str, is_async: bool, names: Iterable[str], in_globals: bool = False) -> str:
    """Statements that execute the code in a dict, `namespace`, where `__value__` is that of its last expression.

    Args:
        names: what the code finds there; Ray sends a function only those globals that it mentions by name.
        in_globals: whether the dict is that of the function's globals.
    """
    lines, value = split_value(code)
    text = "\n".join([*lines, *([f"__value__ = {value}"] if value else [])])
    quoted = "\n".join(f"{INDENT}{line!r}" for line in text.splitlines(keepends=True))
    found = "{" + ", ".join(["'__name__': '__main__'", *(f"{name!r}: {name}" for name in names)]) + "}"
    namespace = f"namespace = globals()\nnamespace.update({found})" if in_globals else f"namespace = {found}"
    namespace = f"{namespace}\ncode = (\n{quoted}\n)"
    if not is_async:
        return f"{namespace}\nexec(compile(code, 'cell', 'exec', dont_inherit=True), namespace)"
    flags = "ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True"
    run = f"asyncio.run(eval(compile(code, 'cell', 'exec', {flags}), namespace))"
    return f"import ast, asyncio\n{namespace}\n{run}"


def with_future_first(script: str) -> str:
    """The script with the names of its ``from __future__`` imports at the top, where alone Python takes them."""
    tree = ast.parse(script)
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    if not imports:
        return script
    names = sorted({alias.name for node in imports for alias in node.names})
    for node in sorted(imports, key=lambda node: node.lineno, reverse=True):
        script = _without(script, node)
    return f"from __future__ import {', '.join(names)}\n\n{script}"


def _without(script: str, node: ast.ImportFrom) -> str:
    """The script with ``pass`` in place of a statement, or without the line where that is possible."""
    lines = script.split("\n")
    first, last = lines[node.lineno - 1].encode(), lines[(node.end_lineno or node.lineno) - 1].encode()
    before, after = first[: node.col_offset].decode(), last[node.end_col_offset :].decode()
    replaced = [f"{before}pass{after}"]
    if not before.strip() and not after.strip():
        shorter = "\n".join([*lines[: node.lineno - 1], *lines[node.end_lineno :]])
        if _is_python(shorter):
            return shorter
    return "\n".join([*lines[: node.lineno - 1], *replaced, *lines[node.end_lineno :]])


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def must_be_executed(cell: Cell, captured: Iterable[str], parameter: str) -> bool:
    """Whether the cell cannot be the body of a function of `parameter`: it binds what it captures, or see above."""
    return must_be_text(cell) or bool({*captured, parameter} & {*cell.binds})
