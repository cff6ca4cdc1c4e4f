"""Gives a shell a magic, with its help and what Tab offers on its line."""

from __future__ import annotations

import functools
from typing import Any

from IPython.core.magic import no_var_expand

from .completion import offer_completions
from .options import Magic


def register_magic(shell: Any, magic: Magic) -> None:
    """Makes it a magic of this IPython shell; $name and {name} on its line stay as typed."""

    def run(line: str, cell: str | None = None) -> Any:
        return magic(line, cell)

    functools.update_wrapper(run, magic.function)
    run.__name__, run.__doc__ = magic.name, magic.help
    shell.register_magic_function(no_var_expand(run), magic.kind, magic.name)
    offer_completions(shell, magic)
