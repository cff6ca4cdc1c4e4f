"""Does what the plan says: starts Serve, brings a version up beside the old one, swaps or takes it back."""

from __future__ import annotations

import contextvars
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..core import connection
from ..core.errors import Label, RayMagicsError, RunCancelled, UsageError
from ..core.launch import be_ready, launch
from ..core.place import Place
from ..core.private_ray import hide_worker_lines
from ..core.resources import STARTS
from ..core.run import Event, Run, Viewer, registry
from . import application, facts, private
from .application import make_built, requests
from .failures import error_of
from .handle import Handle
from .handle import Place as HandlePlace
from .plan import DEFAULT_NAME, DEFAULT_PORT, LOOPBACK, ServePlan, Subject
from .private import Built, Told
from .room import no_room, told, with_more
from .status import ServeStatus
from .watch import CHECK, watch

log = logging.getLogger(__name__)

OWN_ACTORS = ("ServeController", "ServeReplica", "ProxyActor")  # whose lines a view and %ray_logs show
STARTS_SLOWLY = 8.0  # seconds without a running replica after which a view says why
COMPARED = 1.0  # seconds between two looks at whose version the controller has
FREED_LATE = 3.0  # seconds that the cluster may take to count what was just freed
LEFT = 30.0  # seconds that an application under deletion gets

_owners: dict[tuple[Any, str], str] = {}  # (connection, application) -> the cell that deployed it


_versions: dict[tuple[Any, str], int] = {}  # (connection, application) -> how often this kernel deployed it


# --- before anything starts -------------------------------------------------------------------------------------------


def check(plan: ServePlan, subject: Subject, namespace: dict[str, Any], cell: str = "") -> Built:
    """Connects and builds the application. Raises UsageError for what cannot work; nothing was touched then."""
    be_ready({})
    hide_worker_lines(OWN_ACTORS)
    built = make_built(subject, plan, namespace)
    application.check_size(built, namespace)
    for _, request, count in requests(built, at_once=True):
        be_ready(request if count else {})
    details = private.details()
    check_address(plan, details)
    check_names(plan, built, details, cell)
    check_room(plan, built, details)
    return built


def check_address(plan: ServePlan, details: Mapping[str, Any] | None) -> None:
    """Serve listens on one address for all applications; a port that another program has is told before."""
    if details is None:
        host, port = plan.host or LOOPBACK, plan.port or DEFAULT_PORT
        for one, option in ((port, "--port"), (plan.grpc_port, "--grpc-port")):
            if one is not None and is_taken(host, one):
                raise UsageError(f"Another program listens on {host}:{one}; choose another port: {option} {one + 1}.")
        return
    there = details.get("http_options") or {}
    grpc = details.get("grpc_options") or {}
    given = ((plan.host, there.get("host"), "--host"), (plan.port, there.get("port"), "--port"))
    asked = plan.grpc_port if grpc.get("grpc_servicer_functions") or plan.grpc_port is None else None
    for wanted, has, option in (*given, (asked, grpc.get("port"), "--grpc-port")):
        if wanted is not None and wanted != has:
            raise UsageError(_other_address(option, has, wanted))
    if plan.grpc_port is not None and not grpc.get("grpc_servicer_functions"):
        raise UsageError("Serve runs without gRPC here, and cannot learn it; %ray_serve --shutdown first, then again.")


def _other_address(option: str, has: Any, wanted: Any) -> str:
    return (
        f"{option}: Serve listens with {has} here, for all applications, not {wanted}; drop {option}, or end Serve "
        "with all its applications first: %ray_serve --shutdown."
    )


def is_taken(host: str, port: int) -> bool:
    """Whether something listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def check_names(plan: ServePlan, built: Built, details: Mapping[str, Any] | None, cell: str) -> None:
    """A name or route that belongs to something else."""
    owner = facts.by_route(details).get(plan.route_prefix or "")
    if owner and owner != plan.name:
        raise UsageError(
            f'The route {plan.route_prefix} belongs to the application "{owner}": choose another with --route-prefix, '
            f"or deploy over it with --name {owner}."
        )
    there = facts.replicas_of(details, plan.name)
    other = _owners.get((connection.session(), plan.name), cell)
    if plan.name == DEFAULT_NAME and there and other != cell and built.ingress not in there:
        raise UsageError(
            f'Another cell serves {next(iter(there))} as the application "{plan.name}"; give this one a name of its '
            f"own, as in --name {built.ingress.lower()}, or end the other: %ray_serve --delete {plan.name}."
        )


def check_room(plan: ServePlan, built: Built, details: Mapping[str, Any] | None) -> None:
    """Replicas that find no room now would wait for ever without a word."""
    updating = any(facts.replicas_of(details, plan.name).values())
    if connection.can_grow():
        return
    wanted = requests(built, at_once=updating and not plan.replace)
    freed = facts.held_by(details, plan.name) if plan.replace else []
    end = time.monotonic() + FREED_LATE
    while name := no_room(wanted, nodes := with_more(connection.nodes(0.0), freed)):
        if time.monotonic() > end:
            raise UsageError(told(name, wanted, nodes, updating and not plan.replace, _holders(details, plan.name)))
        time.sleep(0.25)


def _holders(details: Mapping[str, Any] | None, name: str) -> list[str]:
    found = []
    for app, one in ((details or {}).get("applications") or {}).items():
        cpus = sum(
            (deployment.get("required_resources") or {}).get("CPU", 0) * len(deployment.get("replicas") or ())
            for deployment in one["deployments"].values()
        )
        if cpus and app != name:
            found.append(f"{app} (CPU {cpus:g})")
    return found[:5]


# --- the run ----------------------------------------------------------------------------------------------------------


def start(
    plan: ServePlan, subject: Subject, built: Built, namespace: dict[str, Any], place: Place, view: Viewer
) -> ServeRun:
    """Deploys; it is over when this returns, unless it is in the background."""
    stop_runs(lambda name: name == plan.name)
    run = ServeRun(plan, subject, built, namespace, place)
    launch(run, view, plan.background)
    return run


def stop_runs(names: Callable[[str], bool]) -> None:
    """Deployments of these applications that are under way in this kernel end before anything else happens to them."""
    going = [run for run in registry.live() if isinstance(run, ServeRun) and names(run.plan.name)]
    for run in going:
        run.stop()
    for run in going:
        run.over.wait(10.0)


def finish(run: ServeRun) -> Any:
    """Binds the handle; returns what the cell shows."""
    if run.error is not None:
        raise run.error
    return None


class ServeRun(Run):
    """One deployment of an application. Its value is a Handle.

    Attributes:
        phase: "starting" Serve, "leaving" (an application of that name), "checking" the new version out of reach of
            requests, "joining" (its parts start beside those of the old one), "updating".
        kept: the old version, where there is one.
    """

    def __init__(
        self, plan: ServePlan, subject: Subject, built: Built, namespace: dict[str, Any], place: Place
    ) -> None:
        super().__init__(plan.name, "ray_serve", place.cell)
        self.plan, self.subject, self.built, self.namespace, self.place = plan, subject, built, namespace, place
        self.phase, self.note = "", ""
        self.kept: Told | None = None
        self.told: Told | None = None
        self.steps: list[str] = []
        self.old: frozenset[str] = frozenset()
        self.there: frozenset[str] = frozenset()
        self.since = self.compared = 0.0
        self.taken_in = False
        self.done = self.total = 0
        self.bound_before = namespace.get(plan.into) if plan.into else None

    def submit(self) -> None:
        self.state = "running"
        if private.client() is not None:
            return self._begin()
        self.phase = "starting"
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._start_serve,), name="ray_magics-serve", daemon=True).start()

    def _start_serve(self) -> None:
        """On a thread of its own: it takes some seconds."""
        try:
            start_serve(self.plan)
            self.post("started", None)
        except Exception as error:
            self.post("started", error)

    def handle(self, event: Event) -> None:
        if event[0] == "started" and event[1] is not None:
            self.end("failed", RayMagicsError(f"Ray Serve did not start: {_last_line(event[1])}"))
        elif event[0] == "started" and self.state == "stopping":
            self._stopped()
        elif event[0] == "started":
            self._begin()

    # bringing the new version up

    def _begin(self) -> None:
        details = watch().look(0.0)
        if facts.status_of(details, self.plan.name) == "DELETING":
            self.phase, self.since = "leaving", time.monotonic()
            return
        replicas = facts.replicas_of(details, self.plan.name)
        if any(replicas.values()):
            self.old = frozenset(one["replica_id"] for some in replicas.values() for one in some)
            self.kept = private.keep(self.plan.name, list(replicas), self._ingress(details))
            watch().old[self.plan.name] = self.old
        self.there = frozenset(replicas)
        self.steps = self._way()
        self._next()

    def _way(self) -> list[str]:
        """The phases through which the new version comes up, so that the old one serves until all of it is ready.

        Replicas of one deployment are replaced beside the old ones by Ray. Deployments of other names start as further
        parts of the old application. Where several change, only a check of all of them tells that none will fail.
        """
        new, there = set(self.built.deployments), self.there
        if self.kept is None or self.plan.replace or (new == there and len(new) == 1):
            return ["updating"]
        check = ["checking"] if new & there else []
        return [*check, *(["joining"] if new - there else []), "updating"]

    def _next(self) -> None:
        self.phase, self.since, self.taken_in = self.steps.pop(0), time.monotonic(), False
        if self.phase == "checking":
            told = private.told(application.check_version(self.built, self.subject, self.plan))
        else:
            self.told = self.told or private.told(self.built)
            joins = self.phase == "joining" and self.kept is not None
            told = private.joined(self.kept, self.told) if joins and self.kept else self.told
        private.tell(told)
        watch().look(0.0)

    def _ingress(self, details: Mapping[str, Any] | None) -> str:
        return private.ingress_of((details or {})["applications"][self.plan.name])

    @property
    def target(self) -> str:
        """The name under which the present version comes up."""
        return f"{self.plan.name}{CHECK}" if self.phase == "checking" else self.plan.name

    def tick(self) -> None:
        now = time.monotonic()
        self.watch_cluster(now)
        if not self.live or self.state == "stopping" or self.phase in ("", "starting"):
            return
        details = watch().look(0.1)
        if self.phase == "leaving":
            return self._wait_until_left(details, now)
        status = facts.status_of(details, self.target)
        if self.phase != "checking" and self._overtaken(status, now):
            return
        self.done, self.total = facts.ready(details, self.target, self.old, self._coming())
        if status == "DEPLOY_FAILED":
            self._refused(facts.failed_deployments(details, self.target), details)
        elif status == "RUNNING" or self._is_live(details):
            self._arrived()
        else:
            self._give_up_if(now - self.since > self.plan.timeout, self._too_slow(details))

    def _overtaken(self, status: str, now: float, arrived: bool = False) -> bool:
        """Whether somebody else has deleted or deployed the application meanwhile, which ends this deployment."""
        if status in ("", "DELETING"):
            what = "was deleted"
        elif now < self.compared + COMPARED or self.told is None:
            return False
        else:
            self.compared = now
            is_ours = private.is_of(self.told, self._coming())
            if is_ours or not (self.taken_in or arrived):
                self.taken_in = is_ours
                return False
            what = "was deployed from elsewhere"
        watch().old.pop(self.plan.name, None)
        self.end(
            "failed",
            RayMagicsError(f'The application "{self.plan.name}" {what} meanwhile; this version is not served.'),
        )
        return True

    def _coming(self) -> set[str]:
        """The deployments that come up in this phase."""
        new = set(self.built.deployments)
        return new - self.there if self.phase == "joining" else new

    def _is_live(self, details: Mapping[str, Any] | None) -> bool:
        """All replicas of the new version run and the old ones take no new requests; Ray waits until they are gone."""
        living = [one for some in facts.replicas_of(details, self.target).values() for one in some]
        gone = all(facts.is_stopping(one) for one in living if one["replica_id"] in self.old)
        return bool(self.old) and self.phase == "updating" and gone and 0 < self.total <= self.done

    def _wait_until_left(self, details: Mapping[str, Any] | None, now: float) -> None:
        if facts.status_of(details, self.plan.name) != "DELETING":
            return self._begin()
        self._give_up_if(now - self.since > LEFT, f'the application "{self.plan.name}" is still being deleted')

    def _arrived(self) -> None:
        if self.phase == "checking":
            private.delete(self.target)
        if self.steps:
            return self._next()
        self.compared = 0.0
        if self._overtaken(facts.status_of(watch().look(0.0), self.target), time.monotonic(), arrived=True):
            return
        watch().old.pop(self.plan.name, None)
        key = connection.session(), self.plan.name
        _owners[key], _versions[key] = self.cell, _versions.get(key, 0) + 1
        self.done = self.total
        self._bind()
        self.end("finished")

    # failing, and going back

    def _refused(self, failed: list[tuple[str, str]], details: Mapping[str, Any] | None) -> None:
        name, message = failed[0] if failed else (self.built.ingress, facts.message_of(details, self.target))
        after = self._take_back()
        self.end("failed", error_of(name, message, after, self.namespace, self.place.label))

    def _give_up_if(self, over: bool, why: str) -> None:
        if over:
            after = self._take_back()
            self.end("failed", RayMagicsError(f"{why}; {after}."))

    def _too_slow(self, details: Mapping[str, Any] | None) -> str:
        waiting = [
            name
            for name, some in facts.replicas_of(details, self.target).items()
            if name in self.built.deployments
            and not any(facts.is_running(one) and one["replica_id"] not in self.old for one in some)
        ]
        who = ", ".join(waiting[:3]) or self.plan.name
        return (
            f"{who} was not ready after {self.plan.timeout:g} s: its constructor still runs, or its replica waits for "
            "resources; --timeout gives it more time"
        )

    def _take_back(self) -> str:
        """Leaves the old version as it was, or nothing; says which."""
        name = self.plan.name
        watch().old.pop(name, None)
        if self.phase == "checking":
            private.delete(self.target)
            return f'the old version of "{name}" keeps serving'
        if self.kept is not None:
            private.tell(self.kept)
            return f'the old version of "{name}" {"starts again" if self.plan.replace else "keeps serving"}'
        if self.phase == "updating":
            private.delete(name)
        return f'nothing is served as "{name}"'

    def cancel(self, force: bool) -> None:
        if self.phase != "starting" or not self.live:
            self._stopped()

    def _stopped(self) -> None:
        self.note = self._take_back()
        self.end("cancelled", RunCancelled(f"The deployment was stopped after {self.elapsed:.1f} s; {self.note}."))

    # what comes of it

    def _bind(self) -> None:
        into = self.plan.into
        if not into:
            return
        if self.plan.background and self.namespace.get(into) is not self.bound_before:
            self.note = f"{into} got another value meanwhile and keeps it; run.value() is the handle"
        else:
            self.namespace[into] = self.value()

    def value(self) -> Handle:
        return handle_of(self.plan.name, self.place.label)

    def logs(self) -> str:
        return watch().text(self.plan.name)

    def status(self) -> ServeStatus:
        waiting = self.state == "running" and self.phase in ("starting", "leaving")
        return ServeStatus(
            id=self.id,
            name=self.name,
            verb=self.verb,
            state="pending" if waiting else self.state,
            elapsed=self.elapsed,
            unit="replica",
            total=self.total or None,
            done=self.done,
            running=0,
            why=self._why() if self.live else "",
            note=self.note,
            error=f"{type(self.error).__name__}: {self.error}"[:2000] if self.state == "failed" else "",
            **common(lambda name: name == self.plan.name),
        )

    def _why(self) -> str:
        if self.phase == "starting":
            return "Ray Serve starts on this cluster"
        if self.phase == "leaving":
            return "waits until the application of this name is gone"
        if self.phase == "checking":
            return "the new version is checked beside the old one, which keeps serving"
        if self.phase == "joining":
            return "the new version starts beside the old one, which keeps serving"
        if self.old:
            return (
                "the old version stops first"
                if self.plan.replace
                else "the old version serves until the new one is ready"
            )
        return STARTS if self.elapsed > STARTS_SLOWLY and not self.done else ""


# --- Serve itself -----------------------------------------------------------------------------------------------------


def start_serve(plan: ServePlan) -> None:
    """Starts Serve on this cluster, on loopback unless the plan says otherwise."""
    from ray import serve

    hide_worker_lines(OWN_ACTORS)
    options: dict[str, Any] = {"http_options": {"host": plan.host or LOOPBACK, "port": plan.port or DEFAULT_PORT}}
    if plan.grpc_port is not None:
        options["grpc_options"] = {"port": plan.grpc_port, "grpc_servicer_functions": list(plan.grpc_functions)}
    with private.quiet():
        serve.start(**options)


def handle_of(name: str, label: Label = str) -> Handle:
    """A handle of a running application. Raises UsageError where there is none."""
    from ray import serve

    try:
        with private.quiet():
            return Handle(serve.get_app_handle(name), HandlePlace(connection.session(), label))
    except Exception as error:
        raise UsageError(f'No application "{name}" is served here; {served()}.') from error


def reconfigure(name: str, options: Mapping[str, Any]) -> None:
    """Changes user_config, num_replicas and the like of the ingress of a running application, in place."""
    details = private.details()
    found = ((details or {}).get("applications") or {}).get(name)
    if found is None:
        raise UsageError(f'No application "{name}" is served here; {served()}.')
    if "ray_actor_options" in options:
        raise UsageError("--num-cpus and --num-gpus need new replicas: run the cell that made the application again.")
    ingress = private.ingress_of(found)
    kept = private.keep(name, list(found["deployments"]), ingress)
    try:
        private.tell(private.reconfigured(kept, ingress, options))
    except ValueError as error:
        raise UsageError(f"Ray Serve refuses this: {application._first_line(error)}") from error


def delete(name: str) -> str:
    """Ends an application; waits until its route is gone."""
    if not connection.find():
        raise UsageError(f'No application "{name}" is served here; there is no cluster.')
    stop_runs(lambda one: one == name)
    if name not in served_names():
        raise UsageError(f'No application "{name}" is served here; {served()}.')
    private.delete(name)
    end = time.monotonic() + LEFT
    while facts.status_of(private.details(), name) and time.monotonic() < end:
        time.sleep(0.1)
    _owners.pop((connection.session(), name), None)
    return f'Deleted the application "{name}".'


def shutdown() -> str:
    """Ends Serve on this cluster with all its applications; starts nothing."""
    if connection.is_up():
        stop_runs(lambda _: True)
    names = served_names()
    if not connection.is_up() or private.client() is None:
        return "Serve does not run here; nothing to shut down."
    from ray import serve

    with private.quiet():
        serve.shutdown()  # type: ignore[no-untyped-call]
    ended = f" Its applications ended: {', '.join(names)}." if names else ""
    return f"Serve is shut down.{ended}"


def version(name: str) -> int:
    """Tells one version of an application that this kernel deployed from the next."""
    return _versions.get((connection.session(), name), 0) if connection.is_up() else 0


def is_updating(name: str) -> bool:
    """Whether this kernel brings up another version of an application just now."""
    return connection.is_up() and name in watch().old


def served_names() -> list[str]:
    details = private.details() if connection.is_up() else None
    return [name for name in sorted((details or {}).get("applications") or ()) if not name.endswith(CHECK)]


def served() -> str:
    """``there are: digits, words``"""
    names = served_names()
    return f"there are: {', '.join(names)}" if names else "nothing is served"


def common(names: Any) -> dict[str, Any]:
    """What every status of served applications says: where Serve listens, how long it lives, the applications."""
    if not connection.is_up():
        return {}
    hide_worker_lines(OWN_ACTORS)
    seen = watch()
    apps = tuple(seen.applications(names))
    details = seen.details or {}
    lifetime = "kernel" if connection.is_own() else "cluster"
    return {
        "http": facts.http_address(details),
        "grpc": facts.grpc_address(details),
        "lifetime": lifetime if details else "",
        "apps": apps,
    }


def snapshot(name: str = "") -> ServeStatus:
    """All that is served, or one application, as a view shows it; nothing is started."""
    return ServeStatus("", name, "ray_serve", "", 0.0, unit="replica", **common(lambda one: name in ("", one)))


def command(action: str, part: str, content: Mapping[str, Any]) -> str:
    """Carries out what a view asks of an application; returns what is wrong with that, "" if nothing."""
    if action != "try":
        return "unknown command"
    if not connection.is_up() or facts.status_of(watch().details, part) == "":
        return "there is no such application"
    return watch().tries.ask(part, facts.http_address(watch().details or {}), content.get("request"))


def logs(name: str) -> str | None:
    """The log lines of an application's replicas; None where there is no application of that name."""
    return watch().text(name) if connection.is_up() and name in served_names() else None


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:300]
