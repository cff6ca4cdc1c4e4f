"""``ray_magics.remote``: the Python twin of ``%%ray_remote``."""

from __future__ import annotations

from typing import Any

from ...cell.reader import read_cell
from ...cell.source import CellSource
from ...line.api import callers_namespace, line_of
from ...line.parsers import for_clause
from .magic import carry_out, ray_remote
from .plan import RAY_OPTIONS, make_plan

_NOT_HERE = ("items", "expression", "dry_run")


def remote(source: str, *, namespace: dict[str, Any] | None = None, for_: str | None = None, **options: Any) -> Any:
    """Runs `source` on the cluster as a ``%%ray_remote`` cell would; returns its value, or a Run in the background.

        ray_magics.remote("y = f(x)", num_cpus=2)
        scores = ray_magics.remote("score(C)", for_="C in [0.1, 1, 10]")

    Args:
        namespace: the names that the source reads and binds; the caller's globals unless given.
        for_: as ``--for``: ``"x in xs"``.
        options: those of the magic by their names (``into``, ``chunk``, ``on_error``, …) and Ray's own, as values.

    Raises:
        TypeError: an option that there is not.
        UsageError: what the magic would refuse.
    """
    namespace = callers_namespace() if namespace is None else namespace
    line = line_of(ray_remote, options, _NOT_HERE)
    line.items = for_clause(for_) if for_ else None
    ray_options = {key: options[key] for key in RAY_OPTIONS if options.get(key) is not None}
    plan = make_plan(read_cell(source), line, namespace, ray_options)
    return carry_out(plan, namespace, CellSource(source, name="remote()", filename="<remote>"))
