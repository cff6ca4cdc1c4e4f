"""The facts that a view of served applications shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...run.status import RunStatus

FRESH = 1.0  # seconds; figures in a view are no older
LOOKS = 0.75  # seconds between two looks, so that they are not


@dataclass(frozen=True)
class ServeStatus(RunStatus):
    """A deployment under way or done, or all that is served (without `id`).

    Attributes:
        http, grpc: where Serve listens, "" where it does not.
        lifetime: "kernel" where the applications end with this kernel, "cluster" where they outlive it.
        apps: see `facts.applications`.
    """

    http: str = ""
    grpc: str = ""
    lifetime: str = ""
    apps: tuple[Mapping[str, Any], ...] = ()

    @property
    def rate(self) -> float | None:
        """Replicas are no measure of speed."""
        return None

    def to_json(self) -> dict[str, Any]:
        more = {"http": self.http, "grpc": self.grpc, "lifetime": self.lifetime, "fresh": FRESH}
        return {**super().to_json(), "kind": "serve", **more, "apps": [dict(app) for app in self.apps]}
