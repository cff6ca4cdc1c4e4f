"""What executes in a trial, on the worker: shipped as source with the worker runtime (`ship.entrypoint.sources`)."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...worker.display import figures, prepare
from ...worker.failure import describe, throw
from ...worker.interpreter import execute, open_namespace, program
from ...worker.records import TaskReply, TaskSpec
from ...worker.task import Task, where

RESERVED = ("training_iteration", "trial_id", "time_total_s", "config", "pid", "node_ip", "timestamp", "date")


def run_trial(
    wire: Mapping[str, Any], payload: Any, references: Sequence[Any], shared: Sequence[Any], config: Any
) -> Any:
    """Runs the code of one trial with `config` and `tune` in scope; returns what it reports at its end.

    `wire` is a TaskSpec as it travels.

    Raises what the code raised, which carries its failure as plain data.
    """
    import ray
    from ray import tune

    spec = TaskSpec.from_wire({**wire, "task": tune.get_context().get_trial_id(), "cwd": os.getcwd()})
    task = Task(spec)
    payload = ray.get(payload) if isinstance(payload, ray.ObjectRef) else payload
    logging.getLogger("ray.train").setLevel(logging.WARNING)  # a line for each checkpoint
    failure: BaseException | None = None
    namespace: dict[str, Any] = {}
    with muted_afterwards(), task.flushed_at_end(), task.captured(), figures(task.sink):
        try:
            namespace, arrived = open_namespace(spec, payload, references, ray.get(list(shared)))
            namespace["config"] = config
            namespace.setdefault("tune", tune)
            prepare(task.sink, namespace, spec.uses_ipython)
            with arrived.as_main():
                value = execute(*program(spec.source, spec.filename), namespace, spec.is_async)
                if inspect.isgenerator(value):
                    for output in value:
                        tune.report(as_report(output, spec.metric) or {})
            value = as_report(value, spec.metric)
        except Exception as error:
            failure = error
    if failure is not None:
        reply = TaskReply(spec.run, spec.task, where())
        throw(failure, describe(failure, namespace, where()), reply, retried=True)
    return value


@contextlib.contextmanager
def muted_afterwards() -> Iterator[None]:
    """Also where Tune ends the thread of a stopped trial.

    What Python prints while Ray ends the actor is nobody's output; the next trial of the actor is heard again.
    """
    try:
        yield
    finally:
        mute()


def mute() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)


def check_report(report: Mapping[Any, Any]) -> dict[str, Any]:
    """The report. Raises, so that this trial alone fails, where Tune would break the whole search off."""
    for key in report:
        if not isinstance(key, str):
            raise TypeError(f"a report has names for keys, not {key!r}")
    for key in report:
        if key in RESERVED:
            raise ValueError(f"a report cannot say {key!r}, which Ray Tune says itself")
    return dict(report)


def as_report(value: Any, metric: str) -> dict[str, Any] | None:
    """The value of the code as a report: a dict as it is, a number as the metric of the search, nothing otherwise."""
    if isinstance(value, Mapping):
        return check_report(value)
    if metric and not isinstance(value, (bool, str, bytes)) and hasattr(value, "__float__"):
        try:
            return {metric: float(value)}
        except (TypeError, ValueError):  # an array of several numbers, for one
            return None
    return None
