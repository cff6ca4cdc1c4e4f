"""Output of workers to the cell that launched them."""

from __future__ import annotations

import collections
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..worker.output import STREAMS, settle
from ..worker.records import OutputMessage, worker_name
from .status import ITEMS, WorkerOutput

log = logging.getLogger(__name__)
LONGEST = 2000  # characters of a line in a view


class RunOutput:
    """What the workers of a run have printed and displayed: in its cell, folded for its view, and kept for its logs.

    With `into_cell` it is printed in the cell that runs on this thread; otherwise only figures and the like are.
    """

    def __init__(self, run: str, into_cell: bool, held_until: float = 0.0) -> None:
        """`held_until`: until then a line that is rewritten in place waits, for the view would tear it in two."""
        self.run, self.into_cell, self.held_until = run, into_cell, held_until
        self.tails, self.log = WorkerTails(), OutputLog()
        self.seen: set[str] = set()
        self.held: list[tuple[str, Any]] = []
        self.note = ""

    def take_message(self, message: OutputMessage, where: str = "") -> None:
        self.take(where or message.where, message.events)
        if message.hidden:
            self.note = f"{message.hidden:,} lines printed at once are not shown; %ray_logs {self.run} has them"

    def take(self, where: str, events: Sequence[tuple[str, Any]]) -> None:
        self.seen.add(where)
        self.log.add(where, events)
        if self.into_cell:
            self._print(joined(self.held, events))
        else:
            self.tails.add(where, events)
            replay([event for event in events if event[0] in ("display", "update", "clear")], self.run)

    def _print(self, events: Sequence[tuple[str, Any]]) -> None:
        ready, self.held = split_rewritten(events) if self.held_until else (events, [])
        replay(ready, self.run)

    def print_held(self, now: float = float("inf")) -> None:
        """Prints what was held back, once it is time; from then on nothing is."""
        if self.held_until and now > self.held_until:
            self.held_until = 0.0
            self._print(self.held)

    @property
    def workers(self) -> tuple[WorkerOutput, ...]:
        return self.tails.snapshot()


def joined(held: Sequence[tuple[str, Any]], events: Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    """Both, as one text where the first event goes on with what was held back."""
    if held and events and held[-1][0] == events[0][0]:
        stream, text = held[-1]
        return [*held[:-1], (stream, settle(text + events[0][1])), *events[1:]]
    return [*held, *events]


def split_rewritten(events: Sequence[tuple[str, Any]]) -> tuple[Sequence[tuple[str, Any]], list[tuple[str, Any]]]:
    r"""The events up to a last line that is rewritten in place and has no end yet, and that line.

    ``[("stderr", "a\n\r10%\r20%")]`` -> ``[("stderr", "a\n")], [("stderr", "\r10%\r20%")]``
    """
    if not events or events[-1][0] not in STREAMS:
        return events, []
    stream, text = events[-1]
    ended, newline, rest = text.rpartition("\n")
    if "\r" not in rest:
        return events, []
    return [*events[:-1], *([(stream, ended + newline)] if newline else [])], [(stream, rest)]


# --- into the cell, as if it had been printed there ----------------------------------------------------------------


def replay(events: Iterable[tuple[str, Any]], run: str) -> None:
    """Prints and displays events of a worker in the cell that runs on this thread."""
    kind = ""
    for kind, data in events:
        if kind == "stdout":
            sys.stdout.write(data)
        elif kind == "stderr":
            sys.stderr.write(data)
        elif kind == "hidden":
            what = f"{data['lines']:,} lines" if data["lines"] else "part of a long line is"
            sys.stdout.write(f"... {what} not shown; %ray_logs {run} has all ...\n")
        else:
            _redisplay(kind, data)
    if kind:  # a kernel's flush waits for another thread
        sys.stdout.flush()
        sys.stderr.flush()


def _redisplay(kind: str, content: Mapping[str, Any]) -> None:
    from IPython.display import clear_output, publish_display_data

    if kind == "clear":
        clear_output(**content)
    else:
        options = {"transient": content["transient"], "update": kind == "update"}
        publish_display_data(content["data"], content["metadata"], **options)


# --- folded per worker, for views -----------------------------------------------------------------------------------


class WorkerTails:
    """The last lines of each worker; equal lines in a row are counted, not repeated."""

    def __init__(self, keep: int = 50, workers: int = 200) -> None:
        self.keep, self.workers = keep, workers
        self.tails: dict[str, Tail] = {}

    def add(self, where: str, events: Iterable[tuple[str, Any]]) -> None:
        for kind, data in events:
            if kind in ("stdout", "stderr", "hidden"):
                self._tail(where).add(kind, data)

    def _tail(self, where: str) -> Tail:
        if where not in self.tails and len(self.tails) >= self.workers:
            where = "other workers"
        return self.tails.setdefault(where, Tail(self.keep))

    def snapshot(self) -> tuple[WorkerOutput, ...]:
        return tuple(tail.snapshot(where) for where, tail in list(self.tails.items()))


class ItemTails(WorkerTails):
    """Of a fan-out, the last lines that items have printed, in the order of the items; of workers what belongs to none.

    An event ``("item", {"item": index})`` says which item the events below it belong to.
    """

    def __init__(self, keep: int = 50, items: int = 1000) -> None:
        super().__init__(keep)
        self.items: dict[int, Tail] = {}
        self.most, self.left_out = items, 0

    def add(self, where: str, events: Iterable[tuple[str, Any]]) -> None:
        item: int | None = None
        for kind, data in events:
            if kind == "item":
                item = data["item"]
            elif kind in (*STREAMS, "hidden"):
                tail = self._tail(where) if item is None else self._of_item(item)
                tail.add(kind, data)

    def _of_item(self, item: int) -> Tail:
        if item not in self.items and len(self.items) >= self.most:
            self.left_out += self.items.pop(min(self.items)).lines
        return self.items.setdefault(item, Tail(self.keep))

    def snapshot(self) -> tuple[WorkerOutput, ...]:
        outputs = [(item, self.items[item].snapshot("")) for item in sorted([*self.items])]
        lines = [
            (stream, f"{item}: {text}", repeats) for item, output in outputs for stream, text, repeats in output.tail
        ]
        if not lines:
            return super().snapshot()
        total = self.left_out + sum(output.lines for _, output in outputs)
        tail = tuple(lines[-self.keep :])
        shown = sum(repeats for stream, _, repeats in tail if stream != "hidden")
        return (WorkerOutput(ITEMS, total, max(total - shown, 0), tail), *super().snapshot())


class Tail:
    """One worker's, or one item's, lines."""

    def __init__(self, keep: int) -> None:
        self.tail: collections.deque[tuple[str, str, int]] = collections.deque(maxlen=keep)
        self.lines = 0
        self.open = ""  # a line that has not ended yet

    def add(self, kind: str, data: Any) -> None:
        if kind == "hidden":
            self.tail.append((kind, f"... {data['lines']:,} lines not shown ...", 1))
            self.lines += data["lines"]
            return
        *lines, rest = (self.open + data).split("\n")
        self.open = settle(rest)[:LONGEST]
        for line in lines:
            self._add_line(kind, line.rpartition("\r")[2][:LONGEST])

    def _add_line(self, stream: str, text: str) -> None:
        self.lines += 1
        if self.tail and self.tail[-1][:2] == (stream, text):
            self.tail[-1] = (stream, text, self.tail[-1][2] + 1)
        else:
            self.tail.append((stream, text, 1))

    def snapshot(self, where: str) -> WorkerOutput:
        rest = self.open.strip("\r")
        tail = (*self.tail, *([("stdout", rest, 1)] if rest else []))
        shown = sum(repeats for stream, _, repeats in tail if stream != "hidden")
        return WorkerOutput(where, max(self.lines, shown), max(self.lines - shown, 0), tail)


class OutputLog:
    """All text that arrived of a run, bounded; what is longer is in files on the workers."""

    def __init__(self, limit: int = 4 * 2**20) -> None:
        self.limit, self.size = limit, 0
        self.entries: collections.deque[tuple[str, str, str]] = collections.deque()
        self.files: dict[str, list[str]] = {}

    def add(self, where: str, events: Iterable[tuple[str, Any]]) -> None:
        for kind, data in events:
            if kind in ("stdout", "stderr"):
                self.entries.append((where, kind, data))
                self.size += len(data)
            elif kind == "hidden" and data["path"] and data["path"] not in self.files.get(where, ()):
                self.files.setdefault(where, []).append(data["path"])
        while self.size > self.limit and len(self.entries) > 1:
            self.size -= len(self.entries.popleft()[2])

    @property
    def workers(self) -> list[str]:
        """Those that printed, as ``4711@10.0.0.1``; `list` copies at once, for the run's thread may add meanwhile."""
        return list(dict.fromkeys([where for where, _, _ in list(self.entries)] + list(self.files)))

    def text(self, worker: str = "") -> str:
        """All there is, by worker, with headings where there are several; of a flood what the worker has on disk.

        `worker` chooses one, as ``4711@10.0.0.1`` or ``4711``. Raises UsageError where that one printed nothing.
        """
        workers = [where for where in self.workers if not worker or worker in (where, where.partition("@")[0])]
        if worker and not workers:
            known = ", ".join(self.workers[:10]) or "none so far"
            raise UsageError(f'No worker "{worker}" printed in this run; those that did: {known}.')
        parts = [self._of_worker(where) for where in workers]
        if len(parts) > 1:
            parts = [f"--- {worker_name(where)} ---\n{part}" for where, part in zip(workers, parts, strict=True)]
        return "".join(part if part.endswith("\n") else part + "\n" for part in parts)

    def _of_worker(self, where: str) -> str:
        kept = "".join(data for worker, _, data in list(self.entries) if worker == where)
        files = [read_there(where, path) for path in self.files.get(where, ())]
        return "".join(files) if files and all(files) else kept


def read_there(where: str, path: str, limit: int = 2**26) -> str:
    """The end of a file on the node of a worker, at most `limit` bytes; "" where it cannot be had."""
    if os.path.exists(path):
        return reader()(path, limit)
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    address = where.partition("@")[2]
    node = next((n["NodeID"] for n in ray.nodes() if n["Alive"] and n["NodeManagerAddress"] == address), None)
    if node is None:
        return ""
    options = {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}
    try:
        return str(ray.get(ray.remote(reader()).options(**options).remote(path, limit), timeout=30))
    except Exception as error:  # the node may go away meanwhile; what arrived before is still shown
        log.debug("no file %s of %s: %s", path, where, error)
        return ""


def reader() -> Callable[[str, int], str]:
    """Reads the end of a file; made in here so that it travels by value."""

    def read(path: str, limit: int) -> str:
        import os

        with open(path, "rb") as file:
            file.seek(max(os.path.getsize(path) - limit, 0))
            return file.read().decode("utf-8", "replace")

    return read
