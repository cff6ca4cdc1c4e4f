"""A run is one executed plan: submit, watch, collect, stop. The registry knows all of this kernel's."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import logging
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from . import connection
from .errors import ClusterLost, RayMagicsError, RunCancelled, UsageError
from .status import ENDED, LIVE, RunsStatus, RunStatus

log = logging.getLogger(__name__)
Event = tuple[Any, ...]
SILENT = 10.0  # seconds without a word of the cluster after which a run ends


class Viewer(Protocol):
    """What a run shows itself to; see `views.show`."""

    def offer(self, status: Callable[[], RunStatus]) -> float: ...

    def close(self, status: RunStatus) -> None: ...


class NoView:
    """Shows nothing."""

    def offer(self, status: Callable[[], RunStatus]) -> float:
        return 0.25

    def close(self, status: RunStatus) -> None:
        pass


class Run:
    """One executed plan. A verb supplies `submit`, `handle`, `cancel`, `status` and `value`.

    All of a run happens on the thread that drives it; other threads `post` events to it.
    """

    def __init__(self, name: str, verb: str, cell: str = "") -> None:
        self.id = registry.next_id()
        self.name, self.verb, self.cell = name, verb, cell
        self.state = "pending"
        self.error: BaseException | None = None
        self.started = time.monotonic()
        self.ended: float | None = None
        self.over = threading.Event()
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.view: Viewer = NoView()
        self.kept = True
        self._cluster_at = self.started + 1.0

    # what a verb supplies

    def submit(self) -> None:
        """Sends the first tasks."""
        raise NotImplementedError

    def handle(self, event: Event) -> None:
        """Takes in one event that was posted; may send more tasks, may end the run."""
        raise NotImplementedError

    def cancel(self, force: bool) -> None:
        """Asks Ray to cancel all that is under way; the run ends when that is confirmed."""
        raise NotImplementedError

    def tick(self) -> None:
        """Called between events, at least every quarter of a second."""

    def status(self) -> RunStatus:
        raise NotImplementedError

    def value(self) -> Any:
        """The value of a finished run."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """What the status of every run begins with."""
        return {
            "id": self.id,
            "name": self.name,
            "verb": self.verb,
            "elapsed": self.elapsed,
            "error": self.failure_text,
        }

    @property
    def failure_text(self) -> str:
        """What a view says of a failed run: ``item 3: ValueError: …``; "" for others."""
        if self.error is None or self.state != "failed":
            return ""
        item = getattr(self.error, "item", "")
        return f"{item + ': ' if item else ''}{type(self.error).__name__}: {self.error}"[:2000]

    def brief(self) -> RunStatus:
        """The status as a list of runs needs it: at once, without asking anybody."""
        return self.status()

    def logs(self, worker: str = "") -> str:
        """All that its workers printed, or one of them. Raises UsageError for one that has not."""
        return ""

    def release(self) -> None:
        """Lets go of what only a run under way needs; the registry keeps ended ones for long."""

    def let_go(self) -> None:
        """Lets go of the value, too: the cell that waited for it has it."""
        self.kept = False

    def command(self, action: str, part: str) -> str:
        """Does something to one part of the run, from any thread; returns what is wrong with that, "" if nothing."""
        return f"run {self.id} has no part {part}"

    # what every run does

    @property
    def elapsed(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    @property
    def live(self) -> bool:
        return self.state in LIVE

    def post(self, *event: Any) -> None:
        """From any thread, or a signal handler."""
        self.events.put(event)

    def stop(self, force: bool = False) -> None:
        """Cancels exactly this run's work on the cluster; asked again, by force. Returns at once."""
        if self.live:
            self.post("stop", force)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the run has ended, at most `timeout` seconds; whether it has. An interrupt leaves it running."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.over.wait(0.1 if end is None else max(0.0, min(0.1, end - time.monotonic()))):
            if end is not None and time.monotonic() >= end:
                return False
        self.view.close(self.status())
        return True

    def result(self, timeout: float | None = None) -> Any:
        """Waits, then returns the value or raises the run's error. Raises TimeoutError after `timeout` seconds,
        UsageError where the value went to the cell that waited for it and is not kept here."""
        if not self.wait(timeout):
            raise TimeoutError(f"run {self.id} is still {self.state}")
        if self.error is not None:
            raise self.error
        if not self.kept:
            raise UsageError(f"What run {self.id} returned went to its cell; only runs with --background keep it.")
        return self.value()

    def end(self, state: str, error: BaseException | None = None) -> None:
        if self.state not in ENDED:
            self.state, self.error, self.ended = state, error, time.monotonic()

    def watch_cluster(self, now: float) -> None:
        """Ends the run with its cluster; Ray itself would wait, and in the end take the kernel along."""
        if now > self._cluster_at and self.live:
            self._cluster_at = now + 1.0
            if words := connection.lost(SILENT):
                self.end("failed", ClusterLost(words))

    def drive(self) -> None:
        """Submits and handles events until the run has ended; on the main thread an interrupt stops the run.

        One that comes too late to stop anything is noted for the magic, so that Run All stops all the same.
        """
        try:
            with interrupt_calls(self._interrupted):
                if _take_noted():
                    self.stop()
                self._drive()
        finally:
            self.end("failed", RayMagicsError("the run was torn down"))
            self.release()
            self.over.set()
            self.view.close(self.status())

    def _drive(self) -> None:
        self._guard(self.submit)
        while self.live:
            self._guard(self.tick)
            timeout = min(0.25, self._offer())
            with contextlib.suppress(queue.Empty):
                event = self.events.get(timeout=timeout)
                self._guard(self._take, event)

    def _offer(self) -> float:
        """A view that cannot draw does not harm the run."""
        try:
            return self.view.offer(self.status)
        except Exception as error:
            log.debug("run %s could not be drawn: %r", self.id, error)
            return 0.25

    def _interrupted(self) -> None:
        _noted.append(True)
        self.stop()

    def _take(self, event: Event) -> None:
        if event[0] == "stop":
            _take_noted()
            force = event[1] or self.state == "stopping"
            self.state = "stopping"
            self.cancel(force)
        else:
            self.handle(event)

    def _guard(self, step: Callable[..., None], *arguments: Any) -> None:
        """An error of a step ends the run as failed, but not before its tasks are cancelled."""
        try:
            step(*arguments)
        except Exception as error:
            if self.live:
                self.end("failed", error)
                self._cancel_all()

    def _cancel_all(self) -> None:
        try:
            self.cancel(True)
        except Exception as error:  # the first error is the one to tell
            log.debug("run %s could not be cancelled: %r", self.id, error)

    def in_background(self) -> None:
        """Drives the run on a thread of its own, whose output belongs to the launching cell."""
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self.drive,), name=f"ray_magics-run-{self.id}", daemon=True).start()

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.name}: {self.state}, {self.elapsed:.1f} s>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What a saved notebook shows: no state, which would be out of date."""
        printer.text(f"Run {self.id} of {self.name}: .wait(), .result(), .stop(); %ray_runs shows its state")


@contextlib.contextmanager
def interrupt_calls(stop: Callable[[], None]) -> Iterator[None]:
    """While inside, on the main thread, SIGINT calls `stop` and raises nothing, so that no step is torn in two."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def interrupt_raises() -> Iterator[None]:
    """Inside `interrupt_calls`: code of the user runs here, and an interrupt reaches it as KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Around a whole magic: an interrupt before a run stops that run, one after it is raised when all is in order."""
    _take_noted()
    with interrupt_calls(lambda: _noted.append(True)):
        yield
    if _take_noted():
        raise RunCancelled("Interrupted when the work of this cell was done already.")


_noted: list[bool] = []


def _take_noted() -> bool:
    """Whether an interrupt was noted since the last call; of the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        return False
    noted = bool(_noted)
    _noted.clear()
    return noted


Desk = Callable[[str, str, Mapping[str, Any]], str]  # action, part, the whole command -> what is wrong, "" if nothing


class Registry:
    """The runs of this kernel, oldest first; only the last `keep` ended ones stay.

    Attributes:
        desks: what answers commands that are for no run, by the name that stands for one there.
        logs: what knows the logs of things that are no runs, by their names.
    """

    def __init__(self, keep: int = 200) -> None:
        self.keep = keep
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.known: dict[str, Run] = {}
        self.desks: dict[str, Desk] = {}
        self.logs: list[Callable[[str], str | None]] = []

    def next_id(self) -> str:
        return str(next(self.numbers))

    def add(self, run: Run) -> None:
        """Takes a run in; a live run that the same cell launched earlier is stopped: re-running replaces."""
        for other in self.runs() if run.cell else ():
            if other.cell == run.cell and other.live:
                other.stop()
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
            if key in self.desks:
                return _reply(self.desks[key](action, str(part)[:100], content))
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
    run.stop(content.get("force") is True)
    return ""


registry = Registry()


def runs() -> list[Run]:
    """Everything this process launched, oldest first."""
    return registry.runs()
