"""What the Python functions of the verbs share: options of a magic given as values by a program."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any

from .options import Magic


def callers_namespace() -> dict[str, Any]:
    """The globals of the code that called the function that asks."""
    return sys._getframe(2).f_globals


def line_of(magic: Magic, given: Mapping[str, Any], without: Collection[str]) -> SimpleNamespace:
    """What a line of the magic would say, from the options that a program gives as values; quiet unless it says so.

    Args:
        without: options of the line that the twin has not, or takes in another form.

    Raises:
        TypeError: an option that there is not.
    """
    known = {one.name: False if one.values == 0 else None for one in magic.arguments if one.name not in without}
    unknown = sorted(set(given) - set(known))
    if unknown:
        twin = magic.name.removeprefix("ray_")
        raise TypeError(f"{twin}() has no option {unknown[0]!r}; it takes those of {magic.title()}")
    return SimpleNamespace(**{**known, "quiet": True, **given})
