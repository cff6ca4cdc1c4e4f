"""A verb's package is callable: ``ray_magics.remote(...)`` is the Python twin of ``%%ray_remote``."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


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
