"""What a live view of served applications asks again and again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ... import connection
from ...views.card import Card
from . import control, served
from .card import serve_card
from .status import ServeStatus

POLL_INTERVAL = 0.75  # seconds between two snapshots of a view, so that its figures are at most FRESHNESS old
_LAST = "this is how it was last seen"


@dataclass
class Poller:
    """Cards of one application, or with an empty name of all; the last one stays once there is nothing newer.

    Attributes:
        version: of the application when it was first seen, for a view shows one version alone.
    """

    name: str
    version: int | None = None
    last: ServeStatus | None = field(default=None, repr=False)

    def poll(self) -> Card:
        """The card to show now."""
        return serve_card(self._refresh())

    def goes_on(self) -> bool:
        """Whether there will be newer ones."""
        if not connection.is_up() or (self.version is not None and control.version(self.name) != self.version):
            return False
        return not self.name or self.last is None or self.name in served.served_names()

    def _refresh(self) -> ServeStatus:
        last = self.last
        if last and last.apps and not connection.is_up():
            return replace(last, note=f"The connection to Ray has ended; {_LAST}.")
        if self.version is None:
            self.version = control.version(self.name)
        if last and control.version(self.name) != self.version:
            return replace(last, note="Another cell serves a newer version since.")
        if last and control.is_updating(self.name):
            return last
        now = control.snapshot(self.name)
        if self.name and last and last.apps and all(app.status == "DELETING" for app in now.apps):
            return replace(last, note=f'"{self.name}" is not served any more; {_LAST}.')
        self.last = now
        return now
