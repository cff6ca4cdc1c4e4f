"""Which definitions of a cell become remote."""

from __future__ import annotations

import pytest

from ray_magics.cell.reader import read_cell
from ray_magics.errors import UsageError
from ray_magics.line.parsers import for_clause, pool_clause
from ray_magics.verbs.remote.definitions import choose_remote
from ray_magics.verbs.remote.options import RemoteOptions
from ray_magics.verbs.remote.plan import make_plan


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        ("def f(): pass\ndef g(): pass\nclass A: pass", "f g A"),
        ("def helper(x): return x\ndef area(x): return helper(x)", "area"),
        ("def helper(x): return x\ndef area(xs): return list(map(helper, xs))", "area"),
        ("def fib(n): return fib(n - 1)", "fib"),
        ("def f(): pass\ndef g(): return ray.get(f.remote())", "f g"),
        ("class Base: pass\nclass Child(Base): pass", "Child"),
        ("class Mine(ValueError): pass\nclass Worse(Mine): pass\ndef f(): raise Mine", "f"),
        ("from enum import Enum\nclass Color(Enum):\n    RED = 1", ""),
        ("import enum\nclass Color(enum.IntEnum):\n    RED = 1\ndef f(): pass", "f"),
        ("@dataclass\nclass Point:\n    x: int", ""),
        ("@dataclasses.dataclass(frozen=True)\nclass Point:\n    x: int\ndef f(p: Point) -> Point: pass", "f"),
        ("class Row(TypedDict):\n    x: int\nclass Pair(NamedTuple):\n    x: int\ndef f(): pass", "f"),
        ("class Net(nn.Module): pass\nclass Digits(torch.utils.data.Dataset): pass\nclass Trainer: pass", "Trainer"),
        ("class Account: pass\ndef use(account: Account): pass", "Account use"),
        ("class Node: pass\ndef grow(): return Node()", "grow"),
        ("@ray.remote\ndef f(): return helper()\ndef helper(): pass\nclass A: pass", "f"),
        ("@ray.remote(num_cpus=2)\nclass A: pass\ndef f(): pass", "A"),
        ("def timed(f): return f\n@timed\ndef work(): pass", "work"),
        ("def helper(): pass\ndef f(helper): return helper()", "helper f"),
        ("class E(KeyboardInterrupt): pass\nclass S(StopIteration): pass\nclass M(enum.EnumMeta): pass", ""),
        ("class Shape(Protocol): pass\nclass Square(Shape): pass", "Square"),
        ("def is_a(x): return isinstance(x, Shape)\nclass Shape: pass", "is_a"),
    ],
)
def test_what_would_break_stays_plain(source: str, remote: str) -> None:
    found = choose_remote(source)
    assert found.remote == tuple(remote.split())
    assert {*found.remote, *found.plain} == {*read_cell(source).functions, *read_cell(source).classes}


def test_only_says_which() -> None:
    found = choose_remote("def f(): return g()\ndef g(): pass\nclass A: pass", only=["g"])
    assert found.remote == ("g",) and found.plain == ("f", "A")


@pytest.mark.parametrize(
    ("source", "options", "wrong"),
    [
        ("def f(): pass", {"only": ("g",)}, '--only .* "g" is not among these'),
        ("x = 1", {"only": ("x",)}, "--only .* this cell runs"),
        ("def f(): pass", {"actor": {"max_restarts": 1}}, "--max-restarts is an option of actors"),
        ("x = 1", {"actor": {"name": "a"}}, "--name is an option of actors"),
        ("class E(Exception): pass", {"actor": {"lifetime": "detached"}}, "--lifetime is an option of actors"),
        (
            "class A: pass\nclass B: pass",
            {"actor": {"name": "a"}},
            "--name goes to one actor class, and the cell has A, B",
        ),
    ],
)
def test_options_that_make_no_sense_are_mistakes(source: str, options: dict[str, object], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        make_plan(read_cell(source), RemoteOptions(**options), {})  # type: ignore[arg-type]


EACH = for_clause("x in range(3)")


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"pool": pool_clause("int")}, "--pool goes with --for"),
        ({"items": EACH, "pool_size": 2}, "--pool-size goes with --pool"),
        ({"items": EACH, "pool": pool_clause("nowhere")}, '--pool: name "nowhere" is not defined'),
        ({"items": EACH, "pool": pool_clause("int(far)")}, '--pool: name "far" is not defined'),
        ({"items": EACH, "pool": pool_clause("int"), "ray": {"max_calls": 1}}, "--max-calls is an option of tasks"),
        ({"items": EACH, "pool": pool_clause("int"), "actor": {"name": "a"}}, "--name is an option of actors"),
    ],
)
def test_a_pool_that_makes_no_sense_is_a_mistake(options: dict[str, object], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        make_plan(read_cell("x"), RemoteOptions(**options), {"int": int})  # type: ignore[arg-type]


def test_the_object_of_a_pool_is_not_looked_for_in_the_notebook() -> None:
    options = RemoteOptions(items=EACH, pool=pool_clause("m=Model(weights)"))
    plan = make_plan(read_cell("m(x) + y"), options, {"Model": int, "weights": 1, "m": "other", "y": 2})
    assert plan.captures.names == ("y",) and plan.pool is not None and plan.pool.captures.names == ("Model", "weights")
