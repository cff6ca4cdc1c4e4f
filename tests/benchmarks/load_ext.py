"""``%load_ext ray_magics`` in a shell with all that a kernel has imported, against an extension that is empty."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.bench import Bench, show
from tests.benchmarks.measure import Row, Times, extra

EMPTY = "def load_ipython_extension(ip):\n    pass\n"
SCRIPT = """
import json, sys, time
import ipykernel.kernelapp
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
shell.run_cell("1 + 1")
began = time.perf_counter()
shell.run_line_magic("load_ext", sys.argv[1])
print(json.dumps({"seconds": time.perf_counter() - began, "ray": "ray" in sys.modules}))
"""


def run(bench: Bench) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "empty_extension.py").write_text(EMPTY)
        names = ("ray_magics", "empty_extension")
        loads = {name: [load(name, folder)] for name in names}
        for _ in range(bench.rounds(15, 5)):
            for name in names:
                loads[name].append(load(name, folder))
    ours, empty = (Times([one["seconds"] for one in loads[name][1:]]) for name in names)
    yield show(bench, extra("%load_ext ray_magics", ours, "an empty extension", empty, at_most=0.050))
    yield show(bench, no_ray([one["ray"] for one in loads["ray_magics"]]))


def load(extension: str, folder: str) -> dict[str, Any]:
    """Loads an extension in a fresh process, with compiled modules as an installed package has them."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, *sys.path]), "IPYTHONDIR": folder}
    env |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": os.path.join(folder, "compiled")}
    done = subprocess.run([sys.executable, "-c", SCRIPT, extension], env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def no_ray(imported: list[bool]) -> Row:
    text = "imported" if any(imported) else "not imported"
    return Row("  and Ray is", text, must="not imported", reached=not any(imported), facts={"ray": any(imported)})
