"""``ray_magics.remote``: the Python twin of ``%%ray_remote``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..core.cell import read_cell
from ..core.parsers import for_clause
from ..core.place import Place
from .magic import carry_out
from .plan import RAY_OPTIONS, make_plan

_DEFAULTS: dict[str, Any] = {
    "chunk": None,
    "on_error": None,
    "into": None,
    "inputs": None,
    "outputs": None,
    "lazy": False,
    "timeout": None,
    "background": False,
    "run": False,
    "quiet": True,
}


def remote(source: str, *, namespace: dict[str, Any], for_: str | None = None, **options: Any) -> Any:
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
    unknown = set(options) - {*_DEFAULTS, *RAY_OPTIONS}
    if unknown:
        raise TypeError(f"remote() has no option {sorted(unknown)[0]!r}; it takes those of %%ray_remote")
    line = SimpleNamespace(**{**_DEFAULTS, **options}, items=for_clause(for_) if for_ else None)
    ray_options = {key: options[key] for key in RAY_OPTIONS if options.get(key) is not None}
    plan = make_plan(read_cell(source), line, namespace, ray_options)
    return carry_out(plan, namespace, Place(source, name="remote()", filename="<remote>"))
