"""The only place that touches private API of Ray Serve; tried on Ray 2.60.0.

Each function is guarded or names its fallback; `tests/pure/test_raylib_serve.py` fails loudly when one of them changes.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from .. import connection
from ..errors import RayApiMissing, RayMagicsError, ServeUnavailable
from .private import private
from .quiet import Quiet

log = logging.getLogger(__name__)

PRIVATE = (
    "ray._private.node:Node.get_logs_dir_path",
    "ray._private.worker:_global_node",
    "ray.serve._private.build_app:BuiltApplication.deployments",
    "ray.serve._private.build_app:BuiltApplication.ingress_deployment_name",
    "ray.serve._private.build_app:BuiltApplication.route_prefix",
    "ray.serve._private.build_app:BuiltApplication.validate_single_fastapi_ingress",
    "ray.serve._private.build_app:build_app",
    "ray.serve._private.client:ServeControllerClient._controller",
    "ray.serve._private.client:ServeControllerClient.delete_apps",
    "ray.serve._private.client:_callable_uses_multiplexing",
    "ray.serve._private.config:DeploymentConfig.autoscaling_config",
    "ray.serve._private.config:DeploymentConfig.from_proto_bytes",
    "ray.serve._private.config:DeploymentConfig.to_proto_bytes",
    "ray.serve._private.config:DeploymentConfig.user_configured_option_names",
    "ray.serve._private.config:ReplicaConfig.resource_dict",
    "ray.serve._private.config:ReplicaConfig.serialized_deployment_def",
    "ray.serve._private.config:ReplicaConfig.serialized_init_args",
    "ray.serve._private.config:ReplicaConfig.serialized_init_kwargs",
    "ray.serve._private.controller:ServeController.deploy_applications",
    "ray.serve._private.controller:ServeController.get_deployment_info",
    "ray.serve._private.controller:ServeController.get_serve_instance_details",
    "ray.serve._private.deploy_utils:get_deploy_args",
    "ray.serve._private.replica:ReplicaActor.get_num_ongoing_requests",
    "ray.serve.context:_get_global_client",
    "ray.serve.context:_set_global_client",
    "ray.serve.deployment:Application._bound_deployment",
    "ray.serve.deployment:Deployment._deployment_config",
    "ray.serve.deployment:Deployment._replica_config",
    "ray.serve.generated.serve_pb2:ApplicationArgs",
    "ray.serve.generated.serve_pb2:DeploymentArgs",
    "ray.serve.generated.serve_pb2:DeploymentConfig",
    "ray.serve.generated.serve_pb2:DeploymentRoute",
)
NAMESPACE = "serve"
_ASK, _TAKE_IN = 5.0, 30.0  # seconds

_asked: list[Any] = []  # the connection for which Serve's client was last asked
quiet = Quiet(logging.ERROR, ("ray.serve",), least=logging.WARNING)
"""Serve tells its driver things that a view shows better."""


@dataclass(frozen=True)
class Built:
    """An application, ready to be deployed.

    Attributes:
        deployments: name -> Ray's Deployment, all options applied.
        ingress: the name of the one that requests reach.
        made: Ray's own BuiltApplication.
    """

    name: str
    deployments: Mapping[str, Any]
    ingress: str
    made: Any


@dataclass(frozen=True)
class DeploySpec:
    """An application as the controller is sent it: code, options and version of each deployment, as protobufs."""

    name: str
    deployments: Sequence[bytes]


def build(application: Any, name: str, route_prefix: str | None) -> Built:
    """An Application as the deployments that it consists of (Ray 2.60: `build_app`). Ray's errors pass."""
    import ray

    made = private("ray.serve._private.build_app:build_app")(
        application,
        name=name,
        route_prefix=route_prefix,
        default_runtime_env=ray.get_runtime_context().runtime_env,
    )
    return Built(name, {one.name: one for one in made.deployments}, made.ingress_deployment_name, made)


def with_deployments(built: Built, deployments: Mapping[str, Any]) -> Built:
    """The same application with other options of its deployments."""
    from dataclasses import replace

    made = replace(built.made, deployments=[deployments[one.name] for one in built.made.deployments])
    return Built(built.name, deployments, built.ingress, made)


def parts(application: Any) -> list[Any]:
    """The applications that were bound into this one. Fallback: none are known."""
    bound = getattr(application, "_bound_deployment", None)
    given = [*getattr(bound, "init_args", ()), *dict(getattr(bound, "init_kwargs", {})).values()]
    inner = [one for one in given if type(one) is type(application)]
    return [*inner, *(deeper for one in inner for deeper in parts(one))]


def configured(deployment: Any) -> frozenset[str]:
    """The options that the user set on a deployment, by name. Fallback: none are known."""
    found = getattr(getattr(deployment, "_deployment_config", None), "user_configured_option_names", ())
    return frozenset(found)


def request_of(deployment: Any) -> dict[str, float]:
    """What a replica reserves, under Ray's names. Fallback: Ray's default, one CPU."""
    found = getattr(getattr(deployment, "_replica_config", None), "resource_dict", None)
    return {key: float(value) for key, value in (found if isinstance(found, Mapping) else {"CPU": 1.0}).items()}


def autoscaling_of(deployment: Any) -> Any:
    """Ray's AutoscalingConfig of a deployment, or None."""
    return getattr(getattr(deployment, "_deployment_config", None), "autoscaling_config", None)


def client() -> Any:
    """Serve's client of this cluster; None while Serve does not run, or where there is no connection to ask."""
    if not connection.is_up():  # Ray would start a cluster of its own
        return None
    if _asked != [connection.session()]:  # Ray compares job ids, and that is 01000000 on each new cluster
        _asked[:] = [connection.session()]
        private("ray.serve.context:_set_global_client")(None)
    with quiet():
        return private("ray.serve.context:_get_global_client")(raise_if_no_controller_running=False)


def deploy_spec(built: Built) -> DeploySpec:
    """What to send the controller for an application (Ray 2.60: what Serve's own client would send)."""
    deploy_args = private("ray.serve._private.deploy_utils:get_deploy_args")
    multiplexes = private("ray.serve._private.client:_callable_uses_multiplexing")
    built.made.validate_single_fastapi_ingress()
    proto, found = _protos(), []
    for name, one in built.deployments.items():
        ingress = name == built.ingress
        arguments = deploy_args(
            name,
            replica_config=one._replica_config,
            ingress=ingress,
            deployment_config=one._deployment_config,
            version=secrets.token_hex(4),
            route_prefix=built.made.route_prefix if ingress else None,
        )
        made = proto.DeploymentArgs(
            deployment_name=name,
            deployment_config=arguments["deployment_config_proto_bytes"],
            replica_config=arguments["replica_config_proto_bytes"],
            deployer_job_id=arguments["deployer_job_id"],
            ingress=ingress,
            uses_multiplexing=multiplexes(one.func_or_class),
        )
        if ingress and built.made.route_prefix:
            made.route_prefix = built.made.route_prefix
        found.append(made.SerializeToString())
    return DeploySpec(built.name, found)


def joined(old: DeploySpec, new: DeploySpec) -> DeploySpec:
    """The old application with the new one's other deployments beside its own, out of reach of requests."""
    proto = _protos()
    there = {proto.DeploymentArgs.FromString(data).deployment_name for data in old.deployments}
    others = []
    for data in new.deployments:
        one = proto.DeploymentArgs.FromString(data)
        if one.deployment_name not in there:
            one.ingress = False
            one.ClearField("route_prefix")
            others.append(one.SerializeToString())
    return DeploySpec(old.name, [*old.deployments, *others])


def details() -> dict[str, Any] | None:
    """All that the controller knows (2 to 4 ms): applications, deployments, replicas; None while Serve is not there."""
    import ray

    there = client()
    if there is None:
        return None
    try:
        return dict(_answer(there._controller.get_serve_instance_details.remote()))
    except (ray.exceptions.RayActorError, ray.exceptions.RaySystemError) as error:
        log.debug("Serve's controller is gone: %r", error)
        return None


def _answer(asked: Any, timeout: float = _ASK) -> Any:
    """What the controller says, to one question or several. Raises ServeUnavailable."""
    import ray

    try:
        return ray.get(asked, timeout=timeout)
    except (ray.exceptions.GetTimeoutError, ray.exceptions.ActorUnavailableError) as error:
        raise ServeUnavailable("Serve's controller does not answer just now; try again in a moment.") from error


def _controller() -> Any:
    there = client()
    if there is None:
        raise RayMagicsError("Serve does not run here any more.")
    return there._controller


def keep(name: str, deployments: Sequence[str], ingress: str) -> DeploySpec:
    """What the controller was sent for a running application, so that `deploy` can send it again."""
    import ray

    proto = _protos()
    controller = _controller()
    refs = [controller.get_deployment_info.remote(one, name) for one in deployments]
    routes = [proto.DeploymentRoute.FromString(data) for data in _answer(refs)]
    job = ray.get_runtime_context().get_job_id()
    arguments = [
        _arguments(proto, one, route, job, one == ingress) for one, route in zip(deployments, routes, strict=True)
    ]
    return DeploySpec(name, [one.SerializeToString() for one in arguments])


def _arguments(proto: Any, name: str, route: Any, job: str, ingress: bool) -> Any:
    info = route.deployment_info
    info.deployment_config.version = info.version
    made = proto.DeploymentArgs(
        deployment_name=name,
        deployment_config=info.deployment_config.SerializeToString(),
        replica_config=info.replica_config.SerializeToString(),
        deployer_job_id=job,
        ingress=ingress,
    )
    if ingress and route.route:
        made.route_prefix = route.route
    return made


def deploy(deploy_spec: DeploySpec) -> None:
    """Sends it to the controller; returns at once. Replicas of a version that is sent again stay as they are."""
    arguments = _protos().ApplicationArgs().SerializeToString()
    sent = _controller().deploy_applications.remote(
        {deploy_spec.name: list(deploy_spec.deployments)}, {deploy_spec.name: arguments}
    )
    _answer(sent, _TAKE_IN)


def reconfigured(kept: DeploySpec, deployment: str, changes: Mapping[str, Any]) -> DeploySpec:
    """The same version with other options that need no new replica: user_config, num_replicas, autoscaling …"""
    proto = _protos()
    config_of = private("ray.serve._private.config:DeploymentConfig")
    changed = []
    for data in kept.deployments:
        one = proto.DeploymentArgs.FromString(data)
        if one.deployment_name == deployment:
            config = config_of.from_proto_bytes(one.deployment_config)
            merged = {**config.model_dump(), **_plain(changes)}
            one.deployment_config = config_of.model_validate(merged).to_proto_bytes()
        changed.append(one.SerializeToString())
    return DeploySpec(kept.name, changed)


def _plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.model_dump() if hasattr(value, "model_dump") else value for key, value in changes.items()}


def ongoing(actors: Sequence[str], known: dict[str, Any], timeout: float = 0.5) -> dict[str, int]:
    """Actor name of a replica -> its requests under way, of those that answer in time.

    `known` keeps the actors from one time to the next, for finding them costs the cluster more than asking them.
    """
    import ray

    for name in set(known) - set(actors):
        del known[name]
    if not connection.is_up():
        return {}
    asked: dict[Any, str] = {}
    for name in actors:
        try:
            known[name] = known.get(name) or ray.get_actor(name, namespace=NAMESPACE)
            asked[known[name].get_num_ongoing_requests.remote()] = name
        except (ValueError, AttributeError) as error:  # it is gone, or has no such method any more
            log.debug("no figures of %s: %s", name, error)
    if not asked:
        return {}
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=timeout)
    return dict(_numbers(ready, asked))


def _numbers(ready: Sequence[Any], asked: Mapping[Any, str]) -> Iterator[tuple[str, int]]:
    import ray

    for ref in ready:
        try:
            yield asked[ref], int(ray.get(ref))
        except ray.exceptions.RayError as error:
            log.debug("no figures of %s: %s", asked[ref], error)


def _protos() -> Any:
    return import_module("ray.serve.generated.serve_pb2")


def logs_folder() -> str:
    """Where this machine's Ray keeps its logs (Ray 2.60: the driver's node). Fallback: the newest session."""
    try:
        return str(private("ray._private.worker:_global_node").get_logs_dir_path())
    except (RayApiMissing, AttributeError) as error:
        log.debug("no folder of logs: %r", error)
        return "/tmp/ray/session_latest/logs"


def ingress_of(app: Mapping[str, Any]) -> str:
    """The deployment of an application that requests reach. Fallback: its first."""
    found = (app.get("deployment_topology") or {}).get("ingress_deployment")
    return str(found or next(iter(app.get("deployments") or ("",))))


def delete(name: str) -> None:
    """Ends an application; returns at once."""
    with quiet():
        if (there := client()) is not None:
            there.delete_apps([name], blocking=False)


def is_of(deploy_spec: DeploySpec, names: Collection[str]) -> bool:
    """Whether the controller still has these deployments in the version that it was sent."""
    proto = _protos()
    versions = {}
    for data in deploy_spec.deployments:
        one = proto.DeploymentArgs.FromString(data)
        if one.deployment_name in names:
            versions[one.deployment_name] = proto.DeploymentConfig.FromString(one.deployment_config).version
    controller = _controller()
    try:
        for name, version in versions.items():
            data = _answer(controller.get_deployment_info.remote(name, deploy_spec.name))
            if proto.DeploymentRoute.FromString(data).deployment_info.version != version:
                return False
    except KeyError:  # one of them is not there
        return False
    return True


def size_of(deployment: Any) -> int:
    """Bytes of a deployment's code with the values that it brings along. Fallback: 0."""
    config = getattr(deployment, "_replica_config", None)
    parts = ("serialized_deployment_def", "serialized_init_args", "serialized_init_kwargs")
    return sum(len(getattr(config, part, None) or b"") for part in parts)
