"""The private API of Ray Serve that `raylib.serve` and `raylib.logs` stand on is still there; no cluster."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from ray_magics.errors import RayMagicsError
from ray_magics.raylib import logs as worker_logs
from ray_magics.raylib import serve_spec
from ray_magics.verbs.serve import application
from ray_magics.verbs.serve.figures import parse_access_line

serve = pytest.importorskip("ray.serve")


def test_an_application_is_built_from_these_parts() -> None:
    from ray.serve._private.build_app import BuiltApplication, build_app

    assert {"name", "route_prefix", "default_runtime_env"} <= set(inspect.signature(build_app).parameters)
    fields = set(BuiltApplication.__dataclass_fields__)
    assert {"name", "route_prefix", "ingress_deployment_name", "deployments"} <= fields
    assert hasattr(BuiltApplication, "validate_single_fastapi_ingress")


def test_a_deployment_tells_its_options_and_what_it_reserves() -> None:
    deployment = serve.deployment(max_ongoing_requests=7, ray_actor_options={"num_cpus": 0.5})(lambda request: 1)
    assert "max_ongoing_requests" in serve_spec.configured_options(deployment)
    assert serve_spec.resources_of(deployment) == {"CPU": 0.5}
    scaled = deployment.options(autoscaling_config={"min_replicas": 0, "max_replicas": 2})
    assert (
        serve_spec.autoscaling_config_of(scaled).min_replicas == 0
        and serve_spec.autoscaling_config_of(deployment) is None
    )
    outer = serve.deployment(type("Outer", (), {})).bind(inner := deployment.bind())
    assert serve_spec.bound_applications(outer) == [inner]


def test_the_controller_has_these_methods_and_messages_these_fields() -> None:
    from ray.serve._private.client import ServeControllerClient
    from ray.serve._private.controller import ServeController
    from ray.serve.context import _get_global_client
    from ray.serve.generated import serve_pb2

    assert "raise_if_no_controller_running" in inspect.signature(_get_global_client).parameters
    assert {"blocking"} <= set(inspect.signature(ServeControllerClient.delete_apps).parameters)
    for method in ("get_serve_instance_details", "get_deployment_info", "deploy_applications"):
        assert hasattr(ServeController, method), method
    assert {"deployment_info", "route"} <= set(serve_pb2.DeploymentRoute.DESCRIPTOR.fields_by_name)


def test_options_of_a_running_deployment_change_in_its_message() -> None:
    from ray.serve._private.config import DeploymentConfig
    from ray.serve.generated import serve_pb2

    config = DeploymentConfig.model_validate({"num_replicas": 1, "user_config": {"a": 1}, "max_ongoing_requests": 7})
    message = serve_pb2.DeploymentArgs(deployment_name="M", deployment_config=config.to_proto_bytes(), ingress=True)
    spec = serve_spec.DeploySpec("app", {"M": message.SerializeToString()})
    changed = serve_spec.reconfigured(spec, "M", {"user_config": {"a": 2}, "num_replicas": 3}).deployments["M"]
    found = DeploymentConfig.from_proto_bytes(serve_pb2.DeploymentArgs.FromString(changed).deployment_config)
    assert (found.user_config, found.num_replicas, found.max_ongoing_requests) == ({"a": 2}, 3, 7)


def test_a_scaling_policy_of_the_user_survives_a_change_in_place() -> None:
    scaling = {"min_replicas": 1, "max_replicas": 2, "policy": {"policy_function": policy}}
    deployment = serve.deployment(autoscaling_config=scaling)(Plain)
    spec = spec_of(built(deployment.bind()))
    before, after = (
        args_of(one)["Plain"] for one in (spec, serve_spec.reconfigured(spec, "Plain", {"user_config": 1}))
    )
    kept = [config_of(args).autoscaling_config.policy._serialized_policy_def for args in (before, after)]
    assert kept[0] and kept[0] == kept[1] and config_of(before).user_config != config_of(after).user_config


def test_a_number_of_replicas_ends_the_autoscaling() -> None:
    deployment = serve.deployment(autoscaling_config={"min_replicas": 1, "max_replicas": 3})(Plain)
    assert config_of(args_of(spec_of(built(deployment.bind())))["Plain"]).HasField("autoscaling_config")
    fixed = serve_spec.reconfigured(spec_of(built(deployment.bind())), "Plain", {"num_replicas": 2})
    config = config_of(args_of(fixed)["Plain"])
    assert config.num_replicas == 2 and not config.HasField("autoscaling_config")
    made = deployment.options(**application._ingress_options(deployment, {"num_replicas": 2}))
    assert (made.num_replicas, serve_spec.autoscaling_config_of(made)) == (2, None)


@pytest.mark.parametrize("changes", [{"num_replicas": "auto"}, {"max_ongoing_requests": 0}, {"user_config": {1, 2}}])
def test_what_ray_refuses_in_place_is_a_value_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        serve_spec.reconfigured(spec_of(built(serve.deployment(Plain).bind())), "Plain", changes)


def test_the_new_parts_join_the_old_application_out_of_reach() -> None:
    from ray.serve.generated import serve_pb2

    def spec(*names: str, scaler: bool) -> serve_spec.DeploySpec:
        args = {name: serve_pb2.DeploymentArgs(deployment_name=name) for name in names}
        args[names[0]].ingress, args[names[0]].route_prefix, args[names[-1]].ingress_request_router = True, "/", True
        application = serve_pb2.ApplicationArgs(external_scaler_enabled=scaler).SerializeToString()
        return serve_spec.DeploySpec("app", {name: one.SerializeToString() for name, one in args.items()}, application)

    old, new = spec("A", "B", scaler=True), spec("C", "B", "D", scaler=False)
    joined = serve_spec.with_added_deployments(old, new)
    found = args_of(joined).values()
    assert [(one.deployment_name, one.ingress, one.route_prefix, one.ingress_request_router) for one in found] == [
        ("A", True, "/", False), ("B", False, "", True), ("C", False, "", False), ("D", False, "", False),
    ]  # fmt: skip
    assert joined.application == old.application and joined.deployments["B"] == old.deployments["B"]


# --- no field of Ray's own client is lost


class Plain:
    def __call__(self, request: Any) -> Any:
        return request

    def reconfigure(self, config: Any) -> None:
        pass


class Multi(Plain):
    @serve.multiplexed
    async def load(self, model: str) -> str:
        return model


def policy(context: Any) -> Any:
    return 1, {}


class Context:
    """Of a driver that is connected."""

    runtime_env: ClassVar[dict[str, Any]] = {}

    def get_job_id(self) -> str:
        return "01000000"


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.get_runtime_context", Context)


def built(application: Any, **changes: Any) -> serve_spec.BuiltApplication:
    one = serve_spec.build(application, "app", "/app")
    return replace(one, ray_app=replace(one.ray_app, **changes))


def rich() -> serve_spec.BuiltApplication:
    """An application that uses every field of the messages."""
    options = {"user_config": {"t": 1}, "max_ongoing_requests": 7, "logging_config": {"log_level": "DEBUG"},
               "autoscaling_config": {"min_replicas": 0, "max_replicas": 3}}  # fmt: skip
    inner = serve.deployment(ray_actor_options={"num_cpus": 0.5}, max_surge_percent=50)(Multi).bind()
    outer = serve.deployment(**options)(type("Outer", (Plain,), {"__init__": lambda self, model: None})).bind(inner)
    router = serve_spec.build(
        serve.deployment(name="Router", ray_actor_options={"num_cpus": 0})(Plain).bind(), "app", None
    ).ray_app.deployments[0]
    return built(outer, external_scaler_enabled=True, ingress_request_router_deployment=router)


def args_of(spec: serve_spec.DeploySpec) -> dict[str, Any]:
    from ray.serve.generated import serve_pb2

    return {name: serve_pb2.DeploymentArgs.FromString(data) for name, data in spec.deployments.items()}


def config_of(args: Any) -> Any:
    from ray.serve.generated import serve_pb2

    return serve_pb2.DeploymentConfig.FromString(args.deployment_config)


def spec_of(application: serve_spec.BuiltApplication) -> serve_spec.DeploySpec:
    return serve_spec.make_deploy_spec(application)


def fields_of(args: Any) -> dict[str, Any]:
    """The fields of a DeploymentArgs by name, the messages in it parsed; sets of names in any order."""
    from ray.serve.generated import serve_pb2

    config, replica = config_of(args), serve_pb2.ReplicaConfig.FromString(args.replica_config)
    names = sorted(config.user_configured_option_names)
    config.ClearField("user_configured_option_names")
    plain = {field.name: getattr(args, field.name) for field in args.DESCRIPTOR.fields}
    return {**plain, "deployment_config": (config, names), "replica_config": replica}


def test_the_messages_have_no_field_that_nobody_here_knows() -> None:
    from ray.serve.generated import serve_pb2

    assert set(serve_pb2.ApplicationArgs.DESCRIPTOR.fields_by_name) == {"external_scaler_enabled"}
    assert set(serve_pb2.DeploymentArgs.DESCRIPTOR.fields_by_name) == {
        "deployment_name", "deployment_config", "replica_config", "deployer_job_id", "route_prefix", "ingress",
        "docs_path", "ingress_request_router", "uses_multiplexing",
    }  # fmt: skip
    assert set(serve_pb2.DeploymentInfo.DESCRIPTOR.fields_by_name) == {
        "name", "deployment_config", "replica_config", "start_time_ms", "actor_name", "version", "end_time_ms",
        "target_capacity", "target_capacity_direction", "ingress_request_router",
    }  # fmt: skip


def test_a_first_deployment_is_sent_as_rays_own_client_sends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.serve._private import client as ray_client

    monkeypatch.setattr(ray_client, "get_random_string", lambda: "version1")
    monkeypatch.setattr(ray_client.ray, "get", lambda answer: answer)
    sent: list[Any] = []
    controller = SimpleNamespace(deploy_applications=SimpleNamespace(remote=lambda *messages: sent.append(messages)))
    own = object.__new__(ray_client.ServeControllerClient)
    own._controller, own._shutdown = controller, False
    monkeypatch.setattr(own, "get_handle", lambda *names, **options: None, raising=False)
    monkeypatch.setattr(own, "wait_for_proxies_serving", lambda **options: None, raising=False)
    application = rich()
    waits = {"wait_for_ingress_deployment_creation": False, "wait_for_applications_running": False}
    own.deploy_applications([application.ray_app], **waits)
    spec = spec_of(application)
    ((deployments, applications),) = sent
    assert (deployments, applications) == ({"app": list(spec.deployments.values())}, {"app": spec.application})
    assert {name: one.uses_multiplexing for name, one in args_of(spec).items()} == {
        "Multi": True, "Outer": False, "Router": False,
    }  # fmt: skip
    assert args_of(spec)["Router"].ingress_request_router and args_of(spec)["Outer"].route_prefix == "/app"


def test_what_runs_is_sent_again_as_it_was_sent_first() -> None:
    from ray.serve._private.deploy_utils import deploy_args_to_deployment_info
    from ray.serve.generated import serve_pb2

    for name, args in args_of(spec_of(rich())).items():
        info = deploy_args_to_deployment_info(
            name, args.deployment_config, args.replica_config, args.deployer_job_id, "app",
            ingress=args.ingress, ingress_request_router=args.ingress_request_router, route_prefix=args.route_prefix,
            uses_multiplexing=args.uses_multiplexing,
        )  # fmt: skip
        route = serve_pb2.DeploymentRoute(deployment_info=info.to_proto(), route=args.route_prefix)
        again = serve_spec.deployment_args(name, route, "01000000", args.ingress)
        for field, value in fields_of(args).items():
            assert fields_of(again)[field] == value, f"{name}.{field}"


CELL = "class Multi:\n    @serve.multiplexed\n    async def load(self, model):\n        return model\nclass Plain:\n    pass\n"


def test_pickled_code_tells_whether_it_is_multiplexed() -> None:
    from ray import cloudpickle

    of_notebook = {"__name__": "__main__", "serve": serve}
    exec(CELL, of_notebook)
    for multi, plain in ((Multi, Plain), (of_notebook["Multi"], of_notebook["Plain"])):
        found = [serve_spec._uses_multiplexing(cloudpickle.dumps(one)) for one in (multi, plain, plain.__init__)]
        assert found == [True, False, False]


def test_a_ray_without_a_private_name_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.serve._private import client as ray_client

    application = rich()
    monkeypatch.delattr(ray_client, "ServeControllerClient")
    with pytest.raises(RayMagicsError, match=r"Ray [\d.]+ has no ray\.serve\._private\.client:ServeControllerClient"):
        spec_of(application)


def test_access_lines_look_as_they_are_read() -> None:
    from ray.serve._private.logging_utils import access_log_msg

    line = access_log_msg(method="GET", route="/digits", status="200", latency_ms=5.25)
    assert parse_access_line(f"INFO 2026-11-21 09:25:10,107 app_M 42oaq52t f0ac -- {line}") == ("/digits", False, 5.2)


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
    assert passed == others


def test_lines_are_printed_in_their_context_and_handlers_are_wrapped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray._private.worker
    from ray._private.ray_logging import global_worker_stdstream_dispatcher as dispatcher

    passed: list[Any] = []
    inside: list[str] = []

    @contextlib.contextmanager
    def context(name: str, lines: list[str]) -> Iterator[None]:
        inside.append(f"{name}: {lines}")
        yield

    monkeypatch.setattr(dispatcher, "handlers", [("ray_print_logs", passed.append)])
    monkeypatch.setattr(ray._private.worker, "print_to_stdstream", lambda data, ignore_prefix: None)
    for _ in range(3):
        worker_logs.print_worker_lines_in(context)
        worker_logs.hide_worker_lines(("Hidden",))
    for name in ("square", "Hidden"):
        dispatcher.emit({"task_name": name, "actor_name": name if name == "Hidden" else None, "lines": ["x"]})
    assert [data["task_name"] for data in passed] == ["square"] and inside == ["square: ['x']"]
