"""The scale of a range, drawn."""

from __future__ import annotations

import ast
import math

from ..space import BOUNDED_KINDS, LOG_KINDS
from .parameter import Parameter


def picture(parameter: Parameter) -> str:
    """The scale of a range with its ticks, as HTML; "" for what has none."""
    if parameter.kind not in BOUNDED_KINDS:
        return ""
    scale = "log" if parameter.kind in LOG_KINDS else "linear"
    ticks = "".join(f'<path d="M{4 + 72 * at:.1f} {2 if long else 6}V12"/>' for at, long in _ticks(parameter))
    svg = f'<svg width="80" height="14" stroke="currentColor" aria-hidden="true"><path d="M4 12H76"/>{ticks}</svg>'
    label = f'role="img" aria-label="{scale} scale" title="{scale} scale"'
    return f'<span class="ray-magics-form-scale" {label}>{svg}</span>'


def _ticks(parameter: Parameter) -> list[tuple[float, bool]]:
    """Where ticks are, from 0 to 1, and which of them are long."""
    if parameter.kind not in LOG_KINDS:
        return [(step / 10, step % 5 == 0) for step in range(11)]
    low, high = (_number(arg) for arg in (*parameter.args, "", "")[:2])
    return _powers_of_ten(low, high) if 0 < low < high < math.inf else []


def _powers_of_ten(low: float, high: float) -> list[tuple[float, bool]]:
    """Long ticks at powers of ten and short ones between them, as many as there is room for."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first > 40:
        return [(0.0, True), (1.0, True)]
    steps = (1, 2, 4, 6, 8) if last - first < 7 else (1,)
    values = [(step * 10.0**power, step == 1) for power in range(first, last + 1) for step in steps]
    width = math.log(high / low)
    return [(math.log(value / low) / width, long) for value, long in values if low <= value <= high]


def _number(text: str) -> float:
    try:
        return float(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, TypeError, OverflowError, RecursionError, MemoryError):
        return math.nan
