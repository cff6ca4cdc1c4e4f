"""Trainings that take long: the same weights as a plain script, a search over a loop, libraries that may be missing."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ray_magics.run.registry import registry
from tests.conftest import Shell, wait_for_free_cpus
from tests.kernel.test_examples import TRAIN, execute, tells_nothing_of_the_machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LOOP = """
import pickle, torch
torch.manual_seed(7)
model = prepare_model(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
for step in range(20):
    x = torch.randn(16, 4)
    loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    train.report({"loss": loss.item()})
with open("FILE", "wb") as file:
    pickle.dump([parameter.tolist() for parameter in model.parameters()], file)
"""


def test_the_weights_are_those_of_the_plain_script(
    notebook: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    line = f"--config \"{{'lr': 0.1}}\" --storage-path {tmp_path} --resources-per-worker \"{{'CPU': 0.1}}\""
    ours, plain = tmp_path / "ours.pkl", tmp_path / "plain.pkl"
    notebook.run(f"%%ray_train {line}\n{LOOP.replace('FILE', str(ours))}")
    capsys.readouterr()
    notebook.run(f"%%ray_train {line} --dry-run\n{LOOP.replace('FILE', str(plain))}")
    script = tmp_path / "script.py"
    script.write_text(capsys.readouterr().out.partition("\n\n")[2])
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path, timeout=300)
    assert pickle.loads(ours.read_bytes()) == pickle.loads(plain.read_bytes())


def test_a_search_over_a_loop_trains_with_workers_of_its_own(notebook: Shell, tmp_path: Path) -> None:
    notebook.run(
        "%%ray_train --trainer xgboost --num-workers 2 --dry-run\n"
        "def fit(config):\n"
        "    for step in range(3):\n"
        "        train.report({'loss': config['x'] * step, 'size': train.get_context().get_world_size()})\n"
        "    print('trained with', config['x'])"
    )
    line = f'fit --space "x=grid_search([1, 2, 3])" --metric loss --mode min --storage-path {tmp_path} --into grid'
    notebook.run(f"%ray_tune {line}")
    grid = notebook.ns["grid"]
    assert (len(grid), grid.num_errors, grid.best.config, grid.best.metrics["size"]) == (3, 0, {"x": 1}, 2)
    assert "trained with 3" in registry.runs()[-1].logs()
    wait_for_free_cpus(60)


def test_workers_may_become_more(notebook: Shell, tmp_path: Path) -> None:
    line = f"--trainer xgboost --num-workers 1:2 --storage-path {tmp_path} --into elastic"
    notebook.run(f"%%ray_train {line}\ntrain.report({{'size': train.get_context().get_world_size()}})")
    assert notebook.ns["elastic"].metrics["size"] in (1, 2)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_trees_are_boosted_without_a_loop(notebook: Shell, tmp_path: Path, library: str) -> None:
    pytest.importorskip(library)
    notebook.run(
        "from sklearn.datasets import load_breast_cancer\n"
        "table = load_breast_cancer(as_frame=True).frame\n"
        "table.columns = [name.replace(' ', '_') for name in table.columns]\n"
        "%ray_data a, b = from_pandas(table).train_test_split(test_size=0.25, shuffle=True, seed=0)"
    )
    line = f"--trainer {library} --label target --data train=a valid=b --num-workers 2 --storage-path {tmp_path}"
    notebook.run(f"%ray_train {line} --into trees")
    trees = notebook.ns["trees"]
    loss = next(value for name, value in trees.metrics.items() if name.startswith("valid"))
    assert loss < 0.3 and len(trees.history) == 40 and trees.best_checkpoint is not None


@pytest.mark.parametrize("form", ["loop", "fit"])
def test_tensorflow_trains_on_two_workers(notebook: Shell, tmp_path: Path, form: str) -> None:
    pytest.importorskip("tensorflow")
    if form == "fit":
        pytest.importorskip("tf_keras")
    cell = """
import numpy as np, tensorflow as tf
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = x.sum(1, keepdims=True)
strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.build((None, 4))
    FORM
train.report({"weights": float(sum(abs(w.numpy()).sum() for w in model.trainable_variables))})
"""
    forms = {
        "loop": "pass\nfor step in range(3):\n    with tf.GradientTape() as tape:\n"
        "        loss = tf.reduce_mean((model(x) - y) ** 2)\n    train.report({'loss': float(loss)})",
        "fit": "model.compile(loss='mse', optimizer='sgd')\nmodel.fit(x, y, epochs=2, verbose=0)",
    }
    environment = " --runtime-env \"{'env_vars': {'TF_USE_LEGACY_KERAS': '1'}}\"" if form == "fit" else ""
    line = f"--trainer tensorflow --num-workers 2 --storage-path {tmp_path} --into tf_result{environment}"
    notebook.run(f"%%ray_train {line}\n{cell.replace('FORM', forms[form])}")
    assert notebook.ns["tf_result"].metrics["weights"] > 0


def test_the_example_trains_resumes_and_predicts(tmp_path_factory: pytest.TempPathFactory) -> None:
    for package in ("torchvision", "xgboost"):
        pytest.importorskip(package)
    ran = execute(TRAIN, tmp_path_factory.mktemp("train"))
    assert not [cell.id for cell in ran.code if any(o.output_type == "error" for o in cell.outputs)]
    assert float(re.findall(r"accuracy ([\d.]+)", ran.text("predict"))[0]) > 0.8
    assert "Goes on from the last checkpoint" in ran.text("resume") and "(20, True)" in ran.text("booster")
    assert "2 of 2 trials" in ran.text("search") and "ray_magics" not in ran.text("script").partition("\n\n")[2]
    tells_nothing_of_the_machine(ran.content)
