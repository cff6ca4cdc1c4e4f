"""What a training has reported: all of it for the user, and thinned curves for a view."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_BUCKETS = 60  # of a thinned curve
GROWTH = 0.02  # by which a curve has to grow until it is drawn anew
ALWAYS = 50  # reports until which it is drawn anew with each
MOST_METRICS = 40  # that a view has
MOST_RANKS = 8  # whose own curves it has
OWN_COLUMNS = ("report", "seconds", "rank")  # of the table

Point = tuple[int, float, float]  # step, seconds since the first workers began, value


@dataclass
class Bucket:
    """Points next to each other: those of the least and of the greatest value, and the last that is no number."""

    low: Point | None = None
    high: Point | None = None
    gap: Point | None = None

    def add(self, point: Point) -> None:
        if not math.isfinite(point[2]):
            self.gap = point
            return
        if self.low is None or point[2] < self.low[2]:
            self.low = point
        if self.high is None or point[2] > self.high[2]:
            self.high = point

    def merged(self, other: Bucket) -> Bucket:
        both = Bucket(self.low, self.high, other.gap or self.gap)
        for point in (other.low, other.high):
            if point is not None:
                both.add(point)
        return both

    def points(self) -> Iterator[Point]:
        """In the order of their steps; what is no number among them breaks the line."""
        yield from sorted({point for point in (self.low, self.high, self.gap) if point is not None})


class ThinnedCurve:
    """Of each of `MOST_BUCKETS` the least point, the greatest and one that is no number; and the last of all."""

    def __init__(self) -> None:
        self.buckets: list[Bucket] = []
        self.width, self.filled = 1, 0  # reports that a bucket holds, and that the last one holds
        self.last: Point | None = None

    def add(self, point: Point) -> None:
        self.last = point
        if not self.buckets or self.filled == self.width:
            if len(self.buckets) == MOST_BUCKETS:
                pairs = zip(self.buckets[::2], self.buckets[1::2], strict=True)
                self.buckets = [first.merged(second) for first, second in pairs]
                self.width *= 2
            self.buckets.append(Bucket())
            self.filled = 0
        self.buckets[-1].add(point)
        self.filled += 1

    def points(self) -> list[Point]:
        drawn = [point for bucket in self.buckets for point in bucket.points()]
        if self.last is not None and (not drawn or drawn[-1] != self.last):
            drawn.append(self.last)
        return drawn


@dataclass
class Metric:
    """One reported number: its extremes, and curves of the mean over the ranks and of each."""

    name: str
    mean: ThinnedCurve = field(default_factory=ThinnedCurve)
    ranks: dict[int, ThinnedCurve] = field(default_factory=dict)
    count: int = 0
    last: float | None = None
    least: float = math.inf
    most: float = -math.inf
    unfinite: int = 0
    row: dict[str, Any] = field(default_factory=dict)
    drawn_at: int = 0

    def add(self, step: int, seconds: float, values: Mapping[int, float]) -> None:
        self.count += 1
        mean = sum(values.values()) / len(values)
        self.last = mean
        self.unfinite += any(not math.isfinite(value) for value in values.values())
        if math.isfinite(mean):
            self.least, self.most = min(self.least, mean), max(self.most, mean)
        self.mean.add((step, seconds, mean))
        for rank, value in values.items():
            if rank < MOST_RANKS:
                self.ranks.setdefault(rank, ThinnedCurve()).add((step, seconds, value))

    def to_row(self, at_once: bool = False) -> dict[str, Any]:
        """As JSON; the same object until the curve has grown by `GROWTH`, or at the end."""
        grown = self.count - self.drawn_at
        if not self.row or (grown and (at_once or self.count <= ALWAYS or grown >= GROWTH * self.drawn_at)):
            self.drawn_at = self.count
            self.row = {
                "id": self.name,
                "last": json_number(self.last),
                "least": json_number(self.least if self.least <= self.most else None),
                "most": json_number(self.most if self.least <= self.most else None),
                "unfinite": self.unfinite,
                "lines": self._lines(),
            }
        return self.row

    def _lines(self) -> list[dict[str, Any]]:
        if len(self.ranks) < 2:
            return [{"name": "", "points": json_points(self.mean)}]
        ranks = [{"name": f"rank {rank}", "points": json_points(self.ranks[rank])} for rank in sorted(self.ranks)]
        return [{"name": "mean", "points": json_points(self.mean)}, *ranks]


def json_points(curve: ThinnedCurve) -> list[list[Any]]:
    return [[step, round(seconds, 3), json_number(value)] for step, seconds, value in curve.points()]


def json_number(value: float | None) -> float | str | None:
    """Six significant digits; what JSON has not as the text that Python writes."""
    if value is None or math.isfinite(value):
        return None if value is None else float(f"{value:.6g}")
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class History:
    """All reports of a run, in their order.

    Attributes:
        reports: of each: step (from 1), seconds since the first workers began, and what each rank has reported.
        metrics: the numbers among it, by name.
    """

    def __init__(self) -> None:
        self.reports: list[tuple[int, float, Sequence[Mapping[str, Any]]]] = []
        self.metrics: dict[str, Metric] = {}
        self.ranks = 0

    def add(self, seconds: float, of_ranks: Sequence[Mapping[str, Any]]) -> None:
        step = len(self.reports) + 1
        self.reports.append((step, seconds, of_ranks))
        self.ranks = len(of_ranks)
        names = dict.fromkeys(name for of_rank in of_ranks for name in of_rank)
        for name in names:
            reported = ((rank, of_rank.get(name)) for rank, of_rank in enumerate(of_ranks))
            values = {rank: as_float(value) for rank, value in reported if is_number(value)}
            if values and (name in self.metrics or len(self.metrics) < MOST_METRICS):
                self.metrics.setdefault(name, Metric(name)).add(step, seconds, values)

    @property
    def last(self) -> Mapping[str, Any]:
        """The newest report of rank 0; {} before any."""
        return self.reports[-1][2][0] if self.reports else {}

    @property
    def per_second(self) -> float | None:
        """Reports in a second, from the first on; None before the third."""
        if len(self.reports) < 3:
            return None
        seconds = self.reports[-1][1] - self.reports[0][1]
        return (len(self.reports) - 1) / seconds if seconds > 0 else None

    def rows(self, at_once: bool = False) -> tuple[dict[str, Any], ...]:
        return tuple(metric.to_row(at_once) for metric in list(self.metrics.values()))

    def to_table(self) -> Any:
        """A DataFrame with a row for each report of each rank: the columns `OWN_COLUMNS`, and what was reported.

        A metric of the name of such a column is in ``reported_rank``, for one.
        """
        import pandas

        return pandas.DataFrame(
            [
                {"report": number, "seconds": seconds, "rank": rank, **_renamed(of_rank)}
                for number, seconds, of_ranks in self.reports
                for rank, of_rank in enumerate(of_ranks)
            ],
            columns=None if self.reports else list(OWN_COLUMNS),
        )


def _renamed(of_rank: Mapping[str, Any]) -> dict[str, Any]:
    return {f"reported_{name}" if name in OWN_COLUMNS else name: value for name, value in of_rank.items()}


def as_float(value: Any) -> float:
    """The number; infinity for a whole one that is larger than any float."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
