"""What a cell prints and displays: bounded, in order."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from .records import Event

STREAMS = ("stdout", "stderr")
IN_MEMORY = 2**18  # characters kept before everything printed goes to a file
ON_DISK = 2**28  # characters written to that file at most
LAST = 20  # lines that are kept of the end of a flood
LONGEST = 2000  # characters that are kept of each
REFILL = 50.0  # lines per second that pass in the long run


class Sink:
    """Collects what one task prints and displays, as events ``(kind, data)``.

    A flood does not pass: a bucket of `burst` lines, refilled at `REFILL` lines per second, says what the notebook
    gets; the rest is counted, its `LAST` lines are kept, and everything printed is in the file `path`.
    """

    def __init__(
        self,
        burst: int,
        path: str,
        wake: Callable[[], None] = lambda: None,
        remember: Callable[[int, str], None] = lambda stream, text: None,
    ) -> None:
        """`wake` is called when there is something to forward after there was nothing, `remember` with all text."""
        self.lock, self.wake, self.remember = threading.Lock(), wake, remember
        self.events: list[Event] = []
        self.burst, self.allowance, self.refilled = burst, float(burst), time.monotonic()
        self.hiding = False
        self.hidden = self.lines = 0
        self.end: collections.deque[tuple[str, str]] = collections.deque(maxlen=LAST)
        self.archive = Archive(path)
        self.item: int | None = None  # the position of the item of a fan-out that runs now
        self.marked: int | None = None  # the one that the events below the last mark belong to

    def write(self, stream: str, text: str) -> None:
        with self.lock:
            lines = text.count("\n")
            self.lines += lines
            self.archive.write(text)
            if not (self.events or self.hiding):
                self.wake()
            if self._passes(max(lines, len(text) / 500)):
                self.remember(STREAMS.index(stream) + 1, text)
                self._keep(stream, text)
            else:
                self._hide(stream, text, lines)

    def display(self, kind: str, content: Mapping[str, Any]) -> None:
        with self.lock:
            self.events.append((kind, dict(content)))

    def take(self, last: bool = False) -> list[Event]:
        """The events since the last call; at the `last`, also the end of what was hidden."""
        with self.lock:
            if last:
                self._resume()
                self.archive.close()
            events, self.events, self.marked = self.events, [], None
            return [(kind, settle("".join(data)) if kind in STREAMS else data) for kind, data in events]

    def _passes(self, cost: float) -> bool:
        now = time.monotonic()
        self.allowance = min(self.burst, self.allowance + (now - self.refilled) * REFILL)
        self.refilled = now
        if self.hiding and self.allowance > self.burst / 10:
            self._resume()
        if self.hiding or cost > self.allowance:
            return False
        self.allowance -= cost
        return True

    def _keep(self, stream: str, text: str) -> None:
        if self.item != self.marked:
            self.marked = self.item
            self.events.append(("item", {"item": self.item}))
        if self.events and self.events[-1][0] == stream:
            self.events[-1][1].append(text)
        else:
            self.events.append((stream, [text]))

    def _hide(self, stream: str, text: str, lines: int) -> None:
        self.hiding = True
        self.allowance = 0.0
        self.archive.spill()
        self.hidden += lines
        for part in _last_lines(text):
            self._keep_end(stream, part)

    def _keep_end(self, stream: str, part: str) -> None:
        """A line may come in several parts, as those of ``print("a", "b")`` do."""
        if self.end and self.end[-1][0] == stream and not self.end[-1][1].endswith("\n"):
            part = self.end.pop()[1] + part
        self.end.append((stream, part[-LONGEST:]))

    def _resume(self) -> None:
        if not self.hiding:
            return
        shown = min(self.hidden, len(self.end))
        self._keep(self.end[0][0] if self.end else "stdout", "\n")
        self.events.append(("hidden", {"lines": self.hidden - shown, "path": self.archive.name}))
        for stream, text in self.end:
            self._keep(stream, text if text.endswith("\n") else text + "\n")
        self.hiding, self.hidden = False, 0
        self.end.clear()


def _last_lines(text: str) -> list[str]:
    """``"a\\nb\\nc"`` -> ``["a\\n", "b\\n", "c"]``, of a long text only what the end of a flood keeps."""
    if text == "\n":
        return [text]
    *ended, rest = text[-LONGEST * LAST :].split("\n")
    return [*(f"{line}\n" for line in ended[-LAST:]), *([rest] if rest else [])]


def settle(text: str) -> str:
    r"""``"10%\r20%\r30%"`` -> ``"\r30%"``: of a line rewritten in place only its last state travels."""
    return "\n".join(map(_settle_line, text.split("\n"))) if "\r" in text else text


def _settle_line(line: str) -> str:
    end = "\r" if line.endswith("\r") else ""
    _, back, last = line.removesuffix(end).rpartition("\r")
    return back + last + end


def folder_of(queue: str) -> str:
    """Where the workers of one notebook keep files, by the name of its output queue; the folder may not be there."""
    return os.path.join(tempfile.gettempdir(), f"ray_magics-{os.getuid()}", queue)


def make_own(folder: str) -> None:
    """Raises OSError for a folder of somebody else: those of temporary files are everybody's to make."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    info = os.lstat(folder)
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise PermissionError(folder)


class Archive:
    """Everything printed: in memory while it is short, from a flood on in the file `path` (of this user alone)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.texts: list[str] = []
        self.size = 0
        self.file: TextIO | None = None

    @property
    def name(self) -> str:
        """The file, where there is one."""
        return self.path if self.file is not None else ""

    def write(self, text: str) -> None:
        self.size += len(text)
        if self.file is None:
            self.texts.append(text)
            if self.size > IN_MEMORY:
                self.spill()
        elif self.size <= ON_DISK:
            self.file.write(text)

    def spill(self) -> None:
        """From here on to the file; a full or read-only disk loses the archive, not the run."""
        if self.file is None and self.path:
            try:
                make_own(os.path.dirname(os.path.dirname(self.path)))
                make_own(os.path.dirname(self.path))
                number = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
                self.file = os.fdopen(number, "w", encoding="utf-8", errors="replace")
                self.file.write("".join(self.texts))
            except OSError:
                self.path = ""
            self.texts.clear()

    def close(self) -> None:
        if self.file is not None:
            with contextlib.suppress(OSError):
                self.file.close()


class Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of all cells of a process: what is written goes to the sink of the present one.

    A logger may keep it from one cell to the next. In a forked child, and while no cell runs, it writes to the file
    descriptor.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, number: int, find_sink: Callable[[], Sink | None]) -> None:
        self.name, self.number, self.find_sink = name, number, find_sink
        self.pid = os.getpid()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        sink = self.find_sink() if os.getpid() == self.pid else None
        if sink is None:
            os.write(self.number, text.encode("utf-8", "replace"))
        else:
            sink.write(self.name, text)
        return len(text)

    def fileno(self) -> int:
        return self.number

    def writable(self) -> bool:
        return True
