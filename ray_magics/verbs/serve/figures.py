"""Requests a second, latencies and errors, from the access lines that Serve writes for each request."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .status import RequestFigures

WINDOW, RATE_WINDOW, HISTORY = 60.0, 10.0, 60  # seconds
_MAX_REQUESTS = 20_000  # whose latencies are kept
_ACCESS = re.compile(r" -- (?:\S+ )?(?P<method>[A-Z]+|/\S+) (?P<route>\S+) (?P<status>\w+) (?P<ms>\d+(?:\.\d+)?)ms$")


class LoggedRequest(NamedTuple):
    """One request: where it went, whether it failed on our side (5xx, an exception), milliseconds."""

    route: str
    failed: bool
    ms: float


def parse_access_line(line: str) -> LoggedRequest | None:
    """``… -- GET /digits 200 5.3ms`` as Ray Serve 2.60 writes it, of gRPC the application as its route; else None."""
    match = _ACCESS.search(line)
    if match is None:
        return None
    status = match["status"]
    failed = status.startswith("5") if status.isdigit() else status not in ("OK", "CANCELLED")
    return LoggedRequest(match["route"], failed, float(match["ms"]))


def logged_at(line: str) -> float:
    """When a line of Serve's logs was written, in whole seconds since 1970; 0 where it does not say."""
    words = line.split(maxsplit=3)
    try:
        return time.mktime(time.strptime(f"{words[1]} {words[2].partition(',')[0]}", "%Y-%m-%d %H:%M:%S"))
    except (IndexError, ValueError, OverflowError):
        return 0.0


class RequestMeter:
    """The requests of the last minute; times in seconds of any one clock."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.total = 0
        self.recent: deque[tuple[float, float, bool]] = deque(maxlen=_MAX_REQUESTS)  # time, milliseconds, failed
        self.per_second: deque[tuple[int, int]] = deque(maxlen=HISTORY + 1)  # second, requests

    def add(self, now: float, requests: Iterable[LoggedRequest]) -> None:
        new = [(now, request.ms, request.failed) for request in requests]
        self.recent.extend(new)
        self.total += len(new)
        second, count = self.per_second[-1] if self.per_second else (None, 0)
        if second == int(now):
            self.per_second[-1] = int(now), count + len(new)
        elif new:
            self.per_second.append((int(now), len(new)))

    def figures(self, now: float) -> RequestFigures:
        while self.recent and self.recent[0][0] < now - WINDOW:
            self.recent.popleft()
        latencies = sorted(ms for _, ms, _ in self.recent)
        window = max(min(RATE_WINDOW, now - self.started_at), 1.0)
        in_window = sum(time > now - window for time, _, _ in self.recent)
        failed = sum(failed for _, _, failed in self.recent)
        return RequestFigures(
            rate=round(in_window / window, 1),
            p50=percentile(latencies, 50),
            p95=percentile(latencies, 95),
            p99=percentile(latencies, 99),
            errors=round(failed / len(latencies), 4) if latencies else None,
            total=self.total,
        )

    def history(self, now: float) -> tuple[tuple[int, int], ...]:
        """(seconds ago as a negative number, requests in that second), one a second since the first request."""
        counts = dict(self.per_second)
        first = max(int(now) - HISTORY, int(self.started_at))
        return tuple((second - int(now), counts.get(second, 0)) for second in range(first, int(now)))


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile of ascending values; None of nothing."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]
