"""What a trial executes: the cell, a function of the notebook, or a trainable of Ray's own kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ...cell.reader import Cell, read_cell
from ...errors import UsageError
from ...run.loops import NamedLoop
from ...ship.captures import Captures, find_captures

CELL, FUNCTION, RAY, TRAINING = "cell", "function", "ray", "training"
CONFIG = "config"


@dataclass(frozen=True)
class Trainable:
    """What a trial executes.

    Attributes:
        kind: "cell" (the body of the magic), "function" (of one argument, the configuration) or "ray" (a Trainable
            class, the name of a registered one, or what ``tune.with_parameters`` and its like return: goes to Ray as
            it is), or "training" (the loop of a cell of ``%%ray_train``: each trial has workers of its own).
        name: what Ray, its folders and the view call it.
        cell: the code that runs with `config` in scope; for a function the call of it.
        captures: what that code reads from the notebook.
        text: as it stands on the line.
        value: for "ray", the object; for "training", a NamedLoop.
    """

    kind: str
    name: str
    cell: Cell
    captures: Captures = field(default_factory=Captures)
    text: str = ""
    value: Any = field(default=None, compare=False)


def cell_trainable(cell: Cell, namespace: Mapping[str, Any], cell_id: str = "") -> Trainable:
    """The body of the magic as a trainable; it finds `config` and `tune`. Raises UsageError for an empty one.

    Its name is the same whenever the same cell runs again, so that `--resume` finds its experiment.
    """
    if cell.empty:
        raise UsageError(
            "The cell is empty: write what one trial does below %%ray_tune, with config in scope, "
            'and tune.report({"loss": …}) in it.'
        )
    captures = find_captures(cell, namespace, without=[CONFIG])
    missing = tuple(name for name in captures.missing if name.name not in (CONFIG, "tune"))
    digest = sha256((cell_id or cell.source).encode()).hexdigest()
    return Trainable(CELL, f"cell_{digest[:6]}", cell, Captures(captures.found, missing))


def named_trainable(text: str, value: Any, namespace: Mapping[str, Any]) -> Trainable:
    """What stands behind ``%ray_tune``: a function, a Trainable class, the name of a registered one.

    Raises UsageError for a value that cannot be called.
    """
    if isinstance(value, (type, str)) or hasattr(value, "_resources") or _is_of_ray(value):
        cell = read_cell(text)
        return Trainable(RAY, _name_of(value, text), cell, find_captures(cell, namespace), text, value)
    if not callable(value):
        raise UsageError(
            f'"{text}" is a {type(value).__name__}; %ray_tune needs a function of one argument, config, '
            "or a Trainable class."
        )
    source = f"{text}({CONFIG})" if text.isidentifier() else f"({text})({CONFIG})"
    cell = read_cell(source)
    return Trainable(FUNCTION, _name_of(value, text), cell, find_captures(cell, namespace, without=[CONFIG]), text)


def loop_trainable(loop: NamedLoop) -> Trainable:
    """The loop of a cell of ``%%ray_train``."""
    return Trainable(TRAINING, loop.name, loop.cell, loop.captures, loop.name, loop)


def _is_of_ray(value: Any) -> bool:
    """Whether Ray has wrapped it already, as ``tune.with_parameters`` does."""
    return str(getattr(value, "__module__", "")).startswith("ray.")


def _name_of(value: Any, text: str) -> str:
    name = value if isinstance(value, str) else getattr(value, "__name__", text)
    return re.sub(r"\W+", "_", str(name)).strip("_")[:60] or "trainable"


def check_trainable(trainable: Trainable) -> None:
    """Raises UsageError for a cell that cannot but fail, for it reads what is not defined."""
    missing = [name for name in trainable.captures.missing if name.needed]
    if missing and trainable.kind == CELL:
        name = missing[0]
        raise UsageError(f'The cell reads "{name.name}" on line {name.line}, which is not defined.')
