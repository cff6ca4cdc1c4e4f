"""What is wrong with the parameters of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..space import CONSTANT, KINDS, is_key, is_literal, space_assignment
from .parameter import EXPRESSION, Parameter, args_of, assignment_text, normal_parameter, parameter_of
from .refusals import beside, is_known, line_refusal, plan_refusal, text_refusal
from .state import FormState

NOTHING_WRONG = FormState(cell="0")


def row_problems(
    rows: tuple[Parameter, ...], namespace: Mapping[str, Any]
) -> tuple[dict[str, str], tuple[Parameter, ...]]:
    """The mistakes of rows, by "row 0" …, and the rows that are known to be right."""
    mistakes: dict[str, str] = {}
    right: tuple[Parameter, ...] = ()
    for number, row in enumerate(rows):
        problem = _repeated(row, rows[:number]) or _problem_of_texts(row) or _problem_of_values(row, right, namespace)
        if problem:
            mistakes[f"row {number}"] = beside("--space", problem)
        elif is_known(row):
            right = (*right, row)
    return mistakes, right


def is_unfilled(row: Parameter) -> bool:
    """Whether the name or a value is not there yet, and all that is there may stay."""
    return bool(_missing(row)) and _problem_of_texts(row) == _missing(row)


def _repeated(row: Parameter, before: tuple[Parameter, ...]) -> str:
    key = row.key.strip()
    taken = key and key in [other.key.strip() for other in before]
    return f'"{key}" is there already; drop one of them' if taken else ""


def _problem_of_texts(row: Parameter) -> str:
    text = assignment_text(row)
    problem = text_refusal("space", text) or _problem_of_key(row) or _missing(row)
    return problem or line_refusal(replace(NOTHING_WRONG, rows=(row,))) or _not_as_it_stands(row, text)


def _problem_of_values(row: Parameter, right: tuple[Parameter, ...], namespace: Mapping[str, Any]) -> str:
    """Of the row, or of the row beside those that are right."""
    together = plan_refusal(replace(NOTHING_WRONG, rows=(*right, row)), namespace)
    return together and (plan_refusal(replace(NOTHING_WRONG, rows=(row,)), namespace) or together)


def _problem_of_key(row: Parameter) -> str:
    key = row.key.strip()
    return f'"{key}" is not a name; try lr or model.depth' if key and not is_key(key) else ""


def _missing(row: Parameter) -> str:
    args, key = args_of(row), row.key.strip()
    if row.kind != EXPRESSION and not key:
        return "the parameter needs a name, as lr or model.depth"
    kind = KINDS.get(row.kind)
    if all(args) and len(args) >= (kind.least if kind else 1):
        return ""
    what = f'"{key}"' if key else "the expression"
    if kind:
        return f"{what} needs {'' if args and all(args) else 'a value: '}{kind.needs}, as {kind.example}"
    return f"{what} needs a value, as 3, 'adam' or [1, 2]"


def _not_as_it_stands(row: Parameter, text: str) -> str:
    """What a line would read in another way than the row has it."""
    if row.kind == EXPRESSION:
        return ""
    if row.kind == CONSTANT and not is_literal(constant := args_of(row)[0]):
        return f"\"{constant}\" is not a constant as 3, 'adam' or [1, 2]; for names and formulas choose {EXPRESSION}"
    if parameter_of(space_assignment(text)) != normal_parameter(row):
        return f'"{text}" does not have one value in each field'
    return ""
