"""Example notebooks that take long to run; tests/kernel/test_examples.py looks at what is saved in them."""

from __future__ import annotations

import ast
import re

import pytest

from tests.kernel.test_examples import DATA, TUNE, Notebook, execute, tells_nothing_of_the_machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """tune.ipynb after such a run."""
    for package in ("torch", "xgboost", "optuna"):
        pytest.importorskip(package)
    return execute(TUNE, tmp_path_factory.mktemp("tune"))


def test_every_cell_of_the_search_runs(searched: Notebook) -> None:
    assert [cell.execution_count for cell in searched.code] == list(range(1, len(searched.code) + 1))
    assert not [cell.id for cell in searched.code if any(o.output_type == "error" for o in cell.outputs)]


def test_asha_saves_epochs_and_finds_as_good_a_network(searched: Notebook) -> None:
    (asha, good), (fifo, best) = re.findall(r": (\d+) epochs, best accuracy ([\d.]+)", searched.text("compare"))
    assert int(asha) < int(fifo) == 80 and float(good) > 0.9 and float(best) > 0.93


def test_a_search_is_saved_as_a_table(searched: Notebook) -> None:
    for cell in ("asha", "fifo", "optuna"):
        assert searched.mime_types(cell) == ["text/html"] and "★ Best" in searched.text(cell)
    assert "Stopped early" in searched.text("asha") and "8 of 8 trials" in searched.text("optuna")


def test_the_form_is_saved_as_the_line_that_it_stands_for(searched: Notebook) -> None:
    line = next(cell.source for cell in searched.code if cell.id == "form").replace(" --form", "")
    assert line in searched.text("form")


def test_a_trial_is_stopped_from_code(searched: Notebook) -> None:
    assert "ResultGrid of 2 trials" in searched.text("steer")
    assert "Stopped" in searched.text("background")


def test_the_script_of_a_search_is_plain_ray(searched: Notebook) -> None:
    script = searched.text("dry").partition("\n\n")[2]
    assert "ray_magics" not in script and "tuner.fit()" in ast.unparse(ast.parse(script))


def test_nothing_of_the_machine_comes_into_the_search(searched: Notebook) -> None:
    tells_nothing_of_the_machine(searched.content)


def test_the_example_of_datasets_runs_and_what_it_computes_is_right(tmp_path_factory: pytest.TempPathFactory) -> None:
    for package in ("torch", "polars", "PIL"):
        pytest.importorskip(package)
    ran = execute(DATA, tmp_path_factory.mktemp("data"))
    assert not [cell.id for cell in ran.code if any(o.output_type == "error" for o in cell.outputs)]
    accuracies = [float(line.split()[-1]) for line in ran.text("table").splitlines() if re.match(r"\d+ ", line)]
    assert len(accuracies) == 10 and min(accuracies) > 0.85
    assert "(200000, 195937)" in ran.text("counts") and "[image, 8 × 8]" in ran.text("preview")
    assert re.findall(r"East +48687 +15\.05", ran.text("sums")) and "Join" in ran.text("sums")
    assert "ray_magics" not in ran.text("script").partition("\n\n")[2]
