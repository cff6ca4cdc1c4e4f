"""The cell as one task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.failures import Description
from ..core.output import replay
from ..core.worker.cell import VALUE
from .answers import unpack
from .task_run import TaskRun


class CellRun(TaskRun):
    """The cell is one task."""

    def submit(self) -> None:
        plan = self.plan
        lazy = {"num_returns": len(plan.binds) + 2} if plan.lazy else {}
        self.prepare(
            {
                "binds": plan.binds,
                "binds_unknown": plan.cell.binds_unknown and not plan.lazy,
                "calls": () if plan.lazy else self.values_called,
                "captured": [*self.plan.captures.names],
                "deletes": plan.cell.deletes,
                "lazy": plan.lazy,
            }
        )
        self.launch("run_cell", **lazy)

    def answered(self, number: int, answer: Any) -> None:
        if self.plan.lazy:
            self.header: Mapping[str, Any] = answer
            self.found = dict(zip([*self.plan.binds, VALUE], self.refs, strict=False))
        else:
            self.header, *packed = answer
            self.found = unpack(packed, self.namespace)
        self.take_output(self.header["where"], self.header["events"])
        self.note = _came_back(self.header)
        self.end("finished")

    def refused(self, number: int, error: BaseException, description: Description | None) -> None:
        self.failed = 1
        self.fail(error, description)

    @property
    def bound(self) -> dict[str, Any]:
        return {name: value for name, value in self.found.items() if name != VALUE}

    def bind(self, keep: Iterable[str] = ()) -> None:
        super().bind(keep)
        for name in self.header.get("deleted", ()):
            if name not in keep:
                self.namespace.pop(name, None)

    def value(self) -> Any:
        return self.found.get(VALUE)

    def let_go(self) -> None:
        super().let_go()
        self.found, self.header = {}, {}

    def shown(self) -> Any:
        if self.header.get("shown"):
            replay([("display", {"data": self.header["shown"], "metadata": {}, "transient": {}})], self.id)
        return self.value()


def _came_back(header: Mapping[str, Any]) -> str:
    """What a reader of the cell would not guess: names changed in place, names that could not come back."""
    notes = [f"{', '.join(header['changed'])} changed in place and came back"] if header.get("changed") else []
    refused = [f"{name} did not come back ({reason})" for name, reason in header.get("refused", {}).items()]
    return "; ".join([*notes, *refused])[:1000]
