"""What a view shows of applications: what Serve's controller says of them, and what was measured beside that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .details import ApplicationDetails, DeploymentDetails, InstanceDetails, ReplicaDetails
from .status import Answer, ApplicationStatus, DeploymentStatus, ExampleRequest, ReplicaStatus, RequestFigures

GOODBYE = "Graceful shutdown complete"  # the last line in the log of a replica that was asked to end
MeterKey = str | tuple[str, str]  # an application, or (application, deployment)
_LIVE_FIRST = ("RUNNING", "UPDATING", "STARTING", "RECOVERING", "PENDING_MIGRATION", "STOPPING")
_MESSAGE = 4000  # characters


@dataclass(frozen=True)
class Measurements:
    """What was measured beside what the controller says.

    Attributes:
        now: in seconds since 1970.
        history: (seconds ago, requests), by application.
        ongoing: requests under way, by the actor name of a replica.
        logs: the last lines and how many were before them, by the id of a replica.
        said_goodbye: replicas that ended because they were asked to.
        old_replicas: application -> its replicas from before an update that is under way.
        reads_body: the applications whose code reads the body of a request.
        examples, answers: of the try-it box, by application.
    """

    now: float = 0.0
    figures: Mapping[MeterKey, RequestFigures] = field(default_factory=dict)
    history: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    ongoing: Mapping[str, int] = field(default_factory=dict)
    logs: Mapping[str, tuple[Sequence[str], int]] = field(default_factory=dict)
    said_goodbye: frozenset[str] = frozenset()
    old_replicas: Mapping[str, frozenset[str]] = field(default_factory=dict)
    reads_body: frozenset[str] = frozenset()
    examples: Mapping[str, Sequence[ExampleRequest]] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)

    def age(self, since: float | None) -> float:
        return round(max(self.now - (since or self.now), 0.0), 1)

    def has_died(self, replica: ReplicaDetails) -> bool:
        """Whether it ended unasked; nothing is known of one whose log is on another machine."""
        return replica.id in self.logs and replica.id not in self.said_goodbye


def application_statuses(
    details: InstanceDetails, measurements: Measurements, is_wanted: Callable[[str], bool]
) -> tuple[ApplicationStatus, ...]:
    """The applications whose names are wanted, by name."""
    return tuple(
        _application(details.applications[name], details.http_address, measurements)
        for name in sorted(details.applications)
        if is_wanted(name)
    )


def _application(app: ApplicationDetails, address: str, measurements: Measurements) -> ApplicationStatus:
    prefix = app.route_prefix
    url = f"{address}{prefix}" if address and prefix else ""
    deployments = sorted(app.deployments.values(), key=lambda deployment: deployment.name != app.ingress)
    return ApplicationStatus(
        name=app.name,
        route=prefix,
        url=url,
        docs=f"{address}{_under(prefix, app.docs_path)}" if url and app.docs_path else "",
        status=app.settled_status,
        message=app.message[:_MESSAGE],
        since=measurements.age(app.deployed_at),
        figures=measurements.figures.get(app.name, RequestFigures()),
        history=tuple(measurements.history.get(app.name, ())),
        calls=tuple(measurements.examples.get(app.name) or _plain_examples(prefix, app.name in measurements.reads_body))
        if url
        else (),
        answer=measurements.answers.get(app.name),
        deployments=tuple(
            _deployment(app.name, deployment, deployment.name == app.ingress, measurements)
            for deployment in deployments
        ),
    )


def _under(prefix: str, path: str) -> str:
    return path if prefix == "/" or path.startswith(f"{prefix}/") else f"{prefix}{path}"


def _plain_examples(path: str, reads_body: bool) -> tuple[ExampleRequest, ...]:
    """What one may try of an application that does not say; first what its code can read."""
    examples = ExampleRequest("GET", path), ExampleRequest("POST", path, "{}")
    return examples[::-1] if reads_body else examples


def _deployment(app: str, deployment: DeploymentDetails, ingress: bool, measurements: Measurements) -> DeploymentStatus:
    died = tuple(replica for replica in deployment.dead_replicas if measurements.has_died(replica))
    return DeploymentStatus(
        name=deployment.name,
        ingress=ingress,
        status="HEALTHY" if deployment.is_settled else deployment.status,
        message=deployment.message[:_MESSAGE],
        target=deployment.target,
        autoscaling=deployment.autoscaling,
        max_ongoing=deployment.max_ongoing,
        cpus=deployment.resources.get("CPU", 0),
        gpus=deployment.resources.get("GPU", 0),
        figures=measurements.figures.get((app, deployment.name), RequestFigures()),
        died=len(died),
        replicas=tuple(
            _replica(app, replica, measurements)
            for replica in (*sorted(deployment.replicas, key=_live_first), *died[-3:])
        ),
    )


def _live_first(replica: ReplicaDetails) -> tuple[int, float]:
    rank = _LIVE_FIRST.index(replica.state) if replica.state in _LIVE_FIRST else len(_LIVE_FIRST)
    return rank, replica.started_at or 0.0


def _replica(app: str, replica: ReplicaDetails, measurements: Measurements) -> ReplicaStatus:
    old_replicas = measurements.old_replicas.get(app)
    lines, cut = measurements.logs.get(replica.id, ((), 0))
    return ReplicaStatus(
        id=replica.id,
        state=replica.state if replica.state in _LIVE_FIRST else "DEAD",
        version="" if old_replicas is None else "old" if replica.id in old_replicas else "new",
        node=replica.node_ip,
        pid=replica.pid,
        ongoing=measurements.ongoing.get(replica.actor_name),
        age=measurements.age(replica.started_at),
        log=tuple(lines),
        lines_cut=cut,
    )


def elsewhere_note(apps: Iterable[ApplicationStatus], own_ip: str) -> str:
    """What a view leaves out: requests and logs of replicas on machines other than `own_ip`; "" if there are none."""
    running = [r for app in apps for part in app.deployments for r in part.replicas if r.state == "RUNNING" and r.node]
    elsewhere = sum(replica.node != own_ip for replica in running)
    if not elsewhere:
        return ""
    run = "runs" if elsewhere == 1 else "run"
    return (
        f"{elsewhere} of {len(running)} replicas {run} on other machines: their logs and figures are not in this view."
    )
