"""What comes back from the cluster: values, and how much output is still under way."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from ...run.failures import failed_reply
from ...worker.values import Namespace, Numbered, load, unseal


def unpack(packed: Sequence[Any], namespace: Namespace, known: Numbered | None = None) -> dict[Any, Any]:
    """The values of a reply, writable and independent of the object store; `known` as of `values.load`."""
    payload, buffers, references = packed
    return load(payload, namespace, [bytearray(buffer) for buffer in buffers], references, known)


def as_array(values: list[Any]) -> Any:
    """A list of NumPy scalars, or of arrays alike in shape and type, as one array; any other list as it is."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not values or not isinstance(values[0], (numpy.generic, numpy.ndarray)):
        return values
    first = values[0]
    alike = all(type(v) is type(first) and v.dtype == first.dtype and v.shape == first.shape for v in values)
    return numpy.array(values) if alike and first.dtype != object else values


def messages_sent(future: Any) -> int:
    """How many messages of output a task has sent, as its reply says."""
    error = future.exception()
    if error is not None:
        failed = failed_reply(error)
        return failed[1].messages if failed else 0
    answer = future.result()
    reply = answer if isinstance(answer, dict) else unseal(answer)[0]
    return int(reply["messages"])
