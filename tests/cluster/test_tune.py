"""Searches with real Ray Tune, through a real shell.

A trial costs the start of a worker process, so trials follow one another on one worker where a test is not about that,
and tests that only look share a search.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from ray_magics.errors import RayMagicsError, RemoteError, RunCancelled
from ray_magics.run.registry import registry
from ray_magics.verbs.tune.card import search_card
from ray_magics.verbs.tune.messages import describe_grid
from ray_magics.verbs.tune.tuner import _quiet
from ray_magics.views.text import text
from tests.conftest import Shell, wait_until

pytestmark = pytest.mark.timeout(300)
Capsys = pytest.CaptureFixture[str]
LIGHT = "--num-cpus 0.1"  # all trials of a test start at once
IN_TURN = "--max-concurrent-trials 1 --reuse-actors"  # or one after the other, all on one worker

ENDLESS = """
import time
from ray import tune
def endless(config):
    for i in range(3000):
        time.sleep(0.1)
        tune.report({"loss": config["x"] / (i + 1)})
"""
GATED = """
import itertools, time
from pathlib import Path
from ray import tune
def gated(config):
    for i in itertools.count():
        time.sleep(0.05)
        tune.report({"loss": config["x"] / (i + 1)})
        if i >= 11 and (config["x"] == 1 or Path(gate).exists()):
            break
"""


@pytest.fixture
def lab(notebook: Shell, tmp_path: Path) -> Shell:
    notebook.run(f"storage = {str(tmp_path)!r}")
    return notebook


def search(lab: Shell, line: str, cell: str = "") -> Any:
    head = f"{line} --storage-path {lab.ns['storage']} {LIGHT}"
    return lab.run(f"%%ray_tune {head}\n{cell}" if cell else f"%ray_tune {head}")


@dataclass(frozen=True)
class Search:
    """A search that has ended, what the notebook held then, and what ``%ray_tune --show`` printed."""

    run: Any
    grid: Any
    names: dict[str, Any]
    shown: str

    @property
    def storage(self) -> Path:
        return Path(self.run.path).parent


def notebook_for(ip: Any, folder: Path) -> Shell:
    ip.reset(new_session=True, aggressive=False)
    ip.user_ns["storage"] = str(folder)
    return Shell(ip)


def ended(lab: Shell, line: str, cell: str = "") -> Search:
    value = search(lab, line, cell)
    (run,) = registry.runs()[-1:]
    names = dict(lab.ns)
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        lab.run("%ray_tune --show")
    return Search(run, value, names, shown.getvalue())


@pytest.fixture(scope="module")
def of_function(_ip: Any, cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A search of a function that needs others of the notebook; for looking only."""
    lab = notebook_for(_ip, tmp_path_factory.mktemp("function"))
    lab.run("import numpy as np\nbig = np.ones(200_000)\ndef scaled(x):\n    return x * big.sum() / big.size")
    lab.run(
        "def train(config):\n    for i in range(3):\n        tune.report({'loss': scaled(config['x']) + i, 'n': i})"
    )
    line = 'train --space "x=grid_search([2, 1])" "m.k=3" --metric loss --mode min --resume --into grid'
    return ended(lab, f"{line} {IN_TURN}")


CELL = "y = base + config['a']\nprint('y is', y)\ny"


@pytest.fixture(scope="module")
def of_cell(_ip: Any, cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A search of a cell, kept under the name "mine"; for looking only."""
    lab = notebook_for(_ip, tmp_path_factory.mktemp("cell"))
    lab.run("base = 10")
    return ended(lab, f'--space "a=grid_search([1, 2])" --metric score --mode max --name mine {IN_TURN}', CELL)


def test_functions_of_other_cells_are_searched(of_function: Search) -> None:
    names, grid = of_function.names, of_function.names["grid"]
    assert type(grid).__module__ == "ray.tune.result_grid" and len(grid) == 2 and not grid.errors
    assert grid.best.config == {"x": 1, "m": {"k": 3}} and grid.best.metrics["loss"] == 3.0
    assert sorted(names) == sorted({*names, "grid"}) and "config" not in names


def test_nothing_to_resume_is_a_new_search_that_says_so_or_a_mistake(lab: Shell, of_function: Search) -> None:
    assert of_function.run.note.startswith("There is nothing to resume") and len(of_function.names["grid"]) == 2
    lab.run(f"storage = {str(of_function.storage)!r}\ndef train(config):\n    return {{'a': 1}}")
    with pytest.raises(UsageError, match="--resume: there is no experiment nope in"):
        search(lab, "train --resume --space x=1 --name nope")
    lab.run("def other(config):\n    return {'a': 1}")
    with pytest.raises(UsageError, match="--resume: there is no experiment other_<time> in"):
        search(lab, "other --resume")


def test_the_cell_itself_is_a_trial_and_its_number_the_metric(lab: Shell, of_cell: Search) -> None:
    run, grid = of_cell.run, of_cell.grid
    assert grid.best.metrics["score"] == 12.0 and "y" not in of_cell.names
    shown = text(search_card(run.status()))
    assert "Best: score 12" in shown and "y is 11" in shown and "y is 12" in run.logs()
    assert [row["state"] for row in run.status().rows] == ["TERMINATED", "TERMINATED"]
    words = describe_grid(grid)
    assert words.startswith("ResultGrid of 2 trials: ") and words.endswith(".best.config: {'a': 2}")

    assert "★ Best: score 12" in of_cell.shown
    with pytest.raises(UsageError, match="--show: no search 9999"):
        lab.run("%ray_tune 9999 --show")


def test_an_experiment_is_not_overwritten_by_another_of_its_name(lab: Shell, of_cell: Search) -> None:
    lab.run(f"base = 10; storage = {str(of_cell.storage)!r}")
    with pytest.raises(
        UsageError, match="holds an experiment already; --resume goes on with it, or choose another name"
    ):
        search(lab, "--space a=3 --name mine --into second", CELL)
    search(lab, "--resume --name mine --into second", CELL)
    assert sorted(one.config["a"] for one in lab.ns["second"]) == [1, 2] == [one.config["a"] for one in of_cell.grid]


def test_a_trainable_class_runs_until_it_is_to_stop(lab: Shell, capsys: Capsys) -> None:
    lab.run(
        "from ray import tune\nclass Steps(tune.Trainable):\n    def setup(self, config):\n        self.x = config['x']\n"
        "    def step(self):\n        return {'value': 6 / self.x * self.iteration}\n"
        "    def save_checkpoint(self, folder):\n        return {'x': self.x}"
    )
    grid = search(lab, 'Steps --space "x=3" --stop training_iteration=4')
    assert grid[0].metrics["training_iteration"] == 4 and grid[0].metrics["value"] == 6 and grid[0].checkpoint
    capsys.readouterr()
    search(lab, "Steps --space x=3 --dry-run")
    assert "class Steps(tune.Trainable):" in capsys.readouterr().out
    with pytest.raises(ZeroDivisionError) as found:
        search(lab, "Steps --space x=0")
    shown = found.value._render_traceback_()
    assert len(shown) < 15 and any("return {'value': 6 / self.x" in line for line in shown)
    assert lab.ns["Steps"].default_resource_request.__qualname__.startswith("Trainable")


def test_a_wrapped_function_keeps_its_resources_and_logs_no_checkpoints() -> None:
    from ray import tune

    def scaled(config: dict[str, int]) -> int:
        return config["x"] * 2

    mine = tune.with_resources(scaled, {"cpu": 2})
    trial = _quiet(mine)
    before = logging.getLogger("ray.train").level
    try:
        assert trial._resources is mine._resources and trial.__name__ == "scaled"
        assert trial is not mine and trial({"x": 3}) == 6
        assert logging.getLogger("ray.train").level == logging.WARNING
    finally:
        logging.getLogger("ray.train").setLevel(before)


def test_the_script_draws_the_same_configurations(
    lab: Shell, capsys: Capsys, tmp_path: Path, plain_python: Callable[[Path], str]
) -> None:
    lab.run("def train(config):\n    return config['a'] + config['n']")
    line = 'train --space "a=uniform(0, 1)" "n=randint(0, 100)" --metric loss --mode min --num-samples 3 --seed 5'
    line = f"{line} {IN_TURN}"
    capsys.readouterr()
    search(lab, f"{line} --dry-run --into found")
    script = capsys.readouterr().out.partition("\n\n")[2]
    assert "ray_magics" not in script
    (tmp_path / "script.py").write_text(script + "print(sorted(str(one.config) for one in found))\n")
    printed = plain_python(tmp_path / "script.py")
    grid = search(lab, line)
    assert str(sorted(str(one.config) for one in grid)) in printed


def test_the_script_of_a_cell_gives_what_the_cell_gives(
    lab: Shell, capsys: Capsys, tmp_path: Path, plain_python: Callable[[Path], str]
) -> None:
    lab.run("from ray import tune\nbase = 2\nfactors = [1, 2]")
    cell = "from __future__ import annotations\nimport asyncio\nfrom math import *\nawait asyncio.sleep(0)\n"
    cell += "base: Unknown = base + floor(config['a'])\nbase"
    line = '--space "a=grid_search([0, 1])" --metric loss --mode min --into found --stop "lambda name, r: r[\'loss\'] > 9" '
    line += (
        f"--scheduler \"pbt(hyperparam_mutations={{'a': tune.choice(factors)}}, perturbation_interval=5)\" {IN_TURN}"
    )
    capsys.readouterr()
    search(lab, f"{line} --dry-run", cell)
    script = capsys.readouterr().out.partition("\n\n")[2]
    assert "object at 0x" not in script
    (tmp_path / "script.py").write_text(script + "print(sorted(one.metrics['loss'] for one in found))\n")
    printed = plain_python(tmp_path / "script.py")
    assert "[2, 3]" in printed, printed


def test_failed_trials_show_their_line_and_the_others_go_on(lab: Shell) -> None:
    lab.run(
        "def train(config):\n    if config['x'] == 2:\n        raise KeyError('lost')\n"
        "    return [{'loss': 1}, {'other': 1}, {}, {1: 2}][config['x']]"
    )
    grid = search(lab, f'train --space "x=grid_search([0, 1, 2, 3])" --metric loss --mode min {IN_TURN}')
    assert grid.num_errors == 2 and grid.best.config == {"x": 0}
    (run,) = registry.runs()[-1:]
    assert run.state == "finished" and run.note == "2 trials failed; the first, trial 2: KeyError: 'lost'"
    errors = [row["error"] for row in run.status().rows]
    assert errors[:2] == ["", ""] and errors[3].startswith("TypeError: a report has names for keys, not 1")
    assert re.search(r"KeyError: 'lost'\nCell In\[\d+\], line 3: raise KeyError\('lost'\)", errors[2])


def test_when_all_fail_the_cell_fails_with_the_users_error(lab: Shell) -> None:
    lab.run("def train(config):\n    y = 0\n    return 1 / y")
    with pytest.raises(ZeroDivisionError) as found:
        search(lab, 'train --space "x=grid_search([1, 2])" --metric loss --mode min --into grid')
    assert isinstance(found.value, RemoteError)
    shown = found.value._render_traceback_()
    assert len(shown) < 15 and any("return 1 / y" in line for line in shown)
    assert "all 2 trials failed" in shown[0] and lab.ns["grid"].num_errors == 2


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (
            "tune.report({'loss': 1, 'acc': 2})",
            '--metric los: the trials report "loss", "acc", not "los"; did you mean',
        ),
        ("pass", "--metric los: no trial reported anything"),
    ],
    ids=["another name", "nothing"],
)
def test_a_metric_that_is_never_reported_is_told(lab: Shell, body: str, wrong: str) -> None:
    with pytest.raises(RayMagicsError) as found:
        search(lab, "--metric los --mode min", body)
    assert str(found.value).replace('"acc", "loss"', '"loss", "acc"').startswith(wrong)


def test_a_storage_that_cannot_be_made_is_one_line(lab: Shell, tmp_path: Path) -> None:
    lab.run("def train(config):\n    return {'a': 1}")
    with pytest.raises(UsageError, match="--storage-path"):
        lab.run("%ray_tune train --storage-path /proc/nowhere")


def test_what_the_cluster_never_has_is_told_at_once(lab: Shell) -> None:
    lab.run("def train(config):\n    return {'a': 1}")
    with pytest.raises(UsageError, match="No GPU in this cluster"):
        lab.run("%ray_tune train --num-gpus 1")


def test_an_unpicklable_capture_is_named(lab: Shell) -> None:
    lab.run("rows = (row for row in [1])\ndef train(config):\n    return {'a': next(rows)}")
    with pytest.raises(UsageError, match='Cannot ship "rows"'):
        search(lab, "train")


def test_trials_are_stopped_paused_and_resumed_while_the_others_go_on(lab: Shell) -> None:
    lab.run(ENDLESS)
    run = search(lab, 'endless --space "x=grid_search([1, 2])" --metric loss --mode min --background --into grid')
    wait_until(lambda: run.table.running == 2 and all(t.iterations for t in run.table.trials.values()), 90)
    first, second = run.table.trials

    def command(action: str, part: str) -> dict[str, Any]:
        return registry.command({"action": action, "run": run.id, "part": part})

    assert command("pause", first) == {"status": "ok"} and run.table.trials[first].how in ("asked", "held")
    wait_until(lambda: run.table.trials[first].how == "held", 90)
    assert run.table.trials[first].state == "PAUSED"
    assert command("stop", second) == {"status": "ok"}
    wait_until(lambda: run.table.trials[second].state == "TERMINATED", 30)
    assert run.table.trials[second].how == "stopped" and run.live
    wait_until(lambda: "paused; resume or stop it" in run.status().why, 30)
    assert run.status().rate is None  # nothing has ended but by hand
    assert command("resume", first) == {"status": "ok"}
    wait_until(lambda: run.table.trials[first].state == "RUNNING", 90)
    assert command("stop", second)["message"] == "this trial is over"
    assert command("eat", first)["message"].startswith("a search knows stop")
    run.stop_trial(0)
    assert run.wait(60) and run.state == "finished" and len(lab.ns["grid"]) == 2


def test_a_resumed_trial_goes_on_while_others_wait_to_begin(lab: Shell) -> None:
    lab.run(ENDLESS)
    run = search(lab, 'endless --space "x=grid_search([1, 2, 3])" --metric loss --mode min --background')
    wait_until(lambda: run.table.running == 2 and len(run.table.trials) == 3, 90)
    first, second, third = run.table.trials
    run.pause_trial(first)
    wait_until(lambda: run.table.trials[third].state == "RUNNING", 90)
    run.resume_trial(first)
    run.stop_trial(second)
    wait_until(lambda: run.table.trials[first].state == "RUNNING", 90)
    run.stop()
    assert run.wait(60)


def test_a_stopped_search_keeps_its_results_and_goes_on(lab: Shell, tmp_path: Path) -> None:
    lab.run(f"gate = {str(tmp_path / 'gate')!r}\n{GATED}")
    line = f'gated --space "x=grid_search([1, 2])" --metric loss --mode min {IN_TURN}'
    run = search(lab, f"{line} --background --into part")
    wait_until(
        lambda: run.table.done == 1 and run.table.trials and list(run.table.trials.values())[-1].iterations > 2, 90
    )
    run.stop()
    with pytest.raises(
        RunCancelled, match=r"1 of 2 trials had ended; all that was reported is kept in part, and --resume"
    ):
        run.result(60)
    assert len(lab.ns["part"]) == 2 and lab.ns["part"].best.config["x"] == 1
    (tmp_path / "gate").touch()
    search(lab, f"{line} --resume --into whole")
    (again,) = registry.runs()[-1:]
    assert again.path == run.path and [one.metrics["training_iteration"] for one in lab.ns["whole"]] == [12, 12]
    assert all(len(trial.curve) == 12 for trial in again.table.trials.values())


def test_a_report_that_tune_breaks_over_leaves_what_there_is(lab: Shell) -> None:
    lab.run(
        "from ray import tune\ndef train(config):\n"
        "    tune.report({'loss': 1} if config['x'] == 1 else {'loss': 1, 'training_iteration': 'abc'})"
    )
    line = 'train --space "x=grid_search([1, 2, 3])" --metric loss --mode min --into part'
    line = f"{line} {IN_TURN}"
    with pytest.raises(RayMagicsError, match="Ray Tune ended the search: "):
        search(lab, line)
    (run,) = registry.runs()[-1:]
    assert lab.ns["part"].best.config == {"x": 1}
    assert run.table.done == 1 and [trial.state for trial in run.table.trials.values()][2:] in ([], ["PENDING"])


def test_the_python_function_searches_too(lab: Shell) -> None:
    import ray_magics

    lab.run("def train(config):\n    return {'loss': config['x']}")
    grid = ray_magics.tune(
        lab.ns["train"], namespace=lab.ns, space={"x": {"grid_search": [3, 1]}}, metric="loss", mode="min",
        num_cpus=0.1, max_concurrent_trials=1, reuse_actors=True, storage_path=lab.ns["storage"],
    )  # fmt: skip
    assert grid.best.config == {"x": 1}
    with pytest.raises(TypeError, match="no option 'nonsense'"):
        ray_magics.tune(lab.ns["train"], namespace=lab.ns, nonsense=1)
