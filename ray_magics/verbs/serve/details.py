"""What Serve's controller says of this cluster, as records; the JSON is that of Ray's public `ServeInstanceDetails`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from .status import AutoscalingStatus

Json = Mapping[str, Any]


@dataclass(frozen=True)
class ReplicaDetails:
    """One replica; `started_at` in seconds since 1970, `log_path` below Ray's folder of logs, "" while unknown."""

    id: str
    state: str
    actor_name: str = ""
    node_ip: str = ""
    worker_id: str = ""
    log_path: str = ""
    pid: int | None = None
    started_at: float | None = None

    @property
    def is_running(self) -> bool:
        return self.state == "RUNNING"

    @property
    def is_stopping(self) -> bool:
        return self.state == "STOPPING"

    @classmethod
    def parse(cls, data: Json) -> ReplicaDetails:
        return cls(
            id=data["replica_id"],
            state=_name(data["state"]),
            actor_name=data.get("actor_name") or "",
            node_ip=data.get("node_ip") or "",
            worker_id=data.get("worker_id") or "",
            log_path=data.get("log_file_path") or "",
            pid=data.get("pid"),
            started_at=data.get("start_time_s"),
        )


@dataclass(frozen=True)
class DeploymentDetails:
    """One deployment; `target` is how many replicas it is to have, `resources` what each of them reserves."""

    name: str
    status: str
    message: str = ""
    target: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    max_ongoing: int | None = None
    autoscaling: AutoscalingStatus | None = None
    replicas: tuple[ReplicaDetails, ...] = ()
    dead_replicas: tuple[ReplicaDetails, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether an update is over but for old replicas that end; Ray calls it UPDATING until they are gone."""
        states = [replica.state for replica in self.replicas]
        over = self.status in ("UPDATING", "HEALTHY") and set(states) <= {"RUNNING", "STOPPING"}
        return over and states.count("RUNNING") == self.target and ("STOPPING" in states or self.status == "HEALTHY")

    def count_running(self, old_replicas: Collection[str]) -> int:
        """How many replicas run, but for the old ones."""
        return sum(replica.is_running and replica.id not in old_replicas for replica in self.replicas)

    @classmethod
    def parse(cls, data: Json) -> DeploymentDetails:
        config = data.get("deployment_config") or {}
        return cls(
            name=data["name"],
            status=_name(data["status"]),
            message=str(data.get("message") or ""),
            target=int(data.get("target_num_replicas") or 0),
            resources=data.get("required_resources") or {},
            max_ongoing=config.get("max_ongoing_requests"),
            autoscaling=_autoscaling(data, config.get("autoscaling_config")),
            replicas=tuple(map(ReplicaDetails.parse, data.get("replicas") or ())),
            dead_replicas=tuple(map(ReplicaDetails.parse, data.get("recent_dead_replicas") or ())),
        )


@dataclass(frozen=True)
class ApplicationDetails:
    """One application; one that there is not has no `status`. `deployed_at` in seconds since 1970."""

    name: str
    status: str = ""
    message: str = ""
    route_prefix: str = ""
    docs_path: str = ""
    deployed_at: float | None = None
    ingress: str = ""
    external_scaler: bool = False
    deployments: Mapping[str, DeploymentDetails] = field(default_factory=dict)

    @property
    def replicas(self) -> tuple[ReplicaDetails, ...]:
        """The living ones of all deployments."""
        return tuple(replica for deployment in self.deployments.values() for replica in deployment.replicas)

    @property
    def is_serving(self) -> bool:
        """Whether there is a version to be kept: not one that never came up, or is going."""
        return any(replica.is_running for replica in self.replicas) or self.status in ("RUNNING", "UNHEALTHY")

    @property
    def settled_status(self) -> str:
        """Its status; RUNNING as soon as all that Ray still waits for are old replicas without new requests."""
        settled = self.deployments and all(deployment.is_settled for deployment in self.deployments.values())
        return "RUNNING" if self.status == "DEPLOYING" and settled else self.status

    @property
    def failed_deployments(self) -> tuple[DeploymentDetails, ...]:
        """Those that could not start."""
        return tuple(deployment for deployment in self.deployments.values() if deployment.status == "DEPLOY_FAILED")

    @classmethod
    def parse(cls, data: Json) -> ApplicationDetails:
        deployments = data.get("deployments") or {}
        topology = data.get("deployment_topology") or {}
        return cls(
            name=data["name"],
            status=_name(data["status"]),
            message=str(data.get("message") or ""),
            route_prefix=data.get("route_prefix") or "",
            docs_path=data.get("docs_path") or "",
            deployed_at=data.get("last_deployed_time_s"),
            ingress=topology.get("ingress_deployment") or next(iter(deployments), ""),
            external_scaler=bool(data.get("external_scaler_enabled")),
            deployments={name: DeploymentDetails.parse(deployment) for name, deployment in deployments.items()},
        )


@dataclass(frozen=True)
class ProxyDetails:
    """A process that takes HTTP and gRPC requests."""

    actor_name: str
    log_path: str


@dataclass(frozen=True)
class InstanceDetails:
    """All of Serve on one cluster; where it does not run, `is_up` is false and nothing is known.

    Attributes:
        http_host, http_port: where it listens; None without HTTP.
        grpc_port: where it would listen; it does so with `grpc_functions` alone.
    """

    is_up: bool = False
    http_host: str | None = None
    http_port: int | None = None
    grpc_port: int = 9000
    grpc_functions: tuple[str, ...] = ()
    proxies: tuple[ProxyDetails, ...] = ()
    applications: Mapping[str, ApplicationDetails] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Json | None) -> InstanceDetails:
        if data is None:
            return cls()
        http, grpc = data.get("http_options") or {}, data.get("grpc_options") or {}
        applications = data.get("applications") or {}
        return cls(
            is_up=True,
            http_host=http.get("host"),
            http_port=http.get("port"),
            grpc_port=grpc.get("port", 9000),
            grpc_functions=tuple(grpc.get("grpc_servicer_functions") or ()),
            proxies=tuple(
                ProxyDetails(str(proxy.get("actor_name")), proxy.get("log_file_path") or "")
                for proxy in (data.get("proxies") or {}).values()
            ),
            applications={name: ApplicationDetails.parse(app) for name, app in applications.items()},
        )

    def application(self, name: str) -> ApplicationDetails:
        return self.applications.get(name) or ApplicationDetails(name)

    @property
    def http_address(self) -> str:
        """``http://127.0.0.1:8000``, as a browser on this machine reaches it; "" without HTTP."""
        host, port = self.http_host, self.http_port
        if not host or not port:
            return ""
        here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        return f"http://{here}:{port}"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}" if self.grpc_functions else ""

    @property
    def routes(self) -> dict[str, str]:
        """Route prefix -> application."""
        return {app.route_prefix: app.name for app in self.applications.values() if app.route_prefix}


def application_at(path: str, routes: Mapping[str, str]) -> str:
    """The application that answers a path: that with the longest prefix of it; "" for none. gRPC says its name."""
    if not path.startswith("/"):
        return path if path in routes.values() else ""
    prefixes = [prefix for prefix in routes if prefix == "/" or path == prefix or path.startswith(f"{prefix}/")]
    return routes[max(prefixes, key=len)] if prefixes else ""


def _autoscaling(deployment: Json, config: Json | None) -> AutoscalingStatus | None:
    if not config:
        return None
    decisions = (deployment.get("autoscaling_detail") or {}).get("decisions") or ()
    return AutoscalingStatus(
        config.get("min_replicas"),
        config.get("max_replicas"),
        config.get("target_ongoing_requests"),
        str(decisions[-1].get("reason", ""))[:300] if decisions else "",
    )


def _name(state: Any) -> str:
    """``ApplicationStatus.RUNNING`` and ``"RUNNING"`` as ``"RUNNING"``."""
    return str(getattr(state, "value", state))
