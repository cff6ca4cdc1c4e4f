"""``--for`` over 10,000 trivial items, against what else maps a function over them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.bench import Bench, Shell, show
from tests.benchmarks.measure import Row, faster, interleave
from tests.benchmarks.rerun import engines

ITEMS = 10_000
FEWER = 1_000  # items of a quick run against what takes a minute for 10,000
OURS = '%%ray_remote --for "x in range({items})" --into out\nx * x'
POOL = "out = pool.map(square, range({items}))"
NAIVE = "out = ray.get([remote_square.remote(x) for x in range({items})])"
IPYPARALLEL = "out = view.map_sync(square, range({items}))"
IPYPARALLEL_CHUNKS = "out = view.map_sync(square, range({items}), chunksize={items} // 16)"
DASK = "out = dask_client.gather(dask_client.map(square, range({items}), pure=False))"
DASK_BATCHES = "out = dask_client.gather(dask_client.map(square, range({items}), pure=False, batch_size={items} // 16))"
SQUARE = "import ray\ndef square(x):\n    return x * x\nremote_square = ray.remote(square)"


def run(bench: Bench) -> Iterator[Row]:
    bench.shell.run(SQUARE)
    many, some, few = bench.rounds(31, 15), bench.rounds(5, 3), bench.rounds(3, 1)
    fewer = bench.rounds(ITEMS, FEWER)
    with pool(bench.shell, bench.cpus):
        yield against(bench, "ray Pool.map", POOL, many, at_least=1)
    yield against(bench, "naive [f.remote(x) ...]", NAIVE, some, at_least=20)
    with balanced(bench.shell, bench.cpus):
        yield against(bench, "ipyparallel map, chunksize=n/16", IPYPARALLEL_CHUNKS, many)
        yield against(bench, "ipyparallel map", IPYPARALLEL, few, fewer)
    with dask(bench.shell, bench.cpus):
        yield against(bench, "dask map + gather, batch_size=n/16", DASK_BATCHES, few, fewer)
        yield against(bench, "dask map + gather", DASK, few, fewer)


def against(bench: Bench, name: str, code: str, rounds: int, items: int = ITEMS, at_least: float | None = None) -> Row:
    ways = {"ours": checked(bench.shell, OURS, items), "other": checked(bench.shell, code, items)}
    taken = interleave(ways, rounds, warm_up=3 if rounds > 5 else 1)
    return show(bench, faster(f"{items:,} trivial items", taken["ours"], name, taken["other"], at_least))


def checked(shell: Shell, code: str, items: int) -> Callable[[], Any]:
    """Runs a cell that binds `out`, and makes sure that it did the work."""

    def way() -> None:
        shell.run(code.format(items=items))
        out = shell.ns.pop("out")
        if len(out) != items or out[-1] != (items - 1) ** 2:
            raise RuntimeError(f"wrong results of: {code}")

    return way


@contextlib.contextmanager
def pool(shell: Shell, processes: int) -> Iterator[None]:
    """`pool` in the shell: Ray's multiprocessing pool, started."""
    from ray.util.multiprocessing import Pool

    with Pool(processes) as started:
        shell.ns["pool"] = started
        yield
    del shell.ns["pool"]


@contextlib.contextmanager
def balanced(shell: Shell, count: int) -> Iterator[None]:
    """`view` in the shell: a load-balanced view of ipyparallel's engines."""
    with engines(count) as client:
        shell.ns["view"] = client.load_balanced_view()
        yield
    del shell.ns["view"]


@contextlib.contextmanager
def dask(shell: Shell, count: int) -> Iterator[None]:
    """`dask_client` in the shell: a client of a local cluster of processes."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None, silence_logs=50)
    with cluster, Client(cluster) as client:
        shell.ns["dask_client"] = client
        yield
    del shell.ns["dask_client"]
