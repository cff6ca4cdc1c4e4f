"""The only place that touches private API of Ray Serve.

Tried on Ray 2.60.0. Each function names what it uses of Ray's private API and its fallback; a name that must be there
is fetched by `private`, which says in one line what the installed Ray lacks. `tests/pure/test_raylib_serve.py` fails
loudly when one of them changes, or when Ray's own client sends a field that is lost here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice
from typing import Any

from .. import connection
from ..errors import RayMagicsError, ServeUnavailable
from .private import private
from .quiet import Quiet

log = logging.getLogger(__name__)

PRIVATE = (
    "ray._private.node:Node.get_logs_dir_path",
    "ray._private.worker:_global_node",
    "ray.serve._private.build_app:build_app",
    "ray.serve._private.client:ServeControllerClient._controller",
    "ray.serve._private.client:ServeControllerClient.delete_apps",
    "ray.serve._private.client:ServeControllerClient.deploy_applications",
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
    "ray.serve._private.replica:ReplicaActor.get_num_ongoing_requests",
    "ray.serve._private.utils:_callable_uses_multiplexing",
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
NAMESPACE = "serve"  # of Serve's actors
_ASK_TIMEOUT, _DEPLOY_TIMEOUT = 5.0, 30.0  # seconds
_MULTIPLEXED = b"_serve_multiplexed_function"  # Ray's mark on what @serve.multiplexed decorates


class _ClientAsked:
    """In the session of a connection for which Serve's client was asked already."""

    is_fresh = True


quiet = Quiet(logging.ERROR, ("ray.serve",), least=logging.WARNING)
"""Serve tells its driver things that a view shows better."""


def _pb2() -> Any:
    """The messages of Serve (Ray 2.60: `ray.serve.generated.serve_pb2`). No fallback: ImportError."""
    return import_module("ray.serve.generated.serve_pb2")


# --- an application before it is deployed


@dataclass(frozen=True)
class BuiltApplication:
    """An application, ready to be deployed.

    Attributes:
        deployments: name -> Ray's Deployment, all options applied.
        ingress: the name of the one that requests reach.
        ray_app: Ray's own BuiltApplication.
    """

    name: str
    deployments: Mapping[str, Any]
    ingress: str
    ray_app: Any


def build(application: Any, name: str, route_prefix: str | None) -> BuiltApplication:
    """An Application as the deployments that it consists of; Ray's errors pass.

    Ray 2.60: `build_app`. No fallback: RayMagicsError.
    """
    import ray

    ray_app = private("ray.serve._private.build_app:build_app")(
        application,
        name=name,
        route_prefix=route_prefix,
        default_runtime_env=ray.get_runtime_context().runtime_env,
    )
    deployments = {deployment.name: deployment for deployment in ray_app.deployments}
    return BuiltApplication(name, deployments, ray_app.ingress_deployment_name, ray_app)


def with_deployments(built: BuiltApplication, deployments: Mapping[str, Any]) -> BuiltApplication:
    """The same application with other options of its deployments (Ray 2.60: fields of its BuiltApplication)."""
    ray_app = replace(built.ray_app, deployments=[deployments[one.name] for one in built.ray_app.deployments])
    return replace(built, deployments=deployments, ray_app=ray_app)


def bound_applications(application: Any) -> list[Any]:
    """The Applications among the arguments of an Application, and among theirs.

    Ray 2.60: `Application._bound_deployment`. Fallback: none are known.
    """
    bound = getattr(application, "_bound_deployment", None)
    arguments = [*getattr(bound, "init_args", ()), *dict(getattr(bound, "init_kwargs", {})).values()]
    inner = [argument for argument in arguments if type(argument) is type(application)]
    return [*inner, *(deeper for one in inner for deeper in bound_applications(one))]


def configured_options(deployment: Any) -> frozenset[str]:
    """The options that the user set on a deployment, by name.

    Ray 2.60: `DeploymentConfig.user_configured_option_names`. Fallback: none are known.
    """
    config = getattr(deployment, "_deployment_config", None)
    return frozenset(getattr(config, "user_configured_option_names", ()))


def resources_of(deployment: Any) -> dict[str, float]:
    """What a replica reserves, under Ray's names.

    Ray 2.60: `ReplicaConfig.resource_dict`. Fallback: Ray's default, one CPU.
    """
    resources = getattr(getattr(deployment, "_replica_config", None), "resource_dict", None)
    amounts = resources if isinstance(resources, Mapping) else {"CPU": 1.0}
    return {resource: float(amount) for resource, amount in amounts.items()}


def autoscaling_config_of(deployment: Any) -> Any:
    """Ray's AutoscalingConfig of a deployment, or None.

    Ray 2.60: `Deployment._deployment_config`. Fallback: None.
    """
    return getattr(getattr(deployment, "_deployment_config", None), "autoscaling_config", None)


def code_size(deployment: Any) -> int:
    """Bytes of a deployment's pickled code and arguments (Ray 2.60: `ReplicaConfig`). Fallback: 0."""
    config = getattr(deployment, "_replica_config", None)
    fields = ("serialized_deployment_def", "serialized_init_args", "serialized_init_kwargs")
    return sum(len(getattr(config, field, None) or b"") for field in fields)


# --- what Serve's controller is sent


@dataclass(frozen=True)
class DeploySpec:
    """An application as Serve's controller is sent it.

    Attributes:
        deployments: name -> its `DeploymentArgs`, serialized: code, options and version.
        application: its `ApplicationArgs`, serialized.
    """

    name: str
    deployments: Mapping[str, bytes]
    application: bytes = b""


class _Sent(Exception):
    """What Ray's client would have sent."""


class _ControllerStub:
    """Takes the place of Serve's controller in Ray's client: raises as `_Sent` what it is asked to deploy."""

    def __init__(self) -> None:
        self.deploy_applications = self

    def remote(self, deployments: Mapping[str, Sequence[bytes]], applications: Mapping[str, bytes]) -> None:
        raise _Sent(deployments, applications)


def make_deploy_spec(built: BuiltApplication) -> DeploySpec:
    """What Ray's own client sends for an application; each call gives its deployments new versions.

    Ray 2.60: `ServeControllerClient.deploy_applications` packs it, so no field of it is lost here. Only a spec that is
    not sent at once can be kept, compared with what is served, and joined to another one; `serve.run_many` cannot do
    that. No fallback: RayMagicsError.
    """
    client_type = private("ray.serve._private.client:ServeControllerClient")
    packer = object.__new__(client_type)  # its __init__ would ask the controller
    packer._controller, packer._shutdown = _ControllerStub(), False
    try:
        packer.deploy_applications([built.ray_app])
    except _Sent as sent:
        deployments, applications = sent.args
        args_type = _pb2().DeploymentArgs
        by_name = {args_type.FromString(data).deployment_name: data for data in deployments[built.name]}
        return DeploySpec(built.name, by_name, applications[built.name])
    raise RayMagicsError("Serve's client does not deploy as that of Ray 2.60 does, which %%ray_serve needs.")


def with_added_deployments(previous: DeploySpec, new: DeploySpec) -> DeploySpec:
    """The previous application with the new one's other deployments beside its own, out of reach of requests.

    Ray 2.60: fields of `DeploymentArgs`. No fallback.
    """
    added = {}
    for name, data in new.deployments.items():
        if name not in previous.deployments:
            args = _pb2().DeploymentArgs.FromString(data)
            args.ingress = args.ingress_request_router = False
            args.ClearField("route_prefix")
            added[name] = args.SerializeToString()
    return replace(previous, deployments={**previous.deployments, **added})


def running_spec(name: str, deployments: Sequence[str], ingress: str, external_scaler: bool) -> DeploySpec:
    """A running application as the controller was sent it, so that `deploy` can send it again.

    Ray 2.60: `ServeController.get_deployment_info`. No fallback: Ray's errors pass.
    """
    import ray

    controller = _controller()
    refs = [controller.get_deployment_info.remote(deployment, name) for deployment in deployments]
    routes = [_pb2().DeploymentRoute.FromString(data) for data in _get(refs)]
    job = ray.get_runtime_context().get_job_id()
    args = {
        deployment: deployment_args(deployment, route, job, deployment == ingress).SerializeToString()
        for deployment, route in zip(deployments, routes, strict=True)
    }
    application = _pb2().ApplicationArgs(external_scaler_enabled=external_scaler)
    return DeploySpec(name, args, application.SerializeToString())


def deployment_args(name: str, route: Any, job: str, ingress: bool) -> Any:
    """The `DeploymentArgs` of a running deployment, from the `DeploymentRoute` that the controller has of it.

    Ray 2.60: these messages; the controller does not tell which job has deployed it, so it is the job of this kernel.
    """
    info = route.deployment_info
    info.deployment_config.version = info.version
    args = _pb2().DeploymentArgs(
        deployment_name=name,
        deployment_config=info.deployment_config.SerializeToString(),
        replica_config=info.replica_config.SerializeToString(),
        deployer_job_id=job,
        ingress=ingress,
        ingress_request_router=info.ingress_request_router,
        uses_multiplexing=_uses_multiplexing(info.replica_config.deployment_def),
    )
    if ingress and route.route:
        args.route_prefix = route.route
    return args


def _uses_multiplexing(pickled: bytes) -> bool:
    """Whether pickled code has a function under `@serve.multiplexed`; nothing is unpickled or imported to find out.

    Ray 2.60: its mark on such functions. Fallback: False, as for a class of a module that is not loaded here.
    """
    if _MULTIPLEXED in pickled:
        return True
    from pickletools import genops  # slow to import

    names = [argument for _, argument, _ in islice(genops(pickled), 10) if isinstance(argument, str)]
    if len(names) != 2:
        return False
    definition = getattr(sys.modules.get(names[0]), names[1], None)  # pickled by its name
    return bool(private("ray.serve._private.utils:_callable_uses_multiplexing")(definition))


def reconfigured(spec: DeploySpec, deployment: str, changes: Mapping[str, Any]) -> DeploySpec:
    """The same version with other options that need no new replica: user_config, num_replicas, autoscaling …

    Ray 2.60: `DeploymentConfig`, changed as `Deployment.options` changes it. Raises ValueError for what Ray refuses.
    """
    args = _pb2().DeploymentArgs.FromString(spec.deployments[deployment])
    config = private("ray.serve._private.config:DeploymentConfig").from_proto_bytes(args.deployment_config)
    for option, value in changes.items():
        setattr(config, option, value)
    args.deployment_config = config.to_proto_bytes()
    return replace(spec, deployments={**spec.deployments, deployment: args.SerializeToString()})


# --- what Serve's controller does and says


def client() -> Any:
    """Serve's client of this cluster; None while Serve does not run, or where there is no connection to ask.

    Ray 2.60: `ray.serve.context._get_global_client`. No fallback: RayMagicsError.
    """
    if not connection.is_up():  # Ray would start a cluster of its own
        return None
    asked = connection.session().part(_ClientAsked)
    if asked.is_fresh:  # Ray compares job ids, and that is 01000000 on each new cluster
        asked.is_fresh = False
        private("ray.serve.context:_set_global_client")(None)
    with quiet():
        return private("ray.serve.context:_get_global_client")(raise_if_no_controller_running=False)


def _controller() -> Any:
    """Ray 2.60: `ServeControllerClient._controller`. Raises RayMagicsError where Serve does not run."""
    serve_client = client()
    if serve_client is None:
        raise RayMagicsError("Serve does not run here any more.")
    return serve_client._controller


def _get(refs: Any, timeout: float = _ASK_TIMEOUT) -> Any:
    """What the controller answers, to one question or several. Raises ServeUnavailable."""
    import ray

    try:
        return ray.get(refs, timeout=timeout)
    except (ray.exceptions.GetTimeoutError, ray.exceptions.ActorUnavailableError) as error:
        raise ServeUnavailable("Serve's controller does not answer just now; try again in a moment.") from error


def instance_details() -> dict[str, Any] | None:
    """All that the controller knows (2 to 4 ms), as Ray's `ServeInstanceDetails`; None while Serve is not there.

    Ray 2.60: `ServeController.get_serve_instance_details`. Raises ServeUnavailable; no fallback.
    """
    import ray

    serve_client = client()
    if serve_client is None:
        return None
    try:
        return dict(_get(serve_client._controller.get_serve_instance_details.remote()))
    except (ray.exceptions.RayActorError, ray.exceptions.RaySystemError) as error:
        log.debug("Serve's controller is gone: %r", error)
        return None


def deploy(spec: DeploySpec) -> None:
    """Sends it to the controller; returns at once. Replicas of a version that is sent again stay as they are.

    Ray 2.60: `ServeController.deploy_applications`. No fallback: Ray's errors pass.
    """
    deployments = {spec.name: list(spec.deployments.values())}
    _get(_controller().deploy_applications.remote(deployments, {spec.name: spec.application}), _DEPLOY_TIMEOUT)


def is_deployed(spec: DeploySpec, names: Collection[str]) -> bool:
    """Whether the controller still has these deployments of a spec, in its versions.

    Ray 2.60: `ServeController.get_deployment_info`. Raises ServeUnavailable; no fallback.
    """
    pb2, controller = _pb2(), _controller()
    try:
        for name in set(spec.deployments) & set(names):
            config = pb2.DeploymentConfig.FromString(
                pb2.DeploymentArgs.FromString(spec.deployments[name]).deployment_config
            )
            route = pb2.DeploymentRoute.FromString(_get(controller.get_deployment_info.remote(name, spec.name)))
            if route.deployment_info.version != config.version:
                return False
    except KeyError:  # one of them is not there
        return False
    return True


def delete(name: str) -> None:
    """Ends an application; returns at once (Ray 2.60: `ServeControllerClient.delete_apps`). No fallback."""
    with quiet():
        if (serve_client := client()) is not None:
            serve_client.delete_apps([name], blocking=False)


def ongoing_requests(actor_names: Sequence[str], actors: dict[str, Any], timeout: float = 0.5) -> dict[str, int]:
    """Actor name of a replica -> its requests under way, of those that answer in time.

    Ray 2.60: `get_num_ongoing_requests` of a replica. Fallback: no figures.

    Args:
        actors: keeps them from one call to the next, for finding them costs the cluster more than asking them.
    """
    import ray

    for name in set(actors) - set(actor_names):
        del actors[name]
    if not connection.is_up():
        return {}
    names: dict[Any, str] = {}
    for name in actor_names:
        try:
            actors[name] = actors.get(name) or ray.get_actor(name, namespace=NAMESPACE)
            names[actors[name].get_num_ongoing_requests.remote()] = name
        except (ValueError, AttributeError) as error:  # it is gone, or has no such method any more
            log.debug("no figures of %s: %s", name, error)
    if not names:
        return {}
    ready, _ = ray.wait(list(names), num_returns=len(names), timeout=timeout)
    return dict(_counts(ready, names))


def _counts(refs: Sequence[Any], names: Mapping[Any, str]) -> Iterator[tuple[str, int]]:
    import ray

    for ref in refs:
        try:
            yield names[ref], int(ray.get(ref))
        except ray.exceptions.RayError as error:
            log.debug("no figures of %s: %s", names[ref], error)


def logs_dir() -> str:
    """Where this machine's Ray keeps its logs.

    Ray 2.60: the driver's node in `ray._private.worker`. Fallback: the newest session.
    """
    try:
        return str(import_module("ray._private.worker")._global_node.get_logs_dir_path())
    except (ImportError, AttributeError) as error:
        log.debug("no folder of logs: %r", error)
        return "/tmp/ray/session_latest/logs"
