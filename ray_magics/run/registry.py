"""The registry of runs, and the commands of pages."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .status import RunsStatus

if TYPE_CHECKING:
    from .run import Run

log = logging.getLogger(__name__)

CommandHandler = Callable[[str, str, Mapping[str, Any]], str]
"""Is given the action, the part and the whole command; returns what is wrong with it, "" if nothing."""


class Registry:
    """The runs of this kernel, oldest first; only the last `keep` ended ones stay.

    Attributes:
        command_handlers: what answers commands that are for no run, by the name that stands for one there.
        logs: what knows the logs of things that are no runs, by their names.
    """

    def __init__(self, keep: int = 200) -> None:
        self.keep = keep
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.known: dict[str, Run] = {}
        self.command_handlers: dict[str, CommandHandler] = {}
        self.logs: list[Callable[[str], str | None]] = []

    def next_id(self) -> str:
        return str(next(self.numbers))

    def add(self, run: Run) -> None:
        """Takes a run in; a live run that the same cell launched earlier is stopped: re-running replaces."""
        for other in self.runs() if run.cell else ():
            if other.cell == run.cell and other.live:
                other.stop(by="its cell, which ran again")
                other.over.wait(10.0)
        with self.lock:
            self.known[run.id] = run
            ended = (key for key, other in self.known.items() if not other.live)
            for key in list(itertools.islice(ended, max(len(self.known) - self.keep, 0))):
                del self.known[key]

    def runs(self) -> list[Run]:
        with self.lock:
            return list(self.known.values())

    def live(self) -> list[Run]:
        return [run for run in self.runs() if run.live]

    def lately(self, seconds: float) -> bool:
        """Whether a run goes on, or has ended within so many seconds."""
        now = time.monotonic()
        return any(run.live or (run.ended is not None and now - run.ended < seconds) for run in self.runs())

    def find(self, run: str) -> Run:
        """Raises UsageError, with the runs there are."""
        if run in self.known:
            return self.known[run]
        known = ", ".join(f"{other.id} ({other.name}, {other.state})" for other in self.runs()[-5:])
        raise UsageError(f"No run {run!r}; " + (f"there are: {known}." if known else "nothing has run yet."))

    def stop(self, run: str, force: bool = False) -> None:
        self.find(run).stop(force)

    def status(self) -> RunsStatus:
        return RunsStatus(tuple(run.brief() for run in reversed(self.runs())))

    def command(self, content: Any) -> dict[str, Any]:
        """Carries out a command of a view; nothing of it is evaluated.

        ``{"action": "stop", "run": "3", "force": true}``, and ``"part": "…"`` for one part of a run, as a trial is.
        """
        if not isinstance(content, Mapping):
            return {"status": "error", "message": "unknown command"}
        action, part = str(content.get("action", ""))[:20], content.get("part")
        key = str(content.get("run", ""))[:20]
        try:
            if key in self.command_handlers:
                return _reply(self.command_handlers[key](action, str(part)[:100], content))
            run = self.find(key)
            problem = run.command(action, str(part)[:100]) if part is not None else _stop(run, action, content)
        except UsageError as error:
            problem = str(error)
        except Exception as error:  # whatever it is, the page gets an answer
            log.debug("a command failed: %r", error, exc_info=True)
            problem = f"that failed: {type(error).__name__}: {error}"[:300]
        return _reply(problem)

    def logs_of(self, name: str) -> str | None:
        """The log of something that is no run; None where nobody knows it."""
        return next((text for find in self.logs if (text := find(name)) is not None), None)


def _reply(problem: str) -> dict[str, Any]:
    return {"status": "error", "message": problem} if problem else {"status": "ok"}


def _stop(run: Run, action: str, content: Mapping[str, Any]) -> str:
    if action != "stop":
        return "unknown command"
    run.stop(content.get("force") is True, by="the button of its view")
    return ""


registry = Registry()


def runs() -> list[Run]:
    """Everything this process launched, oldest first."""
    return registry.runs()
