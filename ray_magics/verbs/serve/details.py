"""What a view shows of applications, from what Serve's controller says of them; plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .figures import NOTHING

GRACEFUL = "Graceful shutdown complete"
_LIVE_FIRST = ("RUNNING", "UPDATING", "STARTING", "RECOVERING", "PENDING_MIGRATION", "STOPPING")
Details = Mapping[str, Any]


@dataclass
class Measurements:
    """What was measured beside what the controller says.

    Attributes:
        figures: of an application, by its name, and of deployments, by (application, deployment).
        ongoing: requests under way, by the actor name of a replica.
        logs: the last lines and how many were before them, by the id of a replica.
        ended_well: replicas that said goodbye.
        old: application -> its replicas from before an update that is under way.
        calls, answers: of the try-it box, by application.
        history: (seconds ago, requests), by application.
        epoch: now, in seconds since 1970.
    """

    epoch: float = 0.0
    figures: Mapping[Any, Mapping[str, Any]] = field(default_factory=dict)
    history: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    ongoing: Mapping[str, int] = field(default_factory=dict)
    logs: Mapping[str, tuple[Sequence[str], int]] = field(default_factory=dict)
    ended_well: frozenset[str] = frozenset()
    old: Mapping[str, frozenset[str]] = field(default_factory=dict)
    calls: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def http_address(details: Details) -> str:
    """``http://127.0.0.1:8000``; "" without HTTP."""
    options = details.get("http_options") or {}
    host, port = options.get("host"), options.get("port")
    if not host or not port:
        return ""
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{here}:{port}"


def grpc_address(details: Details) -> str:
    options = details.get("grpc_options") or {}
    return f"127.0.0.1:{options.get('port', 9000)}" if options.get("grpc_servicer_functions") else ""


def applications(details: Details, seen: Measurements, names: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The applications of these names as JSON, by name; those that an update checks beside others are left out."""
    every = details.get("applications") or {}
    address = http_address(details)
    return [_application(every[name], address, seen) for name in sorted(every) if names(name)]


def _application(app: Details, address: str, seen: Measurements) -> dict[str, Any]:
    name, prefix = app["name"], app.get("route_prefix")
    url = f"{address}{prefix}" if address and prefix else ""
    docs = app.get("docs_path")
    topology = (app.get("deployment_topology") or {}).get("ingress_deployment")
    ingress = topology or next(iter(app.get("deployments") or {}), "")
    deployments = sorted(app.get("deployments", {}).values(), key=lambda one: one["name"] != ingress)
    return {
        "name": name,
        "route": prefix or "",
        "url": url,
        "docs": f"{address}{_under(prefix or '/', docs)}" if url and docs else "",
        "status": _settled(app),
        "message": str(app.get("message") or "")[:4000],
        "since": round(max(seen.epoch - float(app.get("last_deployed_time_s") or seen.epoch), 0.0), 1),
        "figures": dict(seen.figures.get(name, NOTHING)),
        "history": list(seen.history.get(name, ())),
        "calls": list(seen.calls.get(name) or plain_calls(prefix)) if url else [],
        "answer": seen.answers.get(name),
        "deployments": [_deployment(name, one, one["name"] == ingress, seen) for one in deployments],
    }


def _under(prefix: str, path: str) -> str:
    return path if prefix == "/" or path.startswith(f"{prefix}/") else f"{prefix}{path}"


def plain_calls(prefix: str | None) -> list[dict[str, str]]:
    """What one may try of an application that does not say."""
    path = prefix or "/"
    return [{"method": "GET", "path": path, "body": ""}, {"method": "POST", "path": path, "body": "{}"}]


def _deployment(app: str, one: Details, ingress: bool, seen: Measurements) -> dict[str, Any]:
    config = one.get("deployment_config") or {}
    resources = one.get("required_resources") or {}
    living = sorted(one.get("replicas") or (), key=_order)
    dead = [replica for replica in one.get("recent_dead_replicas") or () if _died(replica, seen)]
    return {
        "name": one["name"],
        "ingress": ingress,
        "status": "HEALTHY" if _has_all(one) else _text(one["status"]),
        "message": str(one.get("message") or "")[:4000],
        "target": int(one.get("target_num_replicas") or 0),
        "autoscaling": _autoscaling(one, config),
        "max_ongoing": config.get("max_ongoing_requests"),
        "cpus": resources.get("CPU", 0),
        "gpus": resources.get("GPU", 0),
        "figures": dict(seen.figures.get((app, one["name"]), NOTHING)),
        "died": len(dead),
        "replicas": [_replica(app, replica, seen) for replica in (*living, *dead[-3:])],
    }


def _order(replica: Details) -> tuple[int, float]:
    state = _text(replica["state"])
    return _LIVE_FIRST.index(state) if state in _LIVE_FIRST else 9, float(replica.get("start_time_s") or 0.0)


def _died(replica: Details, seen: Measurements) -> bool:
    """Whether it ended without saying so; nothing is known of one whose log is elsewhere."""
    return replica["replica_id"] in seen.logs and replica["replica_id"] not in seen.ended_well


def _autoscaling(one: Details, config: Details) -> dict[str, Any] | None:
    scaling = config.get("autoscaling_config")
    if not scaling:
        return None
    decisions = (one.get("autoscaling_detail") or {}).get("decisions") or ()
    return {
        "min": scaling.get("min_replicas"),
        "max": scaling.get("max_replicas"),
        "target": scaling.get("target_ongoing_requests"),
        "why": str(decisions[-1].get("reason", ""))[:300] if decisions else "",
    }


def _replica(app: str, replica: Details, seen: Measurements) -> dict[str, Any]:
    state, key = _text(replica["state"]), replica["replica_id"]
    old = seen.old.get(app)
    lines, cut = seen.logs.get(key, ((), 0))
    return {
        "id": key,
        "state": state if state in _LIVE_FIRST else "DEAD",
        "version": "" if old is None else "old" if key in old else "new",
        "node": replica.get("node_ip") or "",
        "pid": replica.get("pid"),
        "ongoing": seen.ongoing.get(replica.get("actor_name") or ""),
        "age": round(max(seen.epoch - float(replica.get("start_time_s") or seen.epoch), 0.0), 1),
        "log": list(lines),
        "lines_cut": cut,
    }


def _settled(app: Details) -> str:
    """Ray calls an application DEPLOYING until its old replicas are gone, also when they get no requests any more."""
    deployments = (app.get("deployments") or {}).values()
    status = _text(app["status"])
    return "RUNNING" if status == "DEPLOYING" and deployments and all(map(_has_all, deployments)) else status


def _has_all(one: Details) -> bool:
    """Whether an update is over but for old replicas that end."""
    states = [_text(replica["state"]) for replica in one.get("replicas") or ()]
    enough = states.count("RUNNING") == int(one.get("target_num_replicas") or 0)
    over = _text(one["status"]) in ("UPDATING", "HEALTHY") and set(states) <= {"RUNNING", "STOPPING"}
    return enough and over and ("STOPPING" in states or _text(one["status"]) == "HEALTHY")


def _text(state: Any) -> str:
    """``ApplicationStatus.RUNNING`` and ``"RUNNING"`` as ``"RUNNING"``."""
    return str(getattr(state, "value", state))


# --- how far an update is ---------------------------------------------------------------------------------------------


def replicas_of(details: Details | None, app: str) -> dict[str, list[Details]]:
    """Deployment -> its living replicas, of one application."""
    deployments = (((details or {}).get("applications") or {}).get(app) or {}).get("deployments") or {}
    return {name: list(one.get("replicas") or ()) for name, one in deployments.items()}


def ready(details: Details | None, app: str, old: frozenset[str], names: Collection[str]) -> tuple[int, int]:
    """How many replicas of the new version of these deployments run, and how many there are to be."""
    found = ((details or {}).get("applications") or {}).get(app) or {}
    deployments = [one for name, one in (found.get("deployments") or {}).items() if name in names]
    wanted = sum(int(one.get("target_num_replicas") or 0) for one in deployments)
    running = sum(min(_running_new(one, old), int(one.get("target_num_replicas") or 0)) for one in deployments)
    return running, wanted


def _running_new(one: Details, old: frozenset[str]) -> int:
    return sum(_text(r["state"]) == "RUNNING" and r["replica_id"] not in old for r in one.get("replicas") or ())


def failed_deployments(details: Details | None, app: str) -> list[tuple[str, str]]:
    """(deployment, message) of those that could not start."""
    deployments = (((details or {}).get("applications") or {}).get(app) or {}).get("deployments") or {}
    failed = {name: one for name, one in deployments.items() if _text(one["status"]) == "DEPLOY_FAILED"}
    return [(name, str(one.get("message") or "")) for name, one in failed.items()]


def status_of(details: Details | None, app: str) -> str:
    """Ray's word for an application; "" where there is none of that name."""
    found = ((details or {}).get("applications") or {}).get(app)
    return _text(found["status"]) if found else ""


def by_route(details: Details | None) -> dict[str, str]:
    """Route prefix -> application."""
    every: Iterable[Details] = ((details or {}).get("applications") or {}).values()
    return {one["route_prefix"]: one["name"] for one in every if one.get("route_prefix")}


def application_of(path: str, routes: Mapping[str, str]) -> str:
    """The application that answers a path: that with the longest prefix of it; "" for none. gRPC says its name."""
    if not path.startswith("/"):
        return path if path in routes.values() else ""
    fitting = [prefix for prefix in routes if prefix == "/" or path == prefix or path.startswith(f"{prefix}/")]
    return routes[max(fitting, key=len)] if fitting else ""


def is_running(replica: Details) -> bool:
    return _text(replica["state"]) == "RUNNING"


def is_stopping(replica: Details) -> bool:
    return _text(replica["state"]) == "STOPPING"


def message_of(details: Details | None, app: str) -> str:
    """What Serve says of an application, "" if nothing."""
    return str((((details or {}).get("applications") or {}).get(app) or {}).get("message") or "")


def held_by(details: Details | None, app: str) -> list[tuple[str, Mapping[str, float]]]:
    """(node, what a replica reserves there) of each living replica of an application."""
    deployments = (((details or {}).get("applications") or {}).get(app) or {}).get("deployments") or {}
    return [
        (str(replica.get("node_ip") or ""), one.get("required_resources") or {})
        for one in deployments.values()
        for replica in one.get("replicas") or ()
    ]


def serves(details: Details | None, app: str) -> bool:
    """Whether an application of this name is there to be kept: not one that never came up, or is going."""
    status = status_of(details, app)
    running = any(is_running(one) for some in replicas_of(details, app).values() for one in some)
    return running or status in ("RUNNING", "UNHEALTHY")
