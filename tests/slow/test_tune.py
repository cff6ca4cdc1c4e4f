"""Searches whose properties the default tests check in another way, each on its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ray_magics.run.registry import registry
from tests.cluster.test_tune import search
from tests.conftest import Shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def lab(notebook: Shell, tmp_path: Path) -> Shell:
    notebook.run(f"storage = {str(tmp_path)!r}")
    return notebook


def test_a_failed_trial_shows_its_line_and_the_others_go_on(lab: Shell) -> None:
    lab.run("def train(config):\n    if config['x'] > 1:\n        raise KeyError('lost')\n    return {'loss': 1}")
    grid = search(lab, 'train --space "x=grid_search([1, 2])" --metric loss --mode min')
    assert grid.num_errors == 1 and grid.best.config == {"x": 1}
    (run,) = registry.runs()[-1:]
    assert run.state == "finished" and run.note == "1 trial failed; the first, trial 1: KeyError: 'lost'"
    (error,) = [row["error"] for row in run.status().rows if row["error"]]
    assert re.search(r"KeyError: 'lost'\nCell In\[\d+\], line 3: raise KeyError\('lost'\)", error)


def test_a_trial_that_returns_what_tune_would_break_over_fails_alone(lab: Shell) -> None:
    lab.run("def train(config):\n    return [{'loss': 1}, {1: 2}, {'pid': 3}, {'other': 1}][config['x']]")
    grid = search(lab, 'train --space "x=grid_search([0, 1, 2, 3])" --metric loss --mode min --max-concurrent-trials 1')
    (run,) = registry.runs()[-1:]
    errors = [trial.error.partition("\n")[0] for trial in run.table.trials.values()]
    assert errors == [
        "",
        "TypeError: a report has names for keys, not 1",
        "ValueError: a report cannot say 'pid', which Ray Tune says itself",
        "",
    ]
    assert grid.best.config == {"x": 0} and run.state == "finished"
