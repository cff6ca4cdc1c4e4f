"""Ray's options of an operation on a dataset, and the call that applies it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ...errors import UsageError
from .options import Concurrency
from .transform import CLASS, Transform

CONSTRUCTOR = ("fn_constructor_args", "fn_constructor_kwargs")


def check_options(
    transform: Transform, given: Mapping[str, Any], concurrency: Concurrency | None, key: str | None
) -> None:
    """Raises UsageError for what the operation does not take."""
    operation = transform.operation
    for name in given:
        if name in ("batch_size",) and operation != "map_batches":
            raise UsageError(f"--{name.replace('_', '-')} is for --op map_batches, not for {operation}.")
        if name in ("batch_format", "zero_copy_batch") and operation not in ("map_batches", "map_groups"):
            raise UsageError(f"--{name.replace('_', '-')} is for --op map_batches and map_groups, not for {operation}.")
        if name in CONSTRUCTOR and transform.form != CLASS:
            raise UsageError(f"--{name.replace('_', '-')} is for a class, which the cell is not.")
    if operation == "map_groups" and not key:
        raise UsageError("--op map_groups needs --key COLUMN, by which rows are grouped.")
    if key and operation != "map_groups":
        raise UsageError(f"--key is for --op map_groups, not for {operation}.")
    if concurrency is not None and "compute" in given:
        raise UsageError("--concurrency and --compute say the same thing: give one of them.")
    if concurrency is not None and concurrency.least != concurrency.most and not transform.is_stateful:
        raise UsageError(
            f"--concurrency {concurrency.least}:{concurrency.most} is for a class, whose actors come and go; "
            f"a function takes one number: --concurrency {concurrency.most}"
        )


def apply(
    dataset: Any,
    transform: Transform,
    function: Any,
    options: Mapping[str, Any],
    concurrency: Concurrency | None,
    key: str | None,
) -> Any:
    """The dataset with the operation as its last; executes nothing."""
    source = dataset.groupby(key.split(",") if key and "," in key else key) if key else dataset
    method = getattr(source, transform.operation)
    arguments = dict(options)
    if concurrency is not None:
        import ray.data

        strategy, sizes = concurrency.compute(transform.is_stateful)
        arguments["compute"] = getattr(ray.data, strategy)(**sizes)
    _check_taken(method, transform.operation, arguments)
    return method(function, **arguments)


def _check_taken(method: Any, operation: str, arguments: Mapping[str, Any]) -> None:
    parameters = inspect.signature(method).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    for name in arguments:
        if name not in parameters:
            raise UsageError(f"Ray's {operation} takes no {name}.")
