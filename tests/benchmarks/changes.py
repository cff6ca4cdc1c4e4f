"""What it costs to bring back what a cell has changed."""

from __future__ import annotations

import pickle
import statistics
from collections.abc import Iterator

from ray_magics.line.settings import settings
from tests.benchmarks.bench import Bench, show
from tests.benchmarks.measure import Row, Times, extra, figure, interleave, times

SETUP = """
import numpy, torch
array = numpy.random.rand(2_000_000)
model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.Linear(512, 256))
"""
READS = "%%ray_remote\narray[0];"
LOOKS = "%%ray_remote\nmodel[0].bias;"
TRAINS = "%%ray_remote\nfor parameter in model.parameters():\n    parameter.data += 1"


def run(bench: Bench) -> Iterator[Row]:
    shell, rounds = bench.shell, bench.rounds(60, 20)
    shell.run(SETUP)

    def untracked() -> None:
        before, settings().track_changes_up_to = settings().track_changes_up_to, 0
        try:
            shell.run(READS)
        finally:
            settings().track_changes_up_to = before

    taken = interleave({"ours": shell.way(READS), "untracked": untracked}, rounds, warm_up=5)
    name = "the same without a look at it"
    yield show(
        bench, extra("a cell reads 16 MB, changes nothing", taken["ours"], name, taken["untracked"], at_most=0.03)
    )
    taken = interleave({"ours": shell.way(TRAINS), "looks": shell.way(LOOKS)}, rounds, warm_up=5)
    pickling = interleave({"pickle": lambda: pickle.dumps(shell.ns["model"])}, rounds)["pickle"]
    added = statistics.median(taken["ours"].seconds) - statistics.median(taken["looks"].seconds)
    ratio = added / statistics.median(Times(pickling.seconds).seconds)
    name = "its pickling by Python, without a transfer"
    yield show(bench, figure("a cell changes a model of 1 MB: time added", ratio, 2.0, times, name))
    for name in ("array", "model"):
        del shell.ns[name]
