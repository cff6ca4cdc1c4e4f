"""While trainings of ours run, Ray Train prints no log lines and takes in reports as they come."""

from __future__ import annotations

import logging
import os

from ...line.settings import settings
from ...raylib.quiet import Quiet
from ...raylib.train import POLL_INTERVAL, PRINTS_TWICE


def environ() -> dict[str, str]:
    """How often the controller asks its workers is left alone where the user has set it."""
    poll = {} if POLL_INTERVAL in os.environ else {POLL_INTERVAL: f"{settings().train_poll_seconds:g}"}
    return {PRINTS_TWICE: "0", **poll}


quiet = Quiet(logging.CRITICAL, ("ray.train",), environ)
