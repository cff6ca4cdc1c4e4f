"""What ``%ray_data`` offers."""

from __future__ import annotations

from ...registry import Verb
from .magic import ray_data
from .watch import load

VERB = Verb("data", magics=(ray_data,), api={"data": "api:data"}, on_load=load)
