"""Defaults as traits: ``%config RayMagics`` shows and sets them, ``c.RayMagics.… = …`` in ipython_config.py too."""

from __future__ import annotations

from traitlets import Bool, Float, Int, Unicode
from traitlets.config import SingletonConfigurable


class RayMagics(SingletonConfigurable):
    """Defaults of the Ray magics."""

    address = Unicode(
        "", help="Cluster to connect to without %ray_init; empty: RAY_ADDRESS, else one on this machine."
    ).tag(config=True)
    num_cpus = Float(None, allow_none=True, min=0.0, help="CPUs of a %%ray_remote cell without --num-cpus.").tag(
        config=True
    )
    view_after = Float(1.0, min=0.0, help="Seconds before a running cell shows its view.").tag(config=True)
    updates_per_second = Float(4.0, min=0.1, max=50.0, help="Most updates of a live view per second.").tag(config=True)
    log_lines = Int(2000, min=1, help="Lines that a task may print at once; the rest goes to %ray_logs.").tag(
        config=True
    )
    share_above = Int(100_000, min=1, help="Bytes from which a value is put into the object store once.").tag(
        config=True
    )
    track_changes_up_to = Int(
        16_000_000,
        min=0,
        help="Bytes of captured values, together, in which what a cell changes is found and comes back.",
    ).tag(config=True)
    tell_above = Int(500_000_000, min=0, help="Bytes from which a value that is sent is named in a line.").tag(
        config=True
    )
    stop_grace = Float(5.0, min=0.0, help="Seconds until a stopping run says what still runs.").tag(config=True)
    watch_datasets = Bool(
        True, help="Show what datasets execute, also where a cell without a magic consumes them."
    ).tag(config=True)
    train_poll_seconds = Float(
        0.02, min=0.005, help="Seconds between two reports that Ray Train takes in; its own default is 2."
    ).tag(config=True)
    chunk_seconds = Float(0.2, min=0.001, help="Seconds of work in a chunk of a fan-out.").tag(config=True)


def settings() -> RayMagics:
    """The settings of this process."""
    return RayMagics.instance()
