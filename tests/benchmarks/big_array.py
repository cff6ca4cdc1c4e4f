"""Ten cells that read one unchanged array of 1 GB, and how often it is in the object store."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmarks.bench import Bench, show
from tests.benchmarks.measure import Row, Times, faster, figure, interleave, timed

CELLS = 10
ELEMENTS = 125_000_000
ARRAY = f"import numpy, ray\nbig = numpy.arange({ELEMENTS}, dtype=float)"
FIRST = "@ray.remote\ndef first(array):\n    return array[0]"
OURS = "%%ray_remote\nbig[0]"
RAW = "ray.get(first.remote(ray.put(big)))"
CLOSURE = "a closure over it is impossible: Ray refuses functions above 95 MiB"


def run(bench: Bench) -> Iterator[Row]:
    shell = bench.shell
    shell.run(ARRAY)
    shell.run(FIRST)
    shell.run(RAW)
    before = store_bytes(at_most=0.5e9)
    sent = timed(shell.way(OURS))
    taken = interleave({"ours": shell.way(OURS), "raw": shell.way(RAW)}, CELLS - 1, warm_up=0)
    copies = (store_bytes(at_most=before + 1.5e9) - before) / (8 * ELEMENTS)
    ours = Times([(sent + sum(taken["ours"].seconds)) / CELLS])
    raw = Times([sum(taken["raw"].seconds) / (CELLS - 1)])
    yield show(bench, faster("ten cells read 1 GB, the first included: a cell", ours, RAW, raw, at_least=5))
    yield show(bench, faster("  each cell after the first", taken["ours"], RAW, taken["raw"]))
    yield show(bench, figure("  copies in the object store", copies, 1.01, "{:.2f}".format, CLOSURE))
    del shell.ns["big"]


def store_bytes(at_most: float, wait: float = 10.0) -> int:
    """Bytes in the cluster's object stores, once they are down to `at_most`, for freeing takes a moment."""
    end = time.monotonic() + wait
    while (used := _store_bytes()) > at_most and time.monotonic() < end:
        time.sleep(0.1)
    return used


def _store_bytes() -> int:
    import ray
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    return int(get_memory_info_reply(state).store_stats.object_store_bytes_used)
