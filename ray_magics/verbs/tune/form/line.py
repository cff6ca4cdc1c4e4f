"""A state as the magic's line, and back.

FormState("train", rows=(Field("lr", "loguniform", ("1e-4", "1e-1")),), num_samples="10")
<->  %ray_tune train --space "lr=loguniform(1e-4, 1e-1)" --num-samples 10
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ....errors import UsageError
from ....line.options import tokenize
from ....line.parsers import Expression
from ..algorithms import Named
from ..magic import ray_tune
from ..space import Assignment, stop_assignment
from .field import field_of, normal_field, word_of
from .state import SWITCHES, TEXTS, FormState, flag_of

_PLAIN = re.compile(r"(-(?=\.?\d))?[\w./:@+~][\w./:@+~=-]*")  # what a line holds without quotes


def to_line(state: FormState) -> str:
    """The magic's line, in the order in which the manual lists its options."""
    return f"{ray_tune.title(state.cell is not None)} {arguments(state)}".rstrip()


def to_text(state: FormState) -> str:
    """The line, and the body of the cell below it."""
    return to_line(state) if state.cell is None else f"{to_line(state)}\n{state.cell}"


def in_words(state: FormState) -> str:
    """What is shown instead of controls."""
    return f"{to_line(state)}\nControls need a notebook with widgets; here, edit this line and run it."


def arguments(state: FormState) -> str:
    """What stands behind the name of the magic."""
    parts = [] if state.cell is not None else [_quoted(state.trainable.strip())]
    parts += _listed("--space", map(word_of, state.rows))
    for name in TEXTS:
        text = getattr(state, name)
        if name == "stop":
            parts += _listed("--stop", stop_words(text))
        elif text.strip():
            parts.append(f"{flag_of(name)} {_quoted(text)}")
    parts += [flag_of(name) for name in SWITCHES if getattr(state, name)]
    return " ".join(parts)


def _listed(flag: str, words: Iterable[str]) -> Iterator[str]:
    """``--space "a=1" "b=2"``; a word that would pass for an option is tied to the flag, ``--space="-x"``."""
    opened = False
    for word in words:
        tied = word.startswith("-")
        if tied:
            yield f"{flag}={_in_quotes(word)}"
        else:
            yield _in_quotes(word) if opened else f"{flag} {_in_quotes(word)}"
        opened = not tied


def _quoted(text: str) -> str:
    """One word of a line, as `core.options.split` reads it back."""
    return text if _PLAIN.fullmatch(text) else _in_quotes(text)


def _in_quotes(text: str) -> str:
    if '"' in text and "'" not in text and "\\" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def stop_words(text: str) -> list[str]:
    """``a=1 "b = 2"`` -> ``["a=1", "b = 2"]``; a text with a quote left open is one word."""
    try:
        return [word.text for word in tokenize(text)]
    except UsageError:
        return [text]


def from_line(line: Any, cell: str | None = None) -> FormState:
    """The state that a parsed line of ``ray_tune`` stands for; a later word for a key replaces an earlier one."""
    rows = {word.key or word.text: field_of(word) for word in line.space or ()}
    texts: dict[str, Any] = {name: _text_of(getattr(line, name)) for name in TEXTS if name != "stop"}
    switches: dict[str, Any] = {name: getattr(line, name) for name in SWITCHES}
    trainable = "" if line.trainable is None else line.trainable.text
    return FormState(trainable, cell, tuple(rows.values()), stop=_stop_text(line.stop or ()), **texts, **switches)


def normal(state: FormState) -> FormState:
    """A state without problems as its line gives it back: no blanks around, numbers as Python writes them."""
    texts: dict[str, Any] = {name: _normal_text(name, getattr(state, name)) for name in TEXTS if name != "stop"}
    rows = tuple(map(normal_field, state.rows))
    stop = _stop_text(map(stop_assignment, stop_words(state.stop)))
    trainable = "" if state.cell is not None else state.trainable.strip()
    return replace(state, trainable=trainable, rows=rows, stop=stop, **texts)


def _normal_text(name: str, text: str) -> str:
    if not text.strip():
        return ""
    option = ray_tune.options[flag_of(name)]
    return _text_of(option.read(text)) if option.parser else text


def _text_of(value: Any) -> str:
    """The value of an option as one would type it."""
    if value is None:
        return ""
    if isinstance(value, (Expression, Named)):
        return value.text.strip()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


def _stop_text(words: Iterable[Assignment]) -> str:
    return " ".join(_quoted(f"{word.key}={word.text}" if word.key else word.text) for word in words)
