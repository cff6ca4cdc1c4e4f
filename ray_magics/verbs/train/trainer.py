"""A plan as Ray's own trainer, and where its run is kept."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ...cell.source import CellSource
from ...errors import UsageError, first_line
from ...raylib.datasets import quiet_copy
from ...raylib.train import make_callback, result_so_far
from ...run.channel import output_channel
from ...run.dispatch import task_spec
from ...run.storage import absolute_storage, names_of, new_name, run_path, shorten_path, storage_of
from ...ship.entrypoint import make_entrypoint, sources
from ...ship.payload import CapturedValues
from ...worker.values import Namespace
from .loop import TRAINER
from .plan import TrainPlan

log = logging.getLogger(__name__)

CLASSES = {
    "torch": "ray.train.torch:TorchTrainer",
    "xgboost": "ray.train.xgboost:XGBoostTrainer",
    "lightgbm": "ray.train.lightgbm:LightGBMTrainer",
    "tensorflow": "ray.train.tensorflow:TensorflowTrainer",
    "jax": "ray.train.v2.jax:JaxTrainer",
}
OBSERVER, WORKER_LOOP = "ray_magics.verbs.train.observer", "ray_magics.verbs.train.worker_loop"
SHIPPED = ("ray_magics.raylib.train_events", "ray_magics.verbs.train.call", OBSERVER, WORKER_LOOP)


@dataclass(frozen=True)
class PreparedTrainer:
    """A trainer, where its run is kept, and the result of the run that goes on."""

    trainer: Any
    path: str
    earlier: Any = None


def make_trainer(plan: TrainPlan, namespace: Namespace, cell_source: CellSource, run: str) -> PreparedTrainer:
    """Ray's trainer for this plan. Raises UsageError for what Ray refuses."""
    callback = make_callback(_hook(run))
    if plan.loop.kind == TRAINER:
        return _observed(plan, cell_source, run, callback)
    name = plan.name or new_name(plan.storage_path, plan.loop.name)
    function = ship_loop(plan, namespace, cell_source, run)("")
    module, _, kind = CLASSES[plan.trainer].partition(":")
    arguments = {
        "train_loop_config": dict(plan.config or {}),
        "scaling_config": make_scaling_config(plan),
        "run_config": make_run_config(plan, name, callback),
        "datasets": {name: quiet_copy(dataset) for name, dataset in plan.data.items()} or None,
    }
    try:
        trainer = getattr(import_module(module), kind)(function, **arguments)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"Ray Train refuses this: {first_line(error)}") from error
    path = run_path(plan.storage_path, name)
    return PreparedTrainer(trainer, path, result_so_far(path) if plan.resume else None)


def _hook(run: str) -> Any:
    """What is called where the controller and the workers are."""
    execute = make_entrypoint(sources(*SHIPPED), OBSERVER, "observe")
    target = {"run": run, "queue": output_channel().address}

    def hook(name: str, *arguments: Any) -> None:
        execute(target, name, *arguments)

    hook.__module__ = "__main__"  # so that it travels by value
    return hook


def ship_loop(plan: TrainPlan, namespace: Namespace, cell_source: CellSource, run: str) -> Any:
    """A function that gives, for a trial of a search or "", the loop as Ray calls it.

    It executes in the worker runtime; large values are sent once, by reference.
    """
    captured = CapturedValues(plan.loop.captures, namespace)
    if not plan.quiet:
        captured.print_large()
    payload = captured.payload
    spec = task_spec(run, plan.loop.cell, cell_source, payload).to_wire()
    execute = make_entrypoint(sources(*SHIPPED), WORKER_LOOP, "run_loop")
    pickled, references, shared = payload.pickled, list(payload.references), list(payload.shared)
    scope, call, name = plan.scope, plan.loop.call.to_wire(), plan.loop.name

    def make_loop(trial: str) -> Any:
        def train_loop(config: Mapping[str, Any]) -> Any:
            return execute({**spec, "task": trial}, pickled, references, shared, scope, call, config)

        train_loop.__module__, train_loop.__name__ = "__main__", name
        return train_loop

    make_loop.__module__ = "__main__"  # so that it travels by value
    return make_loop


def _observed(plan: TrainPlan, cell_source: CellSource, run: str, callback: Any) -> PreparedTrainer:
    """The notebook's trainer, copied: its loop prints into the cell, and what it does is shown."""
    own = plan.loop.value
    captured = CapturedValues(plan.loop.captures.__class__(), {})
    spec = task_spec(run, plan.loop.cell, cell_source, captured.payload).to_wire()
    execute = make_entrypoint(sources(*SHIPPED), WORKER_LOOP, "run_function")
    function, takes_config = own.train_loop_per_worker, plan.loop.takes_config

    def with_config(config: Mapping[str, Any]) -> Any:
        return execute(spec, function, config)

    def without_config() -> Any:
        return execute(spec, function, None)

    train_loop = with_config if takes_config else without_config
    train_loop.__module__, train_loop.__name__ = "__main__", plan.loop.name
    trainer = copy.copy(own)
    trainer.train_loop_per_worker = train_loop
    config = own.run_config
    changed: dict[str, Any] = {"callbacks": [*(config.callbacks or []), callback]}
    if config.logging_config == type(config.logging_config)():
        changed["logging_config"] = type(config.logging_config)(log_level="CRITICAL")
    trainer.run_config = dataclasses.replace(config, **changed)
    trainer.train_run_context = dataclasses.replace(own.train_run_context, run_config=trainer.run_config)
    return PreparedTrainer(trainer, f"{str(config.storage_path).rstrip('/')}/{config.name}")


def make_scaling_config(plan: TrainPlan) -> Any:
    from ray.train import ScalingConfig

    given: dict[str, Any] = {
        "num_workers": plan.num_workers.for_ray,
        "use_gpu": plan.use_gpu,
        "resources_per_worker": None if plan.resources_per_worker is None else dict(plan.resources_per_worker),
        "accelerator_type": plan.accelerator_type or None,
        "label_selector": plan.label_selector,
        "placement_strategy": plan.placement_strategy or "PACK",
    }
    try:
        return ScalingConfig(**given)
    except (ValueError, TypeError) as error:
        raise UsageError(f"Ray Train refuses this: {first_line(error)}") from error


def make_run_config(plan: TrainPlan, name: str, callback: Any) -> Any:
    train: Any = import_module("ray.train")
    scored: dict[str, Any] = {"checkpoint_score_attribute": plan.checkpoint_score_attribute or None}
    if plan.checkpoint_score_order:
        scored["checkpoint_score_order"] = plan.checkpoint_score_order
    return train.RunConfig(
        name=name,
        storage_path=absolute_storage(plan.storage_path),
        failure_config=train.FailureConfig(max_failures=plan.max_failures),
        checkpoint_config=train.CheckpointConfig(num_to_keep=plan.num_to_keep, **scored),
        worker_runtime_env=plan.runtime_env,
        logging_config=train.LoggingConfig(log_level="CRITICAL"),
        callbacks=[callback],
    )


# --- where runs are kept ---------------------------------------------------------------------------------------------


def with_name(plan: TrainPlan) -> TrainPlan:
    """The plan with the name of the run that goes on. Nothing that is kept goes on unasked: raises UsageError."""
    if plan.loop.kind == TRAINER:
        return plan
    storage = plan.storage_path
    if plan.resume:
        name = find_run(plan)
        if not name and plan.name:
            where = shorten_path(storage_of(storage))
            raise UsageError(f"--resume: there is no run {plan.name} in {where} to go on with.")
        return dataclasses.replace(plan, name=name or None)
    if plan.name and result_so_far(run_path(storage, plan.name)) is not None:
        where = shorten_path(run_path(storage, plan.name))
        raise UsageError(
            f"--name {plan.name}: {where} holds a run already; --resume goes on with it, or choose another name."
        )
    return plan


def find_run(plan: TrainPlan) -> str:
    """The name of the run to go on with: that of ``--name``, else the newest of this loop; "" where there is none."""
    names = [plan.name] if plan.name else names_of(plan.storage_path, plan.loop.name)
    return next((name for name in names if result_so_far(run_path(plan.storage_path, name)) is not None), "")
