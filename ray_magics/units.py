"""How numbers are written everywhere: sizes in binary units, as Ray's dashboard has them; the rest in four digits.

`labextension/src/core/format.ts` writes them alike; `tests/data/format.json` binds the two.
"""

from __future__ import annotations

import math
import re

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size_text(nbytes: float) -> str:
    """Bytes for people: 3435973837 -> "3.2 GiB"; 512 * 2**20 -> "512 MiB"."""
    amount, step = float(nbytes), 0
    while amount >= 999.5 and step < len(_UNITS) - 1:
        amount, step = amount / 1024, step + 1
    digits = f"{math.floor(amount * 10 + 0.5) / 10:.1f}" if step and amount < 9.95 else f"{math.floor(amount + 0.5)}"
    return f"{digits.removesuffix('.0')} {_UNITS[step]}"


def size_argument(nbytes: float) -> str:
    """Bytes as an option of a magic takes them: 4 * 2**30 -> "4GiB"."""
    return size_text(nbytes).replace(" ", "")


def number_text(value: float) -> str:
    """Four digits, and whole numbers whole: 0.123456 -> "0.1235", 0.00001 -> "1e-5", 65536.0 -> "65536"."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    if abs(value) < 1e9 and (abs(value) >= 1000 or value == int(value)):
        return f"{value:.0f}"
    return re.sub(r"e([-+])0*", lambda sign: f"e{sign[1].strip('+')}", f"{value:.4g}")
