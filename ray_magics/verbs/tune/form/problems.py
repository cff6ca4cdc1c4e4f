"""What is wrong with a state, while one types.

Nothing of the user's is called and Ray is not imported: what only a call can tell is told by Start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....cell.reader import read_cell
from ....line.options import tokenize
from ..magic import ray_tune
from ..plan import Trainable, cell_trainable, named_trainable
from ..space import Assignment, stop_assignment
from .line import arguments, stop_words
from .refusals import beside, check_plan, nothing_to_run, refusal, refused_plan, unfit
from .row_problems import row_problems
from .runs_code import runs_code
from .state import TEXTS, FormState, flag_of

Names = Mapping[str, Any]
_ANY = Assignment("_", "uniform(0, 1)")  # stands for rows that are not known yet


def problems(state: FormState, namespace: Names) -> dict[str, str]:
    """Every mistake as the line would tell it, by field: "metric", "row 0", "trainable" …; "line" for all of it."""
    found = {name: said for name in TEXTS if (said := _wrong_text(name, getattr(state, name)))}
    if said := _wrong_trainable(state, namespace):
        found["trainable"] = said
    rows, right = row_problems(state.rows, namespace)
    found |= rows
    for name, said in _contradictions(state, right, found, namespace):
        if said:
            found.setdefault(name, beside(flag_of(name), said))
    if not found and (said := refusal(ray_tune.parse, arguments(state), state.cell is not None)):
        found["line"] = said
    return found


def _wrong_text(name: str, text: str) -> str:
    option = ray_tune.options[flag_of(name)]
    if not text.strip() or unfit(text):
        return unfit(text)
    if name == "stop":
        said = refusal(lambda: [option.read(word.text) for word in tokenize(text)])
    else:
        said = refusal(option.read, text) if option.parser else ""
    return beside(flag_of(name), said)


def _wrong_trainable(state: FormState, namespace: Names) -> str:
    if state.cell is None and (not state.trainable.strip() or unfit(state.trainable)):
        return unfit(state.trainable) or "needs something to run: %ray_tune TRAINABLE"
    return refusal(lambda: check_plan(namespace, _trainable(state, namespace)))


def _trainable(state: FormState, namespace: Names) -> Trainable:
    """What runs, as far as it is known without a call. Raises UsageError."""
    if state.cell is not None:
        try:
            return cell_trainable(read_cell("\n" + state.cell), namespace)
        except SyntaxError:  # IPython's own syntax, which Start transforms
            return nothing_to_run()
    given = ray_tune.arguments[0].read(state.trainable)
    if runs_code(given.text):
        return nothing_to_run()
    return named_trainable(given.text, given.evaluate(namespace, "TRAINABLE"), namespace)


def _contradictions(
    state: FormState, right: list[Assignment], found: Mapping[str, str], namespace: Names
) -> Iterator[tuple[str, str]]:
    """What options say against each other, against the space and against this machine; "" for what is right."""
    metric, mode = state.metric.strip(), state.mode.strip()
    yield "metric" if mode and not metric else "mode", refused_plan(namespace, metric=metric, mode=mode)
    for name in ("storage_path", "name"):
        yield name, refused_plan(namespace, **{name: getattr(state, name) or None})
    if "stop" not in found:
        yield "stop", _wrong_stop(state, namespace)
    for name in ("scheduler", "search"):
        if name not in found and getattr(state, name).strip():
            yield name, _wrong_algorithm(state, name, right, namespace)


def _wrong_stop(state: FormState, namespace: Names) -> str:
    words = tuple(map(stop_assignment, stop_words(state.stop)))
    return "" if any(runs_code(word.text) for word in words) else refused_plan(namespace, stop=words)


def _wrong_algorithm(state: FormState, name: str, right: list[Assignment], namespace: Names) -> str:
    """What is wrong with a short name and its parameters; an object, which may be Ray's, is left to Start."""
    named = ray_tune.options[flag_of(name)].read(getattr(state, name))
    if not named.name or any(runs_code(value) for _, value in named.keywords):
        return ""
    unknown = [_ANY] if name == "scheduler" and len(right) < len(state.rows) else []
    compares = {"metric": "metric", "mode": "min"} if state.metric.strip() else {}
    return refused_plan(namespace, space=[*right, *unknown], **{name: named}, **compares)
