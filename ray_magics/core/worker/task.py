"""One execution on a worker: its orders, its mail, its interrupt, its surroundings."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .courier import WAKE, courier
from .output import STREAMS, Event, Sink, Stream

Orders = Mapping[str, Any]
Stamps = Mapping[str, tuple[str, int, int]]


class Task:
    """`orders` is what the notebook says of this execution; see `core.dispatch.orders_for`."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.sink = Sink(orders["log_lines"], _log_path(orders), courier().hurry)
        self.started = self.mailed = time.monotonic()
        self.letters = 0
        self.mailbox: Any = None
        self.armed = self.interrupted = False
        self.posting = threading.Lock()

    def printed(self, number: int, text: str) -> None:
        self.sink.write(STREAMS[number - 1], text)

    def mail(self, last: bool = False) -> None:
        """Sends what was printed since the last mail; output waits here until the notebook has opened its mailbox."""
        with self.posting:
            self.mailed = time.monotonic()
            if self.mailbox is None:
                self.mailbox = _find_mailbox(self.orders["mailbox"])
            if self.mailbox is not None:
                self._post(self.sink.take(last))

    def _post(self, events: list[Event]) -> None:
        if not events and self.letters and not self.sink.hiding:
            return
        letter = {**self._sender(), "number": self.letters, "hidden": self.sink.hidden, "events": events}
        self.mailbox.post.remote(letter)
        self.letters += 1

    def _sender(self) -> dict[str, Any]:
        return {"run": self.orders["run"], "task": self.orders["task"], "where": where()}

    def ending(self) -> dict[str, Any]:
        """What the answer says of the output: the events not mailed yet, and how many letters were."""
        with self.posting:
            events = self.sink.take(last=True)
            return {**self._sender(), "events": events, "letters": self.letters}

    def interrupt(self, *_: Any) -> None:
        if self.armed:
            self.armed, self.interrupted = False, True
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """A cancel by Ray becomes one KeyboardInterrupt inside, even in a sleep, and none on the way out.

        SIGINT itself stays blocked, as Ray leaves it: a notebook's interrupt goes to the whole process group, and
        only the tasks that Ray cancels shall hear of it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self.interrupt), signal.signal(WAKE, lambda *_: None)
        wakeup = signal.set_wakeup_fd(courier().wakeup[1], warn_on_full_buffer=False)
        self.armed = True
        try:
            yield
        finally:
            self.armed = False
            signal.set_wakeup_fd(wakeup)
            signal.signal(signal.SIGINT, before[0])
            signal.signal(WAKE, before[1])

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """What is printed inside goes to the sink; files and modules are found where the notebook finds them."""
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Stream("stdout", 1, self.sink), Stream("stderr", 2, self.sink)
        try:
            with courier().serving(self), at_home(self.orders):
                yield
        finally:
            sys.stdout, sys.stderr = before


@functools.cache
def where() -> str:
    """``"4711@10.0.0.1"``: this worker, as views name it."""
    import ray

    return f"{os.getpid()}@{ray.util.get_node_ip_address()}"


def _find_mailbox(address: tuple[str, str]) -> Any:
    import ray

    try:
        return ray.get_actor(*address)
    except ValueError:
        return None


def _log_path(orders: Orders) -> str:
    folder = os.path.join(tempfile.gettempdir(), f"ray_magics-{os.getuid()}", orders["mailbox"][0])
    return os.path.join(folder, f"{orders['run']}-{orders['task']}-{os.getpid()}.log")


@contextlib.contextmanager
def at_home(orders: Orders) -> Iterator[None]:
    """The notebook's folder and import path, where this machine has them; edited local modules are loaded anew."""
    folder, path = os.getcwd(), sys.path[:]
    with contextlib.suppress(OSError):
        os.chdir(orders["cwd"])
    sys.path[:] = [*orders["path"], *(entry for entry in path if entry not in orders["path"])]
    forget_edited(orders["modules"])
    try:
        yield
    finally:
        sys.path[:] = path
        with contextlib.suppress(OSError):
            os.chdir(folder)


_stamps: dict[str, tuple[str, int, int]] = {}


def forget_edited(stamps: Stamps) -> None:
    """Drops local modules whose file has changed since this worker met them, with their whole package."""
    edited = {name.partition(".")[0] for name, stamp in stamps.items() if _stamps.get(name, stamp) != stamp}
    _stamps.update(stamps)
    if edited:
        for name in [name for name in sys.modules if name.partition(".")[0] in edited]:
            del sys.modules[name]
