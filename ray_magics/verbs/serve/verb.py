"""What ``%%ray_serve`` offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import connection
from ...registry import Verb
from .magic import ray_serve


def command(action: str, part: str, content: Mapping[str, Any]) -> str:
    """What a view asks of an application; returns what is wrong with that, "" if nothing."""
    from . import control

    return control.command(action, part, content)


def logs(name: str) -> str | None:
    """The log of an application's replicas; None where there is no such application."""
    if not connection.is_up():
        return None
    from . import control

    return control.logs(name)


VERB = Verb("serve", magics=(ray_serve,), api={"serve": "api:serve"}, commands={"serve": command}, logs=logs)
