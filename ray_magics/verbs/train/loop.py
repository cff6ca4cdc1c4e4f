"""What each worker executes: the cell, a function of it or of the notebook, or that of a trainer."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from ...cell.reader import Cell, read_cell
from ...cell.source import CellSource
from ...errors import UsageError
from ...ship.captures import Captures, find_captures
from .call import LoopCall

STATEMENTS, FUNCTIONS, FUNCTION, TRAINER = "statements", "functions", "function", "trainer"
CONFIG = "config"
SCOPE = {"train": "ray.train", "Checkpoint": "ray.train:Checkpoint"}
SCOPE_OF = {
    "torch": {
        "prepare_model": "ray.train.torch:prepare_model",
        "prepare_data_loader": "ray.train.torch:prepare_data_loader",
    }
}
"""Trainer -> what its loops have in scope beside `SCOPE`, where the notebook has no such name."""


@dataclass(frozen=True)
class TrainLoop:
    """What each worker executes.

    Attributes:
        kind: "statements" with `config` in scope, "functions" of which `name` is the loop, a "function" of the
            notebook, or that of a "trainer" which the notebook has built.
        name: what Ray, its folders and the view call it.
        cell: the code that runs; that of a cell of functions defines them.
        captures: what that reads from the notebook.
        text: as it stands on the line.
        value: the trainer.
        takes_config: whether the loop is given `config`.
        function: of "functions", the one that is called.
    """

    kind: str
    name: str
    cell: Cell
    captures: Captures = field(default_factory=Captures)
    text: str = ""
    value: Any = field(default=None, compare=False)
    takes_config: bool = True
    function: str = ""

    @property
    def call(self) -> LoopCall:
        """What a worker does beside executing the code."""
        function = self.function if self.kind == FUNCTIONS else ""
        return LoopCall(function, self.takes_config, returns=self.kind == FUNCTION)


def scope_of(trainer: str) -> dict[str, str]:
    """Name -> where it is found, of what a loop has in scope."""
    return {**SCOPE, **SCOPE_OF.get(trainer, {})}


def cell_loop(cell_source: CellSource, namespace: Mapping[str, Any], trainer: str, loop_name: str | None) -> TrainLoop:
    """The body of the magic as a loop. Raises UsageError for what is none."""
    cell = cell_source.read()
    if cell.empty:
        raise UsageError(
            "The cell is empty: write the training loop below %%ray_train, with config in scope and "
            'train.report({"loss": …}) in it.'
        )
    if not cell.definitions_only:
        if loop_name is not None:
            raise UsageError(f"--loop {loop_name} is for a cell of functions; the statements of this one are the loop.")
        name = f"cell_{sha256((cell_source.cell_id or cell.source).encode()).hexdigest()[:6]}"
        return read_loop(STATEMENTS, name, cell, namespace, trainer)
    name = _chosen(cell, loop_name)
    loop = read_loop(FUNCTIONS, name, cell, namespace, trainer)
    return replace(loop, function=name, takes_config=_takes_config(cell_source.code, name))


def _chosen(cell: Cell, loop_name: str | None) -> str:
    if not cell.functions:
        raise UsageError("The cell has no function that could be the loop: write one, or the loop's statements.")
    if loop_name is not None and loop_name not in cell.functions:
        raise UsageError(f"--loop {loop_name}: the cell has {', '.join(cell.functions)}.")
    return loop_name or cell.functions[-1]


def _takes_config(code: str, name: str) -> bool:
    """Whether the function has a parameter. Raises UsageError where it needs more than one."""
    nodes = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not nodes:
        raise UsageError(f"The loop {name} is async; Ray Train runs plain functions.")
    parameters = nodes[-1].args
    every = [*parameters.posonlyargs, *parameters.args]
    needed = len(every) - len(parameters.defaults)
    if needed > 1:
        raise UsageError(f"The loop {name} takes {needed} arguments; Ray Train gives it one, config, or none.")
    return bool(every or parameters.vararg)


def read_loop(kind: str, name: str, cell: Cell, namespace: Mapping[str, Any], trainer: str) -> TrainLoop:
    captures = find_captures(cell, namespace, without=[CONFIG])
    in_scope = {CONFIG, *scope_of(trainer)}
    missing = [one for one in captures.missing if one.name not in in_scope and one.needed]
    if missing:
        raise UsageError(f'The cell reads "{missing[0].name}" on line {missing[0].line}, which is not defined.')
    return TrainLoop(kind, name, cell, captures)


def named_loop(text: str, value: Any, namespace: Mapping[str, Any]) -> TrainLoop:
    """A function of the notebook, or a trainer of Ray's. Raises UsageError for what is neither."""
    if hasattr(value, "fit") and hasattr(value, "train_loop_per_worker"):
        loop = value.train_loop_per_worker
        cell = read_cell(text)
        name = _name_of(loop, text)
        return TrainLoop(TRAINER, name, cell, find_captures(cell, namespace), text, value, _has_parameter(loop))
    if isinstance(value, type) or not callable(value):
        raise UsageError(
            f'"{text}" is a {type(value).__name__}; %ray_train needs a function of config, or a trainer of Ray Train.'
        )
    takes_config = _has_parameter(value)
    called = text if text.isidentifier() else f"({text})"
    cell = read_cell(f"{called}({CONFIG if takes_config else ''})")
    captures = find_captures(cell, namespace, without=[CONFIG])
    return TrainLoop(FUNCTION, _name_of(value, text), cell, captures, text, takes_config=takes_config)


def _has_parameter(function: Any) -> bool:
    try:
        return bool(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return True


def _name_of(value: Any, text: str) -> str:
    return re.sub(r"\W+", "_", str(getattr(value, "__name__", text))).strip("_")[:60] or "train_loop"
