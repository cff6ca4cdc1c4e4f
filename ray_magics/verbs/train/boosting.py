"""The loop that is written for the user where ``%ray_train --trainer xgboost`` or ``lightgbm`` has no cell."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...cell.source import CellSource
from ...errors import RunCancelled, UsageError
from ...line.parsers import close_to
from ...raylib.data import unwatched
from ...run.interrupts import interrupt_raises
from .loop import FUNCTIONS, TrainLoop, read_loop
from .options import TrainOptions
from .plan import TrainPlan

TRAIN = "train"  # the dataset that is trained on; the others are evaluated

FUNCTION_NAME = "train_loop"
LOOPS = {
    "xgboost": """
def train_loop(config):
    import xgboost
    from ray.train.xgboost import RayTrainReportCallback

    def matrix(name):
        table = train.get_dataset_shard(name).materialize().to_pandas()
        return xgboost.DMatrix(table.drop(columns=config["label"]), table[config["label"]], enable_categorical=True)

    matrices = {name: matrix(name) for name in config["datasets"]}
    checkpoint = train.get_checkpoint()
    model = RayTrainReportCallback.get_model(checkpoint) if checkpoint else None
    done = model.num_boosted_rounds() if model else 0
    xgboost.train(
        config["params"],
        matrices["train"],
        num_boost_round=config["num_boost_round"] - done,
        evals=[(matrices[name], name) for name in config["datasets"]],
        xgb_model=model,
        callbacks=[RayTrainReportCallback(frequency=max(1, config["num_boost_round"] // 10))],
        verbose_eval=False,
    )
""",
    "lightgbm": """
def train_loop(config):
    import lightgbm
    from ray.train.lightgbm import RayTrainReportCallback, get_network_params, normalize_pandas_for_lightgbm

    def dataset(name, reference=None):
        table = normalize_pandas_for_lightgbm(train.get_dataset_shard(name).materialize().to_pandas())
        columns = table.drop(columns=config["label"])
        return lightgbm.Dataset(columns, table[config["label"]], reference=reference, free_raw_data=False)

    trained = dataset("train")
    others = [dataset(name, trained) for name in config["datasets"] if name != "train"]
    checkpoint = train.get_checkpoint()
    model = RayTrainReportCallback.get_model(checkpoint) if checkpoint else None
    done = model.num_trees() if model else 0
    lightgbm.train(
        {**config["params"], "tree_learner": "data_parallel", "pre_partition": True, **get_network_params()},
        trained,
        num_boost_round=config["num_boost_round"] - done,
        valid_sets=[trained, *others],
        valid_names=config["datasets"],
        init_model=model,
        callbacks=[RayTrainReportCallback(frequency=max(1, config["num_boost_round"] // 10))],
    )
""",
}


def default_params(dataset, label, library):  # type: ignore[no-untyped-def]  # also stands in scripts
    """An objective by the values of the label: two, a few whole numbers from 0 on, or anything else."""
    schema = dataset.schema()
    kind = str(dict(zip(schema.names, schema.types, strict=True))[label])
    names = {
        "xgboost": ("binary:logistic", "multi:softprob", "reg:squarederror"),
        "lightgbm": ("binary", "multiclass", "regression"),
    }
    two, several, other = names[library]
    quiet = {"verbose": -1} if library == "lightgbm" else {}
    if not (kind.startswith("int") or kind.startswith("uint") or kind.startswith("bool")):
        return {"objective": other, **quiet}
    found = set()
    for batch in dataset.select_columns([label]).iter_batches(batch_format="numpy"):
        found.update(batch[label].tolist())
        if len(found) > 100:
            return {"objective": other, **quiet}
    values = sorted(map(int, found))
    if values in ([0, 1], [0], [1]):
        return {"objective": two, **quiet}
    if values[0] == 0 and len(values) == values[-1] + 1:
        return {"objective": several, "num_class": len(values), **quiet}
    return {"objective": other, **quiet}


DEFAULT_PARAMS = inspect.getsource(default_params).replace(
    "  # type: ignore[no-untyped-def]  # also stands in scripts", ""
)


def boosting_loop(
    options: TrainOptions, cell_source: CellSource, namespace: Mapping[str, Any]
) -> tuple[TrainLoop, CellSource]:
    """The loop, and its code. Raises UsageError for what it needs and has not."""
    check_boosting(options)
    source = replace(cell_source, code=LOOPS[options.trainer], filename=f"<{options.trainer}>")
    own_names = {name: value for name, value in namespace.items() if name != TRAIN}
    loop = read_loop(FUNCTIONS, options.trainer, source.read(), own_names, options.trainer)
    return replace(loop, function=FUNCTION_NAME), source


def check_boosting(options: TrainOptions) -> None:
    example = f"%ray_train --trainer {options.trainer} --label target --data train=train_ds"
    if options.trainer not in LOOPS:
        raise UsageError(
            "%ray_train needs a loop: %ray_train LOOP, or a cell below %%ray_train; "
            "only --trainer xgboost and lightgbm train without one."
        )
    if not options.label:
        raise UsageError(f"--trainer {options.trainer} without a cell needs --label COLUMN: {example}")
    if TRAIN not in options.data:
        raise UsageError(f"--trainer {options.trainer} without a cell needs --data train=DATASET: {example}")
    if options.config is not None:
        raise UsageError(f"--config is for a loop; the parameters of {options.trainer} are given by --params EXPR.")


def with_config(plan: TrainPlan) -> TrainPlan:
    """The plan with what a loop that was written for the user gets as config; see `boosting_config`."""
    if not plan.is_written:
        return plan
    try:
        with interrupt_raises(), unwatched():
            config = boosting_config(plan)
    except KeyboardInterrupt:
        raise RunCancelled("Interrupted while the values of the label were looked at; nothing has run.") from None
    if not plan.quiet and not _has_objective(plan.params):
        print(f"Objective: {config['params']['objective']}, by the values of {plan.label}; --params says otherwise.")
    return replace(plan, config=config)


def boosting_config(options: TrainOptions) -> dict[str, Any]:
    """What the loop gets as config; may execute the dataset, to see the values of its label. Raises UsageError."""
    dataset = options.data[TRAIN]
    columns = list(dataset.schema().names)
    if options.label not in columns:
        close = close_to(options.label, columns)
        known = f"did you mean {close}?" if close else f"it has {', '.join(columns[:8])}."
        raise UsageError(f"--label {options.label}: the dataset has no such column; {known}")
    defaults = {} if _has_objective(options.params) else default_params(dataset, options.label, options.trainer)
    return {
        "label": options.label,
        "datasets": list(options.data),
        "num_boost_round": options.num_boost_round,
        "params": {**defaults, **(options.params or {})},
    }


def _has_objective(params: Any) -> bool:
    return isinstance(params, Mapping) and "objective" in params
