"""Shows statuses in a cell: nothing while it is quick, a live view while it lasts, still HTML at the end."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..line.settings import settings
from ..run.registry import registry
from ..run.status import RunStatus

log = logging.getLogger(__name__)
Snapshot = Mapping[str, Any]
_CLOCKWORK = frozenset({"elapsed", "rate", "remaining", "time"})  # what the page counts on by itself
_open: dict[str, DisplayHandle] = {}  # the views of each cell that a page may still show, by cell


class RunView:
    """The view of one run: appears after `settings().view_after` seconds; at once if the run is in the background."""

    def __init__(self, at_once: bool = False, quiet: bool = False, cell: str = "") -> None:
        self.cell, self.quiet, self.at_once = cell, quiet, at_once
        self.next = 0.0 if at_once else time.monotonic() + settings().view_after
        self.last: Snapshot = {}
        self.shown: DisplayHandle | None = None
        self.updating = threading.Lock()

    def offer(self, status: Callable[[], RunStatus]) -> float:
        """Draws what `status()` says if it is time to; returns seconds until the next time."""
        now = time.monotonic()
        if self.quiet:
            return 1.0
        if now >= self.next:
            self.next = now + 1 / settings().updates_per_second
            self._draw(status().to_json())
        return max(self.next - now, 0.0)

    def close(self, status: RunStatus) -> None:
        """Draws the end, if anything was drawn before or workers have printed."""
        if self.quiet or (self.shown is None and not status.workers):
            return
        last = self._last(status)
        with self.updating:
            self.shown = self.shown or new_view(self.cell, last)
            self.shown.finish(last)

    def _last(self, status: RunStatus) -> Snapshot:
        """A cell that waits for its run prints the note or raises the error right below the view: not here, too."""
        said = {} if self.at_once else {"note": "", "error": ""}
        return {**status.to_json(), **said}

    def _draw(self, snapshot: Snapshot) -> None:
        facts = {key: value for key, value in snapshot.items() if key not in _CLOCKWORK}
        if facts == self.last:
            return
        self.last = facts
        with self.updating:
            if self.shown is None:
                self.shown = new_view(self.cell, snapshot)
            else:
                self.shown.update(snapshot)


class DisplayHandle:
    """A picture that is on the screen."""

    def update(self, snapshot: Snapshot) -> None:
        """Draws a newer snapshot in its place."""

    def finish(self, snapshot: Snapshot) -> None:
        """Leaves the last snapshot, still."""

    def close(self) -> None:
        """Frees what the picture holds in the kernel."""

    def rest(self) -> None:
        """The user is done with the cluster: leaves what a saved notebook shows in place of controls."""


class Terminal(DisplayHandle):
    """One line that is rewritten, where somebody watches a terminal; the whole text at the end."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.watched = sys.stderr.isatty()
        self.update(snapshot)

    def update(self, snapshot: Snapshot) -> None:
        from .text import text

        if self.watched:
            line = " ".join(part.strip() for part in text(snapshot).splitlines()[:2])
            sys.stderr.write(f"\r\x1b[2K{line[:110]}")
            sys.stderr.flush()

    def finish(self, snapshot: Snapshot) -> None:
        from .text import text

        if self.watched:
            sys.stderr.write("\r\x1b[2K")
        print(text(snapshot))


class Still(DisplayHandle):
    """HTML and text that are replaced, where widgets are missing."""

    def __init__(self, snapshot: Snapshot) -> None:
        from IPython.display import display

        self.handle = display(bundle(snapshot), raw=True, display_id=True)

    def update(self, snapshot: Snapshot) -> None:
        self.handle.update(bundle(snapshot), raw=True)

    finish = update


class Live(Still):
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
    shown = _kind()(snapshot)
    keep(cell, shown)
    return shown


def keep(cell: str, shown: DisplayHandle) -> None:
    """Holds what a cell shows until that cell runs again."""
    _open[_key(cell, shown)] = shown
    while len(_open) > 50:
        _open.pop(next(iter(_open))).close()


def rest() -> None:
    """Leaves controls that nobody will use any more as a saved notebook shows them."""
    for shown in list(_open.values()):
        shown.rest()


def _key(cell: str, shown: DisplayHandle) -> str:
    return cell or str(id(shown))


def close_views(cell: str) -> None:
    """A cell that runs again replaces the view of its last run."""
    shown = _open.pop(cell, None)
    if shown is not None:
        shown.close()


def _kind() -> Callable[[Snapshot], DisplayHandle]:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if getattr(shell, "kernel", None) is None:
        return Terminal
    try:
        import anywidget  # noqa: F401
    except ImportError as error:
        log.debug("no live views: %s", error)
        return Still
    return Live


class LiveFeed(DisplayHandle):
    """A view that lives on its own thread, as that of the cluster does: one look every `interval` seconds.

    It ends, still, when `going()` says so, and is closed when its cell runs again.
    """

    def __init__(
        self,
        look: Callable[[], Snapshot],
        going: Callable[[], bool],
        cell: str = "",
        interval: float = 1.0,
        shown: DisplayHandle | None = None,
    ) -> None:
        self.look, self.going, self.interval = look, going, interval
        self.closed = threading.Event()
        self.whole = look()
        self.shown = shown or new_view(cell, self.whole)
        self.last = self._facts(self.whole)
        if isinstance(self.shown, Terminal):
            self.shown.finish(self.whole)
            return
        self.shown.update(self.whole)
        _open[_key(cell, self.shown)] = self
        threading.Thread(target=self._run, name="ray_magics-feed", daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        self.shown.close()

    def rest(self) -> None:
        self.closed.set()
        self.shown.finish(self.whole)

    def _run(self) -> None:
        while self._goes_on():
            if self.closed.wait(self.interval):
                return
            try:
                self.whole = self.look()
            except Exception as error:  # a busy cluster; the next look may tell more
                log.debug("a live view could not look: %r", error)
                continue
            if self._facts(self.whole) != self.last:
                self.last = self._facts(self.whole)
                self.shown.update(self.whole)
        if not self.closed.is_set():
            self.shown.finish(self._last_look())

    def _last_look(self) -> Snapshot:
        try:
            return self.look()
        except Exception as error:
            log.debug("a live view could not look at its end: %r", error)
            return self.whole

    def _goes_on(self) -> bool:
        try:
            return self.going()
        except Exception as error:
            log.debug("a live view could not ask whether it goes on: %r", error)
            return True

    def _facts(self, snapshot: Snapshot) -> Snapshot:
        return {key: value for key, value in snapshot.items() if key not in _CLOCKWORK}


class LastingView(RunView):
    """The view of a run that goes on to show, live, what the run has made; see LiveFeed for how."""

    def __init__(
        self, look: Callable[[], Snapshot], going: Callable[[], bool], interval: float = 1.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.look, self.going, self.interval = look, going, interval
        self.handed_on = False

    def close(self, status: RunStatus) -> None:
        if self.quiet or status.state != "finished":
            return super().close(status)
        with self.updating:
            if not self.handed_on:
                self.handed_on = True
                LiveFeed(self.look, self.going, self.cell, self.interval, self.shown)
