"""Log files as they grow, on this machine."""

from __future__ import annotations

import os
from collections import deque

BACK = 16_000  # bytes before its end at which a file that was there already begins
AT_ONCE = 2_000_000  # bytes that one look reads; what came before is skipped
SHOWN, KEPT = 20, 1000  # lines


class LogTail:
    """The lines that a file got since the last look, and the last of all; a missing file has none.

    Attributes:
        here: whether the file is on this machine.
    """

    def __init__(self, path: str, from_end: bool) -> None:
        self.path = path
        self.position = max(self._size() - BACK, 0) if from_end else 0
        self.torn = self.position > 0
        self.rest = b""
        self.looked = False
        self.skipped = 0
        self.kept: deque[str] = deque(maxlen=KEPT)
        self.here = os.path.exists(path)

    def look(self) -> list[str]:
        """The whole lines that are new."""
        self.looked = True
        size = self._size()
        self.here = self.here or size > 0
        if size < self.position:  # a new file took its place
            self.position, self.rest, self.torn = 0, b"", False
        if size == self.position:
            return []
        if size - self.position > AT_ONCE:
            self.position, self.rest, self.torn = size - AT_ONCE, b"", True
        try:
            with open(self.path, "rb") as file:
                file.seek(self.position)
                data = file.read(size - self.position)
        except OSError:
            return []
        self.position += len(data)
        *lines, rest = (self.rest + data).split(b"\n")
        self.rest = rest[-AT_ONCE:]
        if self.torn and lines:
            lines, self.torn = lines[1:], False
        return [line.decode(errors="replace") for line in lines]

    def keep(self, lines: list[str]) -> None:
        """Remembers lines to show."""
        self.skipped += max(len(lines) + len(self.kept) - KEPT, 0)
        self.kept.extend(lines)

    def shown(self) -> tuple[list[str], int]:
        """The last lines, and how many stand before them."""
        lines = list(self.kept)[-SHOWN:]
        return [line[:500] for line in lines], self.skipped + len(self.kept) - len(lines)

    def _size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0
