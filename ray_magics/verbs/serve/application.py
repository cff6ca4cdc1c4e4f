"""From what the notebook has to what Serve deploys: the application with the options of the line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from ...errors import UsageError, first_line
from ...line.parsers import close_to
from ...raylib import serve as private
from ...raylib import serve_spec
from ...raylib.serve_spec import BuiltApplication
from ...ship.captures import Capture, reads_of
from ...ship.definitions import source_of
from ...ship.inspection import nbytes_of
from ...ship.picklable import cannot_ship, is_picklable
from ...units import size_text
from .capacity import ReplicaRequest
from .plan import APPLICATION, ASGI_APP, DEFINITION, ServePlan, Subject
from .served import CHECK_SUFFIX

MAX_CODE_SIZE = 100 * 2**20  # bytes
NOTEBOOK_DEFAULTS: Mapping[str, Any] = {
    "max_ongoing_requests": 100,  # Ray's 5 makes a burst of requests wait for one another
    "max_surge_percent": 100,  # an update starts its replicas beside the old ones
    "max_constructor_retry_count": 1,  # a mistake in a constructor is an error after the first try, not the third
}

_READS_BODY = re.compile(r"\.(json|body|form|stream)\(\)")


def build_application(subject: Subject, plan: ServePlan, namespace: dict[str, Any]) -> BuiltApplication:
    """The application of a plan. Raises UsageError for what Serve would refuse."""
    try:
        with private.quiet():
            built = serve_spec.build(_application(subject, plan), plan.name, plan.route_prefix)
            return serve_spec.with_deployments(built, _configured(built, plan))
    except (ValueError, TypeError) as error:
        _name_culprit(subject, namespace, error)
        raise UsageError(f"Ray Serve refuses this: {first_line(error)}") from error


def build_check(subject: Subject, plan: ServePlan) -> BuiltApplication:
    """The application with one replica of each deployment, under a name of its own and out of reach of requests."""
    with private.quiet():
        check = serve_spec.build(_application(subject, plan), f"{plan.name}{CHECK_SUFFIX}", None)
        deployments = {
            name: deployment.options(num_replicas=1, autoscaling_config=None)
            for name, deployment in _configured(check, plan).items()
        }
        return serve_spec.with_deployments(check, deployments)


def _name_culprit(subject: Subject, namespace: dict[str, Any], error: Exception) -> None:
    """Where a class or function reads a value that cannot be sent, raises UsageError that names it."""
    for name in reads_of(subject.value, namespace):
        if name in namespace and not is_picklable(namespace[name], namespace):
            raise cannot_ship(Capture(name, via=subject.label), namespace, _pickle_error(error)) from error


def _pickle_error(error: Exception) -> Exception:
    """What pickle had against it; Serve says that somewhere in a long text."""
    match = re.search(r"cannot pickle [^\n]+", f"{error}\n{error.__cause__}")
    return TypeError(match[0]) if match else error


def check_size(built: BuiltApplication, namespace: dict[str, Any]) -> None:
    """Serve's controller keeps the code of every deployment with its values; large ones block it. Raises UsageError."""
    for name, deployment in built.deployments.items():
        if serve_spec.code_size(deployment) <= MAX_CODE_SIZE:
            continue
        reads = [read for read in reads_of(deployment.func_or_class, namespace) if read in namespace]
        sizes = {read: nbytes_of(namespace[read]) or 0 for read in reads}
        largest = max(sizes, key=lambda read: sizes[read], default="")
        what = f'"{largest}" ({size_text(sizes[largest])}), which {name} reads,' if largest else f"{name}"
        raise UsageError(
            f"{what} is too large to travel with a deployment: Serve's controller keeps {size_text(MAX_CODE_SIZE)} "
            "of each at most. Load it in __init__, from a file that the replicas can read."
        )


def _application(subject: Subject, plan: ServePlan) -> Any:
    """Ray's Application, bound to its arguments. Raises UsageError where they do not fit."""
    from ray import serve

    if subject.kind == APPLICATION:
        if plan.bind:
            raise UsageError(f"--bind: {subject.label} is bound to its arguments already.")
        return subject.value
    deployment: Any = subject.value
    if subject.kind == ASGI_APP:
        deployment = serve.deployment(serve.ingress(subject.value)(type(subject.name or "App", (), {})))
    elif subject.kind == DEFINITION:
        deployment = serve.deployment(subject.value)
    _check_arguments(deployment.func_or_class, plan.bind, subject.label)
    if "user_config" in plan.options and not hasattr(deployment.func_or_class, "reconfigure"):
        raise UsageError(f"--user-config: {subject.label} has no method reconfigure(self, config) that would take it.")
    return deployment.bind(**plan.bind)


def _check_arguments(definition: Any, arguments: Mapping[str, Any], label: str) -> None:
    """A constructor that would not take these arguments is an error before anything starts."""
    if not inspect.isclass(definition):
        if arguments:
            raise UsageError(f"--bind: {label} is a function; only classes are bound to arguments.")
        return
    try:
        inspect.signature(definition).bind(**arguments)
    except TypeError as error:
        raise UsageError(
            f'{label}: {error}; give it as --bind "name=EXPRESSION", or end the cell with {label}.bind(...).'
        ) from None
    except ValueError:
        return  # a constructor without a signature


def _configured(built: BuiltApplication, plan: ServePlan) -> dict[str, Any]:
    """Each deployment with the notebook's defaults, the ingress with the options of the line."""
    deployments = {}
    for name, deployment in built.deployments.items():
        by_user = serve_spec.configured_options(deployment)
        options = {option: value for option, value in NOTEBOOK_DEFAULTS.items() if option not in by_user}
        if plan.replace:
            options["max_surge_percent"] = 0
        if name == built.ingress:
            options.update(_ingress_options(deployment, plan.options))
        deployments[name] = deployment.options(**options)
    return deployments


def _ingress_options(deployment: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the line, its resources laid over those that the deployment has."""
    _check_autoscaling(options.get("autoscaling_config"))
    if serve_spec.autoscaling_config_of(deployment) is not None:
        options = serve_spec.fixing(options)
    actor_options = options.get("ray_actor_options")
    if actor_options is None:
        return dict(options)
    return {**options, "ray_actor_options": {**(deployment.ray_actor_options or {}), **actor_options}}


def _check_autoscaling(config: Any) -> None:
    """Ray passes over a field that it does not know."""
    if not isinstance(config, Mapping):
        return
    from ray.serve.config import AutoscalingConfig

    known = sorted(AutoscalingConfig.model_fields)
    for name in config:
        if name not in known:
            close = close_to(str(name), known)
            hint = f"did you mean {close}?" if close else f"there are {', '.join(known)}."
            raise UsageError(f"--autoscaling-config: Ray has no field {name!r}; {hint}")


def replica_requests(built: BuiltApplication, one_each: bool) -> list[ReplicaRequest]:
    """What the replicas reserve that start together: all of a first version, of an update `one_each` deployment."""
    return [
        ReplicaRequest(name, serve_spec.resources_of(deployment), 1 if one_each else initial_replicas(deployment))
        for name, deployment in built.deployments.items()
    ]


def initial_replicas(deployment: Any) -> int:
    """How many replicas a deployment starts with."""
    config = serve_spec.autoscaling_config_of(deployment)
    if config is None:
        return int(deployment.num_replicas or 1)
    initial = getattr(config, "initial_replicas", None)
    return int(config.min_replicas if initial is None else initial)


def reads_body(built: BuiltApplication) -> bool:
    """Whether the code that requests reach reads their body, as far as its source says."""
    code = built.deployments[built.ingress].func_or_class
    return bool(_READS_BODY.search(source_of(code)))
