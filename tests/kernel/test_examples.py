"""The example notebooks run from top to bottom, and what is saved in them tells nothing of a machine."""

from __future__ import annotations

import ast
import os
import re
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from ray_magics.registry import find_verbs

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

pytestmark = pytest.mark.timeout(900)
EXAMPLES = Path(__file__).parents[2] / "examples"
QUICKSTART, TUNE, SERVE, DATA, TRAIN = (
    EXAMPLES / f"{name}.ipynb" for name in ("quickstart", "tune", "serve", "data", "train")
)
LESSONS = sorted((EXAMPLES / "lessons").glob("*.ipynb"))  # tests/slow/test_lessons.py runs them
SAVED = (QUICKSTART, TUNE, SERVE)
RAN = {QUICKSTART: "executed", SERVE: "served"}  # tests/slow/test_examples.py runs the search, which takes a minute


class Notebook:
    """A notebook, by the ids of its cells."""

    def __init__(self, content: Any) -> None:
        self.content = content
        self.code = [cell for cell in content.cells if cell.cell_type == "code"]

    def outputs(self, cell: str) -> list[Any]:
        return next(c.outputs for c in self.code if c.id == cell)

    def prompt(self, cell: str) -> int:
        """The number n of its In[n]."""
        return next(c.execution_count for c in self.code if c.id == cell)

    def text(self, cell: str) -> str:
        """What the cell printed, and its values as plain text."""
        return "\n".join(
            output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in self.outputs(cell)
        )

    def mime_types(self, cell: str) -> list[str]:
        """Of what the cell displayed, but for plain text."""
        return [kind for output in self.outputs(cell) for kind in output.get("data", {}) if kind != "text/plain"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """quickstart.ipynb after a run in an empty folder, on a cluster that it started itself."""
    return execute(QUICKSTART, tmp_path_factory.mktemp("quickstart"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """serve.ipynb after such a run; its addresses name Serve's own port, 8000."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8000)) == 0:
            pytest.skip("another program listens on port 8000")
    return execute(SERVE, tmp_path_factory.mktemp("serve"))


def execute(path: Path, folder: Path) -> Notebook:
    content = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        content,
        timeout=300,
        startup_timeout=120,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    began = time.monotonic()
    client.execute(env=_environment(folder))
    print(f"\n{path.name} took {time.monotonic() - began:.0f} s")
    return Notebook(content)


def _environment(folder: Path) -> dict[str, str]:
    """No cluster to find: neither that of the other tests nor a detached one of the user's."""
    kept = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    caches = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))  # Matplotlib's list of fonts, for one
    return {**kept, "RAY_MAGICS_RUNTIME_DIR": str(folder / "runtime"), "HOME": str(folder), "XDG_CACHE_HOME": caches}


def test_every_cell_runs_and_only_the_one_that_is_meant_to_fail_fails(executed: Notebook) -> None:
    assert [cell.execution_count for cell in executed.code] == list(range(1, len(executed.code) + 1))
    failed = [cell.id for cell in executed.code if any(o.output_type == "error" for o in cell.outputs)]
    assert failed == ["error"]


def test_the_search_finds_a_model_that_reads_98_digits_in_100(executed: Notebook) -> None:
    best = re.search(r"accuracy is ([\d.]+)", executed.text("table"))
    assert best and float(best[1]) > 0.98
    assert executed.mime_types("table") == ["text/html"]


def test_the_list_of_runs_tells_how_far_a_fan_out_came(executed: Notebook) -> None:
    assert "28 of 28 items" in executed.text("stop")


def test_a_figure_drawn_on_a_worker_is_in_the_cell_that_drew_it(executed: Notebook) -> None:
    assert "image/png" in executed.mime_types("figure")


def test_a_lazy_value_is_read_where_it_is(executed: Notebook) -> None:
    assert "(1797, 1797)" in executed.text("read")


def test_definitions_become_remote_functions_and_actors(executed: Notebook) -> None:
    assert "294" in executed.text("use")
    assert "(1, 12)" in executed.text("use")


def test_an_error_names_itself_and_shows_the_line_of_the_cell(executed: Notebook) -> None:
    error = executed.outputs("error")[-1]
    assert error.ename == "ZeroDivisionError"
    assert "len(digits.images) / len(blank)" in "\n".join(error.traceback)


def test_a_view_and_an_error_call_a_cell_by_the_number_of_its_prompt(executed: Notebook) -> None:
    number = executed.prompt("error")
    assert f"Cell In[{number}], line 3" in "\n".join(executed.outputs("error")[-1].traceback)
    assert f"In[{executed.prompt('background')}]" in executed.text("background")


def test_the_error_of_a_cell_can_be_caught(executed: Notebook) -> None:
    assert executed.text("catch") == "Caught: division by zero\n"


def test_a_stopped_run_says_that_it_is_cancelled(executed: Notebook) -> None:
    assert "Cancelled" in executed.text("background")
    assert "Cancelled" in executed.text("stop").splitlines()[2]  # below the number of runs and the headings


def test_the_script_that_dry_run_prints_is_plain_ray(executed: Notebook) -> None:
    script = executed.text("dry").partition("\n\n")[2]
    assert "ray_magics" not in script
    assert "ray.init()" in ast.unparse(ast.parse(script))


def test_shutting_down_says_what_it_stopped(executed: Notebook) -> None:
    assert "Stopped the Ray cluster" in executed.text("end")


@pytest.mark.slow
def test_every_cell_that_serves_runs_and_the_broken_one_fails(served: Notebook) -> None:
    assert [cell.execution_count for cell in served.code] == list(range(1, len(served.code) + 1))
    failed = [cell.id for cell in served.code if any(o.output_type == "error" for o in cell.outputs)]
    assert failed == ["broken"] and served.outputs("broken")[-1].ename == "FileNotFoundError"
    assert "200 {'digit': 2} | 422" in served.text("validated") and "largest batch" in served.text("batched")


@pytest.mark.slow
def test_an_update_under_load_loses_no_request(served: Notebook) -> None:
    counted = ast.literal_eval(served.text("counted"))
    assert set(counted) == {"one", "two"} and min(counted.values()) > 10


@pytest.mark.slow
def test_applications_are_saved_as_pictures_of_what_they_were(served: Notebook) -> None:
    ended = {"plain": "Replaced digits", "composed": "Not served digits", "batch": "Not served batches"}
    for cell, deployments in (("plain", ["Reader"]), ("composed", ["Front", "Scale"]), ("batch", ["Batches"])):
        assert served.mime_types(cell) == ["text/html"]
        assert all(name in served.text(cell) for name in deployments) and ended[cell] in served.text(cell)
        assert "this was seen at" in served.text(cell) and "Running" not in served.text(cell)


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_the_notebook_of_the_repository_is_saved_with_its_outputs(path: Path) -> None:
    saved = Notebook(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in saved.code] == list(range(1, len(saved.code) + 1))
    assert path == SERVE or "image/png" in saved.mime_types("figure")
    assert saved.content.metadata.kernelspec.name == "python3"
    assert all(set(cell.metadata) <= {"tags"} for cell in saved.content.cells)


@pytest.mark.parametrize("path", [*LESSONS, DATA], ids=lambda path: path.stem)
def test_a_lesson_is_saved_without_outputs(path: Path) -> None:
    saved = Notebook(nbformat.read(path, as_version=4))
    assert len(LESSONS) == 6 and [cell.id for cell in saved.code if cell.outputs or cell.execution_count] == []
    assert all(set(cell.metadata) <= {"tags"} for cell in saved.content.cells)
    tells_nothing_of_the_machine(saved.content)


@pytest.mark.parametrize("path", [TUNE, SERVE, DATA, *LESSONS], ids=lambda path: path.stem)
def test_every_line_of_the_notebook_is_one_that_the_magics_take(path: Path) -> None:
    content = nbformat.read(path, as_version=4)
    nbformat.validate(content)
    magics = {magic.name: magic for verb in find_verbs()[0] for magic in verb.magics}
    for cell in Notebook(content).code:
        ast.parse(TransformerManager().transform_cell(cell.source))
        for signs, name, line in re.findall(r"(%%?)(ray_\w+)(.*)", cell.source):
            assert magics[name].parse(line, is_cell=signs == "%%") is not None


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_nothing_of_the_machine_is_in_the_file(path: Path) -> None:
    tells_nothing_of_the_machine(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("path", [QUICKSTART, pytest.param(SERVE, marks=pytest.mark.slow)], ids=lambda path: path.stem)
def test_nothing_of_the_machine_comes_into_the_file(path: Path, request: pytest.FixtureRequest) -> None:
    tells_nothing_of_the_machine(request.getfixturevalue(RAN[path]).content)


def tells_nothing_of_the_machine(content: Any) -> None:
    text = re.sub(r'"image/png": "[^"]*"', "", nbformat.writes(content))
    folders = {str(Path.home()), tempfile.gettempdir(), sys.prefix, "/home/", "/Users/", "site-packages"}
    assert [folder for folder in folders if folder in text] == []
    assert {*re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)} <= {"127.0.0.1"}
    assert "widget-view" not in text and "widget-state" not in text
    token = Path.home() / ".ray" / "auth_token"
    assert not token.exists() or token.read_text().strip() not in text
