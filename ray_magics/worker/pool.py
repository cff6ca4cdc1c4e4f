"""The object of an actor of a pool: made once, found by each item that the actor runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .interpreter import execute, open_namespace, program
from .output import STREAMS, Sink
from .records import Event, TaskSpec
from .task import Task

_made: list[Any] = []  # the object, of which a process has one
_failures: list[BaseException] = []  # why there is none
_said: list[Event] = []  # what the making of it has printed, until an item takes it along


def make_object(wire: Mapping[str, Any], payload: Any, references: Sequence[Any], *shared: Any) -> None:
    """Makes it from the spec's source; where that fails, each item fails with what was raised.

    Args:
        wire: the TaskSpec as it travels.
        payload, references, shared: what the source reads, see `ship.payload`.
    """
    task = Task(TaskSpec.from_wire(wire))
    spec = task.spec
    with task.captured():
        try:
            namespace, arrived = open_namespace(spec, payload, references, shared)
            with arrived.as_main():
                _made.append(execute(*program(spec.source, spec.filename), namespace, spec.is_async))
        except Exception as error:
            _failures.append(error)
    _said.extend(task.sink.take(last=True))


def pooled_object(sink: Sink) -> Any:
    """Raises what the making of it has raised. What that has printed goes to the sink of the first that asks."""
    while _said:
        kind, data = _said.pop(0)
        sink.write(kind, data) if kind in STREAMS else sink.display(kind, data)
    if _failures:
        raise _failures[-1]
    return _made[-1]
