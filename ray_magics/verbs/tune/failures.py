"""How failed trials, and a failed search, read in the notebook."""

from __future__ import annotations

import linecache
from collections.abc import Mapping

from ...errors import Label, RayMagicsError, last_line, remote_error
from ...run.failures import failed_reply, failure_from_ray, lost
from ...worker.records import RemoteFailure
from ...worker.values import Namespace
from .trial_table import TrialTable

Failure = BaseException | str  # as Ray hands it over, or its text


def failure_text(failure: Failure, label: Label) -> str:
    """What the row of a failed trial says: the error, and the line of the user's code."""
    if isinstance(failure, str):
        return last_line(failure)
    remote = _remote_failure(failure)
    if remote is None:
        return str(lost(failure))
    cells = [frame for frame in remote.frames if label(frame[0])]
    where = [_line(label, *frame) for frame in (cells or remote.frames)[-1:]]
    return "\n".join([remote.title[:2000], *where])


def _line(label: Label, file: str, line: int, _: str, text: str) -> str:
    """``Cell In[4], line 3: return y / 0``"""
    return f"{label(file) or file}, line {line}: {(linecache.getline(file, line) or text).strip()}"


def error_of_all(
    failures: Mapping[str, Failure], table: TrialTable, namespace: Namespace, label: Label
) -> BaseException:
    """What the cell raises when every trial has failed: the first failure, also of the user's own type."""
    key = next(iter(failures), "")
    number = table.trials[key].number if key else 0
    others = f"; all {len(table.trials)} trials failed" if len(table.trials) > 1 else ""
    failure = failures.get(key, "the trials failed")
    if isinstance(failure, str):
        return RayMagicsError(f"trial {number}: {last_line(failure)}{others}")
    remote = _remote_failure(failure)
    if remote is not None:
        return remote_error(remote, namespace, label, f"trial {number}{others}")
    error = lost(failure)
    error.args = (f"trial {number}: {str(error).removesuffix('.')}{others}",)
    return error


def _remote_failure(error: BaseException) -> RemoteFailure | None:
    reply = failed_reply(error)
    return reply[0] if reply else failure_from_ray(error)


def search_failed(failure: BaseException) -> RayMagicsError:
    """What Ray Tune itself raised, as one sentence; the original is its ``__cause__``."""
    if isinstance(failure, RayMagicsError):
        return failure
    error = RayMagicsError(f"Ray Tune ended the search: {type(failure).__name__}: {last_line(str(failure))}")
    error.__cause__ = failure
    return error
