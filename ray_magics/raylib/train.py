"""The only place in the notebook that touches private API of Ray Train; tried on Ray 2.60.0.

What is read where the controller and the workers are is in `train_events`. `tests/pure/test_raylib_train.py` and
`tests/cluster/test_train.py` fail loudly when Ray changes a name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ..errors import RayApiMissing
from .private import private, ray_version

log = logging.getLogger(__name__)

_CALLBACK = "ray.train.v2._internal.execution.callback"
PRIVATE = (
    f"{_CALLBACK}:ControllerCallback.after_controller_finish",
    f"{_CALLBACK}:ControllerCallback.after_controller_start",
    f"{_CALLBACK}:ControllerCallback.after_controller_state_update",
    f"{_CALLBACK}:ControllerCallback.before_controller_abort",
    f"{_CALLBACK}:ReportCallback.after_report",
    f"{_CALLBACK}:TrainContextCallback.on_report",
    f"{_CALLBACK}:WorkerGroupCallback.after_worker_group_poll_status",
    f"{_CALLBACK}:WorkerGroupCallback.after_worker_group_start",
    "ray.train.v2._internal.execution.controller:TrainController.abort",
    "ray.train.v2._internal.execution.worker_group:WorkerGroup.get_workers",
    "ray.train.v2._internal.execution.worker_group:WorkerGroupPollStatus.errors",
)
POLL_INTERVAL = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"
"""Environment variable: seconds between two looks of the controller at its workers; it takes in one report at each.

Tried on Ray 2.60.0. Fallback: a Ray that does not read it takes a report every two seconds.
"""

PRINTS_TWICE = "RAY_TRAIN_ENABLE_PRINT_PATCH"
"""Environment variable: at 0 Ray Train does not print what workers print a second time, into its log."""

Hook = Callable[..., None]


def make_callback(hook: Hook) -> Any:
    """A callback of Ray Train's that calls `hook(name, *arguments)` where the controller, or a worker, is.

    The hook travels by value; what it raises harms no training. Raises RayApiMissing where this Ray has no such
    callbacks: training could neither be shown nor stopped.
    """
    try:
        bases = tuple(
            private(f"{_CALLBACK}:{name}")
            for name in ("ControllerCallback", "WorkerGroupCallback", "ReportCallback", "TrainContextCallback")
        )
    except RayApiMissing as error:
        raise RayApiMissing(
            f"%ray_train cannot watch the workers of Ray {ray_version()} ({error}) "
            "--dry-run prints the training as a plain script."
        ) from error

    def call(name: str, *arguments: Any) -> None:
        try:
            hook(name, *arguments)
        except Exception as error:
            import logging

            logging.getLogger("ray_magics").debug("%s of a training: %r", name, error)

    def on_report(self: Any) -> Any:
        call("report begins")
        try:
            yield
        finally:
            call("report ends")

    members = {
        "after_controller_start": lambda self, train_run_context: call("started", train_run_context),
        "after_controller_state_update": lambda self, previous_state, current_state: call("state", current_state),
        "after_controller_finish": lambda self, result: call("flush"),
        "before_controller_abort": lambda self: call("flush"),
        "after_worker_group_start": lambda self, worker_group: call("workers", worker_group),
        "after_worker_group_poll_status": lambda self, worker_group_status: call("polled", worker_group_status),
        "after_report": lambda self, training_report, metrics: call("report", training_report, metrics),
        "on_report": contextmanager(on_report),
    }
    for member in (call, *members.values()):
        member.__module__ = "__main__"  # so that it travels by value: a worker has no ray_magics
    return type("ObservedTraining", bases, {**members, "__module__": "__main__"})()


def result_so_far(path: str) -> Any:
    """Ray's Result of what a run has saved in its folder; None where it has saved no checkpoint."""
    try:
        return import_module("ray.train").Result.from_path(path)
    except Exception as error:  # no folder, no snapshot, or one of another Ray
        log.debug("no result in %s: %r", path, error)
        return None


def request_abort(controller: Any) -> Any:
    """Asks a controller to end its workers and itself; the ref of its answer, which never comes.

    Tried on Ray 2.60.0. Fallback: the controller is killed, and Ray ends its workers with it.
    """
    abort = getattr(controller, "abort", None)
    return kill(controller) if abort is None else abort.remote()


def kill(controller: Any) -> None:
    """Ends a controller that does not answer; its workers belong to it, and Ray ends them."""
    try:
        import_module("ray").kill(controller)
    except Exception as error:  # it has ended meanwhile
        log.debug("a controller is not killed: %r", error)
