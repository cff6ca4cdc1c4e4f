"""The controls of `--form`: the line that repeats them, what they call wrong, and where they say so."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from html import escape
from textwrap import indent
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import TransformerManager

from ray_magics.verbs.tune.card import search_card
from ray_magics.verbs.tune.config_keys import required_keys
from ray_magics.verbs.tune.form.calls_code import calls_code
from ray_magics.verbs.tune.form.guess import guessed_rows
from ray_magics.verbs.tune.form.line import arguments, from_line, normal, to_line, to_text
from ray_magics.verbs.tune.form.panel import Form
from ray_magics.verbs.tune.form.parameter import EXPRESSION, LABELS, Parameter
from ray_magics.verbs.tune.form.problems import problems
from ray_magics.verbs.tune.form.state import SWITCHES, TEXTS, FormState
from ray_magics.verbs.tune.magic import ray_tune
from ray_magics.verbs.tune.space import CONSTANT, KINDS, make_space
from tests.cards import DATA
from tests.statuses import tune_status

SEARCH = tune_status(json.loads((DATA / "tune.json").read_text())["running"])
LR = Parameter("lr", "loguniform", ("1e-4", "1e-1"))
DEPTH = Parameter("depth", "randint", ("1", "8"))
WITHOUT_CONTROLS = "Controls need a notebook with widgets; here, edit this line and run it."
HOSTILE = '<img src=x onerror="alert(1)">'


def train(config: dict[str, Any]) -> dict[str, Any]:
    return {"loss": config["lr"] * config["model"]["depth"] + config.get("width", 32)}


NAMESPACE: dict[str, Any] = {"train": train, "widths": [16, 32], "low": 0.5}


def state(*rows: Parameter, **options: Any) -> FormState:
    return FormState("train", rows=rows or (LR,), **options)


def read(line: str, cell: str | None = None) -> FormState:
    """The state that a line stands for."""
    return from_line(ray_tune.parse(line, cell is not None), cell)


def back(given: FormState) -> FormState:
    """Its line, read again."""
    return read(arguments(given), given.cell)


def said(*rows: Parameter, **options: Any) -> dict[str, str]:
    return problems(state(*rows, **options), NAMESPACE)


def as_ipython_reads(line: str) -> str:
    """What of a line magic IPython hands to the magic."""
    call = ast.parse(TransformerManager().transform_cell(line)).body
    assert len(call) == 1 and isinstance(call[0], ast.Expr) and isinstance(call[0].value, ast.Call)
    name, words = (ast.literal_eval(argument) for argument in call[0].value.args)
    assert name == "ray_tune"
    return words


# --- the line ---------------------------------------------------------------------------------------------------------


def test_the_line_says_all_that_is_set_in_the_order_of_the_manual() -> None:
    given = state(LR, DEPTH, metric="loss", mode="min", num_samples="20", scheduler="asha(max_t=20)", into="search")
    assert to_line(given) == (
        '%ray_tune train --space "lr=loguniform(1e-4, 1e-1)" "depth=randint(1, 8)" --metric loss --mode min '
        '--num-samples 20 --scheduler "asha(max_t=20)" --into search'
    )


def test_a_cell_follows_its_line() -> None:
    given = FormState(cell="train(config)\n", rows=(LR,), quiet=True)
    assert to_text(given) == '%%ray_tune --space "lr=loguniform(1e-4, 1e-1)" --quiet\ntrain(config)\n'


def test_every_option_of_the_magic_has_its_place_in_the_form() -> None:
    options = {flag[2:].replace("-", "_") for flag in ray_tune.options}
    assert options == {*TEXTS, "space", *SWITCHES, "form", "show"}


def test_every_word_of_the_space_has_its_fields() -> None:
    assert {kind: KINDS[kind].most for kind in KINDS} == {kind: len(LABELS[kind]) for kind in KINDS}


@pytest.mark.parametrize(
    "text, parameter",
    [
        pytest.param("uniform(0, 1)", Parameter("x", "uniform", ("0", "1")), id="range"),
        pytest.param("tune.loguniform(1, 8, 2)", Parameter("x", "loguniform", ("1", "8", "2")), id="with-tune"),
        pytest.param(
            "uniform((1 + 2), max(4, 5),)", Parameter("x", "uniform", ("(1 + 2)", "max(4, 5)")), id="parentheses"
        ),
        pytest.param("choice(['é, b', 'c'])", Parameter("x", "choice", ("['é, b', 'c']",)), id="list"),
        pytest.param("randn()", Parameter("x", "randn"), id="nothing"),
        pytest.param(
            "sample_from(lambda a, b=1: a)", Parameter("x", "sample_from", ("lambda a, b=1: a",)), id="function"
        ),
        pytest.param("{'a': [1]}", Parameter("x", CONSTANT, ("{'a': [1]}",)), id="constant"),
        pytest.param("widths[0]", Parameter("x", EXPRESSION, ("widths[0]",)), id="expression"),
        pytest.param(
            "uniform(lower=1, upper=2)", Parameter("x", EXPRESSION, ("uniform(lower=1, upper=2)",)), id="names"
        ),
        pytest.param("uniform(1, 2, 3)", Parameter("x", EXPRESSION, ("uniform(1, 2, 3)",)), id="too-many"),
    ],
)
def test_a_word_of_the_line_fills_the_fields_of_a_row(text: str, parameter: Parameter) -> None:
    assert read(f'train --space "x={text}"').rows == (parameter,)


def test_a_line_with_an_expression_for_the_whole_space_has_a_row_without_a_name() -> None:
    given = read("train --space space")
    assert given.rows == (Parameter("", EXPRESSION, ("space",)),) and back(given) == given
    assert not problems(given, {**NAMESPACE, "space": {"lr": 1}})


def test_a_later_word_for_a_key_takes_the_place_of_an_earlier_one() -> None:
    assert read('train --space "a=1" "b=2" "a=3"').rows == (
        Parameter("a", CONSTANT, ("3",)),
        Parameter("b", CONSTANT, ("2",)),
    )


# --- any state whatever -----------------------------------------------------------------------------------------------

texts = st.text(max_size=12) | st.text("ab'\"\\ -=()[]{},#?;%$é日\U0001f468\u202e\t\n", max_size=12)
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.integers().map(str) | floats.map(repr)
literals = st.recursive(
    texts | st.integers() | floats | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
).map(repr)
keys = st.from_regex(r"[A-Za-z_]\w{0,5}(\.[A-Za-z_]\w{0,5}){0,2}", fullmatch=True)
ranges = st.lists(st.integers(1, 10**6), min_size=2, max_size=2, unique=True).map(sorted)
lists = st.lists(literals, min_size=1, max_size=4).map(lambda items: f"[{', '.join(items)}]")
OPTIONS = {
    "metric": texts,
    "mode": st.sampled_from(["", "min", "max"]),
    "num_samples": st.sampled_from(["", "-1", " 7 ", "0"]) | numbers,
    "max_concurrent_trials": st.just("") | numbers,
    "scheduler": st.sampled_from(["", "asha", " asha(max_t = 20) ", "pbt", "fifo", "train", "asha(1)"]) | texts,
    "search": st.sampled_from(["", "random", "grid", "random(points_to_evaluate=[{'a': 'b c'}])"]) | texts,
    "seed": st.just("") | numbers,
    "stop": st.sampled_from(["", "a=1", '"a = 1" b.c=2', "a=low b='1'", "-low", "low"]) | texts,
    "time_budget_s": st.just("") | numbers,
    "num_cpus": st.just("") | numbers,
    "num_gpus": st.just("") | numbers,
    "storage_path": texts,
    "name": texts,
    "into": st.sampled_from(["", " result ", "class"]) | texts,
    "reuse_actors": st.booleans(),
    "resume": st.booleans(),
    "background": st.booleans(),
    "dry_run": st.booleans(),
    "quiet": st.booleans(),
}


@st.composite
def good_rows(draw: Any) -> Parameter:
    """Rows as a person fills them in who makes no mistakes."""
    kind = draw(st.sampled_from(list(LABELS)))
    low, high = draw(ranges)
    args = {
        "quniform": ("0", "1", "0.25"),
        "qloguniform": ("4", "64", "4"),
        "qrandint": ("4", "64", "4"),
        "qlograndint": ("4", "64", "4"),
        "randn": draw(st.sampled_from([(), ("0",), ("-1.5", "2")])),
        "qrandn": ("0", "1", "0.1"),
        "choice": (draw(lists),),
        "grid_search": (draw(lists),),
        "sample_from": ("lambda config: {'a': config}",),
        CONSTANT: (draw(literals),),
        EXPRESSION: (draw(st.sampled_from(["widths", "-low", "low + 1", "widths[0] if low else 'b c'"])),),
    }
    return Parameter(draw(keys), kind, args.get(kind, (str(low), str(high))))


rows = st.builds(
    Parameter, keys | texts, st.sampled_from(list(LABELS)), st.lists(numbers | texts | lists, max_size=4).map(tuple)
)
states = st.builds(
    FormState,
    st.sampled_from(["train", " train ", "lambda config: {'loss': 1}", "-x"]) | texts,
    st.none() | texts,
    st.lists(good_rows() | rows, max_size=4).map(tuple),
    **OPTIONS,
)
good_texts = {
    "metric": texts.map(printable := lambda text: "".join(char for char in text if char.isprintable())),
    "name": texts.map(printable).map(lambda text: text.replace("/", "")),
    "storage_path": texts.map(printable).map(lambda text: text and f"/tmp/{text}"),
    "num_samples": st.just("") | st.integers(1).map(str) | st.just("-1"),
    "max_concurrent_trials": st.just("") | st.integers(1).map(str),
    "seed": st.just("") | st.integers().map(str),
    "time_budget_s": st.just("") | floats.map(abs).map(lambda value: repr(value).removesuffix(".0")),
    "num_cpus": st.sampled_from(["", "0", "2", "0.5"]),
    "num_gpus": st.sampled_from(["", "0", "2", "0.5"]),
    "stop": st.sampled_from(["", "training_iteration=10", "a=1 b.c=low", '"a=1 + 2"', '"-low if 0 else None"']),
    "scheduler": st.sampled_from(["", "fifo", "asha", "asha(max_t=20, grace_period=2)"]),
    "search": st.sampled_from(["", "random", "random(max_concurrent=3)"]),
    "into": st.sampled_from(["", "result", "é"]),
}
good_states = st.builds(
    FormState,
    st.sampled_from(["train", "lambda config: {'loss': 1}"]),
    rows=st.lists(good_rows(), max_size=4, unique_by=lambda row: row.key.split(".")[0]).map(tuple),
    mode=st.sampled_from(["min", "max"]),
    **good_texts,
    **{name: OPTIONS[name] for name in SWITCHES},
)


def without_mistakes(given: FormState) -> FormState:
    """What the generator of texts does not see to; without a time budget, -1 samples have no end."""
    given = replace(given, metric=given.metric.strip("- ") or "loss", name=given.name.strip(".- "))
    return replace(given, time_budget_s=given.time_budget_s or "60")


@settings(deadline=None)
@given(states)
def test_a_state_without_a_problem_is_what_its_line_reads_back_as(given: FormState) -> None:
    if not problems(given, NAMESPACE):
        assert back(given) == normal(given) == back(normal(given))
        if given.cell is None:
            assert as_ipython_reads(to_line(given)) == arguments(given)


@settings(deadline=None)
@given(good_states)
def test_what_a_person_sets_without_mistakes_has_no_problem_and_is_its_own_line(given: FormState) -> None:
    given = without_mistakes(given)
    assert problems(given, NAMESPACE) == {}
    assert back(given) == normal(given)
    assert as_ipython_reads(to_line(given)) == arguments(given)


@settings(deadline=None)
@given(texts, texts)
def test_a_text_of_any_characters_that_fit_in_a_line_comes_back_from_it(key: str, value: str) -> None:
    given = state(Parameter("x", "choice", (f"[{value!r}]",)), metric=key, mode="min", name=value)
    if not problems(given, NAMESPACE):
        assert back(given) == normal(given)
        dimension = make_space(ray_tune.parse(arguments(given)).space, {})[0]
        assert dimension.options == [value]


@settings(deadline=None)
@given(states)
def test_whatever_is_typed_has_a_line_to_show(given: FormState) -> None:
    assert to_line(given).startswith("%%ray_tune" if given.cell is not None else "%ray_tune")


# --- what is wrong ----------------------------------------------------------------------------------------------------


def row(kind: str, *args: str, key: str = "lr") -> Parameter:
    return Parameter(key, kind, args)


@pytest.mark.parametrize(
    "parameter, sentence",
    [
        pytest.param(row("uniform", "1", "1"), '"lr=uniform(1, 1)" has an empty range; try', id="empty-range"),
        pytest.param(row("uniform", "2", "1"), "has its bounds the wrong way round (2 is above 1)", id="inverted"),
        pytest.param(row("loguniform", "0", "1"), "its lower bound 0 is not above 0", id="log-from-0"),
        pytest.param(row("choice", "[]"), "has an empty list", id="choice-of-nothing"),
        pytest.param(row("choice"), '"lr" needs a value: a list', id="choice-without-values"),
        pytest.param(row("choice", "1"), "needs a list", id="choice-of-a-number"),
        pytest.param(row("uniform", "", "1"), '"lr" needs a value: two bounds, as 0.1, 0.9', id="no-lower"),
        pytest.param(row("uniform", "1"), "needs two bounds", id="no-upper"),
        pytest.param(row("uniform", "'a'", "1"), "needs numbers", id="text-as-bound"),
        pytest.param(row("loguniform", "1, 2", "8"), "does not have one value in each field", id="two-in-a-field"),
        pytest.param(row("uniform", "a=1", "2"), "is no Python behind the =", id="name-in-a-field"),
        pytest.param(row("uniform", "1)", "(2"), "does not have one value in each field", id="brackets"),
        pytest.param(row("uniform", "(1", "2"), "is no Python behind the =", id="bracket"),
        pytest.param(row("uniform", "nix", "1"), 'name "nix" is not defined', id="unknown-name"),
        pytest.param(row("quniform", "0", "1", "0.3"), "no multiples of the step 0.3", id="step"),
        pytest.param(row(CONSTANT), '"lr" needs a value, as 3', id="constant-without-value"),
        pytest.param(row(CONSTANT, "low"), "for names and formulas choose expression", id="constant-of-a-name"),
        pytest.param(row(CONSTANT, "1", key=""), "the parameter needs a name", id="no-name"),
        pytest.param(row(CONSTANT, "1", key="my lr"), '"my lr" is not a name', id="name-with-blank"),
        pytest.param(row(CONSTANT, "1", key=HOSTILE), "is not a name; try lr or model.depth", id="hostile-name"),
        pytest.param(row(EXPRESSION, "low", key=""), '"low" is a float, not a dict', id="no-dict"),
        pytest.param(row(CONSTANT, "'a\nb'"), "has a character that a line cannot hold", id="line-break"),
        pytest.param(row(CONSTANT, "-" * 100_000 + "1"), "is nested too deeply", id="deep"),
    ],
)
def test_a_row_says_what_is_wrong_with_it(parameter: Parameter, sentence: str) -> None:
    found = said(DEPTH, parameter)
    assert list(found) == ["row 1"] and sentence in found["row 1"] and not found["row 1"].startswith("--")


@pytest.mark.parametrize(
    "name, options, sentence",
    [
        pytest.param("mode", {"metric": "loss"}, "--metric loss needs --mode: min if less is better", id="no-mode"),
        pytest.param("metric", {"mode": "min"}, "--mode min needs --metric NAME", id="no-metric"),
        pytest.param("num_samples", {"num_samples": "0"}, '"0" is not a number of samples; try 10', id="samples"),
        pytest.param("num_samples", {"num_samples": "-1"}, "add --time-budget-s SECONDS", id="endless"),
        pytest.param("num_samples", {"num_samples": "ten"}, '"ten" is not a number of samples', id="samples-in-words"),
        pytest.param("seed", {"seed": "1.5"}, '"1.5" is not a whole number', id="seed"),
        pytest.param("num_cpus", {"num_cpus": "-1"}, '"-1" is negative', id="cpus"),
        pytest.param("time_budget_s", {"time_budget_s": "inf"}, '"inf" is not finite', id="budget"),
        pytest.param("into", {"into": "my result"}, '"my result" is not a name', id="into"),
        pytest.param("name", {"name": "../x"}, '"../x" is not a name of a folder', id="experiment"),
        pytest.param("storage_path", {"storage_path": "/proc/x"}, "/proc/x cannot be written", id="storage"),
        pytest.param("storage_path", {"storage_path": __file__}, "is a file, not a folder", id="storage-file"),
        pytest.param("scheduler", {"scheduler": "asha(20)"}, '"asha(20)" takes its parameters by name', id="parameter"),
        pytest.param("scheduler", {"scheduler": "asha(max_t=)"}, '"asha(max_t=)" is not one of', id="no-parameter"),
        pytest.param("scheduler", {"scheduler": "ahsa"}, "did you mean asha?", id="misspelt"),
        pytest.param("scheduler", {"scheduler": "asha(max_t=nix)"}, 'name "nix" is not defined', id="unknown-name"),
        pytest.param(
            "scheduler", {"scheduler": "asha"}, "compares trials by a metric: add --metric NAME", id="compares"
        ),
        pytest.param("search", {"search": "nevergrad"}, "needs a package that is not here", id="package"),
        pytest.param("stop", {"stop": "loss=x"}, 'name "x" is not defined', id="stop-name"),
        pytest.param("stop", {"stop": "\"loss='a'\""}, "is not a number", id="stop-text"),
        pytest.param("stop", {"stop": '"loss=1'}, "a quote is not closed", id="stop-quote"),
        pytest.param("stop", {"stop": "a=1 widths"}, "takes conditions", id="stop-both"),
        pytest.param("name", {"name": "--"}, 'is not what a line can hold: "--"', id="hyphens"),
        pytest.param("metric", {"metric": "a\nb", "mode": "min"}, "a line cannot hold: '\\n'", id="line-break"),
    ],
)
def test_an_option_says_what_is_wrong_with_it(
    name: str, options: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).startswith("/proc"))  # root may do all
    found = said(**options)
    assert list(found) == [name] and sentence in found[name]


def test_pbt_needs_something_to_change() -> None:
    options = {"scheduler": "pbt", "metric": "loss", "mode": "min"}
    found = said(Parameter("epochs", CONSTANT, ("10",)), **options)
    assert list(found) == ["scheduler"] and "the space has none that it may change" in found["scheduler"]
    assert said(LR, **options) == {}


def test_a_grid_needs_lists() -> None:
    assert "--search grid goes through lists" in said(LR, search="grid")["search"]


def test_two_rows_of_one_name_are_a_mistake_of_the_second() -> None:
    assert said(LR, LR) == {"row 1": '"lr" is there already; drop one of them'}
    nested = said(Parameter("m", CONSTANT, ("1",)), Parameter("m.depth", CONSTANT, ("1",)))
    assert list(nested) == ["row 1"] and 'holds "m.depth", too' in nested["row 1"]


def test_a_trainable_that_cannot_run_is_told() -> None:
    assert "needs a function" in problems(FormState("low"), NAMESPACE)["trainable"]
    assert 'name "nix" is not defined' in problems(FormState("nix"), NAMESPACE)["trainable"]
    assert "The cell is empty" in problems(FormState(cell="# nothing"), NAMESPACE)["trainable"]
    assert '"nix" on line 3' in problems(FormState(cell="1\nnix"), NAMESPACE)["trainable"]
    assert problems(FormState(cell="!ls\nnix"), NAMESPACE) == {}


def test_a_mistake_in_one_row_leaves_what_needs_all_rows_unsaid() -> None:
    found = said(Parameter("lr", "uniform", ("0", "")), scheduler="pbt", metric="loss", mode="min")
    assert list(found) == ["row 0"]


def test_nothing_of_the_user_is_called_while_one_types() -> None:
    def called(*_: Any) -> Any:
        raise AssertionError("called")

    given = state(
        row("choice", "called()"), row(EXPRESSION, "called(1)", key="x"), stop="a=called()", search="called()"
    )
    assert problems(given, {**NAMESPACE, "called": called}) == {}


@pytest.mark.parametrize("text", ["f(1)", "[g(x) for x in y]", "9**9**9", "range(10**12)", "[0] * 10000000", "*a"])
def test_calls_and_large_values_are_left_to_start(text: str) -> None:
    assert calls_code(text)


@pytest.mark.parametrize("text", ["1e-4", "10**-4", "lambda c: f(c)", "range(10)", "x + 1", "tune.choice([1])"])
def test_what_is_quick_is_known_at_once(text: str) -> None:
    assert not calls_code(text)


def test_states_are_checked_without_ray_and_widgets() -> None:
    code = "import sys; from ray_magics.verbs.tune.form import guess, picture; from ray_magics.verbs.tune.form.problems import *"
    code += "; problems(FormState('len', search='grid'), {})"
    check = f"{code}; print([name for name in ('ray', 'ipywidgets', 'anywidget') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True).stdout == "[]\n"


# --- a first guess ----------------------------------------------------------------------------------------------------


def test_a_function_has_a_row_for_each_key_that_it_reads() -> None:
    found = guessed_rows(FormState("train"), train).rows
    assert found == (Parameter("lr"), Parameter("model.depth"), Parameter("width", CONSTANT, ("32",)))
    assert list(problems(FormState("train", rows=found), NAMESPACE)) == ["row 0", "row 1"]


def test_a_cell_has_a_row_for_each_key_that_it_reads() -> None:
    cell = 'config["out"] = 1\nconfig["my key"]\nother["no"]\nx = config["C"] + config["C"]\nconfig.get("D", f())'
    assert guessed_rows(FormState(cell=cell)).rows == (Parameter("C"), Parameter("D"))


def test_the_space_of_the_line_is_not_guessed_at() -> None:
    assert guessed_rows(state(DEPTH), train).rows == (DEPTH,)
    assert guessed_rows(FormState("len"), len).rows == ()


# --- the controls -----------------------------------------------------------------------------------------------------


class Search:
    """A stand-in for the run of a search."""

    def __init__(self, view: Any) -> None:
        self.view, self.live, self.stops = view, True, 0
        view.display.update(search_card(SEARCH))

    def stop(self, by: str = "") -> None:
        self.stops += 1

    def end(self) -> None:
        self.live = False
        self.view.display.finish(search_card(replace(SEARCH, state="finished")))


def form_of(given: FormState, start: Any = None, namespace: dict[str, Any] = NAMESPACE) -> Form:
    return Form(given, namespace, start or (lambda words, view: Search(view)))


@settings(deadline=None, max_examples=40)
@given(states)
def test_controls_hold_any_state_as_it_is(given: FormState) -> None:
    form = form_of(given, namespace={})
    form.close()
    plain = {name: getattr(given, name) for name in TEXTS if name not in ("scheduler", "search")}
    assert {name: getattr(form.state, name) for name in plain} == plain
    shown = form.preview.state
    assert form.line.text == to_text(shown) and set(problems(shown, {})) <= {"trainable", "line"}
    assert bool(form.preview.left_out) <= bool(form.problems)


@settings(deadline=None, max_examples=40)
@given(good_states)
def test_controls_say_the_line_that_they_were_made_from(given: FormState) -> None:
    given = without_mistakes(given)
    form = form_of(given)
    form.close()
    shown = form.line.line.replace("--scheduler fifo ", "").replace("--search random ", "")
    assert not form.line.note
    assert shown == to_line(given).replace("--scheduler fifo ", "").replace("--search random ", "")


def test_what_is_typed_is_in_the_line_at_once() -> None:
    form = form_of(state())
    form.rows[0].texts["upper"].value = "0.5"
    form.settings["num_samples"].control.value = "8"
    assert form.line.text == '%ray_tune train --space "lr=loguniform(1e-4, 0.5)" --num-samples 8'


def test_a_mistake_is_told_below_its_field_and_start_waits_for_it() -> None:
    form = form_of(state())
    form.settings["seed"].control.value = HOSTILE
    assert 'role="alert">⚠ &quot;&lt;img src=x' in form.settings["seed"].alert.value
    assert form.launch.start_button.disabled and form.launch.hint.value == "1 mistake above to mend first"
    form.settings["seed"].control.value = "3"
    assert not form.settings["seed"].message and not form.launch.start_button.disabled


def test_a_form_opens_without_a_mistake_and_says_what_is_missing() -> None:
    form = form_of(FormState("train", rows=(Parameter("lr"),), metric="loss"))
    lr = form.rows[0]
    assert (
        lr.message == '"lr" needs a value: two bounds, as 0.1, 0.9' and "needs --mode" in form.settings["mode"].message
    )
    assert not wrong(form) and "alert" not in lr.alert.value and "ray-magics-form-hint" in lr.alert.value
    assert form.line.line == "%ray_tune train"
    assert form.line.note == "Not in it yet: lr, --metric; what they need stands above."


def test_start_calls_what_is_missing_a_mistake() -> None:
    started: list[str] = []
    form = form_of(FormState("train", rows=(Parameter("lr"),)), lambda words, view: started.append(words))
    assert not form.launch.start_button.disabled
    form.launch.start_button.click()
    assert wrong(form) == ["row 0"] and form.launch.hint.value == "1 mistake above to mend first" and not started
    form.add.click()
    assert wrong(form) == ["row 0"] and "needs a name" in form.rows[1].message


def test_half_a_range_is_no_mistake_yet_and_a_range_the_wrong_way_round_is() -> None:
    form = form_of(FormState("train", rows=(Parameter("lr"),)))
    lower, upper = form.rows[0].texts.values()
    lower.value = "2"
    assert not wrong(form) and form.rows[0].message == '"lr" needs two bounds, as 0.1, 0.9'
    upper.value = "1"
    assert wrong(form) == ["row 0"] and form.line.line == "%ray_tune train"
    upper.value = "3"
    assert form.line.line == '%ray_tune train --space "lr=uniform(2, 3)"' and not form.line.note


def test_what_is_wrong_only_without_a_mistake_beside_it_waits_with_it() -> None:
    form = form_of(state(metric="loss", mode="min", scheduler="asha", seed="7"))
    form.settings["mode"].control.value = ""
    assert form.line.line == '%ray_tune train --space "lr=loguniform(1e-4, 1e-1)" --seed 7'
    assert form.line.note == "Not in it yet: --metric, --scheduler; what they need stands above."


def wrong(form: Form) -> list[str]:
    """The controls that show a mistake."""
    return [name for name, control in form._controls().items() if control.is_wrong]


@pytest.mark.parametrize("comments", ["", "# mine"])
def test_a_form_without_something_to_run_writes_a_cell(comments: str) -> None:
    form = form_of(FormState(cell=comments))
    assert not wrong(form) and form.launch.start_button.disabled
    assert form.launch.hint.value.startswith("Start has nothing to run yet: insert the cell")
    (row,) = form.rows
    row.key.value, row.kind.value = "model.depth", "choice"
    row.texts["values"].value = "[1, 2]"
    form.settings["metric"].control.value, form.settings["mode"].control.value = "loss", "min"
    body = comments or '# One trial: Python that reads config["model"]["depth"] and ends with the loss.'
    assert form.line.text == f'%%ray_tune --space "model.depth=choice([1, 2])" --metric loss --mode min\n{body}'
    assert form.line.line == form.line.text


def test_a_new_row_needs_a_name_and_can_be_removed() -> None:
    form = form_of(state())
    form.add.click()
    assert "needs a name" in form.rows[1].message and len(form.row_list.children) == 2
    assert not wrong(form) and not form.line.note
    form.rows[1].remove.click()
    assert len(form.row_list.children) == 1 and not form.problems


def test_another_kind_has_other_fields_and_keeps_what_they_share() -> None:
    row = form_of(state()).rows[0]
    row.kind.value = "quniform"
    assert row.parameter == Parameter("lr", "quniform", ("1e-4", "1e-1", ""))
    row.kind.value = "choice"
    assert row.parameter == Parameter("lr", "choice", ("",)) and "needs a value: a list" in row.message


def test_ranges_show_their_scale() -> None:
    log, linear, listed = form_of(state(LR, DEPTH, Parameter("opt", "choice", ("[1]",)))).rows
    assert "log scale" in log.picture.value and "linear scale" in linear.picture.value and not listed.picture.value
    assert "loguniform · log" in log.kind.label and "randint · linear" in linear.kind.label


def test_each_scheduler_keeps_its_own_parameters() -> None:
    scheduler = form_of(state(scheduler="asha(max_t=20)", metric="loss", mode="min")).settings["scheduler"]
    scheduler.control.value = "pbt"
    assert scheduler.value == "pbt"
    scheduler.control.value = "asha"
    assert scheduler.value == "asha(max_t=20)"


def test_an_object_as_scheduler_is_a_text() -> None:
    scheduler = form_of(state(scheduler="mine(2)")).settings["scheduler"]
    assert scheduler.control.value == EXPRESSION and scheduler.value == "mine(2)"


def test_start_gets_the_words_of_the_line_and_stop_stops_the_run() -> None:
    started: list[str] = []
    form = form_of(state(), lambda words, view: started.append(words) or Search(view))
    launch = form.launch
    launch.start_button.click()
    assert started == [arguments(form.state)] and launch.start_button.disabled and not launch.stop_button.disabled
    assert launch.area.children[0].card.sections[0].state == "running"
    launch.stop_button.click()
    assert launch.run.stops == 1


def test_after_the_end_the_search_can_start_again() -> None:
    form = form_of(state())
    form.launch.start_button.click()
    form.launch.run.end()
    assert not form.launch.start_button.disabled and form.launch.stop_button.disabled
    assert form.launch.area.children[0].card.sections[0].state == "finished"
    form.launch.start_button.click()
    assert len(form.launch.area.children) == 1 and form.launch.area.children[0].card.sections[0].state == "running"


@pytest.mark.parametrize(
    "error, sentence",
    [
        pytest.param(UsageError("No GPU\n here"), "No GPU here", id="mistake"),
        pytest.param(ValueError("<b>"), "ValueError: <b>", id="error"),
    ],
)
def test_an_error_at_the_start_is_one_line_below_start(error: Exception, sentence: str) -> None:
    def fails(words: str, view: Any) -> Any:
        raise error

    form = form_of(state(), fails)
    form.launch.start_button.click()
    assert form.launch.buttons.message == sentence and not form.launch.start_button.disabled


def test_a_name_that_a_later_cell_defines_is_no_mistake_any_more() -> None:
    namespace = dict(NAMESPACE)
    form = form_of(state(row("choice", "optimizers")), namespace=namespace)
    assert 'name "optimizers" is not defined' in form.rows[0].message
    namespace["optimizers"] = ["adam"]
    form._after_cell()
    assert not form.rows[0].message and not form.launch.start_button.disabled


def test_a_closed_form_stops_its_search_and_leaves_no_widget() -> None:
    form = form_of(state())
    form.launch.start_button.click()
    form.close()
    assert form.launch.run.stops == 1 and form.root.comm is None and form.rows[0].key.comm is None


def test_a_form_at_rest_is_its_line() -> None:
    form, drawn = form_of(state()), []
    form.handle = SimpleNamespace(update=lambda bundle, raw: drawn.append((raw, bundle)))
    form.freeze()
    form.freeze()
    assert drawn == [(True, {"text/plain": to_text(state()), "text/html": f"<pre>{escape(to_text(state()))}</pre>"})]
    assert form.root.comm is None


# --- the magic --------------------------------------------------------------------------------------------------------


def test_without_widgets_the_line_is_printed(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run('def train(config):\n    return config["lr"]\n%ray_tune train --form --num-samples 3')
    assert (
        capsys.readouterr().out == f'%ray_tune train --space "lr=uniform(0, 1)" --num-samples 3\n{WITHOUT_CONTROLS}\n'
    )


def test_without_widgets_and_something_to_run_a_cell_is_printed(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run("%ray_tune --form --num-samples 3")
    body = "# One trial: Python that reads config and ends with the result."
    assert capsys.readouterr().out == f"%%ray_tune --num-samples 3\n{body}\n{WITHOUT_CONTROLS}\n"


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans that the magic carries out, in place of a search."""
    from ray_magics.verbs.tune import magic

    plans: list[Any] = []
    monkeypatch.setattr(magic, "carry_out", lambda plan, *_: plans.append(plan))
    return plans


def test_a_trainable_alone_runs_once_and_opens_no_form(
    shell: Any, capsys: pytest.CaptureFixture[str], carried_out: list[Any]
) -> None:
    shell.run('def alone(config):\n    return {"loss": config.get("width", 32)}\n%ray_tune alone')
    (plan,) = carried_out
    assert (plan.num_samples, plan.space, plan.trainable.text) == (1, (), "alone")
    assert capsys.readouterr().out == ""


def test_a_trainable_alone_that_reads_its_configuration_says_what_is_missing(
    shell: Any, carried_out: list[Any]
) -> None:
    shell.run('def train(config):\n    return config["lr"] * config["model"]["depth"]')
    with pytest.raises(UsageError) as found:
        shell.run("%ray_tune train")
    assert str(found.value) == (
        'train reads "lr", "model.depth" from its configuration, and no --space says what to try: '
        'add --space "lr=uniform(0, 1)" "model.depth=uniform(0, 1)", or --form for controls.'
    )
    shell.run("%ray_tune train --num-samples 1")
    assert len(carried_out) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('return config.get("lr", 1)', id="default"),
        pytest.param('return config["lr"] if config else 1', id="condition"),
        pytest.param('config = {"lr": 1, **config}\nreturn config["lr"]', id="defaults"),
        pytest.param('config.setdefault("lr", 1)\nreturn config["lr"]', id="setdefault"),
        pytest.param('try:\n    return config["lr"]\nexcept KeyError:\n    return 1', id="try"),
        pytest.param('if fast:\n    return 1\nreturn config["lr"]', id="early-return"),
        pytest.param("return helper(config)", id="elsewhere"),
    ],
)
def test_what_may_run_without_a_space_is_not_refused(body: str) -> None:
    tree = ast.parse(f"def train(config):\n{indent(body, '    ')}")
    assert required_keys(tree, "config") == []


def test_a_key_that_is_read_in_a_loop_is_required() -> None:
    tree = ast.parse("def train(c):\n    for i in range(3):\n        report(c['x'] / i)\n    return c['y']")
    assert required_keys(tree, "c") == ["x", "y"]


def test_the_form_shows_a_line_with_mistakes(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run('%ray_tune len --form --space "lr=uniform(1, 1)" --metric loss')
    assert capsys.readouterr().out.startswith('%ray_tune len --space "lr=uniform(1, 1)" --metric loss\n')


@pytest.mark.parametrize("line", ["%ray_tune nix --form", "%%ray_tune train --form\n# nothing"])
def test_a_form_needs_something_that_can_run(shell: Any, line: str) -> None:
    with pytest.raises(UsageError):
        shell.run(line)


@pytest.mark.parametrize("line", ["%ray_tune --form", "%%ray_tune --form\n# nothing"])
def test_a_form_for_a_cell_opens_in_a_notebook(shell: Any, line: str, notebook: dict[str, Form]) -> None:
    shell.run(line)
    (shown,) = notebook.values()
    assert shown.line.text.startswith("%%ray_tune\n# ") and len(shown.rows) == 1
    shown.close()


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> dict[str, Form]:
    """The forms that cells show."""
    from ray_magics.views import show

    monkeypatch.setattr("ray_magics.kernel.kernel_of", lambda shell: SimpleNamespace())
    monkeypatch.setattr(show, "_views", {})
    return show._views


def test_the_form_of_a_notebook_starts_the_line_that_it_shows(
    shell: Any, monkeypatch: pytest.MonkeyPatch, notebook: dict[str, Form]
) -> None:
    from ray_magics.verbs.tune import magic

    carried: list[Any] = []
    monkeypatch.setattr(
        magic, "carry_out", lambda plan, namespace, cell_source, view: carried.append(plan) or Search(view)
    )
    shell.run('%%ray_tune --form --space "x=uniform(0, 1)" --into found\nconfig["x"]')
    (shown,) = notebook.values()
    shown.settings["num_samples"].control.value = "4"
    shown.launch.start_button.click()
    assert (carried[0].num_samples, carried[0].into, carried[0].background) == (4, "found", True)
    shown.close()
