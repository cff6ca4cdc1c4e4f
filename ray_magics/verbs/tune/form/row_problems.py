"""What is wrong with the parameters of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..space import CONSTANT, KINDS, Assignment, space_assignment
from .field import EXPRESSION, Field, args_of, field_of, is_key, is_literal, normal_field, word_of
from .refusals import beside, refusal, refused_plan, unfit
from .runs_code import runs_code


def row_problems(rows: tuple[Field, ...], namespace: Mapping[str, Any]) -> tuple[dict[str, str], list[Assignment]]:
    """The mistakes of rows, by "row 0" …, and the words of those that are known to be right."""
    found: dict[str, str] = {}
    right: list[Assignment] = []
    for number, row in enumerate(rows):
        said = _repeated(row, rows[:number]) or _wrong_texts(row)
        if not said and not any(map(runs_code, args_of(row))):
            word = space_assignment(word_of(row))
            said = refused_plan(namespace, space=[word]) or refused_plan(namespace, space=[*right, word])
            if not said:
                right.append(word)
        if said:
            found[f"row {number}"] = beside("--space", said)
    return found, right


def _repeated(row: Field, before: tuple[Field, ...]) -> str:
    key = row.key.strip()
    taken = key and key in [other.key.strip() for other in before]
    return f'"{key}" is there already; drop one of them' if taken else ""


def _wrong_texts(row: Field) -> str:
    shown = word_of(row)
    said = unfit(shown) or _wrong_key(row) or _missing(row)
    return said or refusal(space_assignment, shown) or _not_as_it_stands(row, shown)


def _wrong_key(row: Field) -> str:
    key = row.key.strip()
    if row.kind != EXPRESSION and not key:
        return "the parameter needs a name, as lr or model.depth"
    return f'"{key}" is not a name; try lr or model.depth' if key and not is_key(key) else ""


def _missing(row: Field) -> str:
    args, key = args_of(row), row.key.strip()
    if all(args) and (args or row.kind == "randn"):
        return ""
    what = f'"{key}"' if key else "the parameter"
    if row.kind in KINDS:
        return f"{what} needs a value: {KINDS[row.kind].needs}, as {KINDS[row.kind].example}"
    return f"{what} needs a value, as 3, 'adam' or [1, 2]"


def _not_as_it_stands(row: Field, shown: str) -> str:
    """What a line would read in another way than the row says it."""
    if row.kind == EXPRESSION:
        return ""
    if row.kind == CONSTANT and not is_literal(text := args_of(row)[0]):
        return f"\"{text}\" is not a constant as 3, 'adam' or [1, 2]; for names and formulas choose {EXPRESSION}"
    if field_of(space_assignment(shown)) != normal_field(row):
        return f'"{shown}" does not have one value in each field'
    return ""
