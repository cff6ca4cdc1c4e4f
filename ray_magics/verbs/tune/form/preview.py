"""The part of a state that stands in the line of the form: what would make the line invalid waits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ....line.options import option_of
from .parameter import args_of
from .problems import problems
from .state import TEXTS, FormState

_TOGETHER = ("metric", "mode")  # neither is valid without the other


@dataclass(frozen=True)
class Preview:
    """A state without mistakes but for those of the trainable.

    Attributes:
        left_out: what is set and not in it, as a person calls it: "lr", "--metric".
    """

    state: FormState
    left_out: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """ "Not in it yet: lr, --metric; what they need stands above." """
        if not self.left_out:
            return ""
        need = "it needs" if len(self.left_out) == 1 else "they need"
        return f"Not in it yet: {', '.join(self.left_out)}; what {need} stands above."


def preview(state: FormState, mistakes: Mapping[str, str], namespace: Mapping[str, Any]) -> Preview:
    """The state without what has one of these mistakes, and without what is wrong because that is gone."""
    left_out: tuple[str, ...] = ()
    while mistakes:
        smaller = _without(state, mistakes)
        if smaller == state:
            break
        left_out += tuple(_lost(state, mistakes))
        state, mistakes = smaller, problems(smaller, namespace)
    return Preview(state, left_out)


def _without(state: FormState, names: Collection[str]) -> FormState:
    rows = tuple(row for number, row in enumerate(state.rows) if f"row {number}" not in names)
    texts: dict[str, Any] = dict.fromkeys(_options(names), "")
    return replace(state, rows=rows, **texts)


def _options(names: Collection[str]) -> list[str]:
    together = _TOGETHER if any(name in names for name in _TOGETHER) else ()
    return [name for name in TEXTS if name in names or name in together]


def _lost(state: FormState, names: Collection[str]) -> Iterator[str]:
    for number, row in enumerate(state.rows):
        if f"row {number}" in names and (row.key.strip() or args_of(row)):
            yield row.key.strip() or "a parameter"
    yield from (option_of(name) for name in _options(names) if getattr(state, name).strip())
