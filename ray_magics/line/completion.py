"""What Tab offers on the line of a magic."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError

from .options import Argument, Magic, Token, split
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


def _is_in_rest(magic: Magic, words: list[Token], current: str) -> bool:
    """Whether the cursor is in the raw text that follows the options."""
    left = 0
    for word in words:
        if not left and not word.flag:
            return True
        left = left - 1 if left else magic.values_after(word)
    return bool(current) and not current.startswith("-")


def _before_cursor(line: str) -> tuple[list[Token], str]:
    """The finished words of a line, and the raw text of the one that the cursor is in."""
    words: list[Token] = []
    with contextlib.suppress(UsageError):
        words.extend(split(line))
    end = words[-1].end if words else 0
    if words and end == len(line):
        return words[:-1], words[-1].raw
    return words, line[end:].lstrip()


def _wanted(magic: Magic, words: list[Token]) -> Argument | None:
    """The option whose value comes next."""
    left, wanted = 0, None
    for word in words:
        left = left - 1 if left else magic.values_after(word)
        wanted = magic.options.get(word.flag, wanted)
    return wanted if left else None


def _values(declared: Argument, namespace: Mapping[str, Any]) -> list[str]:
    completer = declared.completes
    return [*getattr(declared.parser, "choices", ()), *(completer(namespace) if completer else ())]


def _positional_values(magic: Magic, namespace: Mapping[str, Any]) -> list[str]:
    places = (declared for declared in magic.arguments if not declared.is_option)
    return [value for declared in places for value in _values(declared, namespace)]


def _unused(magic: Magic, words: list[Token]) -> list[str]:
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


def offer_completions(shell: Any, magic: Magic) -> None:
    """Put the magic's matcher into the completer, in the place of one that an earlier load left there."""
    tab, completer = _Tab(shell, magic), shell.Completer
    others = [
        matcher
        for matcher in completer.custom_matchers
        if getattr(matcher, "matcher_identifier", None) != tab.matcher_identifier
    ]
    completer.custom_matchers = [*others, tab]
