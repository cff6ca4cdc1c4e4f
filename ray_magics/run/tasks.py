"""The seam between a run and Ray's tasks: sent, answered, cancelled. Tests put a fake cluster in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from .. import connection
from ..resources import NodeResources
from ..ship.entrypoint import remote_function
from ..worker.records import OutputMessage
from .channel import output_channel
from .last_words import LeftBehind, find_last_words

Function = tuple[str, str]  # module and function of the worker runtime, as ("cell", "run_cell")


class TaskCluster(Protocol):
    """What a run of tasks needs of a cluster."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def nodes(self, max_age: float = 0.0) -> Iterable[NodeResources]:
        """The living nodes, as known for at most `max_age` seconds."""
        ...

    def lost(self, max_age: float) -> str:
        """What to say of a cluster that was not heard in the last `max_age` seconds; "" while it is there."""
        ...

    def submit(self, function: Function, options: Mapping[str, Any], arguments: Sequence[Any]) -> list[Any]:
        """Sends a task; returns the refs of its results. Raises ValueError for options that Ray refuses."""
        ...

    def when_done(self, ref: Any, call: Callable[[Any], None]) -> None:
        """Calls with a future once the task has ended; from any thread."""
        ...

    def cancel(self, refs: Iterable[Any], force: bool) -> None:
        """Asks for the end of these tasks, in this order."""
        ...

    def receive(self, run: str, deliver: Callable[[OutputMessage], None]) -> None:
        """Hands messages of output of this run to `deliver`, from any thread."""
        ...

    def last_words(self, run: str, task: int) -> Sequence[LeftBehind]:
        """What the workers of a task that died have left behind."""
        ...

    def open_channel(self) -> None:
        """Opens the channel for live output, if it is not open."""
        ...

    def channel_open_since(self) -> float:
        """When it was there first, on the clock; inf while it starts."""
        ...


class RayTasks:
    """Ray's own tasks, for one run, whose options stay the same."""

    def __init__(self) -> None:
        self.functions: dict[Function, Any] = {}
        self.channel = output_channel()

    def now(self) -> float:
        return time.monotonic()

    def nodes(self, max_age: float = 0.0) -> Iterable[NodeResources]:
        return connection.nodes(max_age)

    def lost(self, max_age: float) -> str:
        return connection.lost(max_age)

    def submit(self, function: Function, options: Mapping[str, Any], arguments: Sequence[Any]) -> list[Any]:
        if function not in self.functions:
            self.functions[function] = remote_function(*function).options(**options)
        refs = self.functions[function].remote(*arguments)
        return refs if isinstance(refs, list) else [refs]

    def when_done(self, ref: Any, call: Callable[[Any], None]) -> None:
        ref.future().add_done_callback(call)

    def cancel(self, refs: Iterable[Any], force: bool) -> None:
        import ray

        for ref in refs:
            ray.cancel(ref, force=force, recursive=True)

    def receive(self, run: str, deliver: Callable[[OutputMessage], None]) -> None:
        self.channel.receive(run, deliver)

    def last_words(self, run: str, task: int) -> Sequence[LeftBehind]:
        return find_last_words(self.channel.name, run, task)

    def open_channel(self) -> None:
        self.channel.open()

    def channel_open_since(self) -> float:
        return self.channel.listens_since
