"""Tune, and what it searches with, print no tables and log lines while searches of ours run: the view shows it all."""

from __future__ import annotations

import logging

from ...raylib.quiet import Quiet
from ...raylib.tune import NEW_OUTPUT

_ENVIRON = {NEW_OUTPUT: "0", "TUNE_DISABLE_AUTO_INIT": "1"}  # a search that outlives its cluster starts none
quiet = Quiet(logging.CRITICAL, ("ray.tune", "ray.train", "ray.air", "optuna", "hyperopt"), _ENVIRON)
