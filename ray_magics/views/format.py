"""How numbers and foreign text are written in every still view; labextension/src/core/format.ts does it alike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from ..run.status import LIVE, WorkerOutput
from ..units import number_text as number_text
from ..units import size_text as size_text
from .card import Cell, Curve, Link, Progress, State, Table

TIMES = "\N{MULTIPLICATION SIGN}"
DASH = "\N{EN DASH}"
SIGNS = {
    "pending": "○",
    "running": "●",
    "stopping": "■",
    "finished": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "paused": "‖",
    "connected": "✓",
    "lost": "✗",
    "none": "○",
}
LONGEST_TEXT = 3000  # characters of a paragraph

_MOST_COLUMNS = 30
_BARS = "▁▂▃▄▅▆▇█"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

# Escape sequences of terminals; then other control characters, and marks that reverse the text around them.
_ESCAPES = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])?")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def plain(text: object, limit: int = 200) -> str:
    """Foreign text without terminal escapes, at most `limit` characters; of a line that carriage returns
    overwrote, what is left to see."""
    clean = _ESCAPES.sub("", str(text)[: limit + 10_000])
    clean = _CONTROLS.sub("", "\n".join(_overwritten(line) for line in clean.split("\n")))
    return clean if len(clean) <= limit else f"{clean[:limit]}…"


def _overwritten(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


def one_line(text: object, limit: int = 200) -> str:
    """Foreign text as one line of at most `limit` characters, every white space a blank."""
    return " ".join(plain(text, limit).split())


def output_line(text: object, limit: int = 500) -> str:
    """A line of output: its blanks stay, and line ends within it are drawn."""
    return plain(text, limit).replace("\n", "⏎")


def count(value: float) -> str:
    """1797 -> "1,797" """
    return f"{_rounded(value):,}"


def plural(unit: str, value: float) -> str:
    """("item", 1) -> "item", ("batch", 2) -> "batches" """
    if value == 1:
        return unit
    return f"{unit}es" if re.search("(?:s|x|ch|sh)$", unit) else f"{unit}s"


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """[0, 1, 2] from 0 to 2 -> "▁▅█"; where `low` and `high` span nothing, a line of middle height."""
    span = high - low
    if not 0 < span < math.inf:
        return _BARS[3] * len(values)
    return "".join(_BARS[round((value - low) / span * 7)] for value in values)


def usage(used: float, total: float, unit: str = "") -> str:
    """(1, 2) -> "1 of 2"; sizes name their unit once if it is the same: "0.5 of 2 GiB" """
    if unit != "bytes":
        return f"{_amount(used)} of {_amount(total)} {unit}".rstrip()
    amount, scale = size_text(used).split(" ")
    whole = size_text(total)
    same = used == 0 or whole.endswith(f" {scale}")
    return f"{amount} of {whole}" if same else f"{amount} {scale} of {whole}"


def _amount(value: float) -> str:
    """Of a resource: 1187.5 is not 1188."""
    return number_text(value) if abs(value) < 1000 else _trimmed(f"{value:.1f}")


def seconds(value: float) -> str:
    """3.24 -> "3.2 s", 125 -> "2 min 05 s", 3720 -> "1 h 02 min" """
    return f"{_rounded(value * 10) / 10:.1f} s" if value < 10 else clock(_rounded(value))


def clock(value: float) -> str:
    """The same in whole seconds, for what still runs."""
    whole = math.floor(value)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY:,} d {whole % _DAY // _HOUR:02} h"


def rate(per_second: float, unit: str) -> str:
    """Items in a second; slow ones in a minute or an hour: (0.2, "item") -> "12 items/min" """
    times = (("s", 1), ("min", _MINUTE), ("h", _HOUR))
    time, length = next(((t, n) for t, n in times if per_second * n >= 1), times[-1])
    value = _few(per_second * length)
    return f"{value} {plural(unit, 1 if value == '1' else 2)}/{time}"


def capitalized(text: str) -> str:
    """ "running" -> "Running" """
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """The same with a full stop, if it has none."""
    return capitalized(text) if text.endswith((".", "!", "?", "…")) else f"{capitalized(text)}."


def is_live(state: str) -> bool:
    return state in LIVE


def is_single(progress: Progress) -> bool:
    """One task alone: there is nothing to count."""
    return progress.total == 1 and progress.unit == "task"


def amount_done(progress: Progress) -> str:
    """ "120 of 1,797 items", or nothing for a task alone."""
    if is_single(progress):
        return ""
    done, total, unit = progress.done, progress.total, one_line(progress.unit)
    if total is None:
        return f"{count(done)} {plural(unit, done)}"
    return f"{count(done)} of {count(total)} {plural(unit, total)}"


def progress_parts(progress: Progress) -> list[str]:
    """ "120 of 1,797 items", "38 items/s", "45 s left", "2 failed", "4 running" """
    if is_single(progress):
        return []
    live, left, speed = is_live(progress.state), progress.remaining, progress.rate
    parts = (
        amount_done(progress),
        "" if speed is None else rate(speed, one_line(progress.unit)),
        f"{clock(max(1, left + 0.5))} left" if live and left is not None else "",
        f"{count(progress.failed)} failed" if progress.failed else "",
        f"{count(progress.running)} running" if live and progress.running else "",
    )
    return [part for part in parts if part]


def elapsed(state: str, value: float) -> str:
    """In whole seconds while it goes on."""
    return clock(value) if is_live(state) else seconds(value)


def facts_text(facts: Iterable[tuple[str, str]]) -> str:
    """(("goal", "lowest loss"), ("", "fast")) -> "goal: lowest loss · fast" """
    pairs = ((one_line(name), one_line(value)) for name, value in facts)
    return " · ".join(f"{name}: {value}" if name else value for name, value in pairs if value)


def cell_text(cell: Cell) -> str:
    """A plain value of a table; a dash where there is none."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return number_text(cell)
    return one_line(cell) if cell not in (None, "") else DASH


def filled_columns(table: Table) -> tuple[list[int], str]:
    """The places of the first columns in which some row says something, and a note on those that are not drawn."""
    filled = [index for index in range(len(table.columns)) if any(_says(row.cells[index]) for row in table.rows)]
    left = len(filled) - _MOST_COLUMNS
    return filled[:_MOST_COLUMNS], f"and {count(left)} more {plural('column', left)}" if left > 0 else ""


def _says(cell: Cell) -> bool:
    if isinstance(cell, Curve):
        return bool(curve_text(cell))
    return bool(cell.text) if isinstance(cell, (State, Link)) else cell not in (None, "")


def curve_text(curve: Curve, width: int = 12) -> str:
    """((1, 3.0), (2, 2.0), (3, 1.0)) -> "█▅▁": of many points some, the last among them."""
    values = [y for _, y in curve.points if isinstance(y, (int, float)) and math.isfinite(y)]
    if len(values) < 2:
        return ""
    number = min(width, len(values))
    picked = [values[(place + 1) * len(values) // number - 1] for place in range(number)]
    return sparkline(picked, min(picked) if curve.low is None else curve.low, max(picked))


def state_sign(state: str) -> str:
    return SIGNS.get(state, "•")


def task_state(state: object) -> str:
    """ "PENDING_NODE_ASSIGNMENT" -> "pending node assignment" """
    return one_line(state).lower().replace("_", " ")


def line_count(worker: WorkerOutput) -> str:
    """ "1,851 lines, some on stderr" """
    errors = any(stream == "stderr" for stream, _, _ in worker.tail)
    return f"{count(worker.lines)} {plural('line', worker.lines)}{', some on stderr' if errors else ''}"


def fitting(parts: Iterable[str], limit: int) -> tuple[list[str], int]:
    """The first parts that fit into `limit` bytes, and how many do not."""
    all_parts = list(parts)
    for index, part in enumerate(all_parts):
        limit -= len(part.encode()) + 1
        if limit < 0:
            return all_parts[:index], len(all_parts) - index
    return all_parts, 0


def repeated(repeats: int, template: str) -> str:
    """12 -> the template around "x12", 1 -> nothing"""
    return template.format(f"{TIMES}{count(repeats)}") if repeats > 1 else ""


def fitting_tail(lines: list[str], hidden: int, limit: int) -> tuple[list[str], str]:
    """The last lines that fit into `limit` bytes, and a note on those before them."""
    shown, cut = fitting(reversed(lines), limit)
    hidden += cut
    return shown[::-1], f"{count(hidden)} earlier {plural('line', hidden)} not shown" if hidden else ""


def _few(value: float) -> str:
    return _trimmed(f"{_rounded(value * 10) / 10:.1f}") if value < 9.95 else count(value)


def _trimmed(number: str) -> str:
    return number.rstrip("0").rstrip(".")


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)
