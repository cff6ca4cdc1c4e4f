"""The only place that touches private API of Ray Data; tried on Ray 2.60.0.

Each function says what it does on a Ray that lacks the names it needs. `tests/pure/test_raylib_data.py` fails loudly
when Ray changes them.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

log = logging.getLogger(__name__)

PRIVATE = (
    "ray.data.context:DataContext.execution_callback_classes",
    "ray.data._internal.execution.execution_callback:ExecutionCallback.on_execution_step",
    "ray.data._internal.execution.interfaces.physical_operator:PhysicalOperator.get_actor_info",
    "ray.data._internal.execution.interfaces.physical_operator:PhysicalOperator.metrics",
    "ray.data._internal.execution.interfaces.physical_operator:PhysicalOperator.num_active_tasks",
    "ray.data._internal.execution.interfaces.physical_operator:PhysicalOperator.num_output_rows_total",
    "ray.data._internal.execution.interfaces.physical_operator:OpTask.get_waitable",
    "ray.data._internal.execution.interfaces.physical_operator:PhysicalOperator.get_active_tasks",
    "ray.data._internal.execution.operators.actor_pool_map_operator:ActorPoolMapOperator._actor_pool",
    "ray.data._internal.execution.operators.actor_pool_map_operator:_ActorPool._pending_actors",
    "ray.data._internal.execution.operators.actor_pool_map_operator:_ActorPool._running_actors",
    "ray.data._internal.execution.operators.input_data_buffer:InputDataBuffer",
    "ray.data._internal.execution.resource_manager:ResourceManager.get_op_usage",
    "ray.data._internal.execution.streaming_executor:StreamingExecutor._dataset_id",
    "ray.data._internal.execution.streaming_executor:StreamingExecutor._resource_manager",
    "ray.data._internal.execution.streaming_executor:StreamingExecutor._topology",
    "ray.data._internal.execution.streaming_executor:StreamingExecutor.shutdown",
    "ray.data._internal.execution.streaming_executor_state:OpState.total_enqueued_input_blocks",
)
PROGRESS_LOGGERS = (
    "ray.data._internal.execution.streaming_executor",
    "ray.data._internal.progress",
    "ray.data._internal.progress.logging_progress",
)
"""The loggers by which Ray 2.60 tells of an execution, where its output is no terminal."""

FAILURE_LOGGERS = (
    "ray.data._internal.execution.operators.actor_pool_map_operator",
    "ray.data._internal.execution.streaming_executor:StreamingExecutor.shutdown",
    "ray.data._internal.execution.streaming_executor_state",
    "ray.data.exceptions",
)
"""The loggers by which Ray 2.60 tells of a failure before it raises it."""

TIPS_LOGGER = "ray.data.dataset"
"""The logger that says how to call a method of a dataset otherwise, also where Ray itself has called it."""

UNHANDLED_LOGGER = "ray._private.worker"
"""The logger that tells of errors which nobody has asked for."""


def quiet_executions(quiet: bool = True, progress: bool = True) -> None:
    """What the error itself, and with `progress` a view, say is not logged into the notebook, too; or again is."""
    shown = [*((name, _is_no_progress) for name in PROGRESS_LOGGERS), (TIPS_LOGGER, _is_no_waiting)]
    filters = [
        *(shown if progress else ()),
        *((name, _is_no_failure) for name in FAILURE_LOGGERS),
        (TIPS_LOGGER, _is_no_tip),
        (UNHANDLED_LOGGER, _is_of_no_dataset),
    ]
    for name, is_kept in filters:  # a logger takes each filter once
        logger = logging.getLogger(name)
        (logger.addFilter if quiet else logger.removeFilter)(is_kept)


def _is_no_progress(record: logging.LogRecord) -> bool:
    return record.levelno > logging.INFO


def _is_no_failure(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


def _is_no_tip(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Tip:")


def _is_no_waiting(record: logging.LogRecord) -> bool:
    """A view says what waits for CPUs; Ray's warning also comes where the last execution has just freed them."""
    return "does not have any available CPUs" not in record.getMessage()


def _is_of_no_dataset(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not ("Unhandled error" in message and "/ray/data/" in message)


@dataclass(frozen=True)
class OperatorSnapshot:
    """One physical operator of an execution at one moment.

    Attributes:
        id: its own in the execution.
        name: as Ray has it: ``ReadParquet->Map(f)``.
        done: whether it has made all of its output.
        rows_in, rows_out, blocks_out, bytes_out: what it has taken in and made so far.
        rows_total, blocks_total: what it will have made, as Ray estimates it; None while Ray does not know.
        tasks: those that run.
        tasks_failed: those that failed.
        actors, actors_pending: of its pool; None for one that runs tasks.
        queued: blocks that wait for it.
        waits_for: the reason why it starts no tasks, or why its tasks do not go on, in Ray's name for the policy;
            "" where nothing holds it back.
        cpu, gpu: what it uses now.
        object_store: bytes that it holds there now.
        spilled: bytes that went to disk.
        seconds: of the work of its tasks, summed.
    """

    id: str
    name: str
    done: bool = False
    rows_in: int = 0
    rows_out: int = 0
    rows_total: int | None = None
    blocks_out: int = 0
    blocks_total: int | None = None
    bytes_out: int = 0
    tasks: int = 0
    tasks_failed: int = 0
    actors: int | None = None
    actors_pending: int = 0
    queued: int = 0
    waits_for: str = ""
    cpu: float = 0.0
    gpu: float = 0.0
    object_store: int = 0
    spilled: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class ExecutionSnapshot:
    """One execution of a dataset, its operators from the source to the output."""

    dataset: str
    operators: tuple[OperatorSnapshot, ...] = ()


class ExecutionView:
    """What a watcher may ask of an execution while it goes on."""

    def __init__(self, executor: Any) -> None:
        self._reference = weakref.ref(executor)  # a dataset that nobody consumes any more shall end

    @property
    def _executor(self) -> Any:
        return self._reference()

    def shut_down(self, error: Exception) -> None:
        """Ends it with this error where nobody consumes it, who would have got the error and ended it."""
        try:
            if self._executor is not None:
                self._executor.shutdown(force=False, exception=error)
        except Exception as problem:
            log.debug("an execution is not shut down: %r", problem)

    def snapshot(self) -> ExecutionSnapshot:
        """What Ray knows of it now."""
        return snapshot(self._executor)

    def running_work(self) -> RunningWork:
        """What runs for it now. To be had before its end: Ray forgets it then, also what does not answer."""
        return running_work(self._executor)


class ExecutionWatcher(Protocol):
    """What is informed of the steps and the end of one execution."""

    def step(self, view: ExecutionView) -> None:
        """At each step of Ray's loop, on the thread of that. What it raises ends the execution and reaches the
        consumer; it must be an Exception, for Ray hands over no other and would hand out what there is so far."""

    def end(self, view: ExecutionView, error: BaseException | None) -> None:
        """After the end, on the consumer's thread, which is that of the garbage collector where it gave up."""


@dataclass(frozen=True)
class RunningWork:
    """Tasks and actors of an execution; Ray asks them to end with it, and does not wait.

    A task that sleeps hears nothing of that, and Ray takes it for ended. While this is held, no actor ends by itself.
    """

    tasks: tuple[Any, ...] = ()
    actors: tuple[Any, ...] = ()

    def kill(self) -> None:
        """Ends what has not ended by itself, with its processes."""
        ray = import_module("ray")
        for end, work in (
            *((ray.kill, actor) for actor in self.actors),
            *((lambda task: ray.cancel(task, force=True), task) for task in self.tasks),
        ):
            try:
                end(work)
            except Exception as error:  # tasks of actors, which end with these; what has ended meanwhile
                log.debug("%r of a dataset is not killed: %r", work, error)


def running_work(executor: Any) -> RunningWork:
    """The tasks and actors of an execution. On a Ray that lacks the names: none, and only Ray ends them."""
    tasks: list[Any] = []
    actors: list[Any] = []
    for op in getattr(executor, "_topology", None) or {}:
        try:
            tasks += [task.get_waitable() for task in op.get_active_tasks()]
            pool = getattr(op, "_actor_pool", None)
            if pool is not None:
                actors += [*pool._running_actors, *pool._pending_actors.values()]
        except (AttributeError, RuntimeError) as error:  # a dict that Ray changes meanwhile
            log.debug("the work of an operator is not known: %r", error)
    return RunningWork(tuple(dict.fromkeys(tasks)), tuple(actors))


def watch_executions(begin: Callable[[str], ExecutionWatcher | None]) -> bool:
    """From now on `begin` is called for each execution that this process drives, with the name of the dataset.

    On the thread that consumes, before anything runs; what it returns is informed of the execution. Whether this Ray
    can be watched: on one that lacks the names nothing is. Asked again, the new `begin` replaces the former.

    Ray 2.60 asks `DataContext.execution_callback_classes` for what observes an execution. Its public field
    `custom_execution_callback_classes` would travel with each dataset to workers, where ray_magics may be missing.
    """
    try:
        context = import_module("ray.data.context").DataContext
        base = import_module("ray.data._internal.execution.execution_callback").ExecutionCallback
        rays_own = context.execution_callback_classes
        rays_own = getattr(rays_own, "rays_own", rays_own)
        callback = _make_callback(base, begin)

        def classes(self: Any) -> list[type]:
            return [*rays_own.__get__(self), callback]

        context.execution_callback_classes = _Replaced(classes, rays_own)
    except (ImportError, AttributeError, TypeError) as error:
        log.debug("executions of datasets cannot be watched: %s", error)
        return False
    return True


def unwatch_executions() -> None:
    """Ray is as it was; executions that are watched already go on so."""
    try:
        context = import_module("ray.data.context").DataContext
    except ImportError:
        return
    present = vars(context).get("execution_callback_classes")
    if isinstance(present, _Replaced):
        context.execution_callback_classes = present.rays_own


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """What this thread executes meanwhile is not shown: a step of something that has a view itself."""
    token = _is_unwatched.set(True)
    try:
        yield
    finally:
        _is_unwatched.reset(token)


_is_unwatched: contextvars.ContextVar[bool] = contextvars.ContextVar("ray_magics_unwatched", default=False)


class _Replaced(property):
    """A property that stands in for Ray's own, which it remembers."""

    def __init__(self, get: Callable[[Any], Any], rays_own: property) -> None:
        super().__init__(get)
        self.rays_own = rays_own


def _make_callback(base: type, begin: Callable[[str], ExecutionWatcher | None]) -> type:
    class WatchedExecution(base):  # type: ignore[misc]
        """Tells a watcher of one execution; what goes wrong in that harms no dataset."""

        watcher: ExecutionWatcher | None = None

        def before_execution_starts(self, executor: Any) -> None:
            try:
                self.watcher = None if _is_unwatched.get() else begin(str(executor._dataset_id))
            except Exception as error:
                log.debug("an execution is not watched: %r", error, exc_info=True)

        def on_execution_step(self, executor: Any) -> None:
            if self.watcher is not None:
                self.watcher.step(ExecutionView(executor))

        def after_execution_succeeds(self, executor: Any) -> None:
            self._end(executor, None)

        def after_execution_fails(self, executor: Any, error: BaseException) -> None:
            self._end(executor, error)

        def _end(self, executor: Any, error: BaseException | None) -> None:
            watcher, self.watcher = self.watcher, None
            if watcher is not None:
                try:
                    watcher.end(ExecutionView(executor), error)
                except Exception as problem:
                    log.debug("the end of an execution was not taken in: %r", problem, exc_info=True)

    return WatchedExecution


def snapshot(executor: Any) -> ExecutionSnapshot:
    """What Ray knows of an execution now. What this Ray lacks is 0 or None in it."""
    states = getattr(executor, "_topology", None) or {}
    manager = getattr(executor, "_resource_manager", None)
    operators = (_operator(number, op, state, manager) for number, (op, state) in enumerate(states.items()))
    return ExecutionSnapshot(str(getattr(executor, "_dataset_id", "")), tuple(filter(None, operators)))


def _operator(number: int, op: Any, state: Any, manager: Any) -> OperatorSnapshot | None:
    """None for what only hands in blocks that are there already."""
    if type(op).__name__ == "InputDataBuffer":
        return None
    metrics = op.metrics
    usage = _usage(manager, op)
    actors = op.get_actor_info()
    has_actors = bool(actors.running or actors.pending or actors.restarting) or "Actor" in type(op).__name__
    return OperatorSnapshot(
        id=str(number),
        name=str(op.name),
        done=bool(op.has_execution_finished()),
        rows_in=_number(metrics, "num_row_inputs_received"),
        rows_out=_number(metrics, "row_outputs_taken"),
        rows_total=op.num_output_rows_total(),
        blocks_out=_number(metrics, "block_outputs_taken"),
        blocks_total=op.num_outputs_total(),
        bytes_out=_number(metrics, "bytes_outputs_taken"),
        tasks=int(op.num_active_tasks()),
        tasks_failed=_number(metrics, "num_tasks_failed"),
        actors=int(actors.running) if has_actors else None,
        actors_pending=int(actors.pending + actors.restarting),
        queued=int(state.total_enqueued_input_blocks()),
        waits_for=_backpressure(op),
        cpu=float(usage.get("cpu", 0.0)),
        gpu=float(usage.get("gpu", 0.0)),
        object_store=int(usage.get("object_store_memory", 0)),
        spilled=_number(metrics, "obj_store_mem_spilled"),
        seconds=float(getattr(metrics, "block_generation_time", 0.0) or 0.0),
    )


def _number(metrics: Any, name: str) -> int:
    return int(getattr(metrics, name, 0) or 0)


def _usage(manager: Any, op: Any) -> Mapping[str, float]:
    try:
        usage = manager.get_op_usage(op)
        return {name: getattr(usage, name) or 0 for name in ("cpu", "gpu", "object_store_memory")}
    except (AttributeError, KeyError, AssertionError):
        return {}


def _backpressure(op: Any) -> str:
    """The policy that holds it back; "" for none, or for one that lasts while there is nothing to do."""
    if getattr(op, "_in_task_submission_backpressure", False):
        return str(getattr(op, "_task_submission_backpressure_policy", None) or "backpressure")
    if getattr(op, "_in_task_output_backpressure", False):
        return str(getattr(op, "_task_output_backpressure_policy", None) or "backpressure")
    return ""
