"""The form: all controls of a search, and the line that repeats what is set."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets as widgets
from IPython.core.getipython import get_ipython
from IPython.display import display
from ipywidgets import Layout

from ....line.options import option_of
from ....run.run import Run
from ....views.card import Card
from ....views.html import html
from ....views.show import DisplayHandle, close_views, retain_view
from ....views.text import text
from .controls import ControlWithMessage, button, close_all, heading
from .launch import Launch
from .line import arguments, to_line, to_text
from .line_view import LineView
from .parameter import Parameter
from .preview import Preview, preview
from .problems import problems
from .row import Row
from .settings import setting
from .state import SWITCHES, TEXTS, FormState

Start = Callable[[str, Any], Run]
NOTHING_TO_RUN = "Start has nothing to run yet: insert the cell, write one trial in it, and run it."


def show_form(state: FormState, namespace: dict[str, Any], start: Start, cell: str = "") -> None:
    """Shows controls for a search; the form that this cell showed before is closed, and its search stopped.

    `start(arguments, view)` starts the search that the text behind the magic's name describes.
    """
    close_views(cell)
    form = Form(state, namespace, start, cell)
    retain_view(cell, form)
    form.show()


class Form(DisplayHandle):
    """All controls, and the search that they started.

    Attributes:
        state: what is set.
        problems: what is wrong with it, by control; see `problems.problems`.
        preview: what of it is in the line.
        launch: the buttons, and the search.
    """

    def __init__(self, state: FormState, namespace: dict[str, Any], start: Start, cell: str = "") -> None:
        self.initial, self.namespace = state, namespace
        self.state, self.handle = state, None
        self.last_card: Card | None = None
        self.problems: dict[str, str] = {}
        self.preview = Preview(state)
        self.lock = threading.RLock()  # widgets may call from a thread, cells end on the main one
        self.title = ControlWithMessage(_title(state))
        first = (Parameter(),) if state.is_unwritten else ()
        self.rows = [self._row(parameter) for parameter in state.rows or first]
        self.row_list = widgets.VBox(layout=Layout(width="100%"))
        self.add = button("Add parameter", self._add, layout=Layout(width="auto", align_self="flex-start"))
        self.settings = {name: setting(name, getattr(state, name), self.refresh) for name in TEXTS}
        self.resume = widgets.Checkbox(state.resume, description="Go on with the last experiment", indent=False)
        self.resume.observe(lambda _: self.refresh(), "value")
        self.line = LineView(cell=cell)
        obstacle = NOTHING_TO_RUN if state.is_unwritten else ""
        self.launch = Launch(lambda view: start(arguments(self.state), view), self._check, self._ended, obstacle)
        self.root = self._layout()
        self.refresh()

    def show(self) -> None:
        """Displays it in the cell that runs."""
        self.handle = display(self._bundle(), raw=True, display_id=True)
        shell = get_ipython()
        if shell is not None:
            shell.events.register("post_run_cell", self._after_cell)

    def close(self) -> None:
        """Takes it away for good and stops its search."""
        shell = get_ipython()
        if shell is not None and self.handle is not None:
            with contextlib.suppress(ValueError):  # it was never shown in a cell
                shell.events.unregister("post_run_cell", self._after_cell)
        self.launch.stop()
        close_all(self.root)

    def freeze(self) -> None:
        """Leaves the line, and the end of its search, in place of the controls."""
        if self.handle is not None:
            self.handle.update(_still(self.preview.state, self.last_card), raw=True)
            self.close()
            self.handle = None

    def refresh(self) -> None:
        """Reads the controls, says what is wrong, and writes the line."""
        with self.lock:
            self.row_list.children = [row.box for row in self.rows]
            self.state = self._read()
            self.problems = problems(self.state, self.namespace)
            self.preview = preview(self.state, self.problems, self.namespace)
            self._show_problems()
            for row in self.rows:
                row.draw()
            self._show_line()
            self._enable()

    def _layout(self) -> widgets.VBox:
        columns = "repeat(auto-fit, minmax(min(100%, 300px), 1fr))"
        grid = widgets.GridBox(
            [*(option.box for option in self.settings.values()), self.resume],
            layout=Layout(width="100%", grid_template_columns=columns, grid_gap="0 16px"),
        )
        parts = [self.title.box, heading("Parameters"), self.row_list, self.add, heading("Search"), grid]
        parts += [
            heading("The cell" if self.state.is_unwritten else "The same as a line"),
            self.line,
            self.launch.buttons.box,
            self.launch.area,
        ]
        root = widgets.VBox(parts, layout=Layout(width="100%"))
        root.add_class("ray-magics-form")
        return root

    def _read(self) -> FormState:
        texts: dict[str, Any] = {name: option.value for name, option in self.settings.items()}
        rows = tuple(row.parameter for row in self.rows)
        return replace(self.initial, rows=rows, resume=bool(self.resume.value), **texts)

    def _show_problems(self) -> None:
        unsaid = ("trainable",) if self.state.is_unwritten else ()  # Start says it
        for name, control in self._controls().items():
            control.show_problem("" if name in unsaid else self.problems.get(name, ""))

    def _show_line(self) -> None:
        shown = self.preview.state
        self.line.text, self.line.note = to_text(shown), self.preview.note
        self.line.line = self.line.text if shown.is_unwritten else to_line(shown)

    def _enable(self) -> None:
        self.launch.enable(sum(control.is_wrong for control in self._controls().values()))

    def _check(self) -> bool:
        """Start was pressed: whatever is wrong is a mistake from now on."""
        for control in self._controls().values():
            control.is_submitted = True
        self.refresh()
        return not self.problems

    def _controls(self) -> dict[str, ControlWithMessage]:
        """By the names that `problems` uses."""
        rows = {f"row {number}": row for number, row in enumerate(self.rows)}
        return {"trainable": self.title, "line": self.launch.buttons, **self.settings, **rows}

    def _row(self, parameter: Parameter) -> Row:
        return Row(parameter, self.refresh, self._remove)

    def _add(self) -> None:
        self.rows.append(self._row(Parameter()))
        self.refresh()

    def _remove(self, row: Row) -> None:
        self.rows.remove(row)
        self.refresh()
        close_all(row.box)

    def _after_cell(self, *_: Any) -> None:
        """Another cell may have defined what was missing."""
        self.refresh()

    def _ended(self, card: Card) -> None:
        """The search is over; a saved notebook keeps its picture."""
        self.last_card = card
        if self.handle is not None:
            self.handle.update(self._bundle(), raw=True)
        with self.lock:
            self._enable()

    def _bundle(self) -> dict[str, Any]:
        bundle = self.root._repr_mimebundle_()
        return {**(bundle[0] if isinstance(bundle, tuple) else bundle), **_still(self.preview.state, self.last_card)}


def _still(state: FormState, card: Card | None) -> dict[str, str]:
    """What is seen where widgets are not drawn, as in a saved notebook: the line, and the search below it."""
    line = to_text(state)
    plain, page = line, f"<pre>{escape(line)}</pre>"
    if card is not None:
        plain, page = f"{line}\n\n{text(card)}", f"{page}{html(card)}"
    return {"text/plain": plain, "text/html": page}


def _title(state: FormState) -> widgets.HTML:
    what = "this cell" if state.cell is not None else f"<code>{escape(state.trainable)}</code>"
    what = "a new <code>%%ray_tune</code> cell" if state.is_unwritten else what
    switches = [name for name in SWITCHES if name != "resume" and getattr(state, name)]
    also = ", ".join(f"<code>{option_of(name)}</code>" for name in switches)
    return widgets.HTML(f"Search for the best configuration of {what}{also and f' with {also}'}")
