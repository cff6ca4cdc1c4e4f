"""``%%ray_remote`` where it takes long: the death of a cluster under a kernel."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.conftest import LOAD, make_kernel, wait_until

pytestmark = pytest.mark.slow


def test_a_cell_ends_with_its_cluster_and_the_kernel_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    kernel = make_kernel(LOAD)
    try:
        started = kernel.run("%ray_init --num-cpus 1")
        assert started.error is None, started.error
        kernel.run("from ray_magics.verbs.cluster import run as cluster_run\ncluster_run.DISCONNECT_SECONDS = 15")
        cell = kernel.start("%%ray_remote\nimport time\nprint('started', flush=True)\ntime.sleep(300)")
        kernel.pump(lambda: "started" in cell.stdout)
        [service] = [p for p in psutil.Process(kernel.manager.provisioner.pid).children() if p.name() == "gcs_server"]
        service.kill()
        error = kernel.finish(cell, timeout=60).error
        assert error["ename"] == "ClusterLost" and "%ray_init --restart" in error["evalue"]
        wait_until(lambda: kernel.value("cluster_run.is_up()") == "False", 60, "letting go")
        time.sleep(6)  # nothing may start a cluster by itself meanwhile: there is no condition to wait for
        assert kernel.value("cluster_run.is_up()") == "False" and kernel.value("1 + 1") == "2"
    finally:
        kernel.shutdown()


WRITTEN = r"""
import re
from pathlib import Path
def written():
    states = Path(run.path).expanduser().glob('experiment_state*.json')
    return any(re.search(r'loss\\*": *[0-9]', state.read_text()) for state in states)
"""
SEARCH = """%%ray_tune --space "x=grid_search([1, 2])" --metric loss --mode min --background --into grid
import time
for i in range(1000):
    time.sleep(0.1); tune.report({"loss": 1 / (i + 1)})"""


def test_a_search_keeps_what_it_had_when_its_cluster_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    kernel = make_kernel(LOAD)
    try:
        started = kernel.run("%ray_init --num-cpus 2")
        assert started.error is None, started.error
        kernel.run(SEARCH)
        kernel.run("import ray_magics; run = ray_magics.runs()[-1]")
        wait_until(
            lambda: int(kernel.value("sum(t.iterations for t in run.table.trials.values())")) > 20, 90, "reports"
        )
        kernel.run(WRITTEN)
        wait_until(lambda: kernel.value("written()") == "True", 60, "Tune's own record of a report")
        [service] = [p for p in psutil.Process(kernel.manager.provisioner.pid).children() if p.name() == "gcs_server"]
        service.kill()
        wait_until(lambda: kernel.value("run.state") == "'failed'", 60, "the end")
        assert "is in grid, and --resume goes on" in kernel.value("str(run.error)")
        assert kernel.value("(len(grid), grid.best.metrics['loss'] < 1)") == "(2, True)"
    finally:
        kernel.shutdown()
