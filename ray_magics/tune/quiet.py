"""Tune, and what it searches with, print no tables and log lines while searches of ours run: the view says it all."""

from __future__ import annotations

import logging

from ..core.quiet import Quiet
from . import private

quiet = Quiet(logging.CRITICAL, ("ray.tune", "ray.train", "ray.air", "optuna", "hyperopt"), {private.QUIET: "0"})
