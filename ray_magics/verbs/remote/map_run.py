"""The cell once per item of an iterable."""

from __future__ import annotations

import collections
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...cell.source import CellSource
from ...errors import RayMagicsError, UsageError, remote_error
from ...line.settings import settings
from ...run.failures import lost
from ...run.interrupts import interrupt_raises
from ...run.output import ItemTails
from ...run.run import INTERRUPT
from ...run.tasks import TaskCluster
from ...worker.failure import describe
from ...worker.records import Event, OutputMessage, RemoteFailure, TaskReply
from ...worker.values import Namespace, Packer, unseal
from .plan import RemotePlan
from .replies import as_array, unpack
from .task_run import TaskRun

CHUNK_BYTES = 2**22
LARGEST_CHUNK = 10_000  # items
AHEAD = 0.05  # seconds of work that wait for each slot
DEEPEST = 50  # chunks that wait for it at most
FIRST_ITEMS = 100  # so many are looked at for changes of values that all share
SHOWN_FAILURES = 20  # positions of items that failed
SMALLEST_CHUNK = 0.02  # seconds of work that a task is worth


class MapRun(TaskRun):
    """The cell runs once per item, in chunks that take about `chunk_seconds` each."""

    def __init__(
        self, plan: RemotePlan, namespace: Namespace, cell_source: CellSource, cluster: TaskCluster | None = None
    ) -> None:
        super().__init__(plan, namespace, cell_source, cluster)
        self.output.into_cell, self.output.tails = False, ItemTails()
        self.results: dict[int, Any] = {}
        self.chunks: dict[int, list[tuple[int, Any]]] = {}
        self.again: collections.deque[tuple[int, Any]] = collections.deque()
        self.alone: collections.deque[tuple[int, Any]] = collections.deque()
        self.seconds: float | None = None
        self.exhausted = False
        self.done = 0
        self.changed: dict[str, None] = {}
        self.failed_at: list[int] = []
        self.first_failure = ""

    def submit(self) -> None:
        plan = self.plan
        assert plan.items is not None
        changes = bool(plan.cell.binds) or plan.cell.binds_unknown
        self.prepare(
            plan.cell.updates,
            target=plan.items.target,
            outputs=plan.binds,
            keep=plan.keep,
            changes=changes,
            looks_at_items=True,
            calls=self.values_called,
            values=self.values_captured,
        )
        with interrupt_raises():
            iterator = plan.items.items(self.namespace)
        self.total = iterator.length
        self.iterator: Iterator[tuple[int, Any]] = enumerate(iterator)
        self.slots = self._open_slots()
        self._fill()

    def _open_slots(self) -> int:
        """How many tasks of this plan the cluster can run at once, at least one."""
        request = self.plan.request
        fits = [
            min((node.total.get(name, 0) / amount for name, amount in request.items()), default=16.0)
            for node in self.cluster.nodes(5.0)
        ]
        return max(1, int(sum(math.floor(fit + 1e-9) for fit in fits)))

    def _fill(self) -> None:
        """Keeps few chunks under way: items are pulled when there is capacity for them."""
        while self.failure is None and len(self.outstanding) < self.slots * self._depth():
            chunk = self._next_chunk()
            if not chunk or self.failure is not None:
                break
            self._send(chunk)
        if self.exhausted and not (self.outstanding or self.again or self.alone or self.failure):
            self.end("finished")

    def _depth(self) -> int:
        """Chunks per slot: two, more where `--chunk` makes them so small that a worker would wait for the next."""
        if self.plan.chunk is None or self.seconds is None:
            return 2
        return min(max(math.ceil(AHEAD / max(self.plan.chunk * self.seconds, 1e-6)), 2), DEEPEST)

    def _next_chunk(self) -> list[tuple[int, Any]]:
        if self.alone:
            return [self.alone.popleft()]
        size = self._size()
        chunk = [self.again.popleft() for _ in range(min(size, len(self.again)))]
        return chunk + self._pull(size - len(chunk))

    def _size(self) -> int:
        """Items for the next chunk: `chunk_seconds` of work as measured, less towards the end."""
        if self.plan.chunk:
            return min(self.plan.chunk, 10**9)
        if self.seconds is None:
            return 64 if self.total is None else min(max(math.ceil(self.total / (2 * self.slots)), 1), LARGEST_CHUNK)
        per_item = max(self.seconds, 1e-7)
        wanted = min(int(settings().chunk_seconds / per_item), LARGEST_CHUNK)
        if self.total is not None:
            under_way = sum(len(chunk) for chunk in self.chunks.values())
            left = self.total - len(self.results) - under_way
            wanted = min(wanted, max(math.ceil(left / (2 * self.slots)), int(SMALLEST_CHUNK / per_item)))
        return max(wanted, 1)

    def _pull(self, size: int) -> list[tuple[int, Any]]:
        """At most `size` new items; a slow source hands out what it has after a twentieth of a second."""
        pulled: list[tuple[int, Any]] = []
        end = time.monotonic() + 0.05
        try:
            with interrupt_raises():
                for pair in itertools.islice(self.iterator, max(size, 0)):
                    pulled.append(pair)
                    if time.monotonic() > end:
                        break
                else:
                    self.exhausted = len(pulled) < size
        except KeyboardInterrupt:
            self.stop(by=INTERRUPT)
        except UsageError:
            raise
        except Exception as error:  # of the user's own iterator
            self.exhausted = True
            self.fail(error, describe(error, self.namespace, "the notebook"), "while --for was iterated")
        return pulled

    def _send(self, chunk: list[tuple[int, Any]]) -> None:
        packer = self._pack(chunk)
        while packer.stream.tell() > CHUNK_BYTES and len(chunk) > 1:
            half = len(chunk) // 2
            self.again.extendleft(reversed(chunk[half:]))
            chunk = chunk[:half]
            packer = self._pack(chunk)
        budget = float("inf") if self.plan.chunk else settings().chunk_seconds * (1 if self.seconds is None else 2)
        self.spec = replace(self.spec, budget=budget)
        if len(self.results) > FIRST_ITEMS:
            self.spec = replace(self.spec, looked_at=(), looks_at_items=False)
        number = self.launch(("items", "run_items"), packer.payload, packer.references)
        self.chunks[number] = chunk

    def _pack(self, chunk: Sequence[tuple[int, Any]]) -> Packer:
        packer = Packer(self.namespace, 2**62)
        packer.add("items", [item for _, item in chunk])
        self.ship_too(packer.referenced)
        return packer

    def take_message(self, message: OutputMessage) -> None:
        super().take_message(replace(message, events=self._with_indices(message.task, message.events)))

    def _with_indices(self, task: int | str, events: Sequence[Event]) -> Sequence[Event]:
        """The marks of items say their positions in the chunk; here their indices, None for those of no chunk."""
        chunk = self.chunks.get(task, []) if isinstance(task, int) else []
        return [(kind, {"item": _index(chunk, data["item"])} if kind == "item" else data) for kind, data in events]

    def take_reply(self, number: int, answer: Any) -> None:
        wire, *packed = unseal(answer)
        reply = TaskReply.from_wire(wire)
        events = self._with_indices(number, reply.events)
        chunk = self.chunks.pop(number)
        if self.waited is None:
            self.waited = max(self.elapsed - reply.seconds, 0.0)
        self.take_output(reply.where, events)
        self.changed.update(dict.fromkeys(reply.changed))
        values = unpack(packed, self.namespace)["values"]
        for position, ((index, item), value) in enumerate(zip(chunk, values, strict=False)):
            self._settle(index, item, value, reply.failures.get(position))
        if self.failure is None:
            self.again.extendleft(reversed(chunk[reply.done :]))
            self._measure(reply)
            self._fill()

    def _settle(self, index: int, item: Any, value: Any, failure: RemoteFailure | None) -> None:
        if failure is None:
            self.done += 1
            self.results[index] = value
        elif self.plan.keep:
            self.failed += 1
            self.results[index] = self._exception(failure)
            self.failed_at.append(index)
            self.first_failure = self.first_failure or f"{self._item_text(index, item)}: {failure.title}"[:400]
        elif self.failure is None:
            self.failed += 1
            self.fail(RuntimeError(), failure, self._item_text(index, item))

    def _exception(self, failure: RemoteFailure) -> BaseException:
        error = remote_error(failure, self.namespace, self.cell_source.label)
        return error.__cause__ or error

    def _item_text(self, index: int, item: Any) -> str:
        assert self.plan.items is not None
        shown = repr(item)
        return f"item {index}: {self.plan.items.target} = {shown if len(shown) < 60 else shown[:57] + '...'}"

    def _measure(self, reply: TaskReply) -> None:
        if reply.done:
            now = reply.seconds / reply.done
            self.seconds = now if self.seconds is None else 0.5 * self.seconds + 0.5 * now

    def take_failure(self, number: int, error: BaseException, failure: RemoteFailure | None) -> None:
        """A chunk that died with its worker is sent again item by item, so that only the culprit fails."""
        chunk = self.chunks.pop(number)
        if failure is None and len(chunk) > 1 and not isinstance(error, RayMagicsError):
            self.alone.extend(chunk)
            self._fill()
        elif self.plan.keep and failure is None:
            self.failed += 1
            index, item = chunk[0]
            self.results[index] = lost(error, self.left, self.cell_source.label)
            self.failed_at.append(index)
            self.first_failure = self.first_failure or f"{self._item_text(index, item)}: {self.results[index]}"[:400]
            self._fill()
        else:
            self.failed += 1
            self.fail(error, failure, self._item_text(*chunk[0]))

    def end(self, state: str, error: BaseException | None = None) -> None:
        if state == "finished":
            changed = ", ".join(self.changed)
            words = f"{changed} changed on the workers; with --for such changes stay there" if changed else ""
            self.note = "; ".join(filter(None, [self._failures(), self.note, words]))
        super().end(state, error)

    def _failures(self) -> str:
        """Of ``--on-error keep``: how many failed, which, and the first in words."""
        if not self.failed_at:
            return ""
        which = ", ".join(map(str, sorted(self.failed_at)[:SHOWN_FAILURES]))
        more = ", ..." if len(self.failed_at) > SHOWN_FAILURES else ""
        items = f"{len(self.failed_at):,} of {len(self.results):,} items"
        return f"{items} failed ({which}{more}); the first that failed is {self.first_failure}"

    def value(self) -> Any:
        """The results in the order of the items; an array where every one is of NumPy."""
        return as_array([self.results[index] for index in sorted(self.results)])

    @property
    def bound(self) -> dict[str, Any]:
        """For ``--outputs``: name -> one value per item."""
        if not self.plan.binds:
            return {}
        rows = [self.results[index] for index in sorted(self.results)]
        return {
            name: as_array([row if isinstance(row, BaseException) else row[position] for row in rows])
            for position, name in enumerate(self.plan.binds)
        }

    def release(self) -> None:
        super().release()
        self.chunks.clear()
        vars(self).pop("iterator", None)

    def drop_result(self) -> None:
        super().drop_result()
        self.results = {}

    def progress(self) -> dict[str, Any]:
        return {
            "total": getattr(self, "total", None),
            "done": self.done,
            "running": min(len(self.outstanding), getattr(self, "slots", 1)),
            "unit": "item",
        }


def _index(chunk: Sequence[tuple[int, Any]], position: int | None) -> int | None:
    """Of the item at that position; None where there is none."""
    return chunk[position][0] if position is not None and position < len(chunk) else None
