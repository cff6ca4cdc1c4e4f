"""``ray_magics.remote``: what ``%%ray_remote`` does, for programs."""

from __future__ import annotations

from typing import Any

from ...cell.reader import read_cell
from ...cell.source import CellSource
from ...line.api import callers_namespace, record_from
from ...line.parsers import for_clause, pool_clause
from .magic import carry_out
from .options import ACTOR_OPTIONS, RAY_OPTIONS, RemoteOptions, actor_options
from .plan import make_plan


def remote(
    source: str,
    *,
    namespace: dict[str, Any] | None = None,
    for_: str | None = None,
    pool: str | None = None,
    **options: Any,
) -> Any:
    """Runs `source` on the cluster as a ``%%ray_remote`` cell would; returns its value, or a Run in the background.

        ray_magics.remote("y = f(x)", num_cpus=2)
        scores = ray_magics.remote("score(C)", for_="C in [0.1, 1, 10]")

    Args:
        namespace: the names that the source reads and binds; the caller's globals unless given.
        for_: as ``--for``: ``"x in xs"``.
        pool: as ``--pool``: ``"model=Predictor(weights)"``.
        options: those of the magic by their names (``into``, ``chunk``, ``on_error``, …) and Ray's own, as values.

    Raises:
        TypeError: an option that there is not.
        UsageError: what the magic would refuse.
    """
    namespace = callers_namespace() if namespace is None else namespace
    pooled = pool_clause(pool) if pool else None
    own = {key: value for key, value in options.items() if key not in (*RAY_OPTIONS, *ACTOR_OPTIONS)}
    ray = {key: options[key] for key in RAY_OPTIONS if options.get(key) is not None}
    actor = actor_options(options, namespace)
    items = for_clause(for_) if for_ else None
    plan = make_plan(
        read_cell(source),
        record_from(RemoteOptions, "remote", own, ray=ray, actor=actor, items=items, pool=pooled),
        namespace,
    )
    return carry_out(plan, namespace, CellSource(source, name="remote()", filename="<remote>"))
