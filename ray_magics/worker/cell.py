"""Runs a cell once, and packs what comes back."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .changes import Comparison
from .content import ATOMS
from .display import HELPERS, figures, prepare, represent
from .failure import describe, throw
from .interpreter import Arrived, execute, has_functions, open_namespace, program
from .records import TaskSpec
from .task import Task, where
from .values import Namespace, Packer, pack, seal

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
                namespace, arrived = open_namespace(spec, payload, references, shared)
                prepare(task.sink, namespace, spec.uses_ipython)
                with arrived.as_main():
                    value = execute(*program(spec.source, spec.filename), namespace, spec.is_async)
                task.leaves_cycles = has_functions(namespace)
        except BaseException as error:
            if task.interrupted:
                task.flush(last=True)  # a cancelled task has no reply to put its output into
                raise KeyboardInterrupt from None
            failure, task.leaves_cycles = error, True
    if failure is not None:
        throw(failure, describe(failure, namespace, where()), task.reply(), spec.retried)
    if spec.lazy:
        return _lazy_reply(task, namespace, arrived, value)
    return _reply(task, namespace, arrived, value)


def _reply(task: Task, namespace: Namespace, arrived: Arrived, value: Any) -> Any:
    """A TaskReply and the pickled pairs, see `values.seal`."""
    answer = pack_answer(task.spec, namespace, arrived, value)
    reply = task.reply(
        changed=answer.changed,
        deleted=answer.deleted,
        refused=answer.refused,
        display=represent(value) if VALUE in answer.refused else None,
        seconds=task.seconds,
    )
    return seal(reply.to_wire(), answer.packer)


class Answer(NamedTuple):
    """What comes back; see `TaskReply` for the names.

    Attributes:
        packer: has packed pairs: names with their values, numbers of objects with what they hold now.
    """

    packer: Packer
    changed: Sequence[str]
    deleted: Sequence[str]
    refused: Mapping[str, str]


def pack_answer(spec: TaskSpec, namespace: Namespace, arrived: Arrived, value: Any) -> Answer:
    """Packs what the cell has bound and changed; what cannot be pickled stays away, with the reason."""
    comparison = arrived.compare(namespace)
    names = bound_names(spec, namespace, arrived.values, comparison)
    pairs = [*((name, namespace[name]) for name in names), (VALUE, value)]
    changes = [(number, content.to_wire()) for number, content in comparison.changed.items()]
    plain = all(type(value) in ATOMS for _, value in (*pairs, *changes))
    known = () if plain else (comparison.settled, comparison.arrays)
    packer, refused = pack([*pairs, *changes], namespace, spec.share_above, *known)
    reasons = {name: _reason(dict(pairs)[name], error) for name, error in refused.items() if isinstance(name, str)}
    deleted = [name for name in dict.fromkeys([*spec.deletes, *arrived.values]) if name not in namespace]
    return Answer(packer, comparison.changed_names, deleted, {**_lost_changes(comparison, refused), **reasons})


def _lost_changes(comparison: Comparison, refused: Mapping[str | int, Exception]) -> dict[str, str]:
    """Name -> why what the cell did to its value cannot come back, or cannot be found out."""
    errors = {number: error for number, error in refused.items() if isinstance(number, int)}
    errors.update(comparison.refused)
    return {name: str(error) for number, error in errors.items() for name in comparison.names([number])}


def _lazy_reply(task: Task, namespace: Namespace, arrived: Arrived, value: Any) -> Any:
    """One return value per name that the cell binds, one for its value, and a TaskReply; they stay on the cluster."""
    values = [namespace.get(name) for name in task.spec.binds]
    changed = arrived.compare(namespace).changed_names
    return (*values, value, task.reply(seconds=task.seconds, changed=changed).to_wire())


def bound_names(spec: TaskSpec, namespace: Namespace, arrived: Namespace, comparison: Comparison) -> list[str]:
    """The names that come back: those that the cell binds, those that functions have bound, and those whose object
    another one has to stand for."""
    names = [name for name in spec.binds if name in namespace]
    if not spec.only_outputs:
        foreign = {*names, *HELPERS}
        names += [name for name in namespace if _is_new(name, namespace, arrived, spec) and name not in foreign]
    if comparison.replaced:
        names += [name for name, number in comparison.roots.items() if number in comparison.replaced]
    return [name for name in dict.fromkeys(names) if name in namespace]


def _is_new(name: str, namespace: Namespace, arrived: Namespace, spec: TaskSpec) -> bool:
    """Whether a name has another value than the one with which the cell began."""
    if name in arrived:
        return namespace[name] is not arrived[name]
    return name not in spec.resolved and not name.startswith("__")


def _reason(value: Any, error: Exception) -> str:
    advice = "; try list(...)" if isinstance(value, types.GeneratorType) else ""
    return f"{full_type_name(value)}: {error}{advice}"


def full_type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
