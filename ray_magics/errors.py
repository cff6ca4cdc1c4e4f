"""The error tree, and how a failure on the cluster reads in a notebook.

UsageError (IPython's)              a mistake in the line: one line that says what to type
RayMagicsError
 ├── RemoteError                    the code failed on the cluster; also of the user's own type, its __cause__
 ├── WorkerLost                     a worker or node died under the code
 ├── ClusterLost (ConnectionError)  the cluster does not answer any more
 ├── RunTimeout (TimeoutError)      --timeout is over
 ├── ServeUnavailable               Serve's controller is there, but does not answer just now
 ├── RayApiMissing                  the installed Ray lacks a private name that ray_magics needs
 └── InvalidCell                    the cell is no Python
RunCancelled (KeyboardInterrupt)    stopped by the user, so that Run All stops, too
"""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

if TYPE_CHECKING:
    from .worker.records import Frame, RemoteFailure

__all__ = [
    "ClusterLost",
    "InvalidCell",
    "RayApiMissing",
    "RayMagicsError",
    "RemoteError",
    "RunCancelled",
    "RunTimeout",
    "ServeUnavailable",
    "UsageError",
    "WorkerLost",
]

Label = Callable[[str], str]  # file name -> "Cell In[4]", or "" for a file that is no cell
RED, GREEN, RESET = "\x1b[31m", "\x1b[32m", "\x1b[0m"


class _Short:
    """Shows in a notebook as its message alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"{RED}{type(self).__name__}{RESET}: {self}"]


class RayMagicsError(_Short, Exception):
    """Whatever ray_magics raises of its own."""


class WorkerLost(RayMagicsError):
    """A worker or its node died and Ray's retries are used up."""


class ClusterLost(RayMagicsError, ConnectionError):
    """The cluster does not answer any more."""


class ServeUnavailable(RayMagicsError):
    """Serve's controller is there, but does not answer just now."""


class RayApiMissing(RayMagicsError):
    """The installed Ray lacks a private name that ray_magics needs; the message says which."""


class InvalidCell(RayMagicsError):
    """The cell is no Python; shows as Python's own error does, which is its ``__cause__``.

    It is no SyntaxError itself, for IPython shows those with the lines of the magic.
    """

    def _render_traceback_(self) -> list[str]:
        error: Any = self.__cause__
        *where, _ = traceback.format_exception_only(error)
        return [*"".join(where).splitlines(), f"{RED}SyntaxError{RESET}: {error.msg}"]


def first_line(error: BaseException) -> str:
    """The first sentence of an error, at most 300 characters; pydantic's begin with a heading and end with a link."""
    lines = [line for line in _lines(error) if "further information" not in line]
    if len(lines) > 1 and "validation error" in lines[0]:
        return " ".join(lines[1:3])[:300]
    return (lines or [type(error).__name__])[0][:300]


def last_line(error: BaseException | str) -> str:
    """The last one, which says of a traceback what it was."""
    return (_lines(error) or [type(error).__name__])[-1][:2000]


def _lines(error: BaseException | str) -> list[str]:
    return [line.strip() for line in str(error).splitlines() if line.strip()]


def invalid_cell(error: SyntaxError, source: str, label: str) -> InvalidCell:
    """The same error, about the cell `label`; Python leaves the line out where it finds no file."""
    lines, number = source.splitlines(), error.lineno or 1
    text = error.text or (lines[number - 1] if 0 < number <= len(lines) else "")
    place = (label, number, error.offset, text, error.end_lineno, error.end_offset)
    invalid = InvalidCell(f"{error.msg} ({label}, line {number})")
    invalid.__cause__ = SyntaxError(error.msg, place)
    return invalid


class RunTimeout(RayMagicsError, TimeoutError):
    """The run took longer than --timeout and was cancelled."""


class RunCancelled(_Short, KeyboardInterrupt):
    """The run was stopped by the user; the message says what is left behind."""


class RemoteError(RayMagicsError):
    """The user's code failed on the cluster.

    Raised as a subclass that is also of the user's exception type; ``__cause__`` is that exception.

    Attributes:
        failure: the exception as plain data.
        item: of a fan-out, which item failed, in words.
    """

    failure: RemoteFailure
    label: Label
    item: str = ""

    def __str__(self) -> str:
        return self.failure.title.partition(": ")[2] or self.failure.title

    def _render_traceback_(self) -> list[str]:
        return render(self.failure, self.label, self.item)


def remote_error(failure: RemoteFailure, namespace: dict[str, Any], label: Label, item: str = "") -> RemoteError:
    """The error to raise for a failure; catchable as its own type where that type is known here."""
    from .worker.failure import revive

    cause = revive(failure.pickled, namespace)
    kind = _dual(type(cause)) if isinstance(cause, Exception) else RemoteError
    error = _instance(kind, cause)
    if cause is not None:
        error.args = cause.args
        vars(error).update(vars(cause))
    error.failure, error.label, error.item = failure, label, item
    error.__cause__ = cause
    return error


def short_error(error: Exception) -> RayMagicsError:
    """The same error, also of its own type, which a notebook shows as its message alone; it is the ``__cause__``."""
    own = {"__module__": type(error).__module__, "__str__": lambda self: str(error)}
    try:
        kind = type(type(error).__name__, (RayMagicsError, type(error)), own)
        short: RayMagicsError = kind.__new__(kind, *error.args)
    except Exception:  # a type that does not want to be inherited from, or made so
        short = RayMagicsError(f"{type(error).__name__}: {error}")
    else:
        short.args = error.args
        vars(short).update(vars(error))
    short.__cause__ = error
    return short


def _instance(kind: type[RemoteError], cause: BaseException | None) -> RemoteError:
    """An instance that no constructor has seen; those of groups are needed to make one at all."""
    try:
        return kind.__new__(kind, *(cause.args if cause is not None else ()))
    except Exception:  # a __new__ of the user's own
        return RemoteError.__new__(RemoteError)


def _dual(kind: type[Exception]) -> type[RemoteError]:
    """A type that is both."""
    try:
        return type(kind.__name__, (RemoteError, kind), {"__module__": kind.__module__})
    except TypeError:  # an exception type that does not want to be inherited from
        return RemoteError


def render(failure: RemoteFailure, label: Label, item: str = "") -> list[str]:
    """At most 14 lines: the failing line of the cell with two lines of context, inner frames, the error, its cause."""
    from .worker.records import worker_name

    frames = list(failure.frames)
    cells = [index for index, frame in enumerate(frames) if label(frame[0])]
    first = cells[-1] if cells else max(len(frames) - 1, 0)
    lines = [f"{RED}{failure.type}{RESET} on {worker_name(failure.where or '?')}{item and f', {item}'}"]
    if len(cells) > 1:
        lines += _short(frames[cells[0]], label)
    for index, frame in enumerate(frames[first:]):
        if index == 0:
            lines += _with_context(frame, label)
        elif index == len(frames) - first - 1:
            lines += _short(frame, label)
    lines += [f"{RED}{line}{RESET}" for line in failure.title.splitlines()[:4]]
    if "read-only" in failure.title:
        lines.append("Large arrays arrive on workers read-only; --outputs NAME makes one writable, and brings it back.")
    if failure.cause is not None:
        lines += _cause(failure.cause, label)
    return lines[:14]


def _with_context(frame: Frame, label: Label) -> list[str]:
    file, number, _, text = frame
    lines = [_location(frame, label)]
    for near in range(max(1, number - 2), number + 1):
        source = linecache.getline(file, near).rstrip() or (text if near == number else "")
        mark = f"{GREEN}---->{RESET}" if near == number else "     "
        if source or near == number:
            lines.append(f"{mark} {near:>3} {source}")
    return lines


def _short(frame: Frame, label: Label) -> list[str]:
    text = (linecache.getline(frame[0], frame[1]) or frame[3]).strip()
    return [_location(frame, label), *([f"          {text}"] if text else [])]


def _location(frame: Frame, label: Label) -> str:
    file, number, function, _ = frame
    inside = "" if function in ("<module>", "") else f", in {function}"
    return f"{label(file) or file}, line {number}{inside}"


def _cause(cause: RemoteFailure, label: Label) -> list[str]:
    where = f" ({_location(cause.frames[-1], label)})" if cause.frames else ""
    return [f"caused by {cause.title.splitlines()[0]}{where}"]
