"""The controls of the options of a search."""

from __future__ import annotations

import ipywidgets as widgets
from ipywidgets import Layout

from ....line.options import option_of
from ..algorithms import SCHEDULERS, SEARCHES
from ..options import LINE
from .controls import Changed, ControlWithMessage, dropdown, text_box
from .parameter import EXPRESSION

SETTINGS = {  # what stands before an option, and in it while it is empty
    "num_samples": ("Samples", "1"),
    "max_concurrent_trials": ("Trials at a time", "as many as fit"),
    "metric": ("Metric", "loss"),
    "mode": ("Mode", ""),
    "scheduler": ("Scheduler", ""),
    "search": ("Search", ""),
    "seed": ("Seed", "none"),
    "stop": ("Stop a trial at", "training_iteration=10"),
    "time_budget_s": ("Time budget, s", "none"),
    "num_cpus": ("CPUs per trial", "1"),
    "num_gpus": ("GPUs per trial", "0"),
    "storage_path": ("Storage path", "~/ray_results"),
    "name": ("Experiment", "trainable and time"),
    "into": ("Bind result to", "nothing"),
}
MODE_NAMES = {"—": "", "min · less is better": "min", "max · more is better": "max"}
EXAMPLES = {
    "asha": "max_t=20",
    "hyperband": "max_t=20",
    "pbt": "perturbation_interval=4",
    EXPRESSION: "a name of yours",
}
_LABEL_WIDTH = "8.5em"


class Setting(ControlWithMessage):
    """An option of the search as one control; `box` is the control, perhaps with more around it."""

    def __init__(self, name: str, control: widgets.Widget, changed: Changed, box: widgets.Widget | None = None) -> None:
        super().__init__(control if box is None else box, changed)
        self.control = control
        control.tooltip = LINE.options[option_of(name)].settings["help"]
        control.observe(self.touch, "value")

    @property
    def value(self) -> str:
        """The option as it stands on the line."""
        return str(self.control.value)


class AlgorithmSetting(Setting):
    """A short name with its parameters, or Python.

    Attributes:
        selected: the name that is chosen, "" for Ray's default.
        parameters_by_name: the parameters of each name that was chosen before.
    """

    def __init__(self, name: str, value: str, changed: Changed) -> None:
        self.default, *self.names = SCHEDULERS if name == "scheduler" else SEARCHES
        self.selected, parameters = self._split(value.strip())
        self.parameters_by_name = {self.selected: parameters}
        self.parameters = text_box("", parameters, width=_LABEL_WIDTH)
        names = {
            f"{self.default} · Ray's default": "",
            **{short: short for short in self.names},
            "other · Python": EXPRESSION,
        }
        control = dropdown(SETTINGS[name][0], names, self.selected, _LABEL_WIDTH)
        control.observe(lambda _: self._arrange(), "value")
        super().__init__(name, control, changed, widgets.VBox([control, self.parameters], layout=Layout(min_width="0")))
        self.parameters.observe(self.touch, "value")
        self._arrange()

    @property
    def value(self) -> str:
        short, parameters = str(self.control.value), str(self.parameters.value).strip()
        if short == EXPRESSION:
            return parameters
        return f"{short}({parameters})" if short and parameters else short

    def _split(self, text: str) -> tuple[str, str]:
        """``asha(max_t=20)`` -> ``("asha", "max_t=20")``; any other text goes with the last choice."""
        short, bracket, rest = text.partition("(")
        if text in ("", self.default):
            return "", ""
        if short not in self.names or (bracket and not rest.endswith(")")):
            return EXPRESSION, text
        return short, rest.removesuffix(")")

    def _arrange(self) -> None:
        """Shows the parameters of the choice; each choice keeps its own."""
        self.parameters_by_name[self.selected] = self.parameters.value
        self.selected = str(self.control.value)
        self.parameters.value = self.parameters_by_name.get(self.selected, "")
        self.parameters.description = "Python" if self.selected == EXPRESSION else "Parameters"
        self.parameters.placeholder = EXAMPLES.get(self.selected, "none")
        self.parameters.layout.display = "" if self.selected else "none"


def setting(name: str, value: str, changed: Changed) -> Setting:
    """The control of an option."""
    if name in ("scheduler", "search"):
        return AlgorithmSetting(name, value, changed)
    label, placeholder = SETTINGS[name]
    control = _mode(label, value) if name == "mode" else text_box(label, value, placeholder, _LABEL_WIDTH)
    return Setting(name, control, changed)


def _mode(label: str, value: str) -> widgets.Dropdown:
    """A text of the line that is no mode is a choice of its own."""
    other = {} if value in MODE_NAMES.values() else {value: value}
    return dropdown(label, {**MODE_NAMES, **other}, value, _LABEL_WIDTH)
