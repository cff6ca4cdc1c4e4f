"""What each worker of a training executes: shipped as source with the worker runtime (`ship.entrypoint.sources`)."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from ...raylib.train_events import quiet_datasets, quiet_reports
from ...worker.display import figures, prepare
from ...worker.failure import describe, throw
from ...worker.interpreter import execute, open_namespace, program
from ...worker.records import TaskReply, TaskSpec
from ...worker.task import Task, where
from ...worker.values import Namespace
from .call import LoopCall
from .observer import signs_of_life


def run_loop(
    wire: Mapping[str, Any],
    payload: Any,
    references: Sequence[Any],
    shared: Sequence[Any],
    scope: Mapping[str, str],
    call: Mapping[str, Any],
    config: Any,
) -> Any:
    """Runs the loop with `config` in scope.

    Args:
        wire: a TaskSpec as it travels, whose task is the trial of a search or "".
        scope: what else is in scope: name -> ``module:attribute``.
        call: a LoopCall as it travels.

    Raises what the code raised, which carries its failure as plain data.
    """
    import ray
    from ray import train

    rank, trial = train.get_context().get_world_rank(), wire["task"]
    spec = TaskSpec.from_wire({**wire, "task": f"{trial}:{rank}" if trial else rank})
    task = Task(spec)
    payload = ray.get(payload) if isinstance(payload, ray.ObjectRef) else payload
    failure: BaseException | None = None
    value: Any = None
    namespace: Namespace = {}
    target = {"run": spec.run, "queue": spec.output_queue}
    quiet_reports()
    quiet_datasets()
    signs = contextlib.nullcontext() if trial else signs_of_life(target, rank)
    with signs, task.flushed_at_end(), task.captured(), figures(task.sink):
        try:
            namespace, arrived = open_namespace(spec, payload, references, ray.get(list(shared)))
            namespace["config"] = config
            for name, path in scope.items():
                namespace.setdefault(name, imported(path))
            prepare(task.sink, namespace, spec.uses_ipython)
            with arrived.as_main():
                value = _returned(_called(LoopCall.from_wire(call), spec, namespace, config))
        except (Exception, SystemExit) as error:
            failure = error
    if failure is not None:
        reply = TaskReply(spec.run, spec.task, where())
        throw(loadable(failure), describe(failure, namespace, where()), reply, retried=True)
    return value


def _called(call: LoopCall, spec: TaskSpec, namespace: Namespace, config: Any) -> Any:
    value = execute(*program(spec.source, spec.filename), namespace, spec.is_async)
    if not call.function:
        return value if call.returns else None
    function = namespace[call.function]
    return function(config) if call.takes_config else function()


def _returned(value: Any) -> Any:
    """What the loop returns; a note in its place, printed, where Ray could not bring it to the notebook."""
    from ray import cloudpickle

    try:
        cloudpickle.dumps(value)
    except Exception as error:  # pickling runs code of any type
        print(f"What the loop returned, a {type(value).__name__}, cannot be pickled and is left out: {error}")
        return None
    return value


def run_function(wire: Mapping[str, Any], function: Any, config: Any) -> Any:
    """Runs the loop of a trainer that the notebook has built, as Ray would; what it prints goes to its cell."""
    from ray import train

    rank = train.get_context().get_world_rank()
    spec = TaskSpec.from_wire({**wire, "task": rank})
    task = Task(spec)
    target = {"run": spec.run, "queue": spec.output_queue}
    quiet_reports()
    quiet_datasets()
    failure: BaseException | None = None
    with signs_of_life(target, rank), task.flushed_at_end(), task.captured(), figures(task.sink):
        try:
            return _returned(function() if config is None else function(config))
        except (Exception, SystemExit) as error:
            failure = error
    throw(loadable(failure), describe(failure, {}, where()), TaskReply(spec.run, spec.task, where()), retried=True)


def imported(path: str) -> Any:
    """``"ray.train.torch:prepare_model"`` -> that function; ``"ray.train"`` -> that module."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute) if attribute else import_module(module)


def loadable(error: BaseException) -> Exception:
    """The exception, if its like can be made from its pickle, as Ray does on the way; else one that says the same."""
    from ray import cloudpickle

    try:
        pickle.loads(cloudpickle.dumps(error))
    except Exception:  # pickling runs code of any type
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error if isinstance(error, Exception) else RuntimeError(str(error))
