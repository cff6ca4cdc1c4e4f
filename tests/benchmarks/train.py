"""What a watched training costs beside the same plain trainer, and what many reports cost kernel and wire."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.bench import Bench, Kernel, show
from tests.benchmarks.measure import Row, figure, interleave, seconds, share

LOOP = """
import tempfile, time
from ray import train
from ray.train import RunConfig, ScalingConfig
from ray.train.xgboost import XGBoostTrainer
folder = tempfile.mkdtemp()
def work(config):
    from ray import train
    for step in range(config["reports"]):
        end = time.process_time() + config["seconds"]
        while time.process_time() < end: pass
        train.report({"loss": 1 / (step + 1)})
        if config.get("file") and step == 0:
            with open(config["file"], "w") as file: file.write(str(time.time()))
def plain(config):
    XGBoostTrainer(work, train_loop_config=config, scaling_config=ScalingConfig(num_workers=1),
                   run_config=RunConfig(storage_path=folder)).fit()
long = {"reports": 2, "seconds": 5.0}
often = {"reports": 10, "seconds": 0.02}
%config RayMagics.view_after = 0
"""
MANY = """
import math, time
from ray_magics.verbs.train.card import train_card
from ray_magics.verbs.train.history import History
from ray_magics.verbs.train.status import TrainStatus, WorkerStatus
from ray_magics.views.show import RunView
history = History()
def status(beat):
    ranks = tuple(WorkerStatus(rank, "10.0.0.1", 4711 + rank, reports=len(history.reports)) for rank in range(2))
    return TrainStatus("1", "In[1]", "ray_train", "running", 0.25 * beat, unit="report", total=None,
                       done=len(history.reports), phase="RUNNING", wanted="2", ranks=ranks, rows=history.rows())
view = RunView(train_card, at_once=True)
taken = []
def report(count):
    for _ in range(count):
        step = len(history.reports)
        history.add(step / 100, [{f"metric_{n}": math.sin(step / (n + 20)) + rank for n in range(20)} for rank in range(2)])
"""
STEADY = """
for beat in range(1, 161):
    began = time.perf_counter()
    report(62)
    view.next_update = 0
    view.offer(lambda: status(beat))
    taken.append(time.perf_counter() - began)
    time.sleep(max(0.25 - taken[-1], 0))
"""


def run(bench: Bench) -> Iterator[Row]:
    with bench.kernel() as kernel:
        kernel.run(LOOP)
        yield show(bench, beside_plain(bench, kernel, "long", "10 s of work, view open", 3))
        yield show(bench, beside_plain(bench, kernel, "often", "10 reports of a 20 ms step", 1))
        yield show(bench, first_metric(kernel))
    with bench.kernel() as kernel:
        yield from many_reports(bench, kernel)


def ours(config: str) -> str:
    return f"get_ipython().run_line_magic('ray_train', f'work --trainer xgboost --config {config} --storage-path {{folder}}');"


def beside_plain(bench: Bench, kernel: Kernel, config: str, work: str, rounds: int) -> Row:
    """The same loop, whose start-up takes Ray ten seconds either way."""
    ways = {"ours": lambda: kernel.run(ours(config)), "plain": lambda: kernel.run(f"plain({config})")}
    taken = interleave(ways, bench.rounds(rounds, 1), warm_up=rounds // 2)
    return share(work, taken["ours"], "plain trainer", taken["plain"], at_most=0.03)


def first_metric(kernel: Kernel) -> Row:
    """From the end of the first report in its worker to the next that the page gets."""
    file = Path(tempfile.mkdtemp()) / "reported"
    kernel.run(f"first = {{'reports': 3, 'seconds': 1.0, 'file': {str(file)!r}}}")
    cell = kernel.run(ours("first"))
    reported = float(file.read_text())
    waited = min(moment for moment in cell.drawn if moment >= reported) - reported
    return figure("from the first report to the page", waited, 1.0, seconds)


def many_reports(bench: Bench, kernel: Kernel) -> Iterator[Row]:
    """10,000 reports of 20 metrics by two workers within forty seconds."""
    kernel.run(MANY)
    steady = kernel.run(STEADY)
    rate = steady.bytes / steady.seconds
    yield show(
        bench, figure("10,000 reports of 20 metrics, bytes a second", rate, 50_000, lambda b: f"{b / 1000:.1f} kB/s")
    )
    cost = kernel.number("sorted(taken)[len(taken) // 2]")
    yield show(bench, figure("  62 reports and an update in the kernel", cost, 0.05, seconds))
    kept = kernel.number("len(history.to_table()) / (2 * len(history.reports))")
    yield show(bench, figure("  of all reports kept", 1 - kept, 0.0, lambda lost: f"{100 * (1 - lost):.0f} %"))
