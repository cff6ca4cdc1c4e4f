"""How numbers and foreign text are written in every still view; labextension/src/core/format.ts does it alike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..units import number_text as number_text
from ..units import size_text as size_text

Snapshot = Mapping[str, Any]

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
CLUSTER_STATES = {"connected": "Connected", "lost": "Connection lost", "none": "No cluster"}
CLUSTER_ADVICE = {
    "lost": "The cluster does not answer. Type %ray_init --restart to start or join one again.",
    "none": "This kernel is connected to no cluster. Type %ray_init, or run a cell with %%ray_remote.",
}
NO_RUNS = "Nothing has run yet. Begin a cell with %%ray_remote to run it on the cluster."

_LIVE = ("pending", "running", "stopping")
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
        return f"{number_text(used)} of {number_text(total)} {unit}".rstrip()
    amount, scale = size_text(used).split(" ")
    whole = size_text(total)
    same = used == 0 or whole.endswith(f" {scale}")
    return f"{amount} of {whole}" if same else f"{amount} {scale} of {whole}"


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
    value = per_second * length
    return f"{_few(value)} {plural(unit, value)}/{time}"


def capitalized(text: str) -> str:
    """ "running" -> "Running" """
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """The same with a full stop, if it has none."""
    return capitalized(text) if text.endswith((".", "!", "?", "…")) else f"{capitalized(text)}."


def is_live(run: Snapshot) -> bool:
    return run["state"] in _LIVE


def is_single(run: Snapshot) -> bool:
    """One task alone: there is nothing to count."""
    return bool(run["total"] == 1 and run.get("unit", "task") == "task")


def progress(run: Snapshot) -> str:
    """ "120 of 1,797 items", or nothing for a task alone."""
    if is_single(run):
        return ""
    done, total, unit = run["done"], run["total"], one_line(run.get("unit", "task"))
    if total is None:
        return f"{count(done)} {plural(unit, done)}"
    return f"{count(done)} of {count(total)} {plural(unit, total)}"


def progress_parts(run: Snapshot) -> list[str]:
    """ "120 of 1,797 items", "38 items/s", "45 s left", "2 failed", "4 running" """
    if is_single(run):
        return []
    live, left, speed = is_live(run), run["remaining"], run["rate"]
    parts = (
        progress(run),
        "" if speed is None else rate(speed, one_line(run["unit"])),
        f"{clock(max(1, left + 0.5))} left" if live and left is not None else "",
        f"{count(run['failed'])} failed" if run["failed"] else "",
        f"{count(run['running'])} running" if live and run["running"] else "",
    )
    return [part for part in parts if part]


def elapsed(run: Snapshot) -> str:
    return clock(run["elapsed"]) if is_live(run) else seconds(run["elapsed"])


def state_sign(state: str) -> str:
    return SIGNS.get(state, "•")


def task_state(state: object) -> str:
    """ "PENDING_NODE_ASSIGNMENT" -> "pending node assignment" """
    return one_line(state).lower().replace("_", " ")


def node_state(node: Snapshot) -> str:
    """ "alive, head" """
    parts = ("alive" if node["alive"] else "dead", "head" if node["head"] else "", one_line(node["note"]))
    return ", ".join(filter(None, parts))


def node_count(nodes: list[Snapshot]) -> str:
    """ "40 nodes, 2 dead" """
    dead = sum(not node["alive"] for node in nodes)
    return f"{count(len(nodes))} {plural('node', len(nodes))}{f', {count(dead)} dead' if dead else ''}"


def line_count(worker: Snapshot) -> str:
    """ "1,851 lines, some on stderr" """
    errors = any(stream == "stderr" for stream, _, _ in worker["tail"])
    return f"{count(worker['lines'])} {plural('line', worker['lines'])}{', some on stderr' if errors else ''}"


def cluster_sentence(cluster: Snapshot) -> str:
    """What the cluster says about itself, else what to do about its state."""
    message = one_line(cluster["message"], 1000)
    return sentence(message) if message else CLUSTER_ADVICE.get(cluster["state"], "")


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
