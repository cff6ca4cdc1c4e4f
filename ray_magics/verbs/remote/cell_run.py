"""The cell as one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...run.output import replay
from ...units import size_text
from ...worker.cell import VALUE
from ...worker.changes import Comparison, Objects, write_all
from ...worker.records import RemoteFailure, TaskReply
from ...worker.values import unseal
from .replies import unpack
from .task_run import TaskRun


class CellRun(TaskRun):
    """The cell is one task."""

    objects = Objects(None)  # those of the notebook that were sent

    def submit(self) -> None:
        plan = self.plan
        lazy = {"num_returns": len(plan.binds) + 2} if plan.lazy else {}
        self.prepare(
            [*plan.cell.updates, *plan.binds],
            binds=plan.binds,
            only_outputs=plan.outputs is not None,
            deletes=plan.cell.deletes,
            lazy=plan.lazy,
        )
        self.sent = {name: self.namespace[name] for name in self.watch.looked_at}
        self.launch(("cell", "run_cell"), **lazy)

    def take_reply(self, number: int, answer: Any) -> None:
        if self.plan.lazy:
            self.reply = TaskReply.from_wire(answer)
            self.values: dict[Any, Any] = dict(zip([*self.plan.binds, VALUE], self.refs, strict=False))
        else:
            wire, *self.packed = unseal(answer)
            self.reply = TaskReply.from_wire(wire)
            self.objects = self.payload.objects
            self.values = unpack(self.packed, self.namespace, self.objects)
        self.take_output(self.reply.where, self.reply.events)
        self.note = "; ".join(self._stayed())[:1000]
        self.end("finished")

    def take_failure(self, number: int, error: BaseException, failure: RemoteFailure | None) -> None:
        self.failed = 1
        self.fail(error, failure)

    @property
    def bound(self) -> dict[str, Any]:
        return {name: value for name, value in self.values.items() if isinstance(name, str) and name != VALUE}

    @property
    def deleted(self) -> Sequence[str]:
        return self.reply.deleted

    def bind(self, late: bool = False) -> str:
        """As `TaskRun.bind`, after the notebook's own objects have become what the cell has made of them.

        A run in the background leaves values alone that have changed here since it began; its own are in `bound`.
        """
        changes = _changes(self.values)
        kept: list[str] = []
        if late and changes:
            before = self.payload.read_again(self.namespace)
            comparison = Comparison(self.objects, self.sent).compare(before.objects)
            kept = comparison.names({*comparison.changed, *comparison.replaced} & {*changes})
            changes = {n: change for n, change in changes.items() if n not in comparison.within(kept)}
        failed = write_all(changes, self.objects)
        if failed:
            names = " or ".join(self.reply.changed)
            self.note = f"{names} could not be written into: {next(iter(failed.values()))}"[:1000]
        words = super().bind(late)
        if kept:
            self.values.update(self._as_the_cell_left_them(kept))
            words = "; ".join(filter(None, [words, f"{', '.join(kept)} changed here meanwhile and keeps that"]))
        return words

    def _as_the_cell_left_them(self, names: Sequence[str]) -> dict[str, Any]:
        """Copies of captured values with what the cell has done to them."""
        copies = self.payload.read_again(self.namespace)
        write_all(_changes(unpack(self.packed, self.namespace, copies.objects)), copies.objects)
        return {name: copies.values[name] for name in names}

    def value(self) -> Any:
        return self.values.get(VALUE)

    def drop_result(self) -> None:
        super().drop_result()
        for name in ("reply", "objects", "packed", "sent"):
            vars(self).pop(name, None)
        self.values = {}

    def displayed_value(self) -> Any:
        if self.reply.display:
            replay([("display", {"data": self.reply.display, "metadata": {}, "transient": {}})], self.id)
        return self.value()

    def _stayed(self) -> Iterator[str]:
        """What a reader of the cell would not guess: what stayed on the worker."""
        if self.plan.lazy and self.reply.changed:
            yield f"{', '.join(self.reply.changed)} changed on the worker; with --lazy such changes stay there"
        for name, reason in self.reply.refused.items():
            yield f"{name} did not come back ({reason})"
        for name in self.captured.warn_once(self.watch.too_large) if self.watch.too_large else ():
            size = size_text(self.payload.in_band(name))
            yield (
                f"{name} ({size}) is too large to be looked at: what the cell changes in it stays on the worker; "
                f"--outputs {name} brings it back"
            )


def _changes(values: Mapping[Any, Any]) -> dict[int, Any]:
    """Of what came back: the changes of objects, by their numbers."""
    return {number: change for number, change in values.items() if isinstance(number, int)}
