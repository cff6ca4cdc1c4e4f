"""The cell as one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...run.output import replay
from ...worker.cell import VALUE
from ...worker.records import RemoteFailure, TaskReply
from ...worker.values import unseal
from .replies import unpack
from .task_run import TaskRun


class CellRun(TaskRun):
    """The cell is one task."""

    def submit(self) -> None:
        plan = self.plan
        lazy = {"num_returns": len(plan.binds) + 2} if plan.lazy else {}
        self.prepare(
            binds=plan.binds,
            binds_unknown=plan.cell.binds_unknown and not plan.lazy,
            calls=() if plan.lazy else self.values_called,
            captured=plan.captures.names,
            deletes=plan.cell.deletes,
            lazy=plan.lazy,
        )
        self.launch(("cell", "run_cell"), **lazy)

    def take_reply(self, number: int, answer: Any) -> None:
        if self.plan.lazy:
            self.reply = TaskReply.from_wire(answer)
            self.values = dict(zip([*self.plan.binds, VALUE], self.refs, strict=False))
        else:
            wire, *packed = unseal(answer)
            self.reply = TaskReply.from_wire(wire)
            self.values = unpack(packed, self.namespace)
        self.take_output(self.reply.where, self.reply.events)
        self.note = _came_back(self.reply)
        self.end("finished")

    def take_failure(self, number: int, error: BaseException, failure: RemoteFailure | None) -> None:
        self.failed = 1
        self.fail(error, failure)

    @property
    def bound(self) -> dict[str, Any]:
        return {name: value for name, value in self.values.items() if name != VALUE}

    @property
    def deleted(self) -> Sequence[str]:
        return self.reply.deleted

    def value(self) -> Any:
        return self.values.get(VALUE)

    def drop_result(self) -> None:
        super().drop_result()
        vars(self).pop("reply", None)
        self.values = {}

    def displayed_value(self) -> Any:
        if self.reply.display:
            replay([("display", {"data": self.reply.display, "metadata": {}, "transient": {}})], self.id)
        return self.value()


def _came_back(reply: TaskReply) -> str:
    """What a reader of the cell would not guess: names changed in place, names that could not come back."""
    notes = [f"{', '.join(reply.changed)} changed in place and came back"] if reply.changed else []
    refused = [f"{name} did not come back ({reason})" for name, reason in reply.refused.items()]
    return "; ".join([*notes, *refused])[:1000]
