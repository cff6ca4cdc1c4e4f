"""Real clusters of our own, each in processes of its own: one that a kernel starts, one that is detached.

A script watches a whole life and prints what it saw; every test is one sentence about that.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import QUICK

PRELUDE = """
import contextlib, io, json, os, pathlib, sys, threading, time
from ray_magics.verbs.cluster import detached, messages, run, watch
from ray_magics.verbs.cluster.card import cluster_card
from ray_magics.errors import UsageError
seen = {}

def error_of(function, *args, **kwargs):
    started = time.monotonic()
    try:
        function(*args, **kwargs)
    except UsageError as error:
        seen.setdefault("seconds", []).append(time.monotonic() - started)
        return str(error)
    return "no error"

def printed(function):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        function()
    return out.getvalue()

def listening(processes):
    import psutil
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found += [[process.name(), c.laddr.ip] for c in process.net_connections("inet") if c.status == "LISTEN"]
    return found

@contextlib.contextmanager
def hearing():
    path, errors = pathlib.Path("stderr"), os.dup(2)
    with open(path, "wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield path
    finally:
        os.dup2(errors, 2)

def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())
"""

LOCAL = """
import psutil

seen["none"] = run.snapshot().state, "ray" in sys.modules
thread = threading.Thread(target=lambda: seen.update(thread=error_of(run.ensure_connected)))
thread.start(); thread.join()

with hearing() as heard:
    seen["said"] = printed(run.ensure_connected)
    seen["said again"] = printed(run.ensure_connected)
seen["noise"] = heard.read_text()
connection = run.current()
seen["dashboard hint"] = messages.dashboard_hint(connection)
import ray, numpy

seen["same"] = run.init() is connection and run.init("local") is connection
seen["other"] = error_of(run.init, num_cpus=77)
me = psutil.Process()
ray.get([ray.remote(lambda: 1).remote() for _ in range(2)])
seen["ours"] = until(lambda: len(me.children(recursive=True)) > 5)
seen["listening"] = listening([me, *me.children(recursive=True)])

times = []
for _ in range(20):
    started = time.perf_counter(); run.snapshot(); times.append(time.perf_counter() - started)
seen["milliseconds"] = sorted(times)[10] * 1000

def used():
    return {m.name: m.used for m in run.snapshot().meters}["object store"]

ref = ray.put(numpy.ones(12_500_000))
seen["used"] = until(lambda: used() >= 10**8)
del ref
seen["free again"] = until(lambda: used() < 10**7)

@ray.remote
class Counter: pass

@ray.remote
def nap(): time.sleep(60)

counter = Counter.options(num_cpus=0).remote()
cpus = int(ray.cluster_resources()["CPU"])
naps = [nap.remote() for _ in range(cpus + 3)]
never = [nap.options(num_gpus=1).remote(), nap.options(num_cpus=cpus + 1).remote(),
         nap.options(label_selector={"zone": "mars"}).remote()]
watch.TASK_COUNT_SECONDS = 0.2
counts = {("RUNNING", cpus), ("PENDING_NODE_ASSIGNMENT", 6)}
until(lambda: len(run.snapshot().waiting) == 4 and counts <= set(run.snapshot().tasks))
status = run.snapshot()
seen["waiting"] = [[w.request, w.count, w.why] for w in status.waiting]
seen["tasks"], seen["actors"], seen["cpus"] = dict(status.tasks), dict(status.actors), cpus
seen["json"] = cluster_card(status).to_json()["label"]
for nap_ in naps + never:
    ray.cancel(nap_, force=True)

run.GUARD_SECONDS, run.DISCONNECT_SECONDS = 0.2, 1.0
run._start_watch(run.current())
run.snapshot()
[gcs] = [p for p in me.children() if p.name() == "gcs_server"]
gcs.kill()
gcs.wait(10)
started = time.monotonic()
lost = run.snapshot()
seen["lost"] = lost.state, lost.message, time.monotonic() - started, bool(lost.meters)
seen["verb when lost"] = error_of(run.ensure_connected)
seen["let go"] = until(lambda: not run.is_up(), 60)
seen["after"] = run.snapshot().state, error_of(run.ensure_connected)
seen["shutdown"] = run.shutdown(), run.snapshot().state
seen["left"] = not until(lambda: not [p for p in me.children(recursive=True) if p.status() != "zombie"], 30)
print(json.dumps(seen))
"""

DETACHED_FIRST = """
import psutil
connection = run.init(detached=True, num_cpus=1, resources={"tpu": 1}, namespace="team")
seen["said"] = messages.connection_text(connection, run.nodes())
seen["address"] = connection.address
known = detached.find(detached.runtime_folder(os.environ))
seen["sid"] = os.getsid(known.pid), known.pid, os.getsid(0)
import ray

@ray.remote
class Counter:
    def __init__(self): self.count = 0
    def add(self): self.count += 1; return self.count

counter = Counter.options(name="counter", lifetime="detached").remote()
seen["count"] = ray.get(counter.add.remote())
seen["listening"] = listening(detached._session_processes(known.pid))
seen["nodes"] = [dict(node.total) for node in run.nodes()]
print(json.dumps(seen))
"""

KILLED = """
import ray, psutil, signal
from ray_magics.errors import UsageError
from ray_magics.raylib import logs
run.ensure_connected(say=lambda *_, **__: None)
raylet = next(p for p in psutil.Process().children(recursive=True) if p.name() == "raylet")
raylet.send_signal(signal.SIGKILL)
raylet.wait(10)
started = time.monotonic()
seen["verb"] = error_of(run.ensure_connected)
status = run.snapshot()
seen["status"] = status.state, status.message, [node.alive for node in status.nodes]
seen["seconds"] = time.monotonic() - started
for process in psutil.Process().children(recursive=True):
    process.kill()
print(json.dumps(seen), flush=True)
os._exit(0)
"""

OTHER = """
import os, sys, time
import ray
from ray_magics.verbs.cluster import run
run.ensure_connected(say=lambda *_, **__: None)

@ray.remote(num_cpus=0)
def work(path):
    open(path, "w").close()
    time.sleep(100)

gate = os.path.join(os.environ["HOME"], "at_work")
ref = work.remote(gate)
while not os.path.exists(gate):
    time.sleep(0.05)
print("at work", flush=True)
sys.stdin.readline()
print(run.lost(0.0), flush=True)
os._exit(0)
"""

DETACHED_SECOND = """
address = sys.argv[1]
import ray
home = os.environ["HOME"]

os.environ["HOME"] = os.path.join(home, "nobody")
seen["no token"] = error_of(run.init, address)
os.environ["RAY_AUTH_TOKEN"] = "f" * 64
seen["wrong token"] = error_of(run.init, address)
del os.environ["RAY_AUTH_TOKEN"]
os.environ["HOME"] = home
seen["nobody there"] = error_of(run.init, "127.0.0.1:1")

import http.server
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen["no ray there"] = error_of(run.init, f"127.0.0.1:{server.server_port}")
seen["mode"] = os.environ.get("RAY_AUTH_MODE")

connection = run.init(address)
seen["by address"] = connection.address, connection.started, connection.detached, os.environ.get("RAY_AUTH_MODE")
seen["by address again"] = run.init(address) is connection
seen["other address"] = error_of(run.init, "10.0.0.1:6379")
seen["disconnected"] = run.shutdown()
seen["mode after"] = os.environ.get("RAY_AUTH_MODE")

os.environ["RAY_ADDRESS"] = address
seen["named"] = printed(run.ensure_connected)
run.shutdown()
del os.environ["RAY_ADDRESS"]

seen["other sizes"] = error_of(run.init, detached=True, num_cpus=2)
found = []
thread = threading.Thread(target=lambda: found.append(run.init(detached=True, num_cpus=1, namespace="team")))
thread.start(); thread.join()
seen["found"] = found[0].address, found[0].started, found[0].detached
seen["count"] = ray.get(ray.get_actor("counter").add.remote())
ray.shutdown()

seen["without a word"] = printed(run.ensure_connected)
ray.shutdown()

os.environ["RAY_AUTH_MODE"] = "token"
from ray_magics.raylib import auth, core
auth.enable_token_auth()
with core.loopback_only():
    ray.init(address, logging_level="ERROR")
adopted = run.ensure_connected()
seen["the user's own"] = adopted.address, adopted.started, run.snapshot().state
import signal, psutil
known = detached.find(detached.runtime_folder(os.environ))
members = {p.name(): p for p in detached._session_processes(known.pid)}
members["gcs_server"].send_signal(signal.SIGSTOP)
started = time.monotonic()
seen["stuck"] = run.snapshot().state, time.monotonic() - started
members["gcs_server"].send_signal(signal.SIGCONT)
seen["well again"] = until(lambda: run.snapshot().state == "connected")
ray.shutdown()

import subprocess
other = subprocess.Popen([sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         env={**os.environ, "JPY_SESSION_NAME": "/home/me/train.ipynb"})
seen["other"] = other.stdout.readline().strip(), other.pid
seen["in use"] = error_of(run.shutdown)
seen["in use, restart"] = error_of(run.init, detached=True, num_cpus=1, restart=True)
seen["still there"] = detached.find(detached.runtime_folder(os.environ)) is not None
started = time.monotonic()
seen["stopped"] = run.shutdown(force=True)
seen["stop seconds"] = time.monotonic() - started
seen["told"] = other.communicate(input="\\n", timeout=60)[0].strip(), os.getpid()
seen["left"] = [p.name() for p in detached._session_processes(known.pid)]
seen["folder"] = sorted(os.listdir(os.environ["RAY_MAGICS_RUNTIME_DIR"]))
seen["nothing"] = run.shutdown()
print(json.dumps(seen))
"""

KEPT = ("RAY_raylet_start_wait_time_s", "RAY_worker_niceness")  # what lets Ray start on a busy machine
Measurements = dict[str, Any]


def watch(script: str, folder: Path, *arguments: str) -> Measurements:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") or name in KEPT}
    environment |= {"HOME": str(folder), "RAY_MAGICS_RUNTIME_DIR": str(folder / "run")}
    environment["PYTHONPATH"] = os.pathsep.join((QUICK, str(Path(__file__).parents[2])))
    code = f"OTHER = {OTHER!r}\n{PRELUDE}{textwrap.dedent(script)}"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, env=environment, capture_output=True, timeout=220
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    seen: Measurements = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="rm", dir="/tmp"))  # Ray's socket paths must be short
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def local(folder: Path) -> Measurements:
    return watch(LOCAL, folder)


@pytest.fixture(scope="module")
def killed(folder: Path) -> Measurements:
    return watch(KILLED, folder)


@pytest.fixture(scope="module")
def first(folder: Path) -> Iterator[Measurements]:
    seen = watch(DETACHED_FIRST, folder)
    yield seen
    watch("run.shutdown(); print('{}')", folder)


@pytest.fixture(scope="module")
def second(folder: Path, first: Measurements) -> Measurements:
    return watch(DETACHED_SECOND, folder, first["address"])


def outside(listening: list[list[str]]) -> list[list[str]]:
    loopback = ("127.0.0.1", "::ffff:127.0.0.1", "::1")
    return [pair for pair in listening if pair[1] not in loopback]


# a cluster that the kernel starts


def test_without_a_connection_the_status_says_so_and_imports_no_ray(local):
    assert local["none"] == ["none", False]


def test_no_cluster_starts_in_a_thread(local):
    assert local["thread"] == "Ray is not running, and only a cell can start it: run %ray_init first."


def test_the_first_use_starts_a_cluster_and_says_so_in_one_line(local):
    said = local["said"]
    assert said.startswith("Connecting to Ray ... Started Ray on this machine: CPU ") and said.count("\n") == 1
    assert "Dashboard http://127.0.0.1:" in said and said.endswith("%ray_shutdown stops it.\n")


def test_the_second_use_says_nothing_and_nothing_else_is_heard(local):
    assert local["said again"] == "" and local["noise"] == ""


def test_the_card_says_how_to_get_the_token(local):
    assert "ray get-auth-token" in local["dashboard hint"]


def test_the_same_again_changes_nothing(local):
    assert local["same"]


def test_something_else_is_an_error_that_names_it_and_the_way(local):
    assert "--num-cpus 77 (now not set)" in local["other"] and "Add --restart" in local["other"]


def test_nothing_of_a_started_cluster_listens_beyond_loopback(local):
    names = {name for name, _ in local["listening"]}
    assert local["ours"] and {"gcs_server", "raylet"} <= names and outside(local["listening"]) == []


def test_a_snapshot_is_cheap(local):
    assert local["milliseconds"] < 20  # 2 ms alone on the machine


def test_the_object_store_is_measured(local):
    assert local["used"] and local["free again"]


def test_what_waits_says_why(local):
    cpus = local["cpus"]
    assert sorted(local["waiting"]) == sorted(
        [
            ["CPU 1", 3, f"waits for CPU: {cpus} of {cpus} {'is' if cpus == 1 else 'are'} in use"],
            ["CPU 1, GPU 1", 1, "no node has a GPU"],
            [f"CPU {cpus + 1}", 1, f"needs {cpus + 1} CPU on one node; the largest node has {cpus}"],
            ["CPU 1 on zone=mars", 1, "no node has the label zone=mars"],
        ]
    )


def test_tasks_and_actors_are_counted_by_state(local):
    assert local["tasks"]["RUNNING"] == local["cpus"] and local["tasks"]["PENDING_NODE_ASSIGNMENT"] == 6
    assert local["actors"] == {"ALIVE": 1} and local["json"] == "Ray cluster"


def test_a_dead_cluster_is_lost_at_once_and_what_was_known_stays(local):
    state, message, seconds, meters = local["lost"]
    assert state == "lost" and "%ray_init --restart" in message and seconds < 2 and meters


def test_a_verb_on_a_dead_cluster_fails_in_one_line(local):
    assert "is gone" in local["verb when lost"] and "%ray_init --restart" in local["verb when lost"]


def test_the_kernel_lets_go_of_a_dead_cluster_before_ray_ends_the_kernel(local):
    assert local["let go"] and local["after"][0] == "lost" and "is gone" in local["after"][1]


def test_after_the_shutdown_nothing_is_left(local):
    assert local["shutdown"][1] == "none" and not local["left"]


def test_the_death_of_rays_process_on_this_machine_is_known_at_once(killed):
    assert "has lost its process on this machine (raylet): it was killed" in killed["verb"] and killed["seconds"] < 5
    state, message, alive = killed["status"]
    assert state == "lost" and "Ray's process on this machine has died" in message and alive == [False]


# a detached cluster


def test_a_detached_cluster_says_what_it_has(first):
    assert first["said"].startswith(f"Started your detached Ray cluster at {first['address']}: CPU 1, ")
    assert first["nodes"][0]["tpu"] == 1 and first["count"] == 1


def test_a_detached_cluster_has_a_session_of_its_own(first):
    session, leader, ours = first["sid"]
    assert session == leader != ours


def test_nothing_of_a_detached_cluster_listens_beyond_loopback(first):
    names = {name for name, _ in first["listening"]}
    assert {"gcs_server", "raylet"} <= names and outside(first["listening"]) == []


def test_without_a_token_the_error_says_where_it_belongs(second):
    assert "asks for a token, and there is none here" in second["no token"]
    assert second["no token"].endswith("/nobody/.ray/auth_token.")


def test_a_wrong_token_is_told_as_such(second):
    assert "refuses the token in RAY_AUTH_TOKEN" in second["wrong token"]


def test_an_address_without_a_cluster_is_told_apart(second):
    assert "nothing listens there" in second["nobody there"]
    assert "does not answer like a Ray cluster" in second["no ray there"]


def test_failures_to_connect_take_seconds_and_leave_the_environment_as_it_was(second):
    assert max(second["seconds"]) < 8 and second["mode"] is None


def test_an_address_connects_with_the_token_that_is_there(first, second):
    assert second["by address"] == [first["address"], False, False, "token"] and second["by address again"]
    assert f"address 10.0.0.1:6379 (now {first['address']})" in second["other address"]


def test_a_shutdown_leaves_a_cluster_that_was_only_connected_to(second):
    assert second["disconnected"].startswith("Disconnected from your detached cluster")
    assert second["mode after"] is None


def test_the_environment_names_the_cluster(first, second):
    assert second["named"].startswith(
        f"Connecting to Ray ... Connected to the Ray cluster at {first['address']} (from RAY_ADDRESS): "
    )


def test_another_kernel_finds_the_detached_cluster_with_its_actors(first, second):
    assert second["found"] == [first["address"], False, True] and second["count"] == 2


def test_a_detached_cluster_of_other_sizes_is_an_error_that_names_them(second):
    assert "--num-cpus 2 (now 1)" in second["other sizes"] and "--restart" in second["other sizes"]


def test_the_first_verb_finds_the_detached_cluster(first, second):
    assert second["without a word"].startswith(
        f"Connecting to Ray ... Connected to your detached Ray cluster at {first['address']}"
    )


def test_a_connection_that_the_user_made_is_used(first, second):
    assert second["the user's own"] == [first["address"], False, "connected"]


def test_a_stuck_cluster_is_lost_within_seconds_and_comes_back(second):
    state, seconds = second["stuck"]
    assert state == "lost" and seconds < 3 and second["well again"]


def test_a_detached_cluster_that_others_use_is_stopped_by_force_alone(first, second):
    at_work, pid = second["other"]
    said = f"{first['address']} is not stopped, for train.ipynb (process {pid}), whose tasks run, uses it. "
    assert at_work == "at work" and second["in use"].endswith(said + "%ray_shutdown --force stops it all the same.")
    assert said in second["in use, restart"] and second["still there"]


def test_the_others_hear_who_stopped_it(first, second):
    told, pid = second["told"]
    assert f"The Ray cluster at {first['address']} is gone: %ray_shutdown in process {pid}, at " in told


def test_the_shutdown_of_a_detached_cluster_leaves_nothing(first, second):
    assert second["stopped"].startswith(f"Stopped your detached Ray cluster at {first['address']}")
    assert second["stop seconds"] < 10
    assert second["left"] == [] and "cluster.json" not in second["folder"]
    assert not any(name.startswith("ray-") for name in second["folder"])
    assert second["nothing"].startswith("Nothing to shut down")
