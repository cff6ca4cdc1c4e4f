"""Applications with real Ray Serve, through a real shell and real clients.

What only looks shares two applications, "site" and "shop"; what changes something updates a third one, "echo", in place.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from ray_magics import connection
from ray_magics.errors import RayMagicsError, RemoteError, RunCancelled
from ray_magics.run.registry import registry
from ray_magics.verbs.serve import checks, control, served, watch
from ray_magics.verbs.serve.details import InstanceDetails
from ray_magics.verbs.serve.plan import ServePlan
from tests.conftest import Shell, wait_until
from tests.serving import (
    ECHO,
    FAILS,
    LIGHT,
    SHOP,
    SHOP_API,
    SLEEPS,
    app,
    ids,
    load,
    new_one_starts,
    replicas,
    serve,
)

httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.timeout(300)
Capsys = pytest.CaptureFixture[str]
Address = tuple[str, str]

SITE = """
class Site:
    def __init__(self):
        print('loading')
    async def __call__(self, request):
        print('asked for', request.url.path)
        __import__('warnings').warn(f'warned of {request.url.path}')
        if request.method == 'POST':
            return await request.json()
        return {'method': request.method, 'w': weights['a']}
    def twice(self, x):
        return 2 * x
    def some(self):
        yield 1
        raise KeyError('second')
    async def forever(self):
        await asyncio.sleep(600)
    def Method1(self, message):
        return serve_pb2.UserDefinedResponse(greeting=f'Hello {message.name}', num_x2=2 * message.num)
"""


@pytest.fixture(scope="module")
def site_cell(_ip: Any, address: Address) -> set[str]:
    """A plain class that is served as "site"; the names that its cell binds."""
    shell = Shell(_ip)
    shell.run("import asyncio\nfrom ray.serve.generated import serve_pb2\nweights = {'a': 2}")
    before = set(shell.ns)
    serve(shell, "--name site --into site", SITE)
    wait_until(lambda: any("loading" in line for line in replicas("site")[0]["log"]), 60, "what it printed")
    return {name for name in set(shell.ns) - before if not name.startswith("_")}


@pytest.fixture
def site(lab: Shell, site_cell: set[str]) -> set[str]:
    """The notebook has a handle of "site"."""
    lab.run("%ray_serve site --into site --quiet")
    return site_cell


@pytest.fixture(scope="module")
def shop_cell(_ip: Any, address: Address) -> None:
    Shell(_ip).run(SHOP_API)
    serve(Shell(_ip), "--name shop", SHOP)


@pytest.fixture
def shop(lab: Shell, shop_cell: None) -> None:
    """A composition that is served with FastAPI, of which the notebook has a handle."""
    lab.run(f"{SHOP_API}\n%ray_serve shop --into shop --quiet")


@pytest.fixture
def echo(lab: Shell, web: Any) -> str:
    """An application of one replica that tests may update: what it answers before."""
    if "echo" not in served.served_names() or app()["status"] != "RUNNING" or len(replicas()) != 1:
        serve(lab, "--name echo", ECHO.format(version="one"))
    return str(web.get("/echo").text)


@pytest.fixture
def first_look(site: set[str]) -> None:
    """Figures and answers begin anew, as in a kernel that looks for the first time; logs have times in whole seconds."""
    second = int(time.time())
    wait_until(lambda: int(time.time()) > second)
    connection.session().drop(watch.ServeWatch)


# --- what only looks ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("first_look")
def test_a_plain_class_is_served_and_answers_by_http_and_by_handle(lab: Shell, web: Any, site: set[str]) -> None:
    assert site == {"Site", "site"}
    assert app("site")["figures"]["total"] == 0
    assert web.get("/site").json() == {"method": "GET", "w": 2}
    assert lab.run("site.twice.remote(21).result()") == 42
    assert lab.run("await site.twice.remote(4)") == 8
    for call in ("site.twice.remote({}).result()", "await site.twice.remote({})"):
        with pytest.raises(TypeError, match="unsupported operand") as failed:
            lab.run(call)
        shown = failed.value._render_traceback_()
        assert len(shown) < 15 and any("return 2 * x" in line for line in shown)
    shown = app("site")
    assert shown["status"] == "RUNNING" and shown["deployments"][0]["max_ongoing"] == 100
    assert wait_until(lambda: app("site")["figures"]["total"], 60, "the request in the figures") == 1


@pytest.mark.usefixtures("shop")
def test_a_composition_answers_and_says_what_it_can_be_asked(web: Any) -> None:
    assert web.post("/shop/predict", json={"x": 3}).json() == {"y": 6, "tags": ["a"]}
    assert web.post("/shop/predict", content="no json").status_code == 422
    shown = app("shop")
    assert [one["name"] for one in shown["deployments"]] == ["Front", "Scale"]
    assert shown["docs"].endswith("/shop/docs") and web.get(shown["docs"]).status_code == 200
    call = wait_until(lambda: [one for one in app("shop")["calls"] if one["path"] == "/shop/predict"], 60, "calls")
    assert call == [{"method": "POST", "path": "/shop/predict", "body": '{"x": 0.0, "tags": ["a"]}'}]


@pytest.mark.usefixtures("shop")
def test_batches_streams_websockets_and_multiplexed_models(lab: Shell, web: Any, address: Address) -> None:
    from websockets.sync.client import connect

    async def ask() -> list[Any]:
        async with httpx.AsyncClient(base_url=address[0], timeout=60) as client:
            return list(await asyncio.gather(*(client.get("/shop/square", params={"x": x}) for x in range(4))))

    squares = [answer.json() for answer in asyncio.run(ask())]
    assert [square for square, _ in squares] == [0, 1, 4, 9] and max(size for _, size in squares) > 1
    with web.stream("GET", "/shop/count") as answer:
        assert "".join(answer.iter_text()) == "0\n1\n2\n"
    assert list(lab.ns["shop"].options(stream=True).numbers.remote(3)) == [0, 1, 2]
    assert lab.run("[x for x in shop.options(stream=True).numbers.remote(3)]") == [0, 1, 2]
    assert lab.run("shop.options(multiplexed_model_id='b').model.remote().result()") == "B"
    with connect(f"{address[0].replace('http', 'ws')}/shop/talk") as talk:
        talk.send("hello")
        assert talk.recv() == "you said hello"


@pytest.mark.usefixtures("site")
def test_grpc_clients_are_answered(address: Address) -> None:
    import grpc
    from ray.serve.generated import serve_pb2, serve_pb2_grpc

    assert control.snapshot().to_json()["grpc"] == address[1]
    with grpc.insecure_channel(address[1]) as channel:
        stub = serve_pb2_grpc.UserDefinedServiceStub(channel)
        message = serve_pb2.UserDefinedMessage(name="Ada", num=21)
        answer = stub.Method1(message, metadata=[("application", "site")], timeout=60)
    assert (answer.greeting, answer.num_x2) == ("Hello Ada", 42)


def test_an_error_between_two_pieces_of_a_stream_is_the_users_own(lab: Shell, site: set[str]) -> None:
    lab.run("found = []\nstream = site.options(stream=True).some.remote()")
    with pytest.raises(KeyError, match="second") as failed:
        lab.run("async for piece in stream:\n    found.append(piece)")
    assert lab.ns["found"] == [1]
    assert isinstance(failed.value, RemoteError) and len(failed.value._render_traceback_()) < 15


def test_a_wait_for_an_answer_can_be_interrupted(lab: Shell, site: set[str]) -> None:
    def interrupt() -> None:
        wait_until(lambda: replicas("site")[0]["ongoing"] == 1, 60, "the request")
        signal.raise_signal(signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(RunCancelled, match="was asked to cancel the request") as stopped:
        lab.run("site.forever.remote().result()")
    other.join()
    assert len(stopped.value._render_traceback_()) < 5
    wait_until(lambda: replicas("site")[0]["ongoing"] == 0, 60, "the end of the request")


@pytest.mark.usefixtures("first_look")
def test_the_try_it_box_sends_to_serve_and_nowhere_else() -> None:
    command = {"action": "try", "run": "serve", "part": "site"}
    request = {"method": "POST", "path": "/site", "body": '{"a": 1}', "type": "application/json"}
    assert app("site")["answer"] is None
    assert registry.command({**command, "request": request}) == {"status": "ok"}
    answer = wait_until(
        lambda: app("site")["answer"]["state"] == "answered" and app("site")["answer"], 60, "the answer"
    )
    assert (answer["status"], answer["body"], answer["number"]) == (200, '{"a":1}', 1)
    registry.command({**command, "request": {**request, "body": "no json"}})
    wait_until(lambda: app("site")["answer"]["status"] == 500, 60, "the failure")
    for bad in ({**request, "path": "http://elsewhere/"}, {**request, "method": "CONNECT"}, "x", None):
        assert registry.command({**command, "request": bad})["status"] == "error"
    assert registry.command({**command, "part": "nobody", "request": request})["status"] == "error"
    assert wait_until(lambda: app("site")["figures"]["errors"], 60, "the error rate") == 0.5


@pytest.mark.usefixtures("site")
def test_logs_are_printed(lab: Shell, web: Any, capsys: Capsys) -> None:
    web.get("/site/deep")
    capsys.readouterr()
    lab.run("%ray_logs site")
    shown = capsys.readouterr().out
    assert re.search(r"--- Site, replica \w+\n(.*\n)*.*asked for /site/deep", shown)
    assert "warned of /site/deep" in shown and " -- GET" not in shown


@pytest.mark.usefixtures("site")
def test_what_only_a_new_version_can_have_is_refused_by_a_served_one(lab: Shell) -> None:
    for options in ("--dry-run", "--route-prefix /other", "--bind x=1", "--port 1234", "--background", "--replace"):
        with pytest.raises(UsageError, match=rf"{options.split()[0]} has no effect on .site., which is served"):
            lab.run(f"%ray_serve site --num-replicas 2 {options}")
    assert app("site")["deployments"][0]["target"] == 1


@pytest.mark.usefixtures("site")
def test_what_cannot_work_is_one_line_and_nothing_changes(
    lab: Shell, web: Any, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "FREED_TIMEOUT", 0.2)  # nothing was freed
    before, port = (served.served_names(), ids("site")), int(address[0].rpartition(":")[2])
    cases = {
        "": ("x = 1", "nothing to serve"),
        "--name other --route-prefix /site": (ECHO.format(version="x"), "belongs to the application"),
        "--name other --num-cpus 99": (ECHO.format(version="x"), "No node with 99 CPU"),
        "--name other --num-cpus 1 --num-replicas 9": (ECHO.format(version="x"), "No room for 9 replicas"),
        "--name site --num-cpus 4": (ECHO.format(version="x"), "--replace stops the old version first"),
        f"--port {port + 1}": (ECHO.format(version="x"), "Serve listens with"),
        "--name a": ("class A:\n    def __init__(self, w):\n        pass\n    def __call__(self, r):\n        return 1",
                     "missing a required argument: 'w'"),
        "--name b": ("class A:\n    def __call__(self, r):\n        return 1\nclass B(A):\n    pass", "several classes"),
        "--name c --autoscaling-config \"{'min_replica': 1}\"": (ECHO.format(version="x"), "min_replica"),
        "--name big": ("import numpy as np\nbig = np.ones(20_000_000)\ndef f(r):\n    return big", '"big" (153 MiB), which f'),
        "--name u --user-config 1": ("def f(r):\n    return 1", "no method reconfigure"),
        "--name d": ("rows = (row for row in [1])\ndef f(r):\n    return rows", 'Cannot ship "rows" (generator), which f reads'),
    }  # fmt: skip
    for line, (cell, words) in cases.items():
        with pytest.raises(UsageError) as found:
            lab.run(f"%%ray_serve {line if '--num-cpus' in line else f'{line} --num-cpus 0.1'} --quiet\n{cell}")
        assert words in str(found.value) and "\n" not in str(found.value), (line, found.value)
    with pytest.raises(ZeroDivisionError) as failed:
        serve(lab, "--name e", "1 / 0\ndef f(r):\n    return 1")
    assert "nothing was deployed" in failed.value._render_traceback_()[0]
    assert web.get("/site").json()["w"] == 2 and (served.served_names(), ids("site")) == before


def test_a_port_that_another_program_has_is_told_before_serve_starts() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"Another program listens on 127.0.0.1:{port}; .*--port {port + 1}"):
            checks.check_address(ServePlan(port=port), InstanceDetails())
    with pytest.raises(UsageError, match=r"Serve cannot listen on 203\.0\.113\.9:8000: .*assign"):
        checks.check_address(ServePlan(host="203.0.113.9"), InstanceDetails())


# --- what is served beside them -----------------------------------------------------------------------------------


def test_the_script_serves_the_same(
    lab: Shell, web: Any, capsys: Capsys, tmp_path: Path, plain_python: Callable[[Path], str]
) -> None:
    lab.run("offset = 5\ndef shifted(x):\n    return x + offset")
    cell = "class Add:\n    def __init__(self, y):\n        self.y = y\n    def __call__(self, request):\n"
    cell += "        return {'sum': shifted(self.y)}"
    capsys.readouterr()
    serve(lab, '--name add --bind "y=2" --dry-run', cell)
    printed = capsys.readouterr().out
    script = printed.partition("\n\n")[2]
    assert "offset" in printed and "ray_magics" not in script and "blocking=True" in script
    assert "add" not in served.served_names()
    lines = script.replace(", blocking=True", "")
    (tmp_path / "script.py").write_text(f"{lines}\nimport urllib.request\nport = {web.base_url.port}\n"
        "print(urllib.request.urlopen(f'http://127.0.0.1:{port}/add').read().decode())\n")  # fmt: skip
    assert '{"sum":7}' in plain_python(tmp_path / "script.py")


EARLIER = """
from fastapi import FastAPI
from ray import serve
api = FastAPI()
factor = 3
@serve.deployment(ray_actor_options={"num_cpus": 0})
class Scale:
    def scaled(self, x):
        return x * factor
@serve.deployment(ray_actor_options={"num_cpus": 0})
@serve.ingress(api)
class Front:
    def __init__(self, scale):
        self.scale = scale
    @api.get("/")
    async def read(self) -> int:
        return await self.scale.scaled.remote(2)
whole = Front.bind(Scale.options(max_ongoing_requests=3).bind())
"""


def test_the_script_makes_again_what_earlier_cells_have_deployed(
    lab: Shell, web: Any, capsys: Capsys, tmp_path: Path, plain_python: Callable[[Path], str]
) -> None:
    lab.run(EARLIER)
    capsys.readouterr()
    lab.run("%ray_serve whole --name earlier --dry-run")
    script = capsys.readouterr().out.partition("\n\n")[2].replace(", blocking=True", "")
    (tmp_path / "script.py").write_text(f"{script}\nimport urllib.request\nport = {web.base_url.port}\n"
        "print(urllib.request.urlopen(f'http://127.0.0.1:{port}/earlier').read().decode(), 'read')\n")  # fmt: skip
    printed = plain_python(tmp_path / "script.py")
    assert "6 read" in printed, printed


@pytest.mark.usefixtures("lab")
def test_the_twin_serves_from_python(web: Any) -> None:
    import ray_magics

    def twice(request: Any) -> Any:
        return 2 * int(request.query_params["x"]) if hasattr(request, "query_params") else 2 * request

    handle = ray_magics.serve(twice, name="twice", num_cpus=0.1)
    assert web.get("/twice?x=4").text == "8" and handle.remote(5).result() == 10
    with pytest.raises(TypeError, match="no option 'replica'"):
        ray_magics.serve(twice, replica=2)


def test_an_application_scales_from_zero(lab: Shell, web: Any) -> None:
    lab.run("scaling = {'upscale_delay_s': 0, 'downscale_delay_s': 600, 'metrics_interval_s': 0.2}")
    serve(lab, "--name zero --autoscale 0:2@1 --autoscaling-config scaling", ECHO.format(version="awake"))
    deployment = app("zero")["deployments"][0]
    assert deployment["target"] == 0 and not deployment["replicas"] and app("zero")["status"] == "RUNNING"
    scaling = {key: deployment["autoscaling"][key] for key in ("min", "max", "target")}
    assert scaling == {"min": 0, "max": 2, "target": 1}
    assert web.get("/zero").text == "awake"
    assert app("zero")["deployments"][0]["target"] == 1 and len(replicas("zero")) == 1


def test_a_killed_replica_is_counted_and_replaced_while_the_other_answers(lab: Shell, address: Address) -> None:
    lab.run("from ray import serve")
    quick = f"@serve.deployment(health_check_period_s=0.5){ECHO.format(version='here')}"
    serve(lab, "--name twins --num-replicas 2", quick)
    first, _ = replicas("twins")
    with load(f"{address[0]}/twins", threads=2) as answers:
        wait_until(lambda: len(answers) > 20, 60, "traffic")
        os.kill(first["pid"], signal.SIGKILL)
        wait_until(lambda: app("twins")["deployments"][0]["died"] == 1, 60, "the loss in the view")
        wait_until(lambda: len(replicas("twins")) == 2, 60, "the new replica")
        count = len(answers)
        wait_until(lambda: len(answers) > count + 10, 60, "traffic after the loss")
    assert first["id"] not in ids("twins")
    assert answers[-10:] == ["here"] * 10


def test_a_replica_that_dies_in_its_constructor_leaves_its_last_words(lab: Shell) -> None:
    cell = "import os, time\nclass Dies:\n    def __init__(self):\n        print('out of paper', flush=True)\n"
    cell += "        time.sleep(1)\n        os._exit(3)\n    def __call__(self, request):\n        return 1"
    with pytest.raises(RayMagicsError, match=r"its process ended .*; the last that it said: .*out of paper"):
        serve(lab, "--name dies", cell)


# --- updates --------------------------------------------------------------------------------------------------------


def test_an_update_loses_no_request_and_a_broken_one_changes_nothing(lab: Shell, address: Address, echo: str) -> None:
    with load(f"{address[0]}/echo", threads=2) as answers:
        serve(lab, "--name echo --into handle", ECHO.format(version="updated"))
        wait_until(lambda: answers and answers[-1] == "updated", 60, "the new version")
        with pytest.raises(ValueError, match="bad weights") as found:
            serve(lab, "--name echo", FAILS.format(name="Echo", words="bad weights"))
        count = len(answers)
        wait_until(lambda: len(answers) > count + 10, 60, "answers after the failure")
    assert set(answers) == {echo, "updated"} and set(answers[count:]) == {"updated"}
    assert isinstance(found.value, RemoteError)
    lines = found.value._render_traceback_()
    assert len(lines) < 15 and any("raise ValueError('bad weights')" in line for line in lines)
    assert 'the old version of "echo" keeps serving' in lines[0]
    assert app()["status"] == "RUNNING" and app()["deployments"][0]["status"] == "HEALTHY"
    assert lab.run("handle.remote(None).result()") == "updated"


@pytest.mark.usefixtures("shop")
def test_one_broken_part_of_a_composition_leaves_all_of_the_old_one(lab: Shell, web: Any) -> None:
    before = ids("shop")
    with pytest.raises(ModuleNotFoundError):
        serve(lab, "--name shop", SHOP.replace("pass", "import no_such_module"))
    assert ids("shop") == before and len(before) == 2
    assert web.post("/shop/predict", json={"x": 3}).json() == {"y": 6, "tags": ["a"]}


@pytest.mark.usefixtures("echo")
def test_user_config_and_replicas_change_in_place(lab: Shell, web: Any) -> None:
    lab.run(
        "class Echo:\n    def reconfigure(self, config):\n        self.word = config['word']\n"
        "    def __call__(self, request):\n        return self.word"
    )
    lab.run(f"%ray_serve Echo --name echo --user-config \"{{'word': 'first'}}\" {LIGHT}")
    (before,) = replicas()
    assert web.get("/echo").text == "first"
    lab.run("%ray_serve echo --user-config \"{'word': 'second'}\" --num-replicas 2 --into handle --quiet")
    wait_until(lambda: len(replicas()) == 2 and web.get("/echo").text == "second", 60, "two new replicas")
    assert before["id"] in {one["id"] for one in replicas()} and lab.ns["handle"].name == "echo"
    with pytest.raises(UsageError, match="need new replicas"):
        lab.run("%ray_serve echo --num-cpus 0.2 --quiet")
    lab.run("%ray_serve echo --num-replicas 1 --quiet")
    wait_until(lambda: len(replicas()) == 1 and app()["status"] == "RUNNING", 60, "one replica")


def test_a_constructor_that_never_ends_is_told_and_the_old_version_stays(lab: Shell, web: Any, echo: str) -> None:
    kept = r"Echo was not ready after 2 s: .*the old version of \"echo\" keeps serving"
    with pytest.raises(RayMagicsError, match=kept):
        serve(lab, "--name echo --timeout 2", SLEEPS.format(seconds=600))
    assert web.get("/echo").text == echo
    wait_until(lambda: app()["status"] == "RUNNING", 60, "the old version alone")
    with pytest.raises(RayMagicsError, match=r"not ready after 1 s: .*nothing is served as \"never\""):
        serve(lab, "--name never --timeout 1", SLEEPS.format(seconds=600))
    wait_until(lambda: "never" not in served.served_names(), 90, "the end of what never began")


def test_a_stopped_deployment_leaves_the_old_version(lab: Shell, web: Any, echo: str) -> None:
    before = ids()
    run = serve(lab, "--name echo --background", SLEEPS.format(seconds=600))
    wait_until(new_one_starts, 60, "both")
    run.stop()
    assert run.wait(60) and run.state == "cancelled" and "keeps serving" in str(run.error)
    assert web.get("/echo").text == echo and ids() == before
    wait_until(lambda: app()["status"] == "RUNNING", 60, "the end of the new version")


@pytest.mark.usefixtures("echo")
def test_replace_stops_the_old_version_first(lab: Shell, web: Any) -> None:
    before = ids()
    serve(lab, "--name echo --replace", ECHO.format(version="replaced"))
    assert web.get("/echo").text == "replaced" and not before & ids()


@pytest.mark.usefixtures("echo")
def test_the_name_of_a_running_application_means_that_one(lab: Shell, web: Any, capsys: Capsys) -> None:
    serve(lab, "--name echo", "def echo(request):\n    return 'mine'")
    before = ids()
    lab.run("%ray_serve echo --max-ongoing-requests 7 --quiet")
    wait_until(lambda: app()["deployments"][0]["max_ongoing"] == 7 and ids() == before, 60, "the change in place")
    lab.run("%ray_serve echo --into found")
    words = 'This is the application "echo"; to serve the notebook\'s echo anew, add --name echo.'
    assert words in capsys.readouterr().out
    assert lab.run("found.remote(None).result()") == "mine"
    lab.run("def echo(request):\n    return 'other'")
    lab.run(f"%ray_serve echo --name echo {LIGHT}")
    assert web.get("/echo").text == "other"


def test_a_deployment_that_another_one_overtakes_says_so_and_takes_nothing_back(
    lab: Shell, web: Any, echo: str
) -> None:
    first = serve(lab, "--name echo --background", SLEEPS.format(seconds=20))
    wait_until(new_one_starts, 60, "both")
    serve(lab, "--name echo", ECHO.format(version="overtook"))
    assert first.state == "cancelled" and web.get("/echo").text == "overtook"


@pytest.mark.usefixtures("echo", "site")
def test_an_application_is_deleted(lab: Shell, web: Any, capsys: Capsys) -> None:
    lab.run("%ray_serve --delete echo")
    assert 'Deleted the application "echo"' in capsys.readouterr().out and web.get("/echo").status_code == 404
    with pytest.raises(UsageError, match='No application "echo" is served here; there are: '):
        lab.run("%ray_serve --delete echo")
