"""The parts that controls are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets as widgets
from ipywidgets import Layout

Changed = Callable[[], None]


class ControlWithMessage:
    """A control, and below it a message: a hint at what it needs, until a person has had a chance to give it.

    Attributes:
        box: both.
        message: "" while nothing is wrong.
        is_touched: whether the user has changed it.
        is_submitted: whether Start was pressed with it.
        is_wrong: whether the message is shown as that of a mistake.
    """

    def __init__(self, control: widgets.Widget, changed: Changed | None = None, **layout: Any) -> None:
        self.changed = changed
        self.alert = widgets.HTML(layout=Layout(display="none", margin="0"))
        self.box = widgets.VBox([control, self.alert], layout=Layout(**{"min_width": "0", **layout}))
        self.message = ""
        self.is_touched = self.is_submitted = self.is_wrong = False

    def touch(self, *_: Any) -> None:
        """The user has changed it."""
        self.is_touched = True
        if self.changed is not None:
            self.changed()

    def show_problem(self, problem: str) -> None:
        """Shows what it lacks as a hint, and as a mistake once the user has made it."""
        self.show_message(problem, self.is_submitted or (self.is_touched and not self.is_unfilled()))

    def is_unfilled(self) -> bool:
        """Whether all that is wrong is that the user has not finished typing."""
        return False

    def show_message(self, message: str, wrong: bool = True) -> None:
        """Shows the message; nothing if it is empty."""
        alert = f'<div class="ray-magics-form-wrong" role="alert">⚠ {escape(message)}</div>'
        hint = f'<div class="ray-magics-form-hint">{escape(message)}</div>'
        self.message, self.is_wrong = message, wrong and bool(message)
        self.alert.value = "" if not message else alert if wrong else hint
        self.alert.layout.display = "" if message else "none"


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
    widget = widgets.Button(description=label, **settings)
    widget.on_click(lambda _: on_click())
    return widget


def heading(title: str) -> widgets.HTML:
    """The title of a part of the form."""
    return widgets.HTML(f"<h4>{title}</h4>")


def close_all(widget: widgets.Widget) -> None:
    """Closes a widget and all that is in it."""
    children = getattr(widget, "children", ())
    widget.close()
    for child in children:
        close_all(child)
