"""A verb's package is callable: ``ray_magics.remote(...)`` is the Python twin of ``%%ray_remote``."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

from .options import Magic


class Verb(ModuleType):
    """The package of a verb; calling it calls the function of the package's own name in its module `call`."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """As the twin; names are those of the caller's globals unless `namespace` is given."""
        options.setdefault("namespace", sys._getframe(1).f_globals)
        twin = getattr(import_module(f"{self.__name__}.call"), self.__name__.rpartition(".")[2])
        return twin(*arguments, **options)


def make_callable(package: str) -> None:
    """Called once by the package itself."""
    sys.modules[package].__class__ = Verb


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
