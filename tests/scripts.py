"""The plain script of ``--dry-run`` as a file, with the values that its comments want saved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.conftest import Shell


def script_of(notebook: Shell, capsys: Any, cell: str, folder: Path) -> Path:
    """What `--dry-run` prints for the cell, as a file."""
    capsys.readouterr()
    head, newline, body = cell.partition("\n")
    notebook.run(f"{head} --dry-run{newline}{body}" if newline else re.sub(r"^(%\w+)", r"\1 --dry-run", head))
    script = capsys.readouterr().out.partition("\n\n")[2]
    assert "ray_magics" not in script
    _save_values(notebook, script, folder)
    (folder / "script.py").write_text(script)
    return folder / "script.py"


def _save_values(notebook: Shell, script: str, folder: Path) -> None:
    """Does what the comments of the script say: saves in the notebook what is too long for the script."""
    for line in re.findall(r"^# .*save it in the notebook: (.*)$", script, re.MULTILINE):
        notebook.run(line.replace("open('", f"open('{folder}/"))
