"""An application as Ray Serve's client builds it, and the messages in which Serve's controller gets it; no cluster.

Tried on Ray 2.60.0. Each function names what it uses of Ray's private API and its fallback; a name that must be there
is fetched by `private`, which says in one line what the installed Ray lacks. `tests/pure/test_raylib_serve.py` fails
loudly when one of them changes, or when Ray's own client sends a field that is lost here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice
from typing import Any

from ..errors import RayMagicsError
from .private import private

PRIVATE = (
    "ray.serve._private.build_app:build_app",
    "ray.serve._private.client:ServeControllerClient._controller",
    "ray.serve._private.client:ServeControllerClient.deploy_applications",
    "ray.serve._private.config:DeploymentConfig.autoscaling_config",
    "ray.serve._private.config:DeploymentConfig.from_proto_bytes",
    "ray.serve._private.config:DeploymentConfig.to_proto_bytes",
    "ray.serve._private.config:DeploymentConfig.user_configured_option_names",
    "ray.serve._private.config:ReplicaConfig.resource_dict",
    "ray.serve._private.config:ReplicaConfig.serialized_deployment_def",
    "ray.serve._private.config:ReplicaConfig.serialized_init_args",
    "ray.serve._private.config:ReplicaConfig.serialized_init_kwargs",
    "ray.serve._private.utils:_callable_uses_multiplexing",
    "ray.serve.deployment:Application._bound_deployment",
    "ray.serve.deployment:Deployment._deployment_config",
    "ray.serve.deployment:Deployment._replica_config",
    "ray.serve.generated.serve_pb2:ApplicationArgs",
    "ray.serve.generated.serve_pb2:DeploymentArgs",
    "ray.serve.generated.serve_pb2:DeploymentConfig",
)
_MULTIPLEXED = b"_serve_multiplexed_function"  # Ray's mark on what @serve.multiplexed decorates


def messages() -> Any:
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
    bound = bound_deployment(application)
    arguments = [*getattr(bound, "init_args", ()), *dict(getattr(bound, "init_kwargs", {})).values()]
    inner = [argument for argument in arguments if type(argument) is type(application)]
    return [*inner, *(deeper for one in inner for deeper in bound_applications(one))]


def bound_deployment(application: Any) -> Any:
    """The deployment of an Application, with the arguments it is bound to as `init_args` and `init_kwargs`.

    Ray 2.60: `Application._bound_deployment`. Fallback: None.
    """
    return getattr(application, "_bound_deployment", None)


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
        args_type = messages().DeploymentArgs
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
            args = messages().DeploymentArgs.FromString(data)
            args.ingress = args.ingress_request_router = False
            args.ClearField("route_prefix")
            added[name] = args.SerializeToString()
    return replace(previous, deployments={**previous.deployments, **added})


def deployment_args(name: str, route: Any, job: str, ingress: bool) -> Any:
    """The `DeploymentArgs` of a running deployment, from the `DeploymentRoute` that the controller has of it.

    Ray 2.60: these messages; the controller does not say which job has deployed it, so it is the job of this kernel.
    """
    info = route.deployment_info
    info.deployment_config.version = info.version
    args = messages().DeploymentArgs(
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


def _with_fields(known: Any, fields: Mapping[str, Any]) -> Any:
    """An AutoscalingConfig with other values in these fields, and its own policy. Raises ValueError for wrong ones."""
    bounds = {name: getattr(known, name, None) for name in ("min_replicas", "max_replicas", "initial_replicas")}
    checked = type(known)(**{**bounds, **fields})
    return known.model_copy(update={name: getattr(checked, name) for name in fields})


def fixing(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options, of which a number of replicas ends the autoscaling that Ray would go on with."""
    is_fixed = isinstance(options.get("num_replicas"), int)
    return {**options, "autoscaling_config": None} if is_fixed else options


def reconfigured(spec: DeploySpec, deployment: str, changes: Mapping[str, Any]) -> DeploySpec:
    """The same version with other options that need no new replica: user_config, num_replicas, autoscaling …

    Ray 2.60: `DeploymentConfig`, changed as `Deployment.options` changes it. Raises ValueError for what Ray refuses.
    """
    args = messages().DeploymentArgs.FromString(spec.deployments[deployment])
    config = private("ray.serve._private.config:DeploymentConfig").from_proto_bytes(args.deployment_config)
    for option, value in fixing(changes).items():
        is_partial = option == "autoscaling_config" and isinstance(value, Mapping)
        known = config.autoscaling_config if is_partial else None
        setattr(config, option, value if known is None else _with_fields(known, value))
    args.deployment_config = config.to_proto_bytes()
    return replace(spec, deployments={**spec.deployments, deployment: args.SerializeToString()})
