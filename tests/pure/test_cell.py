"""What `read_cell` finds, case by case, on every Python at hand; and that it never misses a read."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ray_magics.cell import tracker as names
from ray_magics.cell.reader import names_read, read_cell
from ray_magics.cell.tracker import Name

# id, source, reads ("?" marks an uncertain one; builtins left out), binds, other facts
CASES: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("assign", "y = f(x)\ny + 1", "f x", "y", {"expression": True}),
    ("empty", "", "", "", {"empty": True, "expression": False}),
    ("only-comments", "# hello\n\n  # there\n", "", "", {"empty": True}),
    ("silent", "x + 1;  # quiet", "x", "", {"silent": True, "expression": True}),
    ("semicolon-inside", "x; y", "x y", "", {"silent": False}),
    ("semicolon-in-text", "';'", "", "", {"silent": False}),
    ("read-then-bind", "print(x)\nx = 1", "x", "x", {}),
    ("bind-then-read", "x = 1\nx + 1", "", "x", {}),
    ("unpack", "a, (b, *c) = d\na, b, c", "d", "a b c", {}),
    ("chain", "a = b = c\nb", "c", "a b", {}),
    ("swap", "a, b = b, a", "b a", "a b", {}),
    ("augmented", "n += k", "n k", "n", {"updates": []}),
    ("augmented-own", "n = 1\nn += 1", "", "n", {}),
    ("augmented-item", "x[i] += 1", "x i", "x", {"updates": ["x"]}),
    ("item-assignment", "x[0] = y", "y x", "x", {"updates": ["x"]}),
    ("column-assignment", "df['a'] = df.b * 2", "df", "df", {"updates": ["df"]}),
    ("attribute-assignment", "model.layer.weight = 0", "model", "model", {"updates": ["model"]}),
    ("item-of-own", "x = {}\nx[0] = 1", "", "x", {"updates": []}),
    ("item-of-a-call", "f(x)[0] = 1", "f x", "", {"updates": []}),
    ("item-deleted", "del x[0], y.a", "x y", "x y", {"updates": ["x", "y"], "deletes": []}),
    ("item-as-loop-target", "for x[0] in xs: pass", "xs x", "x", {"updates": ["x"]}),
    ("method-alone", "model.fit(X, y)", "model X y", "", {"calls": ["model"]}),
    ("method-chain", "df.groupby(k).plot()", "df k", "", {"calls": ["df"]}),
    ("method-assigned", "z = xs.index(1)", "xs", "z", {"calls": []}),
    ("method-of-own", "xs = []\nxs.append(1)", "", "xs", {"calls": []}),
    ("method-awaited", "await actor.go()", "actor", "", {"calls": ["actor"], "is_async": True}),
    ("method-in-loop", "for i in r:\n    xs.append(i)", "r xs", "i", {"calls": ["xs"]}),
    ("annotated", "x: int = y", "y", "x", {}),
    ("annotation-alone", "x: T", "T", "", {}),
    ("annotation-text", "from __future__ import annotations\nx: T = 1", "", "annotations x", {}),
    ("delete", "del x", "x", "x", {"deletes": ["x"]}),
    ("delete-then-read", "x = 1\ndel x\nx", "", "x", {"deletes": ["x"]}),
    ("delete-then-bind", "del x\nx = 1", "x", "x", {"deletes": []}),
    ("delete-perhaps", "if c:\n    del x\nx", "c x", "x", {"deletes": []}),
    ("delete-function-binds", "def f():\n    global x\n    x = 1\ndel x", "x?", "f x", {"deletes": []}),
    ("import", "import os.path, json as j\nos, j", "", "os j", {}),
    ("import-from", "from a import b, c as d\nb, c, d", "c", "b d", {}),
    ("star-import", "from math import *\nsin(x)", "sin? x?", "", {"binds_unknown": True}),
    ("exec", "exec('b = a')\nb", "a? b?", "", {"binds_unknown": True}),
    ("eval", "eval('a + 1')", "a?", "", {"binds_unknown": False}),
    ("globals", "globals()['x'] = 1\nx", "x?", "", {"binds_unknown": True}),
    ("vars-of-object", "vars(x)", "x", "", {"binds_unknown": False}),
    ("if-one-branch", "if c:\n    x = 1\nx", "c x?", "x", {}),
    ("if-both-branches", "if c:\n    x = 1\nelse:\n    x = 2\nx", "c", "x", {}),
    ("if-raises", "if c:\n    raise E\nelse:\n    x = 1\nx", "c E", "x", {}),
    ("elif", "if a:\n    x = 1\nelif b:\n    x = 2\nelse:\n    y = 3\nx", "a b x?", "x y", {}),
    ("ternary", "(x := 1) if c else 0\nx", "c x?", "x", {}),
    ("and-or", "a and (x := b)\nx", "a b x?", "x", {}),
    ("comparison-chain", "a < (x := b) < (y := c)\nx, y", "a b c y?", "x y", {}),
    ("for", "for i in xs:\n    y = i\ny, i", "xs y? i?", "i y", {}),
    ("for-target-first", "for x in x:\n    x", "x", "x", {}),
    ("for-else", "for i in xs:\n    pass\nelse:\n    y = 1\ny", "xs", "i y", {}),
    ("for-else-break", "for i in xs:\n    break\nelse:\n    y = 1\ny", "xs y?", "i y", {}),
    ("while", "while (n := f()):\n    y = n\nn, y", "f y?", "n y", {}),
    ("loop-carried", "for i in xs:\n    total\n    total = i", "xs total", "i total", {}),
    ("continue", "for i in xs:\n    if i:\n        continue\n    y = 1\n    y", "xs", "i y", {}),
    ("with", "with a as b, b.c as d:\n    e = d\ne", "a", "b d e", {}),
    ("with-suppress", "with suppress(E):\n    x = f()\nx", "suppress E f x?", "x", {}),
    ("with-unpack", "with a as (b, c):\n    b, c", "a", "b c", {}),
    ("try", "try:\n    x = f()\nexcept E:\n    pass\nx", "f E x?", "x", {}),
    ("try-both", "try:\n    x = f()\nexcept E:\n    x = 0\nx", "f E", "x", {}),
    ("try-reraises", "try:\n    x = f()\nexcept E:\n    raise\nx", "f E", "x", {}),
    ("try-else", "try:\n    f()\nexcept E:\n    x = 1\nelse:\n    x = 2\nx", "f E", "x", {}),
    ("try-finally", "try:\n    x = f()\nfinally:\n    x\n    y = 1\nx, y", "f x?", "x y", {}),
    ("except-as", "try:\n    f()\nexcept E as e:\n    print(e)\ne", "f E e?", "e", {}),
    ("except-star", "try:\n    f()\nexcept* E as e:\n    e", "f E", "e", {}),
    ("handler-sees-before", "try:\n    f()\n    x = 1\nexcept E:\n    x", "f E x?", "x", {}),
    (
        "match",
        "match v:\n    case {'k': a, **b}:\n        a, b\n    case [c, *d]:\n        c\na",
        "v a?",
        "a b c d",
        {},
    ),
    (
        "match-class",
        "match v:\n    case P(x=1, y=b) | Q(b):\n        b\n    case m.K:\n        0",
        "v P Q m",
        "b",
        {},
    ),
    ("match-guard", "match v:\n    case x if x > t:\n        pass\nx", "v t x?", "x", {}),
    (
        "match-all",
        "match v:\n    case 1:\n        y = 1\n    case other:\n        y = other\ny",
        "v",
        "y other",
        {},
    ),
    ("walrus", "(y := x) + y", "x", "y", {}),
    ("walrus-in-comprehension", "[y for x in xs if (y := f(x))]\ny", "xs f y?", "y", {}),
    ("comprehension", "[x for x in xs]", "xs", "", {}),
    ("comprehension-no-leak", "[x for x in xs]\nx", "xs x", "", {}),
    ("comprehension-nested", "[[x * n for x in row] for row in rows if row]", "rows n", "", {}),
    ("comprehension-two", "{a: b for a in f(a) for b in g(a)}", "f a g", "", {}),
    ("comprehension-own-name", "xs = [xs for x in xs]", "xs", "xs", {}),
    ("comprehension-async", "[x async for x in xs]", "xs", "", {"is_async": True}),
    ("generator", "g = (f(x) for x in xs)\nf = 1", "f? xs", "g f", {}),
    ("lambda", "h = lambda x, y=d, *a, k: x + y + z + k", "d z", "h", {}),
    ("lambda-walrus", "lambda: (y := z) + y", "z", "", {}),
    ("lambda-default", "k = 1\nlambda a=k, b=m: a + b", "m", "k", {}),
    ("closure", "def f(a):\n    b = c\n    def g():\n        return a + b + d\n    return g", "c d", "f", {}),
    ("function", "def f(x): return x + y", "y", "f", {"definitions_only": True, "functions": ["f"]}),
    ("function-local-later", "def f():\n    x\n    x = 1", "", "f", {}),
    ("function-recursive", "def f(n): return f(n - 1)", "", "f", {}),
    ("function-known", "y = 1\ndef f(): return y", "", "y f", {"definitions_only": False}),
    ("function-bound-later", "def f(): return y\ny = 1\nf()", "y?", "f y", {}),
    ("function-mutual", "def a(): return b()\ndef b(): return a()", "b?", "a b", {"functions": ["a", "b"]}),
    ("function-updates", "def f(k): cache[k] = 1", "cache", "f cache", {"updates": ["cache"]}),
    ("function-comprehension", "def f(): return [x for x in xs] + [x]", "xs x", "f", {}),
    ("function-import", "def f():\n    import a.b\n    return a", "", "f", {}),
    ("function-except", "def f():\n    try: g()\n    except E as e: return e", "g E", "f", {}),
    ("function-match", "def f(v):\n    match v:\n        case [a, *b]: return a, b, c", "c", "f", {}),
    ("decorator", "@d(a)\ndef f(): pass", "d a", "f", {"definitions_only": True}),
    ("defaults", "def f(a, b=c, *, k=e): pass", "c e", "f", {}),
    ("type-hints", "def f(a: A, *b: B, **c: C) -> D:\n    x: E = 1", "A B C D", "f", {}),
    (
        "type-hints-text",
        "from __future__ import annotations\ndef f(a: A) -> B: pass",
        "",
        "annotations f",
        {},
    ),
    ("global", "def f():\n    global x\n    x = y", "y", "f x", {}),
    ("global-in-nested", "def f():\n    global x\n    def g(): return x\n    x = 1", "x?", "f x", {}),
    ("global-then-read", "def f():\n    global x\n    x = 1\nf()\nx", "x?", "f x", {}),
    ("nonlocal", "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = y", "y", "f", {}),
    ("async-def", "async def f():\n    async with a as b: await b", "a", "f", {"is_async": False}),
    ("async-for", "async for x in xs:\n    x", "xs", "x", {"is_async": True}),
    ("async-with", "async with a as b:\n    b", "a", "b", {"is_async": True}),
    ("await-in-comprehension", "[await f(x) for x in xs]", "f xs", "", {"is_async": True}),
    ("yield-in-function", "def f():\n    yield x\n    yield from y", "x y", "f", {"is_async": False}),
    ("class", "class A(B, metaclass=M):\n    x = y\n    z = x", "B M y", "A", {"classes": ["A"]}),
    ("class-reads-then-binds", "class A:\n    x = x", "x", "A", {}),
    ("class-perhaps", "class A:\n    if c:\n        x = 1\n    y = x", "c x", "A", {}),
    ("class-method", "class A:\n    x = 1\n    def m(self): return x, self.x, A", "x", "A", {}),
    ("class-comprehension", "class A:\n    n = 1\n    y = [n for i in n]", "n", "A", {}),
    ("class-super", "class A(B):\n    def m(self): return super().m(), __class__", "B", "A", {}),
    ("class-in-function", "def f():\n    x = 1\n    class A:\n        y = x, z\n    return A", "z", "f", {}),
    ("class-global", "class A:\n    global x\n    x = 1", "", "A x", {}),
    (
        "definitions",
        "'''doc'''\nimport a\nclass C: pass\ndef f(): pass",
        "",
        "a C f",
        {"definitions_only": True},
    ),
    ("imports-only", "import a", "", "a", {"definitions_only": False}),
    ("definition-and-constant", "n = 1\ndef f(): pass", "", "n f", {"definitions_only": False}),
    ("f-string", "f'{x!r:>{w}} {y=}'", "x w y", "", {}),
    ("f-string-nested", """f"{f'{a}' + b['k']}" """, "a b", "", {}),
    ("f-string-lambda", "f'{(lambda v: v + k)(1)}'", "k", "", {}),
    ("query", "df.query('a > @limit')", "df limit?", "", {}),
    ("dunders", "__name__, __file__, __doc__, __version__", "__version__", "", {}),
    ("unreachable", "raise E\nx", "E", "", {}),
    ("assert", "assert a, b", "a b", "", {}),
    ("slice", "x[a:b, ...]", "x a b", "", {}),
    ("starred-call", "f(*a, **b)", "f a b", "", {}),
    ("line-order", "def f(): return z\nb, a", "z b a", "f", {}),
    ("display", "display(x)", "x", "", {"uses_ipython": True}),
    ("display-own", "def display(x): pass\ndisplay(1)", "", "display", {"uses_ipython": False}),
    ("ipython-alone", "get_ipython()", "", "", {"uses_ipython": True, "calls": []}),
    ("time", "get_ipython().run_line_magic('time', 'y = f(x)')", "f? x?", "y", {"uses_ipython": True}),
    (
        "time-then-read",
        "get_ipython().run_line_magic('time', 'y = 1')\ny",
        "y?",
        "y",
        {"binds_unknown": False},
    ),
    ("timeit", "get_ipython().run_line_magic('timeit', '-n 10 -r3 y = f(x)')", "f? x?", "", {}),
    ("timeit-cell", "get_ipython().run_cell_magic('timeit', 's = a', 'b + s\\n')", "a? b? s?", "", {}),
    ("time-cell-magics", "get_ipython().run_cell_magic('time', '', '%cd x\\nb = a\\n')", "a?", "b", {}),
    ("capture", "get_ipython().run_cell_magic('capture', '--no-stderr out', 'b = a')", "a?", "out b", {}),
    ("shell", "get_ipython().system('echo {x.a} $y {z')", "x? y?", "", {"uses_ipython": True}),
    ("shell-output", "files = get_ipython().getoutput('ls $d')\nfiles", "d?", "files", {}),
    ("run-magic", "get_ipython().run_line_magic('run', 'a.py')", "a?", "", {"binds_unknown": True}),
    ("quiet-magic", "get_ipython().run_line_magic('matplotlib', 'inline')", "", "", {"binds_unknown": False}),
    ("unknown-magic", "get_ipython().run_line_magic('sql', 'x << q')", "x? q?", "", {"binds_unknown": True}),
]
NEWER_CASES: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("type-params", "def f[T: B](x: T) -> list[T]:\n    y: T = z", "B z", "f", {}),
    ("type-params-class", "class A[T](Base[T]):\n    x: T\n    def m(self) -> T: return T", "Base", "A", {}),
    ("type-alias", "type X[T] = dict[T, V]\ntype W = X", "V", "X W", {}),
    ("f-string-quotes", 'f"{x["a"]} {"\\n".join(ys)}"', "x ys", "", {}),
]
BUILTIN = names.BUILTINS - {"display"}


def facts(found: Any) -> dict[str, Any]:
    """A Cell as JSON would carry it."""
    return json.loads(json.dumps(vars(found), default=vars))


def as_words(reads: list[dict[str, Any]]) -> str:
    return " ".join(
        read["name"] + ("" if read["certain"] else "?") for read in reads if read["name"] not in BUILTIN | {"display"}
    )


def check(found: dict[str, Any], case: tuple[str, str, str, str, dict[str, Any]]) -> None:
    _, _, reads, binds, others = case
    assert sorted(as_words(found["reads"]).split()) == sorted(reads.split())
    assert sorted(found["binds"]) == sorted(binds.split())
    assert {key: found[key] for key in others} == others


def table(cases: list[tuple[str, str, str, str, dict[str, Any]]]) -> list[Any]:
    return [pytest.param(case, id=case[0]) for case in cases]


@pytest.mark.parametrize("case", table(CASES))
def test_a_cell_tells_what_it_reads_and_binds(case: Any) -> None:
    check(facts(read_cell(case[1])), case)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
@pytest.mark.parametrize("case", table(NEWER_CASES))
def test_newer_syntax_is_read_too(case: Any) -> None:
    check(facts(read_cell(case[1])), case)


def interpreters() -> list[Any]:
    """Every Python that may be here, from PATH and pyenv; the test skips one that does not start."""
    return [pytest.param(f"3.{minor}", id=f"python3.{minor}") for minor in range(11, 15)]


def executables(version: str) -> list[str]:
    here = [sys.executable] if version == f"{sys.version_info[0]}.{sys.version_info[1]}" else []
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    found = shutil.which(f"python{version}")
    return here + list(map(str, pyenv)) + ([found] if found else [])


READ_CELLS = """
import json, sys, types
package = sys.modules["core"] = types.ModuleType("core")  # the folder, without what ray_magics needs beside
package.__path__ = [sys.argv[1]]
from core.reader import read_cell
print(json.dumps([vars(read_cell(source)) for source in json.load(sys.stdin)], default=vars))
"""


@functools.cache
def starts(executable: str, version: str) -> bool:
    code = f"import sys; sys.exit(sys.version_info[:2] != tuple(map(int, {version!r}.split('.'))))"
    return subprocess.run([executable, "-c", code], capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize("version", interpreters())
def test_every_python_gives_the_same_answers(version: str) -> None:
    python = next((path for path in executables(version) if starts(path, version)), None)
    if python is None:
        pytest.skip(f"no Python {version} here")
    cases = CASES + (NEWER_CASES if version != "3.11" else [])
    command = [python, "-c", READ_CELLS, str(Path(names.__file__).parent)]
    sources = json.dumps([case[1] for case in cases])
    done = subprocess.run(command, input=sources, capture_output=True, text=True, check=True, timeout=120)
    for found, case in zip(json.loads(done.stdout), cases, strict=True):
        check(found, case)
    old = [facts(read_cell(case[1])) for case in CASES]
    assert json.loads(done.stdout)[: len(old)] == old


def test_names_carry_their_first_line() -> None:
    cell = read_cell("a = 1\n\ndef f():\n    return b + a\nb, c")
    assert cell.reads == (Name("b", 4, True), Name("c", 5, True))


def test_a_builtin_is_an_uncertain_read() -> None:
    assert read_cell("sum([1])").reads == (Name("sum", 1, False, False),)
    assert read_cell("sum = 1\nsum").reads == ()


def test_a_name_in_a_long_f_string_has_the_line_of_its_start() -> None:
    assert read_cell('f"""\n\n{x}\n"""').reads == (Name("x", 1, True),)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        pytest.param("x = 1\ny = (", 2, id="unclosed"),
        pytest.param("x = 1\nreturn x", 2, id="return-outside"),
        pytest.param("\nbreak", 2, id="break-outside"),
    ],
)
def test_a_syntax_error_is_pythons_own(source: str, line: int) -> None:
    with pytest.raises(SyntaxError) as caught:
        read_cell(source)
    assert caught.value.lineno == line


def test_reading_warns_about_nothing(recwarn: pytest.WarningsRecorder) -> None:
    read_cell("x is 5, '\\d'")
    assert not recwarn.list


def test_reading_again_is_free() -> None:
    assert read_cell("a = unique_name") is read_cell("a = unique_name")


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param("    @d\n    def f(x: T = k):\n        return g(x)\n", "d k T g", id="indented-def"),
        pytest.param("class A(B):\n    def m(self): return A, c", "B c", id="class"),
        pytest.param("f = lambda x: x + y", "y", id="lambda"),
        pytest.param("  def f():\n    '''\ntext\n'''\n    return z", "z", id="text-at-the-margin"),
        pytest.param("map(lambda x: x,", "", id="does-not-parse"),
        pytest.param("   ", "", id="blank"),
    ],
)
def test_a_definition_tells_the_globals_it_reads(source: str, names: str) -> None:
    assert names_read(source) == tuple(names.split())


# --- no read is ever missed: a random program does the same with nothing but what it reads.
# In a template N stands for a name, E for an expression, B for a block, L for the block of a loop.

LEAVES = ["N", "N", "N", "1", "0", "xs"]
EXPRESSIONS = [
    "N()",
    "N[0]",
    "E + E",
    "E and E",
    "E or E",
    "E < E < E",
    "E if E else E",
    "(N := E)",
    "[E for N in xs if E]",
    "[E for N in xs for N in [E, 2]]",
    "sum(E for N in [1, E])",
    "(lambda N=E: E)()",
    "(lambda: E)",
    "f'{E!s:.3}'",
]
SIMPLE = [
    "N = E",
    "N = E",
    "N += E",
    "N = N = E",
    "N, *N = xs",
    "N: E = E",
    "N: E",
    "N = [E]",
    "N[0] = E",
    "del N",
    "del N[0]",
    "import math as N",
    "E",
    "assert E, E",
    "raise ValueError(E)",
]
COMPOUND = [
    "if E:\n    B",
    "if E:\n    B\nelse:\n    B",
    "for N in xs:\n    L",
    "for N in [1, E]:\n    L\nelse:\n    B",
    "while next(turns):\n    L\nelse:\n    B",
    "try:\n    B\nexcept NameError:\n    B",
    "try:\n    B\nexcept (TypeError, ValueError) as N:\n    B\nelse:\n    B",
    "try:\n    B\nexcept Exception as N:\n    B\nfinally:\n    B",
    "try:\n    B\nfinally:\n    B",
    "with suppress(Exception) as N:\n    B",
    "match E:\n    case [N, *N] if E:\n        B\n    case 1:\n        B",
    "match E:\n    case [1, *N] | [N]:\n        B\n    case {'k': N}:\n        B\n    case N:\n        B",
    "def N(N=E):\n    B",
    "def N():\n    B\n    return E",
    "def N():\n    global N\n    B\nN()",
    "class N:\n    N = E\n    N = E",
]


def filled(draw: Callable[[st.SearchStrategy[Any]], Any], template: str, depth: int) -> str:
    """The template with every placeholder replaced by something drawn."""

    def drawn(match: re.Match[str]) -> str:
        indent, kind = match.groups()
        if kind == "N":
            return indent + draw(st.sampled_from("abcde"))
        if kind == "E":
            choices = LEAVES + (EXPRESSIONS if depth > 0 else [])
            return indent + "(" + filled(draw, draw(st.sampled_from(choices)), depth - 1) + ")"
        leave = ["if E:\n    break", "if E:\n    continue", "break"] if kind == "L" else []
        return textwrap.indent(block(draw, depth - 1, leave), indent)

    return re.sub(r"( *)\b([NEBL])\b", drawn, template)


def block(draw: Callable[[st.SearchStrategy[Any]], Any], depth: int, leave: Sequence[str] = ()) -> str:
    choices = [*SIMPLE, *leave, *(COMPOUND if depth > 0 else [])]
    templates = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=4))
    return "\n".join(filled(draw, template, depth) for template in templates)


@st.composite
def programs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> str:
    source = block(draw, 3)
    try:
        compile(source, "<test>", "exec")
    except SyntaxError:
        assume(False)
    return source


def values() -> dict[str, Any]:
    own = {"a": 1, "b": [1, 2], "c": 0, "d": lambda: 3, "e": "text"}
    return {**own, "xs": [2, 0], "turns": iter([1, 1, 0, 1, 0, 0, 1, *[0] * 99]), "suppress": suppress}


def outcome(source: str, namespace: dict[str, Any]) -> str:
    """How running ends: its exception, if any."""
    try:
        exec(compile(source, "<test>", "exec"), namespace)
    except Exception as error:
        return type(error).__name__ + ("" if isinstance(error, RecursionError) else shown(str(error)))
    return "fine"


def shown(value: object) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", repr(value))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_a_program_needs_nothing_but_what_it_reads(source: str) -> None:
    cell = read_cell(source)
    reads = {name.name for name in cell.reads}
    full = values()
    before = dict(full)
    sent = {name: value for name, value in values().items() if name in reads}
    assert outcome(source, sent) == outcome(source, full)
    for name in before:
        assert name in cell.binds or full.get(name) is before[name]
        if name in reads or name in sent:
            assert shown(sent.get(name, "gone")) == shown(full.get(name, "gone"))
        else:
            assert name not in full or full[name] is before[name]
