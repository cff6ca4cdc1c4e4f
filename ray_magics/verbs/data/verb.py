"""What ``%ray_data`` offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...registry import Verb
from .magic import ray_data
from .watch import load


def command(action: str, part: str, content: Mapping[str, Any]) -> str:
    """What the view of a dataset asks; returns what is wrong with that, "" if nothing."""
    from . import dataset_view

    return dataset_view.command(action, part)


VERB = Verb("data", magics=(ray_data,), api={"data": "api:data"}, on_load=load, commands={"data": command})
