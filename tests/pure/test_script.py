"""The text of plain scripts, without a cluster: what a cell becomes, how names are set, what comes back."""

from __future__ import annotations

import ast
import linecache
from typing import Any

import numpy as np
import pytest

from ray_magics.cell.in_place import uses_of
from ray_magics.cell.reader import read_cell
from ray_magics.line.parsers import for_clause
from ray_magics.ship import definitions
from ray_magics.ship.captures import find_captures
from ray_magics.ship.cell_text import executed, indented, split_value, with_future_first
from ray_magics.ship.pickles import LONGEST, sharing_groups
from ray_magics.ship.script import setting
from ray_magics.verbs.remote.options import RemoteOptions
from ray_magics.verbs.remote.plan import make_plan
from ray_magics.verbs.remote.script import script


def notebook(code: str, **names: Any) -> dict[str, Any]:
    """The namespace after a cell, whose functions have a source as in a notebook."""
    file = f"<cell {abs(hash(code))}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "__main__", **names}
    exec(compile(code, file, "exec", dont_inherit=True), namespace)
    return namespace


def script_of(cell: str, namespace: dict[str, Any] | None = None, **options: Any) -> str:
    namespace = {} if namespace is None else namespace
    text = script(make_plan(read_cell(cell), RemoteOptions(**options), namespace), namespace, cell)
    compile(text, "script", "exec", dont_inherit=True)
    return text


def set_by(cell: str, namespace: dict[str, Any]) -> str:
    return "\n\n".join(setting(find_captures(read_cell(cell), namespace).found, namespace))


# --- the text of the cell -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "value"),
    [
        pytest.param("x = 1", "", id="none"),
        pytest.param("x = 1; x + 1", "x + 1", id="after a semicolon"),
        pytest.param("n, log", "(n, log)", id="tuple"),
        pytest.param("(n, log)", "(n, log)", id="tuple in parentheses"),
        pytest.param("(n), (log)", "((n), (log))", id="tuple of parentheses"),
        pytest.param("(y := 3)", "(y := 3)", id="walrus"),
        pytest.param("(1 +\n 2)", "(1 +\n 2)", id="two lines"),
        pytest.param("(i for i in x)", "(i for i in x)", id="generator"),
    ],
)
def test_the_value_of_a_cell_may_stand_in_a_tuple(code: str, value: str) -> None:
    assert split_value(code)[1] == value
    assert not value or len(ast.parse(f"f({value}, 0)", mode="eval").body.args) == 2  # type: ignore[attr-defined]


def test_the_lines_of_a_text_are_not_indented() -> None:
    assert indented("t = '''a\n  b'''\nf(\n'c')") == "    t = '''a\n  b'''\n    f(\n    'c')"


def test_code_that_is_run_as_text_finds_the_names_and_leaves_its_value() -> None:
    found: dict[str, Any] = {"k": 2}
    exec(executed("t = '''a\n  b'''\nk, t", is_async=False, names=["k"]), found)
    assert found["namespace"]["__value__"] == (2, "a\n  b")
    exec(executed("import asyncio\nawait asyncio.sleep(0, k)", is_async=True, names=["k"]), found)
    assert found["namespace"]["__value__"] == 2


@pytest.mark.parametrize(
    "code",
    [
        "x = 1\nfrom __future__ import annotations\ny = 2",
        "def f():\n    from __future__ import annotations\n    return 1",
        "def f():\n    from __future__ import annotations\n",
        "def f():\n    from __future__ import annotations; x = 1\n    return x",
        "def f():\n    from __future__ import (\n        annotations,\n    )\n    return 1",
    ],
)
def test_future_imports_stand_at_the_top(code: str) -> None:
    text = with_future_first(code)
    compile(text, "script", "exec", dont_inherit=True)
    assert text.startswith("from __future__ import annotations\n") and text.count("__future__") == 1


def test_a_text_that_mentions_the_future_stays_as_it_is() -> None:
    assert with_future_first("x = 'from __future__ import y'") == "x = 'from __future__ import y'"


# --- names of the notebook ------------------------------------------------------------------------------------------


def test_values_that_share_parts_are_set_from_one_pickle() -> None:
    a: list[Any] = []
    found: dict[str, Any] = {}
    exec(set_by("a, b, c", {"a": a, "b": {"inside": a}, "c": [1]}), found)
    assert found["b"]["inside"] is found["a"] and found["c"] == [1]


def test_what_cannot_change_is_not_shared() -> None:
    text, numbers = "long enough", (1, 2)
    names = {
        "a": [text, numbers, int, np.float64],
        "b": [text, numbers, int, np.float64],
        "x": np.zeros(2),
        "y": np.ones(2),
    }
    assert sharing_groups(names, names) == []


def test_a_long_value_is_a_file_beside_the_script() -> None:
    text = set_by("noise", {"noise": np.random.default_rng(0).random(LONGEST)})
    assert "save it in the notebook: import pickle; pickle.dump(noise, open('noise.pkl', 'wb'))" in text
    assert "noise = pickle.load(open('noise.pkl', 'rb'))" in text and len(text) < 300


def test_definitions_stand_below_what_they_need() -> None:
    code = "def wrap(f):\n    return f\nclass Base:\n    def m(self): pass\n@wrap\nclass Own(Base):\n    def n(self): pass\n"
    text = set_by("Own()", notebook(code))
    assert text.index("def wrap") < text.index("class Own") and text.index("class Base") < text.index("class Own")
    exec(text, {})


def test_second_names_lambdas_and_closures_have_what_they_need() -> None:
    code = "def f():\n    return 1\ng = f\nh = lambda: 2\ndef make(k):\n    def inner():\n        return k\n    return inner\ni = make(3)"
    found: dict[str, Any] = {}
    exec(set_by("g(), h(), i()", notebook(code)), found)
    assert [found[name]() for name in "ghi"] == [1, 2, 3]


def test_functions_with_annotations_as_text_bring_the_future_import() -> None:
    space = notebook("from __future__ import annotations\ndef f(x: Unknown): return x")
    assert set_by("f(1)", space).startswith("from __future__ import annotations")


def test_what_a_package_offers_is_imported_from_there() -> None:
    assert definitions.importing("T", ast.NodeVisitor) == "from ast import NodeVisitor as T"
    assert definitions.importing("array", np.array) == "from numpy import array"
    assert definitions.importing("x", 3) == ""


# --- what the cell changes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "written", "methods", "functions"),
    [
        pytest.param("x[0] = 1", True, (), (), id="item"),
        pytest.param("del x.y[0]", True, (), (), id="deletion"),
        pytest.param("x += [1]", True, (), (), id="augmented"),
        pytest.param("y = x\ny[0] = 1", True, (), (), id="alias"),
        pytest.param("for y in x: y.z = 1", True, (), (), id="loop"),
        pytest.param("[f(y) for y in x]", False, (), ("f",), id="comprehension"),
        pytest.param("x.fit(3)", False, ("fit",), (), id="method"),
        pytest.param("y = x.get(1)\ny.a = 1", True, ("get",), (), id="part"),
        pytest.param("f([x])", False, (), ("f",), id="passed on in a list"),
        pytest.param("len(x) + x[0] < x", False, (), (), id="read"),
        pytest.param("x, x[0] is y", False, (), (), id="shown"),
        pytest.param("for i, y in enumerate(x): y.append(1)", False, ("append",), (), id="enumerated"),
    ],
)
def test_the_source_says_what_happens_to_an_object(
    code: str, written: bool, methods: tuple[str, ...], functions: tuple[str, ...]
) -> None:
    use = uses_of([code], ["x"])["x"]
    assert (use.written, use.methods, use.functions) == (written, frozenset(methods), frozenset(functions))


@pytest.mark.parametrize(
    ("cell", "returned"),
    [
        pytest.param("xs.append(1)", "return {'xs': xs}, xs.append(1)", id="method"),
        pytest.param("sum(xs)", "return sum(xs)", id="read"),
        pytest.param("shuffle(xs)", "return {'xs': xs}, shuffle(xs)", id="passed on"),
        pytest.param("z.sum()", "return z.sum()", id="array"),
        pytest.param("z[0] = 1", "return {'z': z}, None", id="array that is written"),
        pytest.param("k + 1", "return k + 1", id="number"),
    ],
)
def test_what_a_cell_changes_in_place_comes_back(cell: str, returned: str) -> None:
    text = script_of(cell, {"xs": [3], "z": np.zeros(3), "k": 1, "shuffle": print})
    assert returned in text and ("copy.deepcopy" in text) == ("'z'" in returned)


def test_a_simple_cell_has_a_simple_script() -> None:
    assert script_of("y = k + 1\ny", {"k": 3}).splitlines()[4:] == [
        "ray.init()",
        "",
        "@ray.remote",
        "def cell(k):",
        "    y = k + 1",
        "    return {'y': y}, y",
        "",
        "names, result = ray.get(cell.remote(k))",
        "globals().update(names)",
        "if result is not None:",
        "    print(result)",
    ]


def test_a_helper_that_rebinds_a_global_finds_it_and_it_comes_back() -> None:
    text = script_of("hit()", notebook("n = 0\ndef hit():\n    global n\n    n += 1"))
    assert "    global n\n    (n,) = captured\n    __value__ = hit()\n    return {'n': n}, __value__\n" in text


def test_nothing_is_printed_of_a_cell_that_only_prints() -> None:
    assert "print(result)" not in script_of("print(3)") and "is not None" in script_of("f = 3\nf")


def test_exceptions_are_kept_in_their_places() -> None:
    items = for_clause("x in range(3)", "--for")
    text = script_of("1 / x", items=items, on_error="keep")
    assert "result = [outcome(ref) for ref in [cell.remote(x) for x in range(3)]]" in text
    assert "outcome" not in script_of("1 / x", items=items)
