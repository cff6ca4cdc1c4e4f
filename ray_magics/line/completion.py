"""What Tab offers on the line of a magic."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError

from .options import Argument, Magic, Token, tokenize
from .parsers import code_names


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
    candidates = _candidates(magic, line, namespace or {}, is_cell)
    return [candidate for candidate in candidates if candidate.startswith(cursor_word)]


def _candidates(magic: Magic, line: str, namespace: Mapping[str, Any], is_cell: bool) -> list[str]:
    tokens, current = _before_cursor(line)
    flag, _, typed = current.partition("=")
    option = _option_before(magic, tokens) or (magic.options.get(flag) if "=" in current else None)
    if option is not None:
        listed = (typed or current).strip("'\"").split(",")[:-1]
        return [value for value in _values(option, namespace) if value not in listed]
    if magic.remainder is not None and not is_cell and _is_in_remainder(magic, tokens, current):
        return code_names(namespace)
    flags = [*_unused(magic, tokens), "--help"]
    return flags if current.startswith("-") else [*_positional_values(magic, namespace), *flags]


def _is_in_remainder(magic: Magic, tokens: list[Token], current: str) -> bool:
    """Whether the cursor is in the raw text that follows the options."""
    values_left = 0
    for token in tokens:
        if not values_left and not token.flag:
            return True
        values_left = values_left - 1 if values_left else magic.values_after(token)
    return bool(current) and not current.startswith("-")


def _before_cursor(line: str) -> tuple[list[Token], str]:
    """The finished tokens of a line, and the raw text of the one that the cursor is in."""
    tokens: list[Token] = []
    with contextlib.suppress(UsageError):
        tokens.extend(tokenize(line))
    end = tokens[-1].end if tokens else 0
    if tokens and end == len(line):
        return tokens[:-1], tokens[-1].raw
    return tokens, line[end:].lstrip()


def _option_before(magic: Magic, tokens: list[Token]) -> Argument | None:
    """The option whose value comes next."""
    values_left, option = 0, None
    for token in tokens:
        values_left = values_left - 1 if values_left else magic.values_after(token)
        option = magic.options.get(token.flag, option)
    return option if values_left else None


def _values(arg: Argument, namespace: Mapping[str, Any]) -> list[str]:
    completer = arg.completes
    return [*getattr(arg.parser, "choices", ()), *(completer(namespace) if completer else ())]


def _positional_values(magic: Magic, namespace: Mapping[str, Any]) -> list[str]:
    positional = (arg for arg in magic.arguments if not arg.is_option)
    return [value for arg in positional for value in _values(arg, namespace)]


def _unused(magic: Magic, tokens: list[Token]) -> list[str]:
    used = {magic.options[token.flag] for token in tokens if token.flag in magic.options}
    return [flag for flag, option in magic.options.items() if option.repeats or option not in used]


class _Matcher:
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

        completions = self._completions(context.text_until_cursor, context.token)
        return {
            "completions": [SimpleCompletion(text, type="magic") for text in completions],
            "suppress": bool(completions),
        }

    def _completions(self, text: str, token: str) -> list[str]:
        match = self._line.fullmatch(text)
        if not match or self._magic.kind == ("cell" if match[1] == "%" else "line"):
            return []
        hidden = self._shell.user_ns_hidden
        namespace = {name: value for name, value in self._shell.user_ns.items() if name not in hidden}
        return complete(self._magic, match[2], token, namespace, match[1] == "%%")


def offer_completions(shell: Any, magic: Magic) -> None:
    """Puts the magic's matcher into the completer, in the place of one that an earlier load left there."""
    matcher, completer = _Matcher(shell, magic), shell.Completer
    others = [
        other
        for other in completer.custom_matchers
        if getattr(other, "matcher_identifier", None) != matcher.matcher_identifier
    ]
    completer.custom_matchers = [*others, matcher]
