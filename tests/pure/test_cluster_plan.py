"""Which cluster to use, what differs, what never fits and why something waits: decided without Ray."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

from ray_magics.errors import UsageError
from ray_magics.resources import (
    NodeResources,
    NodeState,
    ResourceRequest,
    infeasible,
    is_internal,
    matches,
    no_more_in_use,
    resources_text,
    why_waiting,
)
from ray_magics.units import size_text
from ray_magics.verbs.cluster import detached, probe
from ray_magics.verbs.cluster.logs import last_lines
from ray_magics.verbs.cluster.plan import (
    ConnectPlan,
    differences,
    has_token,
    make_connect_plan,
    normal_address,
    plan_from_json,
    wants_token,
)
from ray_magics.verbs.cluster.snapshot import cluster_meters, count_states, node_status, waiting_requests
from ray_magics.verbs.cluster.status import NodeStatus, ResourceUsage, Waiting

GIB = 2**30
DEFAULTS = SimpleNamespace(address="")
BIG = NodeResources("big", {"CPU": 8, "memory": 31 * GIB, "object_store_memory": GIB, "node:big": 1}, {"CPU": 0})
GPU = NodeResources("gpu", {"CPU": 2, "GPU": 1}, {"CPU": 1, "GPU": 0.5}, {"zone": "b"})


def plan(environ=None, settings=DEFAULTS, **options):
    return make_connect_plan(environ or {}, settings, **options)


# the address


@pytest.mark.parametrize(
    "options, environ, configured, address",
    [
        pytest.param({}, {}, "", None, id="nothing said"),
        pytest.param({}, {"RAY_ADDRESS": "10.0.0.1:6379"}, "", "10.0.0.1:6379", id="RAY_ADDRESS"),
        pytest.param({}, {"RAY_ADDRESS": ""}, "", None, id="RAY_ADDRESS empty"),
        pytest.param({}, {"RAY_ADDRESS": "a:1"}, "b:2", "b:2", id="the trait wins over the environment"),
        pytest.param({"address": "c:3"}, {"RAY_ADDRESS": "a:1"}, "b:2", "c:3", id="the argument wins"),
        pytest.param({"detached": True}, {"RAY_ADDRESS": "a:1"}, "b:2", None, id="detached is always here"),
        pytest.param({"address": "local"}, {"RAY_ADDRESS": "a:1"}, "", "local", id="local"),
    ],
)
def test_the_address_comes_from_the_argument_the_trait_or_the_environment(options, environ, configured, address):
    assert plan(environ, SimpleNamespace(address=configured), **options).address == address


@pytest.mark.parametrize(
    "text, address",
    [
        ("localhost:6379", "127.0.0.1:6379"),
        ("LOCALHOST:6379", "127.0.0.1:6379"),
        ("[::1]:6379", "127.0.0.1:6379"),
        (" 10.0.0.1:6379 ", "10.0.0.1:6379"),
        ("ray://head:10001", "ray://head:10001"),
        ("auto", "auto"),
    ],
)
def test_an_address_is_normal(text, address):
    assert normal_address(text) == address


@pytest.mark.parametrize("text", ["head", "head:", ":6379", "head:99999", "http://head:8265", "a b:1", "head:0"])
def test_what_is_no_address_is_told_in_one_line(text):
    with pytest.raises(UsageError) as error:
        normal_address(text)
    assert "127.0.0.1:6379" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options, words",
    [
        pytest.param({"num_cpus": -1}, "--num-cpus: -1", id="negative"),
        pytest.param({"num_cpus": 1.5}, "--num-cpus: 1.5", id="not whole"),
        pytest.param({"num_gpus": True}, "--num-gpus: True", id="a bool"),
        pytest.param({"resources": 5}, "--resources: 5 is not a dict", id="resources no dict"),
        pytest.param({"resources": {"tpu": -1}}, "'tpu': -1", id="negative resource"),
        pytest.param({"resources": {"CPU": 2}}, "use --num-cpus", id="CPU in resources"),
        pytest.param({"object_store_memory": 10**7}, "Ray needs 75 MiB", id="small store"),
        pytest.param({"runtime_env": 7}, "--runtime-env: 7 is not a dict", id="runtime_env no dict"),
        pytest.param({"address": "a:1", "detached": True}, "leave out the address", id="detached elsewhere"),
        pytest.param({"address": "a:1", "num_cpus": 2}, "the address given names a:1", id="sizes elsewhere"),
    ],
)
def test_what_no_cluster_can_take_is_told_before_ray_is_asked(options, words):
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        plan(**options)


def test_sizes_do_not_go_with_an_address_of_the_environment():
    with pytest.raises(UsageError, match=r"RAY_ADDRESS names a:1.*%ray_init local --num-cpus"):
        plan({"RAY_ADDRESS": "a:1"}, num_cpus=2)


def test_a_plan_that_says_nothing_takes_any_cluster_of_the_user():
    assert plan(namespace="x").is_open
    assert not plan(num_cpus=2).is_open and not plan(address="local").is_open and not plan(detached=True).is_open


def test_a_plan_goes_through_json():
    made = plan(num_cpus=2, resources={"tpu": 1}, detached=True)
    assert plan_from_json(json.loads(json.dumps(made.to_json()))) == made


# what differs

LOCAL = ConnectPlan(address="local", num_cpus=2)


@pytest.mark.parametrize(
    "old, new, words",
    [
        pytest.param(LOCAL, ConnectPlan(num_cpus=2), (), id="the same"),
        pytest.param(LOCAL, ConnectPlan(), (), id="no opinion"),
        pytest.param(LOCAL, ConnectPlan(address="local"), (), id="local again"),
        pytest.param(LOCAL, ConnectPlan(num_cpus=4), ("--num-cpus 4 (now 2)",), id="another number"),
        pytest.param(LOCAL, ConnectPlan(num_gpus=1), ("--num-gpus 1 (now not set)",), id="not set before"),
        pytest.param(LOCAL, ConnectPlan("a:1"), ("address a:1 (now a cluster started here)",), id="address"),
        pytest.param(
            LOCAL, ConnectPlan(detached=True), ("--detached (now a cluster that is not detached)",), id="detached"
        ),
        pytest.param(
            ConnectPlan("b:1", detached=True),
            ConnectPlan(address="local"),
            ("address local (now b:1)",),
            id="no longer detached",
        ),
        pytest.param(
            ConnectPlan("a:1", object_store_memory=GIB),
            ConnectPlan(object_store_memory=2 * GIB, resources={"tpu": 1}),
            ('--resources {"tpu": 1} (now not set)', "--object-store-memory 2 GiB (now 1 GiB)"),
            id="two things",
        ),
    ],
)
def test_what_differs_is_said_in_words(old, new, words):
    assert differences(old, new) == words


# what never fits


@pytest.mark.parametrize(
    "request_, nodes, words",
    [
        pytest.param(
            {"GPU": 1},
            [BIG],
            "No GPU in this cluster: the cell asks for --num-gpus 1, the cluster has CPU 8, memory 31 GiB. "
            "Drop --num-gpus, or connect elsewhere with %ray_init ADDRESS.",
            id="no GPU",
        ),
        pytest.param(
            {"CPU": 9, "GPU": 0},
            [BIG, GPU],
            "No node with 9 CPU: the cell asks for --num-cpus 9, the largest node has 8. "
            "Ask for less, or connect elsewhere with %ray_init ADDRESS.",
            id="too many CPUs, although the sum is there",
        ),
        pytest.param(
            {"memory": 64 * GIB},
            [BIG],
            "No node with 64 GiB memory: the cell asks for --memory 64GiB, the largest node has 31 GiB. "
            "Ask for less, or connect elsewhere with %ray_init ADDRESS.",
            id="too much memory",
        ),
        pytest.param(
            {"tpu": 1.0},
            [GPU],
            'No "tpu" in this cluster: the cell asks for --resources {"tpu": 1}, the cluster has CPU 2, GPU 1. '
            "Drop --resources, or connect elsewhere with %ray_init ADDRESS.",
            id="a custom resource",
        ),
        pytest.param(
            {"CPU": 4, "GPU": 1},
            [BIG, GPU],
            "No single node has CPU 4 and GPU 1 together: the cell asks for --num-cpus 4 --num-gpus 1, "
            "the nodes have CPU 8, memory 31 GiB; CPU 2, GPU 1. "
            "Ask for less, or connect elsewhere with %ray_init ADDRESS.",
            id="each on its own",
        ),
        pytest.param({"CPU": 8}, [BIG], None, id="fits, although nothing is free"),
        pytest.param({"GPU": 0.5}, [BIG, GPU], None, id="a share"),
        pytest.param({}, [BIG], None, id="nothing asked"),
        pytest.param({"CPU": 0.1 + 0.2}, [NodeResources("n", {"CPU": 0.3}, {})], None, id="float noise"),
    ],
)
def test_a_request_that_never_fits_is_told_with_what_there_is(request_, nodes, words):
    assert infeasible(request_, nodes) == words


def test_labels_that_no_node_has_never_fit():
    assert infeasible({"CPU": 1}, [BIG, GPU], {"zone": "!in(a,b)"}) is None
    assert "zone=c" in (infeasible({"CPU": 1}, [BIG, GPU], {"zone": "c"}) or "")
    assert "No node is alive" in (infeasible({"CPU": 1}, []) or "")


@pytest.mark.parametrize(
    "wish, label, fits",
    [("b", "b", True), ("b", None, False), ("!b", None, True), ("!b", "b", False), ("in(a, b)", "b", True),
     ("in(a,c)", "b", False), ("!in(a,b)", "b", False), ("!in(a,b)", None, True)],
)  # fmt: skip
def test_label_selectors_read_as_ray_reads_them(wish, label, fits):
    assert matches({"zone": wish}, {} if label is None else {"zone": label}) == fits


# why it waits


@pytest.mark.parametrize(
    "request_, words",
    [
        ({"tpu": 1}, "no node has the resource 'tpu'"),
        ({"CPU": 9}, "needs 9 CPU on one node; the largest node has 8"),
        ({"CPU": 4, "GPU": 1}, "no single node has CPU 4 and GPU 1 together"),
        ({"CPU": 8}, "waits for CPU: 8 of 8 are in use"),
        ({"GPU": 1}, "waits for GPU: 0.5 of 1 is in use"),
        ({"CPU": 1}, "waits for a worker process to start"),
        ({"CPU_group_0_0123456789abcdef": 1}, "waits for room in its placement group"),
    ],
)
def test_why_a_request_waits_is_said_in_words(request_, words):
    assert why_waiting(request_, [BIG, GPU]) == words


def test_a_missing_gpu_has_an_article_and_no_nodes_is_a_reason():
    assert why_waiting({"GPU": 1}, [BIG]) == "no node has a GPU"
    assert why_waiting({"GPU": 1}, []) == "no node is alive"
    assert why_waiting({"CPU": 1}, [GPU], {"zone": "c"}) == "no node has the label zone=c"


def test_free_parts_on_several_nodes_do_not_make_one_node():
    halves = [NodeResources(name, {"CPU": 2}, {"CPU": 1}) for name in "ab"]
    assert why_waiting({"CPU": 2}, halves) == "waits for CPU: needs 2 on one node, 1 free at most"


@pytest.mark.parametrize(
    "size, words",
    [(0, "0 B"), (999, "999 B"), (1000, "1 KiB"), (1536, "1.5 KiB"), (GIB - 1, "1 GiB"), (31 * GIB, "31 GiB")],
)
def test_sizes_read_as_in_the_views(size, words):
    assert size_text(size) == words


def test_rays_own_resources_are_not_shown():
    assert is_internal("node:10.0.0.1") and is_internal("CPU_group_0_0123456789ab") and not is_internal("tpu_group")
    assert resources_text({"node:a": 1, "tpu": 2, "CPU": 1.5, "GPU": 0}) == "CPU 1.5, tpu 2"


# facts to status

HEAD = NodeState("ab12", "10.0.0.1", True, True, {"CPU": 2, "memory": GIB, "node:x": 1}, {"CPU": 0.5, "memory": GIB})
DEAD = NodeState("cd34", "10.0.0.2", False, False, {"CPU": 8}, {}, note="lost power")


def test_a_dead_node_keeps_its_name_and_counts_for_nothing():
    assert cluster_meters([HEAD, DEAD]) == (ResourceUsage("CPU", 1.5, 2), ResourceUsage("memory", 0, GIB, "bytes"))
    assert node_status(DEAD) == NodeStatus("cd34", "10.0.0.2", False, False, (), "lost power")


def test_requests_of_the_same_kind_are_one_line():
    found = waiting_requests(
        [ResourceRequest({"CPU": 1.0}, 2), ResourceRequest({"GPU": 1.0, "CPU": 4.0}), ResourceRequest({"CPU": 1.0}, 1)],
        [HEAD],
    )
    assert found == (
        Waiting("CPU 1", 3, "waits for CPU: 1.5 of 2 are in use"),
        Waiting("CPU 4, GPU 1", 1, "no node has a GPU"),
    )
    assert count_states(["DEAD", "ALIVE", "ALIVE"]) == (("ALIVE", 2), ("DEAD", 1))


def test_a_log_moves_no_cursor_and_names_no_window():
    text = "\x1b[31mred\x1b[0m \x1b[2J\x1b]0;title\x07\x08\x00done\n"
    assert last_lines(text, None, "3", 9) == "\x1b[31mred\x1b[0m done"


@pytest.mark.parametrize(
    "tail, lines",
    [
        pytest.param(None, ["... 2 earlier lines; %ray_logs 3 --tail 4 prints them all ...", "c", "d"], id="not all"),
        pytest.param(3, ["b", "c", "d"], id="the last"),
        pytest.param(9, ["a", "b", "c", "d"], id="more than there are"),
        pytest.param(0, [], id="none"),
    ],
)
def test_the_lines_of_a_log_that_were_asked_for(tail, lines):
    assert last_lines("a\nb\nc\nd\n", tail, "3", 2).splitlines() == lines


# tokens


def test_the_token_is_taken_only_where_the_user_said_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not has_token({}) and not wants_token({})
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("x")
    assert wants_token({}) and not wants_token({"RAY_AUTH_MODE": "disabled"})
    assert wants_token({"RAY_AUTH_TOKEN": "x"}) and not wants_token({"RAY_AUTH_TOKEN_PATH": "/nowhere"})


def test_a_new_token_can_be_read_by_the_user_alone(tmp_path, monkeypatch):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    probe.create_token()
    made = tmp_path / ".ray" / "auth_token"
    first = made.read_text()
    probe.create_token()
    assert made.stat().st_mode & 0o777 == 0o600 and made.read_text() == first and len(first) == 64


@pytest.mark.parametrize(
    "environ, words",
    [
        ({}, "there is none here"),
        ({"RAY_AUTH_TOKEN": "secret"}, "refuses the token in RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN": "secret", "RAY_AUTH_MODE": "disabled"}, "RAY_AUTH_MODE is disabled"),
    ],
)
def test_a_refusal_says_why_and_never_the_token(environ, words, tmp_path, monkeypatch):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert words in probe.denied_text("a:1") and "secret" not in probe.denied_text("a:1")


# failures in words


def test_nothing_at_the_address_is_told_at_once():
    with pytest.raises(UsageError, match=r"No Ray cluster at 127.0.0.1:\d+ \(RAY_ADDRESS\): nothing listens"):
        probe.check_listens("127.0.0.1:1", "RAY_ADDRESS")


def test_a_machine_that_does_not_exist_is_told():
    with pytest.raises(UsageError, match=r'no machine called "nowhere\.invalid"'):
        probe.check_listens("nowhere.invalid:6379", "the address given")


def test_another_version_is_told_with_both_versions():
    theirs = "Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.10.1\nThis process on"
    words = str(probe.connect_error(RuntimeError(theirs), ConnectPlan("a:1")))
    assert "it has Ray: 2.9.0 Python: 3.10.1, this kernel Ray 2." in words and "\n" not in words


def test_an_unknown_failure_is_its_first_line():
    error = probe.connect_error(ValueError("\n bad luck \nand details"), ConnectPlan("local"))
    assert str(error) == "Ray did not start: bad luck"


def test_a_start_that_took_too_long_is_told_apart():
    error = RuntimeError("The current node timed out during startup. This could ...")
    assert isinstance(probe.connect_error(error, ConnectPlan()), probe.StartTimeout)


# the state of a detached cluster


def test_the_runtime_folder_is_for_the_user_alone(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    made = detached.runtime_folder({"RAY_MAGICS_RUNTIME_DIR": str(folder)})
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_link_is_no_runtime_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="RAY_MAGICS_RUNTIME_DIR"):
        detached.runtime_folder({"RAY_MAGICS_RUNTIME_DIR": str(tmp_path / "link")})


@pytest.mark.parametrize("created", [0.0, 1e12], ids=["an older process", "a newer one"])
def test_a_later_process_with_the_same_number_is_not_our_cluster(tmp_path, created):
    known = detached.DetachedCluster("127.0.0.1:1", os.getpid(), created, ConnectPlan(detached=True), "")
    detached._write_state_file(tmp_path, known)
    assert detached.find(tmp_path) is None and not (tmp_path / "cluster.json").exists()


def test_the_state_file_says_what_was_started(tmp_path):
    plan_ = ConnectPlan(detached=True, num_cpus=2, resources={"tpu": 1})
    known = detached.DetachedCluster("127.0.0.1:1", os.getpid(), detached._created(os.getpid()), plan_, "x")
    detached._write_state_file(tmp_path, known)
    assert detached.find(tmp_path) == known
    assert (tmp_path / "cluster.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_broken_state_file_is_no_cluster(tmp_path, text):
    (tmp_path / "cluster.json").write_text(text)
    assert detached.find(tmp_path) is None


def test_the_start_command_passes_the_sizes_and_binds_to_loopback(tmp_path):
    made = ConnectPlan(detached=True, num_cpus=0, resources={"tpu": 1}, namespace="n")
    line = detached.start_command(made, tmp_path)
    assert json.loads(line[-1]) == {"num_cpus": 0, "resources": {"tpu": 1}}
    kept = detached._child_environment({"JPY_X": "", "RAY_ADDRESS": "a:1", "A": "b"}, tmp_path)
    assert kept == {"A": "b", detached.LOOPBACK_SWITCH: "0", "RAY_TMPDIR": str(tmp_path)}


def test_who_sets_rays_own_switch_keeps_it(tmp_path):
    switch = {detached.LOOPBACK_SWITCH: "1"}
    assert detached._child_environment(switch, tmp_path).items() >= switch.items()


def test_a_cluster_that_ends_early_is_told_with_its_last_error(tmp_path, monkeypatch):
    said = "import sys; print('noise'); print('ValueError: the port is taken'); print('bye')"
    monkeypatch.setattr(detached, "start_command", lambda *_: [detached.sys.executable, "-c", said])
    with pytest.raises(UsageError, match="did not start: ValueError: the port is taken"):
        detached.start(ConnectPlan(detached=True), tmp_path, os.environ)
    assert detached.find(tmp_path) is None and not list(tmp_path.glob("ray-*"))


SLEEP = "import time; time.sleep(60)"


def test_a_cluster_that_is_never_ready_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(detached, "start_command", lambda *_: [detached.sys.executable, "-c", SLEEP])
    with pytest.raises(UsageError, match="took over 0 s"):
        detached.start(ConnectPlan(detached=True), tmp_path, os.environ, seconds=0.3)
    assert detached.find(tmp_path) is None


def test_what_our_own_tasks_hold_is_no_reason_to_wait() -> None:
    busy = [NodeResources("a", {"CPU": 4.0}, {"CPU": 0.0})]
    assert no_more_in_use({"CPU": 1.0}, 8, busy) and not no_more_in_use({"CPU": 1.0}, 3, busy)
