"""The view of a training as text and HTML."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ray_magics.verbs.train.card import train_card
from ray_magics.verbs.train.history import History
from ray_magics.verbs.train.status import CheckpointStatus, TrainStatus, WorkerStatus
from ray_magics.views.html import html
from ray_magics.views.text import text


def status(**changes: Any) -> TrainStatus:
    history = History()
    for step in range(1, 6):
        history.add(step, [{"loss": 1 / step, "hard": math.nan if step == 3 else 1.0}, {"loss": 2 / step, "hard": 2.0}])
    ranks = (
        WorkerStatus(0, "10.0.0.1", 4711, ("0",), "running", 5, 12.0, 300 * 2**20),
        WorkerStatus(1, "10.0.0.2", 4712, (), "failed", 4),
    )
    made = TrainStatus(
        "7", "In[3]", "ray_train", "running", 12.0, unit="report", total=None, done=5, phase="RUNNING",
        wanted="2", ranks=ranks, rows=history.rows(), best="b", scored_by="min loss", restarts=1,
        trouble="rank 1: the worker died", path="~/ray_results/x", speed=2.0,
        checkpoints=(CheckpointStatus("a", 1, 10, 1.0, kept=False), CheckpointStatus("b", 2, 2048, 0.5)),
    )  # fmt: skip
    return replace(made, **changes)


def test_text_has_workers_curves_and_checkpoints() -> None:
    shown = text(train_card(status()))
    assert "5 reports · 2 reports/s" in shown
    assert "now: trains · workers: 2 · best checkpoint by: min loss" in shown
    assert "started again: once (rank 1: the worker died)" in shown
    assert "■ Waits for other ranks, 12 s" in shown or "● Waits for other ranks, 12 s" in shown
    assert "✗ Failed" in shown and "300 MiB" in shown
    assert "hard: 1 report with NaN or infinity." in shown
    assert "b ★" in shown and "1 earlier checkpoint was not kept." in shown


@pytest.mark.parametrize("state", ["pending", "running", "stopping", "finished", "failed", "cancelled"])
def test_every_state_is_drawn(state: str) -> None:
    card = train_card(status(state=state))
    assert "In[3]" in text(card) and "<table" in html(card)


def test_before_the_first_report_there_are_no_curves() -> None:
    shown = text(train_card(status(state="pending", ranks=(), rows=(), checkpoints=(), phase="SCHEDULING", done=0)))
    assert "now: starts its workers" in shown and "Nothing was reported" not in shown


def test_foreign_names_are_text() -> None:
    history = History()
    history.add(0.0, [{"<script>alert(1)</script>": 1.0}])
    shown = html(train_card(status(rows=history.rows(), path="<img src=x onerror=alert(1)>")))
    assert "<script" not in shown and "<img" not in shown
