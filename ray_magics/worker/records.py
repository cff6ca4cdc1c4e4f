"""The records that go between the notebook and its workers.

On their way they are plain dicts (``to_wire``), for a worker knows these classes only once it has the worker runtime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Frame = tuple[str, int, str, str]  # file, line number, function, text of the line
Event = tuple[str, Any]  # kind ("stdout", "stderr", "hidden", "display", "update", "clear") and its data


class Record:
    """A frozen dataclass that can travel."""

    def to_wire(self) -> dict[str, Any]:
        """Its fields, without copies of their values."""
        return dict(vars(self))

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        return cls(**wire)


@dataclass(frozen=True)
class TaskSpec(Record):
    """What a worker is to execute, beside the captured values.

    Attributes:
        run, task: the run that it belongs to, and which of its tasks it is: a number, or the id of a trial.
        source, filename: the code, and what tracebacks call it.
        is_async: it has a top-level ``await``.
        uses_ipython: it has syntax of IPython's own.
        cwd, path, modules: the notebook's folder, import path and local modules with their stamps.
        output_queue: name and namespace of the actor that holds output for the notebook.
        log_lines: lines that it may print at once.
        share_above: bytes from which a value is shared in the object store.
        retried: Ray may retry it by the type of its exception.
        resolved: captured object refs that arrive as their values.
        captured: all captured names; of them `values` are neither functions, classes nor modules.
        updates, calls: captured names that the code assigns into, or whose methods it calls for their effect.
        looked_at: captured names in whose values changes are found.
        writable: which of the large buffers the code may write into; it gets copies of these.
        binds: names that it binds; unless `only_outputs`, others that its functions have bound come back, too.
        deletes: names that it deletes.
        lazy: its results stay on the cluster.
        target, outputs, keep: of ``--for``: the target of an item, the names that are collected, whether failures are.
        pooled: of ``--pool``: the name by which the cell finds the object of its actor.
        changes: of ``--for``: an item may leave names behind, so each begins with a clean namespace.
        looks_at_items: of ``--for``: it finds out whether the first item changes what all share, or the item itself.
        budget: seconds of work in one task of a fan-out.
        metric: of a search: what a number that the code returns is reported as.
    """

    run: str
    source: str
    filename: str
    task: int | str = 0
    is_async: bool = False
    uses_ipython: bool = False
    cwd: str = ""
    path: Sequence[str] = ()
    modules: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)
    output_queue: tuple[str, str] = ("", "")
    log_lines: int = 2000
    share_above: int = 100_000
    retried: bool = False
    resolved: Sequence[str] = ()
    captured: Sequence[str] = ()
    values: Sequence[str] = ()
    updates: Sequence[str] = ()
    calls: Sequence[str] = ()
    looked_at: Sequence[str] = ()
    writable: Sequence[int] = ()
    binds: Sequence[str] = ()
    only_outputs: bool = False
    deletes: Sequence[str] = ()
    lazy: bool = False
    target: str = ""
    outputs: Sequence[str] = ()
    keep: bool = False
    pooled: str = ""
    changes: bool = False
    looks_at_items: bool = False
    budget: float = 0.0
    metric: str = ""


@dataclass(frozen=True)
class OutputMessage(Record):
    """What a task has printed and displayed since its last message.

    Attributes:
        where: the worker, as ``"4711@10.0.0.1"``.
        number: how many messages the task has sent before.
        hidden: lines of a flood that are held back at the moment.
    """

    run: str
    task: int | str
    where: str
    events: Sequence[Event] = ()
    number: int = 0
    hidden: int = 0


@dataclass(frozen=True)
class TaskReply(Record):
    """What a task says at its end, beside its values.

    Attributes:
        events: what it printed and has not sent as a message.
        messages: how many messages it has sent.
        seconds: that its code ran.
        changed: captured names whose values changed in place.
        deleted: captured names that it has deleted.
        refused: names that cannot be pickled, with the reason.
        display: MIME type -> text of a value that cannot be pickled.
        done: items that were run, of a fan-out.
        failures: the failures among them, by position.
    """

    run: str
    task: int | str
    where: str
    events: Sequence[Event] = ()
    messages: int = 0
    seconds: float = 0.0
    changed: Sequence[str] = ()
    deleted: Sequence[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    display: Mapping[str, str] | None = None
    done: int = 0
    failures: Mapping[int, RemoteFailure] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        return {**super().to_wire(), "failures": {key: one.to_wire() for key, one in self.failures.items()}}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        failures = {key: RemoteFailure.from_wire(one) for key, one in wire["failures"].items()}
        return cls(**{**wire, "failures": failures})


@dataclass(frozen=True)
class RemoteFailure(Record):
    """An exception as plain data; nothing of it needs the user's classes.

    Attributes:
        title: type and message, as Python prints them.
        type: name of the exception's type.
        frames: without those of the worker runtime; of a recursion the first and the last 20.
        pickled: type, arguments and state of the exception with the object refs in it; None where they cannot be had.
        cause: the exception that led to it.
        where: the worker, as ``"4711@10.0.0.1"``, or in words.
    """

    title: str
    type: str
    frames: Sequence[Frame] = ()
    pickled: tuple[bytes, list[Any]] | None = None
    cause: RemoteFailure | None = None
    where: str = ""

    def to_wire(self) -> dict[str, Any]:
        return {**super().to_wire(), "cause": None if self.cause is None else self.cause.to_wire()}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        cause = wire["cause"]
        return cls(**{**wire, "cause": None if cause is None else RemoteFailure.from_wire(cause)})


def worker_name(where: str) -> str:
    """``"4711@10.0.0.1"`` -> ``"worker 4711 on 10.0.0.1"``"""
    pid, _, node = where.partition("@")
    if not pid.isdigit():
        return where
    return f"worker {pid} on {node}" if node else f"worker {pid}"
