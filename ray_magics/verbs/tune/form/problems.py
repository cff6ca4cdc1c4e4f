"""What is wrong with a state, while one types: each control shows what the magic says of a line with it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ....line.options import option_of
from .parameter import Parameter
from .refusals import beside, line_refusal, plan_refusal, text_refusal
from .row_problems import NOTHING_WRONG, row_problems
from .state import TEXTS, FormState

_TOGETHER = ("metric", "mode", "num_samples", "scheduler", "search")  # with others, see `_parts`
_ANY_RANGE = Parameter("_", "uniform", ("0", "1"))  # stands for rows that are not known yet


def problems(state: FormState, namespace: Mapping[str, Any]) -> dict[str, str]:
    """Every mistake as the line would report it, by control: "metric", "row 0", "trainable" …; "line" for all of it."""
    texts = {name: getattr(state, name) for name in ("trainable", *TEXTS)}
    mistakes = {name: problem for name, text in texts.items() if (problem := text_refusal(name, text))}
    row_mistakes, right = row_problems(state.rows, namespace)
    for name, part in _parts(state, right):
        if name not in mistakes and part != NOTHING_WRONG and (problem := plan_refusal(part, namespace)):
            mistakes[name] = beside(option_of(name), problem)
    mistakes |= row_mistakes
    if not mistakes and (problem := line_refusal(state)):
        mistakes["line"] = problem
    return mistakes


def _parts(state: FormState, right: tuple[Parameter, ...]) -> Iterator[tuple[str, FormState]]:
    """The controls, and for each a state whose only mistakes are those of this control."""
    metric, mode = state.metric.strip(), state.mode.strip()
    compared: dict[str, Any] = {"metric": "metric", "mode": "min"} if metric else {}
    yield "trainable", FormState(state.trainable, state.cell)
    yield "metric", replace(NOTHING_WRONG, metric=metric, mode="min" if metric else mode)
    yield "mode", replace(NOTHING_WRONG, metric=metric or (mode and "metric"), mode=mode)
    budget = "1" if state.time_budget_s.strip() else ""
    yield "num_samples", replace(NOTHING_WRONG, num_samples=state.num_samples, time_budget_s=budget)
    for name in TEXTS:
        if name not in _TOGETHER:
            texts: dict[str, Any] = {name: getattr(state, name)}
            yield name, replace(NOTHING_WRONG, **texts)
    unknown = (_ANY_RANGE,) if len(right) < len(state.rows) else ()
    yield "scheduler", replace(NOTHING_WRONG, rows=(*right, *unknown), scheduler=state.scheduler, **compared)
    yield "search", replace(NOTHING_WRONG, rows=right, search=state.search, **compared)
