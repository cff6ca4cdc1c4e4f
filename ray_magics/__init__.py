"""ray_magics: notebook cells as Ray tasks, searches and web services, with live views.

    %load_ext ray_magics

    %%ray_remote --for "seed in range(100)" --into scores
    cross_val_score(model(seed), X, y).mean()

A magic is a caption over plain Ray: it reads the cell, makes a plan, runs that plan with Ray's public API and shows
it. ``--dry-run`` prints the plan and the plain script. Where things live is told in CONTRIBUTING.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["init", "load_ipython_extension", "remote", "runs", "serve", "shutdown", "tune"]

_HOMES = {"init": "cluster.run", "shutdown": "cluster.run", "runs": "core.run"}
_VERBS = ("remote", "tune", "serve")


def __getattr__(name: str) -> Any:
    """The Python twins of the magics, imported when they are used."""
    if name not in (*_HOMES, *_VERBS):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(f"{__name__}.magics")
    if name in _VERBS:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext ray_magics``: registers the magics; imports no Ray, starts nothing, prints nothing."""
    from .magics import load

    load(shell)
