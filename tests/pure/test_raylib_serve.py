"""The private API of Ray Serve that `raylib.serve` and `raylib.logs` stand on is still there; no cluster."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from ray_magics.raylib import logs as worker_logs
from ray_magics.raylib import serve as private
from ray_magics.verbs.serve.figures import access

serve = pytest.importorskip("ray.serve")


def test_an_application_is_built_from_these_parts() -> None:
    from ray.serve._private.build_app import BuiltApplication, build_app

    assert {"name", "route_prefix", "default_runtime_env"} <= set(inspect.signature(build_app).parameters)
    fields = set(BuiltApplication.__dataclass_fields__)
    assert {"name", "route_prefix", "ingress_deployment_name", "deployments"} <= fields
    assert hasattr(BuiltApplication, "validate_single_fastapi_ingress")


def test_a_deployment_tells_its_options_and_what_it_reserves() -> None:
    deployment = serve.deployment(max_ongoing_requests=7, ray_actor_options={"num_cpus": 0.5})(lambda request: 1)
    assert "max_ongoing_requests" in private.configured(deployment)
    assert private.request_of(deployment) == {"CPU": 0.5}
    scaled = deployment.options(autoscaling_config={"min_replicas": 0, "max_replicas": 2})
    assert private.autoscaling_of(scaled).min_replicas == 0 and private.autoscaling_of(deployment) is None
    outer = serve.deployment(type("Outer", (), {})).bind(inner := deployment.bind())
    assert private.parts(outer) == [inner]


def test_the_controller_has_these_methods_and_messages_these_fields() -> None:
    from ray.serve._private.client import ServeControllerClient, _callable_uses_multiplexing
    from ray.serve._private.controller import ServeController
    from ray.serve._private.deploy_utils import get_deploy_args
    from ray.serve.context import _get_global_client
    from ray.serve.generated import serve_pb2

    assert callable(_callable_uses_multiplexing)
    assert "raise_if_no_controller_running" in inspect.signature(_get_global_client).parameters
    assert {"blocking"} <= set(inspect.signature(ServeControllerClient.delete_apps).parameters)
    assert {"replica_config", "ingress", "deployment_config", "version", "route_prefix"} <= set(
        inspect.signature(get_deploy_args).parameters
    )
    for method in ("get_serve_instance_details", "get_deployment_info", "deploy_applications"):
        assert hasattr(ServeController, method), method
    wanted = {"deployment_name", "deployment_config", "replica_config", "deployer_job_id", "route_prefix", "ingress"}
    assert wanted <= set(serve_pb2.DeploymentArgs.DESCRIPTOR.fields_by_name)
    assert {"deployment_info", "route"} <= set(serve_pb2.DeploymentRoute.DESCRIPTOR.fields_by_name)
    assert "version" in serve_pb2.DeploymentInfo.DESCRIPTOR.fields_by_name


def test_options_of_a_running_deployment_change_in_its_message() -> None:
    from ray.serve._private.config import DeploymentConfig
    from ray.serve.generated import serve_pb2

    config = DeploymentConfig.model_validate({"num_replicas": 1, "user_config": {"a": 1}, "max_ongoing_requests": 7})
    message = serve_pb2.DeploymentArgs(deployment_name="M", deployment_config=config.to_proto_bytes(), ingress=True)
    told = private.DeploySpec("app", [message.SerializeToString()])
    (changed,) = private.reconfigured(told, "M", {"user_config": {"a": 2}, "num_replicas": 3}).deployments
    found = DeploymentConfig.from_proto_bytes(serve_pb2.DeploymentArgs.FromString(changed).deployment_config)
    assert (found.user_config, found.num_replicas, found.max_ongoing_requests) == ({"a": 2}, 3, 7)


def test_the_new_parts_join_the_old_application_out_of_reach() -> None:
    from ray.serve.generated import serve_pb2

    def told(*names: str) -> private.DeploySpec:
        made = [serve_pb2.DeploymentArgs(deployment_name=name, ingress=n == 0) for n, name in enumerate(names)]
        made[0].route_prefix = "/"
        return private.DeploySpec("app", [one.SerializeToString() for one in made])

    joined = private.joined(told("A", "B"), told("C", "B"))
    found = [serve_pb2.DeploymentArgs.FromString(one) for one in joined.deployments]
    assert [(one.deployment_name, one.ingress, one.route_prefix) for one in found] == [
        ("A", True, "/"), ("B", False, ""), ("C", False, ""),
    ]  # fmt: skip


def test_access_lines_look_as_they_are_read() -> None:
    from ray.serve._private.logging_utils import access_log_msg

    line = access_log_msg(method="GET", route="/digits", status="200", latency_ms=5.25)
    assert access(f"INFO 2026-11-21 09:25:10,107 app_M 42oaq52t f0ac -- {line}") == ("/digits", False, 5.2)


def test_a_replica_says_how_many_requests_it_has_and_goodbye() -> None:
    from ray.serve._private import replica

    assert hasattr(replica.ReplicaActor if hasattr(replica, "ReplicaActor") else replica.Replica, "get_num_ongoing_requests")  # fmt: skip
    assert "Graceful shutdown complete" in inspect.getsource(replica)


def test_lines_of_serve_are_kept_from_the_cell_and_others_pass() -> None:
    from ray._private.ray_logging import WorkerStandardStreamDispatcher, global_worker_stdstream_dispatcher

    assert isinstance(global_worker_stdstream_dispatcher, WorkerStandardStreamDispatcher)
    assert hasattr(global_worker_stdstream_dispatcher, "_lock") and hasattr(
        global_worker_stdstream_dispatcher, "handlers"
    )
    passed: list[Any] = []
    sieve = worker_logs._filtered(passed.append, ("ServeReplica",), bool)
    others = [
        {"actor_name": None, "lines": ["x"]},
        {"actor_name": "Counter"},
        {"pid": "raylet", "lines": ["a node died"]},
    ]
    for data in (
        *others,
        {"actor_name": "ServeReplica:app:M"},
        {"pid": "raylet", "lines": ["Task ServeReplica.f failed"]},
    ):
        sieve(data)
    assert passed == others and worker_logs._filtered(sieve, ("ServeReplica",), bool) is sieve
    assert (
        worker_logs._filtered(sieve, (), bool) is sieve and worker_logs._filtered(sieve, ("Other",), bool) is not sieve
    )
