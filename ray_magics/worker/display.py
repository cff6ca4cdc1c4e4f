"""What a cell shows: figures, display(), IPython syntax."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from typing import Any

from .output import Sink
from .values import Namespace

HELPERS = ("display", "get_ipython", "_dh")
BACKEND = "ray_magics_figures"
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_BARS = "tqdm.notebook"
_sinks: list[Sink] = []


def represent(value: Any) -> dict[str, str]:
    """A value that cannot travel, as IPython would show it: MIME type -> text."""
    shown = {"text/plain": repr(value)[:10_000]}
    method = getattr(type(value), "_repr_html_", None)
    if callable(method):
        with contextlib.suppress(Exception):  # a broken repr of the user's own leaves the plain one
            shown["text/html"] = str(method(value))
    return shown


def prepare(sink: Sink, namespace: Namespace, needed: bool) -> None:
    """`display` and IPython syntax work where the cell needs them, or where a library has imported IPython."""
    if needed or "IPython" in sys.modules:
        with contextlib.suppress(ImportError):
            _stand_by(sink, namespace)


def _stand_by(sink: Sink, namespace: Namespace) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display
    from traitlets.config import Config

    if not InteractiveShell.initialized():
        config = {"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}}
        InteractiveShell.instance(config=Config(config))
    shell: Any = InteractiveShell.instance()
    shell.display_pub = _publisher(sink, shell)
    shell.user_ns = namespace
    shell.system = lambda command: _system(shell.var_expand(command, depth=1))
    shell.enable_gui = lambda gui=None: None
    namespace.update(get_ipython=lambda: shell, _dh=[os.getcwd()])
    namespace.setdefault("display", display)


def _publisher(sink: Sink, shell: Any) -> Any:
    from IPython.core.displaypub import DisplayPublisher

    class Publisher(DisplayPublisher):
        def publish(
            self,
            data: Any,
            metadata: Any = None,
            source: Any = None,
            *,
            transient: Any = None,
            update: Any = False,
            **_: Any,
        ) -> None:
            sink.display("update" if update else "display", _content(data, metadata, transient))

        def clear_output(self, wait: bool = False) -> None:
            sink.display("clear", {"wait": wait})

    return Publisher(parent=shell)


def _content(data: Any, metadata: Any = None, transient: Any = None) -> dict[str, Any]:
    """A widget is shown as text: what makes it live stays in this process, where no page finds it."""
    data = {kind: content for kind, content in data.items() if kind != WIDGET}
    return {"data": data, "metadata": metadata or {}, "transient": transient or {}}


def _system(command: str) -> None:
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, shell=True, text=True, errors="replace", **options) as process:
        for line in process.stdout or ():
            print(line, end="")


@contextlib.contextmanager
def figures(sink: Sink) -> Iterator[None]:
    """Figures that the cell shows or leaves open appear in the notebook as PNG; none stays open."""
    if "inline" in os.environ.get("MPLBACKEND", "inline"):
        os.environ["MPLBACKEND"] = f"module://{BACKEND}"
    if BackendFinder not in map(type, sys.meta_path):
        sys.meta_path.append(BackendFinder())
        sys.meta_path.insert(0, BarsFinder())
    _sinks.append(sink)
    try:
        yield
        show()
    finally:
        _sinks.pop()
        _close()


def show(*_: Any, **__: Any) -> None:
    """``plt.show()`` on a worker: every open figure is displayed once, then closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and _sinks:
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            _sinks[-1].display("display", _content({"image/png": _png(figure), "text/plain": repr(figure)}))
        _close()


def _png(figure: Any) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _close() -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


class BackendFinder:
    """Makes the module `BACKEND` when Matplotlib asks for it: the Agg backend, whose ``show()`` is ours."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name == BACKEND else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        module.FigureCanvas, module.show = FigureCanvasAgg, show


class BarsFinder:
    """Makes the module `WIDGET_BARS`: its bars are text on a worker, for a widget of a worker is found by no page."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name == WIDGET_BARS else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        from tqdm import std

        class Bar(std.tqdm):  # type: ignore[misc, type-arg, unused-ignore]
            def __init__(self, *args: Any, display: bool = True, **options: Any) -> None:
                super().__init__(*args, **options)

        def bars(*args: Any, **options: Any) -> Any:
            return Bar(range(*args), **options)

        Bar.__module__, Bar.__qualname__ = WIDGET_BARS, "tqdm_notebook"
        vars(module).update(tqdm=Bar, tqdm_notebook=Bar, trange=bars, tnrange=bars)
