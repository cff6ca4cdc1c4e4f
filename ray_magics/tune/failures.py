"""How failed trials, and a failed search, read in the notebook."""

from __future__ import annotations

import linecache
from collections.abc import Mapping

from ..core.errors import Label, RayMagicsError, last_line, remote_error
from ..core.failures import Description, described_by_ray, description_of, lost
from ..core.worker.values import Namespace
from .board import Board

Failure = BaseException | str  # as Ray hands it over, or its text


def told(failure: Failure, label: Label) -> str:
    """What the row of a failed trial says: the error, and the line of the user's code."""
    if isinstance(failure, str):
        return last_line(failure)
    description = _description(failure)
    if description is None:
        return str(lost(failure))
    cells = [frame for frame in description["frames"] if label(frame[0])]
    where = [_line(label, *frame) for frame in (cells or description["frames"])[-1:]]
    return "\n".join([str(description["title"])[:2000], *where])


def _line(label: Label, file: str, line: int, _: str, text: str) -> str:
    """``Cell In[4], line 3: return y / 0``"""
    return f"{label(file) or file}, line {line}: {(linecache.getline(file, line) or text).strip()}"


def error_of_all(failures: Mapping[str, Failure], board: Board, namespace: Namespace, label: Label) -> BaseException:
    """What the cell raises when every trial has failed: the first failure, also of the user's own type."""
    key = next(iter(failures), "")
    number = board.trials[key].number if key else 0
    others = f"; all {len(board.trials)} trials failed" if len(board.trials) > 1 else ""
    failure = failures.get(key, "the trials failed")
    if isinstance(failure, str):
        return RayMagicsError(f"trial {number}: {last_line(failure)}{others}")
    description = _description(failure)
    if description is not None:
        return remote_error(description, namespace, label, f"trial {number}{others}")
    made = lost(failure)
    made.args = (f"trial {number}: {str(made).removesuffix('.')}{others}",)
    return made


def _description(failure: BaseException) -> Description | None:
    return description_of(failure) or described_by_ray(failure)


def search_failed(failure: BaseException) -> RayMagicsError:
    """What Ray Tune itself raised, as one sentence; the original is its ``__cause__``."""
    if isinstance(failure, RayMagicsError):
        return failure
    made = RayMagicsError(f"Ray Tune ended the search: {type(failure).__name__}: {last_line(str(failure))}")
    made.__cause__ = failure
    return made
