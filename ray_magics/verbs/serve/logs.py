"""Log files as they grow, on this machine."""

from __future__ import annotations

import os
from collections import deque

TAIL_BYTES = 16_000  # of a file that was there already, what is read of its end
MAX_READ = 2_000_000  # bytes of one read; of more, what came first is skipped
SHOWN_LINES, KEPT_LINES = 20, 1000


class LogTail:
    """Reads on in a file, and keeps its last lines; a missing file has none.

    Attributes:
        exists: whether the file is on this machine.
        was_read: whether anything was read before.
        lines: those that were kept; `dropped` of them are gone.
    """

    def __init__(self, path: str, from_end: bool) -> None:
        self.path = path
        self.position = max(self._size() - TAIL_BYTES, 0) if from_end else 0
        self.inside_line = self.position > 0
        self.unfinished = b""
        self.was_read = False
        self.dropped = 0
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.exists = os.path.exists(path)

    def read(self) -> list[str]:
        """The whole lines that are new."""
        self.was_read = True
        size = self._size()
        self.exists = self.exists or size > 0
        if size < self.position:  # a new file took its place
            self.position, self.unfinished, self.inside_line = 0, b"", False
        if size == self.position:
            return []
        if size - self.position > MAX_READ:
            self.position, self.unfinished, self.inside_line = size - MAX_READ, b"", True
        try:
            with open(self.path, "rb") as file:
                file.seek(self.position)
                data = file.read(size - self.position)
        except OSError:
            return []
        self.position += len(data)
        *lines, unfinished = (self.unfinished + data).split(b"\n")
        self.unfinished = unfinished[-MAX_READ:]
        if self.inside_line and lines:
            lines, self.inside_line = lines[1:], False
        return [line.decode(errors="replace") for line in lines]

    def keep(self, lines: list[str]) -> None:
        self.dropped += max(len(lines) + len(self.lines) - KEPT_LINES, 0)
        self.lines.extend(lines)

    def last_lines(self) -> tuple[list[str], int]:
        """The last lines for a view, and how many stand before them."""
        lines = list(self.lines)[-SHOWN_LINES:]
        return [line[:500] for line in lines], self.dropped + len(self.lines) - len(lines)

    def _size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0
