"""Where remote functions and actors of definitions cells are called from, for what they print belongs there.

Ray brings a worker's lines half a second late and says of them only the name of the function or actor class. So the
cell is found by what the cells of the notebook read: it is the newest that can have made the call.
"""

from __future__ import annotations

import collections
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from ... import kernel
from ...raylib.logs import print_worker_lines_in

MOST = 200  # cells that are remembered
_WORD = re.compile(r"[^\W\d]\w*")
_DEPTH, _ITEMS = 3, 50  # how deep, and at how many parts of each container, an actor's handle is looked for


@dataclass(frozen=True)
class ExecutedCell:
    """A cell that has begun: its source, and the message to which its output belongs."""

    source: str
    parent: Any

    @property
    def words(self) -> frozenset[str]:
        """What may be a name in it."""
        return frozenset(_WORD.findall(self.source))


class CallSites:
    """The cells that a notebook executes, and which of them calls what a definitions cell made."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.cells: collections.deque[ExecutedCell] = collections.deque(maxlen=MOST)
        self.defined_in: dict[str, ExecutedCell] = {}

    def follow(self) -> None:
        """Notes each cell from the next on."""
        self.shell.events.register("pre_run_cell", self._begin)

    def _begin(self, info: Any) -> None:
        self.cells.append(ExecutedCell(info.raw_cell or "", kernel.parent_message(self.shell)))

    def define(self, names: Iterable[str], source: str) -> None:
        """What the cell that runs now has defined is called from later cells."""
        cell = ExecutedCell(source, kernel.parent_message(self.shell))
        self.defined_in.update(dict.fromkeys(names, cell))

    def find(self, name: str) -> ExecutedCell | None:
        """The newest cell that can have called it, else the one that defined it; None for what no cell defined."""
        defined = self.defined_in.get(name)
        if defined is None:
            return None
        namespace = self.shell.user_ns
        callers = (cell for cell in reversed([*self.cells]) if name in _reachable(cell.words, namespace, name))
        return next(callers, defined)

    def printing(self, name: str) -> AbstractContextManager[object]:
        """Within it, what this thread prints appears under the cell that called `name`."""
        cell = self.find(name)
        return nullcontext() if cell is None else kernel.printing_under(cell.parent)


def _reachable(words: Iterable[str], namespace: Mapping[str, Any], wanted: str) -> Iterator[str]:
    """The words, those of the notebook's functions among them, and `wanted` where one of them holds such an actor."""
    known, queue = {*words}, [*words]
    while queue:
        word = queue.pop()
        yield word
        value = namespace.get(word)
        if isinstance(value, types.FunctionType) and value.__globals__ is namespace:
            queue += {*value.__code__.co_names} - known
            known.update(value.__code__.co_names)
        elif _holds_actor(value, wanted, _DEPTH):
            yield wanted


def _holds_actor(value: Any, class_name: str, depth: int) -> bool:
    """Whether it is, or has in it, a handle of an actor of that class; Ray's text for one names the class."""
    if type(value).__name__ == "ActorHandle":
        return repr(value).startswith(f"Actor({class_name},")
    if not depth or isinstance(value, (str, bytes, int, float, type, types.ModuleType, types.FunctionType)):
        return False
    if isinstance(value, Mapping):
        parts = [*value.values()][:_ITEMS] if type(value) is dict else []
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = [*value][:_ITEMS]
    else:
        parts = [*getattr(value, "__dict__", {}).values()][:_ITEMS]
    return any(_holds_actor(part, class_name, depth - 1) for part in parts)


_call_sites: CallSites | None = None


def note_definitions(shell: Any, names: Iterable[str], source: str) -> None:
    """From now on what these functions and actors print appears under the cell that called them."""
    global _call_sites
    if _call_sites is None or _call_sites.shell is not shell:
        _call_sites = CallSites(shell)
        _call_sites.follow()
    sites = _call_sites
    sites.define(names, source)
    print_worker_lines_in(lambda name, _lines: sites.printing(name))
