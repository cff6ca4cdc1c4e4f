"""The parts that controls are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets as widgets
from ipywidgets import Layout

Changed = Callable[[], None]


class Told:
    """A control with the sentence below it that says what is wrong."""

    def __init__(self, control: widgets.Widget, **layout: Any) -> None:
        self.sentence = widgets.HTML(layout=Layout(display="none", margin="0"))
        self.box = widgets.VBox([control, self.sentence], layout=Layout(**{"min_width": "0", **layout}))
        self.said = ""

    def say(self, sentence: str) -> None:
        """Shows the sentence; nothing if it is empty."""
        alert = f'<div class="ray-magics-form-wrong" role="alert">⚠ {escape(sentence)}</div>'
        self.said, self.sentence.value = sentence, alert if sentence else ""
        self.sentence.layout.display = "" if sentence else "none"


def text_box(label: str, value: str = "", placeholder: str = "", width: str = "auto", **layout: Any) -> widgets.Text:
    """A text; `width` is that of its label."""
    return widgets.Text(
        value=value,
        description=label,
        placeholder=placeholder,
        style={"description_width": width},
        layout=Layout(**{"width": "auto", "min_width": "0", **layout}),
    )


def dropdown(label: str, names: Mapping[str, str], value: str, width: str = "auto", **layout: Any) -> widgets.Dropdown:
    """A choice from values by their names; `width` is that of its label."""
    return widgets.Dropdown(
        options=list(names.items()),
        value=value,
        description=label,
        style={"description_width": width},
        layout=Layout(**{"width": "auto", "min_width": "0", **layout}),
    )


def button(label: str, on_click: Changed, **settings: Any) -> widgets.Button:
    """A button that calls `on_click`."""
    made = widgets.Button(description=label, **settings)
    made.on_click(lambda _: on_click())
    return made


def heading(words: str) -> widgets.HTML:
    """The title of a part of the form."""
    return widgets.HTML(f"<h4>{words}</h4>")


def close_all(widget: widgets.Widget) -> None:
    """Closes a widget and all that is in it."""
    children = getattr(widget, "children", ())
    widget.close()
    for child in children:
        close_all(child)
