"""What Ray Train's controller and workers know, as plain data; shipped as source, for it is read where they are.

Private API of Ray, tried on Ray 2.60.0. What a Ray lacks is left out: a view then says less.
`tests/cluster/test_train.py` fails loudly when Ray changes it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from ..worker.failure import CARRIED

LONGEST = 10_000  # characters of a text in a report, or of what stands for an object
TITLE = 300  # characters of an error
MOST = 1000  # names of one report, or values of a list in it

Event = dict[str, Any]


def quiet_reports() -> None:
    """Ray Train 2.60 logs a line for each report, by a logger that is called like its file; and what it then raises."""
    context = import_module("ray.train.v2._internal.execution.context")
    logger = logging.getLogger(context.__file__)
    logger.setLevel(logging.WARNING)
    logger.addFilter(lambda record: not record.getMessage().startswith("Failed to find local checkpoint"))


def quiet_datasets() -> None:
    """What a loop executes of its shards draws no bars and logs nothing but warnings."""
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)  # says that there are no bars
    with contextlib.suppress(ImportError, AttributeError):
        context = import_module("ray.data").DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False


def started(context: Any) -> Event:
    """A controller begins: its handle, and the folder of its run."""
    import ray

    storage = getattr(context.run_config, "storage_context", None)
    path = str(getattr(storage, "experiment_fs_path", ""))
    return {"kind": "started", "controller": ray.get_runtime_context().current_actor, "path": path}


def state_changed(state: Any) -> Event:
    """The state of a run: "RUNNING", "RESTARTING" …, and what it is there for."""
    name = str(getattr(getattr(state, "_state_type", None), "name", type(state).__name__))
    error = getattr(state, "training_failed_error", None)
    decision = getattr(state, "scaling_decision", None)
    return {
        "kind": "state",
        "state": name,
        "error": "" if error is None else error_text(error),
        "workers": getattr(decision, "num_workers", None),
    }


def error_text(error: BaseException) -> str:
    """``rank 1: ValueError: bad batch``: the first failure of a group of workers, or the error itself."""
    failures: Mapping[int, BaseException] = getattr(error, "worker_failures", None) or {}
    for rank, failure in sorted(failures.items(), key=lambda one: not hasattr(one[1], CARRIED)):
        return f"rank {rank}: {_title(failure)}"
    return _title(getattr(error, "controller_failure", None) or error)


def is_death(error: BaseException) -> bool:
    """Whether a worker does not answer any more, and no more is known."""
    return getattr(error, "health_check_failure", None) is not None or "ActorDied" in type(error).__name__


def _title(error: BaseException) -> str:
    carried = getattr(error, CARRIED, None)
    if carried is not None:
        return str(carried["failure"]["title"])[:TITLE]
    if is_death(error):
        return "the worker died"
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"[:TITLE]


def workers_started(group: Any) -> Event:
    """A group of workers runs: where each of them is."""
    return {"kind": "workers", "time": time.time(), "workers": [_worker(worker) for worker in group.get_workers()]}


def _worker(worker: Any) -> Event:
    metadata, distributed = worker.metadata, worker.distributed_context
    return {
        "rank": getattr(distributed, "world_rank", 0),
        "node": str(getattr(metadata, "node_ip", "")),
        "pid": getattr(metadata, "pid", 0),
        "gpus": [str(one) for one in getattr(metadata, "gpu_ids", ())],
    }


def ended_ranks(status: Any) -> dict[int, bool]:
    """The ranks that do not run any more, and whether they have failed."""
    statuses = status.worker_statuses.items()
    return {rank: one.error is not None for rank, one in statuses if not one.running or one.error is not None}


def reported(report: Any, metrics: list[Mapping[str, Any]]) -> Event:
    """One report of all ranks, and the checkpoint that came with it."""
    return {
        "kind": "report",
        "time": time.time(),
        "metrics": [dict(_flat(one if isinstance(one, Mapping) else {"value": one})) for one in metrics],
        "checkpoint": None if report.checkpoint is None else _checkpoint(report.checkpoint),
    }


def _flat(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a report, nested ones as ``eval/loss``, as Ray Tune writes them."""
    for key, value in [*values.items()][:MOST]:
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", plain(value)


def plain(value: Any) -> Any:
    """Numbers, texts and short lists of them as they are, an array as such a list; all else as text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value[:LONGEST])
    if isinstance(value, (list, tuple)) and len(value) <= MOST:
        return [plain(one) for one in value]
    if getattr(value, "shape", ()) and 0 < getattr(value, "size", 0) <= MOST and hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__float__") and not getattr(value, "shape", ()):
        try:
            number = float(value)
        except (TypeError, ValueError):
            return repr(value)[:LONGEST]
        return int(number) if math.isfinite(number) and _is_whole(value) else number
    return repr(value)[:LONGEST]


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") or getattr(getattr(value, "dtype", None), "kind", "") in ("i", "u")


def _checkpoint(checkpoint: Any) -> Event:
    """A checkpoint with its size, and the names of those that the run keeps; None for what is not known."""
    folder, _, name = str(checkpoint.path).rstrip("/").rpartition("/")
    filesystem = checkpoint.filesystem
    size: int | None = None
    kept: list[str] | None = None
    if getattr(filesystem, "type_name", "") == "local":
        size, kept = _size(filesystem, checkpoint.path), _folders(filesystem, folder)
    return {"name": name, "path": str(checkpoint.path), "size": size, "kept": kept}


def _size(filesystem: Any, path: str) -> int | None:
    from pyarrow.fs import FileSelector

    try:
        return sum(info.size or 0 for info in filesystem.get_file_info(FileSelector(path, recursive=True)))
    except OSError:
        return None


def _folders(filesystem: Any, folder: str) -> list[str] | None:
    from pyarrow.fs import FileSelector, FileType

    try:
        infos = filesystem.get_file_info(FileSelector(folder))
    except OSError:
        return None
    return [info.base_name for info in infos if info.type == FileType.Directory]
