"""What a live view of served applications asks again and again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from ... import connection
from ...views.card import Card
from . import control, served
from .card import serve_card
from .status import ApplicationStatus, ServeStatus

POLL_INTERVAL = 0.75  # seconds between two snapshots of a view, so that its figures are at most FRESHNESS old


@dataclass
class Poller:
    """Cards of one application, or with an empty name of all; the last one stays once there is nothing newer.

    Attributes:
        version: of the application when it was first seen, for a view shows one version alone.
        names: without one application, those that were there first: the view of a cell does not get later ones.
        seen_at: the time of day of the last card.
    """

    name: str
    version: int | None = None
    last: ServeStatus | None = field(default=None, repr=False)
    names: frozenset[str] = frozenset()
    seen_at: str = ""

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
            return self._ended("NOT_SERVED", "The connection to Ray has ended")
        if self.version is None:
            self.version = control.version(self.name)
        if last and control.version(self.name) != self.version:
            return self._ended("REPLACED", "Another cell serves a newer version since")
        if last and control.is_updating(self.name):
            return last
        now = control.snapshot(self.name)
        if self.name and last and last.apps and all(app.status == "DELETING" for app in now.apps):
            return self._ended("NOT_SERVED", f'"{self.name}" is not served any more')
        if not self.name:
            self.names = self.names or frozenset(app.name for app in now.apps)
            now = replace(now, apps=tuple(app for app in now.apps if app.name in self.names or not self.names))
        self.last, self.seen_at = now, time.strftime("%H:%M:%S")
        return now

    def _ended(self, status: str, why: str) -> ServeStatus:
        """How it was last seen, but for what would say that it still is so: states, addresses, what one may try."""
        assert self.last is not None
        apps = tuple(_without_life(app, status) for app in self.last.apps)
        return replace(self.last, apps=apps, http="", grpc="", note=f"{why}; this was seen at {self.seen_at}.")


def _without_life(app: ApplicationStatus, status: str) -> ApplicationStatus:
    deployments = tuple(
        replace(one, status=status, replicas=tuple(replace(replica, state="STOPPED") for replica in one.replicas))
        for one in app.deployments
    )
    return replace(app, status=status, url="", docs="", calls=(), deployments=deployments)
