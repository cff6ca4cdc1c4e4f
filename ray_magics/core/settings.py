"""Defaults as traits: ``%config RayMagics`` shows and sets them, ``c.RayMagics.… = …`` in ipython_config.py too."""

from __future__ import annotations

from traitlets import Float, Int, Unicode
from traitlets.config import SingletonConfigurable


class RayMagics(SingletonConfigurable):
    """Defaults of the Ray magics."""

    address = Unicode(
        "", help="Cluster to connect to without %ray_init; empty: RAY_ADDRESS, else one on this machine."
    ).tag(config=True)
    num_cpus = Float(None, allow_none=True, help="CPUs that a cell reserves unless it says --num-cpus.").tag(
        config=True
    )
    view_after = Float(1.0, help="Seconds before a running cell shows its view.").tag(config=True)
    updates_per_second = Float(4.0, help="Updates of a live view per second, at most.").tag(config=True)
    log_lines = Int(2000, help="Lines that a task may print at once before the rest goes to %ray_logs alone.").tag(
        config=True
    )
    share_above = Int(100_000, help="Bytes from which a value is put into the object store once and reused.").tag(
        config=True
    )
    tell_above = Int(500_000_000, help="Bytes from which a value that travels is told by name.").tag(config=True)
    stop_grace = Float(5.0, help="Seconds that a stopping run waits before it says what still runs.").tag(config=True)
    chunk_seconds = Float(0.2, help="Seconds of work that a chunk of a fan-out should take.").tag(config=True)


def settings() -> RayMagics:
    """The settings of this process."""
    return RayMagics.instance()
