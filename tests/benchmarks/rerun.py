"""A small cell, run again and again, through an IPython shell."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.bench import Bench, show
from tests.benchmarks.measure import Row, extra, interleave, quicker

OURS = "%%ray_remote\n1 + 1"
RAW = "ray.get(f.remote())"
ENGINE = "%%px\n1 + 1"


def run(bench: Bench) -> Iterator[Row]:
    shell, rounds = bench.shell, bench.rounds(200, 60)
    shell.run("import ray\n@ray.remote\ndef f():\n    return 1 + 1")
    taken = interleave({"ours": shell.way(OURS), "raw": shell.way(RAW)}, rounds, warm_up=20)
    yield show(bench, extra("small cell, run again", taken["ours"], RAW, taken["raw"], at_most=0.002))
    with engines(1) as client:
        client[:].activate()
        ways = {"ours": shell.way(OURS), "raw": shell.way(RAW), "px": shell.way(ENGINE)}
        taken = interleave(ways, rounds // 2, warm_up=10)
    name = "ipyparallel %%px, one engine"
    yield show(bench, quicker("small cell, run again", taken["ours"], name, taken["px"]))
    yield show(bench, quicker(f"  the floor: {RAW}", taken["raw"], name, taken["px"], must=False))


@contextlib.contextmanager
def engines(count: int) -> Iterator[Any]:
    """A client of ipyparallel with so many engines."""
    import ipyparallel

    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        cluster = ipyparallel.Cluster(n=count, log_level=40)
        client = cluster.start_and_connect_sync()
    try:
        yield client
    finally:
        client.close()
        cluster.stop_cluster_sync()
