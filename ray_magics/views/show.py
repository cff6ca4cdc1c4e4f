"""Shows cards in a cell: nothing while it is quick, a live view while it lasts, still HTML at the end."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..line.settings import settings
from ..run.registry import registry
from ..run.status import RunStatus
from .card import Card
from .run_card import run_card

log = logging.getLogger(__name__)
_MOST_VIEWS = 50
_views: dict[str, DisplayHandle] = {}  # those that a page may still show, by the id of their cell


class RunView:
    """The view of one run: appears after `settings().view_after` seconds; at once if the run is in the background.

    `card` makes the document that is drawn of a status of the run.
    """

    def __init__(
        self,
        card: Callable[[Any], Card] = run_card,
        *,
        at_once: bool = False,
        quiet: bool = False,
        cell: str = "",
    ) -> None:
        self.card, self.cell, self.quiet, self.at_once = card, cell, quiet, at_once
        self.next_update = 0.0 if at_once else time.monotonic() + settings().view_after
        self.last_drawn: Card | None = None
        self.display: DisplayHandle | None = None
        self.drawing = threading.Lock()

    def offer(self, status: Callable[[], RunStatus]) -> float:
        """Draws what `status()` says if it is time to; returns seconds until the next time."""
        now = time.monotonic()
        if self.quiet:
            return 1.0
        if now >= self.next_update:
            self.next_update = now + 1 / settings().updates_per_second
            self._draw(self.card(status()))
        return max(self.next_update - now, 0.0)

    def close(self, status: RunStatus) -> None:
        """Draws the end, if anything was drawn before or workers have printed."""
        if self.quiet or (self.display is None and not status.workers):
            return
        card = self._last_card(status)
        with self.drawing:
            self.display = self.display or new_view(self.cell, card)
            self.display.finish(card)

    def _last_card(self, status: RunStatus) -> Card:
        """A cell that waits for its run prints the note or raises the error right below the view: not here, too."""
        return self.card(status if self.at_once else replace(status, note="", error=""))

    def _draw(self, card: Card) -> None:
        content = card.without_clock()
        if content == self.last_drawn:
            return
        self.last_drawn = content
        with self.drawing:
            if self.display is None:
                self.display = new_view(self.cell, card)
            else:
                self.display.update(card)


class DisplayHandle:
    """What is on the screen of a front end."""

    def update(self, card: Card) -> None:
        """Draws a newer card in its place."""

    def finish(self, card: Card) -> None:
        """Leaves the last card, still."""

    def close(self) -> None:
        """Frees what it holds in the kernel."""

    def freeze(self) -> None:
        """The user is done with the cluster: leaves what a saved notebook shows in place of controls."""


class TerminalDisplay(DisplayHandle):
    """One line that is rewritten, where somebody watches a terminal; the whole text at the end."""

    def __init__(self, card: Card) -> None:
        self.is_terminal = sys.stderr.isatty()
        self.update(card)

    def update(self, card: Card) -> None:
        from .text import text

        if self.is_terminal:
            line = " ".join(part.strip() for part in text(card).splitlines()[:2])
            sys.stderr.write(f"\r\x1b[2K{line[:110]}")
            sys.stderr.flush()

    def finish(self, card: Card) -> None:
        from .text import text

        if self.is_terminal:
            sys.stderr.write("\r\x1b[2K")
        print(text(card))


class HtmlDisplay(DisplayHandle):
    """HTML and text that are replaced, where widgets are missing."""

    def __init__(self, card: Card) -> None:
        from IPython.display import display

        self.handle = display(bundle(card), raw=True, display_id=True)

    def update(self, card: Card) -> None:
        self.handle.update(bundle(card), raw=True)

    finish = update


class WidgetDisplay(HtmlDisplay):
    """A widget while it lasts. The page may still show it after the end, so it is closed when its cell runs again."""

    def __init__(self, card: Card) -> None:
        from IPython.display import display

        from .widget import LiveView

        self.widget = LiveView(card, registry.command)
        self.handle = display(self.widget, display_id=True)

    def update(self, card: Card) -> None:
        self.widget.update(card)

    def finish(self, card: Card) -> None:
        self.widget.update(card)
        self.handle.update(self.widget.still_bundle(), raw=True)

    def close(self) -> None:
        self.widget.close()


@contextlib.contextmanager
def shown_meanwhile(card: Callable[[float], Card], failed: Callable[[float], Card]) -> Iterator[DisplayHandle]:
    """Shows `card` at once and then every second, for something that takes long and is no run.

    What is yielded shows the end, by its `finish`; both functions get the seconds that have passed.
    """
    began, over = time.monotonic(), threading.Event()
    display = TerminalDisplay(card(0.0)) if _display_class() is TerminalDisplay else HtmlDisplay(card(0.0))

    def follow() -> None:
        while not over.wait(1.0):
            display.update(card(time.monotonic() - began))

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(follow,), name="ray_magics-meanwhile", daemon=True
    )
    thread.start()
    try:
        yield display
    except BaseException:
        over.set()
        thread.join(1.0)
        display.finish(failed(time.monotonic() - began))
        raise
    finally:
        over.set()
        thread.join(1.0)


def bundle(card: Card) -> dict[str, str]:
    """A card for a saved notebook, without any widget."""
    from .html import html
    from .text import text

    return {"text/html": html(card), "text/plain": text(card)}


def new_view(cell: str, card: Card) -> DisplayHandle:
    """Draws a first card in the cell that runs on this thread, as well as the front end can."""
    close_views(cell)
    display = _display_class()(card)
    retain_view(cell, display)
    return display


def retain_view(cell: str, display: DisplayHandle) -> None:
    """Holds what a cell shows until that cell runs again."""
    _views[_key(cell, display)] = display
    while len(_views) > _MOST_VIEWS:
        _views.pop(next(iter(_views))).close()


def freeze_views() -> None:
    """Leaves controls that nobody will use any more as a saved notebook shows them."""
    for display in list(_views.values()):
        display.freeze()


def _key(cell: str, display: DisplayHandle) -> str:
    return cell or str(id(display))


def close_views(cell: str) -> None:
    """A cell that runs again replaces the view of its last run."""
    display = _views.pop(cell, None)
    if display is not None:
        display.close()


def has_widgets() -> bool:
    """Whether this kernel can have live views."""
    return _display_class() is WidgetDisplay


def _display_class() -> Callable[[Card], DisplayHandle]:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if getattr(shell, "kernel", None) is None:
        return TerminalDisplay
    try:
        import anywidget  # noqa: F401
    except ImportError as error:
        log.debug("no live views: %s", error)
        return HtmlDisplay
    return WidgetDisplay


class LiveFeed(DisplayHandle):
    """A view that lives on its own thread, as that of the cluster does: polled every `interval` seconds.

    It ends, still, when `is_live()` is False, and is closed when its cell runs again.
    """

    def __init__(
        self,
        poll: Callable[[], Card],
        is_live: Callable[[], bool],
        cell: str = "",
        interval: float = 1.0,
        display: DisplayHandle | None = None,
    ) -> None:
        self.poll, self.is_live, self.interval = poll, is_live, interval
        self.closed = threading.Event()
        self.card = poll()
        self.display = display or new_view(cell, self.card)
        if isinstance(self.display, TerminalDisplay):
            self.display.finish(self.card)
            return
        self.display.update(self.card)
        _views[_key(cell, self.display)] = self
        threading.Thread(target=self._run, name="ray_magics-feed", daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        self.display.close()

    def freeze(self) -> None:
        self.closed.set()
        self.display.finish(self.card)

    def _run(self) -> None:
        while self._goes_on():
            if self.closed.wait(self.interval):
                return
            before = self.card
            self._refresh()
            if self.card.without_clock() != before.without_clock():
                self.display.update(self.card)
        if not self.closed.is_set():
            self._refresh()
            self.display.finish(self.card)

    def _refresh(self) -> None:
        try:
            self.card = self.poll()
        except Exception as error:  # a busy cluster; the next poll may know more
            log.debug("a live view could not be refreshed: %r", error)

    def _goes_on(self) -> bool:
        try:
            return self.is_live()
        except Exception as error:
            log.debug("a live view could not ask whether it goes on: %r", error)
            return True


class LastingView(RunView):
    """The view of a run that, after its end, goes on as a LiveFeed of what the run has started."""

    def __init__(
        self, poll: Callable[[], Card], is_live: Callable[[], bool], interval: float = 1.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.poll, self.is_live, self.interval = poll, is_live, interval
        self.handed_over = False

    def close(self, status: RunStatus) -> None:
        if self.quiet or status.state != "finished":
            return super().close(status)
        with self.drawing:
            if not self.handed_over:
                self.handed_over = True
                LiveFeed(self.poll, self.is_live, self.cell, self.interval, self.display)
