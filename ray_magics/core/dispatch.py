"""What a run that executes code of the notebook sends with it, and what it takes in while it lasts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .capture import Captures
from .cell import Cell
from .output import Folder, Log, mailroom, replay
from .parsers import format_size
from .place import Place
from .settings import settings
from .ship import Parcel, Wanted, ship, surroundings, type_name
from .status import WorkerOutput
from .worker.values import Namespace


class Luggage:
    """The captured names of a plan on their way to the cluster; more can be added.

    Attributes:
        parcel: what is shipped so far, see `core.ship`.
    """

    def __init__(self, captures: Captures, namespace: Namespace, as_refs: Iterable[str] = ()) -> None:
        self.namespace, self.as_refs = namespace, tuple(as_refs)
        self.wanted = [Wanted(c.name, c.line, c.certain, c.via) for c in captures.found]
        self.parcel: Parcel = self._ship()

    def _ship(self) -> Parcel:
        return ship(self.wanted, self.namespace, settings().share_above, self.as_refs)

    def add(self, names: Iterable[str]) -> bool:
        """Ships names that turned out to be read, too, where the notebook has them; whether there were any."""
        known = {*self.parcel.sizes, *(one.name for one in self.wanted)}
        more = [Wanted(name, certain=False) for name in names if name in self.namespace and name not in known]
        if more:
            self.wanted = [*self.wanted, *more]
            self.parcel = self._ship()
        return bool(more)

    def tell_large(self) -> None:
        """Prints a line for each value that travels now and is very large."""
        for name in self.parcel.sent:
            size = self.parcel.sizes[name]
            if size >= settings().tell_above:
                kind = type_name(self.namespace[name])
                print(f'"{name}" ({kind}, {format_size(size)}) travels to the cluster once, until it changes.')


def orders_for(run: str, cell: Cell, place: Place, parcel: Parcel, **more: Any) -> dict[str, Any]:
    """What a worker is told of code that it is to execute; see `core.worker.task.Task`."""
    return {
        **surroundings(),
        "run": run,
        "source": place.source,
        "filename": place.filename,
        "is_async": cell.is_async,
        "uses_ipython": cell.uses_ipython,
        "updates": cell.updates,
        "resolved": parcel.resolved,
        "mailbox": mailroom.address,
        "log_lines": settings().log_lines,
        "share_above": settings().share_above,
        "retried": False,
        **more,
    }


class Inbox:
    """What the workers of a run have printed and displayed: in its cell, folded for its view, and kept for its logs.

    With `into_cell` it is printed in the cell that runs on this thread; otherwise only figures and the like are.
    """

    def __init__(self, run: str, into_cell: bool) -> None:
        self.run, self.into_cell = run, into_cell
        self.folder, self.log = Folder(), Log()
        self.seen: set[str] = set()
        self.note = ""

    def take_letter(self, letter: Mapping[str, Any], where: str = "") -> None:
        self.take(where or letter["where"], letter["events"])
        if letter["hidden"]:
            self.note = f"{letter['hidden']:,} lines printed at once are not shown; %ray_logs {self.run} has them"

    def take(self, where: str, events: Sequence[tuple[str, Any]]) -> None:
        self.seen.add(where)
        self.log.add(where, events)
        if self.into_cell:
            replay(events, self.run)
        else:
            self.folder.add(where, events)
            replay([event for event in events if event[0] in ("display", "update", "clear")], self.run)

    @property
    def workers(self) -> tuple[WorkerOutput, ...]:
        return self.folder.snapshot()
