"""Does what the plan says: one task, or many."""

from __future__ import annotations

import collections
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..core import connection
from ..core.capture import nbytes_of, reads_of
from ..core.errors import RayMagicsError, RunCancelled, RunTimeout, UsageError, WorkerLost, remote_error
from ..core.options import format_size
from ..core.output import Folder, Log, mailroom, replay
from ..core.place import Place
from ..core.resources import NodeResources, infeasible, why_waiting
from ..core.run import Event, Run, Viewer, interrupt_raises, registry
from ..core.settings import settings
from ..core.ship import Parcel, Wanted, entry, ship, surroundings, type_name
from ..core.status import RunStatus
from ..core.worker.cell import VALUE
from ..core.worker.failure import CARRIED, CellFailed
from ..core.worker.values import Namespace, Packer, load
from .plan import RemotePlan

Description = Mapping[str, Any]
Nodes = Callable[[], Iterable[NodeResources]]
MAIL_AFTER = 0.3  # seconds until the mailbox for live output is opened
LETTERS_LATE = 2.0  # seconds that an answer waits for letters still under way
CHUNK_BYTES = 2**22
LARGEST_CHUNK = 10_000  # items
SMALLEST_CHUNK = 0.02  # seconds of work that a task is worth


class TaskRun(Run):
    """A run made of Ray tasks that execute a cell: what one task and a fan-out share."""

    def __init__(self, plan: RemotePlan, namespace: Namespace, place: Any, nodes: Nodes) -> None:
        """`place` says where the cell is: its `name`, `filename`, `label` of a file name, and `cell` id."""
        super().__init__(place.name, "ray_remote", place.cell)
        self.plan, self.namespace, self.place, self.nodes = plan, namespace, place, nodes
        self.outstanding: dict[int, Any] = {}
        self.numbers = itertools.count()
        self.letters: collections.Counter[int] = collections.Counter()
        self.late: list[tuple[float, Event]] = []
        self.folder, self.log = Folder(), Log()
        self.seen: set[str] = set()
        self.why = self.note = ""
        self.failed = 0
        self.stop_asked: float | None = None
        self.forced = self.timed_out = False
        self.failure: BaseException | None = None
        self.into_cell = not plan.background
        names = [*plan.binds, *plan.cell.calls, *([plan.into] if plan.into else [])]
        self.before = {name: namespace.get(name) for name in names}

    # submitting

    def prepare(self, orders: Mapping[str, Any]) -> None:
        """Ships what the cell reads and makes the orders that all its tasks share."""
        plan, limits = self.plan, settings()
        wanted = [Wanted(c.name, c.line, c.certain, c.via) for c in plan.captures.found]
        self.parcel: Parcel = ship(wanted, self.namespace, limits.share_above, plan.as_refs)
        self._tell_large()
        self.orders: dict[str, Any] = {
            **surroundings(),
            **orders,
            "run": self.id,
            "source": self.place.source,
            "filename": self.place.filename,
            "is_async": plan.cell.is_async,
            "uses_ipython": plan.cell.uses_ipython,
            "updates": plan.cell.updates,
            "resolved": self.parcel.resolved,
            "mailbox": mailroom.address,
            "log_lines": limits.log_lines,
            "share_above": limits.share_above,
            "retried": bool(plan.options.get("retry_exceptions")),
        }
        mailroom.receive(self.id, lambda letter: self.post("letter", letter))

    def _tell_large(self) -> None:
        for name in self.parcel.sent:
            size = self.parcel.sizes[name]
            if size >= settings().tell_above and not self.plan.quiet:
                kind = type_name(self.namespace[name])
                print(f'"{name}" ({kind}, {format_size(size)}) travels to the cluster once, until it changes.')

    def launch(self, function: str, *arguments: Any, **options: Any) -> int:
        number = next(self.numbers)
        parcel = self.parcel
        remote = entry(function).options(name=self.name, **self.plan.options, **options)
        orders = {**self.orders, "task": number}
        made = remote.remote(orders, parcel.payload, parcel.references, *arguments, *parcel.shared)
        self.refs = made if isinstance(made, list) else [made]
        self.outstanding[number] = self.refs[-1]
        self.refs[-1].future().add_done_callback(lambda future: self.post("answer", number, future))
        self.state = "running"
        return number

    # events

    def handle(self, event: Event) -> None:
        if event[0] == "letter":
            self.take_letter(event[1])
        elif self._is_early(event):
            self.late.append((time.monotonic() + LETTERS_LATE, event))
        else:
            self._take_answer(event[1], event[2])

    def take_letter(self, letter: Mapping[str, Any]) -> None:
        self.letters[letter["task"]] += 1
        self.take_output(letter["where"], letter["events"])
        if letter["hidden"]:
            self.note = f"{letter['hidden']:,} lines printed at once are not shown; %ray_logs {self.id} has them"

    def take_output(self, where: str, events: Sequence[tuple[str, Any]]) -> None:
        self.seen.add(where)
        self.why = ""
        self.log.add(where, events)
        if self.into_cell:
            replay(events, self.id)
        else:
            self.folder.add(where, events)
            replay([event for event in events if event[0] in ("display", "update", "clear")], self.id)

    def _is_early(self, event: Event) -> bool:
        """Whether letters of this task are still under way: output stays in order."""
        return _letters(event[2]) > self.letters[event[1]]

    def tick(self) -> None:
        now = time.monotonic()
        due = [event for late, event in self.late if late < now or not self._is_early(event)]
        self.late = [(late, event) for late, event in self.late if event not in due]
        for event in due:
            self._take_answer(event[1], event[2])
        if self.elapsed > MAIL_AFTER and self.live:
            mailroom.open()
        self._watch_clock(now)

    def _watch_clock(self, now: float) -> None:
        if self.plan.timeout is not None and self.elapsed > self.plan.timeout and not self.timed_out:
            self.timed_out = True
            self.stop()
        if self.stop_asked is not None and now - self.stop_asked > settings().stop_grace:
            self._still_stopping(now)
        elif not self.seen and self.elapsed > 1.0 and self.stop_asked is None:
            self.why = self._why_waiting()

    def _why_waiting(self) -> str:
        if self.elapsed < 5.0 and fits_now(self.plan.request, self.nodes()):
            return ""
        return why_waiting(self.plan.request, self.nodes(), self.plan.options.get("label_selector"))

    def _take_answer(self, number: int, future: Any) -> None:
        self.outstanding.pop(number, None)
        if self.state == "stopping":
            self._stopped_if_done()
            return
        error = future.exception()
        if error is None:
            self.answered(number, future.result())
        else:
            description = description_of(error)
            if description is not None:
                self.take_output(description["where"], description["events"])
            self.refused(number, error, description)

    def answered(self, number: int, answer: Any) -> None:
        """Takes the answer of a task in."""
        raise NotImplementedError

    def refused(self, number: int, error: BaseException, description: Description | None) -> None:
        """Takes the failure of a task in; `description` where the cell itself failed."""
        raise NotImplementedError

    # stopping

    def cancel(self, force: bool) -> None:
        import ray

        self.stop_asked = time.monotonic()
        self.forced = self.forced or force
        for ref in list(self.outstanding.values()):
            ray.cancel(ref, force=force, recursive=True)
        self._stopped_if_done()

    def _still_stopping(self, now: float) -> None:
        count = len(self.outstanding)
        if self.timed_out and not self.forced:
            self.cancel(True)
        elif self.forced and self.stop_asked is not None and now - self.stop_asked > 2 * settings().stop_grace:
            self._end_stopped(f"{_tasks(count)} did not confirm the stop and may still run")
        else:
            self.note = f"{_tasks(count)} ignored the interrupt; interrupt again to force"

    def _stopped_if_done(self) -> None:
        if not self.outstanding and self.live:
            self._end_stopped("nothing is left running on the cluster")

    def _end_stopped(self, left: str) -> None:
        if self.failure is not None:
            self.end("failed", self.failure)
            return
        self.note = left
        if self.timed_out:
            self.end("failed", RunTimeout(f"--timeout {self.plan.timeout:g}: {self.name} was stopped; {left}."))
        else:
            self.end("cancelled", RunCancelled(f"{self.name} was stopped after {self.elapsed:.1f} s; {left}."))

    # the end

    def fail(self, error: BaseException, description: Description | None, item: str = "") -> None:
        """Ends the run as failed, with the user's own exception where the cell failed, once nothing runs any more."""
        shown = error
        if description is not None:
            shown = remote_error(description, self.namespace, self.place.label, item)
        elif not isinstance(error, RayMagicsError):
            shown = lost(error)
        self.failure, self.state = shown, "stopping"
        self.cancel(False)

    def end(self, state: str, error: BaseException | None = None) -> None:
        mailroom.forget(self.id)
        if state == "finished" and self.plan.background and self.live:
            self.bind_late()
        super().end(state, error)

    @property
    def bound(self) -> dict[str, Any]:
        """The names that come back, with their values."""
        return {}

    def bind(self, keep: Iterable[str] = ()) -> None:
        """Gives the notebook what the cell assigned, and the value its name; leaves the names in `keep` alone."""
        into = {self.plan.into: self.value()} if self.plan.into else {}
        found = {**self.bound, **into}
        self.namespace.update({name: value for name, value in found.items() if name not in keep})

    def bind_late(self) -> None:
        """Binds at the end of a background run what the notebook has not assigned anew since the run began."""
        anew = [name for name, value in self.before.items() if self.namespace.get(name) is not value]
        self.bind(anew)
        if anew:
            names = ", ".join(anew)
            self.note = f"{names} got another value meanwhile and keeps it; this run's is in the Run's .bound"

    def shown(self) -> Any:
        """What the cell shows as its output."""
        return self.value()

    def logs(self) -> str:
        return self.log.text()

    def status(self) -> RunStatus:
        error = "" if self.error is None or self.state != "failed" else f"{type(self.error).__name__}: {self.error}"
        return RunStatus(
            id=self.id,
            name=self.name,
            verb=self.verb,
            state="pending" if self.why and self.state == "running" else self.state,
            elapsed=self.elapsed,
            failed=self.failed,
            running=len(self.outstanding),
            why=self.why if self.live else "",
            note=self.note,
            error=error[:2000],
            workers=self.folder.snapshot(),
            **self.progress(),
        )

    def progress(self) -> dict[str, Any]:
        return {"total": 1, "done": int(self.state == "finished")}


class CellRun(TaskRun):
    """The cell is one task."""

    def submit(self) -> None:
        plan = self.plan
        lazy = {"num_returns": len(plan.binds) + 2} if plan.lazy else {}
        self.prepare(
            {
                "binds": plan.binds,
                "binds_unknown": plan.cell.binds_unknown and not plan.lazy,
                "calls": () if plan.lazy else [n for n in plan.cell.calls if self._may_change(n)],
                "captured": [*self.plan.captures.names],
                "deletes": plan.cell.deletes,
                "lazy": plan.lazy,
            }
        )
        self.launch("run_cell", **lazy)

    def _may_change(self, name: str) -> bool:
        kinds = {capture.name: capture.kind for capture in self.plan.captures.found}
        return kinds.get(name) == "value"

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

    def shown(self) -> Any:
        if self.header.get("shown"):
            replay([("display", {"data": self.header["shown"], "metadata": {}, "transient": {}})], self.id)
        return self.value()

    def progress(self) -> dict[str, Any]:
        return {"total": 1, "done": int(self.state == "finished"), "unit": "task"}


def _came_back(header: Mapping[str, Any]) -> str:
    """What a reader of the cell would not guess: names changed in place, names that could not come back."""
    notes = [f"{', '.join(header['changed'])} changed in place and came back"] if header.get("changed") else []
    refused = [f"{name} did not come back ({reason})" for name, reason in header.get("refused", {}).items()]
    return "; ".join([*notes, *refused])[:1000]


class MapRun(TaskRun):
    """The cell runs once per item, in chunks that take about `chunk_seconds` each."""

    def __init__(self, plan: RemotePlan, namespace: Namespace, place: Any, nodes: Nodes) -> None:
        super().__init__(plan, namespace, place, nodes)
        self.into_cell = False
        self.results: dict[int, Any] = {}
        self.chunks: dict[int, list[tuple[int, Any]]] = {}
        self.again: collections.deque[tuple[int, Any]] = collections.deque()
        self.alone: collections.deque[tuple[int, Any]] = collections.deque()
        self.seconds: float | None = None
        self.exhausted = False

    def submit(self) -> None:
        plan = self.plan
        assert plan.items is not None
        orders = {"target": plan.items.target, "outputs": plan.binds, "keep": plan.keep}
        self.prepare({**orders, "budget": 0.0})
        with interrupt_raises():
            iterator = plan.items.items(self.namespace)
        self.total = iterator.length
        self.iterator: Iterator[tuple[int, Any]] = enumerate(iterator)
        self.slots = self._count_slots()
        self._fill()

    def _count_slots(self) -> int:
        """How many tasks of this plan the cluster can run at once, at least one."""
        request = self.plan.request
        fits = [
            min((node.total.get(name, 0) / amount for name, amount in request.items()), default=16.0)
            for node in self.nodes()
        ]
        return max(1, int(sum(math.floor(fit + 1e-9) for fit in fits)))

    def _fill(self) -> None:
        """Keeps two chunks per slot under way, never more: items are pulled when there is room for them."""
        while self.failure is None and len(self.outstanding) < 2 * self.slots:
            chunk = self._next_chunk()
            if not chunk:
                break
            self._send(chunk)
        if self.exhausted and not (self.outstanding or self.again or self.alone or self.failure):
            self.end("finished")

    def _next_chunk(self) -> list[tuple[int, Any]]:
        if self.alone:
            return [self.alone.popleft()]
        size = self._size()
        chunk = [self.again.popleft() for _ in range(min(size, len(self.again)))]
        return chunk + self._pull(size - len(chunk))

    def _size(self) -> int:
        """Items for the next chunk: `chunk_seconds` of work as measured, less towards the end, so that all end at once."""
        if self.plan.chunk:
            return self.plan.chunk
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
            self.stop()
        return pulled

    def _send(self, chunk: list[tuple[int, Any]]) -> None:
        packer = self._pack(chunk)
        while packer.stream.tell() > CHUNK_BYTES and len(chunk) > 1:
            half = len(chunk) // 2
            self.again.extendleft(reversed(chunk[half:]))
            chunk = chunk[:half]
            packer = self._pack(chunk)
        budget = float("inf") if self.plan.chunk else settings().chunk_seconds * (1 if self.seconds is None else 2)
        self.orders["budget"] = budget
        number = self.launch("run_items", packer.payload, packer.references)
        self.chunks[number] = chunk

    def _pack(self, chunk: Sequence[tuple[int, Any]]) -> Packer:
        packer = Packer(self.namespace, 2**62)
        packer.add("items", [item for _, item in chunk])
        return packer

    def answered(self, number: int, answer: Any) -> None:
        header, *packed = answer
        chunk = self.chunks.pop(number)
        self.take_output(header["where"], header["events"])
        values = unpack(packed, self.namespace)["values"]
        for position, ((index, item), value) in enumerate(zip(chunk, values, strict=False)):
            failure = header["failures"].get(position)
            self._settle(index, item, value, failure and {**failure, "where": header["where"]})
        if self.failure is None:
            self.again.extendleft(reversed(chunk[header["done"] :]))
            self._measure(header)
            self._fill()

    def _settle(self, index: int, item: Any, value: Any, failure: Description | None) -> None:
        if failure is None:
            self.results[index] = value
        elif self.plan.keep:
            self.failed += 1
            self.results[index] = self._kept(failure)
        elif self.failure is None:
            self.failed += 1
            self.fail(RuntimeError(), failure, self._item_text(index, item))

    def _kept(self, failure: Description) -> BaseException:
        error = remote_error(failure, self.namespace, self.place.label)
        return error.__cause__ if isinstance(error.__cause__, Exception) else error

    def _item_text(self, index: int, item: Any) -> str:
        assert self.plan.items is not None
        shown = repr(item)
        return f"item {index}: {self.plan.items.target} = {shown if len(shown) < 60 else shown[:57] + '...'}"

    def _measure(self, header: Mapping[str, Any]) -> None:
        if header["done"]:
            now = header["seconds"] / header["done"]
            self.seconds = now if self.seconds is None else 0.5 * self.seconds + 0.5 * now

    def refused(self, number: int, error: BaseException, description: Description | None) -> None:
        """A chunk that died with its worker is sent again item by item, so that only the culprit fails."""
        chunk = self.chunks.pop(number)
        if description is None and len(chunk) > 1 and not isinstance(error, RayMagicsError):
            self.alone.extend(chunk)
            self._fill()
        elif self.plan.keep and description is None:
            self.failed += 1
            self.results[chunk[0][0]] = lost(error)
            self._fill()
        else:
            self.failed += 1
            self.fail(error, description, self._item_text(*chunk[0]))

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
            name: as_array([row if isinstance(row, Exception) else row[position] for row in rows])
            for position, name in enumerate(self.plan.binds)
        }

    def progress(self) -> dict[str, Any]:
        return {
            "total": getattr(self, "total", None),
            "done": len(self.results) - self.failed,
            "unit": "item",
        }


# --- answers and failures --------------------------------------------------------------------------------------


def unpack(packed: Sequence[Any], namespace: Namespace) -> dict[str, Any]:
    """The values of an answer, writable and independent of the object store."""
    payload, buffers, references = packed
    return load(payload, namespace, [bytearray(buffer) for buffer in buffers], references)


def as_array(values: list[Any]) -> Any:
    """A list of NumPy scalars, or of arrays alike in shape and type, as one array; any other list as it is."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not values or not isinstance(values[0], (numpy.generic, numpy.ndarray)):
        return values
    first = values[0]
    alike = all(type(v) is type(first) and v.dtype == first.dtype and v.shape == first.shape for v in values)
    return numpy.array(values) if alike and first.dtype != object else values


def description_of(error: BaseException) -> Description | None:
    """What the island said of the failure of a cell; None where something else failed."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, CellFailed):
        return dict(cause.args[0])
    carried = getattr(cause, CARRIED, None)
    return dict(carried) if carried is not None else None


def _letters(future: Any) -> int:
    """How many letters a task has sent, as its answer says."""
    error = future.exception()
    if error is not None:
        return int((description_of(error) or {}).get("letters", 0))
    answer = future.result()
    header = answer if isinstance(answer, dict) else answer[0]
    return int(header["letters"])


def lost(error: BaseException) -> RayMagicsError:
    """An error of Ray's own as one sentence; the original is its ``__cause__``."""
    kind = type(error).__name__
    if "OutOfMemory" in kind:
        text = "a node ran out of memory and Ray killed the worker; ask for more with --memory, or send less"
    elif "WorkerCrashed" in kind or "NodeDied" in kind:
        text = "the worker died while it ran the cell (killed, os._exit, or a crash in native code)"
    elif "TaskCancelled" in kind:
        text = "the task was cancelled from elsewhere"
    else:
        lines = [line for line in str(error).splitlines() if line.strip()]
        text = f"{kind}: {(lines or [''])[-1].strip()}"
    made = WorkerLost(text)
    made.__cause__ = error
    return made


def fits_now(request: Mapping[str, float], nodes: Iterable[NodeResources]) -> bool:
    """Whether a node has this much free at the moment."""
    return any(all(node.available.get(name, 0.0) >= amount for name, amount in request.items()) for node in nodes)


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


# --- the verb -------------------------------------------------------------------------------------------------------


def check(plan: RemotePlan) -> None:
    """Connects, and tells at once of a request that this cluster can never satisfy. Raises UsageError."""
    connection.ensure_connected()
    problem = infeasible(plan.request, connection.nodes(), plan.options.get("label_selector"))
    if problem is not None and not connection.can_grow():
        raise UsageError(problem)


def start(plan: RemotePlan, namespace: Namespace, place: Place, view: Viewer) -> TaskRun:
    """Starts a run; it is over when this returns, unless it is in the background."""
    kind = MapRun if plan.items else CellRun
    run = kind(plan, namespace, place, connection.nodes)
    run.view = view
    registry.add(run)
    if plan.background:
        run.view.offer(run.status)
        run.in_background()
    else:
        run.drive()
    return run


def finish(run: TaskRun) -> Any:
    """Binds what came back and returns what the cell shows; raises what the run raised."""
    if run.error is not None:
        raise run.error
    run.bind()
    if run.note and not run.plan.quiet:
        print(run.note)
    return None if run.plan.into or run.plan.cell.silent else run.shown()


def define(plan: RemotePlan, namespace: Namespace, place: Place) -> None:
    """Runs the definitions here, then makes each function a remote function and each class an actor class."""
    import ray

    exec(compile(place.source, place.filename, "exec"), namespace)
    for name in plan.cell.functions:
        _check_globals(name, namespace)
        namespace[name] = _remote(ray, namespace[name], plan.options)
    for name in plan.cell.classes:
        namespace[name] = _remote(ray, namespace[name], plan.actor_options)


def _remote(ray: Any, value: Any, options: Mapping[str, Any]) -> Any:
    if not callable(value) or hasattr(value, "remote"):
        return value  # decorated as remote already
    return ray.remote(**options)(value) if options else ray.remote(value)


def _check_globals(name: str, namespace: Namespace) -> None:
    """Ray refuses a function that drags more than 95 MiB along, without saying which variable it is."""
    for read in reads_of(namespace[name], namespace):
        nbytes = nbytes_of(namespace.get(read))
        if nbytes is not None and nbytes > 95 * 2**20:
            raise UsageError(
                f'{name} reads "{read}" ({format_size(nbytes)}), which would travel inside the function: '
                f"make it an argument, {name}.remote(ray.put({read}))."
            )
