"""What the view of datasets costs beside plain Ray Data, and what large executions cost kernel and wire."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.bench import Bench, Kernel, show
from tests.benchmarks.measure import Row, figure, interleave, megabytes, seconds, share

PIPELINE = """
import time, numpy as np, ray.data
def work(batch):
    values = batch["id"].astype("float64")
    for _ in range(300): values = np.sin(values)
    return {"x": values}
def pipeline(): return ray.data.range(2_000_000, override_num_blocks=20).map_batches(work).sum("x")
def same(batch): return batch
%config RayMagics.view_after = 0
"""
SLOW = """
def slow(batch):
    time.sleep(0.5)
    with open({file!r}, "a") as file: file.write(f"{{time.time()}}\\n")
    return batch
"""
MANY = """
import time
from ray_magics.raylib.data import OperatorSnapshot
from ray_magics.verbs.data.card import data_card
from ray_magics.verbs.data.status import DataStatus, ExecutionStatus
from ray_magics.views.show import RunView
def status(beat):
    operators = tuple(
        OperatorSnapshot(str(n), f"MapBatches(step_{n})", rows_in=beat * 900 + n, rows_out=beat * 800 + n, rows_total=10**7,
                         blocks_out=beat * 40 + n, blocks_total=10_000, bytes_out=beat * 10**6, tasks=n % 3, queued=beat % 7)
        for n in range(200))
    execution = ExecutionStatus("dataset_1", "running", 0.25 * beat + 1, operators)
    return DataStatus("1", "In[1]", "ray_data", "running", 0.25 * beat, unit="block", total=10_000, done=beat * 40,
                      executions=(execution,))
view = RunView(data_card, at_once=True)
taken = []
"""
STEADY = """
for beat in range(1, 41):
    began = time.perf_counter()
    view.next_update = 0
    view.offer(lambda: status(beat))
    taken.append(time.perf_counter() - began)
    time.sleep(max(0.25 - taken[-1], 0))
"""


def run(bench: Bench) -> Iterator[Row]:
    with bench.kernel() as kernel:
        kernel.run(PIPELINE)
        yield show(bench, beside_plain(bench, kernel))
        yield show(bench, first_progress(kernel))
        yield show(bench, memory_of_the_kernel(bench, kernel))
    with bench.kernel() as kernel:
        yield from many_operators(bench, kernel)


def beside_plain(bench: Bench, kernel: Kernel) -> Row:
    """The same plain line, watched with its view open, and as Ray has it."""
    ways = {
        "ours": lambda: kernel.run("%ray_data --watch on\npipeline();"),
        "plain": lambda: kernel.run("%ray_data --watch off\npipeline();"),
    }
    taken = interleave(ways, bench.rounds(9, 2), warm_up=2)
    kernel.run("%ray_data --watch on")
    return share("2,000,000 rows, view open", taken["ours"], "not watched", taken["plain"], at_most=0.03)


def first_progress(kernel: Kernel) -> Row:
    """From the end of the first batch in its task to the next that the page gets."""
    file = Path(tempfile.mkdtemp()) / "ends"
    kernel.run(SLOW.format(file=str(file)))
    cell = kernel.run("ray.data.range(40, override_num_blocks=20).map_batches(slow).materialize();")
    first = float(file.read_text().split()[0])
    waited = min(moment for moment in cell.drawn if moment >= first) - first
    return figure("from the first block to the page", waited, 1.0, seconds)


def memory_of_the_kernel(bench: Bench, kernel: Kernel) -> Row:
    rows = 10_000_000
    before, peak = kernel.process.memory_info().rss, 0

    def look() -> None:
        nonlocal peak
        peak = max(peak, kernel.process.memory_info().rss)

    kernel.run(f"ray.data.range({rows}).map_batches(same).count();", meanwhile=look)
    return figure(f"{rows:,} rows: growth of the kernel", peak - before, 100e6, megabytes)


def many_operators(bench: Bench, kernel: Kernel) -> Iterator[Row]:
    """200 operators and 10,000 blocks, all of them changing four times a second, for ten seconds."""
    kernel.run(MANY)
    first = kernel.run("view.offer(lambda: status(0));")
    yield show(bench, figure("200 operators, the first picture", first.bytes / 1e3, None, lambda kb: f"{kb:.0f} kB"))
    steady = kernel.run(STEADY)
    rate = steady.bytes / steady.seconds
    yield show(bench, figure("200 operators, bytes a second", rate, 50_000, lambda b: f"{b / 1000:.1f} kB/s"))
    cost = kernel.number("sorted(taken)[len(taken) // 2]")
    yield show(bench, figure("  an update in the kernel", cost, 0.05, seconds))
