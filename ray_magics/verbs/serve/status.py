"""What a view shows of served applications: frozen records that turn into JSON under the names of their fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...run.status import RunStatus

FRESHNESS = 1.0  # seconds; figures in a view are no older


class JsonRecord:
    """A frozen dataclass whose fields are JSON, records, or tuples of these."""

    def to_json(self) -> dict[str, Any]:
        return {name: _json(value) for name, value in vars(self).items()}


def _json(value: Any) -> Any:
    if isinstance(value, JsonRecord):
        return value.to_json()
    return [_json(part) for part in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class RequestFigures(JsonRecord):
    """Requests of an application or a deployment; None where nothing is known.

    Attributes:
        rate: requests a second, over the last ten seconds.
        p50, p95, p99: percentiles of the latency in milliseconds, over the last minute.
        errors: share of the requests that failed on our side, 0 to 1, over the last minute.
        total: requests since the view of this kernel began.
    """

    rate: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    errors: float | None = None
    total: float | None = None


@dataclass(frozen=True)
class ExampleRequest(JsonRecord):
    """A request that one may try."""

    method: str
    path: str
    body: str = ""


@dataclass(frozen=True)
class Answer(JsonRecord):
    """What became of a request that a page had sent.

    Attributes:
        state: "asked", "answered" or "failed".
        status: the HTTP status; None without an answer.
        type, body: of the answer; `cut` bytes of it are not in `body`.
        seconds: that the answer took.
        error: why there is none.
        number: counts the requests of this kernel.
    """

    state: str = "asked"
    status: int | None = None
    type: str = ""
    body: str = ""
    cut: int = 0
    seconds: float | None = None
    error: str = ""
    number: int = 0
    method: str = ""
    path: str = ""


@dataclass(frozen=True)
class AutoscalingStatus(JsonRecord):
    """Least and most replicas, the ongoing requests that each is to have, and why the target is what it is."""

    min: int | None
    max: int | None
    target: float | None
    why: str = ""


@dataclass(frozen=True)
class ReplicaStatus(JsonRecord):
    """One replica.

    Attributes:
        state: Ray's, or "DEAD".
        version: "old" or "new" while a new version comes up, else "".
        node: its IP address, "" while it has none.
        ongoing: requests under way, None where that is not known.
        age: seconds since it started.
        log: its last lines, with `lines_cut` before them.
    """

    id: str
    state: str
    version: str
    node: str
    pid: int | None
    ongoing: int | None
    age: float
    log: tuple[str, ...]
    lines_cut: int


@dataclass(frozen=True)
class DeploymentStatus(JsonRecord):
    """One deployment of an application.

    Attributes:
        ingress: whether requests from outside reach it.
        target: replicas that it is to have.
        max_ongoing: requests that a replica takes at a time.
        cpus, gpus: what a replica reserves.
        died: replicas that ended without saying so.
    """

    name: str
    ingress: bool
    status: str
    message: str
    target: int
    autoscaling: AutoscalingStatus | None
    max_ongoing: int | None
    cpus: float
    gpus: float
    figures: RequestFigures
    died: int
    replicas: tuple[ReplicaStatus, ...]


@dataclass(frozen=True)
class ApplicationStatus(JsonRecord):
    """One application.

    Attributes:
        route, url, docs: its route prefix, its address and that of its documentation; "" where it has none.
        since: seconds since it was deployed.
        history: (seconds ago as a negative number, requests in that second).
        calls: what one may try.
        answer: to what was tried last.
    """

    name: str
    route: str
    url: str
    docs: str
    status: str
    message: str
    since: float
    figures: RequestFigures
    history: tuple[tuple[float, float], ...]
    calls: tuple[ExampleRequest, ...]
    answer: Answer | None
    deployments: tuple[DeploymentStatus, ...]


@dataclass(frozen=True)
class ServeStatus(RunStatus):
    """A deployment under way or done, or all that is served (without `id`).

    Attributes:
        http, grpc: where Serve listens, "" where it does not.
        lifetime: "kernel" where the applications end with this kernel, "cluster" where they outlive it.
    """

    http: str = ""
    grpc: str = ""
    lifetime: str = ""
    apps: tuple[ApplicationStatus, ...] = ()

    @property
    def rate(self) -> float | None:
        """Replicas are no measure of speed."""
        return None

    def to_json(self) -> dict[str, Any]:
        more = {"http": self.http, "grpc": self.grpc, "lifetime": self.lifetime, "fresh": FRESHNESS}
        return {**super().to_json(), **more, "apps": [app.to_json() for app in self.apps]}
