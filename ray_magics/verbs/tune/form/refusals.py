"""What the magic itself would refuse, as a sentence to stand beside a field; "" if nothing is wrong."""

from __future__ import annotations

import unicodedata
from argparse import Namespace as Line
from collections.abc import Callable, Mapping
from typing import Any

from ....cell.reader import read_cell
from ....errors import UsageError
from ..magic import plan_of, ray_tune
from ..plan import Trainable, cell_trainable


def refusal(call: Callable[..., Any], *given: Any, **named: Any) -> str:
    """The sentence of the mistake that a call raises."""
    try:
        call(*given, **named)
    except UsageError as error:
        return str(error)
    except (RecursionError, MemoryError):
        return "is nested too deeply"
    return ""


def refused_plan(namespace: Mapping[str, Any], **given: Any) -> str:
    """The sentence of what is wrong with the plan of a line that says just this."""
    return refusal(check_plan, namespace, nothing_to_run(), **given)


def check_plan(namespace: Mapping[str, Any], trainable: Trainable, **given: Any) -> None:
    """Makes the plan of a line that says just this, for its mistakes. Raises UsageError."""
    blank = vars(ray_tune.parse("") or Line())
    plan_of(Line(**{**blank, **given}), trainable, dict(namespace))


def nothing_to_run() -> Trainable:
    """Stands for what runs, where that is not known without a call."""
    return cell_trainable(read_cell("0"), {})


def unfit(text: str) -> str:
    """What no line can hold: a line break and its like, and two hyphens alone, which argparse drops."""
    if text == "--":
        return 'is not what a line can hold: "--"'
    for char in text:
        if char != "\t" and unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
            return f"has a character that a line cannot hold: {char!r}"
    return ""


def beside(flag: str, sentence: str) -> str:
    """A sentence that stands beside its field: ``--seed: "x" is … try --seed 3`` -> ``"x" is … try 3``"""
    return sentence.removeprefix(f"{flag}: ").replace(f"try {flag} ", "try ")
