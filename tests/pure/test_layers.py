"""Imports point down, never sideways between verbs; light modules stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ray_magics"
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
BELOW = {  # what each layer may import beside itself; those that are not named here are on top
    "worker": (),
    "kernel": (),
    "units": (),
    "resources": ("units",),
    "errors": ("worker",),
    "line": ("errors",),
    "cell": ("worker", "kernel", "errors"),
    "connection": ("resources",),
    "raylib": ("resources", "connection", "errors", "worker"),
    "ship": ("units", "worker", "errors", "line", "cell", "connection", "raylib"),
    "run": ("worker", "kernel", "resources", "errors", "line", "cell", "connection", "ship"),
    "views": ("units", "worker", "kernel", "errors", "line", "run"),
}
ON_TOP = ("registry", "__init__")
FORM = Path("verbs", "tune", "form")
CONTROLS = {FORM / f"{name}.py" for name in ("controls", "row", "settings", "line_view", "launch", "panel")}
DATA = Path("verbs", "data")
SHOWS = {DATA / "watch.py", DATA / "api.py", DATA / "dataset_view.py"}  # cells without a magic, programs, buttons
MAGICS = {path for path in FILES if path.name == "magic.py"} | {FORM / "launch.py", FORM / "panel.py", *SHOWS}
SHOWING = ("views.show", "views.widget", "views.html", "views.text")  # the rest is what a verb makes its card of


def imports(path: Path) -> list[tuple[str, bool]]:
    """(absolute module name, whether it is imported when the file is) of every import in a file."""
    tree = ast.parse((PACKAGE / path).read_text())
    package = ["ray_magics", *path.parts[:-1]]
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        or (isinstance(function, ast.If) and "TYPE_CHECKING" in ast.unparse(function.test))
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node not in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [module] if node.module else [f"{module}.{alias.name}" for alias in node.names]
            found += [(name, node not in inside) for name in names]
    return found


def layer_of(parts: list[str]) -> str:
    """``verbs.tune.plan`` -> ``verbs.tune``"""
    return ".".join(parts[: 2 if parts[0] == "verbs" else 1])


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_import_points_up_or_sideways(path: Path) -> None:
    own = layer_of(list(path.with_suffix("").parts))
    if own in ON_TOP:
        return
    for module, _ in imports(path):
        parts = module.split(".")[1:] if module.startswith("ray_magics") else []
        target = layer_of(parts) if parts else own
        if own.startswith("verbs"):
            to_the_record = path.name == "verb.py" and target == "registry"
            assert target == own or target in BELOW or to_the_record, f"{path} points up or sideways to {module}"
            makes_card = path.name in ("card.py", "poller.py", "preview.py") and ".".join(parts[:2]) not in SHOWING
            assert target != "views" or path in MAGICS or makes_card, f"{path}: only the magic layer shows"
        else:
            assert target == own or target in BELOW[own], f"{path} points up to {module}"


def imported_modules(path: Path) -> set[str]:
    """The modules of the package that a file imports, anywhere in it: ``"line.options"``."""
    modules = {".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in FILES}
    tree = ast.parse((PACKAGE / path).read_text())
    package = list(path.parts[:-1])
    targets = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
            targets |= {".".join([*base, alias.name]) for alias in node.names} | {".".join(base)}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ray_magics."):
            base = node.module.split(".")[1:]
            targets |= {".".join([*base, alias.name]) for alias in node.names} | {".".join(base)}
    return targets & modules - {module_name(path)}


def module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


OPENED_ELSEWHERE = ("run.run", "run.registry", "verbs.tune.form", "verbs.tune.magic")


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Lazy imports count, and those for type checkers alone."""
    graph = {module_name(path): imported_modules(path) for path in FILES if path.name != "__init__.py"}
    in_circles = {name for name in graph if name in reached(graph, name)}
    assert not {name for name in in_circles if not name.startswith(OPENED_ELSEWHERE)}


def reached(graph: dict[str, set[str]], start: str) -> set[str]:
    """The modules that `start` imports, and those that these import."""
    found: set[str] = set()
    left = list(graph[start])
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += graph.get(name, ())
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_heavy_things_are_imported_where_they_are_used(path: Path) -> None:
    heavy = {"ray", "torch", "pandas", "numpy", "matplotlib", "xxhash", "ipywidgets"}
    at_import = {module.split(".")[0] for module, top in imports(path) if top}
    assert not at_import & (heavy - ({"ipywidgets"} if path in CONTROLS else set()))


@pytest.mark.parametrize("path", [path for path in FILES if FORM in path.parents and path not in CONTROLS], ids=str)
def test_what_a_form_is_set_to_does_not_know_its_controls(path: Path) -> None:
    controls = {".".join(["ray_magics", *control.with_suffix("").parts]) for control in CONTROLS}
    widgets = {"ipywidgets", "anywidget", "traitlets", "IPython"}
    for module, _ in imports(path):
        assert module not in controls and module.split(".")[0] not in widgets, f"{path} imports {module}"


def test_the_modules_of_the_controls_exist() -> None:
    assert set(FILES) >= CONTROLS


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name in ("plan.py", "script.py", "status.py")], ids=str
)
def test_what_decides_does_not_know_ray(path: Path) -> None:
    assert all(not module.split(".")[0].startswith("ray") or module.startswith("ray_magics") or path.name == "script.py"
               for module, _ in imports(path))  # fmt: skip


def test_loading_the_extension_imports_no_ray_and_prints_nothing() -> None:
    program = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\nshell.run_line_magic('load_ext', 'ray_magics')\n"
        "heavy = {'ray', 'torch', 'pandas', 'numpy', 'anywidget', 'ipywidgets', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
