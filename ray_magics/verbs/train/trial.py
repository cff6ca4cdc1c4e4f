"""A loop of a cell as a trial of a search: each trial is a training of its own, with its own workers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ...cell.source import CellSource
from ...run.loops import NamedLoop, remember_loop
from ...run.storage import storage_of
from ...worker.failure import CARRIED
from ...worker.values import Namespace
from .loop import STATEMENTS
from .plan import TrainPlan
from .quiet import environ
from .script import trial_script
from .trainer import CLASSES, make_scaling_config, ship_loop


def remember(plan: TrainPlan, namespace: Namespace, cell_source: CellSource) -> None:
    """`%ray_tune` finds the loop by the name of its function, or by ``--name`` where it is statements."""
    name = plan.name if plan.loop.kind == STATEMENTS else plan.loop.name
    if name and name.isidentifier():
        remember_loop(
            NamedLoop(
                name,
                plan.loop.cell,
                plan.loop.captures,
                plan.num_workers.most,
                plan.request,
                partial(make_trial, plan, namespace, cell_source),
                partial(trial_script, plan, namespace, cell_source.code),
            )
        )


def make_trial(plan: TrainPlan, namespace: Namespace, cell_source: CellSource, run: str) -> Any:
    """A function that trains with a configuration, and reports to Ray Tune what rank 0 reports.

    Source: https://docs.ray.io/en/latest/train/user-guides/hyperparameter-optimization.html
    """
    make_loop = ship_loop(plan, namespace, cell_source, run)
    scaling = make_scaling_config(plan)
    path, datasets, given = CLASSES[plan.trainer], dict(plan.data), dict(plan.config or {})
    storage, variables, carried = storage_of(plan.storage_path), environ(), CARRIED

    def train_trial(config: Mapping[str, Any]) -> None:
        import os
        from importlib import import_module

        from ray import tune
        from ray.tune.integration.ray_train import TuneReportCallback

        train: Any = import_module("ray.train")
        os.environ.update(variables)
        context = tune.get_context()
        trial = context.get_trial_id()
        module, _, kind = path.partition(":")
        trainer = getattr(import_module(module), kind)(
            make_loop(trial),
            train_loop_config={**given, **config},
            scaling_config=scaling,
            run_config=train.RunConfig(
                name=f"{context.get_experiment_name()}_{trial}",
                storage_path=storage,
                callbacks=[TuneReportCallback()],
                logging_config=train.LoggingConfig(log_level="CRITICAL"),
            ),
            datasets=datasets or None,
        )
        try:
            trainer.fit()
        except train.TrainingFailedError as error:
            for failure in getattr(error, "worker_failures", {}).values():
                if hasattr(failure, carried):
                    raise failure from None
            raise

    train_trial.__module__, train_trial.__name__ = "__main__", plan.loop.name
    return train_trial
