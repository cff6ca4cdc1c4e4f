"""What the actors of a ``--pool`` hold, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...cell.reader import read_cell
from ...errors import UsageError
from ...line.parsers import PoolClause
from ...raylib.remote import remote_definition
from ...ship.captures import Captures, find_captures
from ...worker.values import Namespace


@dataclass(frozen=True)
class Pool:
    """The actors that run the items of a fan-out.

    Attributes:
        name: by which the cell finds the object that its actor holds.
        source: the expression that makes it, and `captures`, what that reads.
        size: how many actors; None: as many as fit.
    """

    name: str
    source: str
    captures: Captures
    size: int | None = None

    def namespace(self, notebook: Mapping[str, Any]) -> Namespace:
        """The notebook's names as `source` finds them: of actor classes the plain ones, which can be called."""
        definitions = {name: remote_definition(notebook[name]) for name in self.captures.names}
        return {**notebook, **{name: found.value for name, found in definitions.items() if found is not None}}


def make_pool(clause: PoolClause, size: int | None, notebook: Mapping[str, Any]) -> Pool:
    """Raises UsageError where a name is not defined."""
    captures = find_captures(read_cell(clause.source), notebook)
    if captures.missing:
        raise UsageError(f'--pool: name "{captures.missing[0].name}" is not defined')
    return Pool(clause.name, clause.source, captures, size)
