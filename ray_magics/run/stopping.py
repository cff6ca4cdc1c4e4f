"""Stopping a run: asked, asked by force, and given up when nothing confirms it."""

from __future__ import annotations

from dataclasses import dataclass

from ..line.settings import settings


@dataclass
class Stopping:
    """Whether and when a run was asked to stop; times in seconds of the run's clock.

    Attributes:
        asked_at: when, by the last request; None while nobody has.
        forced: whether the workers are to be killed.
        timed_out: whether ``--timeout`` asked.
        by: who asked first, in words.
    """

    asked_at: float | None = None
    forced: bool = False
    timed_out: bool = False
    by: str = ""

    def ask(self, now: float, force: bool) -> None:
        self.asked_at = now
        self.forced = self.forced or force

    def is_late(self, now: float, graces: float = 1.0) -> bool:
        """Whether `graces` times the grace period (a trait) have passed since the request."""
        return self.asked_at is not None and now - self.asked_at > graces * settings().stop_grace
