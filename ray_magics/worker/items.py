"""Runs a cell once per item: one chunk of a fan-out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .cell import VALUE, full_type_name
from .content import image
from .definitions import SharedDefinitions, copied
from .display import figures, prepare
from .failure import describe
from .interpreter import execute, has_functions, is_small, may_change, open_namespace, program
from .pool import pooled_object
from .records import TaskSpec
from .task import Task, where
from .values import Namespace, load, pack, seal

Outcome = tuple[bool, Any]  # (whether it is a value, the value or the exception)


def run_items(
    wire: Mapping[str, Any],
    payload: bytes,
    references: Sequence[Any],
    items: bytes,
    item_references: Sequence[Any],
    *shared: Any,
) -> Any:
    """One chunk: the cell runs once per item until the spec's `budget` of seconds is used up.

    The reply says how many items are ``done``; the notebook sends the others again, in chunks of a better size.
    An item that raises ends the chunk, unless the spec says `keep`.
    """
    task = Task(TaskSpec.from_wire(wire))
    outcomes: list[Outcome] = []
    namespace: Namespace = {}
    with task.captured(), figures(task.sink):
        try:
            with task.interruptible():
                namespace, arrived = open_namespace(task.spec, payload, references, shared)
                values = load(items, namespace, (), item_references)["items"]
                prepare(task.sink, namespace, task.spec.uses_ipython)
                began = time.monotonic()
                with arrived.as_main():
                    changed = run_each(task, namespace, values, outcomes)
                seconds = time.monotonic() - began
                task.leaves_cycles = has_functions(namespace)
                changed += arrived.compare(namespace).changed_names
        except KeyboardInterrupt:
            task.flush(last=True)
            raise
    return _reply(task, namespace, outcomes, seconds, changed)


def run_each(task: Task, namespace: Namespace, values: Sequence[Any], outcomes: list[Outcome]) -> list[str]:
    """Runs the cell for one item after the other; each finds the namespace as the first did.

    Returns the names of values that the first one has changed, where the spec says that these are looked at.
    """
    spec = task.spec
    compiled = program(spec.source, spec.filename)
    assign, outputs = assigner(spec.target), spec.outputs
    clean, deadline = dict(namespace), time.monotonic() + spec.budget
    changing = may_change(spec, namespace)
    definitions = SharedDefinitions(namespace, lambda value: is_small(value, namespace))
    shared: dict[Any, Any] = {**changing, **definitions.changeable()}
    changed: list[str] = []
    for position, value in enumerate(values):
        task.sink.item = position
        is_first = not outcomes and spec.looks_at_items
        item_before = image(value) if is_first and is_small(value, namespace) else None
        try:
            assign(namespace, value)
            if spec.pooled:
                namespace[spec.pooled] = pooled_object(task.sink)
            copies = copied(shared) if shared else {}
            if copies or definitions:
                namespace.update({name: copies[name] for name in changing})
                definitions.restore(copies)
            given = dict(namespace) if is_first else namespace
            result = execute(*compiled, namespace, spec.is_async)
            outcomes.append((True, tuple(namespace[name] for name in outputs) if outputs else result))
        except BaseException as error:
            if task.interrupted:
                raise KeyboardInterrupt from None
            outcomes.append((False, error))
            if not spec.keep:
                break
        if is_first:
            changed = [name for name, before in changing.items() if image(namespace.get(name)) != image(before)]
            changed += definitions.changed(copies)
            changed += _rebound(spec, given, namespace, clean)
            changed += [spec.target] if item_before is not None and image(value) != item_before else []
        if spec.changes or definitions:
            namespace.clear()
            namespace.update(clean)
        if time.monotonic() > deadline:
            break
    definitions.restore({})
    task.sink.item = None
    return changed


def _rebound(spec: TaskSpec, given: Namespace, namespace: Namespace, clean: Namespace) -> list[str]:
    """The captured names to which functions of the notebook have given another value; not what the cell binds."""
    own = {*spec.outputs, *spec.updates, spec.pooled, "__item__"}
    return [name for name in clean if name not in own and name in given and namespace.get(name) is not given[name]]


def assigner(target: str) -> Callable[[Namespace, Any], None]:
    """What binds one item to the target of ``--for``: one name, or a pattern of names."""
    if target.isidentifier():
        return lambda namespace, value: namespace.__setitem__(target, value)
    code = compile(f"{target} = __item__", "<ray_magics --for>", "exec")

    def assign(namespace: Namespace, value: Any) -> None:
        namespace["__item__"] = value
        exec(code, namespace)

    return assign


def _reply(task: Task, namespace: Namespace, outcomes: list[Outcome], seconds: float, changed: Sequence[str]) -> Any:
    """As that of `run_cell`; the payload holds the pair ``("values", [...])``, the reply the failures by position."""
    packer, refused = pack([("values", _values(outcomes))], namespace, task.spec.share_above)
    if refused:
        outcomes = [_portable(outcome, namespace) for outcome in outcomes]
        packer, _ = pack([("values", _values(outcomes))], namespace, task.spec.share_above)
    errors = {index: error for index, (is_value, error) in enumerate(outcomes) if not is_value}
    failures = {index: describe(error, namespace, where()) for index, error in errors.items()}
    reply = task.reply(done=len(outcomes), failures=failures, seconds=seconds, changed=changed)
    return seal(reply.to_wire(), packer)


def _values(outcomes: Sequence[Outcome]) -> list[Any]:
    return [value if is_value else None for is_value, value in outcomes]


def _portable(outcome: Outcome, namespace: Namespace) -> Outcome:
    """An outcome that can be pickled: the value, or why it cannot."""
    _, refused = pack([(VALUE, outcome[1])] if outcome[0] else [], namespace, 2**62)
    if not refused:
        return outcome
    return False, TypeError(f"the result ({full_type_name(outcome[1])}) cannot be pickled: {refused[VALUE]}")
