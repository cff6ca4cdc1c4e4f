"""``ray_magics.train``: the Python API of ``%ray_train``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...cell.source import CellSource
from ...errors import UsageError
from ...line.api import callers_namespace, record_from
from .boosting import boosting_loop
from .loop import named_loop
from .magic import carry_out
from .options import TRAINERS, TrainOptions, Workers, workers
from .plan import make_plan


def train(
    loop: Any = None,
    *,
    namespace: dict[str, Any] | None = None,
    num_workers: int | str | tuple[int, int] = 1,
    **options: Any,
) -> Any:
    """Trains as ``%ray_train`` does; returns Ray's Result, or a Run in the background.

        result = ray_magics.train(train_loop, num_workers=2, config={"lr": 0.1})
        result.history, result.best_checkpoint

    Args:
        loop: a function of config, or a trainer of Ray's; None for xgboost and lightgbm with `label` and `data`.
        namespace: the names that the function reads; the caller's globals unless given.
        num_workers: how many; "1:4" or (1, 4) lets their number change.
        options: those of the magic by their names, as values.

    Raises:
        TypeError: an option that there is not.
        UsageError: what the magic would refuse.
    """
    namespace = callers_namespace() if namespace is None else namespace
    chosen = record_from(TrainOptions, "train", options, num_workers=_workers(num_workers))
    if chosen.trainer not in TRAINERS:
        raise UsageError(f"trainer: {chosen.trainer!r} is not one of {', '.join(TRAINERS)}")
    if loop is None:
        own, cell_source = boosting_loop(chosen, CellSource("", name=chosen.trainer), namespace)
        return carry_out(make_plan(chosen, own, is_written=True), namespace, cell_source)
    name, namespace = _named(loop, namespace)
    own = named_loop(name, loop, namespace)
    cell_source = CellSource(own.cell.source, name=own.name, filename="<train>")
    return carry_out(make_plan(chosen, own), namespace, cell_source)


def _workers(given: int | str | tuple[int, int]) -> Workers:
    text = ":".join(map(str, given)) if isinstance(given, tuple) else str(given)
    return workers(text, "num_workers")


def _named(loop: Any, namespace: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A function goes by a name, as on the line; one that its namespace does not know by name gets one there."""
    name = getattr(loop, "__name__", "trainer")
    if namespace.get(name) is loop:
        return name, dict(namespace) if not isinstance(namespace, dict) else namespace
    return "train_loop", {**namespace, "train_loop": loop}
