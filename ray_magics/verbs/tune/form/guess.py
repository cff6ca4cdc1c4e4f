"""A first guess at the space: the parameters that the code reads from its configuration."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from ..config_keys import code_of, reads
from ..space import CONSTANT
from ..trainable import CONFIG
from .parameter import Parameter
from .state import FormState


def guessed_rows(state: FormState, trainable: Any = None) -> FormState:
    """The state with a row for each parameter that the code reads from `config`, where the line names no space.

    ``config["lr"]`` -> a range to fill in; ``config.get("width", 32)`` -> the constant 32.
    """
    if state.rows:
        return state
    rows: dict[str, Parameter] = {}
    for key, default in reads(*_code_of(state, trainable)):
        if default or key not in rows:
            rows[key] = Parameter(key, CONSTANT, (default,)) if default else Parameter(key)
    inner = [row for row in rows.values() if not any(other.startswith(f"{row.key}.") for other in rows)]
    return replace(state, rows=tuple(inner))


def _code_of(state: FormState, trainable: Any) -> tuple[ast.Module, str]:
    if state.cell is None:
        return code_of(trainable)
    try:
        return ast.parse(state.cell), CONFIG
    except SyntaxError:
        return ast.Module([], []), CONFIG
