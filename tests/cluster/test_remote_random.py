"""Random small programs end with the same names and values, or the same error, here and through ``%%ray_remote``."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Shell

NAMES = ("a", "b", "c", "d")
START = {"a": 3, "b": [1, 2, 3], "c": {"k": 1}, "d": "text"}
ADDRESS = re.compile(r"at 0x[0-9a-f]+")  # of a function: its own in every process
HELPERS = "def twice(v):\n    return v * 2\ndef reads_a():\n    return a\nclass Box:\n    def __init__(self, v):\n        self.v = v\n    def __eq__(self, other):\n        return type(other).__name__ == 'Box' and self.v == other.v"

names = st.sampled_from(NAMES)
atoms = st.one_of(names, st.integers(-3, 9).map(str), st.sampled_from(["'s'", "None", "[4, 5]", "(a, b)", "len(b)"]))


@st.composite
def expressions(draw: Any, depth: int = 2) -> str:
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return str(draw(atoms))
    inner = expressions(depth - 1)
    one, two = draw(inner), draw(inner)
    template = draw(
        st.sampled_from(
            [
                "({0} + {1})",
                "({0} * 2)",
                "[{0}, {1}]",
                "twice({0})",
                "reads_a()",
                "Box({0}).v",
                "[x for x in b if x != {0}]",
                "(lambda v: [v, {0}])({1})",
                "({0} if {1} else a)",
                "({{'k': {0}}} | {{'j': {1}}})",
                "sorted(map(str, [{0}, {1}]))",
                "(n := {0})",
                "f'{{{0}}}-{{a}}'",
            ]
        )
    )
    return str(template.format(one, two))


@st.composite
def statements(draw: Any, depth: int = 2) -> str:
    value, name, other = draw(expressions()), draw(names), draw(names)
    simple = [
        f"{name} = {value}",
        f"{name}, {other} = {value}, {other}",
        f"{name} += {value}",
        f"del {name}",
        f"c['new'] = {value}",
        f"b[0] = {value}",
        f"import math as {name}",
        f"def {name}(v=1):\n    return [v, str({other})[:4]]",
        f"{name} = Box({value})",
        f"assert {value}",
        f"*{name}, last = b",
        f"{name}: int = {value}",
    ]
    if depth == 0:
        return str(draw(st.sampled_from(simple)))
    body = draw(statements(depth - 1)).replace("\n", "\n    ")
    compound = [
        f"if {value}:\n    {body}",
        f"for {name} in b:\n    {body}",
        f"try:\n    {body}\nexcept Exception as e:\n    {name} = type(e).__name__",
        f"match {value}:\n    case [x, *{name}]:\n        pass\n    case {other}:\n        pass",
        f"for i in range(2):\n    if i:\n        continue\n    {body}\nelse:\n    {name} = {value}",
    ]
    return str(draw(st.sampled_from(simple + compound)))


programs = st.lists(statements(), min_size=1, max_size=4).map("\n".join)


def outcome(shell: Shell, cell: str) -> tuple[Any, ...]:
    """The names and values after a cell, and how it ended."""
    shell.ip.reset(new_session=True, aggressive=False)
    before = set(shell.ns)
    shell.run("\n".join(f"{name} = {value!r}" for name, value in START.items()))
    shell.run(HELPERS)
    result = shell.ip.run_cell(cell, store_history=False, silent=True)
    error = result.error_in_exec or result.error_before_exec
    ended = (type(error).__name__, str(error.args)) if error else ("fine", portrait(result.result))
    found = {
        name: portrait(value) for name, value in shell.ns.items() if name not in before and not name.startswith("_")
    }
    return ended, found


def portrait(value: Any, depth: int = 4) -> Any:
    """A value as something that compares: functions by what they return, objects by what they hold."""
    if depth == 0:
        return type(value).__name__
    if callable(value) and hasattr(value, "__code__"):
        try:
            return "function", portrait(value(), depth - 1)
        except Exception as error:
            return "function", type(error).__name__
    if type(value).__name__ == "Box":
        return "Box", portrait(value.v, depth - 1)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [portrait(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {key: portrait(item, depth - 1) for key, item in value.items()}
    return type(value).__name__ if isinstance(value, type) else ADDRESS.sub("at 0x...", repr(value))


@settings(max_examples=40, report_multiple_bugs=False, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs)
def test_a_program_ends_the_same_here_and_there(notebook: Shell, program: str) -> None:
    here = outcome(notebook, program)
    there = outcome(notebook, f"%%ray_remote --run --quiet\n{program}")
    if here[0][0] == "fine":
        assert there == here
    else:  # what a failing cell had assigned until then stays on the worker
        assert there[0][0] == here[0][0]
