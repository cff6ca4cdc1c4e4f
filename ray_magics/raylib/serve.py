"""Asks Ray Serve's controller, and has it deploy and delete; the only place that talks to it.

Tried on Ray 2.60.0. Each function names what it uses of Ray's private API and its fallback; a name that must be there
is fetched by `private`, which says in one line what the installed Ray lacks. `tests/pure/test_raylib_serve.py` fails
loudly when one of them changes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from .. import connection
from ..errors import RayMagicsError, ServeUnavailable
from .private import private
from .quiet import Quiet
from .serve_spec import DeploySpec, deployment_args, messages

log = logging.getLogger(__name__)

PRIVATE = (
    "ray._private.node:Node.get_logs_dir_path",
    "ray._private.worker:_global_node",
    "ray.serve._private.client:ServeControllerClient._controller",
    "ray.serve._private.client:ServeControllerClient.delete_apps",
    "ray.serve._private.controller:ServeController.deploy_applications",
    "ray.serve._private.controller:ServeController.get_deployment_info",
    "ray.serve._private.controller:ServeController.get_serve_instance_details",
    "ray.serve._private.replica:ReplicaActor.get_num_ongoing_requests",
    "ray.serve.context:_get_global_client",
    "ray.serve.context:_set_global_client",
    "ray.serve.generated.serve_pb2:DeploymentRoute",
)
NAMESPACE = "serve"  # of Serve's actors
_ASK_TIMEOUT, _DEPLOY_TIMEOUT = 5.0, 30.0  # seconds


class _ClientAsked:
    """In the session of a connection for which Serve's client was asked already."""

    is_fresh = True


quiet = Quiet(logging.ERROR, ("ray.serve",), least=logging.WARNING)
"""Serve prints to its driver what a view shows better."""


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


def running_spec(name: str, deployments: Sequence[str], ingress: str, external_scaler: bool) -> DeploySpec:
    """A running application as the controller was sent it, so that `deploy` can send it again.

    Ray 2.60: `ServeController.get_deployment_info`. No fallback: Ray's errors pass.
    """
    import ray

    controller = _controller()
    refs = [controller.get_deployment_info.remote(deployment, name) for deployment in deployments]
    routes = [messages().DeploymentRoute.FromString(data) for data in _get(refs)]
    job = ray.get_runtime_context().get_job_id()
    args = {
        deployment: deployment_args(deployment, route, job, deployment == ingress).SerializeToString()
        for deployment, route in zip(deployments, routes, strict=True)
    }
    application = messages().ApplicationArgs(external_scaler_enabled=external_scaler)
    return DeploySpec(name, args, application.SerializeToString())


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
    pb2, controller = messages(), _controller()
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
