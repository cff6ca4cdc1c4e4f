"""Shows statuses in a cell: nothing while it is quick, a live view while it lasts, still HTML at the end."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ..line.settings import settings
from ..run.registry import registry
from ..run.status import RunStatus
from .format import Snapshot as Snapshot

log = logging.getLogger(__name__)
_CLOCK_FIELDS = frozenset({"elapsed", "rate", "remaining", "time"})  # what the page counts on by itself
_MOST_VIEWS = 50
_views: dict[str, DisplayHandle] = {}  # those that a page may still show, by the id of their cell


class RunView:
    """The view of one run: appears after `settings().view_after` seconds; at once if the run is in the background."""

    def __init__(self, at_once: bool = False, quiet: bool = False, cell: str = "") -> None:
        self.cell, self.quiet, self.at_once = cell, quiet, at_once
        self.next_update = 0.0 if at_once else time.monotonic() + settings().view_after
        self.last_drawn: Snapshot = {}
        self.display: DisplayHandle | None = None
        self.drawing = threading.Lock()

    def offer(self, status: Callable[[], RunStatus]) -> float:
        """Draws what `status()` says if it is time to; returns seconds until the next time."""
        now = time.monotonic()
        if self.quiet:
            return 1.0
        if now >= self.next_update:
            self.next_update = now + 1 / settings().updates_per_second
            self._draw(status().to_json())
        return max(self.next_update - now, 0.0)

    def close(self, status: RunStatus) -> None:
        """Draws the end, if anything was drawn before or workers have printed."""
        if self.quiet or (self.display is None and not status.workers):
            return
        snapshot = self._last_snapshot(status)
        with self.drawing:
            self.display = self.display or new_view(self.cell, snapshot)
            self.display.finish(snapshot)

    def _last_snapshot(self, status: RunStatus) -> Snapshot:
        """A cell that waits for its run prints the note or raises the error right below the view: not here, too."""
        left_out = {} if self.at_once else {"note": "", "error": ""}
        return {**status.to_json(), **left_out}

    def _draw(self, snapshot: Snapshot) -> None:
        content = _without_clocks(snapshot)
        if content == self.last_drawn:
            return
        self.last_drawn = content
        with self.drawing:
            if self.display is None:
                self.display = new_view(self.cell, snapshot)
            else:
                self.display.update(snapshot)


class DisplayHandle:
    """What is on the screen of a front end."""

    def update(self, snapshot: Snapshot) -> None:
        """Draws a newer snapshot in its place."""

    def finish(self, snapshot: Snapshot) -> None:
        """Leaves the last snapshot, still."""

    def close(self) -> None:
        """Frees what it holds in the kernel."""

    def freeze(self) -> None:
        """The user is done with the cluster: leaves what a saved notebook shows in place of controls."""


class TerminalDisplay(DisplayHandle):
    """One line that is rewritten, where somebody watches a terminal; the whole text at the end."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.is_terminal = sys.stderr.isatty()
        self.update(snapshot)

    def update(self, snapshot: Snapshot) -> None:
        from .text import text

        if self.is_terminal:
            line = " ".join(part.strip() for part in text(snapshot).splitlines()[:2])
            sys.stderr.write(f"\r\x1b[2K{line[:110]}")
            sys.stderr.flush()

    def finish(self, snapshot: Snapshot) -> None:
        from .text import text

        if self.is_terminal:
            sys.stderr.write("\r\x1b[2K")
        print(text(snapshot))


class HtmlDisplay(DisplayHandle):
    """HTML and text that are replaced, where widgets are missing."""

    def __init__(self, snapshot: Snapshot) -> None:
        from IPython.display import display

        self.handle = display(bundle(snapshot), raw=True, display_id=True)

    def update(self, snapshot: Snapshot) -> None:
        self.handle.update(bundle(snapshot), raw=True)

    finish = update


class WidgetDisplay(HtmlDisplay):
    """A widget while it lasts. The page may still show it after the end, so it is closed when its cell runs again."""

    def __init__(self, snapshot: Snapshot) -> None:
        from IPython.display import display

        from .widget import LiveView

        self.widget = LiveView(snapshot, registry.command)
        self.handle = display(self.widget, display_id=True)

    def update(self, snapshot: Snapshot) -> None:
        self.widget.update(snapshot)

    def finish(self, snapshot: Snapshot) -> None:
        self.widget.update(snapshot)
        self.handle.update(bundle(snapshot), raw=True)

    def close(self) -> None:
        self.widget.close()


def bundle(snapshot: Snapshot) -> dict[str, str]:
    """A snapshot for a saved notebook, without any widget."""
    from .html import html
    from .text import text

    return {"text/html": html(snapshot), "text/plain": text(snapshot)}


def new_view(cell: str, snapshot: Snapshot) -> DisplayHandle:
    """Draws a first snapshot in the cell that runs on this thread, as well as the front end can."""
    close_views(cell)
    display = _display_class()(snapshot)
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


def _without_clocks(snapshot: Snapshot) -> Snapshot:
    return {key: value for key, value in snapshot.items() if key not in _CLOCK_FIELDS}


def _display_class() -> Callable[[Snapshot], DisplayHandle]:
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
        poll: Callable[[], Snapshot],
        is_live: Callable[[], bool],
        cell: str = "",
        interval: float = 1.0,
        display: DisplayHandle | None = None,
    ) -> None:
        self.poll, self.is_live, self.interval = poll, is_live, interval
        self.closed = threading.Event()
        self.snapshot = poll()
        self.display = display or new_view(cell, self.snapshot)
        if isinstance(self.display, TerminalDisplay):
            self.display.finish(self.snapshot)
            return
        self.display.update(self.snapshot)
        _views[_key(cell, self.display)] = self
        threading.Thread(target=self._run, name="ray_magics-feed", daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        self.display.close()

    def freeze(self) -> None:
        self.closed.set()
        self.display.finish(self.snapshot)

    def _run(self) -> None:
        while self._goes_on():
            if self.closed.wait(self.interval):
                return
            before = self.snapshot
            self._refresh()
            if _without_clocks(self.snapshot) != _without_clocks(before):
                self.display.update(self.snapshot)
        if not self.closed.is_set():
            self._refresh()
            self.display.finish(self.snapshot)

    def _refresh(self) -> None:
        try:
            self.snapshot = self.poll()
        except Exception as error:  # a busy cluster; the next poll may tell more
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
        self, poll: Callable[[], Snapshot], is_live: Callable[[], bool], interval: float = 1.0, **options: Any
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
