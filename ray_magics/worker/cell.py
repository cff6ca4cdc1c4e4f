"""Runs a cell once, and packs what comes back."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

from .display import HELPERS, figures, prepare, represent
from .failure import describe, throw
from .interpreter import execute, fingerprints, open_namespace, program
from .records import TaskSpec
from .task import Task, where
from .values import Namespace, pack, seal

VALUE = "value of the cell"  # the packed name of the last expression; no identifier, so it collides with none


def run_cell(wire: Mapping[str, Any], payload: bytes, references: Sequence[Any], *shared: Any) -> Any:
    """One task: the cell runs once; returns what `_reply` or `_lazy_reply` does. Raises `CellFailed`.

    Args:
        wire: the TaskSpec as it travels.
        payload, references, shared: the captured values, see `ship.payload`.
    """
    task = Task(TaskSpec.from_wire(wire))
    spec = task.spec
    namespace: Namespace = {}
    failure: BaseException | None = None
    with task.captured(), figures(task.sink):
        try:
            with task.interruptible():
                namespace = open_namespace(spec, payload, references, shared)
                before = fingerprints(namespace, spec)
                prepare(task.sink, namespace, spec.uses_ipython)
                value = execute(*program(spec.source, spec.filename), namespace, spec.is_async)
        except BaseException as error:
            if task.interrupted:
                task.flush(last=True)  # a cancelled task has no reply to put its output into
                raise KeyboardInterrupt from None
            failure = error
    if failure is not None:
        throw(failure, describe(failure, namespace, where()), task.reply(), spec.retried)
    if spec.lazy:
        return _lazy_reply(task, namespace, value)
    after = fingerprints(namespace, spec)
    return _reply(task, namespace, [name for name in before if after[name] != before[name]], value)


def _reply(task: Task, namespace: Namespace, changed: Sequence[str], value: Any) -> Any:
    """A TaskReply and the pickled pairs, see `values.seal`.

    What cannot be pickled stays away and is named in the reply, with the reason.
    """
    names = [*bound_names(task.spec, namespace), *changed]
    pairs = [*((name, namespace[name]) for name in dict.fromkeys(names)), (VALUE, value)]
    packer, refused = pack(pairs, namespace, task.spec.share_above)
    reply = task.reply(
        changed=list(changed),
        deleted=deleted_names(task.spec, namespace),
        refused={name: _reason(dict(pairs)[name], error) for name, error in refused.items()},
        display=represent(value) if VALUE in refused else None,
        seconds=task.seconds,
    )
    return seal(reply.to_wire(), packer)


def _lazy_reply(task: Task, namespace: Namespace, value: Any) -> Any:
    """One return value per name that the cell binds, one for its value, and a TaskReply; they stay on the cluster."""
    values = [namespace.get(name) for name in task.spec.binds]
    return (*values, value, task.reply(seconds=task.seconds).to_wire())


def bound_names(spec: TaskSpec, namespace: Namespace) -> list[str]:
    """The names that come back; where the source does not name them all, whatever is new."""
    names = [name for name in spec.binds if name in namespace]
    if spec.binds_unknown:
        foreign = {*names, *spec.captured, *HELPERS}
        names += [name for name in namespace if name not in foreign and not name.startswith("__")]
    return names


def deleted_names(spec: TaskSpec, namespace: Namespace) -> list[str]:
    """The names that the cell has deleted: for certain, or as it turned out."""
    captured = {*spec.captured}
    turned_out = [name for name in spec.binds if name in captured]
    return [name for name in dict.fromkeys([*spec.deletes, *turned_out]) if name not in namespace]


def _reason(value: Any, error: Exception) -> str:
    advice = "; try list(...)" if isinstance(value, types.GeneratorType) else ""
    return f"{full_type_name(value)}: {error}{advice}"


def full_type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
