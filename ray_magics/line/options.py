"""Options of a magic, declared where its help is read; text becomes a value while the line is parsed.

    @magic("ray_stop", kind="line")
    @argument("run", nargs="?", metavar="RUN", completer=run_ids, help="the run to stop")
    @argument("--all", action="store_true", help="stop every run")
    def ray_stop(options): ...

Every mistake in a line is IPython's UsageError, in one line: what was seen, what was expected, an example.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn, TypeVar

from IPython.core.error import UsageError

from .parsers import Completer, Expression, Parser, choice, close_to, decimal, integer

T = TypeVar("T")
MagicKind = Literal["line", "cell", "line_cell"]


# --- declaring


class Group:
    """Options to be put on a function together, by decorating it."""

    def __init__(self, *parts: Group | Argument) -> None:
        self.arguments: tuple[Argument, ...] = tuple(a for part in parts for a in part.arguments)

    def __call__(self, function: Callable[..., T]) -> Callable[..., T]:
        """Declares them on the function, before those that stand nearer to it."""
        function.__dict__["_ray_magics_arguments"] = (*self.arguments, *_arguments_of(function))
        return function


@dataclass(frozen=True, eq=False)
class Argument:
    """One declared option or positional argument, with what argparse gets to know about it."""

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
    def name(self) -> str:
        """Under which the value is found: `num_cpus`, `run`."""
        return str(self.settings.get("dest") or self.flags[0].lstrip("-").replace("-", "_"))

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


run_options = group(
    argument("--background", action="store_true", help="Return a Run at once; its view lives on in this cell."),
    argument("--dry-run", action="store_true", help="Show the plan and the plain Ray script; start nothing."),
    argument("--quiet", action="store_true", help="No view, no notes; only what the cell prints and returns."),
)


def evaluated(options: object, names: Iterable[str], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The options of these names that are given, expressions among them evaluated in the notebook.

    Args:
        options: a record with an attribute for each name, None where the option is not given.
    """
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return {
        name: value.evaluate(namespace, option_of(name)) if isinstance(value, Expression) else value
        for name, value in given.items()
    }


def option_of(name: str) -> str:
    """``"num_cpus"`` -> ``"--num-cpus"``"""
    return "--" + name.replace("_", "-")


def _arguments_of(function: Callable[..., Any]) -> tuple[Argument, ...]:
    arguments: tuple[Argument, ...] = function.__dict__.get("_ray_magics_arguments", ())
    return arguments


# --- tokens of a line


class Token(NamedTuple):
    """A word of the line.

    Attributes:
        text: without its quotes.
        raw: as it stands in the line.
        end: where it ends there.
    """

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


def tokenize(line: str) -> Iterator[Token]:
    """The tokens of a line, by the shell's quoting; inside brackets quotes and spaces stay as they are.

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
                yield Token(text, line[start:at], at)
            start, text = piece.end(), ""
        at = _after_brackets(line, at) if piece["open"] else piece.end()
        text += line[piece.start() : at] if piece["open"] else _unquoted(piece)
    if start < at:
        yield Token(text, line[start:], at)


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

    With `remainder`, a line call takes what follows its options, word for word, as the option of that name.
    """

    name: str
    kind: MagicKind
    function: Callable[..., Any]
    remainder: str | None = None

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
        return _arguments_of(self.function)

    @functools.cached_property
    def options(self) -> dict[str, Argument]:
        """The declared options by flag."""
        return {flag: option for option in self.arguments if option.is_option for flag in option.flags}

    @functools.cached_property
    def parser(self) -> argparse.ArgumentParser:
        """argparse with the declared arguments; `parse` is the way in."""
        return _parser(self, self.title())

    def parse(self, line: str, is_cell: bool | None = None) -> argparse.Namespace | None:
        """The options of a line, or None if it asks for help. Raises UsageError."""
        title = self.title(is_cell)
        takes_remainder = self.remainder is not None and not title.startswith("%%")
        tokens, remainder = self._split_remainder(line) if takes_remainder else (list(tokenize(line)), "")
        if {token.flag for token in tokens} & ({"--help", "-h"} - set(self.options)):
            return None
        options, unknown = _parser(self, title).parse_known_args(self._argparse_words(tokens, title))
        if unknown:
            raise UsageError(f'{title} does not take "{unknown[0]}"; quote a value that has spaces')
        if self.remainder is not None:
            setattr(options, self.remainder, remainder)
        return options

    def _split_remainder(self, line: str) -> tuple[list[Token], str]:
        """The leading options with their values, and the raw text after them."""
        tokens: list[Token] = []
        end, values_left = 0, 0
        following = tokenize(line)
        while line[end:].strip():
            tail = line[end:].strip()
            if not values_left and not self._is_option(tail):
                return tokens, tail.removeprefix("-- ")
            tokens.append(next(following))
            end = tokens[-1].end
            values_left = values_left - 1 if values_left else self.values_after(tokens[-1])
        return tokens, ""

    def _is_option(self, text: str) -> bool:
        return bool(re.match(r"--[^\W\d]", text)) or text.split(maxsplit=1)[0] in {"-h", *self.options}

    def values_after(self, token: Token) -> int:
        """How many tokens after this one are its values."""
        option = self.options.get(token.flag)
        if option is None or "=" in token.raw:
            return 0
        return option.values if isinstance(option.values, int) else 0

    def _argparse_words(self, tokens: list[Token], title: str) -> list[str]:
        """The tokens as argparse reads them without doubt: `--stop -5`  ->  `--stop=-5`."""
        left, words = list(reversed(tokens)), []
        while left:
            token = left.pop()
            option = self._option(token, title)
            if option is None or option.values != 1:
                words.append(token.text)
            elif "=" in token.raw:
                words.append(f"{token.flag}={token.text.partition('=')[2]}")
            elif left and not self._is_option(left[-1].raw):
                words.append(f"{token.flag}={left.pop().text}")
            else:
                raise UsageError(option.needs())
        return words

    def _option(self, token: Token, title: str) -> Argument | None:
        """The option that a token names; None for a value. Raises UsageError for an option that is not there."""
        if not token.flag or token.flag in self.options:
            return self.options.get(token.flag)
        close = close_to(token.flag, self.options)
        advice = f"did you mean {close}?" if close else f"{title}? lists them"
        raise UsageError(f"{token.flag} is not an option of {title}; {advice}")

    @functools.cached_property
    def help(self) -> str:
        """The manual that `%%name?` shows: the docstring and one paragraph for each option."""
        text = inspect.cleandoc(self.function.__doc__ or "")
        return "\n".join([text, "", "Options:", *map(_option_help, self.arguments)]) if self.arguments else text


@functools.cache
def _parser(magic: Magic, title: str) -> argparse.ArgumentParser:
    """argparse with the declared arguments; to make one takes longer than a small cell."""
    parser = _ArgumentParser(prog=title, add_help=False, allow_abbrev=False)
    for arg in magic.arguments:
        settings = {key: value for key, value in arg.settings.items() if key != "help"}
        if arg.parser:
            settings["type"] = arg.read
        parser.add_argument(*arg.flags, **settings)
    return parser


def _option_help(arg: Argument) -> str:
    """`  --num-cpus N           CPUs the task reserves`."""
    values = f" {arg.metavar}" if arg.is_option and arg.values != 0 else ""
    head = "  " + (", ".join(arg.flags) + values if arg.is_option else arg.label)
    text = textwrap.wrap(arg.settings.get("help") or "", 64)
    if len(head) > 25:
        text = ["", *text]
    return "\n".join([f"{head:<26} {text[0] if text else ''}".rstrip(), *(" " * 27 + t for t in text[1:])])


def magic(
    name: str, kind: MagicKind = "line_cell", remainder: str | None = None
) -> Callable[[Callable[..., Any]], Magic]:
    """Make a function of `(options)` (kind "line") or `(options, cell)` a magic with its declared options."""
    return lambda function: Magic(name, kind, function, remainder)
