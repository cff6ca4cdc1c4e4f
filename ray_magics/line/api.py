"""What the Python functions of the verbs share: the options of a magic as keyword arguments."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import fields
from types import SimpleNamespace
from typing import Any, TypeVar

from .options import Magic

T = TypeVar("T")


def callers_namespace() -> dict[str, Any]:
    """The globals of the code that called the API function that calls this."""
    return sys._getframe(2).f_globals


def record_of(kind: type[T], line: Any, **more: Any) -> T:
    """The options of a parsed line as a record, whose fields have the names of the options; `more` are other fields."""
    names = [field.name for field in fields(kind) if field.name not in more]  # type: ignore[arg-type]
    return kind(**{name: getattr(line, name) for name in names}, **more)


def record_from(kind: type[T], function: str, given: Mapping[str, Any], **more: Any) -> T:
    """The same from what a program gives the Python function `function`; quiet unless it says otherwise.

    Raises TypeError for an option that there is not.
    """
    known = {field.name for field in fields(kind)} - {*more}  # type: ignore[arg-type]
    for name in sorted({*given} - known):
        raise TypeError(f"{function}() has no option {name!r}; it takes those of %%ray_{function}")
    return kind(**{"quiet": True, **given, **more})


def line_of(magic: Magic, given: Mapping[str, Any], without: Collection[str]) -> SimpleNamespace:
    """The options of a line, from the keyword arguments of the Python API; quiet unless these say otherwise.

    Args:
        given: the keyword arguments.
        without: options of the line that the Python function has not, or takes in another form.

    Raises:
        TypeError: an option that there is not.
    """
    defaults = {arg.name: False if arg.values == 0 else None for arg in magic.arguments if arg.name not in without}
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        function = magic.name.removeprefix("ray_")
        raise TypeError(f"{function}() has no option {unknown[0]!r}; it takes those of {magic.title()}")
    return SimpleNamespace(**{**defaults, "quiet": True, **given})
