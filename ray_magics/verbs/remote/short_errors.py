"""How an error of what a definitions cell made remote reads, where a plain ``ray.get`` raises it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from ...errors import Label, last_line, render
from ...raylib.remote import show_errors
from ...run.failures import failure_from_ray
from ...worker.failure import frames_in, own_frames
from ...worker.records import RemoteFailure

_ORIGIN = re.compile(r"ray::(\w+)[^\n]*?\(pid=(\d+), ip=([^,)]+)")  # in the first line of the text of Ray's error
_labels: dict[str, Label] = {}  # name that became remote -> how the files of its notebook are called


def shorten_errors_of(names: Iterable[str], label: Label) -> None:
    """From now on errors of these functions and actors are shown without the frames of Ray; others as Ray has them."""
    _labels.update(dict.fromkeys(names, label))
    show_errors(_shown)


def _shown(error: BaseException) -> list[str] | None:
    """The lines to show; None for an error of anything else."""
    origin = _ORIGIN.search(str(error).partition("\n")[0])
    label = _labels.get(origin[1]) if origin else None
    failure = failure_from_ray(error) or _of_constructor(error)
    if origin is None or label is None or failure is None:
        return None
    return render(dataclasses.replace(failure, where=f"{origin[2]}@{origin[3]}"), label)


def _of_constructor(error: BaseException) -> RemoteFailure | None:
    """Of an actor that died because its constructor failed, of which Ray 2.60 has only the text."""
    frames = own_frames(frames_in(str(error)), ())
    if type(error).__name__ != "ActorDiedError" or not frames:
        return None
    title = last_line(error)
    return RemoteFailure(title=title, type=title.partition(":")[0], frames=[*frames], pickled=None)
