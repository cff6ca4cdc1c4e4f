"""A million lines printed by workers while a cell waits for them: the kernel answers, and stays small."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.benchmarks.bench import Bench, Kernel, show
from tests.benchmarks.measure import Row, figure, megabytes, seconds

LINES = 1_000_000
EVERY = 0.1  # seconds between two requests
PRINT = """%%ray_remote --chunk 1 --for "w in range({workers})"
for i in range({lines}):
    print("worker", w, "line", i)
"""


@dataclass
class Watcher:
    """Asks the kernel something every tenth of a second, and looks at its memory."""

    kernel: Kernel
    asked: dict[str, float] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    largest: int = 0
    next: float = 0.0

    def look(self) -> None:
        now = time.perf_counter()
        if now >= self.next:
            self.next = now + EVERY
            self.asked[self.kernel.ask()] = now
            self.largest = max(self.largest, self.kernel.process.memory_info().rss)
        while (answered := self.kernel.answered()) is not None:
            self.waits.append(time.perf_counter() - self.asked.pop(answered))

    def drain(self) -> None:
        """Waits for the answers that are still due."""
        end = time.monotonic() + 10
        while self.asked and time.monotonic() < end:
            self.next = float("inf")
            self.look()
            time.sleep(0.001)


def run(bench: Bench) -> Iterator[Row]:
    with bench.kernel() as kernel:
        kernel.run(PRINT.format(workers=bench.cpus, lines=100))
        before = kernel.process.memory_info().rss
        watcher = Watcher(kernel)
        cell = kernel.run(PRINT.format(workers=bench.cpus, lines=LINES // bench.cpus), meanwhile=watcher.look)
        watcher.drain()
        grown = watcher.largest - before
    if not watcher.waits or watcher.asked:
        raise RuntimeError(f"{len(watcher.asked)} requests on the control channel had no answer")
    count = f"{len(watcher.waits)} requests on the control channel meanwhile"
    median = statistics.median(watcher.waits)
    yield show(bench, figure("1,000,000 lines: the kernel answers within", median, 0.1, seconds, count))
    yield show(bench, figure("  the slowest answer", max(watcher.waits), 1.0, seconds))
    yield show(bench, figure("  memory of the kernel grows by", grown, 100e6, megabytes))
    yield show(bench, figure("  sent to the page", cell.bytes, 5e6, megabytes, f"{cell.messages} messages"))
    yield show(bench, figure("  wall time", cell.seconds, None, seconds))
