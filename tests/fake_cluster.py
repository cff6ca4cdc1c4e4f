"""A cluster whose clock the test moves: tasks are answered, late or never, or die, as the test says."""

from __future__ import annotations

import heapq
import itertools
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ray_magics.resources import NodeResources
from ray_magics.run.run import Run
from ray_magics.worker.records import OutputMessage, TaskReply, TaskSpec
from ray_magics.worker.values import Packer, load

WHERE = "1@10.0.0.1"


@dataclass(eq=False)
class FakeTask:
    """A task that was sent; `items` are those of a chunk."""

    spec: TaskSpec
    items: list[Any]
    future: Future[Any] = field(default_factory=Future)
    calls: list[Callable[[Any], None]] = field(default_factory=list)
    cancels: list[bool] = field(default_factory=list)


class FakeCluster:
    """Stands for `run.tasks.TaskCluster`.

    Attributes:
        seconds_per_item: of work; a task is answered when its items are done, or its budget is used up.
        cpus: as many tasks run at a time, the others wait.
        ignores: which cancels tasks do not hear: {"soft"}, {"soft", "force"}.
        tasks: all that were sent, in order.
    """

    def __init__(self, seconds_per_item: float = 0.01, cpus: int = 2) -> None:
        self.time = 1000.0
        self.seconds_per_item, self.cpus = seconds_per_item, cpus
        self.ignores: set[str] = set()
        self.silent_since: float | None = None
        self.channel_since = 0.0
        self.tasks: list[FakeTask] = []
        self.waiting: list[FakeTask] = []
        self.running: set[int] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    # what a run needs

    def now(self) -> float:
        return self.time

    def nodes(self, max_age: float = 0.0) -> Iterable[NodeResources]:
        free = float(self.cpus - len(self.running))
        return (NodeResources("node", {"CPU": float(self.cpus)}, {"CPU": free}),)

    def lost(self, max_age: float) -> str:
        silent = self.silent_since is not None and self.time - self.silent_since > max_age
        return "The cluster does not answer." if silent else ""

    def submit(self, function: Any, options: Mapping[str, Any], arguments: Sequence[Any]) -> list[Any]:
        wire, _, _, *chunk = pickle.loads(arguments[0])
        items = load(chunk[0], {}, (), chunk[1])["items"] if chunk else []
        task = FakeTask(TaskSpec.from_wire(wire), items)
        self.tasks.append(task)
        self.waiting.append(task)
        self._begin()
        return [task]

    def when_done(self, ref: FakeTask, call: Callable[[Any], None]) -> None:
        ref.future.add_done_callback(call)

    def cancel(self, refs: Iterable[FakeTask], force: bool) -> None:
        for task in refs:
            task.cancels.append(force)
            if ("force" if force else "soft") not in self.ignores:
                self.at(0.0, lambda task=task: self.fail(task, KeyboardInterrupt()))

    def receive(self, run: str, deliver: Callable[[OutputMessage], None]) -> None:
        pass

    def last_words(self, run: str, task: int) -> Sequence[Any]:
        return ()

    def open_channel(self) -> None:
        pass

    def channel_open_since(self) -> float:
        return self.channel_since

    # what the test does

    def at(self, delay: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.time + delay, next(self._numbers), call))

    def advance(self, run: Run, seconds: float, step: float = 0.05) -> None:
        """Moves the clock, and lets the run take in all that happens meanwhile."""
        end = self.time + seconds
        while True:
            while self._due and self._due[0][0] <= self.time:
                heapq.heappop(self._due)[2]()
            while run.live and run.step(0):
                pass
            if self.time >= end - 1e-9 or not run.live:
                return
            self.time = min(end, self.time + step, *(when for when, _, _ in self._due[:1]))

    def finish(self, run: Run, within: float = 3600.0) -> None:
        """Moves the clock until the run has ended."""
        self.advance(run, within)
        assert not run.live, run.state

    def reply(self, task: FakeTask, done: int, messages: int = 0) -> None:
        """The task is answered: each of the first `done` items is its own value."""
        self._end(task)
        packer = Packer({}, 2**62)
        packer.add("values", task.items[:done])
        reply = TaskReply(task.spec.run, task.spec.task, WHERE, (), messages, done * self.seconds_per_item, done=done)
        if not task.future.done():
            task.future.set_result((reply.to_wire(), packer.payload, [], []))

    def fail(self, task: FakeTask, error: BaseException) -> None:
        self._end(task)
        if not task.future.done():
            task.future.set_exception(error)

    def say(self, run: Run, task: FakeTask, text: str) -> None:
        """A message of output arrives."""
        run.post("message", OutputMessage(task.spec.run, task.spec.task, WHERE, (("stdout", text),)))

    def work(self, task: FakeTask) -> None:
        """A task begins: it will be answered when its time has come; a test replaces this to have it otherwise."""
        fitting = max(1, int(task.spec.budget / self.seconds_per_item + 1e-6)) if task.spec.budget < 1e9 else 10**9
        done = min(len(task.items), fitting)
        self.at(done * self.seconds_per_item, lambda: self.reply(task, done))

    def _begin(self) -> None:
        while self.waiting and len(self.running) < self.cpus:
            task = self.waiting.pop(0)
            self.running.add(id(task))
            self.work(task)

    def _end(self, task: FakeTask) -> None:
        self.running.discard(id(task))
        if task in self.waiting:
            self.waiting.remove(task)
        self._begin()
