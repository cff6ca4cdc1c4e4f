"""A dataset in a page: its card, with a button that executes what its first rows need, and shows them."""

from __future__ import annotations

import itertools
import threading
import weakref
from dataclasses import replace
from typing import Any

from IPython.core.getipython import get_ipython

from ... import connection, kernel
from ...cell.source import CellSource
from ...run.registry import registry
from ...views.card import Action, Button, Card, Section, Text
from ...views.show import DisplayHandle, RunView, bundle, has_widgets, retain_view
from .card import data_card
from .failures import data_error
from .preview import Rows, dataset_card
from .run import DataRun

ROWS = 10  # that the button shows
COMMANDS = "data"  # what stands for a run in the commands of its button
_views: dict[str, DatasetView] = {}
_numbers = itertools.count(1)


def dataset_bundle(dataset: Any, name: str, rows: Rows, cell_source: CellSource) -> dict[str, str]:
    """Its card as HTML and text; where a page shows the cell, the page adds the button, if there are no rows yet."""
    if rows is not None or not cell_source.cell_id or not has_widgets():
        return bundle(dataset_card(dataset, name, rows))
    return DatasetView(dataset, name, cell_source).widget.still_bundle()


def command(action: str, part: str) -> str:
    """Carries out what the button asks; returns what is wrong with that, "" if nothing."""
    if action != "show":
        return "unknown command"
    view = _views.get(part)
    return view.take_rows() if view is not None else "This view is too old: run its cell again."


class DatasetView(DisplayHandle):
    """The card of a dataset, which it does not keep alive."""

    def __init__(self, dataset: Any, name: str, cell_source: CellSource) -> None:
        from ...views.widget import LiveView

        shell: Any = get_ipython()
        self.key = str(next(_numbers))
        self.dataset = weakref.ref(dataset)
        self.name, self.cell_source = name, cell_source
        self.namespace, self.parent = shell.user_ns, kernel.parent_message(shell)
        self.card = dataset_card(dataset, name)
        self.asking = threading.Lock()
        self.widget = LiveView(self._with(self._button()), registry.command, still=True)
        _views[self.key] = self
        retain_view("", self)

    def close(self) -> None:
        _views.pop(self.key, None)
        self.widget.close()

    freeze = close

    def take_rows(self) -> str:
        """Begins to; returns what is wrong with that, "" if nothing."""
        dataset = self.dataset()
        if dataset is None:
            return "The dataset is gone: run its cell again."
        if not connection.is_up():
            return "Ray is not connected any more: run the cell again."
        if self.asking.acquire(blocking=False):
            threading.Thread(target=self._take_rows, args=(dataset,), name="ray_magics-rows", daemon=True).start()
        return ""

    def _take_rows(self, dataset: Any) -> None:
        name = f"{ROWS} rows of {self.name}" if self.name else f"{ROWS} rows"
        run = DataRun(name, self.cell_source.cell_id, parent=self.parent)
        try:
            run.launch(RunView(data_card, quiet=True))
            stop = Button("Stop", Action("stop", run.id))
            self.widget.update(self._with(Text(f"Executing what the first {ROWS} rows need …", "notice"), stop))
            with run.current():
                rows = list(dataset.limit(ROWS).iter_rows())
            run.consumer_ends()
            self.widget.update(dataset_card(dataset, self.name, rows))
        except BaseException as error:
            short = data_error(error, self.namespace, self.cell_source.label)
            run.consumer_ends(error=error)
            text = _lines(short) if run.stopping.asked_at is None else run.stopped_text
            self.widget.update(self._with(Text(text, "error"), self._button()))
        finally:
            self.asking.release()

    def _button(self) -> Button:
        return Button(f"Show {ROWS} rows", Action("show", COMMANDS, self.key))

    def _with(self, *more: Section) -> Card:
        return replace(self.card, sections=(*self.card.sections, *more))


def _lines(error: BaseException) -> str:
    """The error as a cell would show it."""
    render = getattr(error, "_render_traceback_", None)
    return "\n".join(render()) if render else f"{type(error).__name__}: {error}"
