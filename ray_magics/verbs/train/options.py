"""The options of ``%%ray_train``, declared once for the magic and ``ray_magics.train``."""

from __future__ import annotations

from argparse import Namespace as Line
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...errors import UsageError
from ...line.options import argument, group, option_of, run_options
from ...line.parsers import Expression, expression, name, parser, positive_int, seconds
from ...worker.values import Namespace

TRAINERS = ("torch", "xgboost", "lightgbm", "tensorflow", "jax")
EXPRESSIONS = ("config", "params", "resources_per_worker", "label_selector", "runtime_env")
"""Options that are expressions on the line."""


@dataclass(frozen=True)
class Workers:
    """``--num-workers 4`` or ``1:4``: so many at a time; with two numbers the run shrinks and grows.

    Attributes:
        least, most: the same for a fixed number.
    """

    least: int = 1
    most: int = 1

    @property
    def is_elastic(self) -> bool:
        return self.least != self.most

    @property
    def for_ray(self) -> int | tuple[int, int]:
        """As ``ScalingConfig(num_workers=…)`` takes it."""
        return (self.least, self.most) if self.is_elastic else self.most

    @property
    def text(self) -> str:
        """ "2 workers", "1 to 4 workers" """
        if self.is_elastic:
            return f"{self.least} to {self.most} workers"
        return "1 worker" if self.most == 1 else f"{self.most} workers"


@parser("a number of workers", "2", "1:4", metavar="N|MIN:MAX")
def workers(text: str) -> Workers:
    """4, or from 1 to 4."""
    least, _, most = text.partition(":")
    numbers = Workers(int(least), int(most or least))
    if not 1 <= numbers.least <= numbers.most:
        raise ValueError(text)
    return numbers


@dataclass(frozen=True)
class DataAssignment:
    """``train=ds``: the name under which a loop finds its shard, and the expression for the dataset."""

    name: str
    code: str


@parser("a dataset with its name", "train=train_ds", metavar="NAME=EXPR")
def data_assignment(text: str) -> DataAssignment:
    key, equals, code = text.partition("=")
    if not equals or not key.strip().isidentifier():
        raise ValueError(text)
    return DataAssignment(key.strip(), expression(code).text)


@parser("how often it is tried again", "3", metavar="N")
def failures(text: str) -> int:
    """0, 1, 2 …, or -1 for without end."""
    if int(text) < -1:
        raise ValueError(text)
    return int(text)


train_options = group(
    argument("loop", nargs="?", type=expression, metavar="LOOP_OR_TRAINER",
             help="Of a line: a function of config, or a trainer of Ray's that the notebook has built."),
    argument("--trainer", choices=TRAINERS, help="What the workers are set up for: torch, unless given."),
    argument("--loop", dest="loop_name", type=name, metavar="NAME",
             help="Of a cell of functions: which one is the loop; the last, unless given."),
    argument("--config", type=expression, metavar="EXPR", help="What the loop gets as config: a dict."),
    argument("--data", type=data_assignment, action="extend", nargs="+", metavar="NAME=EXPR",
             help="Ray Datasets for the workers, which get a shard each by train.get_dataset_shard(NAME)."),
    argument("--label", metavar="COLUMN", help="Of xgboost and lightgbm without a cell: the column to predict."),
    argument("--params", type=expression, metavar="EXPR", help="Likewise: the parameters of the library: a dict."),
    argument("--num-boost-round", type=positive_int, metavar="N", help="Likewise: rounds of boosting (20)."),
    argument("--num-workers", type=workers, help="Processes that run the loop (1); 1:4 lets their number change."),
    argument("--use-gpu", action="store_true", help="Each worker reserves a GPU."),
    argument("--resources-per-worker", type=expression, metavar="EXPR",
             help="What each reserves instead of one CPU: \"{'CPU': 2, 'GPU': 0.5}\"."),
    argument("--accelerator-type", metavar="NAME", help="The kind of accelerator that the nodes must have: A100."),
    argument("--label-selector", type=expression, metavar="EXPR", help="Labels that the nodes must have: a dict."),
    argument("--placement-strategy", choices=("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"),
             help="Whether workers share nodes (PACK)."),
    argument("--storage-path", metavar="PATH", help="Where runs and their checkpoints go (~/ray_results)."),
    argument("--name", metavar="NAME", help="The run's folder there; without it, loop and time."),
    argument("--resume", action="store_true",
             help="Go on from the last checkpoint of the run of --name, else of the last one of this loop."),
    argument("--max-failures", type=failures, help="How often workers start again from the last checkpoint (0)."),
    argument("--num-to-keep", type=positive_int, metavar="N", help="Checkpoints to keep; all, unless given."),
    argument("--checkpoint-score-attribute", metavar="NAME", help="The metric by which checkpoints are the best."),
    argument("--checkpoint-score-order", choices=("max", "min"), help="Whether more of it is better (max)."),
    argument("--runtime-env", type=expression, metavar="EXPR", help="Ray's runtime environment of the workers."),
    argument("--timeout", type=seconds, metavar="SECONDS", help="Stop after so long; the last checkpoint counts."),
    argument("--into", type=name, metavar="NAME", help="Bind Ray's Result to NAME."),
    run_options,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What a training is asked to be; the names are those of Ray's ScalingConfig, RunConfig and their parts.

    Attributes:
        config: what the loop gets; None where nothing is given.
        data: name -> Ray Dataset.
        code: of options that are expressions on the line, their code; of datasets under ``data NAME``.
        label, params, num_boost_round: of xgboost and lightgbm without a loop.
        num_workers: how many.
        resources_per_worker: what each reserves; None for one CPU, or one GPU with `use_gpu`.
        storage_path: a folder or a URI; "" for Ray's default.
        name: the run's folder in it; None until a name is made.
        resume: goes on with the run of that name, else with the newest of this loop.
        max_failures: how often the workers start again; -1 without end.
        timeout: in seconds.
        into: the name for the result.
    """

    trainer: str = "torch"
    loop_name: str | None = None
    config: Any = None
    data: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    params: Any = None
    num_boost_round: int = 20
    num_workers: Workers = field(default_factory=Workers)
    use_gpu: bool = False
    resources_per_worker: Mapping[str, float] | None = None
    accelerator_type: str = ""
    label_selector: Mapping[str, str] | None = None
    placement_strategy: str = ""
    storage_path: str = ""
    name: str | None = None
    resume: bool = False
    max_failures: int = 0
    num_to_keep: int | None = None
    checkpoint_score_attribute: str = ""
    checkpoint_score_order: str = ""
    runtime_env: Any = None
    timeout: float | None = None
    into: str | None = None
    background: bool = False
    quiet: bool = False

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> TrainOptions:
        """Of options by their names; None stands for one that is not given, and what is no option is left out."""
        names = [option.name for option in fields(cls)]
        return cls(**{name: values[name] for name in names if values.get(name) is not None})


def read_options(line: Line, namespace: Namespace) -> TrainOptions:
    """The options of a parsed line, its expressions evaluated in the notebook. Raises UsageError."""
    given = {name: value for name in EXPRESSIONS if isinstance(value := getattr(line, name), Expression)}
    code = {name: value.text for name, value in given.items()}
    values = {name: value.evaluate(namespace, option_of(name)) for name, value in given.items()}
    data: dict[str, Any] = {}
    for one in line.data or ():
        if one.name in data:
            raise UsageError(f"--data: {one.name} is given twice.")
        data[one.name] = expression(one.code).evaluate(namespace, "--data")
        code[f"data {one.name}"] = one.code
    return TrainOptions.from_values({**vars(line), **values, "data": data, "code": code})
