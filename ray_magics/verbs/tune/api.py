"""``ray_magics.tune``: the Python API of ``%ray_tune``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...cell.source import CellSource
from ...errors import UsageError
from ...line.api import callers_namespace, line_of
from .algorithms import SCHEDULERS, SEARCHES, AlgorithmChoice
from .magic import carry_out
from .options import LINE
from .plan import TuneOptions, make_plan
from .space import Dimension, dimensions_of, make_space, space_assignment
from .trainable import Trainable, named_trainable

_OWN_PARAMETERS = ("trainable", "space", "scheduler", "search", "stop")
_LINE_ONLY = ("form", "show", "dry_run")


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
        space: a dict as ``param_space``, or texts as those of ``--space``.
        scheduler: a short name or an object of Ray's; so is `search`.
        stop: a dict, a function or an object, as ``RunConfig(stop=…)`` takes it.
        options: those of the magic by their names, as values.

    Raises:
        TypeError: an option that there is not.
        UsageError: what the magic would refuse.
    """
    namespace = callers_namespace() if namespace is None else namespace
    given = {
        **vars(line_of(LINE, options, (*_OWN_PARAMETERS, *_LINE_ONLY))),
        "space": _space(space, namespace),
        "scheduler": _choice(scheduler, SCHEDULERS, "scheduler"),
        "search": _choice(search, SEARCHES, "search"),
        "stop": stop,
    }
    own, scope = _trainable(trainable, namespace)
    plan = make_plan(TuneOptions.from_values(given), own)
    return carry_out(plan, scope, CellSource(own.cell.source, name=own.name, filename="<tune>"))


def _space(space: Mapping[str, Any] | str | list[str] | None, namespace: dict[str, Any]) -> tuple[Dimension, ...]:
    if isinstance(space, (str, list)):
        texts = [space] if isinstance(space, str) else space
        return make_space([space_assignment(text, "space") for text in texts], namespace)
    return tuple(dimensions_of(space or {}))


def _trainable(value: Any, namespace: dict[str, Any]) -> tuple[Trainable, dict[str, Any]]:
    """A function goes by a name, as on the line; one that its namespace does not know by name gets one there."""
    name = getattr(value, "__name__", "trainable")
    if namespace.get(name) is not value:
        namespace = {**namespace, "trainable": value}
        name = "trainable"
    return named_trainable(name, value, namespace), namespace


def _choice(value: Any, known: Mapping[str, Any], option: str) -> AlgorithmChoice | None:
    if value is None:
        return None
    if isinstance(value, str):
        if value not in known:
            raise UsageError(f"{option}: {value!r} is not one of {', '.join(known)}")
        return AlgorithmChoice(value, text=value)
    return AlgorithmChoice("", instance=value, text=repr(value))
