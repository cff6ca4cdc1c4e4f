"""The controls of one parameter."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
from ipywidgets import Layout

from ..space import BOUNDED_KINDS, CONSTANT, KINDS, LOG_KINDS
from .controls import Changed, ControlWithMessage, button, dropdown, text_box
from .parameter import EXPRESSION, LABELS, Parameter
from .picture import picture
from .row_problems import is_unfilled

KIND_NAMES = {
    **{f"{kind} · {'log' if kind in LOG_KINDS else 'linear'}": kind for kind in LABELS if kind in BOUNDED_KINDS},
    "randn · normal": "randn",
    "qrandn · normal, stepped": "qrandn",
    "choice · one of a list": "choice",
    "grid_search · each of a list": "grid_search",
    "sample_from · a function": "sample_from",
    "constant · the same for all": CONSTANT,
    "expression · Python": EXPRESSION,
}


class Row(ControlWithMessage):
    """One parameter: its name, the kind, the texts of this kind, a picture of the scale, a button to remove it.

    Attributes:
        texts: the text of each label that was shown so far; kinds share those of the same label.
    """

    def __init__(self, parameter: Parameter, changed: Changed, remove: Callable[[Row], None]) -> None:
        self.key = text_box("Name", parameter.key, "lr", flex="0 1 165px")
        self.kind = dropdown("Kind", KIND_NAMES, parameter.kind, flex="0 1 235px")
        self.texts: dict[str, widgets.Text] = {}
        self.picture = widgets.HTML(layout=Layout(flex="0 0 auto"))
        self.values = widgets.HBox(layout=Layout(flex="1 1 290px", min_width="0", flex_flow="row wrap"))
        self.remove = button("Remove", lambda: remove(self), layout=Layout(width="auto", flex="0 0 auto"))
        parts = [self.key, self.kind, self.values, self.remove]
        super().__init__(
            widgets.HBox(parts, layout=Layout(flex_flow="row wrap", align_items="flex-start")), changed, width="100%"
        )
        self.box.add_class("ray-magics-form-row")
        for label, value in zip(LABELS[parameter.kind], parameter.args, strict=False):
            self._text_of(label, value)
        self._arrange()
        self.key.observe(self.touch, "value")
        self.kind.observe(lambda _: self._change_kind(), "value")

    @property
    def parameter(self) -> Parameter:
        """What is set."""
        return Parameter(self.key.value, self.kind.value, tuple(self._text_of(label).value for label in self._labels()))

    def is_unfilled(self) -> bool:
        return is_unfilled(self.parameter)

    def draw(self) -> None:
        """The picture and the tooltip of what is set."""
        self.picture.value = picture(self.parameter)
        self.remove.tooltip = f"Remove {self.key.value}".strip()

    def _labels(self) -> tuple[str, ...]:
        """The base of a logarithm changes nothing that is drawn, so it has a text only where the line gave it."""
        return tuple(label for label in LABELS[self.kind.value] if label != "base" or label in self.texts)

    def _text_of(self, label: str, value: str = "") -> widgets.Text:
        if label not in self.texts:
            wide = label in ("value", "values", "function")
            layout = {"flex": "1 1 200px"} if wide else {"flex": "1 1 95px", "max_width": "170px"}
            self.texts[label] = text_box(label.capitalize(), value, **layout)
            self.texts[label].observe(self.touch, "value")
        return self.texts[label]

    def _change_kind(self) -> None:
        self._arrange()
        self.touch()

    def _arrange(self) -> None:
        """Shows the texts of the kind."""
        kind = self.kind.value
        texts = [self._text_of(label) for label in self._labels()]
        for widget, example in zip(texts, _examples(kind), strict=False):
            widget.placeholder = example
        self.values.children = [*texts, self.picture] if kind in BOUNDED_KINDS else texts


def _examples(kind: str) -> list[str]:
    if kind not in KINDS:
        return ["3 or 'adam'" if kind == CONSTANT else "a name or a formula"]
    example = KINDS[kind].example
    return [example] if len(LABELS[kind]) == 1 else example.split(", ")
