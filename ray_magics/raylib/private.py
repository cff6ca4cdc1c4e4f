"""Access to names that Ray's public API does not promise, and which Ray they were tried on."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from typing import Any

from ..errors import RayApiMissing

log = logging.getLogger(__name__)

TRIED_ON = "2.60.0"
"""The version of Ray on which every private name was tried."""


def private(name: str) -> Any:
    """The object called ``"module:attribute.attribute"``.

    Raises RayApiMissing, which names the version of Ray, where the installed one has no such object.
    """
    module, _, path = name.partition(":")
    try:
        target = import_module(module)
        for attribute in path.split("."):
            target = getattr(target, attribute)
    except (ImportError, AttributeError) as error:
        raise RayApiMissing(f"Ray {ray_version()} has no {name}; ray_magics was tried on Ray {TRIED_ON}.") from error
    return target


def ray_version() -> str:
    """That of the installed Ray; "?" where it does not say."""
    return str(getattr(import_module("ray"), "__version__", "?"))


@cache
def warn_of_untried(version: str) -> None:
    """Logs one line, once, for a Ray of another minor version than the one that was tried."""
    if text := untried_text(version):
        log.warning(text)


def untried_text(version: str) -> str:
    """What to say of this version of Ray; "" for one that was tried."""
    tried, given = TRIED_ON.split(".")[:2], version.split(".")[:2]
    if given == tried:
        return ""
    age = "older" if _numbers(given) < _numbers(tried) else "newer"
    return (
        f"Ray {version} is {age} than the {'.'.join(tried)} that this ray_magics was tried on; "
        "python -m ray_magics.raylib lists what it lacks."
    )


def _numbers(parts: list[str]) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in parts]
