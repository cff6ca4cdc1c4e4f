"""From what the notebook has to what Serve deploys: the application with the options of the line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from ...errors import UsageError, first_line
from ...line.parsers import close_to
from ...raylib import serve as private
from ...raylib.serve import Built
from ...ship.captures import Capture, reads_of
from ...ship.inspection import nbytes_of
from ...ship.picklable import cannot_ship, is_picklable
from ...units import size_text
from .capacity import Requests
from .plan import APPLICATION, DEFINITION, ServePlan, Subject
from .watch import CHECK

LARGEST = 100 * 2**20  # bytes
NOTEBOOK_DEFAULTS: Mapping[str, Any] = {
    "max_ongoing_requests": 100,  # Ray's 5 makes a burst of requests wait for one another
    "max_surge_percent": 100,  # an update starts its replicas beside the old ones
    "max_constructor_retry_count": 1,  # a mistake in a constructor is told after the first try, not the third
}


def make_built(subject: Subject, plan: ServePlan, namespace: dict[str, Any]) -> Built:
    """The application of a plan, built. Raises UsageError for what Serve would refuse."""
    try:
        with private.quiet():
            built = private.build(_application(subject, plan), plan.name, plan.route_prefix)
            return private.with_deployments(built, _configured(built, plan))
    except (ValueError, TypeError) as error:
        _name_culprit(subject, namespace, error)
        raise UsageError(f"Ray Serve refuses this: {first_line(error)}") from error


def _name_culprit(subject: Subject, namespace: dict[str, Any], error: Exception) -> None:
    """Where a class or function reads a value that cannot travel, raises UsageError that names it."""
    for name in reads_of(subject.value, namespace):
        if name in namespace and not is_picklable(namespace[name], namespace):
            raise cannot_ship(Capture(name, via=subject.label), namespace, _not_picklable(error)) from error


def check_size(built: Built, namespace: dict[str, Any]) -> None:
    """Serve's controller keeps the code of every deployment with its values; large ones block it. Raises UsageError."""
    for name, one in built.deployments.items():
        size = private.size_of(one)
        if size <= LARGEST:
            continue
        read = {
            key: nbytes_of(namespace[key]) or 0 for key in reads_of(one.func_or_class, namespace) if key in namespace
        }
        largest = max(read, key=lambda key: read[key], default="")
        what = f'"{largest}" ({size_text(read[largest])}), which {name} reads,' if largest else f"{name}"
        raise UsageError(
            f"{what} is too large to travel with a deployment: Serve's controller keeps {size_text(LARGEST)} of each "
            "at most. Load it in __init__, from a file that the replicas can read."
        )


def _not_picklable(error: Exception) -> Exception:
    """What pickle had against it; Serve says that somewhere in a long text."""
    found = re.search(r"cannot pickle [^\n]+", f"{error}\n{error.__cause__}")
    return TypeError(found[0]) if found else error


def check_version(built: Built, subject: Subject, plan: ServePlan) -> Built:
    """The same with one replica of each deployment, under a name of its own and out of reach of requests."""
    name = f"{plan.name}{CHECK}"
    with private.quiet():
        made = private.build(_application(subject, plan), name, None)
        single = {
            key: one.options(num_replicas=1, autoscaling_config=None) for key, one in _configured(made, plan).items()
        }
        return private.with_deployments(made, single)


def _application(subject: Subject, plan: ServePlan) -> Any:
    from ray import serve

    if subject.kind == APPLICATION:
        if plan.bind:
            raise UsageError(f"--bind: {subject.label} is bound to its arguments already.")
        return subject.value
    deployment: Any = serve.deployment(subject.value) if subject.kind == DEFINITION else subject.value
    _check_arguments(deployment.func_or_class, plan.bind, subject.label)
    if "user_config" in plan.options and not hasattr(deployment.func_or_class, "reconfigure"):
        raise UsageError(f"--user-config: {subject.label} has no method reconfigure(self, config) that would take it.")
    return deployment.bind(**plan.bind)


def _check_arguments(kind: Any, arguments: Mapping[str, Any], label: str) -> None:
    """A constructor that would not take these arguments is told before anything starts."""
    if not inspect.isclass(kind):
        if arguments:
            raise UsageError(f"--bind: {label} is a function; only classes are bound to arguments.")
        return
    try:
        inspect.signature(kind).bind(**arguments)
    except TypeError as error:
        raise UsageError(
            f'{label}: {error}; give it as --bind "name=EXPRESSION", or end the cell with {label}.bind(...).'
        ) from None
    except ValueError:
        return  # a constructor without a signature


def _configured(built: Built, plan: ServePlan) -> dict[str, Any]:
    """Each deployment with the notebook's defaults, the ingress with the options of the line."""
    found = {}
    for name, one in built.deployments.items():
        own = private.configured(one)
        options = {key: value for key, value in NOTEBOOK_DEFAULTS.items() if key not in own}
        if plan.replace:
            options.update(max_surge_percent=0)
        if name == built.ingress:
            options.update(_of_line(one, plan.options))
        found[name] = one.options(**options)
    return found


def _check_scaling(config: Any) -> None:
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


def _of_line(deployment: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    _check_scaling(options.get("autoscaling_config"))
    actor = options.get("ray_actor_options")
    if actor is None:
        return dict(options)
    return {**options, "ray_actor_options": {**(deployment.ray_actor_options or {}), **actor}}


def requests(built: Built, one_each: bool) -> Requests:
    """What the replicas reserve that start together: all of a first version, of an update `one_each` deployment."""
    return [
        (name, private.request_of(one), 1 if one_each else replicas_of(one)) for name, one in built.deployments.items()
    ]


def replicas_of(deployment: Any) -> int:
    """How many replicas a deployment starts with."""
    scaling = private.autoscaling_of(deployment)
    if scaling is None:
        return int(deployment.num_replicas or 1)
    initial = getattr(scaling, "initial_replicas", None)
    return int(initial if initial is not None else scaling.min_replicas)
