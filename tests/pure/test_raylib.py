"""A Ray that lacks a private name: the fallback is used, or one line says what cannot be had. No cluster."""

from __future__ import annotations

import logging
import os
import re
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from ray_magics.errors import RayApiMissing
from ray_magics.raylib import __main__ as report
from ray_magics.raylib import auth, core, gcs, logs, private, remote, serve_spec
from ray_magics.verbs.cluster import watch
from ray_magics.verbs.cluster.plan import Connection

ray = pytest.importorskip("ray")
NODE = {"NodeID": "ab", "NodeName": "here", "Alive": True, "Resources": {"CPU": 2.0}}


@pytest.fixture
def take_away(monkeypatch: pytest.MonkeyPatch) -> Any:
    def take(name: str) -> None:
        module, _, path = name.partition(":")
        *owners, attribute = path.split(".")
        monkeypatch.delattr(
            private.private(f"{module}:{'.'.join(owners)}") if owners else import_module(module), attribute
        )

    return take


def test_the_installed_ray_has_every_private_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main() == 0, capsys.readouterr().out


def test_a_missing_name_is_listed_and_fails(take_away: Any, capsys: pytest.CaptureFixture[str]) -> None:
    take_away("ray._private.worker:get_dashboard_url")
    assert report.main() == 1
    out = capsys.readouterr().out
    assert "MISSING  raylib.core    ray._private.worker:get_dashboard_url" in out and "lacks 1 of" in out


@pytest.mark.parametrize("module", ["auth", "core", "gcs", "logs", "remote", "serve", "tune"])
def test_every_module_declares_what_it_uses(module: str) -> None:
    assert import_module(f"ray_magics.raylib.{module}").PRIVATE


def test_what_is_missing_is_told_in_one_line_with_the_version_of_ray() -> None:
    with pytest.raises(RayApiMissing) as error:
        private.private("ray._private.nothing:at.all")
    assert str(error.value).startswith(f"Ray {ray.__version__} has no ray._private.nothing:at.all;")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("version", "word"),
    [("2.60.0", ""), ("2.60.3", ""), ("2.59.1", "older"), ("2.61.0", "newer"), ("3.0.0", "newer"), ("?", "older")],
)
def test_another_ray_is_told_once_in_one_line(version: str, word: str, caplog: pytest.LogCaptureFixture) -> None:
    private.warn_of_untried.cache_clear()
    for _ in range(2):
        private.warn_of_untried(version)
    assert len(caplog.messages) == bool(word)
    assert all(f"Ray {version} is {word} than the 2.60" in m and "\n" not in m for m in caplog.messages)


def test_a_remote_function_and_an_actor_class_know_what_they_are_made_of() -> None:
    def f() -> None: ...

    class Actor: ...

    made = [ray.remote(num_cpus=2)(f), ray.remote(Actor)]
    found = [remote.remote_definition(value) for value in made]
    assert found == [remote.RemoteDefinition(f, {"num_cpus": 2}), remote.RemoteDefinition(Actor, {})]
    assert remote.remote_definition(f) is remote.remote_definition(3) is None


def test_without_a_name_of_the_dashboard_there_is_no_address(take_away: Any) -> None:
    take_away("ray._private.worker:get_dashboard_url")
    assert core.dashboard_url() == ""


def test_without_its_constant_loopback_is_asked_for_by_the_environment(take_away: Any, monkeypatch: Any) -> None:
    monkeypatch.delenv(core.LOOPBACK_SWITCH, raising=False)
    take_away("ray._private.ray_constants:ENABLE_RAY_CLUSTER")
    with core.loopback_only():
        assert os.environ[core.LOOPBACK_SWITCH] == "0"
    assert core.LOOPBACK_SWITCH not in os.environ


def test_without_the_hook_ray_goes_on_starting_clusters(take_away: Any) -> None:
    take_away("ray._private.auto_init_hook:auto_init_ray")
    core.forbid_auto_init_in_our_threads()
    assert not hasattr(import_module("ray._private.auto_init_hook"), "auto_init_ray")


@pytest.mark.parametrize("name", ["Config", "AuthenticationTokenLoader"])
def test_without_the_reload_the_environment_turns_tokens_on(name: str, take_away: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    take_away(f"ray._raylet:{name}")
    auth.enable_token_auth()
    assert os.environ["RAY_AUTH_MODE"] == "token"
    auth.reset_token_auth()
    assert "RAY_AUTH_MODE" not in os.environ


@pytest.mark.parametrize(
    "name",
    ["ray._private.ray_logging:global_worker_stdstream_dispatcher", "ray._private.worker:print_to_stdstream"],
)
def test_without_its_printers_ray_goes_on_printing(name: str, take_away: Any) -> None:
    take_away(name)
    logs.hide_worker_lines(("ServeReplica",))


@pytest.mark.parametrize("name", gcs.PRIVATE)
def test_without_the_control_service_the_status_is_that_of_public_functions(
    name: str, take_away: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(fields: dict[str, Any]) -> Any:
        return lambda request, timeout: SimpleNamespace(**fields)

    stubs = SimpleNamespace(
        autoscaler=SimpleNamespace(GetClusterStatus=answer({"cluster_resource_state": waiting_state()})),
        nodes=SimpleNamespace(GetAllNodeInfo=answer({"node_info_list": ()})),
        actors=SimpleNamespace(GetAllActorInfo=answer({"actor_table_data": ()})),
    )
    monkeypatch.setattr(watch, "listens", lambda address, seconds: True)
    monkeypatch.setattr(ray, "nodes", lambda: [NODE])
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 1.0})
    polled = watch.ClusterWatch(Connection("127.0.0.1:1"))
    if "_grpc" not in name and "grpc_utils" not in name:
        polled.service = gcs.ControlService.__new__(gcs.ControlService)
        polled.service.address, polled.service._stubs = "127.0.0.1:1", stubs
        polled.service._context = SimpleNamespace(__exit__=lambda *_: None)  # type: ignore[assignment]
        monkeypatch.setattr(gcs.ControlService, "close", lambda self: None)
    take_away(re.sub(r"(:\w+)\..*", r"\1", name))  # a message as a whole: protobuf makes its parts when they are read
    apart = {"GetTaskEvents": gcs.ControlService.task_counts, "GetAllJobInfo": gcs.ControlService.drivers}
    if ask := next((method for message, method in apart.items() if message in name), None):
        with pytest.raises(RayApiMissing):
            ask(polled.service, 1.0)
        return
    assert [dict(node.available) for node in polled.state().nodes] == [{"CPU": 1.0}]
    polled.state()
    assert len(caplog.messages) == 1 and "are not shown: Ray" in caplog.messages[0]


def waiting_state() -> Any:
    """A cluster with one request that waits for a label."""
    constraint = SimpleNamespace(label_key="zone", label_values=["b"], operator=0)
    selector = SimpleNamespace(label_constraints=[constraint])
    request = SimpleNamespace(label_selectors=[selector], resources_bundle={"CPU": 1.0})
    pending = SimpleNamespace(request=request, count=1)
    return SimpleNamespace(node_states=(), pending_resource_requests=[pending], pending_gang_resource_requests=[])


def test_a_control_service_that_cannot_be_asked_is_taken_for_one(take_away: Any) -> None:
    take_away("ray._private.grpc_utils:init_grpc_channel")
    assert gcs.probe_gcs("127.0.0.1:1", 0.1) == "ray"


@pytest.mark.parametrize("error", [AttributeError("death_info"), ValueError('Message has no "limit" field.')])
def test_an_answer_with_other_fields_is_a_missing_name(error: Exception) -> None:
    with pytest.raises(RayApiMissing, match="answers otherwise"), gcs._translated_errors("a:1"):
        raise error


def test_serve_says_in_one_line_what_it_lacks(take_away: Any) -> None:
    take_away("ray.serve._private.build_app:build_app")
    with pytest.raises(RayApiMissing, match=r"has no ray\.serve\._private\.build_app:build_app"):
        serve_spec.build(None, "app", None)


def test_the_extension_loads_whatever_ray_lacks(take_away: Any, shell: Any, caplog: pytest.LogCaptureFixture) -> None:
    from ray_magics import load_ipython_extension

    caplog.set_level(logging.WARNING)
    for name in ("ray._private.worker:get_dashboard_url", "ray._private.grpc_utils:init_grpc_channel"):
        take_away(name)
    load_ipython_extension(shell.ip)
    assert not caplog.messages


def test_rays_pages_about_a_node_become_a_sentence_and_other_lines_pass() -> None:
    page = "Raylet is terminated. Termination is unexpected. Possible reasons include: (1) SIGKILL\n    [state-dump] x"
    assert logs.shorten_page(page).startswith("Ray's process on this machine has died") and page.count("\n") == 1
    dead = "The node with node id: 1ef and address: 10.0.0.2 and node name: b has been marked dead because the detector"
    assert logs.shorten_page(dead) == "The node at 10.0.0.2 is dead: it does not answer any more."
    retried = "Task {} failed. There are infinite retries remaining, so the task will be retried. Error: {}"
    assert "The process that ran a task of a dataset has died" in logs.shorten_page(retried.format("_map_task", "\n"))
    actor = retried.format("MapWorker(ReadRange->MapBatches(Dies)).submit", "RPC error: Socket closed")
    assert "ran a task of ReadRange->MapBatches(Dies) has died" in logs.shorten_page(actor)
    assert logs.shorten_page(retried.format("MapWorker(M).get_location", "an error raised in its creation task,")) == ""
    heading = "Exception raised in creation task: The actor died because of an error raised in its creation task,"
    lines = ["loading", heading, '  File "cell.py", line 3, in __init__', "ValueError: no model", "more"]
    assert logs.without_creation_errors(lines) == ["loading", "more"]
    assert logs.shorten_page("3 tasks wait for a node with a GPU") == "3 tasks wait for a node with a GPU"
