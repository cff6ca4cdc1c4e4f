"""The card of what Ray Serve serves: a page draws it with the component "applications"; text and HTML in words."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from ...run.status import WorkerOutput
from ...views import format as f
from ...views.card import Card, Curve, Group, Header, Link, Log, Plot, Row, Section, Special, State, Table, Text
from ...views.run_card import messages, run_card
from .status import (
    FRESHNESS,
    Answer,
    ApplicationStatus,
    DeploymentStatus,
    ReplicaStatus,
    RequestFigures,
    ServeStatus,
)

EMPTY = "Nothing is served here. Begin a cell with %%ray_serve to serve the application that it builds."

_WORD = 40
_LINE, _FIRST, _LAST = 200, 1, 10  # of a long message: characters of a line, lines at its begin and at its end
_REPLICAS, _LOGS, _LOG_LINES = 50, 6, 10  # of a deployment, at most; lines of a log
_UNFOLDED = 6  # replicas of an application, at most, that are seen at once
_ANSWER, _FOLDED_ABOVE = 4000, 20  # of an answer: characters, lines
_BARS = 20  # of the requests of the last minutes
_LIFETIMES = {"kernel": "ends with this kernel", "cluster": "goes on without this kernel"}
_NOT_YET_RUNNING = ("NOT_STARTED", "DEPLOYING", "DEPLOY_FAILED")
_FAILED = ("DEPLOY_FAILED", "UNHEALTHY")
_SIGNS = {
    "NOT_STARTED": "pending",
    "DEPLOYING": "running",
    "RUNNING": "connected",
    "HEALTHY": "connected",
    "DEPLOY_FAILED": "failed",
    "UNHEALTHY": "failed",
    "DEAD": "failed",
    "UPDATING": "running",
    "UPSCALING": "running",
    "DOWNSCALING": "running",
    "STARTING": "running",
    "RECOVERING": "running",
    "DELETING": "stopping",
    "STOPPING": "stopping",
    "PENDING_MIGRATION": "stopping",
}


def serve_card(status: ServeStatus) -> Card:
    """A deployment under way or done with its applications; without a run, these alone."""
    applications = Special("applications", status.to_json(), still=lambda: tuple(_still(status)))
    if status.id:
        return run_card(status, applications)
    return Card((*messages(status), applications), "Applications of Ray Serve")


def _still(status: ServeStatus) -> Iterator[Section]:
    for app in status.apps:
        yield Group(tuple(_application(app, status.error)))
    if not status.apps and not status.id:
        yield Text(EMPTY)
    if address := address_text(status):
        yield Text(address, "muted")


def address_text(status: ServeStatus, fresh: float = FRESHNESS) -> str:
    """ "Serve: http://127.0.0.1:8000 · gRPC 127.0.0.1:9000 · ends with this kernel" """
    parts = (
        _word(status.http, 100),
        f"gRPC {_word(status.grpc)}" if status.grpc else "",
        _LIFETIMES.get(status.lifetime, ""),
        f"figures at most {f.clock(fresh)} old" if fresh >= 2 and status.apps else "",
    )
    text = " · ".join(filter(None, parts))
    return f"Serve: {text}" if text else ""


# --- an application ----------------------------------------------------------------------------------------------


def _application(app: ApplicationStatus, above: str) -> Iterator[Section]:
    yield _header(app)
    if sentence := version_text(app):
        yield Text(sentence, "strong")
    yield from _message(app, above)
    if figures := figures_text(app.figures):
        yield Text(figures)
    if curve := request_curve(app.history):
        yield Plot("Requests/s", (("", curve),))
    if app.deployments:
        yield _deployments(app)
    for deployment in sorted(app.deployments, key=is_failed, reverse=True):  # for some may not fit
        yield from _deployment(app, deployment, above + app.message)
    if app.answer is not None:
        yield from _answer(app.answer)


def _header(app: ApplicationStatus) -> Header:
    state = state_of(app.status)
    address = Link(app.url, app.url) if app.url else _word(app.route, 200) or "not reachable by HTTP"
    docs = (Link(app.docs, "docs"),) if app.docs else ()
    ago = f"{f.clock(max(0, app.since))} ago"
    deployed = f"begun {ago}" if app.status in _NOT_YET_RUNNING else f"deployed {ago}"
    return Header(state.name, _word(app.name), state.text, (address, *docs, deployed))


def state_of(status: str) -> State:
    """ "DEPLOY_FAILED" -> "Deploy failed", with the sign of what has failed."""
    name = _word(status)
    return State(_SIGNS.get(name, ""), f.capitalized(f.task_state(name)) or "Unknown")


def is_failed(part: ApplicationStatus | DeploymentStatus) -> bool:
    """An application or a deployment that needs someone to look."""
    return part.status in _FAILED


def version_text(app: ApplicationStatus) -> str:
    """Which version answers while both are there, or after the new one did not start."""
    serving = {r.version for d in app.deployments for r in d.replicas if r.state == "RUNNING"}
    if "old" not in serving:
        return ""
    if is_failed(app) or any(map(is_failed, app.deployments)):
        return "The old version goes on serving; the new one did not start."
    if "new" in serving:
        return "Old and new version serving until the new one has all its replicas."
    return "Old version serving, new version starting."


def figures_text(figures: RequestFigures) -> str:
    """ "12.3 requests/s · p50 3.2 ms · p95 8 ms · p99 12.1 ms · 1% errors · 1,234 requests" """
    total = figures.total
    latencies = (("p50", figures.p50), ("p95", figures.p95), ("p99", figures.p99))
    parts = (
        "" if figures.rate is None else f"{_rounded(figures.rate)} requests/s",
        *(f"{name} {milliseconds(value)}" for name, value in latencies if value is not None),
        "" if figures.errors is None else f"{percent(figures.errors)} errors",
        "" if total is None else f"{f.count(total)} {f.plural('request', total)}",
    )
    return " · ".join(filter(None, parts))


def request_curve(history: Iterable[tuple[float, float]]) -> Curve | None:
    """Requests a second, thinned to means that begin at zero; None where there were none."""
    rates = [max(0.0, rate) for _, rate in history if math.isfinite(rate)]
    count = min(_BARS, len(rates))
    ends = [index * len(rates) // count for index in range(count + 1)] if count else []
    means = [sum(rates[begin:end]) / (end - begin) for begin, end in pairwise(ends)]
    if not 0 < max(means, default=0) < math.inf or count < 2:
        return None
    return Curve(tuple(enumerate(means)), low=0.0)


def message_text(text: str, above: str) -> str:
    """Its first line and its last ones, and how many were between; "" where the text `above` has it already."""
    if text.strip() in above:
        return ""
    lines = [f.output_line(line, _LINE) for line in f.plain(text, 50_000).splitlines() if line.strip()]
    left = len(lines) - _FIRST - _LAST
    if left > 1:
        lines[_FIRST:-_LAST] = [f"… {f.count(left)} lines not shown"]
    return "\n".join(lines)


def _message(part: ApplicationStatus | DeploymentStatus, above: str) -> Iterator[Section]:
    if text := message_text(part.message, above):
        yield Text(text, "error" if is_failed(part) else "code")


# --- its deployments ---------------------------------------------------------------------------------------------


def _deployments(app: ApplicationStatus) -> Table:
    columns = ("Deployment", "State", "Replicas", "Ongoing", "Requests/s", "p50", "p99", "Errors", "Each takes")
    return Table((*columns, "Restarts"), tuple(_deployment_row(app, deployment) for deployment in app.deployments))


def _deployment_row(app: ApplicationStatus, deployment: DeploymentStatus) -> Row:
    figures = deployment.figures
    is_ingress = deployment.ingress and len(app.deployments) > 1
    cells = (
        f"{_word(deployment.name)}{' (ingress)' if is_ingress else ''}",
        state_of(deployment.status),
        _ready(deployment),
        _ongoing(deployment),
        "" if figures.rate is None else _rounded(figures.rate),
        "" if figures.p50 is None else milliseconds(figures.p50),
        "" if figures.p99 is None else milliseconds(figures.p99),
        "" if figures.errors is None else percent(figures.errors),
        _resources(deployment),
        f.count(deployment.died) if deployment.died else "",
    )
    return Row(deployment.name, cells)


def _ready(deployment: DeploymentStatus) -> str:
    """ "2 of 2", and of which version while there are two: "2 of 2, 1 new" """
    ready = [replica for replica in deployment.replicas if replica.state == "RUNNING"]
    versions = Counter(replica.version for replica in ready)
    new = f", {f.count(versions['new'])} new" if versions["new"] or versions["old"] else ""
    return f"{f.count(len(ready))} of {f.count(deployment.target)}{new}"


def _ongoing(deployment: DeploymentStatus) -> str:
    """ "4 of 200": requests under way of those that the replicas take at a time."""
    running = (replica for replica in deployment.replicas if replica.state == "RUNNING")
    counts = [replica.ongoing for replica in running if replica.ongoing is not None]
    return f"{f.count(sum(counts))} of {f.count((deployment.max_ongoing or 0) * len(counts))}" if counts else ""


def _resources(deployment: DeploymentStatus) -> str:
    """ "0.1 CPU", "2 CPUs, 1 GPU" """
    amounts = ((deployment.cpus, "CPU"), (deployment.gpus, "GPU"))
    return ", ".join(f"{_rounded(n)} {unit}{'s' if n > 1 else ''}" for n, unit in amounts if n) or "0 CPU"


def _deployment(app: ApplicationStatus, deployment: DeploymentStatus, above: str) -> Iterator[Section]:
    name = _word(deployment.name)
    if message := tuple(_message(deployment, above)):
        yield from (Text(f"{name}:"), *message)
    if text := autoscaling_text(deployment):
        yield Text(f"{name}: {text}", "muted")
    if deployment.replicas:
        total = sum(len(one.replicas) for one in app.deployments)
        replicas = sorted(deployment.replicas, key=lambda replica: replica.state == "RUNNING")
        sections = (_replicas(replicas), *_logs(replicas))
        yield Group(sections, replicas_text(deployment), opened=total <= _UNFOLDED)


def autoscaling_text(deployment: DeploymentStatus) -> str:
    """ "0 to 3 replicas, 2 ongoing requests each; wants 1: 2 requests a replica wanted, 1 seen" """
    scaler = deployment.autoscaling
    if scaler is None:
        return ""
    target = scaler.target or 0
    each = f"{_rounded(target)} ongoing {f.plural('request', target)} each"
    why = _word(scaler.why, 300)
    wants = f"wants {f.count(deployment.target)}{f': {why}' if why else ''}"
    return f"{f.count(scaler.min or 0)} to {f.count(scaler.max or 0)} replicas, {each}; {wants}"


# --- their replicas ----------------------------------------------------------------------------------------------


def replicas_text(deployment: DeploymentStatus) -> str:
    """ "Replicas of Classifier: 2 running, 1 starting" """
    states = Counter(state_of(replica.state).text.lower() for replica in deployment.replicas)
    kept, left = f.fitting((f"{f.count(number)} {words}" for words, number in states.items()), 300)
    more = [f"{f.count(left)} more"] if left else []
    return f"Replicas of {_word(deployment.name)}: {', '.join(kept + more)}"


def _replicas(replicas: Sequence[ReplicaStatus]) -> Table:
    columns = ("Replica", "State", "Version", "Process", "Ongoing", "Age")
    shown = replicas[:_REPLICAS]
    return Table(columns, tuple(map(_replica_row, shown)), hidden=len(replicas) - len(shown))


def _replica_row(replica: ReplicaStatus) -> Row:
    ongoing = "" if replica.ongoing is None else f.count(replica.ongoing)
    name = _word(replica.id)
    cells = (
        name,
        state_of(replica.state),
        _word(replica.version),
        process_text(replica),
        ongoing,
        f.clock(replica.age),
    )
    return Row(name, cells)


def process_text(replica: ReplicaStatus) -> str:
    """ "127.0.0.1, pid 4711", or nothing before it has one"""
    return ", ".join(filter(None, (_word(replica.node), f"pid {_word(replica.pid)}" if replica.pid else "")))


def _logs(replicas: Iterable[ReplicaStatus]) -> Iterator[Section]:
    logs = [_log(replica) for replica in replicas if replica.log]
    if logs:
        yield Log(tuple(logs[:_LOGS]))
    if (left := len(logs) - _LOGS) > 0:
        yield Text(f"and {f.count(left)} more {f.plural('log', left)}", "muted")


def _log(replica: ReplicaStatus) -> WorkerOutput:
    shown = replica.log[-_LOG_LINES:]
    lines = replica.lines_cut + len(replica.log)
    tail = tuple(("log", line, 1) for line in shown)
    return WorkerOutput(f"Log of {_word(replica.id)}", lines, lines - len(shown), tail)


# --- what was tried ----------------------------------------------------------------------------------------------


def _answer(answer: Answer) -> Iterator[Section]:
    state = answer_state(answer)
    yield Text(f"Last request: {f.state_sign(state.name)} {state.text}")
    lines, cut = answer_body(answer, _ANSWER)
    body = Text("\n".join(lines), "code")
    if len(lines) > _FOLDED_ABOVE:
        yield Group((body,), f"{f.count(len(lines))} lines", opened=False)
    elif lines:
        yield body
    if cut:
        yield Text(cut, "muted")


def answer_state(answer: Answer) -> State:
    """ "POST /digits · 200 · 12 ms · application/json", with the sign of how it went."""
    request = f"{_word(answer.method)} {_word(answer.path, 200)}"
    if answer.state == "asked":
        return State("running", f"{request} · asked, no answer yet")
    if answer.state == "failed":
        return State("failed", f"{request} · {_word(answer.error, 300) or 'failed'}")
    took = "" if answer.seconds is None else _duration(answer.seconds)
    words = (request, _word(answer.status), took, _word(answer.type, 100))
    return State("failed" if (answer.status or 0) >= 400 else "finished", " · ".join(filter(None, words)))


def answer_body(answer: Answer, limit: int) -> tuple[list[str], str]:
    """The lines of an answer, JSON well laid out, and how much is not shown."""
    text = _laid_out(answer)
    cut = answer.cut + len(text[limit:].encode(errors="replace"))
    empty = "The answer is empty." if answer.state == "answered" and not text else ""
    return f.plain(text, limit).split("\n") if text else [], f"{f.size_text(cut)} more not shown" if cut else empty


def _laid_out(answer: Answer) -> str:
    if "json" not in answer.type.lower():
        return answer.body
    try:
        return json.dumps(json.loads(answer.body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return answer.body


# --- numbers -----------------------------------------------------------------------------------------------------


def milliseconds(value: float) -> str:
    """3.24 -> "3.2 ms" """
    return f"{_rounded(value)} ms"


def percent(share: float) -> str:
    """0.012 -> "1.2%" """
    return f"{_rounded(share * 100)}%"


def _word(text: object, limit: int = _WORD) -> str:
    return f.one_line(text, limit)


def _duration(value: float) -> str:
    return milliseconds(value * 1000) if value < 1 else f.seconds(value)


def _rounded(value: float) -> str:
    """12.345 -> "12.3", 0.123 -> "0.12", 1520 -> "1520"; what is tiny is not nothing."""
    return f.number_text(round(value, 2 if abs(value) < 1 else 1) or value)
