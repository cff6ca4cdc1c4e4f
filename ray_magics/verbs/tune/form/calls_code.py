"""Which expressions are left to Start, because their value is not to be known in passing."""

from __future__ import annotations

import ast

from ..space import KINDS

_HARMLESS = {"range", "list", "tuple", "sorted", "int", "float", "str", "len", "min", "max", "round", "abs", "sum"}
_LARGEST_NUMBER = 10**6
_LARGEST_EXPONENT = 1000


def calls_code(text: str) -> bool:
    """Whether an expression calls something of the user's, or has a large value; what a lambda calls does not count."""
    try:
        nodes: list[ast.AST] = [ast.parse(text, mode="eval").body]
    except SyntaxError:  # an argument that stands only inside a call, as *bounds
        return True
    while nodes:
        node = nodes.pop()
        if _calls(node) or _is_large(node):
            return True
        nodes += [] if isinstance(node, ast.Lambda) else ast.iter_child_nodes(node)
    return False


def _calls(node: ast.AST) -> bool:
    """Calls of the functions of a space, as ``tune.choice``, and of a few builtins do not count."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="tune"), attr=name)):
            return name not in KINDS
        case ast.Call(func=ast.Name(id=name)):
            return name not in _HARMLESS
    return isinstance(node, ast.Call)


def _is_large(node: ast.AST) -> bool:
    """``[0] * 10_000_000``, ``range(10**9)``, ``9 ** 9 ** 9``"""
    inside = list(ast.walk(node))
    powers = [part for part in inside if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Pow)]
    if isinstance(node, ast.Call) or _is_binary(node, ast.Mult):
        return bool(powers) or any(map(_is_large_number, inside))
    return _is_binary(node, ast.LShift) or not all(_is_small_exponent(power.right) for power in powers)


def _is_binary(node: ast.AST, operator: type[ast.operator]) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, operator)


def _is_large_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value > _LARGEST_NUMBER


def _is_small_exponent(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and node.value <= _LARGEST_EXPONENT
