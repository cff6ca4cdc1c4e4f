"""The options of ``%%ray_remote``, as the magic and the Python function share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import UsageError
from ...line.options import option_of
from ...line.parsers import Expression, ForClause, PoolClause, expression
from ...line.settings import settings

RAY_OPTIONS = (
    "num_cpus",
    "num_gpus",
    "memory",
    "resources",
    "accelerator_type",
    "label_selector",
    "max_retries",
    "retry_exceptions",
    "max_calls",
    "scheduling_strategy",
    "runtime_env",
)

ACTOR_OPTIONS = (
    *("max_restarts", "max_task_retries", "max_concurrency", "name", "namespace", "lifetime", "get_if_exists"),
    "concurrency_groups",
)


@dataclass(frozen=True)
class RemoteOptions:
    """What the line, or a program, asks for.

    Attributes:
        ray: Ray's task and actor options, under Ray's names.
        actor: Ray's options for actors alone, likewise.
        items: the clause of ``--for``.
        pool: what the actors of a pool hold, that run the items; `pool_size`: how many; None: as many as fit.
        chunk: items a task; None: as measured.
        on_error: "raise" or "keep"; None where nothing was said.
        into: the name for the value.
        inputs, outputs: the names that travel, and that come back; None: all.
        run: a cell of definitions is to run as a task.
        only: of a cell of definitions, the names that become remote; None: as `choose_remote` decides.
        timeout: in seconds.
    """

    ray: Mapping[str, Any] = field(default_factory=dict)
    actor: Mapping[str, Any] = field(default_factory=dict)
    items: ForClause | None = None
    pool: PoolClause | None = None
    pool_size: int | None = None
    chunk: int | None = None
    on_error: str | None = None
    into: str | None = None
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    lazy: bool = False
    timeout: float | None = None
    run: bool = False
    only: tuple[str, ...] | None = None
    background: bool = False
    quiet: bool = False


def actor_options(given: Mapping[str, Any], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Ray's options for actors alone among those given, with expressions evaluated."""
    options = {name: given[name] for name in ACTOR_OPTIONS if given.get(name) is not None and given[name] is not False}
    return {
        name: value.evaluate(namespace, option_of(name)) if isinstance(value, Expression) else value
        for name, value in options.items()
    }


def ray_options(given: Mapping[str, Any], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Ray's options among those given, with expressions evaluated and defaults of the settings.

    Raises UsageError for a value of the wrong type.
    """
    options = {name: value for name in RAY_OPTIONS if (value := given.get(name)) is not None}
    for name, value in options.items():
        if isinstance(value, Expression):
            options[name] = value.evaluate(namespace, option_of(name))
    if settings().num_cpus is not None:
        options.setdefault("num_cpus", settings().num_cpus)
    for key in ("resources", "label_selector"):
        if not isinstance(options.get(key, {}), Mapping):
            option = option_of(key)
            raise UsageError(f"{option}: {options[key]!r} is not a dict; try {option} \"{{'name': 1}}\"")
    strategy = options.get("scheduling_strategy")
    if isinstance(strategy, str) and strategy not in ("DEFAULT", "SPREAD"):
        options["scheduling_strategy"] = expression(strategy).evaluate(namespace, "--scheduling-strategy")
    return options
