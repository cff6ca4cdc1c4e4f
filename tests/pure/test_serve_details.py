"""What is said of applications, from what Serve's controller says of them; the shapes are those of Ray Serve 2.60."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

import pytest

from ray_magics.verbs.serve.details import InstanceDetails, ReplicaDetails, application_at
from ray_magics.verbs.serve.measurements import Measurements, application_statuses
from ray_magics.verbs.serve.rollout import CHECKING, JOINING, UPDATING, Rollout
from ray_magics.verbs.serve.status import Answer, ExampleRequest, RequestFigures

NOW = 1_800_000_000.0
HTTP = {"host": "127.0.0.1", "port": 8000, "root_path": "", "request_timeout_s": None}
LIMITS = {"min_replicas": 0, "max_replicas": 3, "target_ongoing_requests": 2.0}


class Status(Enum):
    """As Ray's own states: enums whose values are their names."""

    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    UPDATING = "UPDATING"
    HEALTHY = "HEALTHY"
    DEPLOYING = "DEPLOYING"


def replica(key: str, state: Any = "RUNNING", age: float = 30.0, **changes: Any) -> dict[str, Any]:
    return {
        "node_id": "f00d",
        "node_ip": "10.0.0.7",
        "actor_id": f"actor of {key}",
        "actor_name": f"SERVE_REPLICA::digits#Classifier#{key}",
        "worker_id": "beef",
        "log_file_path": f"/serve/replica_digits_Classifier_{key}.log",
        "replica_id": key,
        "state": state,
        "pid": 4711,
        "start_time_s": NOW - age,
        **changes,
    }


def deployment(*replicas: dict[str, Any], status: Any = "HEALTHY", **changes: Any) -> dict[str, Any]:
    return {
        "name": "Classifier",
        "status": status,
        "status_trigger": "CONFIG_UPDATE_COMPLETED",
        "message": "",
        "deployment_config": {"name": "Classifier", "max_ongoing_requests": 100, "autoscaling_config": None},
        "target_num_replicas": 1,
        "required_resources": {"CPU": 0.1},
        "replicas": list(replicas),
        "recent_dead_replicas": [],
        "autoscaling_detail": None,
        **changes,
    }


def application(*deployments: dict[str, Any], name: str = "digits", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "route_prefix": f"/{name}",
        "docs_path": None,
        "status": "RUNNING",
        "message": "",
        "last_deployed_time_s": NOW - 34.5,
        "source": "imperative",
        "deployments": {one["name"]: one for one in deployments},
        "deployment_topology": None,
        **changes,
    }


def details(*apps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What the controller says of these applications."""
    grpc = {"port": 9000, "grpc_servicer_functions": []}
    known = {app["name"]: app for app in apps}
    return {"http_options": HTTP, "grpc_options": grpc, "proxies": {}, "applications": known, **changes}


def parsed(*apps: dict[str, Any], **changes: Any) -> InstanceDetails:
    return InstanceDetails.parse(details(*apps, **changes))


def app(one: dict[str, Any], seen: Measurements | None = None, **changes: Any) -> dict[str, Any]:
    """That application as a view gets it; it is JSON."""
    (status,) = application_statuses(parsed(one, **changes), seen or Measurements(now=NOW), lambda name: True)
    found = status.to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def part(one: dict[str, Any], seen: Measurements | None = None) -> dict[str, Any]:
    """That deployment as a view gets it."""
    (found,) = app(application(one), seen)["deployments"]
    return dict(found)


RUNNING = application(deployment(replica("aaa")))


# --- applications -------------------------------------------------------------------------------------------------


def test_an_application_says_where_it_is_and_how_it_is() -> None:
    shown = app(RUNNING)
    assert (shown["name"], shown["route"], shown["url"]) == ("digits", "/digits", "http://127.0.0.1:8000/digits")
    assert (shown["status"], shown["since"], shown["docs"]) == ("RUNNING", 34.5, "")
    assert [call["method"] for call in shown["calls"]] == ["GET", "POST"] and shown["answer"] is None
    assert set(shown["figures"].values()) == {None} and shown["history"] == []


def test_only_the_applications_that_are_asked_for_are_told_in_order() -> None:
    every = parsed(*(application(deployment(), name=name) for name in ("words", "digits~check", "digits")))
    found = application_statuses(every, Measurements(), lambda name: "~" not in name)
    assert [one.name for one in found] == ["digits", "words"]
    assert application_statuses(InstanceDetails(), Measurements(), lambda name: True) == ()


@pytest.mark.parametrize(
    ("prefix", "url", "calls"),
    [
        pytest.param("/", "http://127.0.0.1:8000/", 2, id="root"),
        pytest.param("/v1/digits", "http://127.0.0.1:8000/v1/digits", 2, id="deep"),
        pytest.param(None, "", 0, id="handles alone"),
    ],
)
def test_an_application_is_tried_under_its_prefix(prefix: str | None, url: str, calls: int) -> None:
    shown = app(application(deployment(), route_prefix=prefix))
    assert (shown["url"], shown["route"], len(shown["calls"])) == (url, prefix or "", calls)
    assert all(call["path"] == prefix for call in shown["calls"])


@pytest.mark.parametrize(
    ("options", "address"),
    [
        pytest.param({"host": "127.0.0.1", "port": 8123}, "http://127.0.0.1:8123", id="loopback"),
        pytest.param({"host": "0.0.0.0", "port": 8000}, "http://127.0.0.1:8000", id="everywhere"),
        pytest.param({"host": "::", "port": 8000}, "http://[::1]:8000", id="everywhere in IPv6"),
        pytest.param({"host": "fe80::1", "port": 8000}, "http://[fe80::1]:8000", id="IPv6"),
        pytest.param({"host": None, "port": 8000}, "", id="no HTTP"),
        pytest.param(None, "", id="not yet known"),
    ],
)
def test_the_address_is_one_that_a_browser_here_can_open(options: Any, address: str) -> None:
    assert InstanceDetails.parse({"http_options": options}).http_address == address
    assert app(RUNNING, http_options=options)["url"] == (f"{address}/digits" if address else "")


@pytest.mark.parametrize(
    ("options", "address"),
    [
        (None, ""),
        ({"port": 9000, "grpc_servicer_functions": []}, ""),
        ({"port": 9, "grpc_servicer_functions": ["f"]}, "127.0.0.1:9"),
    ],
    ids=["unknown", "without functions", "with functions"],
)
def test_grpc_listens_only_with_functions(options: Any, address: str) -> None:
    assert InstanceDetails.parse({"grpc_options": options}).grpc_address == address


@pytest.mark.parametrize(
    ("prefix", "docs", "url"),
    [
        pytest.param("/digits", "/docs", "http://127.0.0.1:8000/digits/docs", id="under the prefix"),
        pytest.param("/digits", "/digits/docs", "http://127.0.0.1:8000/digits/docs", id="with the prefix already"),
        pytest.param("/d", "/docs", "http://127.0.0.1:8000/d/docs", id="the prefix is a beginning of it"),
        pytest.param("/", "/docs", "http://127.0.0.1:8000/docs", id="root"),
        pytest.param("/digits", None, "", id="without"),
        pytest.param(None, "/docs", "", id="no HTTP"),
    ],
)
def test_the_docs_are_under_the_prefix(prefix: str | None, docs: str | None, url: str) -> None:
    assert app(application(deployment(), route_prefix=prefix, docs_path=docs))["docs"] == url


def test_what_was_measured_belongs_to_its_application() -> None:
    call, answer = ExampleRequest("GET", "/digits/health"), Answer(number=1)
    rates: dict[Any, float] = {"digits": 2.0, "words": 9.0, ("digits", "Classifier"): 1.0}
    figures = {key: RequestFigures(rate) for key, rate in rates.items()}
    seen = Measurements(NOW, figures, {"digits": [(-1, 2)]}, examples={"digits": [call]}, answers={"digits": answer})
    shown = app(RUNNING, seen)
    assert (shown["figures"]["rate"], shown["history"], shown["calls"]) == (2.0, [[-1, 2]], [call.to_json()])
    assert shown["answer"] == answer.to_json() and shown["deployments"][0]["figures"]["rate"] == 1.0


@pytest.mark.parametrize("time", [NOW + 5, NOW, None], ids=["another clock", "now", "not yet"])
def test_no_age_is_negative(time: float | None) -> None:
    shown = app(application(deployment({**replica("aaa"), "start_time_s": time}), last_deployed_time_s=time))
    assert shown["since"] == 0 and shown["deployments"][0]["replicas"][0]["age"] == 0


def test_a_long_message_is_cut() -> None:
    one = deployment(message="x" * 9000)
    shown = app(application(one, message="y" * 9000))
    assert (len(shown["message"]), len(shown["deployments"][0]["message"])) == (4000, 4000)


# --- deployments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topology", "names"),
    [
        pytest.param({"ingress_deployment": "Front", "nodes": {}}, ["Front", "Classifier", "Scaler"], id="told"),
        pytest.param(None, ["Classifier", "Scaler", "Front"], id="not yet told: the first"),
        pytest.param({"ingress_deployment": None}, ["Classifier", "Scaler", "Front"], id="of nothing"),
    ],
)
def test_the_deployment_that_requests_reach_stands_first(topology: Any, names: list[str]) -> None:
    every = [{**deployment(), "name": name} for name in ("Classifier", "Scaler", "Front")]
    shown = app(application(*every, deployment_topology=topology))["deployments"]
    assert [one["name"] for one in shown] == names
    assert [one["ingress"] for one in shown] == [True, False, False]


def test_a_deployment_says_what_it_reserves_and_how_many_there_are() -> None:
    shown = part(deployment(replica("aaa"), target_num_replicas=2, required_resources={"CPU": 0.5, "GPU": 1}))
    assert (shown["target"], shown["cpus"], shown["gpus"], shown["max_ongoing"]) == (2, 0.5, 1, 100)
    assert shown["autoscaling"] is None and shown["died"] == 0


def test_autoscaling_says_its_bounds_and_why() -> None:
    reasons = [{"reason": "old"}, {"reason": "2 ongoing requests a replica wanted, 5 seen" + "." * 900}]
    config = {"max_ongoing_requests": 5, "autoscaling_config": {**LIMITS, "upscale_delay_s": 30.0}}
    shown = part(deployment(deployment_config=config, autoscaling_detail={"decisions": reasons}))["autoscaling"]
    assert (shown["min"], shown["max"], shown["target"]) == (0, 3, 2.0)
    assert shown["why"].startswith("2 ongoing requests a replica wanted") and len(shown["why"]) == 300


def test_autoscaling_without_a_decision_says_no_reason() -> None:
    shown = part(deployment(deployment_config={"autoscaling_config": LIMITS}))
    assert shown["autoscaling"]["why"] == "" and shown["max_ongoing"] is None


def test_an_idle_deployment_is_healthy_with_nothing() -> None:
    shown = part(deployment(status="HEALTHY", target_num_replicas=0))
    assert (shown["status"], shown["target"], shown["replicas"]) == ("HEALTHY", 0, [])


def test_replicas_that_serve_stand_first_and_the_oldest_of_them() -> None:
    every = [replica("s", "STARTING"), replica("x", "STOPPING"), replica("b", age=5.0), replica("a", age=50.0)]
    assert [one["id"] for one in part(deployment(*every))["replicas"]] == ["a", "b", "s", "x"]


def test_a_replica_says_where_it_is_and_what_it_does() -> None:
    ongoing = {"SERVE_REPLICA::digits#Classifier#aaa": 3}
    seen = Measurements(NOW, ongoing=ongoing, logs={"aaa": (["loading", "ready"], 7)})
    (shown,) = part(deployment(replica("aaa", Status.RUNNING)), seen)["replicas"]
    assert (shown["id"], shown["state"], shown["version"], shown["ongoing"]) == ("aaa", "RUNNING", "", 3)
    assert (shown["node"], shown["pid"], shown["age"]) == ("10.0.0.7", 4711, 30.0)
    assert (shown["log"], shown["lines_cut"]) == (["loading", "ready"], 7)


def test_a_replica_without_a_process_yet_says_nothing_of_it() -> None:
    (shown,) = part(deployment(replica("aaa", "STARTING", node_ip=None, pid=None, actor_name=None)))["replicas"]
    assert (shown["node"], shown["pid"], shown["ongoing"], shown["log"]) == ("", None, None, [])


def test_replicas_of_an_update_are_old_or_new() -> None:
    seen = Measurements(NOW, old_replicas={"digits": frozenset({"aaa"}), "words": frozenset({"bbb"})})
    shown = part(deployment(replica("aaa"), replica("bbb", "STARTING")), seen)["replicas"]
    assert [one["version"] for one in shown] == ["old", "new"]
    first = Measurements(NOW, old_replicas={"digits": frozenset()})
    assert part(deployment(replica("aaa")), first)["replicas"][0]["version"] == "new"


DEAD = [replica(f"dead{number}", "STOPPING", pid=number) for number in range(5)]


def test_a_replica_that_died_is_shown_as_dead_with_its_last_words() -> None:
    seen = Measurements(
        NOW, logs={"dead0": (["Segmentation fault"], 0), "dead1": ([], 0)}, said_goodbye=frozenset({"dead1"})
    )
    shown = part(deployment(replica("aaa"), recent_dead_replicas=[{**DEAD[0], "state": "STOPPED"}, DEAD[1]]), seen)
    assert shown["died"] == 1
    assert [(one["id"], one["state"]) for one in shown["replicas"]] == [("aaa", "RUNNING"), ("dead0", "DEAD")]
    assert shown["replicas"][1]["log"] == ["Segmentation fault"]


def test_of_a_replica_whose_log_is_elsewhere_nothing_is_said() -> None:
    assert part(deployment(recent_dead_replicas=DEAD))["died"] == 0


def test_of_many_dead_replicas_the_last_are_shown() -> None:
    seen = Measurements(NOW, logs={one["replica_id"]: ([], 0) for one in DEAD})
    shown = part(deployment(recent_dead_replicas=DEAD), seen)
    assert shown["died"] == 5 and [one["id"] for one in shown["replicas"]] == ["dead2", "dead3", "dead4"]


# --- how far an update is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "status", "target", "settled"),
    [
        pytest.param(["RUNNING", "STOPPING"], "UPDATING", 1, True, id="the old one ends"),
        pytest.param([Status.RUNNING, Status.STOPPING], Status.UPDATING, 1, True, id="as enums"),
        pytest.param(["RUNNING", "STARTING"], "UPDATING", 1, False, id="the new one starts"),
        pytest.param(["RUNNING"], "UPDATING", 1, False, id="the update has not begun"),
        pytest.param(["RUNNING", "RUNNING", "STOPPING"], "UPDATING", 1, False, id="both serve"),
        pytest.param(["STOPPING"], "UPDATING", 1, False, id="the old one stops first"),
        pytest.param(["RUNNING"], "HEALTHY", 1, True, id="healthy"),
        pytest.param([], "HEALTHY", 0, True, id="idle"),
        pytest.param([], "UPDATING", 0, False, id="not begun"),
        pytest.param(["RUNNING", "STOPPING"], "UNHEALTHY", 1, False, id="unhealthy"),
        pytest.param(["RUNNING", "STOPPING"], "DEPLOY_FAILED", 1, False, id="failed"),
    ],
)
def test_an_update_is_over_when_the_old_replicas_only_end(states: Any, status: Any, target: int, settled: bool) -> None:
    replicas = [replica(str(number), state) for number, state in enumerate(states)]
    one = application(deployment(*replicas, status=status, target_num_replicas=target), status=Status.DEPLOYING)
    shown = app(one)
    told = str(getattr(status, "value", status))
    assert shown["status"] == ("RUNNING" if settled else "DEPLOYING")
    assert shown["deployments"][0]["status"] == ("HEALTHY" if settled else told)


def test_an_application_is_deploying_as_long_as_one_of_its_deployments_is() -> None:
    done, busy = deployment(replica("a")), {**deployment(replica("b", "STARTING"), status="UPDATING"), "name": "Scaler"}
    assert app(application(done, busy, status="DEPLOYING"))["status"] == "DEPLOYING"
    assert app(application(status="DEPLOYING"))["status"] == "DEPLOYING"


@pytest.mark.parametrize("status", ["DEPLOY_FAILED", "DELETING", "UNHEALTHY", "NOT_STARTED"])
def test_what_is_not_deploying_stays_what_it_is(status: str) -> None:
    assert app(application(deployment(replica("aaa")), status=status))["status"] == status


@pytest.mark.parametrize(
    ("replicas", "target", "ready"),
    [
        pytest.param([replica("old")], 2, (0, 2), id="not begun"),
        pytest.param([replica("old"), replica("new", "STARTING")], 2, (0, 2), id="starting"),
        pytest.param([replica("old"), replica("new", Status.RUNNING)], 2, (1, 2), id="half"),
        pytest.param([replica("n1"), replica("n2"), replica("old", "STOPPING")], 2, (2, 2), id="all"),
        pytest.param([replica("n1"), replica("n2"), replica("n3")], 2, (2, 2), id="more than wanted"),
        pytest.param([], 0, (0, 0), id="idle"),
    ],
)
def test_only_replicas_of_the_new_version_make_it_ready(replicas: Any, target: int, ready: tuple[int, int]) -> None:
    every = parsed(application(deployment(*replicas, target_num_replicas=target)))
    assert rollout(old_replicas=frozenset({"old"})).progress(every) == ready


def rollout(*new: str, name: str = "digits", phase: str = UPDATING, **changes: Any) -> Rollout:
    return Rollout(name, frozenset(new or {"Classifier"}), phase=phase, **changes)


def test_one_deployment_cannot_be_ready_for_another() -> None:
    many = deployment(replica("a"), replica("b"), target_num_replicas=1)
    none = {**deployment(), "name": "Scaler"}
    assert rollout("Classifier", "Scaler").progress(parsed(application(many, none))) == (1, 2)
    assert rollout("Scaler").progress(parsed(application(many, none))) == (0, 1)


def test_in_each_phase_what_starts_in_it_counts() -> None:
    checked = application(deployment(replica("c")), name="digits~check")
    added = {**deployment(replica("n"), target_num_replicas=3), "name": "Scaler"}
    both = parsed(checked, application(deployment(replica("a"), target_num_replicas=7), added))
    new = ("Classifier", "Scaler")
    existing = frozenset({"Classifier"})
    assert rollout(*new, phase=CHECKING).progress(both) == (1, 1)
    assert rollout(*new, phase=JOINING, existing_deployments=existing).progress(both) == (1, 3)
    assert rollout(*new, phase=UPDATING, existing_deployments=existing).progress(both) == (2, 10)


@pytest.mark.parametrize(
    "found", [None, {}, {"applications": None}, details(RUNNING)], ids=["off", "new", "none", "other"]
)
def test_of_an_application_that_is_not_there_nothing_is_said(found: Any) -> None:
    every = InstanceDetails.parse(found)
    nowhere = every.application("nowhere")
    assert every.is_up == (found is not None)
    assert rollout(name="nowhere").progress(every) == (0, 0)
    assert nowhere.replicas == () == nowhere.failed_deployments
    assert nowhere.status == "" == nowhere.message and not nowhere.is_serving


def test_of_one_that_is_there_it_is() -> None:
    found = parsed(application(deployment(replica("a")), status=Status.RUNNING, message="fine")).application("digits")
    assert [one.id for one in found.deployments["Classifier"].replicas] == ["a"]
    assert (found.status, found.message, found.is_serving) == ("RUNNING", "fine", True)


def test_the_deployments_that_could_not_start_are_named_with_their_message() -> None:
    failed = {**deployment(status="DEPLOY_FAILED", message="ValueError: bad"), "name": "Scaler"}
    every = parsed(application(deployment(replica("a")), failed, message="all of it"))
    assert rollout().failure(every, "Classifier") == ("Scaler", "ValueError: bad")
    assert rollout().failure(parsed(application(message="all of it")), "Front") == ("Front", "all of it")


@pytest.mark.parametrize(("state", "runs", "stops"), [("RUNNING", True, False), (Status.STOPPING, False, True)])
def test_a_replica_runs_or_stops(state: Any, runs: bool, stops: bool) -> None:
    one = ReplicaDetails.parse(replica("a", state))
    assert (one.is_running, one.is_stopping) == (runs, stops)


# --- routes -------------------------------------------------------------------------------------------------------

ROUTES = {"/digits": "digits", "/digits/v2": "second", "/": "front"}


def test_applications_are_found_by_their_routes() -> None:
    every = parsed(RUNNING, application(name="handles", route_prefix=None), application(name="front", route_prefix="/"))
    assert every.routes == {"/digits": "digits", "/": "front"}
    assert InstanceDetails().routes == {}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/digits", "digits"),
        ("/digits/", "digits"),
        ("/digits/predict", "digits"),
        ("/digits/v2", "second"),
        ("/digits/v2/predict", "second"),
        ("/digits/v20", "digits"),
        ("/digitsx", "front"),
        ("/", "front"),
        ("/other", "front"),
    ],
)
def test_the_longest_prefix_answers(path: str, name: str) -> None:
    assert application_at(path, ROUTES) == name


@pytest.mark.parametrize("path", ["/", "/digitsx", "", "predict"])
def test_a_path_of_nobody_is_nobodys(path: str) -> None:
    assert application_at(path, {"/digits": "digits"}) == ""


@pytest.mark.parametrize(("reads_body", "methods"), [({"digits"}, ["POST", "GET"]), ({"words"}, ["GET", "POST"])])
def test_what_reads_a_body_is_tried_with_one_first(reads_body: set[str], methods: list[str]) -> None:
    shown = app(RUNNING, Measurements(now=NOW, reads_body=frozenset(reads_body)))
    assert [call["method"] for call in shown["calls"]] == methods
