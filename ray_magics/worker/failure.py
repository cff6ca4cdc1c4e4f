"""An exception as plain data, and back."""

from __future__ import annotations

import dataclasses
import linecache
import os
import re
import sys
import traceback
import types
from collections.abc import Sequence
from typing import Any, NoReturn

from .records import Frame, RemoteFailure, TaskReply
from .values import Namespace, load, pack

FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+), in (\S+)', re.MULTILINE)
CARRIED = "ray_magics_failure"  # the attribute under which an error that Ray may retry carries what CellFailed does


class CellFailed(Exception):
    """Carries a failure, and the task's reply, through Ray, so that Ray, too, counts the task as failed.

    Its one argument is ``{"failure": …, "reply": …}``, both as they travel.
    """


def throw(error: BaseException, failure: RemoteFailure, reply: TaskReply, retried: bool) -> NoReturn:
    """Raises what Ray is to see: the error itself where Ray decides on a retry by its type."""
    carried = {"failure": failure.to_wire(), "reply": reply.to_wire()}
    if retried and isinstance(error, Exception):
        setattr(error, CARRIED, carried)
        raise error.with_traceback(None)
    raise CellFailed(carried)


def describe(error: BaseException, namespace: Namespace, where: str = "", depth: int = 3) -> RemoteFailure:
    """The exception with at most `depth` of those that led to it."""
    if is_rays(error):
        return _describe_inner(error, namespace, where, depth)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return RemoteFailure(
        title=_title(error),
        type=type(error).__name__,
        frames=_frames(error.__traceback__),
        pickled=_pickle(error, namespace),
        cause=describe(cause, namespace, where, depth - 1) if cause is not None and depth else None,
        where=where,
    )


def is_rays(error: BaseException) -> bool:
    """Whether it is what Ray raises for an exception of code elsewhere, which is its `cause`."""
    kinds = {(base.__module__, base.__name__) for base in type(error).__mro__}
    return ("ray.exceptions", "RayTaskError") in kinds and isinstance(getattr(error, "cause", None), BaseException)


def _describe_inner(error: BaseException, namespace: Namespace, where: str, depth: int) -> RemoteFailure:
    """That exception, with the user's lines on the way to it: here, and as Ray's text of its traceback has them."""
    cause: Any = getattr(error, "cause", None)
    there = RemoteFailure.from_wire(cause.args[0]["failure"]) if isinstance(cause, CellFailed) else None
    inner = there or describe(cause, namespace, worker_of(error) or where, depth)
    text = () if there or is_rays(cause) else frames_in(str(error))
    frames = [*own_frames(_frames(error.__traceback__), ()), *own_frames([*text, *inner.frames], inner.frames)]
    return dataclasses.replace(inner, frames=frames or _frames(error.__traceback__))


def worker_of(error: BaseException) -> str:
    """``"4711@10.0.0.1"``: the worker where an error of Ray's was raised, "" where it does not say."""
    pid, node = getattr(error, "pid", None), getattr(error, "ip", None)
    return f"{pid}@{node}" if pid and node else ""


def frames_in(text: str) -> list[Frame]:
    """The frames that a traceback names. Source: ``RayTaskError`` of Ray 2.60."""
    found = [(file, int(line), name) for file, line, name in FRAME.findall(text)]
    return [(file, line, name, linecache.getline(file, line).rstrip()) for file, line, name in found]


def own_frames(frames: Sequence[Frame], otherwise: Sequence[Frame] | None = None) -> Sequence[Frame]:
    """Those of the user's code; where there are none, `otherwise`, or the last of Ray's."""
    ray = sys.modules.get("ray")
    packages = os.path.dirname(os.path.dirname(getattr(ray, "__file__", "") or "")) or "site-packages"
    own = [frame for frame in frames if not _is_of_library(frame[0], packages)]
    return own or (frames[-1:] if otherwise is None else otherwise)


def _is_of_library(file: str, packages: str) -> bool:
    """Whether it lies in the folder of packages, or was compiled, as pyarrow: these have names without a folder."""
    is_compiled = file.endswith((".pxi", ".pyx")) and not os.path.isabs(file)
    return file.startswith(packages) or is_compiled or "/concurrent/futures/" in file


def _title(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception_only(type(error), error)).strip()[:4000]
    except Exception:  # a __str__ of the user's own may raise
        return type(error).__name__


def _frames(tb: types.TracebackType | None) -> list[Frame]:
    frames = [frame for frame in _walk(tb) if not frame[0].startswith("<ray_magics")]
    return frames if len(frames) <= 40 else [*frames[:20], *frames[-20:]]


def _walk(tb: types.TracebackType | None) -> list[Frame]:
    frames = []
    while tb is not None:
        code, line = tb.tb_frame.f_code, tb.tb_lineno
        if not tb.tb_frame.f_globals.get("__name__", "").startswith("ray_magics.worker"):
            text = linecache.getline(code.co_filename, line).rstrip()
            frames.append((code.co_filename, line, code.co_name, text))
        tb = tb.tb_next
    return frames


def _pickle(error: BaseException, namespace: Namespace) -> tuple[bytes, list[Any]] | None:
    """Class, arguments and state, so that no constructor has to be called; None where they cannot be pickled."""
    own_state = {key: value for key, value in vars(error).items() if key != CARRIED}
    for state in (own_state, {}):
        packer, refused = pack([("error", (type(error), error.args, state))], namespace, 2**62)
        if not refused:
            return packer.payload, packer.references
    return None


def revive(pickled: tuple[bytes, list[Any]] | None, namespace: Namespace) -> BaseException | None:
    """The exception again, of the same class; None where its class cannot be had here."""
    if pickled is None:
        return None
    try:
        kind, args, state = load(pickled[0], namespace, (), pickled[1])["error"]
        error: BaseException = kind.__new__(kind, *args)
        error.args = args
        vars(error).update(state)
    except Exception:  # unpickling runs code of any type; the failure can still be shown
        return None
    return error
