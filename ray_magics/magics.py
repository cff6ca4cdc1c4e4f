"""The registry of verbs: one line each."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .core import connection, private
from .core.run import registry
from .core.settings import RayMagics

VERBS = ("cluster", "remote", "tune", "serve")
connection.provide(lambda: import_module(f"{__package__}.cluster.run"))


def load(shell: Any) -> None:
    """Gives the shell every magic, their defaults, and a way for views to stop runs while a cell blocks."""
    settings = RayMagics.instance(parent=shell)
    if settings not in shell.configurables:
        shell.configurables.append(settings)
    for verb in VERBS:
        edge = import_module(f"{__package__}.{verb}.magic")
        for magic in edge.MAGICS:
            magic.register(shell)
        for home, kind, words in getattr(edge, "SHOWN", ()):
            shell.display_formatter.formatters["text/plain"].for_type_by_name(home, kind, words)
        registry.desks.update(getattr(edge, "DESKS", {}))
        registry.logs.extend(find for find in getattr(edge, "LOGS", ()) if find not in registry.logs)
    private.on_control_channel(shell, "ray_magics", registry.command)
