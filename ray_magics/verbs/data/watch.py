"""Shows what datasets execute in any cell, also one without a magic."""

from __future__ import annotations

import logging
import sys
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ... import kernel
from ...line.settings import settings

if TYPE_CHECKING:
    from .execution import Execution
    from .run import DataRun

log = logging.getLogger(__name__)
CONTEXT = "ray.data.context"  # the module of Ray that is watched


class DatasetWatch:
    """What the notebook's datasets execute becomes a run of the cell that consumes them."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.run: DataRun | None = None
        self.is_on = False

    def set(self, on: bool) -> None:
        """Watches from the next execution on, or leaves logs and errors to Ray; Ray Data need not be imported yet."""
        self.is_on = on
        if not on and CONTEXT in sys.modules:
            from ...raylib.data import quiet_executions, unwatch_executions

            unwatch_executions()
            quiet_executions(False)
        elif on and CONTEXT in sys.modules:
            self._begin()
        elif on:
            _call_when_imported(CONTEXT, self._begin)

    def _begin(self) -> None:
        from ...raylib.data import quiet_executions, watch_executions
        from ...raylib.logs import print_worker_lines_in
        from ...raylib.remote import show_errors
        from .run import printing

        if not self.is_on or not watch_executions(self.begin):
            return
        has_views = kernel.kernel_of(self.shell) is not None
        quiet_executions(progress=has_views)
        show_errors(self._error_lines)
        if has_views:
            print_worker_lines_in(printing, "datasets")

    def _error_lines(self, error: BaseException) -> list[str] | None:
        from .failures import error_lines

        return error_lines(error, partial(kernel.cell_label, self.shell)) if self.is_on else None

    def begin(self, dataset: str) -> Execution | None:
        """An execution begins on this thread."""
        from .run import current_run

        run = current_run() or self._run_of_cell()
        return run.watch(dataset) if run is not None else None

    def _run_of_cell(self) -> DataRun | None:
        """That of the cell that runs now; None outside of cells, and where a terminal shows Ray's own bars."""
        from ...cell.source import cell_source_of
        from ...views.show import RunView
        from .card import data_card
        from .run import DataRun

        if kernel.kernel_of(self.shell) is None:
            return None
        if self.run is None or self.run.consumer_is_over or not self.run.live:
            cell_source = cell_source_of(self.shell, "", is_cell=True)
            run = DataRun(cell_source.name, cell_source.cell_id, parent=kernel.parent_message(self.shell))
            self.shell.events.register("post_run_cell", self._cell_is_over)
            run.launch(RunView(data_card, cell=cell_source.cell_id))
            self.run = run
        return self.run

    def _cell_is_over(self, result: Any) -> None:
        self.shell.events.unregister("post_run_cell", self._cell_is_over)
        run, self.run = self.run, None
        if run is not None:
            run.consumer_ends()
            run.over_soon()


class _WhenImported(MetaPathFinder):
    """Finds nothing by itself, but sees one module be imported."""

    def __init__(self, module: str, call: Any) -> None:
        self.module, self.call = module, call

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _CallingLoader(spec.loader, self.call)
        return spec


class _CallingLoader(Loader):
    """Loads as another loader does, and then calls."""

    def __init__(self, loader: Any, call: Any) -> None:
        self.loader, self.call = loader, call

    def create_module(self, spec: ModuleSpec) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self.loader.exec_module(module)
        module.__spec__.loader = module.__loader__ = self.loader
        try:
            self.call()
        except Exception as error:
            log.debug("%s cannot be watched: %r", module.__name__, error)


def _call_when_imported(module: str, call: Any) -> None:
    sys.meta_path.insert(0, _WhenImported(module, call))


_watches: dict[int, DatasetWatch] = {}


def watch_of(shell: Any) -> DatasetWatch:
    """The one of this shell."""
    if id(shell) not in _watches:
        _watches[id(shell)] = DatasetWatch(shell)
    return _watches[id(shell)]


def load(shell: Any) -> None:
    """Watches as long as the trait says so; from now on a dataset as the output of a cell shows its card."""
    shell.display_formatter.mimebundle_formatter.for_type_by_name(
        "ray.data.dataset", "Dataset", partial(_mimebundle, shell)
    )
    if id(shell) in _watches:
        return
    watch = watch_of(shell)
    watch.set(settings().watch_datasets)
    settings().observe(lambda change: watch.set(bool(change["new"])), "watch_datasets")


def _mimebundle(shell: Any, dataset: Any, include: Any = None, exclude: Any = None) -> dict[str, str]:
    from ...cell.source import cell_source_of
    from .dataset_view import dataset_bundle
    from .preview import rows_to_show

    names = (name for name, value in shell.user_ns.items() if value is dataset and not name.startswith("_"))
    cell_source = cell_source_of(shell, "", is_cell=True)
    return dataset_bundle(dataset, next(names, ""), rows_to_show(dataset), cell_source)
