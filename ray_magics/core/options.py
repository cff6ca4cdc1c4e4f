"""Options of a magic, declared where its help is read; text becomes a value while the line is parsed.

    @magic("ray_stop", kind="line")
    @argument("run", nargs="?", metavar="RUN", completer=run_ids, help="the run to stop")
    @argument("--all", action="store_true", help="stop every run")
    def ray_stop(options): ...

Every mistake in a line is IPython's UsageError, in one line: what was seen, what was expected, an example.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import contextlib
import functools
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from types import CodeType
from typing import Any, Generic, Literal, NamedTuple, NoReturn, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand

T = TypeVar("T")
Number = TypeVar("Number", int, float)
Completer = Callable[[Mapping[str, Any]], Iterable[str]]
MagicKind = Literal["line", "cell", "line_cell"]


# --- parsers: text to value


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
            unfit = str(error) if isinstance(error, Unfit) else f"is not {self.what}"
            seen = f'{option}: "{text}"' if option else f'"{text}"'
            raise UsageError(f"{seen} {unfit}; {self._advice(text, option)}") from error

    def _advice(self, text: str, option: str) -> str:
        close = _close_to(text, self.choices)
        if close:
            return f"did you mean {close}?"
        alone = len(self.examples) == 1 and option.startswith("-")
        return "try " + (f"{option} {self.examples[0]}" if alone else " or ".join(self.examples))


def _close_to(word: str, known: Iterable[str]) -> str | None:
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), 1)), None)


def parser(
    what: str, *examples: str, metavar: str = "", completer: Completer | None = None
) -> Callable[[Callable[[str], T]], Parser[T]]:
    """Make a function of a text a Parser; a ValueError or SyntaxError in it means "is not WHAT"."""

    def made(read: Callable[[str], T]) -> Parser[T]:
        return Parser(what, examples, read, metavar, completer=completer)

    return made


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


def format_size(count: int) -> str:
    """Bytes for people, in three digits: `1.5 GB`; a whole number of binary units stays one: `512 MiB`."""
    for unit, factor in reversed(_BINARY.items()):
        if count >= factor and count % factor == 0 and count // factor < 1024:
            return f"{count // factor} {unit}"
    unit, factor = next((u, f) for u, f in _DECIMAL.items() if count / f < 999.5 or u == "PB")
    return f"{float(f'{count / factor:.3g}'):.15g} {unit}"


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


# --- parsers: Python expressions and the clause of --for


def _compiled(text: str, option: str) -> CodeType:
    return compile(text, f"<{option}>", "eval", dont_inherit=True)


def _evaluated(text: str, namespace: Mapping[str, Any], option: str) -> Any:
    """The value of an expression in a copy of the namespace; what it raises becomes a UsageError."""
    try:
        return eval(_compiled(text, option), dict(namespace))
    except Exception as error:
        raise UsageError(_failure(option, text, error)) from error


def _failure(option: str, text: str, error: Exception) -> str:
    if isinstance(error, NameError) and error.name:
        return f'{option}: name "{error.name}" is not defined'
    said = str(error).partition("\n")[0]
    return f'{option}: "{text}" raised {type(error).__name__}' + (f": {said}" if said else "")


@dataclass(frozen=True)
class Expression:
    """A Python expression of the line, checked for syntax and not yet evaluated."""

    text: str

    def evaluate(self, namespace: Mapping[str, Any], option: str) -> Any:
        """Its value in the namespace. Raises UsageError with the cause kept; `option` names it there."""
        return _evaluated(self.text, namespace, option)


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
        """Evaluate the iterable, once, and iterate it lazily over what meets the conditions.

        An item is an element of the iterable, to be assigned to the target as it is.
        Raises UsageError if the iterable cannot be evaluated or iterated.
        """
        value = _evaluated(self.iterable, namespace, "--for")
        try:
            found = iter(value)
        except TypeError as error:
            seen = f'"{self.iterable}" ({type(value).__name__})'
            raise UsageError(f'--for: {seen} cannot be iterated; try --for "x in range(5)"') from error
        if not self.conditions:
            return Items(found, _length(value))
        return Items(self._chosen(found, namespace), None)

    def _chosen(self, found: Iterator[Any], namespace: Mapping[str, Any]) -> Iterator[Any]:
        conditions = "".join(f" if ({condition})" for condition in self.conditions)
        text = f"(_item for _item in _items for {self.target} in [_item]{conditions})"
        chosen: Iterator[Any] = eval(_compiled(text, "--for"), {**namespace, "_items": found})
        return chosen


def _length(value: Any) -> int | None:
    """How many items there are, if the value says so; a table counts its rows but gives its columns."""
    if hasattr(value, "columns"):
        return None
    try:
        return len(value)
    except TypeError:
        return None


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


# --- declaring


class Group:
    """Options to be put on a function together, by decorating it."""

    def __init__(self, *parts: Group | Argument) -> None:
        self.arguments: tuple[Argument, ...] = tuple(a for part in parts for a in part.arguments)

    def __call__(self, function: Callable[..., T]) -> Callable[..., T]:
        """Declare them on the function, before those that stand nearer to it."""
        declared = (*self.arguments, *_declared(function))
        function.__dict__["_ray_magics_arguments"] = declared
        return function


@dataclass(frozen=True, eq=False)
class Argument:
    """One declared option or positional argument, with what argparse is told about it."""

    flags: tuple[str, ...]
    settings: Mapping[str, Any]
    completer: Completer | None = None

    @property
    def arguments(self) -> tuple[Argument, ...]:
        return (self,)

    @property
    def parser(self) -> Any:
        return self.settings.get("type")

    @property
    def label(self) -> str:
        """How an error calls it: `--num-cpus`, `RUN`."""
        return self.flags[0] if self.is_option else self.settings.get("metavar") or self.flags[0]

    @property
    def is_option(self) -> bool:
        return self.flags[0].startswith("-")

    @property
    def metavar(self) -> str:
        plain = self.flags[0].lstrip("-").replace("-", "_").upper()
        return str(self.settings.get("metavar") or getattr(self.parser, "metavar", "") or plain)

    @property
    def values(self) -> int | str:
        """How many words follow the option: a number, or argparse's `?`, `*`, `+`."""
        if self.settings.get("action", "store") not in ("store", "append", "extend"):
            return 0
        given: int | str | None = self.settings.get("nargs")
        return 1 if given is None else given

    @property
    def repeats(self) -> bool:
        return self.settings.get("action") in ("append", "extend", "count")

    @property
    def completes(self) -> Completer | None:
        return self.completer or getattr(self.parser, "completer", None)

    def __call__(self, function: Callable[..., T]) -> Callable[..., T]:
        return Group(self)(function)

    def read(self, text: str) -> Any:
        """The value of a text given for this argument. Raises UsageError."""
        if isinstance(self.parser, Parser):
            return self.parser(text, self.label)
        try:
            return self.parser(text)
        except (ValueError, TypeError, argparse.ArgumentTypeError) as error:
            raise UsageError(f'{self.label}: "{text}": {error}') from error

    def needs(self) -> str:
        """`--into needs a name; for example --into result`."""
        if isinstance(self.parser, Parser):
            return f"{self.label} needs {self.parser.what}; for example {self.label} {self.parser.examples[0]}"
        return f"{self.label} needs a value: {self.label} {self.metavar}"


def argument(*flags: str, completer: Completer | None = None, **settings: Any) -> Argument:
    """Declare an option (`"--num-cpus"`) or positional argument (`"run"`), with argparse's own settings.

    `completer` gives the values that Tab offers, from the notebook's namespace.
    """
    choices = settings.pop("choices", None)
    kind = settings.get("type") if choices is None else choice(*choices)
    if kind is not None:
        settings["type"] = integer if kind is int else decimal if kind is float else kind
    return Argument(flags, settings, completer)


def group(*parts: Group | Argument) -> Group:
    """Several options as one decorator."""
    return Group(*parts)


def _declared(function: Callable[..., Any]) -> tuple[Argument, ...]:
    found: tuple[Argument, ...] = function.__dict__.get("_ray_magics_arguments", ())
    return found


# --- words of a line


class Word(NamedTuple):
    """A word of the line, its quotes taken off, and where it stood."""

    text: str
    raw: str
    end: int

    @property
    def flag(self) -> str:
        """`--into` of `--into=x`; empty for a quoted word or one that is no option."""
        return self.raw.partition("=")[0] if re.match(r"--[^\W\d]|-[^\W\d]", self.raw) else ""


_PIECE = re.compile(
    r"""(?P<space>\s+)|'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|\\(?P<escaped>[\s'"\\])"""
    r"""|(?P<open>[(\[{])|(?P<quote>['"])|(?P<plain>.)""",
    re.DOTALL,
)
_CODE = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?P<open>[(\[{])|(?P<close>[)\]}])|.""", re.DOTALL)


def split(line: str) -> Iterator[Word]:
    """The words of a line, by the shell's quoting; inside brackets quotes and spaces stay as they are.

    `--into x --resources {"a": 1} --for "x in xs"`
    ->  `--into`, `x`, `--resources`, `{"a": 1}`, `--for`, `x in xs`
    """
    start, at, text = 0, 0, ""
    while at < len(line):
        piece = _PIECE.match(line, at)
        assert piece
        if piece["quote"]:
            raise UsageError(f"a quote is not closed: {line[at:].strip()}")
        if piece["space"]:
            if start < at:
                yield Word(text, line[start:at], at)
            start, text = piece.end(), ""
        at = _after_brackets(line, at) if piece["open"] else piece.end()
        text += line[piece.start() : at] if piece["open"] else _unquoted(piece)
    if start < at:
        yield Word(text, line[start:], at)


def _unquoted(piece: re.Match[str]) -> str:
    double = piece["double"]
    if double is not None:
        return re.sub(r'\\(["\\])', r"\1", double)
    return piece["single"] or piece["escaped"] or piece["plain"] or ""


def _after_brackets(line: str, at: int) -> int:
    """The place after the bracket that closes the one at `at`."""
    depth = 0
    for piece in _CODE.finditer(line, at):
        depth += bool(piece["open"]) - bool(piece["close"])
        if depth == 0:
            return piece.end()
    raise UsageError(f"a bracket is not closed: {line[at:].strip()}")


# --- a magic


class _ArgumentParser(argparse.ArgumentParser):
    """argparse that never prints and never exits."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; {self.prog}? shows what it takes")


@dataclass(frozen=True, eq=False)
class Magic:
    """A magic: its name, the options declared on its function, and the function.

    With `rest`, a line call takes what follows its options, word for word, as the option of that name.
    """

    name: str
    kind: MagicKind
    function: Callable[..., Any]
    rest: str | None = None

    def __call__(self, line: str, cell: str | None = None) -> Any:
        """Run the magic, as IPython calls it. Raises UsageError for a mistake in the line."""
        options = self.parse(line, cell is not None)
        if options is None:
            print(self.help)
            return None
        return self.function(options) if self.kind == "line" else self.function(options, cell)

    def title(self, is_cell: bool | None = None) -> str:
        """`%%ray_remote`, or `%ray_remote` for a line call."""
        is_cell = self.kind != "line" if is_cell is None else is_cell
        return ("%%" if is_cell else "%") + self.name

    @property
    def arguments(self) -> tuple[Argument, ...]:
        return _declared(self.function)

    @functools.cached_property
    def options(self) -> dict[str, Argument]:
        """The declared options by flag."""
        return {flag: declared for declared in self.arguments if declared.is_option for flag in declared.flags}

    @functools.cached_property
    def parser(self) -> argparse.ArgumentParser:
        """argparse with the declared arguments; `parse` is the way in."""
        return _parser(self, self.title())

    def parse(self, line: str, is_cell: bool | None = None) -> argparse.Namespace | None:
        """The options of a line, or None if it asks for help. Raises UsageError."""
        title = self.title(is_cell)
        words, rest = self._divided(line) if self._takes_rest(title) else (list(split(line)), "")
        if {word.flag for word in words} & ({"--help", "-h"} - set(self.options)):
            return None
        found, unknown = _parser(self, title).parse_known_args(self._prepared(words, title))
        if unknown:
            raise UsageError(f'{title} does not take "{unknown[0]}"; quote a value that has spaces')
        if self.rest is not None:
            setattr(found, self.rest, rest)
        return found

    def _takes_rest(self, title: str) -> bool:
        return self.rest is not None and not title.startswith("%%")

    def _divided(self, line: str) -> tuple[list[Word], str]:
        """The leading options with their values, and the raw text after them."""
        words: list[Word] = []
        end, wanted = 0, 0
        for_options = split(line)
        while line[end:].strip():
            tail = line[end:].strip()
            if not wanted and not self._is_option(tail):
                return words, tail.removeprefix("-- ")
            words.append(next(for_options))
            end = words[-1].end
            wanted = wanted - 1 if wanted else self._values_after(words[-1])
        return words, ""

    def _is_option(self, text: str) -> bool:
        return bool(re.match(r"--[^\W\d]", text)) or text.split(maxsplit=1)[0] in {"-h", *self.options}

    def _values_after(self, word: Word) -> int:
        """How many words after this one are its values."""
        option = self.options.get(word.flag)
        if option is None or "=" in word.raw:
            return 0
        return option.values if isinstance(option.values, int) else 0

    def _prepared(self, words: list[Word], title: str) -> list[str]:
        """The words as argparse reads them without doubt: `--stop -5`  ->  `--stop=-5`."""
        left, prepared = list(reversed(words)), []
        while left:
            word = left.pop()
            option = self._option(word, title)
            if option is None or option.values != 1:
                prepared.append(word.text)
            elif "=" in word.raw:
                prepared.append(f"{word.flag}={word.text.partition('=')[2]}")
            elif left and not self._is_option(left[-1].raw):
                prepared.append(f"{word.flag}={left.pop().text}")
            else:
                raise UsageError(option.needs())
        return prepared

    def _option(self, word: Word, title: str) -> Argument | None:
        """The option a word names; None for a value. Raises UsageError for an option that is not there."""
        if not word.flag or word.flag in self.options:
            return self.options.get(word.flag)
        close = _close_to(word.flag, self.options)
        advice = f"did you mean {close}?" if close else f"{title}? lists them"
        raise UsageError(f"{word.flag} is not an option of {title}; {advice}")

    @functools.cached_property
    def help(self) -> str:
        """The manual that `%%name?` shows: the docstring and one paragraph for each option."""
        text = inspect.cleandoc(self.function.__doc__ or "")
        return "\n".join([text, "", "Options:", *map(_described, self.arguments)]) if self.arguments else text

    def register(self, shell: Any) -> None:
        """Make it a magic of this IPython shell, with help and Tab; $name and {name} stay as typed."""

        def run(line: str, cell: str | None = None) -> Any:
            return self(line, cell)

        functools.update_wrapper(run, self.function)
        run.__name__, run.__doc__ = self.name, self.help
        shell.register_magic_function(no_var_expand(run), self.kind, self.name)
        _offer_completions(shell, self)


@functools.cache
def _parser(magic: Magic, title: str) -> argparse.ArgumentParser:
    """argparse with the declared arguments; to make one takes longer than a small cell."""
    made = _ArgumentParser(prog=title, add_help=False, allow_abbrev=False)
    for declared in magic.arguments:
        settings = {key: value for key, value in declared.settings.items() if key != "help"}
        if declared.parser:
            settings["type"] = declared.read
        made.add_argument(*declared.flags, **settings)
    return made


def _described(declared: Argument) -> str:
    """`  --num-cpus N           CPUs the task reserves`."""
    values = f" {declared.metavar}" if declared.is_option and declared.values != 0 else ""
    head = "  " + (", ".join(declared.flags) + values if declared.is_option else declared.label)
    text = textwrap.wrap(declared.settings.get("help") or "", 64)
    if len(head) > 25:
        text = ["", *text]
    return "\n".join([f"{head:<26} {text[0] if text else ''}".rstrip(), *(" " * 27 + t for t in text[1:])])


def magic(name: str, kind: MagicKind = "line_cell", rest: str | None = None) -> Callable[[Callable[..., Any]], Magic]:
    """Make a function of `(options)` (kind "line") or `(options, cell)` a magic with its declared options."""
    return lambda function: Magic(name, kind, function, rest)


# --- Tab


def complete(
    magic: Magic,
    line: str,
    cursor_word: str,
    namespace: Mapping[str, Any] | None = None,
    is_cell: bool = True,
) -> list[str]:
    """What may stand at the cursor: `line` runs from the magic's name to there, `cursor_word` is its end.

    Options not yet used, the choices of an option, what its completer gives; nothing for code.
    """
    found = _candidates(magic, line, namespace or {}, is_cell)
    return [value for value in found if value.startswith(cursor_word)]


def _candidates(magic: Magic, line: str, namespace: Mapping[str, Any], is_cell: bool) -> list[str]:
    words, current = _before_cursor(line)
    flag, _, typed = current.partition("=")
    wanted = _wanted(magic, words) or (magic.options.get(flag) if "=" in current else None)
    if wanted is not None:
        taken = (typed or current).strip("'\"").split(",")[:-1]
        return [value for value in _values(wanted, namespace) if value not in taken]
    if magic.rest is not None and not is_cell and _is_in_rest(magic, words, current):
        return code_names(namespace)
    options = [*_unused(magic, words), "--help"]
    return options if current.startswith("-") else [*_positional_values(magic, namespace), *options]


def _is_in_rest(magic: Magic, words: list[Word], current: str) -> bool:
    """Whether the cursor is in the raw text that follows the options."""
    left = 0
    for word in words:
        if not left and not word.flag:
            return True
        left = left - 1 if left else magic._values_after(word)
    return bool(current) and not current.startswith("-")


def _before_cursor(line: str) -> tuple[list[Word], str]:
    """The finished words of a line, and the raw text of the one that the cursor is in."""
    words: list[Word] = []
    with contextlib.suppress(UsageError):
        words.extend(split(line))
    end = words[-1].end if words else 0
    if words and end == len(line):
        return words[:-1], words[-1].raw
    return words, line[end:].lstrip()


def _wanted(magic: Magic, words: list[Word]) -> Argument | None:
    """The option whose value comes next."""
    left, wanted = 0, None
    for word in words:
        left = left - 1 if left else magic._values_after(word)
        wanted = magic.options.get(word.flag, wanted)
    return wanted if left else None


def _values(declared: Argument, namespace: Mapping[str, Any]) -> list[str]:
    completer = declared.completes
    return [*getattr(declared.parser, "choices", ()), *(completer(namespace) if completer else ())]


def _positional_values(magic: Magic, namespace: Mapping[str, Any]) -> list[str]:
    places = (declared for declared in magic.arguments if not declared.is_option)
    return [value for declared in places for value in _values(declared, namespace)]


def _unused(magic: Magic, words: list[Word]) -> list[str]:
    used = {magic.options[word.flag] for word in words if word.flag in magic.options}
    return [flag for flag, declared in magic.options.items() if declared.repeats or declared not in used]


class _Tab:
    """A matcher of IPython's completer (API 2) for the line of one magic."""

    matcher_api_version = 2
    matcher_priority = 100

    def __init__(self, shell: Any, magic: Magic) -> None:
        self.matcher_identifier = self.__qualname__ = f"ray_magics.{magic.name}"
        self._shell = shell
        self._magic = magic
        self._line = re.compile(rf"\s*(?:[^=%]*=\s*)?(%%?){re.escape(magic.name)}\s(.*)", re.DOTALL)

    def __call__(self, context: Any) -> dict[str, Any]:
        from IPython.core.completer import SimpleCompletion

        found = self._completions(context.text_until_cursor, context.token)
        return {
            "completions": [SimpleCompletion(text, type="magic") for text in found],
            "suppress": bool(found),
        }

    def _completions(self, text: str, token: str) -> list[str]:
        match = self._line.fullmatch(text)
        if not match or self._magic.kind == ("cell" if match[1] == "%" else "line"):
            return []
        hidden = self._shell.user_ns_hidden
        namespace = {name: value for name, value in self._shell.user_ns.items() if name not in hidden}
        return complete(self._magic, match[2], token, namespace, match[1] == "%%")


def _offer_completions(shell: Any, magic: Magic) -> None:
    """Put the magic's matcher into the completer, in the place of one that an earlier load left there."""
    tab, completer = _Tab(shell, magic), shell.Completer
    others = [
        matcher
        for matcher in completer.custom_matchers
        if getattr(matcher, "matcher_identifier", None) != tab.matcher_identifier
    ]
    completer.custom_matchers = [*others, tab]
