"""Every decision about a training, as data: the options of a line or of a program become a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ...errors import UsageError
from ...run.storage import check_name, check_storage
from .loop import TRAINER, TrainLoop, scope_of
from .options import TrainOptions, Workers

PACKAGES = {"torch": "torch", "xgboost": "xgboost", "lightgbm": "lightgbm", "tensorflow": "tensorflow", "jax": "jax"}
OF_A_TRAINER = ("into", "background", "quiet", "timeout", "code", "data")
"""What may be said of a trainer that the notebook has built; it says all else itself."""

OF_BOOSTING = ("label", "params", "num_boost_round")


@dataclass(frozen=True)
class TrainPlan(TrainOptions):
    """What ``%%ray_train`` will do: options that do not contradict each other, and what each worker executes.

    Attributes:
        is_written: whether the loop was written for the user, so that its config is made from `label` and `params`.
    """

    loop: TrainLoop
    is_written: bool = False

    @property
    def request(self) -> dict[str, float]:
        """What one worker reserves, under the names of Ray's resources. Source: ``ScalingConfig`` of Ray 2.60."""
        given = self.resources_per_worker
        if given is None:
            amounts = {"GPU": 1.0} if self.use_gpu else {"CPU": 1.0}
        else:
            amounts = {name: float(amount) for name, amount in given.items() if amount}
        if self.use_gpu:
            amounts.setdefault("GPU", 1.0)
        if self.accelerator_type:
            amounts.setdefault(f"accelerator_type:{self.accelerator_type}", 0.001)
        return amounts

    @property
    def scope(self) -> dict[str, str]:
        """What the loop has in scope beside `config`, where the notebook has no such name."""
        return {name: path for name, path in scope_of(self.trainer).items() if name not in self.loop.captures.names}


def make_plan(
    options: TrainOptions,
    loop: TrainLoop,
    is_written: bool = False,
    is_installed: Callable[[str], bool] = lambda module: find_spec(module) is not None,
) -> TrainPlan:
    """Decides what is trained, how, and where it is kept. Raises UsageError for options that contradict each other."""
    if loop.kind == TRAINER:
        _check_of_a_trainer(options)
        scaling = loop.value.scaling_config
        options = TrainOptions.from_values({**vars(options), **_options_of(loop.value, scaling)})
        return TrainPlan(loop, **vars(options))
    package = PACKAGES[options.trainer]
    if not is_installed(package):
        raise UsageError(f"--trainer {options.trainer} needs a package that is not installed: %pip install {package}")
    if not is_written:
        for name in OF_BOOSTING:
            if getattr(options, name) != getattr(TrainOptions(), name):
                raise UsageError(f"--{name.replace('_', '-')} is for --trainer xgboost or lightgbm without a cell.")
    _check_mappings(options)
    _check_config(options, loop)
    _check_data(options.data)
    if options.checkpoint_score_order and not options.checkpoint_score_attribute:
        raise UsageError("--checkpoint-score-order needs --checkpoint-score-attribute NAME, a metric.")
    check_storage(options.storage_path)
    check_name(options.name, "my_training")
    return TrainPlan(loop, is_written, **vars(options))


def _check_of_a_trainer(options: TrainOptions) -> None:
    defaults = TrainOptions()
    for name, value in vars(options).items():
        if name not in OF_A_TRAINER and value != getattr(defaults, name):
            flag = "--loop" if name == "loop_name" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: a trainer says this itself, in its ScalingConfig, RunConfig or arguments.")
    if options.data:
        raise UsageError("--data: a trainer says this itself: TorchTrainer(…, datasets={…}).")


def _options_of(trainer: Any, scaling: Any) -> dict[str, Any]:
    """What the options of a line would be for a trainer that is built."""
    workers = scaling.num_workers
    least, most = workers if isinstance(workers, tuple) else (workers, workers)
    if most < 1:
        raise UsageError("num_workers=0 is Ray's local mode, which has no workers to show: call trainer.fit() itself.")
    keeps = trainer.run_config.checkpoint_config
    return {
        "num_workers": Workers(least, most),
        "use_gpu": bool(scaling.use_gpu),
        "resources_per_worker": scaling.resources_per_worker,
        "accelerator_type": scaling.accelerator_type or "",
        "name": trainer.run_config.name,
        "storage_path": str(trainer.run_config.storage_path or ""),
        "checkpoint_score_attribute": keeps.checkpoint_score_attribute or "",
        "checkpoint_score_order": keeps.checkpoint_score_order or "",
    }


def _check_mappings(options: TrainOptions) -> None:
    for name in ("resources_per_worker", "label_selector", "params"):
        value = getattr(options, name)
        if value is not None and not isinstance(value, Mapping):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: {value!r} is no dict; try {flag} \"{{'CPU': 2}}\"")
    for resource, amount in (options.resources_per_worker or {}).items():
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or amount < 0:
            raise UsageError(f"--resources-per-worker: {resource} {amount!r} is no amount; try \"{{'CPU': 2}}\"")


def _check_config(options: TrainOptions, loop: TrainLoop) -> None:
    if options.config is None:
        return
    if not isinstance(options.config, Mapping):
        kind = type(options.config).__name__
        raise UsageError(f"--config: a {kind} is no dict; try --config \"{{'lr': 0.1}}\"")
    if not loop.takes_config:
        raise UsageError(f"--config: the loop {loop.name} takes no argument; write def {loop.name}(config): …")


def _check_data(data: Mapping[str, Any]) -> None:
    for name, value in data.items():
        if not hasattr(value, "iter_batches"):
            kind = type(value).__name__
            raise UsageError(
                f"--data {name}: a {kind} is no Ray Dataset; make one with %ray_data, as in "
                "%ray_data train_ds = from_pandas(table)"
            )
