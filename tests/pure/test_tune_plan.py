"""Every decision about a search, without a cluster: the space, the algorithms, the plan, the table of trials."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.error import UsageError

from ray_magics.cell.reader import read_cell
from ray_magics.verbs.tune.algorithms import (
    FIFO,
    RANDOM,
    SCHEDULERS,
    AlgorithmChoice,
    choose_algorithm,
    scheduler_name,
)
from ray_magics.verbs.tune.magic import ray_tune
from ray_magics.verbs.tune.options import LINE
from ray_magics.verbs.tune.plan import TuneOptions, TunePlan, make_plan, read_options
from ray_magics.verbs.tune.script import explain, script
from ray_magics.verbs.tune.space import (
    KINDS,
    Dimension,
    dimension_of,
    flat,
    make_space,
    nested,
    nested_config,
    space_assignment,
)
from ray_magics.verbs.tune.trainable import FUNCTION, RAY, cell_trainable, named_trainable
from ray_magics.verbs.tune.trial_table import TrialTable, thinned
from ray_magics.verbs.tune.tuner import make_scheduler, make_search, ray_value

NAMES: dict[str, Any] = {"sizes": [16, 32], "high": 0.1}


def space(*words: str, **names: Any) -> tuple[Dimension, ...]:
    return make_space([space_assignment(word, "--space") for word in words], {**NAMES, **names})


def said(text: str, *words: str) -> bool:
    return all(word in text for word in words)


# --- the space ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind", "args"),
    [
        ("lr=loguniform(1e-4, 1e-1)", "loguniform", (1e-4, 1e-1)),
        ("lr = uniform(0, high)", "uniform", (0, 0.1)),
        ("n=randint(1, 10)", "randint", (1, 10)),
        ("n=qrandint(16, 128, 16)", "qrandint", (16, 128, 16)),
        ("opt=choice(['adam', 'sgd'])", "choice", (["adam", "sgd"],)),
        ("width=choice(sizes)", "choice", ([16, 32],)),
        ("width=grid_search(range(3))", "grid_search", ([0, 1, 2],)),
        ("lr=tune.uniform(0, 1)", "uniform", (0, 1)),
        ("x=randn()", "randn", ()),
        ("epochs=10", "constant", (10,)),
        ("layers=[1, 2]", "constant", ([1, 2],)),
        ("model.depth=randint(1, 5)", "randint", (1, 5)),
    ],
)
def test_a_word_of_the_space_is_a_dimension(word: str, kind: str, args: tuple[Any, ...]) -> None:
    (dimension,) = space(word)
    assert (dimension.key, dimension.kind, dimension.args) == (word.partition("=")[0].strip(), kind, args)


@pytest.mark.parametrize(
    ("word", "wrong"),
    [
        pytest.param("lr=loguniform(1e-1)", 'needs two bounds; try "lr=loguniform(1e-4, 1e-1)"', id="one bound"),
        pytest.param("lr=uniform(1, 1)", "empty range", id="empty"),
        pytest.param("lr=loguniform(1e-1, 1e-3)", "wrong way round (0.1 is above 0.001)", id="inverted"),
        pytest.param("lr=loguniform(0, 1)", "lower bound 0 is not above 0", id="log from zero"),
        pytest.param("n=randint(1.5, 3)", "whole numbers", id="no whole number"),
        pytest.param("n=quniform(0, 1, 0.3)", "no multiples of the step 0.3", id="step"),
        pytest.param("n=quniform(0, 1, 2)", "does not fit", id="large step"),
        pytest.param("x=randn(0, -1)", "deviation", id="deviation"),
        pytest.param("x=choice([])", "empty list", id="no choice"),
        pytest.param("x=choice('ab')", "needs a list", id="text"),
        pytest.param("x=sample_from(3)", "needs a function", id="no function"),
        pytest.param("x=uniform('a', 'b')", "needs numbers", id="messages"),
        pytest.param("x=uniform(float('nan'), 1)", "needs numbers", id="nan"),
        pytest.param("x=uniform(lower=0, upper=1)", "without names (lower, upper)", id="named"),
        pytest.param("x=nowhere", 'name "nowhere" is not defined', id="undefined"),
        pytest.param("x=", "nothing behind the =", id="nothing"),
        pytest.param("=3", "not of the form NAME=EXPRESSION", id="no name"),
        pytest.param("x=choice(", "is no Python behind the =", id="syntax"),
        pytest.param("1x=3", "not of the form NAME=EXPRESSION", id="no identifier"),
        pytest.param("17", "not a dict", id="no dict"),
    ],
)
def test_a_wrong_word_is_one_line_with_an_example(word: str, wrong: str) -> None:
    with pytest.raises(UsageError) as found:
        space(word)
    assert wrong in str(found.value) and str(found.value).startswith("--space") and "\n" not in str(found.value)


def test_a_key_cannot_have_a_value_and_hold_others() -> None:
    with pytest.raises(UsageError, match=r'"model" has a value of its own and holds "model.depth"'):
        space("model=3", "model.depth=4")


def test_a_dict_is_a_space_too() -> None:
    found = space("given", given={"a": {"b": 1}, "c": {"grid_search": [1, 2]}})
    assert [(one.key, one.kind) for one in found] == [("a.b", "constant"), ("c", "grid_search")]


def test_the_last_word_for_a_key_counts() -> None:
    assert [one.args for one in space("lr=1", "lr=2")] == [(2,)]


def test_nested_and_flat_are_inverse() -> None:
    config = {"model": {"depth": 3, "act": {"name": "relu"}}, "lr": 0.1}
    assert nested_config(flat(config)) == config
    assert nested(space("a.b=1", "c=2"), lambda one: one.args[0]) == {"a": {"b": 1}, "c": 2}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("sample_from", "randn")])
def test_what_ray_makes_of_a_word_reads_back_as_the_same_word(kind: str) -> None:
    pytest.importorskip("ray.tune")
    (there,) = space(f"x={kind}({KINDS[kind].example})")
    back = dimension_of("x", ray_value(there))
    assert (back.kind, back.args) == (there.kind, there.args)


# --- algorithms ---------------------------------------------------------------------------------------------------


def test_a_short_name_may_have_parameters() -> None:
    choice = choose_algorithm(scheduler_name("asha(max_t=20, grace_period=n)"), FIFO, "--scheduler", {"n": 2}, {})
    assert (choice.name, choice.parameters) == ("asha", {"max_t": 20, "grace_period": 2})


def test_an_object_of_the_users_own_is_taken_as_it_is() -> None:
    mine = SimpleNamespace(on_trial_result=None)
    assert choose_algorithm(scheduler_name("mine"), FIFO, "--scheduler", {"mine": mine}, {}).instance is mine


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("ashaa", "did you mean asha?"),
        ("asha(20)", "takes its parameters by name"),
        ("asha(", "is not one of fifo, asha"),
    ],
)
def test_a_wrong_scheduler_is_one_line(text: str, wrong: str) -> None:
    with pytest.raises(UsageError) as found:
        scheduler_name(text, "--scheduler")
    assert wrong in str(found.value)


@pytest.mark.parametrize("value", [int, "asha"])
def test_a_class_or_a_quoted_name_is_no_scheduler(value: Any) -> None:
    with pytest.raises(UsageError, match="--scheduler"):
        choose_algorithm(scheduler_name("given"), FIFO, "--scheduler", {"given": value}, {})


@pytest.mark.parametrize("name", [*SCHEDULERS])
def test_every_scheduler_can_be_made(name: str) -> None:
    plan = TunePlan(
        function(),
        space=space("lr=loguniform(1e-4, 1e-1)"),
        metric="loss",
        mode="min",
        scheduler=AlgorithmChoice(name, text=name),
    )
    made = make_scheduler(plan)
    assert (made is None) == (name == FIFO)


def test_a_parameter_that_a_scheduler_has_not_is_one_line() -> None:
    plan = TunePlan(
        function(),
        space=(),
        metric="loss",
        mode="min",
        scheduler=AlgorithmChoice("asha", {"mxa_t": 3}, text="asha(mxa_t=3)"),
    )
    with pytest.raises(UsageError, match='--scheduler asha has no parameter "mxa_t"; it has'):
        make_scheduler(plan)


def test_a_seed_reaches_the_search() -> None:
    made = make_search(TunePlan(function(), seed=3, search=AlgorithmChoice(RANDOM)))
    assert type(made).__name__ == "BasicVariantGenerator"
    assert make_search(TunePlan(function(), search=AlgorithmChoice(RANDOM))) is None


# --- the plan -----------------------------------------------------------------------------------------------------


def train(config: Any) -> None:
    pass


def function() -> Any:
    return named_trainable("train", train, {"train": train})


def plan(*line: str, trainable: Any = None, is_installed: Any = lambda module: True, **names: Any) -> TunePlan:
    parsed = ray_tune.parse(" ".join(line))
    assert parsed is not None
    return make_plan(read_options(parsed, {**NAMES, **names}), trainable or function(), is_installed)


def test_a_line_is_a_plan() -> None:
    made = plan(
        'train --space "lr=loguniform(1e-4, 1e-1)" "n=3" --metric loss --mode min --num-samples 8',
        "--max-concurrent-trials 2 --scheduler asha --seed 1 --num-cpus 0.5 --into best --stop training_iteration=5",
    )
    assert [one.key for one in made.space] == ["lr", "n"] and made.varied == ("lr",)
    assert (made.metric, made.mode, made.num_samples, made.max_concurrent_trials) == ("loss", "min", 8, 2)
    assert (made.scheduler.name, made.search.name, made.seed, made.into) == ("asha", "random", 1, "best")
    assert made.request == {"CPU": 0.5} and made.resources == {"cpu": 0.5} and made.stop == {"training_iteration": 5}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("train --metric loss", "--metric loss needs --mode: min if less is better"),
        ("train --mode min", "--mode min needs --metric"),
        ("train --scheduler asha", "--scheduler asha compares trials by a metric"),
        ("train --search optuna", "--search optuna compares trials by a metric"),
        ("train --num-samples 0", '"0" is not a number of samples'),
        ("train --num-samples many", '"many" is not a number of samples'),
        ("train --mode most --metric a", '"most" is not one of min, max'),
        ('train --scheduler pbt --metric a --mode min --space "x=3"', "the space has none that it may change"),
        ('train --scheduler pb2 --metric a --mode min --space "x=choice([1, 2])"', "the space has none"),
        ('train --search grid --space "x=uniform(0, 1)"', '"x=uniform(0, 1)" has none'),
        ('train --search optuna --metric a --mode min --space "x=grid_search([1])"', "takes no grid_search"),
        ("train --name a/b", "is not a name of a folder"),
        ("train --stop \"training_iteration='x'\"", "is not a number"),
        ("train --storage-path /etc/passwd", "is a file, not a folder"),
        ("train --max-concurrent-trials 0", "is less than 1"),
        ("train --nonsense", "--nonsense is not an option of %%ray_tune"),
    ],
)
def test_a_contradiction_is_one_line(line: str, wrong: str) -> None:
    with pytest.raises(UsageError) as found:
        plan(line)
    assert wrong in str(found.value) and "\n" not in str(found.value)


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(UsageError, match=r"%pip install optuna"):
        plan("train --search optuna --metric a --mode min", is_installed=lambda module: False)


def test_a_storage_that_is_read_only_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UsageError, match="cannot be written"):
        plan(f"train --storage-path {tmp_path}/new")


def test_grid_lists_choices_and_small_ranges() -> None:
    made = plan('train --search grid --space "a=choice([1, 2])" "b=randint(0, 3)" "c=5"')
    assert [(one.kind, one.options) for one in made.space] == [
        ("grid_search", [1, 2]),
        ("grid_search", [0, 1, 2]),
        ("constant", None),
    ]


@pytest.mark.parametrize(
    ("value", "kind"), [(train, FUNCTION), (lambda config: 1, FUNCTION), (int, RAY), ("PPO", RAY)], ids=str
)
def test_what_stands_on_the_line_is_a_trainable(value: Any, kind: str) -> None:
    assert named_trainable("it", value, {"it": value}).kind == kind


def test_what_cannot_be_called_is_no_trainable() -> None:
    with pytest.raises(UsageError, match='"it" is a int; %ray_tune needs a function'):
        named_trainable("it", 3, {"it": 3})


@pytest.mark.parametrize("cell", ["", "# only a comment", "\n\n"])
def test_an_empty_cell_is_told(cell: str) -> None:
    with pytest.raises(UsageError, match="The cell is empty"):
        cell_trainable(read_cell(cell), {})


def test_a_cell_finds_config_and_tune_and_nothing_else() -> None:
    assert cell_trainable(read_cell("tune.report({'loss': config['lr']})"), {}).captures.names == ()
    with pytest.raises(UsageError, match='The cell reads "nowhere" on line 1, which is not defined'):
        plan("", trainable=cell_trainable(read_cell("tune.report({'loss': nowhere})"), {}))


@pytest.mark.parametrize(
    "cell",
    [
        "try:\n    base\nexcept NameError:\n    base = 1",
        "try:\n    print(nowhere)\nexcept (OSError, Exception):\n    pass",
        "if config.get('deep'):\n    nowhere",
        "def later():\n    return nowhere",
        "config['x'] and nowhere",
        "with contextlib.suppress(NameError):\n    nowhere",
    ],
)
def test_a_cell_that_runs_without_a_name_is_not_refused(cell: str) -> None:
    plan("", trainable=cell_trainable(read_cell(f"import contextlib\n{cell}"), {}))


@pytest.mark.parametrize(
    "cell",
    [
        "try:\n    nowhere\nexcept OSError:\n    pass",
        "try:\n    pass\nfinally:\n    nowhere",
        "for epoch in range(3):\n    nowhere",
        "if nowhere:\n    pass",
        "try:\n    nowhere\nexcept NameError:\n    pass\nnowhere",
    ],
)
def test_a_cell_that_cannot_but_fail_is_refused(cell: str) -> None:
    with pytest.raises(UsageError, match='The cell reads "nowhere" on line'):
        plan("", trainable=cell_trainable(read_cell(cell), {}))


def test_a_cell_keeps_its_name_when_it_is_edited() -> None:
    first, again = (cell_trainable(read_cell(text), {}, "ab12").name for text in ("1", "2"))
    assert first == again != cell_trainable(read_cell("1"), {}, "cd34").name


# --- the table of trials ----------------------------------------------------------------------------------------------------


def table(mode: str = "min") -> TrialTable:
    made = TrialTable(("lr",), "loss", mode)
    for number in range(3):
        made.add(f"a_{number:05}", {"lr": number / 10}, "PENDING")
    return made


def report(made: TrialTable, trial: int, loss: float, iteration: int = 1, **more: Any) -> None:
    made.report(f"a_{trial:05}", {"loss": loss, "training_iteration": iteration, "time_total_s": 1.5, **more}, False)


def test_the_best_is_the_best_by_the_last_report() -> None:
    made = table()
    report(made, 0, 0.5)
    report(made, 1, 0.3)
    report(made, 1, 0.9, iteration=2)
    assert made.best is not None and made.best.number == 0


def test_nothing_is_best_among_nan() -> None:
    made = table("max")
    report(made, 0, math.nan)
    assert made.best is None
    report(made, 1, -math.inf)
    assert made.best is None
    report(made, 2, -5.0)
    assert made.best is not None and made.best.number == 2


def test_states_are_counted_as_they_change() -> None:
    made = table()
    made.update("a_00000", state="RUNNING")
    made.update("a_00001", state="ERROR", error="x")
    assert (made.running, made.failed, made.counts()["PENDING"]) == (1, 1, 1)


def test_an_unchanged_row_is_the_same_object() -> None:
    made = table()
    report(made, 0, 0.5)
    before = made.to_rows()
    report(made, 1, 0.4)
    after = made.to_rows()
    assert before[0] is after[0] and before[1] is not after[1]


def test_a_new_metric_widens_every_row() -> None:
    made = table()
    report(made, 0, 0.5, accuracy=0.9, eval={"f1": 0.7}, note="text", done=False)
    assert made.metrics == ("loss", "accuracy", "eval/f1")
    assert made.to_rows()[1]["metrics"] == [None, None, None]


def test_a_row_is_json_whatever_is_in_it() -> None:
    import json

    made = TrialTable(("a", "b", "c"), "loss", "min")
    made.add("x_1", {"a": object, "b": math.inf, "c": "text" * 1000}, "PENDING")
    made.report("x_1", {"loss": math.nan, "training_iteration": 1}, True)
    (row,) = made.to_rows()
    assert json.loads(json.dumps(row, allow_nan=False))["metrics"] == ["NaN"]
    assert row["params"][1] == "Infinity" and len(row["params"][2]) == 200


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    made = table()
    for iteration in range(1000):
        report(made, 0, iteration, iteration)
    curve = made.trials["a_00000"].curve
    assert 100 <= len(curve) <= 201 and curve[0] == (0, 0) and curve[-1] == (999, 999)
    assert thinned(((1, 1.0),), 5) == ((1, 1.0),)


def test_the_curve_of_a_trial_that_begins_again_does_too() -> None:
    made = table()
    made.restore_curve("a_00000", [(1, 0.9), (2, 0.8), (3, 0.7)])
    report(made, 0, 0.6, iteration=2)
    assert made.trials["a_00000"].curve == ((1, 0.9), (2, 0.6))


def test_an_interrupted_trial_is_not_done() -> None:
    made = table()
    made.update("a_00000", state="RUNNING")
    made.update("a_00001", state="TERMINATED")
    made.interrupt()
    assert made.done == 1 and made.trials["a_00000"].how == "stopped" and made.trials["a_00002"].state == "PENDING"


# --- the script ---------------------------------------------------------------------------------------------------


def test_the_script_is_plain_ray() -> None:
    made = plan('train --space "lr=loguniform(1e-4, 1e-1)" "m.n=3" --metric loss --mode min --scheduler asha --seed 7')
    text = script(made, {"train": train}, "train(config)")
    compile(text, "script", "exec")
    assert said(text, "tune.loguniform(0.0001, 0.1)", "ASHAScheduler()", "BasicVariantGenerator(random_state=7)")
    assert "ray_magics" not in text.replace("tests.pure.test_tune_plan", "")


def test_an_algorithm_stands_in_the_script_as_it_was_written() -> None:
    from ray import tune

    line = "pbt(hyperparam_mutations={'x': tune.uniform(0, 1)})"
    made = plan(f'train --space "x=uniform(0, 1)" --metric a --mode min --scheduler "{line}"', tune=tune)
    text = script(made, {"train": train}, "train(config)")
    compile(text, "script", "exec")
    assert said(text, "PopulationBasedTraining(hyperparam_mutations={'x': tune.uniform(0, 1)})")


@pytest.mark.parametrize(
    "line",
    [
        "--scheduler pbt --metric a --mode min",
        "--scheduler pb2 --metric a --mode min",
        '--scheduler "hyperband(max_t=9)" --metric a --mode max',
        "--search optuna --metric a --mode min --seed 3",
        "--search grid",
        "--num-cpus 2 --num-gpus 0.5 --stop training_iteration=3 --time-budget-s 60 --name x --storage-path /tmp/y",
        "--resume --name x",
        "--space \"y=sample_from(lambda config: config['x'] * 2)\"",
    ],
)
def test_every_script_is_python(line: str) -> None:
    made = plan(f'train --space "x=choice([1, 2])" "z=uniform(0, 1)" {line.replace("--search grid", "")}')
    compile(explain(made, {"train": train}, "train(config)").split("\n\n", 1)[1], "script", "exec")


@pytest.mark.parametrize(
    ("line", "written"),
    [
        pytest.param(
            "--scheduler \"pbt(hyperparam_mutations={'x': choice(sizes)})\"",
            "PopulationBasedTraining(hyperparam_mutations={'x': choice(sizes)})",
            id="parameter",
        ),
        pytest.param("--search own(sizes)", "search_alg=own(sizes)", id="object"),
        pytest.param("--stop \"lambda name, r: r['loss'] > sizes[0]\"", "stop=lambda name, r: r['loss'] >", id="stop"),
        pytest.param("--stop training_iteration=3", "stop={'training_iteration': 3}", id="condition"),
    ],
)
def test_what_is_no_literal_stands_in_the_script_as_on_the_line(line: str, written: str) -> None:
    own = {"choice": lambda values: SimpleNamespace(values=values), "sizes": [16, 32]}
    own["own"] = lambda values: SimpleNamespace(suggest=values)
    made = plan(f'train --space "x=choice([1, 2])" --metric loss --mode min {line}', **own)
    text = script(made, {"train": train, **own}, "train(config)")
    compile(text, "script", "exec")
    assert written in text and "namespace(" not in text and ("sizes = [16, 32]" in text or "sizes" not in written)


def test_a_cell_that_is_no_body_of_a_function_is_run_as_text() -> None:
    cell = "from math import *\nawait later(floor(config['x']))"
    names = {"later": abs}
    made = make_plan(TuneOptions(), cell_trainable(read_cell(cell), names))
    text = script(made, names, cell)
    compile(text, "script", "exec")
    assert said(text, "'config': config", "'from math import *\\n'", "asyncio.run(", "value = namespace['__value__']")


def test_python_takes_what_the_line_takes() -> None:
    from ray_magics.line.api import line_of
    from ray_magics.verbs.tune.api import _LINE_ONLY, _OWN_PARAMETERS

    given = vars(line_of(LINE, {}, (*_OWN_PARAMETERS, *_LINE_ONLY)))
    declared = {flag[2:].replace("-", "_") for flag in ray_tune.options}
    assert declared - {*_OWN_PARAMETERS, *_LINE_ONLY} == set(given)
    assert TuneOptions.from_values(given) == TuneOptions(quiet=True)
    assert set(vars(TuneOptions())) - {"space_code", "stop_code"} == declared - {*_LINE_ONLY}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("train --num-samples -1", "add --time-budget-s SECONDS"),
        ("train --name ''", "is not a name of a folder"),
        ('train --space "a.b=uniform(0, 1"', "is no Python behind the ="),
        ('train --space "a=unifrm(0, 1)"', "did you mean uniform?"),
        ("train --scheduler 7", "is a int, not one of Ray Tune's"),
        ("train --search 7", "is a int, not one of Ray Tune's"),
        ('train --stop "training_iteration="', "has nothing behind the ="),
    ],
)
def test_what_a_vandal_types_is_one_line_too(line: str, wrong: str) -> None:
    with pytest.raises(UsageError) as found:
        plan(line)
    assert wrong in str(found.value) and "\n" not in str(found.value)


def test_a_trial_may_stop_at_a_nested_metric() -> None:
    assert plan('train --stop "eval/loss = 0.5" training_iteration=3').stop == {
        "eval/loss": 0.5,
        "training_iteration": 3,
    }


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_value_without_a_repr_can_be_shown() -> None:
    (dimension,) = space("a=choice(them)", them=[Unshown(), Unshown()])
    made = TrialTable(("a",), "", "")
    made.add("x_1", {"a": dimension.args[0][0]}, "PENDING")
    assert made.to_rows()[0]["params"] == ["<Unshown>"]
    assert "choice" in explain(plan('train --space "a=choice(them)"', them=dimension.args[0]), {"train": train}, "")


def test_the_script_holds_a_class_of_the_notebook() -> None:
    import ray.tune

    trainable = named_trainable("ray.tune.Trainable", ray.tune.Trainable, {"ray": ray})
    assert trainable.kind == RAY and trainable.captures.names == ("ray",)


def test_a_parameter_that_is_unknown_is_told_with_those_that_there_are() -> None:
    choice = AlgorithmChoice("asha", {"max_T": 3}, text="asha(max_T=3)")
    with pytest.raises(UsageError, match='has no parameter "max_T"; it has time_attr, metric, mode, max_t'):
        make_scheduler(TunePlan(function(), space=(), metric="loss", mode="min", scheduler=choice))
