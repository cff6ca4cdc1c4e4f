"""A state as the magic's line, and back.

FormState("train", rows=(Parameter("lr", "loguniform", ("1e-4", "1e-1")),), num_samples="10")
<->  %ray_tune train --space "lr=loguniform(1e-4, 1e-1)" --num-samples 10
"""

from __future__ import annotations

import re
from argparse import Namespace as Line
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ....errors import UsageError
from ....line.options import option_of, tokenize
from ....line.parsers import Expression
from ..algorithms import AlgorithmText
from ..options import LINE
from ..space import Assignment, stop_assignment
from .parameter import Parameter, assignment_text, normal_parameter, parameter_of
from .state import SWITCHES, TEXTS, FormState

_PLAIN = re.compile(r"(-(?=\.?\d))?[\w./:@+~][\w./:@+~=-]*")  # what a line holds without quotes


def to_line(state: FormState) -> str:
    """The magic's line, in the order in which the manual lists its options."""
    return f"{LINE.title(state.cell is not None)} {arguments(state)}".rstrip()


def to_text(state: FormState) -> str:
    """The line, and the body of the cell below it; a comment for one that is still to be made."""
    if state.cell is None:
        return to_line(state)
    return f"{to_line(state)}\n{state.cell if state.cell.strip() else _what_to_write(state)}"


def _what_to_write(state: FormState) -> str:
    """``# One trial: Python that reads config["lr"] and ends with the loss.``"""
    *others, last = [_lookup(row.key.strip()) for row in state.rows if row.key.strip()] or ["config"]
    reads = f"{', '.join(others)} and {last}" if others else last
    return f"# One trial: Python that reads {reads} and ends with the {state.metric.strip() or 'result'}."


def _lookup(key: str) -> str:
    """``model.depth`` -> ``config["model"]["depth"]``"""
    return "config" + "".join(f'["{part}"]' for part in key.split("."))


def without_controls(state: FormState) -> str:
    """What is shown instead of controls; a range that was guessed has bounds to edit."""
    rows = tuple(replace(row, args=("0", "1")) if row == Parameter(row.key) else row for row in state.rows)
    line = to_text(replace(state, rows=rows)) if state.is_unwritten else to_line(replace(state, rows=rows))
    return f"{line}\nControls need a notebook with widgets; here, edit this line and run it."


def arguments(state: FormState) -> str:
    """What stands behind the name of the magic."""
    parts = [] if state.cell is not None else [_quoted(state.trainable.strip())]
    parts += _listed("--space", map(assignment_text, state.rows))
    for name in TEXTS:
        text = getattr(state, name)
        if name == "stop":
            parts += _listed("--stop", _conditions(text))
        elif text.strip():
            parts.append(f"{option_of(name)} {_quoted(text)}")
    parts += [option_of(name) for name in SWITCHES if getattr(state, name)]
    return " ".join(parts)


def _listed(flag: str, values: Iterable[str]) -> Iterator[str]:
    """``--space "a=1" "b=2"``; a value that would pass for an option is tied to the flag, ``--space="-x"``."""
    opened = False
    for value in values:
        tied = value.startswith("-")
        if tied:
            yield f"{flag}={_in_quotes(value)}"
        else:
            yield _in_quotes(value) if opened else f"{flag} {_in_quotes(value)}"
        opened = not tied


def _quoted(text: str) -> str:
    """A text as `line.options.split` reads it back in one piece."""
    return text if _PLAIN.fullmatch(text) else _in_quotes(text)


def _in_quotes(text: str) -> str:
    if '"' in text and "'" not in text and "\\" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _conditions(text: str) -> list[str]:
    """``a=1 "b = 2"`` -> ``["a=1", "b = 2"]``; a text with a quote left open is one condition."""
    try:
        return [token.text for token in tokenize(text)]
    except UsageError:
        return [text]


def from_line(line: Line, cell: str | None = None) -> FormState:
    """The state that a parsed line stands for; a later assignment to a key replaces an earlier one."""
    rows = {assignment.key or assignment.text: parameter_of(assignment) for assignment in line.space or ()}
    texts: dict[str, Any] = {name: _text_of(getattr(line, name)) for name in TEXTS if name != "stop"}
    switches: dict[str, Any] = {name: getattr(line, name) for name in SWITCHES}
    trainable = "" if line.trainable is None else line.trainable.text
    return FormState(trainable, cell, tuple(rows.values()), stop=_stop_text(line.stop or ()), **texts, **switches)


def normal(state: FormState) -> FormState:
    """A state without problems as its line gives it back: no blanks around, numbers as Python writes them."""
    texts: dict[str, Any] = {name: _normal_text(name, getattr(state, name)) for name in TEXTS if name != "stop"}
    rows = tuple(map(normal_parameter, state.rows))
    stop = _stop_text(map(stop_assignment, _conditions(state.stop)))
    trainable = "" if state.cell is not None else state.trainable.strip()
    return replace(state, trainable=trainable, rows=rows, stop=stop, **texts)


def _normal_text(name: str, text: str) -> str:
    if not text.strip():
        return ""
    option = LINE.options[option_of(name)]
    return _text_of(option.read(text)) if option.parser else text


def _text_of(value: Any) -> str:
    """The value of an option as one would type it."""
    if value is None:
        return ""
    if isinstance(value, (Expression, AlgorithmText)):
        return value.text.strip()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


def _stop_text(conditions: Iterable[Assignment]) -> str:
    return " ".join(_quoted(condition.written) for condition in conditions)
