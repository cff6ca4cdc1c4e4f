"""After a cell the notebook is as if the cell had run in it: values, and which of them are the same objects."""

from __future__ import annotations

import collections
import copy
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.here_and_there import run_there

SETUP = """
import array, collections, random
import numpy as np
class Box:
    made = 0
    def __init__(self, v): self.v = v
    def put(self, v): self.v, self.old = v, self.v
class Slots:
    __slots__ = ("v", "w")
    def __init__(self, v): self.v = v
def counter():
    count = 0
    def up():
        nonlocal count
        count += 1
        return count
    return up, lambda: count
def grow(thing, more=[]):
    more.append(1)
    thing.append(len(more))
def rebind():
    global g
    g = [g]
a = [1, 2, 3]; b = {"a": a, "n": 1}; c = Box(a); d = collections.deque([a, 4], maxlen=5)
e = {1, "x"}; f = Slots(b); g = 5; h = (a, [0]); r = random.Random(3); m = np.arange(6.0); w = m[2:5]
o = collections.OrderedDict(k=a); q = collections.Counter("aab"); z = bytearray(b"xyz"); u = np.arange(400.0)
t = array.array("d", [1, 2]); up, count = counter(); it = iter(a); own = np.random.default_rng(1); k = [c, c]
"""
KEPT = ("a", "b", "c", "d", "e", "f", "h", "o", "q", "z", "m", "u", "t", "k")
LISTS = ("a", "b['a']", "c.v", "d[0]", "h[0]", "h[1]", "k", "o['k']", "f.v['a']")
STATEMENTS = (
    "{0}.append({1})", "{0}.pop()", "{0}[0] = {1}", "{0} = {1}", "x = {0}; x.append({1})", "b['new'] = {1}", "b.pop('n')",
    "c.put({1})", "c.other = {1}", "del c.v", "Box.made += 1", "grow({0})", "rebind()", "y = up()", "d.append({1})",
    "d.popleft()", "e.add(g)", "e.discard('x')", "f.w = {1}", "f.v = {1}", "r.shuffle({0})", "y = r.random()",
    "m[1] = 7", "w[0] = 9", "w += 1", "u[5] = 3", "u *= 2", "o.move_to_end('k')", "o['l'] = {1}", "q.update('ab')",
    "z.extend(b'!')", "z[0] = 65", "t.append(3)", "y = next(it)", "y = own.normal()", "{0}.extend({1})", "{0}.reverse()",
    "for v in k: v.seen = {1}", "for v in {0}: y = v", "k.append(Box({1}))", "a, y = {1}, a", "y = [{1}, {0}]", "del g",
    "y = {{'k': {1}}}", "y = copy_of = list({0})", "y = m[:2]", "y = m.reshape(2, 3); y[0] = 1", "k[0], k[-1] = k[-1], {1}",
    "y = lambda: {1}", "counter.note = {1}", "c.__dict__.update(z={1})", "y = type(c)({1})", "b |= {{'p': {1}}}", "a *= 2",
)  # fmt: skip
VALUES = (*LISTS, "1", "'s'", "b", "c", "[4]", "{'i': 1}", "(a, 1)", "f", "m", "e", "None", "up", "2.5", "Box")


class Shapes:
    """Values as plain data in which each object has a number: equal where values and identities are."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.alive: list[Any] = []

    def of(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
            return repr(value)
        if isinstance(value, types.ModuleType):
            return value.__name__
        if id(value) in self.numbers:
            return f"#{self.numbers[id(value)]}"
        self.numbers[id(value)] = len(self.numbers)
        self.alive.append(value)
        return type(value).__name__, *self.inside(value)

    def inside(self, value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [(self.of(key), self.of(one)) for key, one in value.items()] + self.attributes(value)
        if isinstance(value, (set, frozenset)):
            return sorted(map(repr, value))
        if isinstance(value, (list, tuple, collections.deque)):
            return [self.of(one) for one in value]
        if isinstance(value, np.ndarray):
            return [value.tolist(), value.dtype]
        if isinstance(value, types.FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            return [value.__name__, self.of(cells), self.of(value.__defaults__), *self.attributes(value)]
        if isinstance(value, type):
            return [value.__name__, value.__dict__.get("made")]
        if hasattr(type(value), "__slots__") and not hasattr(value, "__dict__"):
            return [self.of(getattr(value, name, None)) for name in type(value).__slots__]
        if hasattr(value, "__next__"):
            return [self.of(list(copy.copy(value)))]
        return [repr(value)] if not hasattr(value, "__dict__") else self.attributes(value)

    def attributes(self, value: Any) -> list[Any]:
        return [(name, self.of(one)) for name, one in getattr(value, "__dict__", {}).items()]


def new_namespace() -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(SETUP, namespace)
    namespace["_kept"] = [namespace[name] for name in KEPT]  # second names, which no cell reads
    return namespace


def shape(namespace: dict[str, Any]) -> Any:
    shapes = Shapes()
    named = {name: value for name, value in sorted(namespace.items()) if not name.startswith("__")}
    return {name: shapes.of(value) for name, value in named.items() if not isinstance(value, np.random.Generator)}


def check_alike(source: str) -> None:
    here, there = new_namespace(), new_namespace()
    exec(source, here)
    run_there(source, there)
    here_shape, there_shape = shape(here), shape(there)
    for name in {**here_shape, **there_shape}:
        assert there_shape.get(name) == here_shape.get(name), name


def in_try(statement: str) -> str:
    return f"try:\n    {statement}\nexcept Exception as error: pass\n"


@st.composite
def programs(draw: Any) -> str:
    lines = draw(st.lists(st.tuples(*map(st.sampled_from, (STATEMENTS, LISTS, VALUES))), min_size=1, max_size=6))
    return "".join(in_try(one.format(*more)) for one, *more in lines)


@given(programs())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_programs_end_the_same_here_and_there(source: str) -> None:
    check_alike(source)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_each_kind_of_change_comes_back(statement: str) -> None:
    check_alike(in_try(statement.format("a", "[4]")))


def there(setup: str, source: str, limit: int = 16_000_000) -> tuple[dict[str, Any], Any]:
    """The namespace after the cell, and what was said of what comes back."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(setup, namespace)
    return namespace, run_there(source, namespace, limit=limit)[1]


TRAINING = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Linear(2, 1); opt = torch.optim.Adam(net.parameters(), lr=0.1); weight = net.weight; flat = net.weight.data[0]
x, y = torch.ones(4, 2), torch.zeros(4, 1); _kept = [net, opt, weight]
"""
STEP = "opt.zero_grad(); loss = nn.functional.mse_loss(net(x), y); loss.backward(); opt.step(); shown = flat.tolist()"


def test_a_model_is_trained_and_its_optimizer_still_steps_it() -> None:
    ours, _ = there(TRAINING, STEP)
    for name, source in (("one more here", STEP), ("one more there", STEP)):
        exec(source, ours) if name == "one more here" else run_there(source, ours)
    local: dict[str, Any] = {}
    exec(TRAINING, local)
    for _ in range(3):
        exec(STEP, local)
    assert ours["net"].weight.tolist() == local["net"].weight.tolist()
    assert ours["shown"] == local["shown"] == ours["weight"][0].tolist()
    assert ours["opt"].param_groups[0]["params"][0] is ours["net"].weight is ours["weight"]
    assert [*map(id, ours["_kept"])] == [id(ours[name]) for name in ("net", "opt", "weight")]


def test_a_gradient_travels_both_ways() -> None:
    ours, _ = there(TRAINING, "nn.functional.mse_loss(net(x), y).backward()")
    before = ours["net"].weight.tolist()
    run_there("opt.step()", ours)
    assert ours["net"].weight.grad is not None
    assert ours["net"].weight.tolist() != before


def test_a_scaler_is_fitted_and_a_table_changed_where_no_other_sees_it() -> None:
    ours, _ = there(
        "import pandas as pd\nfrom sklearn.preprocessing import StandardScaler\n"
        "df = pd.DataFrame({'x': [1, 2, 3]}); column = df['x']; second = df; scaler = StandardScaler()",
        "z = scaler.fit_transform(df)\ndf['y'] = df.x * 2\ndf.iloc[0, 0] = 100",
    )
    assert ours["df"].to_dict("list") == {"x": [100, 2, 3], "y": [2, 4, 6]}
    assert ours["second"] is ours["df"]
    assert ours["column"].tolist() == [1, 2, 3]
    assert ours["scaler"].mean_ == 2


@pytest.mark.parametrize(
    ("setup", "source", "after"),
    [
        ("xs = []; xs.append(xs)", "xs.append(1)", "xs[0] is xs and xs[1] == 1"),
        ("a = []; b = [a]; a.append(b)", "b.append(5)", "a[0] is b and b == [a, 5]"),
        ("t = ([1],); s = t", "t[0].append(2)", "s is t and t == ([1, 2],)"),
        ("it = iter([1, 2, 3]); box = [it]", "next(it)", "box[0] is it and list(it) == [2, 3]"),
        ("import numpy as np; x = np.array([{}, 1], object); y = x", "x[0]['k'] = 1", "y[0] == {'k': 1}"),
        ("import numpy as np; x = np.zeros(3); x.flags.writeable = False", "try: x[0] = 1\nexcept ValueError: n = 1", "n == 1"),
        ("def f(): return f", "f.calls = 1", "f().calls == 1"),
        ("n = float('nan'); xs = [n]", "ys = xs", "ys is xs"),
        ("from enum import Enum\nclass C(Enum):\n    A = 1\nx = [C.A]", "x.append(C.A)", "x[1] is C.A"),
    ],
)  # fmt: skip
def test_odd_objects_end_as_they_would_here(setup: str, source: str, after: str) -> None:
    ours, answer = there(setup, source)
    assert eval(after, ours), ours
    assert not answer.refused


HOSTILE = """
class Counts:
    def __init__(self): self.looked = 0
    def __getstate__(self): self.looked += 1; return dict(vars(self))
class Raises:
    def __eq__(self, other): raise RuntimeError("not to be compared")
    __hash__ = object.__hash__
class Once:
    def __init__(self): self.left = 1
    def __reduce__(self):
        if self.left < 0: raise RuntimeError("twice")
        self.left -= 1
        return make_once, (self.left,)
def make_once(left):
    one = Once(); one.left = left; return one
counts, raises, once, xs = Counts(), [Raises()], Once(), [1]
"""


def test_objects_that_do_not_like_to_be_looked_at_harm_nobody_else() -> None:
    ours, answer = there(HOSTILE, "xs.append(2)\nraises.append(3)")
    assert ours["xs"] == [1, 2]
    assert ours["raises"][1] == 3
    assert answer.changed == ["raises", "xs"]
    assert {*answer.refused} <= {"once"}


def test_what_cannot_be_pickled_any_more_is_named() -> None:
    ours, answer = there("xs = [1]; ys = [1]", "xs.append(i for i in ys); ys.append(2)")
    assert ours["xs"] == [1] and ours["ys"] == [1, 2]
    assert "cannot pickle" in answer.refused["xs"]


def test_a_hundred_thousand_small_objects_are_looked_at() -> None:
    ours, _ = there("rows = [{'i': i} for i in range(100_000)]; last = rows[-1]", "rows[-1]['i'] = 'changed'")
    assert ours["last"] == {"i": "changed"}


def test_what_is_too_large_is_not_written_into() -> None:
    ours, answer = there(
        "rows = [str(i) for i in range(10_000)]; xs = [1]", "f = rows.append; f(1); xs.append(2)", limit=10_000
    )
    assert len(ours["rows"]) == 10_000 and ours["xs"] == [1, 2]
    assert collections.Counter(answer.changed) == {"xs": 1}
