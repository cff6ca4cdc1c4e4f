"""Stands before the package of this name in all processes of the tests, and loads that when it is used.

Ray imports jsonschema, jsonschema imports this package where Jupyter has installed it, and the package builds a
grammar when it is imported: 1.6 of the 2.3 s of CPU that `import ray` takes, in every worker and every service of a
cluster, for a check of addresses that nobody asks for.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def is_valid_syntax(*arguments: Any, **more: Any) -> Any:
    """The real one."""
    sys.path.remove(os.path.dirname(__file__))
    del sys.modules[__name__]
    from rfc3987_syntax import is_valid_syntax as real

    return real(*arguments, **more)
