"""The part of a run's output that was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HEADING = re.compile(r"^--- worker (\S+) ---$")


def chosen_lines(text: str, workers: Iterable[str], worker: str | None = None, last: int | None = None) -> str:
    """The lines of one worker, or of all; of those the last ones.

    `text` is `Run.logs()`: a heading before the lines of each worker where there are several, else none.
    `workers` are the ids of the workers that printed, `4711@10.0.0.1`; the process id alone names one, too.
    """
    known = tuple(workers)
    lines = text.splitlines()
    if worker is not None:
        lines = [line for where, line in _with_worker(lines, known) if is_named(where, worker)]
    return "\n".join(lines if last is None else lines[max(len(lines) - last, 0) :])


def is_named(where: str, worker: str) -> bool:
    """Whether `4711` or `4711@10.0.0.1` means the worker `4711@10.0.0.1`."""
    return worker in (where, where.partition("@")[0])


def _with_worker(lines: Iterable[str], known: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    where = known[0] if len(known) == 1 else ""
    for line in lines:
        heading = _HEADING.match(line)
        if heading and heading[1] in known:
            where = heading[1]
        else:
            yield where, line
