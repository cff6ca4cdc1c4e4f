"""What the magic itself would refuse, as a sentence to stand beside a control; "" if nothing is wrong.

Nothing of the user's is called and Ray is not imported: what only a call can find out is found by Start.
"""

from __future__ import annotations

import unicodedata
from argparse import Namespace as Line
from collections.abc import Callable, Mapping
from typing import Any

from ....cell.reader import read_cell
from ....errors import UsageError
from ....line.options import tokenize
from ..algorithms import AlgorithmText
from ..options import LINE
from ..plan import make_plan, read_options
from ..trainable import Trainable, cell_trainable, named_trainable
from .calls_code import calls_code
from .line import arguments
from .parameter import Parameter, args_of, parameter_of
from .state import FormState


def line_refusal(state: FormState) -> str:
    """What is wrong with the line of a state as far as its syntax goes."""
    return _refusal(lambda: _parse(state))


def plan_refusal(state: FormState, namespace: Mapping[str, Any]) -> str:
    """What is wrong with the line of a state, and with its plan as far as values are known without a call."""

    def plan() -> None:
        line = _parse(state)
        make_plan(read_options(_without_calls(line), dict(namespace)), _trainable(state, line, namespace))

    return _refusal(plan)


def _refusal(check: Callable[[], object]) -> str:
    """The sentence of the mistake that a check raises."""
    try:
        check()
    except UsageError as error:
        return str(error)
    except (RecursionError, MemoryError):
        return "is nested too deeply"
    return ""


def text_refusal(name: str, text: str) -> str:
    """What no line can hold in one option: a line break and its like, two hyphens alone, which argparse drops, and in
    the conditions of ``--stop`` a quote that is not closed."""
    if text == "--":
        return 'is not what a line can hold: "--"'
    for char in text:
        if char != "\t" and unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
            return f"has a character that a line cannot hold: {char!r}"
    return _refusal(lambda: list(tokenize(text))) if name == "stop" else ""


def beside(flag: str, sentence: str) -> str:
    """A sentence that stands beside its control: ``--seed: "x" is … try --seed 3`` -> ``"x" is … try 3``"""
    return sentence.removeprefix(f"{flag}: ").replace(f"try {flag} ", "try ")


def _parse(state: FormState) -> Line:
    return LINE.parse(arguments(state), state.cell is not None) or Line()


def _without_calls(line: Line) -> Line:
    """The line without the expressions that call code, and without objects, which may be Ray's."""
    space = [assignment for assignment in line.space or () if is_known(parameter_of(assignment))]
    stop = () if any(calls_code(condition.text) for condition in line.stop or ()) else line.stop
    algorithms = {name: _known_algorithm(getattr(line, name)) for name in ("scheduler", "search")}
    return Line(**{**vars(line), **algorithms, "space": space, "stop": stop})


def is_known(parameter: Parameter) -> bool:
    """Whether the values of a parameter are known without a call."""
    return not any(map(calls_code, args_of(parameter)))


def _known_algorithm(written: AlgorithmText | None) -> AlgorithmText | None:
    if written is None or not written.name or any(calls_code(value) for _, value in written.keywords):
        return None
    return written


def _trainable(state: FormState, line: Line, namespace: Mapping[str, Any]) -> Trainable:
    """What runs, as far as it is known without a call."""
    if state.cell is not None:
        try:
            return cell_trainable(read_cell("\n" + state.cell), namespace)
        except SyntaxError:  # IPython's own syntax, which Start transforms
            return _nothing_to_run()
    if calls_code(line.trainable.text):
        return _nothing_to_run()
    return named_trainable(line.trainable.text, line.trainable.evaluate(namespace, "TRAINABLE"), namespace)


def _nothing_to_run() -> Trainable:
    return cell_trainable(read_cell("0"), {})
