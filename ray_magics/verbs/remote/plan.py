"""Every decision about a ``%%ray_remote`` cell, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...cell.reader import Cell, read_cell
from ...errors import UsageError
from ...line.options import option_of
from ...line.parsers import ForClause
from ...ship.captures import Captures, find_captures, handled_as_refs
from .definitions import Definitions, choose_remote
from .options import RemoteOptions
from .pool import Pool, make_pool

RUN, DEFINE, MAP = "run", "define", "map"
_TASKS_ONLY = ("max_calls", "retry_exceptions")


@dataclass(frozen=True)
class RemotePlan:
    """What a ``%%ray_remote`` cell will do.

    Attributes:
        form: "run" (one task), "define" (remote functions and actor classes) or "map" (once per item).
        options: Ray's task and actor options that the line gave, under Ray's names.
        only_actors: those for actors alone.
        binds: names that come back into the notebook; for "map" each becomes a list.
        outputs: those of ``--outputs``, if it was given.
        as_refs: captured object refs that the cell handles as refs; the others arrive as values.
        definitions: for "define", which names become remote; the user has `chosen` them with ``--only``.
        feed: what the expression of ``--for`` reads; it is evaluated in the notebook and is not sent.
    """

    form: str
    cell: Cell
    captures: Captures
    options: Mapping[str, Any] = field(default_factory=dict)
    only_actors: Mapping[str, Any] = field(default_factory=dict)
    binds: tuple[str, ...] = ()
    outputs: tuple[str, ...] | None = None
    as_refs: frozenset[str] = frozenset()
    definitions: Definitions = field(default_factory=Definitions)
    chosen: bool = False
    items: ForClause | None = None
    pool: Pool | None = None
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
        shared = {renamed.get(key, key): value for key, value in self.options.items() if key not in _TASKS_ONLY}
        return {**shared, **self.only_actors}


def make_plan(cell: Cell, options: RemoteOptions, namespace: Mapping[str, Any]) -> RemotePlan:
    """Decides what the cell is and what is sent.

    Raises:
        UsageError: options that contradict each other or the cell.
    """
    form = _form(cell, options)
    _check(form, cell, options)
    _check_outputs(form, cell, options)
    targets = (*(options.items.names if options.items else ()), *([options.pool.name] if options.pool else []))
    absent = [name for name in options.inputs or () if name not in namespace]
    if absent:
        raise UsageError(f'--inputs: name "{absent[0]}" is not defined')
    definitions = choose_remote(cell.source, options.only) if form == DEFINE else Definitions()
    _check_actors(definitions, cell, options)
    captures = find_captures(cell, namespace, options.inputs, without=targets) if form != DEFINE else Captures()
    return RemotePlan(
        form=form,
        cell=cell,
        captures=captures,
        options=dict(options.ray),
        only_actors=dict(options.actor),
        binds=_binds(form, cell, options),
        outputs=options.outputs,
        as_refs=_refs(cell, captures),
        definitions=definitions,
        chosen=options.only is not None,
        items=options.items,
        pool=make_pool(options.pool, options.pool_size, namespace) if options.pool else None,
        feed=_feed(options.items, namespace),
        chunk=options.chunk,
        keep=options.on_error == "keep",
        into=options.into,
        lazy=options.lazy,
        timeout=options.timeout,
        background=options.background,
        quiet=options.quiet,
    )


def _form(cell: Cell, options: RemoteOptions) -> str:
    if options.items:
        return MAP
    return DEFINE if cell.definitions_only and not options.run else RUN


def _check(form: str, cell: Cell, options: RemoteOptions) -> None:
    if cell.empty:
        raise UsageError("The cell is empty: write statements below %%ray_remote, or an expression behind %ray_remote.")
    if form == DEFINE and (options.into or options.outputs or options.lazy or options.background):
        raise UsageError(
            "A cell of nothing but imports, functions and classes makes them remote and has no result; "
            "--run runs it as a task instead."
        )
    absent = [name for name in options.only or () if name not in (*cell.functions, *cell.classes)]
    if options.only is not None and (form != DEFINE or absent):
        problem = f'"{absent[0]}" is not among these' if form == DEFINE else "this cell runs"
        raise UsageError(f"--only says which functions and classes of a cell become remote; {problem}.")
    if options.into and not cell.expression:
        raise UsageError(f"--into {options.into}: the cell has no value; end it with the expression to keep.")
    if form != MAP and (options.chunk or options.on_error):
        raise UsageError('--chunk and --on-error go with --for; for example --for "x in xs" --on-error keep.')
    if options.pool is None and options.pool_size:
        raise UsageError("--pool-size goes with --pool; for example --pool Predictor --pool-size 2.")
    if options.pool is not None and form != MAP:
        raise UsageError(f'--pool goes with --for; for example --for "batch in batches" --pool {options.pool.source}.')
    if options.pool is not None and (
        tasks_only := [name for name in (*_TASKS_ONLY, "max_retries") if name in options.ray]
    ):
        raise UsageError(f"{option_of(tasks_only[0])} is an option of tasks; the items of a --pool run in actors.")
    if form == MAP and options.lazy:
        raise UsageError("--lazy keeps the result of one task on the cluster; it does not go with --for.")


def _check_actors(definitions: Definitions, cell: Cell, options: RemoteOptions) -> None:
    """Options of actors need a class that becomes one, and a name goes to one alone."""
    actors = [name for name in definitions.remote if name in cell.classes]
    if options.actor and not actors:
        option = option_of(next(iter(options.actor)))
        raise UsageError(f"{option} is an option of actors: it goes with a cell that defines a class to be one.")
    if "name" in options.actor and len(actors) > 1:
        raise UsageError(
            f"--name goes to one actor class, and the cell has {_list(tuple(actors))}; --only chooses one."
        )


def _check_outputs(form: str, cell: Cell, options: RemoteOptions) -> None:
    """A name may also be one that the cell reads, so that what happens to its value comes back whatever its size."""
    known = {*cell.binds, *(name.name for name in cell.reads if form != MAP)}
    unknown = [name for name in options.outputs or () if name not in known and not cell.binds_unknown]
    if unknown:
        raise UsageError(f'--outputs: the cell does not assign "{unknown[0]}"; it assigns {_list(cell.binds)}.')


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"


def _binds(form: str, cell: Cell, options: RemoteOptions) -> tuple[str, ...]:
    if options.outputs is not None:
        return tuple(options.outputs)
    return () if form == MAP else cell.binds


def _feed(items: ForClause | None, namespace: Mapping[str, Any]) -> Captures:
    if items is None:
        return Captures()
    conditions = "".join(f" if {condition}" for condition in items.conditions)
    return find_captures(read_cell(f"[0 for {items.target} in {items.iterable}{conditions}]"), namespace)


def _refs(cell: Cell, captures: Captures) -> frozenset[str]:
    refs = {capture.name for capture in captures.found if capture.kind == "ref"}
    return frozenset(refs & handled_as_refs(cell.source)) if refs else frozenset()
