"""The script that ``--dry-run`` prints for each magic cell of the example notebooks runs under plain Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Shell
from tests.scripts import script_of

nbformat = pytest.importorskip("nbformat")
for package in ("sklearn", "matplotlib", "pandas"):
    pytest.importorskip(package)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
EXAMPLES = Path(__file__).parents[2] / "examples"
LEFT_OUT = {"load", "end", "background", "stop", "catch", "form", "steer"}  # they start, stop, steer, or have no script


def cells(name: str) -> Iterator[tuple[str, str]]:
    """(id, source) of the cells of an example."""
    for cell in nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type == "code" and cell.id not in LEFT_OUT:
            yield cell.id, cell.source


def without_dry_run(source: str) -> str:
    return source.replace(" --dry-run", "")


def test_the_scripts_of_the_quickstart_show_what_its_cells_show(
    notebook: Shell, capsys: pytest.CaptureFixture[str], tmp_path: Path, plain_python: Callable[[Path], str]
) -> None:
    notebook.run("import matplotlib; matplotlib.use('agg')")
    for cell, source in cells("quickstart"):
        if not source.startswith("%%ray_remote"):
            notebook.run(source)
            continue
        printed = plain_python(script_of(notebook, capsys, without_dry_run(source), tmp_path))
        if cell == "error":
            assert "ZeroDivisionError" in printed
            continue
        assert "Traceback" not in printed, (cell, printed)
        value = notebook.run(without_dry_run(source))
        assert value is None or "--into" in source or printed.split()[-1] == str(value), (cell, printed)


def test_the_scripts_of_searches_find_a_best_configuration(
    notebook: Shell, capsys: pytest.CaptureFixture[str], tmp_path: Path, plain_python: Callable[[Path], str]
) -> None:
    for package in ("torch", "xgboost", "optuna"):
        pytest.importorskip(package)
    for cell, source in cells("tune"):
        if "%ray_tune" not in source:
            if cell in ("data", "train", "cancer"):
                notebook.run(source)
        elif not source.startswith("run ="):
            script = script_of(notebook, capsys, without_dry_run(source), tmp_path)
            script.write_text(script.read_text().replace("RunConfig(", f"RunConfig(storage_path={str(tmp_path)!r}, "))
            printed = plain_python(script)
            assert re.search(r"^\{.*\}$", printed, re.MULTILINE) and "Traceback" not in printed, (cell, printed)


def test_the_scripts_of_applications_serve(
    lab: Shell, web: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, plain_python: Callable[[Path], str]
) -> None:
    for cell, source in cells("serve"):
        if cell == "model":
            lab.run(source)
        elif source.startswith("%%ray_serve") and cell != "broken":
            name = re.search(r"--name (\w+)", source)
            assert name is not None
            script = script_of(lab, capsys, without_dry_run(source), tmp_path)
            status = f"print(serve.status().applications[{name[1]!r}].status.value, 'now')"
            script.write_text(f"{script.read_text().replace(', blocking=True', '')}\n{status}\n")
            printed = plain_python(script)
            assert "RUNNING now" in printed, (cell, printed)
