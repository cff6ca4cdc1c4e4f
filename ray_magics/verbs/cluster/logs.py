"""The part of a log that was asked for."""

from __future__ import annotations

import re

_SCREEN = re.compile(
    "\x1b(?!\\[[0-9;]*m)(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|.)?|[\x00-\x08\x0b\x0c\x0e-\x1a\x7f]"
)
"""What would move a cursor, rename a window or ring: all control sequences but colours."""


def last_lines(text: str, tail: int | None, run: str, most: int) -> str:
    """The last `tail` lines; without a number at most `most`, with a note of how many stand before them."""
    lines = _SCREEN.sub("", text).splitlines()
    if tail is not None:
        return "\n".join(lines[max(len(lines) - tail, 0) :])
    if len(lines) <= most:
        return "\n".join(lines)
    note = f"... {len(lines) - most:,} earlier lines; %ray_logs {run} --tail {len(lines)} prints them all ..."
    return "\n".join([note, *lines[-most:]])
