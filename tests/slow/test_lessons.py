"""The lessons of the examples run from top to bottom, and what they compute is right."""

from __future__ import annotations

import ast
import re
import socket

import pytest

from tests.kernel.test_examples import LESSONS, Notebook, execute, tells_nothing_of_the_machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
FAILS = {"tasks_and_actors": ["error"], "stateful_actors": ["twice"]}  # the cells that are meant to
SAYS = {
    "tasks_and_actors": {"interval": "first five as before: True", "kept": "'n/a'    ValueError", "end": "Stopped"},
    "pandas_batch": {
        "after": "the same table as before: True",
        "same": "as computed in the notebook: True",
        "unchanged": "a new column: False",
        "incomes": "as before: True",
    },
    "pytorch_search": {"best": "the best configuration is"},
    "digits_service": {
        "ask": "as in the notebook: True",
        "batched": "as in the notebook: True",
        "updated": "{200: ",
        "delete": "404",
    },
    "xgboost_service": {"trained": "XGBRegressor", "changed": "one apartment: ", "end": "Stopped"},
    "stateful_actors": {
        "pooled": "as in the notebook: True",
        "add": "[1, 2, 3]",
        "counted": "[4, 5, 6] 7",
        "death": "another process: True\nit has forgotten: True",
        "plain": "the same again: True",
    },
}
SERVED = ("digits_service", "xgboost_service")
_lessons: dict[str, Notebook] = {}


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Notebook]:
    """Each one after its run."""
    name = request.param.stem
    if name in SERVED:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 8000)) == 0:
                pytest.skip("another program listens on port 8000")
    if name not in _lessons:
        _lessons[name] = execute(request.param, tmp_path_factory.mktemp(name))
    return name, _lessons[name]


def test_a_lesson_runs_and_says_what_is_true(lesson: tuple[str, Notebook]) -> None:
    name, ran = lesson
    assert [cell.execution_count for cell in ran.code] == list(range(1, len(ran.code) + 1))
    failed = [cell.id for cell in ran.code if any(o.output_type == "error" for o in cell.outputs)]
    assert failed == FAILS.get(name, [])
    assert {cell: said for cell, said in SAYS[name].items() if said not in ran.text(cell)} == {}
    for output in (one for cell in failed for one in ran.outputs(cell) if one.output_type == "error"):
        output.evalue = ""  # the text of a plain `ray.get` is Ray's own, with the path of the cell
    tells_nothing_of_the_machine(ran.content)


def test_a_lesson_ends_better_than_it_began(lesson: tuple[str, Notebook]) -> None:
    name, ran = lesson
    if name == "pytorch_search":
        by_hand, best = map(float, re.findall(r"(?:by hand|of the search) ([\d.]+\d)", ran.text("restore")))
        assert best > by_hand and best > 0.9 and "as the trial reported: True" in ran.text("restore")
    if name == "xgboost_service":
        final, first = map(float, re.findall(r"by (\d+)", ran.text("tested")))
        (rounded,) = map(int, re.findall(r"\d+", ran.text("changed")))
        assert final < first and rounded % 50 == 0
    if name == "tasks_and_actors":
        scores = ast.literal_eval(ran.text("use").partition("scores ")[2].strip())
        assert len(scores) == 3 and scores == sorted(scores, reverse=True)
