"""A training as a plain Ray script, and as a summary: what runs, where, what is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...cell.reader import read_cell
from ...run.loops import TRIAL_NAME
from ...run.storage import DEFAULT, absolute_storage
from ...ship.captures import Capture, find_captures, reads_of
from ...ship.cell_text import executed, indented, must_be_executed, plain
from ...ship.datasets import source_for
from ...ship.pickles import Namespace
from ...ship.script import code_of, describe_captures, finished, putting, setting
from .boosting import DEFAULT_PARAMS, LOOPS, TRAIN
from .loop import CONFIG, FUNCTION, STATEMENTS, TRAINER
from .plan import TrainPlan
from .trainer import CLASSES

_INDENT = "    "


def explain(plan: TrainPlan, namespace: Namespace, source: str) -> str:
    """What ``--dry-run`` prints."""
    return f"{describe(plan, namespace)}\n\n{script(plan, namespace, source)}"


# --- as a summary ----------------------------------------------------------------------------------------------------


def describe(plan: TrainPlan, namespace: Namespace) -> str:
    """The plan in a few aligned lines."""
    what = {STATEMENTS: "the cell", FUNCTION: plan.loop.text, TRAINER: f"the loop of {plan.loop.text}"}
    runs = "the loop below" if plan.is_written else what.get(plan.loop.kind, plan.loop.name)
    amounts = ", ".join(f"{amount:g} {name}" for name, amount in plan.request.items()) or "nothing"
    names = [one for name in plan.data for one in (f"{name}: {plan.code.get(f'data {name}', 'a dataset')}",)]
    folder = f"{plan.storage_path or DEFAULT}/{plan.name or plan.loop.name + '_<time>'}"
    lines = [
        f"runs     {runs} on {plan.num_workers.text} ({plan.trainer}), each with {amounts} reserved",
        *describe_captures(plan.loop.captures, namespace),
        *([f"shards   {', '.join(names)}"] if names else []),
        f"keeps    {folder}{', and goes on from its last checkpoint' if plan.resume else ''}",
        f"returns  Ray's Result{f' as {plan.into}' if plan.into else ''}",
    ]
    return "\n".join(lines)


# --- as a script -----------------------------------------------------------------------------------------------------


def script(plan: TrainPlan, namespace: Namespace, source: str) -> str:
    """A program that does the same with Ray alone; ``python`` runs it."""
    captures = _captures(plan, namespace)
    own = {"ray", *_scope_read(plan, namespace)}
    if plan.loop.kind == TRAINER:
        parts = ["import ray", *setting(captures, namespace, source_for(namespace), imported=["ray"])]
        parts += ["ray.init()", *putting(captures), f"result = ({plan.loop.text}).fit()\nprint(result.metrics)"]
    else:
        parts = [
            "\n".join(_imports(plan, namespace)),
            *setting(captures, namespace, source_for(namespace), imported=own),
        ]
        parts += [*_loop(plan, source, namespace), "ray.init()", *putting(captures), _fit(plan)]
    text = "\n\n".join(part for part in parts if part)
    if "ray.data." in text:
        text = text.replace("import ray\n", "import ray\nimport ray.data\n", 1)
    return finished(f"{text}\n")


def trial_script(plan: TrainPlan, namespace: Namespace, source: str) -> list[str]:
    """Imports, and a function that trains once in a trial of Ray Tune, called `TRIAL_NAME`."""
    captures = _captures(plan, namespace)
    imports = [line for line in _imports(plan, namespace) if line != "import ray"]
    imports.append("from ray.tune.integration.ray_train import TuneReportCallback")
    trainer = CLASSES[plan.trainer].partition(":")[2]
    given = f"{{**{_given(plan, 'config')}, **config}}" if plan.config else CONFIG
    changed = {
        "train_loop_config": f"train_loop_config={given}",
        "run_config": "run_config=train.RunConfig(callbacks=[TuneReportCallback()])",
    }
    arguments = [changed.pop(one.partition("=")[0], one) for one in _arguments(plan)]
    lines = "".join(f"{_INDENT * 2}{argument},\n" for argument in [*arguments, *changed.values()])
    return [
        "\n".join(imports),
        *setting(captures, namespace, source_for(namespace), imported={"ray", "tune", *_scope_read(plan, namespace)}),
        *_loop(plan, source, namespace),
        f"def {TRIAL_NAME}({CONFIG}):\n{_INDENT}{trainer}(\n{lines}{_INDENT}).fit()",
    ]


def _captures(plan: TrainPlan, namespace: Namespace) -> list[Capture]:
    """What the loop reads, and the expressions of the line."""
    found = [*plan.loop.captures.found]
    for code in plan.code.values():
        found += find_captures(read_cell(code), namespace).found
    return [*{capture.name: capture for capture in found}.values()]


def _scope_read(plan: TrainPlan, namespace: Namespace) -> list[str]:
    """What the loop has in scope without an import; a script has to import it."""
    read = {name.name for name in plan.loop.cell.reads}
    for name in plan.loop.captures.names:  # helpers of other cells have it in scope, too
        read.update(reads_of(namespace[name], namespace))
    return [name for name in plan.scope if name in read]


def _imports(plan: TrainPlan, namespace: Namespace) -> Iterator[str]:
    yield "import ray"
    yield "from ray import train"
    module, _, trainer = CLASSES[plan.trainer].partition(":")
    for name in _scope_read(plan, namespace):
        where, _, attribute = plan.scope[name].partition(":")
        if attribute:
            yield f"from {where} import {attribute}"
    yield f"from {module} import {trainer}"


def _loop(plan: TrainPlan, source: str, namespace: Namespace) -> Iterable[str]:
    """The loop as a function; one of the notebook is defined by what the script sets."""
    if plan.loop.kind == FUNCTION:
        return []
    if plan.is_written:
        return [LOOPS[plan.trainer].strip("\n"), *([] if _names_objective(plan) else [DEFAULT_PARAMS.strip("\n")])]
    code = plain(source, plan.loop.cell.uses_ipython)
    if plan.loop.kind != STATEMENTS:
        return [code]
    if must_be_executed(plan.loop.cell, plan.loop.captures.names, CONFIG):
        names = dict.fromkeys([*plan.loop.captures.names, CONFIG, *_scope_read(plan, namespace)])
        code = executed(code, plan.loop.cell.is_async, names)
    return [f"def train_loop({CONFIG}):\n{indented(code)}"]


def _names_objective(plan: TrainPlan) -> bool:
    return "objective" in (plan.params or {})


def _fit(plan: TrainPlan) -> str:
    result = plan.into or "result"
    trainer = CLASSES[plan.trainer].partition(":")[2]
    lines = "".join(f"{_INDENT}{argument},\n" for argument in _arguments(plan))
    return f"trainer = {trainer}(\n{lines})\n{result} = trainer.fit()\nprint({result}.metrics)"


def _arguments(plan: TrainPlan) -> Iterator[str]:
    yield {STATEMENTS: "train_loop", FUNCTION: plan.loop.text}.get(plan.loop.kind, plan.loop.function)
    if plan.is_written:
        yield f"train_loop_config={_boosting_config(plan)}"
    elif plan.loop.takes_config:
        yield f"train_loop_config={_given(plan, 'config', {})}"
    yield f"scaling_config=train.ScalingConfig({', '.join(_scaling(plan))})"
    if options := ", ".join(_run(plan)):
        yield f"run_config=train.RunConfig({options})"
    if plan.data:
        datasets = ", ".join(f"{name!r}: {plan.code.get(f'data {name}', name)}" for name in plan.data)
        yield f"datasets={{{datasets}}}"


def _given(plan: TrainPlan, name: str, otherwise: Any = None) -> str:
    """An option as it stands on the line, or as a literal."""
    value = getattr(plan, name)
    return plan.code.get(name) or code_of(otherwise if value is None else value, name)


def _boosting_config(plan: TrainPlan) -> str:
    params = _given(plan, "params", {})
    if not _names_objective(plan):
        data = plan.code.get(f"data {TRAIN}", TRAIN)
        defaults = f"default_params({data}, {plan.label!r}, {plan.trainer!r})"
        params = f"{{**{defaults}, **{params}}}" if plan.params else defaults
    return (
        f"{{'label': {plan.label!r}, 'datasets': {list(plan.data)!r}, "
        f"'num_boost_round': {plan.num_boost_round}, 'params': {params}}}"
    )


def _scaling(plan: TrainPlan) -> Iterator[str]:
    yield f"num_workers={plan.num_workers.for_ray!r}"
    if plan.use_gpu:
        yield "use_gpu=True"
    for name in ("resources_per_worker", "label_selector"):
        if getattr(plan, name) is not None:
            yield f"{name}={_given(plan, name)}"
    for name in ("accelerator_type", "placement_strategy"):
        if getattr(plan, name):
            yield f"{name}={getattr(plan, name)!r}"


def _run(plan: TrainPlan) -> Iterator[str]:
    if plan.name:
        yield f"name={plan.name!r}"
    if plan.storage_path:
        yield f"storage_path={absolute_storage(plan.storage_path)!r}"
    if plan.max_failures:
        yield f"failure_config=train.FailureConfig(max_failures={plan.max_failures})"
    keeps = [f"num_to_keep={plan.num_to_keep}"] if plan.num_to_keep else []
    for name in ("checkpoint_score_attribute", "checkpoint_score_order"):
        if getattr(plan, name):
            keeps.append(f"{name}={getattr(plan, name)!r}")
    if keeps:
        yield f"checkpoint_config=train.CheckpointConfig({', '.join(keeps)})"
    if plan.runtime_env is not None:
        yield f"worker_runtime_env={_given(plan, 'runtime_env')}"
