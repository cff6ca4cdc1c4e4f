"""Why a version did not start, from the text that Serve's controller keeps of it."""

from __future__ import annotations

import builtins
import linecache
import pickle
import re
from typing import Any

from ...errors import Label, RayMagicsError, remote_error
from ...run.failures import FRAME, own_frames
from ...worker.records import RemoteFailure

_TITLE = re.compile(r"^[A-Za-z_][\w.<>]*(: .*)?$")


DIED = "its process ended before it was ready (sys.exit, os._exit, out of memory, or a crash in native code)"


def error_of(
    deployment: str, message: str, after: str, namespace: dict[str, Any], label: Label, said: str = ""
) -> RayMagicsError:
    """The user's own exception with the line of their cell, where the message holds one; else the message.

    Args:
        after: what it means for who is served, as ``the old version of "digits" keeps serving``.
        said: the last lines of a replica that told nothing else.
    """
    failure = failure_in(message, deployment)
    if failure is None:
        last = f"; the last that it said: {' / '.join(said.splitlines())[-300:]}" if said else ""
        words = DIED + last if "ActorDiedError" in message else " ".join(message.split())
        return RayMagicsError(f"{deployment} did not start: {_shortened(words)}. {after[:1].upper()}{after[1:]}.")
    error = remote_error(failure, namespace, label, after)
    if error.__cause__ is None:  # of a class that is not known here
        error.args = (failure.title,)
    return error


def failure_in(message: str, deployment: str) -> RemoteFailure | None:
    """The last traceback of a text; None where there is none."""
    lines = message.splitlines()
    starts = [number for number, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    if not starts:
        return None
    lines = lines[starts[-1] + 1 :]
    frames = [(m[1], int(m[2]), m[3], _text(m[1], int(m[2]))) for line in lines if (m := FRAME.match(line))]
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


def _text(file: str, line: int) -> str:
    return linecache.getline(file, line).rstrip()


def _pickled(title: str) -> tuple[bytes, list[Any]] | None:
    """A built-in exception with the same words, so that ``except ValueError`` catches it."""
    name, _, words = title.partition(": ")
    kind = getattr(builtins, name, None)
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        return None
    return pickle.dumps(("error", (kind, (words,) if words else (), {}))), []


def _shortened(words: str) -> str:
    return words if len(words) <= 400 else f"{words[:400]} …"
