"""Why a version did not start, from the text that Serve's controller keeps of it."""

from __future__ import annotations

import builtins
import linecache
import pickle
import re
from typing import Any

from ...errors import Label, RayMagicsError, remote_error
from ...worker.failure import FRAME, own_frames
from ...worker.records import RemoteFailure

_TITLE = re.compile(r"^[A-Za-z_][\w.<>]*(: .*)?$")
_PROCESS_ENDED = "its process ended before it was ready (sys.exit, os._exit, out of memory, or a crash in native code)"


def startup_error(
    deployment: str, message: str, consequence: str, namespace: dict[str, Any], label: Label, last_printed: str = ""
) -> RayMagicsError:
    """The user's own exception with the line of their cell, where the message holds one; else the message.

    Args:
        consequence: what it means for who is served, as ``the old version of "digits" keeps serving``.
        last_printed: the last lines of a replica that left nothing else.
    """
    failure = find_failure(message, deployment)
    if failure is None:
        last = f"; the last that it said: {' / '.join(last_printed.splitlines())[-300:]}" if last_printed else ""
        reason = _PROCESS_ENDED + last if "ActorDiedError" in message else " ".join(message.split())
        after = f"{consequence[:1].upper()}{consequence[1:]}"
        return RayMagicsError(f"{deployment} did not start: {_shorten(reason)}. {after}.")
    error = remote_error(failure, namespace, label, consequence)
    if error.__cause__ is None:  # of a class that is not known here
        error.args = (failure.title,)
    return error


def find_failure(message: str, deployment: str) -> RemoteFailure | None:
    """The last traceback of a text; None where there is none."""
    lines = message.splitlines()
    starts = [number for number, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    if not starts:
        return None
    lines = lines[starts[-1] + 1 :]
    frames = [(m[1], int(m[2]), m[3], _source_line(m[1], int(m[2]))) for line in lines if (m := FRAME.match(line))]
    end = max((number for number, line in enumerate(lines) if FRAME.match(line)), default=-1)
    title = next((number for number in range(end + 1, len(lines)) if _TITLE.match(lines[number])), None)
    if title is None:
        return None
    text = "\n".join(lines[title:]).strip()
    return RemoteFailure(
        title=text,
        type=lines[title].partition(":")[0].rpartition(".")[2],
        frames=own_frames(frames),
        pickled=_pickled(text),
        where=f"a replica of {deployment}",
    )


def _source_line(file: str, line: int) -> str:
    return linecache.getline(file, line).rstrip()


def _pickled(title: str) -> tuple[bytes, list[Any]] | None:
    """A built-in exception with the same words, so that ``except ValueError`` catches it."""
    name, _, message = title.partition(": ")
    error_type = getattr(builtins, name, None)
    if not isinstance(error_type, type) or not issubclass(error_type, Exception):
        return None
    return pickle.dumps(("error", (error_type, (message,) if message else (), {}))), []


def _shorten(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:400]} …"
