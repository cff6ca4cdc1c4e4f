"""What the controls of ``--form`` are set to. Each value is the text that was typed, mistakes included."""

from __future__ import annotations

from dataclasses import dataclass

from .parameter import Parameter

TEXTS = (
    "metric", "mode", "num_samples", "max_concurrent_trials", "scheduler", "search", "seed", "stop", "time_budget_s",
    "num_cpus", "num_gpus", "storage_path", "name", "into",
)  # fmt: skip
SWITCHES = ("reuse_actors", "resume", "background", "dry_run", "quiet")


@dataclass(frozen=True)
class FormState:
    """All that a line of ``%ray_tune`` can say.

    Attributes:
        trainable: as it stands on the line; "" for a cell.
        cell: the body of the cell, "" for one that is still to be made; None for ``%ray_tune TRAINABLE``.
        stop: conditions as on the line, `"training_iteration=10" "accuracy=0.99"`.
    """

    trainable: str = ""
    cell: str | None = None
    rows: tuple[Parameter, ...] = ()
    metric: str = ""
    mode: str = ""
    num_samples: str = ""
    max_concurrent_trials: str = ""
    scheduler: str = ""
    search: str = ""
    seed: str = ""
    stop: str = ""
    time_budget_s: str = ""
    num_cpus: str = ""
    num_gpus: str = ""
    storage_path: str = ""
    name: str = ""
    into: str = ""
    reuse_actors: bool = False
    resume: bool = False
    background: bool = False
    dry_run: bool = False
    quiet: bool = False

    @property
    def is_unwritten(self) -> bool:
        """Whether it stands for a cell that has nothing but comments yet."""
        lines = [] if self.cell is None else [line.strip() for line in self.cell.splitlines()]
        return self.cell is not None and all(not line or line.startswith("#") for line in lines)
