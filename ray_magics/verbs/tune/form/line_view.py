"""The line of a form as a widget, which brings the style of the whole form along."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

_STATIC = Path(__file__).parents[3] / "static"


class LineView(anywidget.AnyWidget):
    """The line, with Copy, and where the page lets it, as in JupyterLab and Notebook 7, Insert as a cell.

    Attributes:
        line: what is shown.
        text: what is copied and inserted.
        note: what is set and not in it.
        cell: the id of the cell below which it is inserted.
    """

    _esm = _STATIC / "line_view.js"
    _css = _STATIC / "form.css"
    line = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)
    cell = traitlets.Unicode().tag(sync=True)
