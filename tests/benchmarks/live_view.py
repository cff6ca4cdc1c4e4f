"""What an open view costs: while 10,000 tasks pass by, and while nothing changes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.bench import Bench, Kernel, show
from tests.benchmarks.measure import Row, Times, figure, interleave, percent, share

IDLE_SPAN = 15.0  # seconds
SLEEP = "%%ray_remote --background --into slept\nimport time\ntime.sleep(60)"


def run(bench: Bench) -> Iterator[Row]:
    with bench.kernel() as kernel:
        idle = kernel.cpu_share(IDLE_SPAN)
        yield show(bench, at_rest(kernel, idle))
    with bench.kernel() as kernel:
        yield from busy(bench, kernel)


def at_rest(kernel: Kernel, idle: float) -> Row:
    """A cell sleeps in the background with its view open."""
    if "comm_open" not in kernel.run(SLEEP).kinds:
        raise RuntimeError("the view did not open")
    kernel.cpu_share(5.0)
    used = kernel.cpu_share(IDLE_SPAN)
    kernel.run("from ray_magics.run.run import registry\nfor run in registry.live(): run.stop()")
    text = f"the same kernel with no view: {percent(idle)}"
    return figure("open view, nothing changes: share of a core", used, 0.01, percent, text)


def busy(bench: Bench, kernel: Kernel) -> Iterator[Row]:
    """As many tasks as items, with the view and without."""
    items = bench.rounds(10_000, 3_000)
    cell = f'%%ray_remote --chunk 1 --for "x in range({items})" --into out{{}}\nx * x'
    ways = {"ours": cell.format(""), "quiet": cell.format(" --quiet")}
    seen: dict[str, set[str]] = {name: set() for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}

    def way(name: str) -> None:
        before = kernel._cpu()
        seen[name].update(kernel.run(ways[name]).kinds)
        cpu[name].append(kernel._cpu() - before)

    taken = interleave({name: lambda name=name: way(name) for name in ways}, bench.rounds(5, 3))
    if "comm_msg" not in seen["ours"] or "comm_msg" in seen["quiet"]:
        raise RuntimeError(f"the views are not as they should be: {seen}")
    work = f"open view, {items:,} tasks pass by"
    yield show(bench, share(work, taken["ours"], "--quiet", taken["quiet"], at_most=0.03))
    ours, quiet = (Times(cpu[name][1:]) for name in ways)
    yield show(bench, share("  CPU time of the kernel", ours, "--quiet", quiet, at_most=0.03))
