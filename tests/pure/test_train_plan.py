"""Every decision about a training, without a cluster: the loop, the options, the plan, the script."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.error import UsageError

from ray_magics.cell.source import CellSource
from ray_magics.resources import NodeResources, room_for, too_many, why_group_waits
from ray_magics.verbs.train.boosting import boosting_loop
from ray_magics.verbs.train.loop import FUNCTIONS, STATEMENTS, TrainLoop, cell_loop, named_loop
from ray_magics.verbs.train.magic import ray_train
from ray_magics.verbs.train.messages import unbound_names
from ray_magics.verbs.train.options import TrainOptions, Workers, read_options
from ray_magics.verbs.train.plan import TrainPlan, make_plan
from ray_magics.verbs.train.script import describe, script, trial_script

DATASET = SimpleNamespace(iter_batches=None)


def options_of(line: str, namespace: dict[str, Any] | None = None) -> TrainOptions:
    parsed = ray_train.parse(line, is_cell=True)
    assert parsed is not None
    return read_options(parsed, namespace or {})


def loop_of(code: str, namespace: dict[str, Any] | None = None, trainer: str = "torch") -> TrainLoop:
    return cell_loop(CellSource(f"\n{code}"), namespace or {}, trainer, None)


def plan_of(line: str, code: str, namespace: dict[str, Any] | None = None) -> TrainPlan:
    options = options_of(line, namespace)
    return make_plan(options, loop_of(code, namespace, options.trainer), is_installed=lambda module: True)


# --- the loop


def test_statements_are_the_loop_and_return_nothing() -> None:
    loop = loop_of("for i in range(3):\n    train.report({'i': i})\ni")
    assert (loop.kind, loop.call.function, loop.call.returns) == (STATEMENTS, "", False)


def test_of_functions_the_last_is_the_loop_and_others_help() -> None:
    loop = loop_of("def helper():\n    return 1\ndef go(config):\n    return helper()")
    assert (loop.kind, loop.name, loop.call.function, loop.call.takes_config) == (FUNCTIONS, "go", "go", True)


def test_a_function_without_a_parameter_gets_no_config() -> None:
    assert not loop_of("def go():\n    train.report({})").call.takes_config


def test_loop_names_another_function() -> None:
    source = CellSource("def go(config):\n    pass\ndef helper():\n    pass")
    assert cell_loop(source, {}, "torch", "go").name == "go"


@pytest.mark.parametrize(
    ("code", "chosen", "words"),
    [
        pytest.param("", None, "The cell is empty", id="empty"),
        pytest.param("x = 1", "go", "the statements of this one are the loop", id="statements"),
        pytest.param("def go(config):\n    pass", "og", "the cell has go", id="another name"),
        pytest.param("def go(a, b):\n    pass", None, "takes 2 arguments", id="two arguments"),
        pytest.param("async def go(config):\n    pass", None, "async", id="async"),
        pytest.param("class Net:\n    pass", None, "no function", id="a class alone"),
        pytest.param("there_is_no_such_name", None, 'reads "there_is_no_such_name" on line 1', id="undefined"),
    ],
)
def test_what_is_no_loop_is_said_in_one_line(code: str, chosen: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        cell_loop(CellSource(code), {}, "torch", chosen)


@pytest.mark.parametrize("value", [5, "text", dict], ids=str)
def test_what_cannot_be_called_is_no_loop(value: Any) -> None:
    with pytest.raises(UsageError, match="needs a function of config, or a trainer"):
        named_loop("value", value, {"value": value})


def test_names_of_the_notebook_come_before_those_in_scope() -> None:
    mine = {"train": "a table"}
    assert "train" not in plan_of("", "print(train, prepare_model)", mine).scope
    assert plan_of("", "train.report({})").scope["train"] == "ray.train"
    assert "prepare_model" not in plan_of("--trainer xgboost", "train.report({})").scope


def test_names_that_stay_on_the_workers_are_named() -> None:
    loop = loop_of("loss = 1\nimport os\nnet.weight = 2\nother = 3", {"net": 1})
    text = unbound_names(loop, {"loss": 5, "net": 1, "os": pytest})
    assert text == "loss, net of the notebook stay as they were: what the loop does to its names stays on the workers."
    assert not unbound_names(loop, {})


# --- options


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--num-workers 0", "is not a number of workers; try 2 or 1:4"),
        ("--num-workers 4:1", "is not a number of workers"),
        ("--max-failures -2", "is not how often it is tried again"),
        ("--trainer keras", "is not one of torch"),
        ("--data train", "is not a dataset with its name; try --data train=train_ds"),
        ("--data train=ds train=ds", "train is given twice"),
        ("--data train=table", "a str is no Ray Dataset"),
        ("--config 5", "a int is no dict"),
        ("--config missing", 'name "missing" is not defined'),
        ("--resources-per-worker 5", "is no dict"),
        ("--resources-per-worker \"{'CPU': -1}\"", "CPU -1 is no amount"),
        ("--checkpoint-score-order min", "needs --checkpoint-score-attribute"),
        ("--label y", "without a cell"),
        ("--name a/b", "is not a name of a folder"),
        ("--num-to-keep 0", "is less than 1"),
    ],
)
def test_a_mistake_in_the_line_is_one_line(line: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        plan_of(line, "train.report({})", {"ds": DATASET, "table": "text"})
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_config_is_refused_where_the_loop_takes_none() -> None:
    with pytest.raises(UsageError, match=r"write def go\(config\)"):
        plan_of("--config \"{'lr': 1}\"", "def go():\n    pass")


def test_a_missing_package_is_named() -> None:
    with pytest.raises(UsageError, match="%pip install lightgbm"):
        make_plan(TrainOptions(trainer="lightgbm"), loop_of("pass"), is_installed=lambda module: False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "needs a loop"),
        ("--trainer xgboost", "needs --label COLUMN"),
        ("--trainer xgboost --label y", "needs --data train=DATASET"),
        ("--trainer xgboost --label y --data train=ds --config \"{'a': 1}\"", "--params EXPR"),
    ],
)
def test_boosting_without_a_cell_says_what_it_needs(line: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        boosting_loop(options_of(line, {"ds": DATASET}), CellSource(""), {})


@pytest.mark.parametrize(
    ("line", "request_of_a_worker"),
    [
        ("", {"CPU": 1.0}),
        ("--use-gpu", {"GPU": 1.0}),
        ("--use-gpu --resources-per-worker \"{'CPU': 2}\"", {"CPU": 2.0, "GPU": 1.0}),
        ("--resources-per-worker \"{'CPU': 0.5, 'GPU': 0}\"", {"CPU": 0.5}),
    ],
)
def test_a_worker_reserves_what_ray_does(line: str, request_of_a_worker: dict[str, float]) -> None:
    assert plan_of(line, "pass").request == request_of_a_worker


def test_workers_may_change_their_number() -> None:
    workers = options_of("--num-workers 1:4").num_workers
    assert (workers, workers.for_ray, workers.text) == (Workers(1, 4), (1, 4), "1 to 4 workers")


# --- resources

NODES = (NodeResources("a", {"CPU": 2}, {"CPU": 1}), NodeResources("b", {"CPU": 3}, {"CPU": 0}))


def test_workers_are_counted_by_node() -> None:
    assert (room_for({"CPU": 2}, NODES), room_for({"CPU": 1}, NODES), room_for({"CPU": 1}, NODES, free=True)) == (
        2,
        5,
        1,
    )


def test_more_workers_than_fit_are_refused_at_once() -> None:
    text = too_many({"CPU": 2}, 3, NODES, "workers", "--num-workers")
    assert text is not None and text.startswith(
        "3 workers with CPU 2 each do not fit into this cluster, which has CPU 5"
    )
    assert "--num-workers 2" in text and too_many({"CPU": 2}, 2, NODES, "workers", "--num-workers") is None


def test_why_workers_wait_says_what_is_free() -> None:
    assert why_group_waits({"CPU": 1}, 2, NODES, "workers") == "waits for 2 workers with CPU 1 each; free: CPU 1"
    assert why_group_waits({"CPU": 1}, 1, NODES, "workers") == "waits for a worker process to start"


# --- the script


def test_a_script_is_ray_alone_and_python() -> None:
    line = "--num-workers 2 --config \"{'lr': 0.1}\" --num-to-keep 2 --max-failures 3 --name mine --into done"
    namespace = {"factor": 3}
    plan = plan_of(line, 'train.report({"loss": config["lr"] * factor})', namespace)
    text = script(plan, namespace, '\ntrain.report({"loss": config["lr"] * factor})')
    ast.parse(text)
    assert "ray_magics" not in text and "factor = 3" in text and "def train_loop(config):" in text
    assert "scaling_config=train.ScalingConfig(num_workers=2)" in text and "done = trainer.fit()" in text
    assert "failure_config=train.FailureConfig(max_failures=3)" in text and "name='mine'" in text


def test_a_script_imports_what_the_loop_has_in_scope_and_no_more() -> None:
    plan = plan_of("", "prepare_model(1)\ntrain.report({})")
    text = script(plan, {}, "\nprepare_model(1)\ntrain.report({})")
    assert "from ray.train.torch import prepare_model" in text and "Checkpoint" not in text


def test_a_script_imports_what_a_helper_of_another_cell_has_in_scope() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def save(folder):\n    return Checkpoint.from_directory(folder)", namespace)
    text = script(plan_of("", "save('x')", namespace), namespace, "\nsave('x')")
    assert "from ray.train import Checkpoint" in text


def test_a_cell_that_binds_what_it_captures_is_executed_as_text() -> None:
    namespace = {"step": 1}
    code = "step = step + 1\ntrain.report({'step': step})"
    text = script(plan_of("", code, namespace), namespace, f"\n{code}")
    assert "exec(compile(code" in text
    ast.parse(text)


def test_a_script_of_boosting_looks_at_the_labels_itself() -> None:
    options = options_of("--trainer xgboost --label y --data train=ds", {"ds": DATASET})
    loop, source = boosting_loop(options, CellSource(""), {})
    plan = make_plan(options, loop, is_written=True, is_installed=lambda module: True)
    text = script(plan, {}, source.code)
    ast.parse(text)
    assert "default_params(ds, 'y', 'xgboost')" in text and "def default_params(" in text and "type: ignore" not in text


def test_a_trial_in_a_script_trains_with_the_configuration() -> None:
    plan = plan_of("--num-workers 2 --config \"{'a': 1}\"", "def go(config):\n    train.report({})")
    text = "\n".join(trial_script(plan, {}, "\ndef go(config):\n    train.report({})"))
    ast.parse(text)
    assert "train_loop_config={**{'a': 1}, **config}" in text and "callbacks=[TuneReportCallback()]" in text


def test_a_summary_says_what_runs_and_where_it_is_kept() -> None:
    text = describe(plan_of("--num-workers 2 --name mine", "train.report({})"), {})
    assert text.splitlines()[0] == "runs     the cell on 2 workers (torch), each with 1 CPU reserved"
    assert "keeps    ~/ray_results/mine" in text
