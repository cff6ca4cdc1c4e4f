"""Parsers of options: the text of an option becomes its value, or one sentence that says what it should be."""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from types import CodeType
from typing import Any, Generic, TypeVar

from IPython.core.error import UsageError

T = TypeVar("T")
Number = TypeVar("Number", int, float)
Completer = Callable[[Mapping[str, Any]], Iterable[str]]


class Unfit(ValueError):
    """What is wrong with a text that is of the right kind: `is negative`."""


@dataclass(frozen=True, eq=False)
class Parser(Generic[T]):
    """Reads the text of one option. Calling it gives the value, or raises UsageError.

    `what` and `examples` complete the sentences "... needs WHAT" and "... is not WHAT; try EXAMPLES".
    """

    what: str
    examples: tuple[str, ...]
    read: Callable[[str], T] = field(repr=False)
    metavar: str = ""
    choices: tuple[str, ...] = ()
    completer: Completer | None = None

    def __call__(self, text: str, option: str = "") -> T:
        try:
            return self.read(text)
        except (ValueError, SyntaxError) as error:
            problem = str(error) if isinstance(error, Unfit) else f"is not {self.what}"
            given = f'{option}: "{text}"' if option else f'"{text}"'
            raise UsageError(f"{given} {problem}; {self._advice(text, option)}") from error

    def _advice(self, text: str, option: str) -> str:
        close = close_to(text, self.choices)
        if close:
            return f"did you mean {close}?"
        alone = len(self.examples) == 1 and option.startswith("-")
        return "try " + (f"{option} {self.examples[0]}" if alone else " or ".join(self.examples))


def close_to(word: str, known: Iterable[str]) -> str | None:
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), 1)), None)


def parser(
    what: str, *examples: str, metavar: str = "", completer: Completer | None = None
) -> Callable[[Callable[[str], T]], Parser[T]]:
    """Makes a function of a text a Parser; a ValueError or SyntaxError in it means "is not WHAT"."""

    def decorate(read: Callable[[str], T]) -> Parser[T]:
        return Parser(what, examples, read, metavar, completer=completer)

    return decorate


def notebook_names(namespace: Mapping[str, Any]) -> list[str]:
    """The variables of the notebook, as a completer offers them."""
    return sorted(name for name in namespace if name.isidentifier() and not name.startswith("_"))


def code_names(namespace: Mapping[str, Any]) -> list[str]:
    """The names that an expression may begin with."""
    return notebook_names({**vars(builtins), **namespace})


_DECIMAL = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}
_BINARY = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
_FACTORS = {unit.lower().removesuffix("b"): factor for unit, factor in (_DECIMAL | _BINARY).items()}


@parser("a size", "2GB", "512MiB", metavar="SIZE")
def size(text: str) -> int:
    """Bytes: `512MB` is 512 * 10**6, `2GiB` is 2 * 2**30, a bare number counts bytes."""
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([kmgtp]?i?)b?", text.strip().lower(), re.ASCII)
    if not match or match[2] not in _FACTORS:
        raise ValueError(text)
    from fractions import Fraction

    return round(Fraction(match[1]) * _FACTORS[match[2]])


def _at_least(least: int, value: Number) -> Number:
    if value < least:
        raise Unfit("is negative" if least == 0 else f"is less than {least}")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Unfit("is not finite")
    return value


@parser("a whole number", "3", metavar="N")
def integer(text: str) -> int:
    return int(text)


@parser("a number", "0.5", metavar="X")
def decimal(text: str) -> float:
    return _finite(text)


@parser("a number", "2", metavar="N")
def number(text: str) -> int | float:
    """A finite number, not negative; an int if it is whole."""
    value = _at_least(0, _finite(text))
    return int(value) if value.is_integer() else value


@parser("a number of seconds", "30", metavar="SECONDS")
def seconds(text: str) -> float:
    return _at_least(0, _finite(text))


@parser("a whole number", "4", metavar="N")
def count(text: str) -> int:
    """0, 1, 2 ..."""
    return _at_least(0, int(text))


@parser("a whole number", "4", metavar="N")
def positive_int(text: str) -> int:
    """1, 2, 3 ..."""
    return _at_least(1, int(text))


def _identifier(text: str) -> str:
    if not text.isidentifier() or iskeyword(text):
        raise ValueError(text)
    return text


@parser("a name", "result", metavar="NAME", completer=notebook_names)
def name(text: str) -> str:
    """A Python name to bind or to read."""
    return _identifier(text.strip())


@parser("a list of names", "a,b", metavar="NAMES", completer=notebook_names)
def names(text: str) -> tuple[str, ...]:
    """`"a, b"` -> `("a", "b")`."""
    return tuple(_identifier(part.strip()) for part in text.split(","))


def choice(*choices: str) -> Parser[str]:
    """One of these words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return Parser(f"one of {', '.join(choices)}", choices[:1], read, "|".join(choices), choices)


# --- Python expressions and the clause of --for


def _compiled(text: str, option: str) -> CodeType:
    return compile(text, f"<{option}>", "eval", dont_inherit=True)


def _evaluate(text: str, namespace: Mapping[str, Any], option: str) -> Any:
    """The value of an expression in a copy of the namespace; what it raises becomes a UsageError."""
    try:
        return eval(_compiled(text, option), dict(namespace))
    except Exception as error:
        raise UsageError(_failure(option, text, error)) from error


def _failure(option: str, text: str, error: Exception) -> str:
    if isinstance(error, NameError) and error.name:
        return f'{option}: name "{error.name}" is not defined'
    message = str(error).partition("\n")[0]
    return f'{option}: "{text}" raised {type(error).__name__}' + (f": {message}" if message else "")


@dataclass(frozen=True)
class Expression:
    """A Python expression of the line, checked for syntax and not yet evaluated."""

    text: str

    def evaluate(self, namespace: Mapping[str, Any], option: str) -> Any:
        """Its value in the namespace. Raises UsageError with the cause kept; `option` names it there."""
        return _evaluate(self.text, namespace, option)


@parser("a Python expression", "\"{'a': 1}\"", metavar="EXPR", completer=code_names)
def expression(text: str) -> Expression:
    _compiled(text.strip(), "expression")
    return Expression(text.strip())


class Items(Iterator[Any]):
    """The items of a `--for`, one at a time; `length` is None unless it is known beforehand."""

    def __init__(self, items: Iterator[Any], length: int | None) -> None:
        self.length = length
        self._items = items

    def __next__(self) -> Any:
        try:
            return next(self._items)
        except NameError as error:
            raise UsageError(f'--for: name "{error.name}" is not defined') from error


@dataclass(frozen=True)
class ForClause:
    """`a, b in pairs if a`: target `(a, b)`, iterable `pairs`, conditions `("a",)`, names `("a", "b")`."""

    target: str
    iterable: str
    conditions: tuple[str, ...]
    names: tuple[str, ...]

    def items(self, namespace: Mapping[str, Any]) -> Items:
        """Evaluates the iterable, once, and iterates lazily over what meets the conditions.

        An item is an element of the iterable, to be assigned to the target as it is.
        Raises UsageError if the iterable cannot be evaluated or iterated.
        """
        value = _evaluate(self.iterable, namespace, "--for")
        try:
            elements = iter(value)
        except TypeError as error:
            given = f'"{self.iterable}" ({type(value).__name__})'
            raise UsageError(f'--for: {given} cannot be iterated; try --for "x in range(5)"') from error
        if not self.conditions:
            return Items(elements, _length(value))
        return Items(self._filtered(elements, namespace), None)

    def _filtered(self, elements: Iterator[Any], namespace: Mapping[str, Any]) -> Iterator[Any]:
        conditions = "".join(f" if ({condition})" for condition in self.conditions)
        text = f"(_item for _item in _items for {self.target} in [_item]{conditions})"
        filtered: Iterator[Any] = eval(_compiled(text, "--for"), {**namespace, "_items": elements})
        return filtered


def _length(value: Any) -> int | None:
    """How many items there are, if the value says so; a table counts its rows but gives its columns."""
    if hasattr(value, "columns"):
        return None
    try:
        return len(value)
    except TypeError:
        return None


@dataclass(frozen=True)
class PoolClause:
    """`model=Predictor(weights)`: the name of the object in the cell, and the expression that makes it."""

    name: str
    source: str


@parser("a class for a pool", "Predictor", '"model=Predictor(weights)"', completer=code_names)
def pool_clause(text: str) -> PoolClause:
    """A class, or a call that makes an object, with or without a name; else the name is that of the class, in
    small letters: `TextEncoder` -> `text_encoder`."""
    (statement,) = ast.parse(text.strip()).body
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            pass
        case ast.Expr(value=value):
            name = ""
        case _:
            raise ValueError(text)
    called = value.func if isinstance(value, ast.Call) else value
    if not isinstance(called, ast.Name | ast.Attribute):
        raise ValueError(text)
    last = called.id if isinstance(called, ast.Name) else called.attr
    source = ast.unparse(value)
    return PoolClause(name or _small_letters(last), source if isinstance(value, ast.Call) else f"{source}()")


def _small_letters(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@parser("a for clause", '"x in range(5)"', completer=code_names)
def for_clause(text: str) -> ForClause:
    """What stands after `for` in a comprehension: one `for`, any number of `if`."""
    source = f"[0 for {text.strip()}\n]"
    _compiled(source, "--for")
    tree = ast.parse(source, mode="eval").body
    if not isinstance(tree, ast.ListComp) or len(tree.generators) != 1:
        raise ValueError(text)
    clause = tree.generators[0]
    bound = [node for node in ast.walk(clause.target) if not isinstance(node, ast.expr_context)]
    if clause.is_async or not all(isinstance(n, ast.Name | ast.Tuple | ast.List | ast.Starred) for n in bound):
        raise ValueError(text)
    names = dict.fromkeys(node.id for node in bound if isinstance(node, ast.Name))
    conditions = tuple(ast.unparse(condition) for condition in clause.ifs)
    return ForClause(ast.unparse(clause.target), ast.unparse(clause.iter), conditions, tuple(names))
