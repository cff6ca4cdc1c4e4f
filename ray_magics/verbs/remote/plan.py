"""Every decision about a ``%%ray_remote`` cell, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...cell.reader import Cell, read_cell
from ...errors import UsageError
from ...line.parsers import ForClause
from ...ship.captures import Captures, find_captures, handled_as_refs

RUN, DEFINE, MAP = "run", "define", "map"
RAY_OPTIONS = (
    "num_cpus",
    "num_gpus",
    "memory",
    "resources",
    "accelerator_type",
    "label_selector",
    "max_retries",
    "retry_exceptions",
    "max_calls",
    "scheduling_strategy",
    "runtime_env",
)
_TASKS_ONLY = ("max_calls", "retry_exceptions")


@dataclass(frozen=True)
class RemotePlan:
    """What a ``%%ray_remote`` cell will do.

    Attributes:
        form: "run" (one task), "define" (remote functions and actor classes) or "map" (once per item).
        options: Ray's task and actor options that the line gave, under Ray's names.
        binds: names that come back into the notebook; for "map" each becomes a list.
        as_refs: captured object refs that the cell handles as refs; the others arrive as values.
        feed: what the expression of ``--for`` reads; it is evaluated in the notebook and does not travel.
    """

    form: str
    cell: Cell
    captures: Captures
    options: Mapping[str, Any] = field(default_factory=dict)
    binds: tuple[str, ...] = ()
    as_refs: frozenset[str] = frozenset()
    items: ForClause | None = None
    feed: Captures = field(default_factory=Captures)
    chunk: int | None = None
    keep: bool = False
    into: str | None = None
    lazy: bool = False
    timeout: float | None = None
    background: bool = False
    quiet: bool = False

    @property
    def request(self) -> dict[str, float]:
        """What one task reserves, under the names of Ray's resources."""
        named = {"CPU": self.options.get("num_cpus", 1), "GPU": self.options.get("num_gpus", 0)}
        named["memory"] = self.options.get("memory", 0)
        return {
            name: float(amount) for name, amount in {**named, **self.options.get("resources", {})}.items() if amount
        }

    @property
    def actor_options(self) -> dict[str, Any]:
        """The options that Ray also takes for an actor class."""
        renamed = {"max_retries": "max_task_retries"}
        return {renamed.get(key, key): value for key, value in self.options.items() if key not in _TASKS_ONLY}


def make_plan(cell: Cell, line: Any, namespace: Mapping[str, Any], options: Mapping[str, Any]) -> RemotePlan:
    """Decides what the cell is and what travels.

    Args:
        line: the parsed line, see `magic.ray_remote`.
        options: Ray's options, evaluated.

    Raises:
        UsageError: options that contradict each other or the cell.
    """
    form = _form(cell, line)
    _check(form, cell, line)
    targets = line.items.names if line.items else ()
    absent = [name for name in line.inputs or () if name not in namespace]
    if absent:
        raise UsageError(f'--inputs: name "{absent[0]}" is not defined')
    captures = find_captures(cell, namespace, line.inputs, without=targets) if form != DEFINE else Captures()
    return RemotePlan(
        form=form,
        cell=cell,
        captures=captures,
        options=dict(options),
        binds=_binds(form, cell, line),
        as_refs=_refs(cell, captures),
        items=line.items,
        feed=_feed(line.items, namespace),
        chunk=line.chunk,
        keep=line.on_error == "keep",
        into=line.into,
        lazy=line.lazy,
        timeout=line.timeout,
        background=line.background,
        quiet=line.quiet,
    )


def _form(cell: Cell, line: Any) -> str:
    if line.items:
        return MAP
    return DEFINE if cell.definitions_only and not line.run else RUN


def _check(form: str, cell: Cell, line: Any) -> None:
    if cell.empty:
        raise UsageError("The cell is empty: write statements below %%ray_remote, or an expression behind %ray_remote.")
    if form == DEFINE and (line.into or line.outputs or line.lazy or line.background):
        raise UsageError(
            "A cell of nothing but imports, functions and classes makes them remote and has no result; "
            "--run runs it as a task instead."
        )
    if line.into and not cell.expression:
        raise UsageError(f"--into {line.into}: the cell has no value; end it with the expression to keep.")
    if form != MAP and (line.chunk or line.on_error):
        raise UsageError('--chunk and --on-error go with --for; for example --for "x in xs" --on-error keep.')
    if form == MAP and line.lazy:
        raise UsageError("--lazy keeps the result of one task on the cluster; it does not go with --for.")
    unknown = [name for name in line.outputs or () if name not in cell.binds and not cell.binds_unknown]
    if unknown:
        raise UsageError(f'--outputs: the cell does not assign "{unknown[0]}"; it assigns {_list(cell.binds)}.')


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"


def _binds(form: str, cell: Cell, line: Any) -> tuple[str, ...]:
    if line.outputs is not None:
        return tuple(line.outputs)
    return () if form == MAP else cell.binds


def _feed(items: ForClause | None, namespace: Mapping[str, Any]) -> Captures:
    if items is None:
        return Captures()
    conditions = "".join(f" if {condition}" for condition in items.conditions)
    return find_captures(read_cell(f"[0 for {items.target} in {items.iterable}{conditions}]"), namespace)


def _refs(cell: Cell, captures: Captures) -> frozenset[str]:
    refs = {capture.name for capture in captures.found if capture.kind == "ref"}
    return frozenset(refs & handled_as_refs(cell.source)) if refs else frozenset()
