"""How a new version of an application comes up while the old one serves: decisions alone, without Ray."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...raylib.serve_spec import DeploySpec
from .details import ApplicationDetails, InstanceDetails
from .served import CHECK_SUFFIX

STARTING_SERVE, AWAITING_DELETION = "starting Serve", "awaiting deletion"
CHECKING, JOINING, UPDATING = "checking", "joining", "updating"
_STOPS_FIRST, _SERVES_ON = "the old version stops first", "the old version serves until the new one is ready"
_REASONS = {
    STARTING_SERVE: "Ray Serve starts on this cluster",
    AWAITING_DELETION: "waits until the application of this name is gone",
    CHECKING: "the new version is checked beside the old one, which keeps serving",
    JOINING: "the new version starts beside the old one, which keeps serving",
}


@dataclass(frozen=True)
class Rollout:
    """A new version of an application on its way.

    Attributes:
        new_deployments: those that the new version has.
        existing_deployments, old_replicas: what is there under the application's name.
        previous: what to send to go back to the old version; None where there is none to keep.
        stops_first: the old version may stop before the new one is ready.
        starts_idle: a deployment of the new version has no replica until it is asked.
        phase: STARTING_SERVE; AWAITING_DELETION of an application of that name; CHECKING the new version under another
            name, out of reach of requests; JOINING, when deployments of new names start beside those of the old
            version; UPDATING.
        started_at: of the phase, in seconds of the monotonic clock.
        accepted: whether the controller was seen to have what was sent in this phase.
    """

    name: str
    new_deployments: frozenset[str]
    existing_deployments: frozenset[str] = frozenset()
    old_replicas: frozenset[str] = frozenset()
    previous: DeploySpec | None = None
    stops_first: bool = False
    starts_idle: bool = False
    phase: str = ""
    started_at: float = 0.0
    accepted: bool = False

    def over(self, app: ApplicationDetails, previous: DeploySpec | None) -> Rollout:
        """The same over what is there under the application's name."""
        old_replicas = frozenset(replica.id for replica in app.replicas)
        return replace(
            self, existing_deployments=frozenset(app.deployments), old_replicas=old_replicas, previous=previous
        )

    def plan_phases(self) -> tuple[str, ...]:
        """The phases through which the new version comes up, so that the old one serves until all of it is ready.

        Replicas of one deployment are replaced beside the old ones by Ray. Deployments of other names start as further
        parts of the old application. Where several change, or one has no replica until it is asked, only a check of
        all of them shows that none will fail.
        """
        new, existing = self.new_deployments, self.existing_deployments
        if self.previous is None or self.stops_first or (new == existing and len(new) == 1 and not self.starts_idle):
            return (UPDATING,)
        check = (CHECKING,) if new & existing or self.starts_idle else ()
        return (*check, *((JOINING,) if new - existing else ()), UPDATING)

    def enter(self, phase: str, now: float) -> Rollout:
        return replace(self, phase=phase, started_at=now, accepted=False)

    def advance(self, now: float) -> Rollout:
        """In its next phase. UPDATING is always the last."""
        phases = self.plan_phases()
        return self.enter(phases[phases.index(self.phase) + 1 if self.phase in phases else 0], now)

    @property
    def target(self) -> str:
        """The name of the application in which the new version comes up in this phase."""
        return f"{self.name}{CHECK_SUFFIX}" if self.phase == CHECKING else self.name

    @property
    def starting_deployments(self) -> frozenset[str]:
        """Those of the new version that come up in this phase."""
        return self.new_deployments - (self.existing_deployments if self.phase == JOINING else frozenset())

    def progress(self, details: InstanceDetails) -> tuple[int, int]:
        """How many replicas of the new version run, and how many there are to be in this phase."""
        deployments = details.application(self.target).deployments.values()
        starting = [deployment for deployment in deployments if deployment.name in self.starting_deployments]
        ready = sum(min(deployment.count_running(self.old_replicas), deployment.target) for deployment in starting)
        return ready, sum(deployment.target for deployment in starting)

    def has_failed(self, details: InstanceDetails) -> bool:
        return details.application(self.target).status == "DEPLOY_FAILED"

    def is_ready(self, details: InstanceDetails) -> bool:
        """Whether this phase is over: Ray says so, or all that it waits for is the end of old replicas."""
        return details.application(self.target).status == "RUNNING" or self._only_new_serve(details)

    def _only_new_serve(self, details: InstanceDetails) -> bool:
        ready, wanted = self.progress(details)
        living = [replica for replica in details.application(self.target).replicas if replica.id in self.old_replicas]
        ending = bool(self.old_replicas) and all(replica.is_stopping for replica in living)
        return self.phase == UPDATING and ending and 0 < wanted <= ready

    def failure(self, details: InstanceDetails, ingress: str) -> tuple[str, str]:
        """The deployment that did not start, and what Serve says of it; of the ingress where it names none."""
        app = details.application(self.target)
        failed = app.failed_deployments
        return (failed[0].name, failed[0].message) if failed else (ingress, app.message)

    def waiting_for(self, details: InstanceDetails) -> list[str]:
        """The deployments of the new version of which no replica runs yet."""
        deployments = details.application(self.target).deployments.values()
        idle = [deployment.name for deployment in deployments if not deployment.count_running(self.old_replicas)]
        return [name for name in idle if name in self.new_deployments]

    @property
    def consequence(self) -> str:
        """What is served where the new version is given up."""
        if self.previous is None:
            return f'nothing is served as "{self.name}"'
        return f'the old version of "{self.name}" {"starts again" if self.stops_first else "keeps serving"}'

    @property
    def reason(self) -> str:
        """Why the new version does not serve yet; "" where nothing but its own start is waited for."""
        if self.phase in _REASONS or not self.old_replicas:
            return _REASONS.get(self.phase, "")
        return _STOPS_FIRST if self.stops_first else _SERVES_ON
