"""The line of a magic: what it reads, what it refuses and how, what it shows and what Tab offers."""

from __future__ import annotations

import gc
import queue
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ray_magics.line.completion import complete
from ray_magics.line.options import Magic, argument, group, magic, tokenize
from ray_magics.line.parsers import (
    Expression,
    ForClause,
    PoolClause,
    choice,
    count,
    expression,
    for_clause,
    name,
    names,
    number,
    pool_clause,
    positive_int,
    seconds,
    size,
)
from ray_magics.line.register import register_magic
from ray_magics.units import size_argument, size_text

resources = group(
    argument("--num-cpus", type=number, help="CPUs the task reserves"),
    argument("--memory", type=size, help="memory the task reserves"),
    argument("--resources", type=expression, help="custom resources"),
)


@magic("cook", kind="line_cell", remainder="expression")
@argument("--for", dest="items", type=for_clause, help="once per item")
@resources
@argument("--into", type=name, help="bind the result")
@argument("--inputs", type=names)
@argument("--on-error", choices=["raise", "keep"], default="raise")
@argument("--space", action="append")
@argument("--retries", type=int)
@argument("--share", type=float)
@argument("--label")
@argument("--exceptions", type=expression, nargs="?", const=True)
@argument("--dry-run", action="store_true")
def cook(options: Any, cell: str | None = None) -> Any:
    """Cook the cell.

    %%cook --num-cpus 2
    """
    return options, cell


@magic("halt", kind="line")
@argument("run", nargs="?", metavar="RUN", completer=lambda namespace: ["3", "12"], help="the run to stop")
@argument("--all", action="store_true", help="every run")
def halt(options: Any) -> Any:
    return options


def given_in(line: str, cell: str | None = "1") -> dict[str, Any]:
    """The options that a line sets."""
    options, _ = cook(line, cell)
    unset = {"on_error": "raise", "dry_run": False, "expression": ""}
    return {key: value for key, value in vars(options).items() if value not in (None, unset.get(key, ...))}


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(UsageError) as caught:
        call(*args)
    assert type(caught.value) is UsageError and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "options"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("--num-cpus 2", {"num_cpus": 2}, id="number"),
        pytest.param("--num-cpus=0.5", {"num_cpus": 0.5}, id="equals"),
        pytest.param("--num-cpus 1 --num-cpus 2", {"num_cpus": 2}, id="last-wins"),
        pytest.param("--space a=1 --space 'b= 2'", {"space": ["a=1", "b= 2"]}, id="append"),
        pytest.param("--retries -1", {"retries": -1}, id="negative"),
        pytest.param("--share 0.25", {"share": 0.25}, id="float"),
        pytest.param("--label -x", {"label": "-x"}, id="dash-value"),
        pytest.param('--label "--dry-run"', {"label": "--dry-run"}, id="quoted-dashes"),
        pytest.param("--label 'it is' --dry-run", {"label": "it is", "dry_run": True}, id="quotes"),
        pytest.param("--label ''", {"label": ""}, id="empty-value"),
        pytest.param('--resources {"a": 1}', {"resources": Expression('{"a": 1}')}, id="brackets"),
        pytest.param("--exceptions --dry-run", {"exceptions": True, "dry_run": True}, id="optional-value"),
        pytest.param("--exceptions [KeyError]", {"exceptions": Expression("[KeyError]")}, id="optional-given"),
        pytest.param("--inputs a,b --into c", {"inputs": ("a", "b"), "into": "c"}, id="names"),
        pytest.param("--on-error keep", {"on_error": "keep"}, id="choice"),
        pytest.param("--for 'x in xs'", {"items": ForClause("x", "xs", (), ("x",))}, id="for"),
    ],
)
def test_a_line_becomes_values(line: str, options: dict[str, Any]) -> None:
    assert given_in(line) == options


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--num-cpu 2", "--num-cpu is not an option of %%cook; did you mean --num-cpus?"),
        ("--zzz", "--zzz is not an option of %%cook; %%cook? lists them"),
        ("-x", "-x is not an option of %%cook; %%cook? lists them"),
        ("--memory 2Gig", '--memory: "2Gig" is not a size; try 2GB or 512MiB'),
        ("--memory -2GB", '--memory: "-2GB" is not a size; try 2GB or 512MiB'),
        ("--num-cpus two", '--num-cpus: "two" is not a number; try --num-cpus 2'),
        ("--num-cpus -1", '--num-cpus: "-1" is negative; try --num-cpus 2'),
        ("--num-cpus inf", '--num-cpus: "inf" is not finite; try --num-cpus 2'),
        ("--retries 1.5", '--retries: "1.5" is not a whole number; try --retries 3'),
        ("--into", "--into needs a name; for example --into result"),
        ("--into --dry-run", "--into needs a name; for example --into result"),
        ("--label", "--label needs a value: --label LABEL"),
        ("--into class", '--into: "class" is not a name; try --into result'),
        ("--inputs a,,b", '--inputs: "a,,b" is not a list of names; try --inputs a,b'),
        ("--on-error skip", '--on-error: "skip" is not one of raise, keep; try --on-error raise'),
        ("--on-error keap", '--on-error: "keap" is not one of raise, keep; did you mean keep?'),
        ("--for 'x xs'", '--for: "x xs" is not a for clause; try --for "x in range(5)"'),
        ("--resources '{'", """--resources: "{" is not a Python expression; try --resources "{'a': 1}\""""),
        ("--for x in xs", '--for: "x" is not a for clause; try --for "x in range(5)"'),
        ("lost", '%%cook does not take "lost"; quote a value that has spaces'),
        ("--label 'x", "a quote is not closed: 'x"),
        ("--label {x", "a bracket is not closed: {x"),
        ("--num 2", "--num is not an option of %%cook; did you mean --num-cpus?"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_type(line: str, message: str) -> None:
    assert refusal(cook, line, "1") == message


@pytest.mark.parametrize(
    ("line", "options"),
    [
        pytest.param("f('a  b', \"c\")", {"expression": "f('a  b', \"c\")"}, id="quotes-kept"),
        pytest.param("--into y f(x) --into z", {"into": "y", "expression": "f(x) --into z"}, id="leading-only"),
        pytest.param("--into=y x", {"into": "y", "expression": "x"}, id="equals"),
        pytest.param("--dry-run x", {"dry_run": True, "expression": "x"}, id="switch"),
        pytest.param("-x + 1", {"expression": "-x + 1"}, id="minus"),
        pytest.param("--into y -- --x", {"into": "y", "expression": "--x"}, id="two-dashes"),
        pytest.param("it's", {"expression": "it's"}, id="open-quote"),
        pytest.param("--exceptions f(x)", {"exceptions": True, "expression": "f(x)"}, id="optional-value"),
        pytest.param("", {}, id="empty"),
    ],
)
def test_a_line_call_takes_the_rest_as_it_is(line: str, options: dict[str, Any]) -> None:
    assert given_in(line, None) == options


def test_a_line_call_names_itself_with_one_percent_sign() -> None:
    assert refusal(cook, "--num-cpu 1 x") == "--num-cpu is not an option of %cook; did you mean --num-cpus?"


def test_a_group_keeps_the_order_of_reading() -> None:
    flags = [declared.flags[0] for declared in cook.arguments]
    assert flags[:5] == ["--for", "--num-cpus", "--memory", "--resources", "--into"]


def test_help_prints_the_manual_and_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cook("--into x --help", "1") is None
    printed = capsys.readouterr().out
    assert printed.startswith("Cook the cell.\n\n%%cook --num-cpus 2\n")
    assert "  --num-cpus N             CPUs the task reserves\n" in printed
    assert "  --on-error raise|keep\n" in printed


def test_argparse_is_behind_it() -> None:
    assert cook.parser.prog == "%%cook"
    assert cook.parser.parse_args(["--num-cpus", "3"]).num_cpus == 3


# --- splitting


@given(st.lists(st.text("abc-= \"'"), max_size=5))
def test_words_are_split_as_a_shell_does(words: list[str]) -> None:
    assert [word.text for word in tokenize(shlex.join(words))] == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("a  b\tc\n", ["a", "b", "c"], id="spaces"),
        pytest.param("""a'b "c'd "e\\"f" """, ["""ab "cd""", 'e"f'], id="quotes-inside"),
        pytest.param('{"a": [1, "}"]} x', ['{"a": [1, "}"]}', "x"], id="brackets"),
        pytest.param("f('it\\'s )', 2) x", ["f('it\\'s )', 2)", "x"], id="escaped-quote"),
        pytest.param("C:\\tmp\\x a\\ b", ["C:\\tmp\\x", "a b"], id="backslashes"),
    ],
)
def test_brackets_keep_quotes_and_spaces(line: str, words: list[str]) -> None:
    assert [word.text for word in tokenize(line)] == words


# --- parsers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512MB", 512 * 10**6),
        ("2GiB", 2 * 2**30),
        ("1.5GB", 1_500_000_000),
        ("100kB", 100_000),
        ("1 KiB", 1024),
        (".5k", 500),
        ("1Gi", 2**30),
        ("2g", 2 * 10**9),
        ("7", 7),
        ("7B", 7),
        ("0", 0),
    ],
)
def test_a_size_is_a_number_of_bytes(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "GB", "2Gig", "-1", "inf", "1e3", "1,5GB", "2iB", "٣GB", "2 G B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    assert refusal(size, text) == f'"{text}" is not a size; try 2GB or 512MiB'


@given(st.integers(0, 10**18))
def test_a_size_that_is_shown_or_suggested_reads_back_as_nearly_itself(nbytes: int) -> None:
    assert size(size_text(nbytes)) == size(size_argument(nbytes)) == pytest.approx(nbytes, rel=0.05)
    assert " " not in size_argument(nbytes)


@pytest.mark.parametrize(
    ("parser", "text", "value"),
    [
        (number, "2", 2),
        (number, "1e2", 100),
        (number, "0.25", 0.25),
        (seconds, "1.5", 1.5),
        (count, "0", 0),
        (positive_int, "3", 3),
        (name, " x ", "x"),
        (names, "a, b", ("a", "b")),
        (choice("a", "b"), "b", "b"),
        (expression, " x + 1 ", Expression("x + 1")),
    ],
)
def test_text_becomes_a_value(parser: Any, text: str, value: Any) -> None:
    read = parser(text)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("parser", "text", "message"),
    [
        (count, "-1", '"-1" is negative; try 4'),
        (positive_int, "0", '"0" is less than 1; try 4'),
        (seconds, "nan", '"nan" is not finite; try 30'),
        (name, "a b", '"a b" is not a name; try result'),
        (expression, "x = 1", """"x = 1" is not a Python expression; try "{'a': 1}\""""),
    ],
)
def test_a_parser_alone_refuses_too(parser: Any, text: str, message: str) -> None:
    assert refusal(parser, text) == message


# --- expressions


def test_an_expression_is_evaluated_in_the_notebook() -> None:
    namespace = {"n": 2}
    assert expression("[n * i for i in range(n)]").evaluate(namespace, "--config") == [0, 2]
    assert namespace == {"n": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpus + 1", '--resources: name "gpus" is not defined'),
        ("1 / 0", '--resources: "1 / 0" raised ZeroDivisionError: division by zero'),
        ("next(iter(()))", '--resources: "next(iter(()))" raised StopIteration'),
    ],
)
def test_a_failing_expression_is_one_line_with_its_cause(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        expression(text).evaluate({}, "--resources")
    assert str(caught.value) == message
    assert isinstance(caught.value.__cause__, NameError | ZeroDivisionError | StopIteration)


# --- for


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        pytest.param("x in xs", ForClause("x", "xs", (), ("x",)), id="plain"),
        pytest.param("a, (b, *c) in f(x)", ForClause("(a, (b, *c))", "f(x)", (), ("a", "b", "c")), id="unpack"),
        pytest.param("x in xs if x if y > 1", ForClause("x", "xs", ("x", "y > 1"), ("x",)), id="conditions"),
        pytest.param("x in (y for y in z)", ForClause("x", "(y for y in z)", (), ("x",)), id="generator"),
    ],
)
def test_a_for_clause_is_read_as_a_comprehension(text: str, clause: ForClause) -> None:
    assert for_clause(text) == clause


@pytest.mark.parametrize("text", ["", "3", "a b", "x = y = Z", "f()()", "[A]"])
def test_what_is_no_pool_is_refused(text: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        pool_clause.read(text)


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("Predictor", PoolClause("predictor", "Predictor()")),
        ("TextEncoder", PoolClause("text_encoder", "TextEncoder()")),
        ("models.Predictor(w, k=2)", PoolClause("predictor", "models.Predictor(w, k=2)")),
        ("m = Predictor(w)", PoolClause("m", "Predictor(w)")),
        ("m=load", PoolClause("m", "load()")),
    ],
)
def test_a_pool_is_a_class_or_a_call_with_a_name_or_without(text: str, clause: PoolClause) -> None:
    assert pool_clause(text) == clause


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x in",
        "x in a for y in b",
        "x.a in xs",
        "x[0] in xs",
        "1 in xs",
        "x in xs] + [y for y in z",
        "await x in y",
    ],
)
def test_what_is_no_for_clause_is_refused(text: str) -> None:
    assert refusal(for_clause, text) == f'"{text}" is not a for clause; try "x in range(5)"'


@pytest.mark.parametrize(
    ("text", "items", "length"),
    [
        pytest.param("x in range(n)", [0, 1, 2], 3, id="sized"),
        pytest.param("x in iter(xs)", [5, 0, 7], None, id="unsized"),
        pytest.param("x in xs if x > k", [5, 7], None, id="condition"),
        pytest.param("k, v in {'a': 1, 'b': 0}.items() if v", [("a", 1)], None, id="unpacked-condition"),
        pytest.param("k, v in {'a': 1, 'b': 0}.items()", [("a", 1), ("b", 0)], 2, id="unpacked"),
    ],
)
def test_a_for_clause_gives_its_items(text: str, items: list[Any], length: int | None) -> None:
    found = for_clause(text).items({"n": 3, "xs": [5, 0, 7], "k": 1})
    assert found.length == length
    assert list(found) == items


def test_items_are_taken_one_at_a_time() -> None:
    taken = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    items = for_clause("x in numbers() if x % 2").items({"numbers": endless})
    assert next(items) == 1 and taken == [0, 1]


def test_the_iterable_is_evaluated_once() -> None:
    calls: list[int] = []
    found = for_clause("x in f()").items({"f": lambda: calls.append(1) or [1, 2]})
    assert (found.length, list(found), calls) == (2, [1, 2], [1])


def test_a_table_does_not_count_its_columns_as_rows() -> None:
    pandas = pytest.importorskip("pandas")
    found = for_clause("column in df").items({"df": pandas.DataFrame({"a": [1, 2, 3]})})
    assert (found.length, list(found)) == (None, ["a"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x in 5", '--for: "5" (int) cannot be iterated; try --for "x in range(5)"'),
        ("x in lost", '--for: name "lost" is not defined'),
        ("x in [1] if lost", '--for: name "lost" is not defined'),
        ("x in 1 / 0", '--for: "1 / 0" raised ZeroDivisionError: division by zero'),
    ],
)
def test_a_failing_for_says_why(text: str, message: str) -> None:
    assert refusal(lambda: list(for_clause(text).items({}))) == message


# --- in IPython


@pytest.fixture
def shell(_ip: InteractiveShell) -> Iterator[InteractiveShell]:
    """The one shell of the process, with the magics of this module."""
    gc.freeze()  # a reset collects garbage: milliseconds over the test's own
    for made in (cook, halt, halt):
        register_magic(_ip, made)
    _ip.user_ns.update(xs=[1], x2=2)
    yield _ip
    _ip.reset(new_session=False)


def test_a_line_and_a_cell_reach_the_magic_as_typed(shell: InteractiveShell) -> None:
    options, cell = shell.run_cell_magic("cook", "--space $x2 --space {x2}", "$x2 {x2}\n")
    assert (options.space, cell) == (["$x2", "{x2}"], "$x2 {x2}\n")
    options, cell = shell.run_line_magic("cook", "f'{x2} $x2'")
    assert (options.expression, cell) == ("f'{x2} $x2'", None)


def test_a_mistake_fails_the_cell(shell: InteractiveShell) -> None:
    assert isinstance(shell.run_cell("%halt --al").error_in_exec, UsageError)
    assert isinstance(shell.run_cell("%%cook --into\nx").error_in_exec, UsageError)


def test_a_line_magic_is_no_cell_magic(shell: InteractiveShell) -> None:
    assert shell.run_line_magic("halt", "3").run == "3"
    assert shell.find_cell_magic("halt") is None


@pytest.mark.parametrize("asked", ["%cook", "%%cook", "cook"])
def test_a_question_mark_shows_the_manual(shell: InteractiveShell, asked: str) -> None:
    text = shell.object_inspect_text(asked)
    assert "%%cook --num-cpus 2" in text and "--memory SIZE" in text
    assert __file__.rpartition("/")[2] in text


COMPLETIONS = [
    pytest.param("%%cook --num|", ["--num-cpus"], id="option"),
    pytest.param("%%cook --num|\nx = 1\ny", ["--num-cpus"], id="first-line-of-a-cell"),
    pytest.param("\n%%cook --num|\nx", ["--num-cpus"], id="after-an-empty-line"),
    pytest.param("%%cook --num-cpus 2 --num|", [], id="option-used"),
    pytest.param("%%cook --space a=1 --sp|", ["--space"], id="option-that-repeats"),
    pytest.param("%%cook --on-error |", ["keep", "raise"], id="choices"),
    pytest.param("%%cook --on-error=k|", ["keep"], id="choice-after-equals"),
    pytest.param("%%cook --into x|", ["x2", "xs"], id="names"),
    pytest.param("%%cook --inputs xs,x|", ["x2"], id="more-names"),
    pytest.param('%%cook --inputs "xs,x|', ["x2"], id="names-in-quotes"),
    pytest.param('%%cook --for "x in x|', ["x2", "xs"], id="names-in-code"),
    pytest.param("%cook --into y x|", ["x2", "xs"], id="names-in-the-rest"),
    pytest.param("%cook --dry|", ["--dry-run"], id="option-of-a-line"),
    pytest.param("r = %cook --dry|", ["--dry-run"], id="assigned-line"),
    pytest.param("%halt |", ["--all", "--help", "12", "3"], id="positional"),
    pytest.param("%halt 1|", ["12"], id="positional-begun"),
    pytest.param("%halt --a|", ["--all"], id="option-beside-positional"),
    pytest.param("x = 1\n    %halt --a|", ["--all"], id="line-within-a-cell"),
]


def cursor(marked: str) -> tuple[str, int]:
    return marked.replace("|", ""), marked.index("|")


@pytest.mark.parametrize("use_jedi", [True, False], ids=["jedi", "plain"])
@pytest.mark.parametrize(("marked", "expected"), COMPLETIONS)
def test_tab_completes(shell: InteractiveShell, marked: str, expected: list[str], use_jedi: bool) -> None:
    shell.Completer.use_jedi = use_jedi
    with provisionalcompleter():
        found = [completion.text for completion in shell.Completer.completions(*cursor(marked))]
    assert found == expected or (not expected and not any(text.startswith("--num") for text in found))


def test_tab_leaves_the_cell_itself_alone(shell: InteractiveShell) -> None:
    with provisionalcompleter():
        found = [c.text for c in shell.Completer.completions("%%cook --into y\nx", 17)]
    assert "xs" in found and "--into" not in found


def test_the_older_completion_works_too(shell: InteractiveShell) -> None:
    assert shell.complete("", "%%cook --num", 12) == ("--num", ["--num-cpus"])


def test_complete_needs_no_shell() -> None:
    assert complete(cook, "--into ", "", {"a": 1, "_b": 2}) == ["a"]
    assert complete(cook, "--dry-run --d", "--d") == []
    assert complete(halt, "3 --", "--") == ["--all", "--help"]


def test_tab_works_in_a_kernel() -> None:
    manager_module = pytest.importorskip("jupyter_client.manager")
    manager, client = manager_module.start_new_kernel(kernel_name="python3", startup_timeout=120)
    try:
        setup = (
            "from ray_magics.line.options import argument, magic\n"
            "from ray_magics.line.register import register_magic\n"
            "from ray_magics.line.parsers import name\n"
            "cook = argument('--into', type=name)(argument('--num-cpus')(lambda options, cell=None: 0))\n"
            "register_magic(get_ipython(), magic('cook')(cook))\n"
        )
        reply = client.execute_interactive(setup, timeout=60, output_hook=lambda message: None)
        assert reply["content"]["status"] == "ok", reply
        reply = client.complete("%%cook --num\nx", 12, reply=True, timeout=60)["content"]
        assert (reply["matches"], reply["cursor_start"], reply["cursor_end"]) == (["--num-cpus"], 7, 12)
    except queue.Empty:
        pytest.fail("the kernel did not answer")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_magic_is_its_name_kind_and_function() -> None:
    assert isinstance(cook, Magic)
    assert (cook.name, cook.kind, cook.remainder, halt.kind) == ("cook", "line_cell", "expression", "line")
    assert cook.function.__doc__ and cook.function.__doc__.startswith("Cook")


def test_importing_it_is_light() -> None:
    code = (
        "import IPython.core.magic, sys, time, ray_magics.line; start = time.process_time();"
        "import ray_magics.line.options; print(time.process_time() - start, 'ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    took, ray = done.stdout.split()
    assert float(took) < 0.1 and ray == "False"
