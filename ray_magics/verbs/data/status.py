"""What is known of the executions of datasets that a cell has caused, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from ...raylib.data import OperatorSnapshot
from ...run.status import RunStatus


@dataclass(frozen=True)
class ExecutionStatus:
    """One execution of a dataset.

    Attributes:
        name: of the dataset, as Ray's logs have it.
        state: "running", "finished", "failed" or "cancelled".
        elapsed: seconds.
        operators: from the source to the output, as last seen.
        error: what it failed with, in a line.
    """

    name: str
    state: str
    elapsed: float
    operators: tuple[OperatorSnapshot, ...] = ()
    error: str = ""

    @property
    def rows(self) -> int:
        """Rows that have come out of it so far."""
        return self.operators[-1].rows_out if self.operators else 0

    @property
    def rows_total(self) -> int | None:
        """As Ray estimates it; None while it does not know."""
        return self.operators[-1].rows_total if self.operators else None

    @property
    def tasks(self) -> int:
        return sum(operator.tasks for operator in self.operators)

    @property
    def spilled(self) -> int:
        """Bytes that went to disk."""
        return sum(operator.spilled for operator in self.operators)

    @property
    def slowest(self) -> OperatorSnapshot | None:
        """The operator whose tasks have worked longest, where others have worked, too."""
        working = [operator for operator in self.operators if operator.seconds > 0]
        return max(working, key=lambda operator: operator.seconds) if len(working) > 1 else None


@dataclass(frozen=True)
class DataStatus(RunStatus):
    """A snapshot of the executions of one cell, oldest first.

    Attributes:
        executions: the last ones.
        earlier: how many there were before these.
    """

    executions: tuple[ExecutionStatus, ...] = ()
    earlier: int = 0

    @property
    def rate(self) -> None:
        """Blocks say little; the operators have theirs in rows."""
