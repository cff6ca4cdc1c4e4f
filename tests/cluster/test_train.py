"""``%%ray_train`` on a real cluster, in this process' own shell. A training takes Ray some ten seconds to begin."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

import ray_magics
from ray_magics.errors import RemoteError
from ray_magics.raylib.train import result_so_far
from ray_magics.run.registry import registry
from tests.conftest import Shell, wait_for_free_cpus

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.timeout(300)
SMALL = "--trainer xgboost --resources-per-worker \"{'CPU': 0.1}\""  # of the trainers the one that begins soonest

WITH_CHECKPOINTS = """%%ray_train {small} --num-workers 2 --storage-path {folder} --name run --into result --max-failures 1 --num-to-keep 2 --checkpoint-score-attribute score --checkpoint-score-order min
import os, signal, tempfile
rank = train.get_context().get_world_rank()
start = 0
if train.get_checkpoint():
    with train.get_checkpoint().as_directory() as saved:
        start = int(open(os.path.join(saved, "step")).read()) + 1
print("begins at", start, "with", factor, doubled(factor))
for step in range(start, 6):
    if start == 0 and step == 3:
        train.report({{"step": step, "score": 9.0, "nested": {{"x": rank}}}})  # what came before is taken in by now
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = None
        if rank == 0:
            with open(os.path.join(folder, "step"), "w") as file:
                file.write(str(step))
            checkpoint = Checkpoint.from_directory(folder)
        train.report({{"step": step, "score": abs(step - 1.0), "nested": {{"x": rank}}}}, checkpoint=checkpoint)
"""


def test_a_run_with_a_killed_worker_goes_on_from_its_checkpoint_and_keeps_all_reports(
    notebook: Shell, tmp_path: Path, capsys: Capture
) -> None:
    notebook.run("factor = 3\ndef doubled(x):\n    return 2 * x")
    before = os.getcwd()
    notebook.run(WITH_CHECKPOINTS.format(small=SMALL, folder=tmp_path))
    result, run = notebook.ns["result"], registry.runs()[-1]
    assert os.getcwd() == before
    history = result.history
    first = list(history[history["rank"] == 0]["step"])
    assert (
        first[:3] == [0, 1, 2] and first[-1] == 5 and len(first) >= 6
    )  # or one more, if Ray has taken in that of the kill
    assert set(history["rank"]) == {0, 1} and list(history[history["rank"] == 1]["nested/x"]) == [1] * len(first)
    with result.best_checkpoint.as_directory() as folder:
        assert Path(folder, "step").read_text() == "1"
    assert result.metrics["step"] == 5 and len(result.best_checkpoints) == 2
    status = run.status()
    assert (status.state, status.restarts, [worker.state for worker in status.ranks]) == (
        "finished",
        1,
        ["finished"] * 2,
    )
    assert "rank 1" in status.trouble and [one.kept for one in status.checkpoints].count(True) <= 3
    # what the killed worker printed in its last tenth of a second may be lost
    assert re.search(r"begins at [23] with 3 6", run.logs("rank 1"))
    assert result_so_far(str(tmp_path / "run")) is not None
    wait_for_free_cpus()

    with pytest.raises(UsageError, match="holds a run already; --resume goes on with it"):
        notebook.run(f"%%ray_train {SMALL} --storage-path {tmp_path} --name run\npass")
    with pytest.raises(UsageError, match="there is no run other in"):
        notebook.run(f"%%ray_train {SMALL} --storage-path {tmp_path} --name other --resume\npass")


def test_a_loop_that_raises_shows_its_line_and_rank_and_binds_what_there_is(notebook: Shell, tmp_path: Path) -> None:
    cell = f"""%%ray_train {SMALL} --num-workers 2 --storage-path {tmp_path} --into result
class BadBatch(Exception):
    pass
def go():
    train.report({{"a": 1}})
    if train.get_context().get_world_rank() == 1:
        raise BadBatch("shard 7")
    train.report({{"a": 2}})
"""
    with pytest.raises(RemoteError) as raised:
        notebook.run(cell)
    assert raised.value.item.startswith("rank 1") and str(raised.value) == "shard 7"
    assert any('raise BadBatch("shard 7")' in line for line in raised.value._render_traceback_())
    assert list(notebook.ns["result"].history["a"]) == [1, 1]
    assert "BadBatch" not in notebook.ns  # nothing but the result is bound
    wait_for_free_cpus()


def test_a_function_of_a_program_trains_with_its_config(notebook: Shell, tmp_path: Path) -> None:
    from ray import train as ray_train

    def loop(config: dict[str, Any]) -> dict[str, float]:
        ray_train.report({"lr": config["lr"], "bad": float("nan")})
        return {"lr": config["lr"] * 2}

    result = ray_magics.train(
        loop,
        trainer="xgboost",
        config={"lr": 0.5},
        resources_per_worker={"CPU": 0.1},
        storage_path=str(tmp_path),
    )
    assert (result.return_value, result.metrics["lr"]) == ({"lr": 1.0}, 0.5)
    assert result.checkpoint is None and result.best_checkpoint is None and result.history["bad"].isna().all()


# --- what ends before anything begins


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "--trainer xgboost --num-workers 99",
            "99 workers with CPU 1 each do not fit into this cluster, which has CPU 4",
        ),
        ("--trainer xgboost --use-gpu", "No GPU in this cluster"),
        ("--trainer xgboost --num-workers 4 --data train=lazy", "so none is left to make --data train"),
    ],
)
def test_what_the_cluster_cannot_do_is_refused_at_once(notebook: Shell, line: str, words: str) -> None:
    notebook.run("import ray\nlazy = ray.data.range(10).map(lambda row: row)")
    with pytest.raises(UsageError) as raised:
        notebook.run(f"%%ray_train {line}\npass")
    assert words in str(raised.value)


def test_the_column_to_predict_has_to_be_there(notebook: Shell) -> None:
    notebook.run("import ray\nds = ray.data.from_items([{'x': 1, 'target': 0}])")
    with pytest.raises(UsageError, match="did you mean target"):
        notebook.run("%ray_train --trainer xgboost --label targt --data train=ds")


def test_objectives_follow_the_labels(notebook: Shell) -> None:
    from ray.data import from_items

    from ray_magics.verbs.train.boosting import default_params

    def objective(*labels: Any) -> str:
        return default_params(from_items([{"y": label} for label in labels]), "y", "xgboost")["objective"]

    assert objective(0, 1, 1) == "binary:logistic" and objective(True, False) == "binary:logistic"
    assert objective(0, 1, 2) == "multi:softprob"
    assert objective(0.5, 1.0) == "reg:squarederror" and objective(3, 7, 200) == "reg:squarederror"


def test_nothing_of_a_training_is_a_run_of_datasets(notebook: Shell) -> None:
    from ray_magics.raylib.datasets import needs_tasks, quiet_copy

    notebook.run("import ray\nds = ray.data.range(10)\nmade = ds.map(lambda row: row).materialize()")
    assert needs_tasks(notebook.ns["ds"]) and not needs_tasks(notebook.ns["made"])
    copied = quiet_copy(notebook.ns["ds"])
    assert not copied.context.enable_progress_bars and notebook.ns["ds"].context.enable_progress_bars
    assert copied.count() == 10


def test_a_result_without_ours_is_printed_as_ray_does() -> None:
    from ray.train import Result

    from ray_magics.verbs.train.magic import print_result

    texts: list[str] = []
    printer = type("Printer", (), {"text": texts.append})
    print_result(Result(metrics=None, checkpoint=None, error=None, path="/x"), printer, False)
    assert texts[0].startswith("Result(")
