"""A training in a real kernel: interrupted, and nothing of Ray's own noise in its cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Kernel, wait_for_free_cpus

pytestmark = pytest.mark.timeout(300)
ENDLESS = """%%ray_train --trainer xgboost --num-workers 2 --resources-per-worker "{{'CPU': 0.1}}" --storage-path {folder} --into part
import os, tempfile, time
from pathlib import Path
for step in range(10_000):
    time.sleep(0.05)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "step").write_text(str(step))
        is_first = train.get_context().get_world_rank() == 0
        train.report({{"step": step}}, checkpoint=Checkpoint.from_directory(folder) if is_first else None)
    if step == 3:
        Path("{folder}/under_way").touch()
"""


def test_an_interrupted_training_fails_its_cell_and_keeps_its_last_checkpoint(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("import signal; handler = signal.getsignal(signal.SIGINT)")
    training = kernel.start(ENDLESS.format(folder=tmp_path))
    kernel.pump((tmp_path / "under_way").exists, 120)
    kernel.interrupt()
    kernel.finish(training, 60)
    assert training.error is not None and training.error["ename"] == "RunCancelled"
    assert "the last checkpoint is in part, and --resume goes on from it" in training.error["evalue"]
    assert int(kernel.value("int(part.history['step'].max())")) >= 3
    assert kernel.value("part.best_checkpoint is not None and part.checkpoint is not None") == "True"
    assert kernel.value("signal.getsignal(signal.SIGINT) is handler") == "True"
    assert training.texts("stderr") == "" and training.stdout == ""  # Ray's own lines, and prints of nobody
    wait_for_free_cpus(60)
