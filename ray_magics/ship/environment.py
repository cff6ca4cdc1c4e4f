"""Where the notebook finds files and modules, so that workers find them, too."""

from __future__ import annotations

import os
import sys
from typing import Any


def notebook_environment() -> dict[str, Any]:
    """Where the notebook finds files and modules: its folder, its own import path, its local modules' files."""
    return {"cwd": os.getcwd(), "path": _own_path(), "modules": _local_modules()}


def _own_path() -> list[str]:
    """The entries of ``sys.path`` that are neither Python's nor an environment's; "" is the present folder."""
    foreign = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    return [entry or os.getcwd() for entry in sys.path if not entry.startswith(foreign)]


_judged: set[str] = set()
_own_modules: list[str] = []
_counted = 0


def _local_modules() -> dict[str, tuple[str, int, int]]:
    """Imported modules of the user's own: name -> (file, time of change in ns, bytes)."""
    global _counted
    if len(sys.modules) != _counted:
        new = [(name, module) for name, module in list(sys.modules.items()) if name not in _judged]
        _judged.update(name for name, _ in new)
        _own_modules.extend(name for name, module in new if _local(module))
        _counted = len(sys.modules)
    local = [name for name in _own_modules if name in sys.modules]
    return {name: stamp for name in local if (stamp := _stamp(sys.modules[name])) is not None}


def _local(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or module.__name__.partition(".")[0] == "ray_magics":
        return False
    foreign = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    return "site-packages" not in file and "dist-packages" not in file and not file.startswith(foreign)


def _stamp(module: Any) -> tuple[str, int, int] | None:
    try:
        facts = os.stat(module.__file__)
    except (OSError, TypeError):
        return None
    return module.__file__, facts.st_mtime_ns, facts.st_size
