"""How a dataset that failed reads in the notebook."""

from __future__ import annotations

import re
from typing import Any

from ...errors import Label, RayMagicsError, UsageError, last_line, remote_error, render, short_error
from ...line.parsers import close_to
from ...run.failures import lost
from ...worker.failure import frames_in, own_frames, worker_of
from ...worker.records import RemoteFailure

_NEXT = re.compile(r"\n(?:The above exception was the direct cause|During handling of the above exception)[^\n]*\n")
_TITLE = re.compile(r"^(?!File |Traceback )[A-Za-z_][\w.]*(?::|$).*", re.MULTILINE)
_OPERATOR = re.compile(r"ray::(?:MapWorker\((.+)\)\.\w+|(.+?))\(\) \(pid=(\d+), ip=([^,)]+)")
_COLOUR = re.compile(r"\x1b\[\d*m")
_COLUMNS = re.compile(r"column '([^']*)'.* The dataset has columns: \[([^\]]*)\]", re.DOTALL)
_ADVICE = re.compile(r"\n?Failed to [^\n]* after \d+/\d+ attempts")


def failure_of(error: BaseException) -> RemoteFailure | None:
    """The failure of the user's transform, which Ray hands over as text; None for an error that has none."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if not kinds & {"RayTaskError", "ActorDiedError"}:
        return None
    parts = [part for part in _NEXT.split(_COLOUR.sub("", str(error))) if _title_of(part)]
    if not parts:
        return None
    part = next((part for part in parts if own_frames(frames_in(part), ())), parts[0])
    title = _title_of(part)
    where = _OPERATOR.search(part) or _OPERATOR.search(_COLOUR.sub("", str(error)))
    return RemoteFailure(
        title=title,
        type=title.partition(":")[0].rpartition(".")[2],
        frames=[*own_frames(frames_in(part), ())],
        pickled=None,
        where=worker_of(error) or (f"{where[3]}@{where[4]}" if where else ""),
    )


def operator_of(error: BaseException) -> str:
    """The operator whose task failed: ``ReadImages->Map(normalise)``; "" where Ray does not say."""
    found = _OPERATOR.search(_COLOUR.sub("", str(error)))
    return found[1] or found[2] if found else ""


def error_lines(error: BaseException, label: Label) -> list[str] | None:
    """How an error of a dataset is shown where the notebook's own code consumes it; None for any other error."""
    text = str(error)
    if not any(sign in text for sign in ("UserCodeException", "/ray/data/", "MapWorker(")):
        return None
    failure = failure_of(error)
    return render(failure, label, operator_of(error)) if failure is not None else None


def data_error(error: BaseException, namespace: dict[str, Any], label: Label) -> BaseException:
    """What the cell raises for what consuming a dataset has raised."""
    failure = failure_of(error)
    if failure is not None and failure.frames:
        return remote_error(failure, namespace, label, operator_of(error))
    if failure is not None:
        operator = operator_of(error)
        short = RayMagicsError(f"{operator + ': ' if operator else ''}{failure.title}{_nearest(failure.title)}")
    elif type(error).__module__.startswith("ray."):
        short = lost(error)
    elif not isinstance(error, Exception) or isinstance(error, (RayMagicsError, UsageError)):
        return error
    elif near := _nearest(str(error)):
        short = RayMagicsError(f"{type(error).__name__}: {last_line(error)}{near}")
    else:
        return short_error(error)
    short.__cause__ = error
    return short


def _title_of(part: str) -> str:
    """The last line of a traceback's text that names an exception, with what follows it."""
    found = list(_TITLE.finditer(part))
    if not found:
        return ""
    first = next((one for one in found if "Error" in one[0] or "Exception" in one[0]), found[-1])
    text = part[first.start() :].replace("\\n'", "'")
    text = _ADVICE.split(text)[0]
    return text.strip().removesuffix("\\n")[:2000]


def _nearest(text: str) -> str:
    """``; did you mean "fare"?`` of a column that is not there."""
    found = _COLUMNS.search(text)
    if not found:
        return ""
    near = close_to(found[1], re.findall(r"'([^']*)'", found[2]))
    return f'; did you mean "{near}"?' if near else ""
