"""The names that are served."""

from __future__ import annotations

from ... import connection
from ...raylib import serve as private
from .details import InstanceDetails

CHECK_SUFFIX = "~check"  # ends the name of the application that an update tries beside the old version


def ask_controller() -> InstanceDetails:
    """What Serve's controller says now. Raises ServeUnavailable where it does not answer."""
    return InstanceDetails.parse(private.instance_details())


def served_names() -> list[str]:
    """The applications of this cluster, without those that an update only tries."""
    names = sorted(ask_controller().applications) if connection.is_up() else []
    return [name for name in names if not name.endswith(CHECK_SUFFIX)]


def served_sentence() -> str:
    """``there are: digits, words``"""
    names = served_names()
    return f"there are: {', '.join(names)}" if names else "nothing is served"
