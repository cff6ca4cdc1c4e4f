"""What Ray does while it starts, which takes a busy machine a minute and more."""

from __future__ import annotations

import sys

_PROCESSES = {"raylet": "its node comes up", "gcs_server": "its control service comes up"}


def phase() -> str:
    """What is under way, as far as it can be seen from outside."""
    if not hasattr(sys.modules.get("ray"), "init"):
        return "Ray is imported"
    import psutil

    try:
        names = {child.name() for child in psutil.Process().children()}
    except psutil.Error:
        return ""
    return next((words for name, words in _PROCESSES.items() if name in names), "its processes begin")
