"""Times ways of doing the same work side by side, and says whether ours reaches what it must."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Way = Callable[[], Any]


@dataclass(frozen=True)
class Times:
    """Seconds that one way took, round by round."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def middle(self) -> tuple[float, float]:
        """The first and the third quartile."""
        return quartiles(self.seconds)

    @property
    def best(self) -> float:
        """What the fastest tenth takes at most: other programs can only add to the time of a short piece of work."""
        return sorted(self.seconds)[len(self.seconds) // 10]

    def __str__(self) -> str:
        return seconds(self.median) if len(self.seconds) < 3 else spread(self.median, self.middle, seconds)


def interleave(ways: Mapping[str, Way], rounds: int, warm_up: int = 1) -> dict[str, Times]:
    """Runs the ways in turn, `rounds` times, every other round backwards, so that a slow minute hits all alike."""
    for _ in range(warm_up):
        for way in ways.values():
            way()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways) if number % 2 == 0 else reversed(list(ways)):
            taken[name].append(timed(ways[name]))
    return {name: Times(tuple(times)) for name, times in taken.items()}


def timed(way: Way) -> float:
    """Seconds that one call takes, with the garbage of earlier calls out of the way."""
    gc.collect()
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


# --- rows of the table ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One line of the table; `reached` is None where nothing must be reached; `facts` are numbers for the JSON.

    `broken` says that the work could not be measured.
    """

    work: str
    ours: str
    against: str = ""
    ratio: str = ""
    must: str = ""
    reached: bool | None = None
    broken: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return "BROKEN" if self.broken else {None: "", True: "reached", False: "MISSED"}[self.reached]


def faster(work: str, ours: Times, name: str, other: Times, at_least: float | None = None) -> Row:
    """How many times faster ours is, by the median over the rounds."""
    ratios = [b / a for a, b in zip(ours.seconds, other.seconds, strict=True)]
    ratio = statistics.median(ratios)
    must = "" if at_least is None else f"≥ {at_least:g}x"
    reached = None if at_least is None else ratio >= at_least
    text = times(ratio) if len(ratios) < 3 else spread(ratio, quartiles(ratios), times)
    return Row(work, str(ours), f"{name}: {other}", text, must, reached, facts=_facts(ours, other, ratio=ratio))


def extra(work: str, ours: Times, name: str, other: Times, at_most: float) -> Row:
    """How many seconds more ours takes, the fastest tenth of each; the median over the rounds is told, too."""
    more = ours.best - other.best
    median = statistics.median(a - b for a, b in zip(ours.seconds, other.seconds, strict=True))
    text = f"{signed(more)} (median {signed(median)})"
    facts = _facts(ours, other, difference=more, median=median)
    return Row(work, str(ours), f"{name}: {other}", text, f"≤ +{seconds(at_most)}", more <= at_most, facts=facts)


def quicker(work: str, ours: Times, name: str, other: Times, must: bool = True) -> Row:
    """Whether ours takes less, the fastest tenth of each; the median over the rounds is told, too."""
    ratio = other.best / ours.best
    median = statistics.median(b / a for a, b in zip(ours.seconds, other.seconds, strict=True))
    facts = _facts(ours, other, ratio=ratio, median=median)
    text = f"{times(ratio)} (median {times(median)})"
    reached = ratio >= 1 if must else None
    return Row(work, str(ours), f"{name}: {other}", text, "≥ 1x" if must else "", reached, facts=facts)


def share(work: str, ours: Times, name: str, other: Times, at_most: float) -> Row:
    """Which share of its time ours adds to the other's, by the median over the rounds."""
    shares = [a / b - 1 for a, b in zip(ours.seconds, other.seconds, strict=True)]
    more = statistics.median(shares)
    text = spread(more, quartiles(shares), percent)
    facts = _facts(ours, other, share=more, shares=shares)
    return Row(work, str(ours), f"{name}: {other}", text, f"≤ {percent(at_most)}", more <= at_most, facts=facts)


def figure(work: str, value: float, at_most: float | None, unit: Callable[[float], str], against: str = "") -> Row:
    """One number, and the most that it may be."""
    must = "" if at_most is None else f"≤ {unit(at_most)}"
    reached = None if at_most is None else value <= at_most
    return Row(work, unit(value), against, "", must, reached, facts={"value": value})


def _facts(ours: Times, other: Times, **more: Any) -> dict[str, Any]:
    return {"ours_seconds": list(ours.seconds), "against_seconds": list(other.seconds), **more}


# --- numbers as text ------------------------------------------------------------------------------------------------


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def spread(middle: float, ends: tuple[float, float], text: Callable[[float], str]) -> str:
    """``1.93 ms (1.81 ms to 2.30 ms)``: the median and the quartiles."""
    return f"{text(middle)} ({text(ends[0])} to {text(ends[1])})"


def seconds(value: float) -> str:
    """``4.2 s``, ``12.3 ms``."""
    return f"{value:.3g} s" if abs(value) >= 1 else f"{value * 1000:.2f} ms"


def signed(value: float) -> str:
    return f"{'+' if value >= 0 else ''}{seconds(value)}"


def percent(value: float) -> str:
    return f"{value * 100:.2g} %"


def times(value: float) -> str:
    return f"{value:.3g}x"


def megabytes(value: float) -> str:
    return f"{value / 1e6:.3g} MB"


def table(rows: Sequence[Row]) -> str:
    """The rows under their headings, in columns."""
    head = ("work", "ours", "against", "ratio", "must reach", "verdict")
    lines = [head, *((row.work, row.ours, row.against, row.ratio, row.must, row.verdict) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([text[0], "-+-".join("-" * width for width in widths), *text[1:]])
