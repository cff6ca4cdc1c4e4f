"""Requests a second, latencies and errors, from the access lines that Serve writes for each request."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

WINDOW, RATE_WINDOW, HISTORY = 60.0, 10.0, 60  # seconds
_KEPT = 20_000  # requests
_ACCESS = re.compile(r" -- (?:\S+ )?(?P<method>[A-Z]+|/\S+) (?P<route>\S+) (?P<status>\w+) (?P<ms>\d+(?:\.\d+)?)ms$")
Figures = dict[str, float | None]


class Access(NamedTuple):
    """One request: where it went, whether it failed on our side (5xx, an exception), milliseconds."""

    route: str
    failed: bool
    ms: float


def access(line: str) -> Access | None:
    """``… -- GET /digits 200 5.3ms`` as Ray Serve 2.60 writes it, of gRPC the application as its route; else None."""
    found = _ACCESS.search(line)
    if found is None:
        return None
    status = found["status"]
    failed = status.startswith("5") if status.isdigit() else status not in ("OK", "CANCELLED")
    return Access(found["route"], failed, float(found["ms"]))


def logged_at(line: str) -> float:
    """When a line of Serve's logs was written, in whole seconds since 1970; 0 where it does not say."""
    words = line.split(maxsplit=3)
    try:
        return time.mktime(time.strptime(f"{words[1]} {words[2].partition(',')[0]}", "%Y-%m-%d %H:%M:%S"))
    except (IndexError, ValueError, OverflowError):
        return 0.0


class RequestMeter:
    """The requests of the last minute; times in seconds of any one clock."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.total = 0
        self.recent: deque[tuple[float, float, bool]] = deque(maxlen=_KEPT)
        self.seconds: deque[Any] = deque(maxlen=HISTORY + 1)  # [second, requests]

    def add(self, now: float, requests: Iterable[Access]) -> None:
        count = 0
        for one in requests:
            self.recent.append((now, one.ms, one.failed))
            count += 1
        self.total += count
        if self.seconds and self.seconds[-1][0] == int(now):
            self.seconds[-1][1] += count
        elif count:
            self.seconds.append([int(now), count])

    def figures(self, now: float) -> Figures:
        """Rate over the last ten seconds; percentiles in milliseconds and errors (0 to 1) over the last minute."""
        while self.recent and self.recent[0][0] < now - WINDOW:
            self.recent.popleft()
        latencies = sorted(ms for _, ms, _ in self.recent)
        window = max(min(RATE_WINDOW, now - self.began), 1.0)
        lately = sum(time > now - window for time, _, _ in self.recent)
        failed = sum(failed for _, _, failed in self.recent)
        return {
            "rate": round(lately / window, 1),
            "p50": percentile(latencies, 50),
            "p95": percentile(latencies, 95),
            "p99": percentile(latencies, 99),
            "errors": round(failed / len(latencies), 4) if latencies else None,
            "total": self.total,
        }

    def history(self, now: float) -> list[list[float]]:
        """(seconds ago as a negative number, requests in that second), one a second since the first request."""
        counts = dict(map(tuple, self.seconds))
        first = max(int(now) - HISTORY, int(self.began))
        return [[second - int(now), counts.get(second, 0)] for second in range(first, int(now))]


NOTHING: Mapping[str, Any] = dict.fromkeys(("rate", "p50", "p95", "p99", "errors", "total"))


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile of ascending values; None of nothing."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]
