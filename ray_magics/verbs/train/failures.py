"""How a failed training reads in the notebook."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import Label, RayMagicsError, WorkerLost, first_line, last_line, remote_error
from ...raylib.train_events import is_death
from ...worker.failure import CARRIED
from ...worker.records import RemoteFailure
from ...worker.values import Namespace


def training_failed(error: BaseException, namespace: Namespace, label: Label, left: str) -> BaseException:
    """What the cell raises: the user's own exception with its rank, or one sentence; `left` says what is kept."""
    failures: Mapping[int, BaseException] = getattr(error, "worker_failures", None) or {}
    for rank, failure in sorted(failures.items()):
        carried = getattr(failure, CARRIED, None)
        if carried is not None:
            remote = RemoteFailure.from_wire(carried["failure"])
            others = f"; {len(failures) - 1} more failed" if len(failures) > 1 else ""
            return remote_error(remote, namespace, label, f"rank {rank}{others}")
    for rank, failure in sorted(failures.items()):
        if not is_death(failure):
            said = RayMagicsError(f"rank {rank}: {type(failure).__name__}: {first_line(failure)}; {left}.")
            said.__cause__ = failure
            return said
    if failures:
        ranks = ", ".join(map(str, sorted(failures)))
        lost = WorkerLost(
            f"the worker of rank {ranks} died: it was killed, ran out of memory, or crashed; {left}. "
            "--max-failures 3 starts the workers again from the last checkpoint."
        )
        lost.__cause__ = next(iter(failures.values()))
        return lost
    if isinstance(error, RayMagicsError):
        return error
    inner = getattr(error, "controller_failure", None) or error
    sentence = RayMagicsError(f"Ray Train ended the run: {type(inner).__name__}: {last_line(inner)}; {left}.")
    sentence.__cause__ = error
    return sentence
