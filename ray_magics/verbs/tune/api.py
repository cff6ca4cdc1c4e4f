"""``ray_magics.tune``: the Python twin of ``%ray_tune``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...cell.source import CellSource
from ...errors import UsageError
from ...line.api import callers_namespace, line_of
from .algorithms import FIFO, RANDOM, SCHEDULERS, SEARCHES, Choice
from .magic import carry_out, ray_tune
from .plan import Trainable, make_plan, named_trainable
from .space import make_space, of_dict, space_assignment

_NOT_HERE = ("trainable", "space", "scheduler", "search", "stop", "form", "show", "dry_run")


def tune(
    trainable: Any,
    *,
    namespace: dict[str, Any] | None = None,
    space: Mapping[str, Any] | str | list[str] | None = None,
    scheduler: Any = None,
    search: Any = None,
    stop: Any = None,
    **options: Any,
) -> Any:
    """Searches as ``%ray_tune`` does; returns Ray's ResultGrid, or a Run in the background.

        grid = ray_magics.tune(train, space={"lr": tune.loguniform(1e-4, 1e-1)}, metric="loss", mode="min",
                               num_samples=8, scheduler="asha")
        grid.best.config

    Args:
        trainable: a function of the configuration, a Trainable class, the name of a registered one.
        namespace: the names that the function reads; the caller's globals unless given.
        space: a dict as ``param_space``, or words as those of ``--space``.
        scheduler: a short name or an object of Ray's; so is `search`.
        stop: a dict, a function or an object, as ``RunConfig(stop=…)`` takes it.
        options: those of the magic by their names, as values.

    Raises:
        TypeError: an option that there is not.
        UsageError: what the magic would refuse.
    """
    namespace = callers_namespace() if namespace is None else namespace
    line = line_of(ray_tune, options, _NOT_HERE)
    if isinstance(space, (str, list)):
        dimensions = make_space([space_assignment(text, "space") for text in _words(space)], namespace)
    else:
        dimensions = tuple(of_dict(space or {}))
    one, scope = _trainable(trainable, namespace)
    choices = _choice(scheduler, FIFO, SCHEDULERS, "scheduler"), _choice(search, RANDOM, SEARCHES, "search")
    plan = make_plan(line, one, dimensions, *choices, stop)
    cell_source = CellSource(one.cell.source, name=one.name, filename="<tune>")
    return carry_out(plan, scope, cell_source)


def _words(space: str | list[str]) -> list[str]:
    return [space] if isinstance(space, str) else space


def _trainable(value: Any, namespace: dict[str, Any]) -> tuple[Trainable, dict[str, Any]]:
    """A function goes by a name, as on the line; one that its namespace does not know by name gets one there."""
    name = getattr(value, "__name__", "trainable")
    if namespace.get(name) is not value:
        namespace = {**namespace, "trainable": value}
        name = "trainable"
    return named_trainable(name, value, namespace), namespace


def _choice(value: Any, default: str, known: Mapping[str, Any], option: str) -> Choice:
    if value is None:
        return Choice(default, text=default)
    if isinstance(value, str):
        if value not in known:
            raise UsageError(f"{option}: {value!r} is not one of {', '.join(known)}")
        return Choice(value, text=value)
    return Choice("", given=value, text=repr(value))
