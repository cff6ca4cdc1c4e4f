"""What ``ray.remote`` has made of a function or class of the notebook; tried on Ray 2.60.0."""

from __future__ import annotations

import logging
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

PRIVATE = (
    "ray.actor:_modify_class",
    "ray.remote_function:RemoteFunction._default_options",
    "ray.remote_function:RemoteFunction._function",
)


@dataclass(frozen=True)
class RemoteDefinition:
    """A remote function or an actor class.

    Attributes:
        value: the plain function or class.
        options: those that ``ray.remote`` was given.
    """

    value: Any
    options: Mapping[str, Any]


def remote_definition(value: Any) -> RemoteDefinition | None:
    """What a remote function or an actor class is made of; None for any other value.

    Ray 2.60: `RemoteFunction._function`, `ActorClass.__ray_metadata__`, `_default_options`. Fallback: None.
    """
    actor_class = getattr(getattr(value, "__ray_metadata__", None), "modified_class", None)
    if actor_class is not None:
        plain = getattr(actor_class, "__ray_actor_class__", actor_class)
    elif type(value).__name__ == "RemoteFunction":
        plain = getattr(value, "_function", None)
    else:
        return None
    options = getattr(value, "_default_options", {})
    is_plain = isinstance(plain, (type, types.FunctionType))
    return RemoteDefinition(plain, dict(options)) if is_plain else None


LinesOf = Callable[[BaseException], "list[str] | None"]
_renderers: list[LinesOf] = []


def show_errors(lines_of: LinesOf) -> None:
    """IPython shows an error of remote code as these lines; where they are None, as others say, or as any other error.

    Ray 2.60: `ray.exceptions.RayError`, the class of all its errors, takes an attribute.
    Fallback: IPython shows all of them with Ray's frames.
    """
    from ray.exceptions import RayError

    if lines_of not in _renderers:
        _renderers.append(lines_of)

    def renderer(error: BaseException) -> Callable[[], list[str]]:
        lines = next((lines for of in list(_renderers) if (lines := of(error)) is not None), None)
        if lines is None:
            raise AttributeError("_render_traceback_")
        return lambda: lines

    try:
        setattr(RayError, "_render_traceback_", property(renderer))  # noqa: B010
    except (AttributeError, TypeError) as error:
        log.debug("errors are shown with the frames of Ray: %s", error)
