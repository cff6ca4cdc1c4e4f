"""`python -m ray_magics.raylib`: each private name of Ray that is used, and whether the installed Ray has it.

The exit code is 1 if one is missing.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import import_module

from .. import raylib
from ..errors import RayApiMissing
from .private import TRIED_ON, private, ray_version


def private_names() -> Iterator[tuple[str, str]]:
    """(module of raylib, name) of all tables `PRIVATE`."""
    for module in pkgutil.iter_modules(raylib.__path__):
        if module.name != "__main__":
            table = getattr(import_module(f"{raylib.__name__}.{module.name}"), "PRIVATE", ())
            yield from ((module.name, name) for name in table)


def is_present(name: str) -> bool:
    """Whether the installed Ray has the object, or a class whose instances get an attribute of that name."""
    try:
        private(name)
    except RayApiMissing:
        return _is_instance_attribute(name)
    return True


def _is_instance_attribute(name: str) -> bool:
    owner, _, attribute = name.rpartition(".")
    try:
        kind = private(owner) if ":" in owner else None
    except RayApiMissing:
        return False
    if not inspect.isclass(kind):
        return False
    return any(_declares(base, attribute) for base in kind.__mro__[:-1])


def _declares(kind: type, attribute: str) -> bool:
    if attribute in getattr(kind, "__annotations__", {}) or attribute in getattr(kind, "model_fields", {}):
        return True
    try:
        return re.search(rf"\bself\.{attribute}\b[^=\n]*=(?!=)", inspect.getsource(kind)) is not None
    except (OSError, TypeError):
        return False


def main() -> int:
    names = [(module, name, is_present(name)) for module, name in private_names()]
    for module, name, present in names:
        print(f"{'ok     ' if present else 'MISSING'}  raylib.{module:<6}  {name}")
    missing = sum(not present for _, _, present in names)
    print(f"Ray {ray_version()} (tried on {TRIED_ON}) lacks {missing or 'none'} of {len(names)} private names.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
