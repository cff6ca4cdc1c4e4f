"""Start and Stop of a form, and the view of the search that it started."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
from IPython.core.getipython import get_ipython
from ipywidgets import Layout

from .... import connection
from ....errors import RunCancelled, UsageError
from ....kernel import on_main_thread
from ....run.registry import registry
from ....run.run import Run
from ....views.card import Card
from ....views.show import DisplayHandle, RunView
from ....views.widget import LiveView
from ..card import search_card
from .controls import ControlWithMessage, button

OnEnd = Callable[[Card], None]


class Launch:
    """The buttons, what is to be mended before, and below them the view of the search.

    Attributes:
        check: whether all that is set can run; called when Start is pressed.
        run: the last search that was started.
        mistakes: how many of them are shown.
        obstacle: why this form cannot start anything; "" if it can.
        buttons: Start and Stop, with the mistake of the line below them.
        area: where the view is.
    """

    def __init__(
        self, start: Callable[[RunView], Run], check: Callable[[], bool], on_end: OnEnd, obstacle: str = ""
    ) -> None:
        self.start, self.check, self.on_end, self.obstacle = start, check, on_end, obstacle
        self.run: Run | None = None
        self.mistakes = 0
        self.start_button = button("Start", self._start, button_style="primary", tooltip="Start the search")
        self.stop_button = button("Stop", self.stop, disabled=True, tooltip="Stop the search")
        self.hint = widgets.HTML(layout=Layout(margin="2px 8px"))
        parts = [self.start_button, self.stop_button, self.hint]
        layout = Layout(flex_flow="row wrap", align_items="center")
        self.buttons = ControlWithMessage(widgets.HBox(parts, layout=layout))
        self.area = widgets.VBox(layout=Layout(width="100%"))

    def enable(self, mistakes: int) -> None:
        """Makes the buttons fit the run and the number of mistakes that the form shows."""
        live = self.run is not None and self.run.live
        what = "mistake" if mistakes == 1 else "mistakes"
        self.mistakes = mistakes
        self.start_button.disabled = live or mistakes > 0 or bool(self.obstacle)
        self.hint.value = self.obstacle or (f"{mistakes} {what} above to mend first" if mistakes else "")
        self.stop_button.disabled = not live

    def stop(self) -> None:
        """Stops the search, if there is one."""
        if self.run is not None:
            self.run.stop(by="its form")

    def _start(self) -> None:
        if self.start_button.disabled or not self.check():
            return
        self.start_button.disabled, self.hint.value = True, "Starting …"
        if connection.is_up():
            self._begin()
        else:  # the thread of a click ends, and Linux ends the cluster with the thread that started it
            on_main_thread(get_ipython(), self._begin)

    def _begin(self) -> None:
        view = RunView(search_card, at_once=True)
        view.display = EmbeddedView(self.area, self.on_end)
        try:
            self.run = self.start(view)
        except (Exception, RunCancelled) as error:  # a callback has no cell in which an error could be seen
            self.enable(self.mistakes)
            self.buttons.show_message(_in_a_line(error))
        else:
            self.enable(self.mistakes)


class EmbeddedView(DisplayHandle):
    """The view of a search inside its form."""

    def __init__(self, area: widgets.VBox, on_end: OnEnd) -> None:
        self.area, self.on_end = area, on_end
        self.widget: LiveView | None = None

    def update(self, card: Card) -> None:
        if self.widget is not None:
            return self.widget.update(card)
        before = self.area.children
        self.widget = LiveView(card, registry.command)
        self.area.children = [self.widget]
        for widget in before:
            widget.close()

    def finish(self, card: Card) -> None:
        self.update(card)
        self.on_end(card)

    def close(self) -> None:
        if self.widget is not None:
            self.widget.close()


def _in_a_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, (UsageError, RunCancelled)) else f"{type(error).__name__}: {text}"
