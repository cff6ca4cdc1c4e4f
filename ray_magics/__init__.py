"""ray_magics: notebook cells as Ray tasks, datasets, trainers, tuners and deployments, with live views.

    %load_ext ray_magics

    %%ray_remote --for "seed in range(100)" --into scores
    cross_val_score(model(seed), X, y).mean()

A magic is a caption over plain Ray: it reads the cell, makes a plan, runs that plan with Ray's public API and shows
it. ``--dry-run`` prints the plan and the plain script. Where things live is told in CONTRIBUTING.md.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext ray_magics``: registers the magics; imports no Ray, starts nothing, prints nothing."""
    from .magics import load

    load(shell)
