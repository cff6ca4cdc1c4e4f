"""What ``%%ray_remote`` offers."""

from __future__ import annotations

from ...registry import Verb
from .magic import ray_remote

VERB = Verb("remote", magics=(ray_remote,), api={"remote": "api:remote"})
