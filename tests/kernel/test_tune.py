"""Searches in a real kernel: interrupt, restart, resume, and output in the right cell.

The last test restarts the kernel that both share.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Kernel, wait_for_free_cpus

pytestmark = pytest.mark.timeout(300)

GATED = """
import itertools, time
from pathlib import Path
from ray import tune
def gated(config):
    Path(f"{folder}_{{config['x']}}").touch()
    for i in itertools.count():
        time.sleep(0.05)
        tune.report({{"loss": config["x"] / (i + 1)}})
        if i >= 14 and (config["x"] == 1 or Path("{folder}_gate").exists()):
            break
line = 'gated --space "x=grid_search([1, 2])" --metric loss --mode min --max-concurrent-trials 1 --reuse-actors --num-cpus 0.1 --storage-path {folder}'
"""


def test_what_trials_print_stays_with_the_search_while_other_cells_run(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(
        "def loud(config):\n    for i in range(3):\n        print('trial says', config['x'], i)\n    return {'a': 1}"
    )
    line = f'loud --space "x=grid_search([1, 2])" --num-cpus 0.1 --storage-path {tmp_path}'
    search = kernel.run(f"run = %ray_tune {line} --background")
    other = kernel.run("print('here'); run.wait(120)", 150)
    assert other.stdout == "here\n" and not [m for m in other.messages if m["msg_type"] == "display_data"]
    (view,) = [m["content"]["transient"]["display_id"] for m in search.messages if m["msg_type"] == "display_data"]
    updates = [m["content"] for m in other.messages if m["msg_type"] == "update_display_data"]
    assert {one["transient"]["display_id"] for one in updates} == {view}
    assert "trial says 1 2" in str(updates) and "trial says 2 0" in str(updates)
    assert kernel.value("run.logs().count('trial says')") == "6"


def test_an_interrupted_search_fails_its_cell_and_goes_on_in_a_new_kernel(kernel: Kernel, tmp_path: Path) -> None:
    assert kernel.run(GATED.format(folder=tmp_path) + "import ray").error is None
    search = kernel.start("get_ipython().run_line_magic('ray_tune', line + ' --into part')")
    kernel.pump(Path(f"{tmp_path}_2").exists, 120)  # the second trial is under way
    kernel.interrupt()
    kernel.finish(search, 60)
    assert search.error is not None and search.error["ename"] == "RunCancelled"
    assert re.search(r"kept in part, and --resume goes on", search.error["evalue"])
    assert kernel.value("len(part)") == "2"
    wait_for_free_cpus(90)

    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=120)
    Path(f"{tmp_path}_gate").touch()
    assert kernel.run("%load_ext ray_magics\n" + GATED.format(folder=tmp_path)).error is None
    again = kernel.run("get_ipython().run_line_magic('ray_tune', line + ' --resume --into whole')", 180)
    assert again.error is None
    assert kernel.value("[r.metrics['training_iteration'] for r in whole]") == "[15, 15]"
    assert kernel.value("whole.best.config") == "{'x': 1}" and len(list(tmp_path.iterdir())) == 1
