"""The training loops of cells by their names: `%%ray_train` leaves them, `%ray_tune` searches over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cell.reader import Cell
from ..ship.captures import Captures


@dataclass(frozen=True)
class NamedLoop:
    """A loop that trains with several workers, ready to be a trial.

    Attributes:
        name: by which it is found.
        cell, captures: its code, and what that reads from the notebook.
        workers: how many a trial has.
        request: what one of them reserves.
        make_trial: for the id of a run, a function of a configuration that trains once.
        script: imports and definitions of the same in a plain script, where the function is called `TRIAL_NAME`.
    """

    name: str
    cell: Cell
    captures: Captures
    workers: int
    request: Mapping[str, float]
    make_trial: Callable[[str], Any]
    script: Callable[[], list[str]]


TRIAL_NAME = "train_trial"
"""How a script calls the function that trains once."""

IDLE: dict[str, float] = {"cpu": 0, "memory": 2**20}
"""What such a trial itself reserves, under Tune's names: it waits for its workers, but Tune takes no empty request."""

_loops: dict[str, NamedLoop] = {}


def remember_loop(loop: NamedLoop) -> None:
    """The newest of a name is the one that is found."""
    _loops[loop.name] = loop


def find_loop(name: str) -> NamedLoop | None:
    return _loops.get(name)
