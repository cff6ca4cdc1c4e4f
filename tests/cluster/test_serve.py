"""Applications with real Ray Serve, through a real shell and real clients."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from IPython.core.error import UsageError

from ray_magics.errors import RayMagicsError, RemoteError, RunCancelled
from ray_magics.raylib import serve as private
from ray_magics.run.registry import registry
from ray_magics.verbs.serve import control
from ray_magics.verbs.serve.checks import check_address
from ray_magics.verbs.serve.details import InstanceDetails
from ray_magics.verbs.serve.plan import ServePlan
from ray_magics.verbs.serve.served import served_names
from tests.conftest import Shell, wait_until

httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.timeout(300)
Capsys = pytest.CaptureFixture[str]
LIGHT = "--num-cpus 0.1 --quiet"
ADD_SERVICER = "ray.serve.generated.serve_pb2_grpc.add_UserDefinedServiceServicer_to_server"

ECHO = """
class Echo:
    async def __call__(self, request):
        return {version!r}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def address(cluster: str) -> Iterator[tuple[str, str]]:
    """Serve on free ports: its addresses for HTTP and gRPC; the first line of all that says where it listens."""
    control.shutdown()
    http, grpc = free_port(), free_port()
    control.start_serve(ServePlan(port=http, grpc_port=grpc, grpc_functions=(ADD_SERVICER,)))
    yield f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}"
    control.shutdown()


@pytest.fixture
def lab(notebook: Shell, address: tuple[str, str]) -> Iterator[Shell]:
    yield notebook
    for name in served_names():
        control.delete(name)


@pytest.fixture
def web(address: tuple[str, str]) -> Iterator[Any]:
    with httpx.Client(base_url=address[0], timeout=30) as client:
        yield client


def serve(lab: Shell, line: str, cell: str) -> Any:
    return lab.run(f"%%ray_serve {line} {LIGHT}\n{cell}")


def app(name: str = "echo") -> dict[str, Any]:
    """What a view shows of an application now."""
    (found,) = control.snapshot(name).to_json()["apps"]
    return dict(found)


def replicas(name: str = "echo", deployment: int = 0) -> list[dict[str, Any]]:
    return [one for one in app(name)["deployments"][deployment]["replicas"] if one["state"] == "RUNNING"]


@contextmanager
def load(url: str, threads: int = 4) -> Iterator[list[Any]]:
    """Sends requests all the while; the list has every answer, as text or as the exception."""
    answers: list[Any] = []
    over = threading.Event()

    def send() -> None:
        with httpx.Client(timeout=30) as client:
            while not over.wait(0.02):
                try:
                    answer = client.get(url)
                    answers.append(answer.text if answer.status_code == 200 else answer.status_code)
                except httpx.HTTPError as error:
                    answers.append(error)

    senders = [threading.Thread(target=send) for _ in range(threads)]
    for sender in senders:
        sender.start()
    try:
        yield answers
    finally:
        over.set()
        for sender in senders:
            sender.join()


def test_a_plain_class_is_served_and_answers_by_http_and_by_handle(lab: Shell, web: Any) -> None:
    lab.run("weights = {'a': 2}")
    before = set(lab.ns)
    serve(
        lab,
        "--name echo --into echo",
        "class Echo:\n    def __init__(self):\n        print('loading')\n    async def __call__(self, request):\n"
        "        return {'method': request.method, 'w': weights['a']}\n    def twice(self, x):\n        return 2 * x",
    )
    wait_until(lambda: any("loading" in line for line in replicas()[0]["log"]), what="what it printed")
    assert web.get("/echo").json() == {"method": "GET", "w": 2}
    assert lab.run("echo.twice.remote(21).result()") == 42
    assert lab.run("await echo.twice.remote(4)") == 8
    for call in ("echo.twice.remote({}).result()", "await echo.twice.remote({})"):
        with pytest.raises(TypeError, match="unsupported operand") as failed:
            lab.run(call)
        shown = failed.value._render_traceback_()
        assert len(shown) < 15 and any("return 2 * x" in line for line in shown)
    assert {name for name in set(lab.ns) - before if not name.startswith("_")} == {"Echo", "echo"}
    shown = app()
    assert shown["status"] == "RUNNING" and shown["deployments"][0]["max_ongoing"] == 100
    assert wait_until(lambda: app()["figures"]["total"], what="the request in the figures") == 1


def test_an_update_loses_no_request_and_a_broken_one_changes_nothing(lab: Shell, address: tuple[str, str]) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    with load(f"{address[0]}/echo") as answers:
        serve(lab, "--name echo", ECHO.format(version="two"))
        wait_until(lambda: answers and answers[-1] == "two", what="the new version")
        with pytest.raises(ValueError, match="bad weights") as found:
            serve(lab, "--name echo", "class Echo:\n    def __init__(self):\n        raise ValueError('bad weights')\n"
                  "    def __call__(self, request):\n        return 'three'")  # fmt: skip
        with pytest.raises(ValueError, match="bad name"):
            serve(lab, "--name echo", "class Other:\n    def __init__(self):\n        raise ValueError('bad name')\n"
                  "    def __call__(self, request):\n        return 'three'")  # fmt: skip
        serve(lab, "--name echo", "def other(request):\n    return 'four'")
        wait_until(lambda: answers[-1] == "four", what="the last version")
    assert set(answers) == {"one", "two", "four"}
    assert isinstance(found.value, RemoteError)
    lines = found.value._render_traceback_()
    assert len(lines) < 15 and any("raise ValueError('bad weights')" in line for line in lines)
    assert 'the old version of "echo" keeps serving' in lines[0]
    assert app()["status"] == "RUNNING" and app()["deployments"][0]["status"] == "HEALTHY"


def test_one_broken_part_of_a_composition_leaves_all_of_the_old_one(lab: Shell, web: Any) -> None:
    lab.run(
        "from fastapi import FastAPI\nfrom pydantic import BaseModel\nfrom ray import serve\napi = FastAPI()\n"
        "class Item(BaseModel):\n    x: float\n    tags: list[str] = ['a']"
    )
    cell = (
        "@serve.deployment(ray_actor_options={{'num_cpus': 0.1}})\nclass Scale:\n    def __init__(self):\n        {init}\n"
        "    def scaled(self, x):\n        return {factor} * x\n"
        "@serve.deployment\n@serve.ingress(api)\nclass Front:\n    def __init__(self, scale):\n        self.scale = scale\n"
        "    @api.post('/predict')\n    async def predict(self, item: Item):\n"
        "        return {{'y': await self.scale.scaled.remote(item.x), 'tags': item.tags}}\n"
        "Front.bind(Scale.bind())"
    )
    serve(lab, "--name shop", cell.format(init="pass", factor=2))
    assert web.post("/shop/predict", json={"x": 3}).json() == {"y": 6, "tags": ["a"]}
    assert web.post("/shop/predict", content="no json").status_code == 422
    before = {one["id"] for number in (0, 1) for one in replicas("shop", number)}
    with pytest.raises(ModuleNotFoundError):
        serve(lab, "--name shop", cell.format(init="import no_such_module", factor=3))
    assert {one["id"] for number in (0, 1) for one in replicas("shop", number)} == before
    serve(lab, "--name shop", cell.format(init="pass", factor=3))
    assert web.post("/shop/predict", json={"x": 3}).json()["y"] == 9
    shown = app("shop")
    assert [one["name"] for one in shown["deployments"]] == ["Front", "Scale"]
    assert shown["docs"].endswith("/shop/docs") and web.get(shown["docs"]).status_code == 200
    call = wait_until(lambda: [one for one in app("shop")["calls"] if one["path"] == "/shop/predict"], what="calls")
    assert call == [{"method": "POST", "path": "/shop/predict", "body": '{"x": 0.0, "tags": ["a"]}'}]
    assert served_names() == ["shop"]


def test_batches_streams_websockets_and_multiplexed_models(lab: Shell, web: Any, address: tuple[str, str]) -> None:
    from websockets.sync.client import connect

    serve(
        lab,
        "--name kinds --into kinds",
        """
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from ray import serve
app = FastAPI()
@serve.deployment
@serve.ingress(app)
class Kinds:
    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.2)
    async def squares(self, xs):
        return [(x * x, len(xs)) for x in xs]
    @app.get('/square')
    async def square(self, x: int):
        return await self.squares(x)
    @app.get('/count')
    def count(self):
        return StreamingResponse((f'{i}\\n' for i in range(3)), media_type='text/plain')
    def numbers(self, n):
        yield from range(n)
    @serve.multiplexed(max_num_models_per_replica=2)
    async def load(self, name):
        return name.upper()
    async def model(self):
        return await self.load(serve.get_multiplexed_model_id())
    @app.websocket('/talk')
    async def talk(self, socket: WebSocket):
        await socket.accept()
        await socket.send_text('you said ' + await socket.receive_text())
        await socket.close()
""",
    )

    async def ask() -> list[Any]:
        async with httpx.AsyncClient(base_url=address[0], timeout=30) as client:
            return list(await asyncio.gather(*(client.get("/kinds/square", params={"x": x}) for x in range(4))))

    squares = [answer.json() for answer in asyncio.run(ask())]
    assert [square for square, _ in squares] == [0, 1, 4, 9] and max(size for _, size in squares) > 1
    with web.stream("GET", "/kinds/count") as answer:
        assert "".join(answer.iter_text()) == "0\n1\n2\n"
    assert list(lab.ns["kinds"].options(stream=True).numbers.remote(3)) == [0, 1, 2]
    assert lab.run("[x for x in kinds.options(stream=True).numbers.remote(3)]") == [0, 1, 2]
    assert lab.run("kinds.options(multiplexed_model_id='b').model.remote().result()") == "B"
    with connect(f"{address[0].replace('http', 'ws')}/kinds/talk") as talk:
        talk.send("hello")
        assert talk.recv() == "you said hello"


def test_grpc_clients_are_answered(lab: Shell, address: tuple[str, str]) -> None:
    import grpc
    from ray.serve.generated import serve_pb2, serve_pb2_grpc

    serve(
        lab,
        "--name speaker",
        "from ray.serve.generated import serve_pb2\nclass Speaker:\n    def Method1(self, message):\n"
        "        return serve_pb2.UserDefinedResponse(greeting=f'Hello {message.name}', num_x2=2 * message.num)\n"
        "    def __call__(self, message):\n        return serve_pb2.UserDefinedResponse(greeting='called')",
    )
    assert control.snapshot().to_json()["grpc"] == address[1]
    with grpc.insecure_channel(address[1]) as channel:
        stub = serve_pb2_grpc.UserDefinedServiceStub(channel)
        message = serve_pb2.UserDefinedMessage(name="Ada", num=21)
        answer = stub.Method1(message, metadata=[("application", "speaker")], timeout=30)
    assert (answer.greeting, answer.num_x2) == ("Hello Ada", 42)


def test_user_config_and_replicas_change_in_place(lab: Shell, web: Any) -> None:
    lab.run(
        "class Echo:\n    def reconfigure(self, config):\n        self.word = config['word']\n"
        "    def __call__(self, request):\n        return self.word"
    )
    lab.run(f"%ray_serve Echo --name echo --user-config \"{{'word': 'one'}}\" {LIGHT}")
    (before,) = replicas()
    assert web.get("/echo").text == "one"
    lab.run("%ray_serve echo --user-config \"{'word': 'two'}\" --num-replicas 2 --into handle --quiet")
    wait_until(lambda: len(replicas()) == 2 and web.get("/echo").text == "two", what="two new replicas")
    assert before["id"] in {one["id"] for one in replicas()} and lab.ns["handle"].name == "echo"
    with pytest.raises(UsageError, match="need new replicas"):
        lab.run("%ray_serve echo --num-cpus 0.2 --quiet")


def test_an_application_scales_from_zero(lab: Shell, web: Any) -> None:
    lab.run("scaling = {'upscale_delay_s': 0, 'downscale_delay_s': 600}")
    serve(lab, "--name echo --autoscale 0:2@1 --autoscaling-config scaling", ECHO.format(version="awake"))
    deployment = app()["deployments"][0]
    assert deployment["target"] == 0 and not deployment["replicas"] and app()["status"] == "RUNNING"
    assert {key: deployment["autoscaling"][key] for key in ("min", "max", "target")} == {
        "min": 0,
        "max": 2,
        "target": 1,
    }
    assert web.get("/echo").text == "awake"
    assert app()["deployments"][0]["target"] == 1 and len(replicas()) == 1
    with pytest.raises(ValueError, match="never asleep"):
        serve(lab, "--name echo --autoscale 0:2@1", "class Echo:\n    def __init__(self):\n        "
              "raise ValueError('never asleep')\n    def __call__(self, request):\n        return 1")  # fmt: skip
    assert web.get("/echo").text == "awake"


def test_a_killed_replica_is_counted_and_replaced_while_the_other_answers(lab: Shell, address: tuple[str, str]) -> None:
    lab.run("from ray import serve")
    serve(
        lab,
        "--name echo --num-replicas 2",
        f"@serve.deployment(health_check_period_s=0.5, health_check_timeout_s=2){ECHO.format(version='here')}",
    )
    first, _ = replicas()
    with load(f"{address[0]}/echo", threads=2) as answers:
        wait_until(lambda: len(answers) > 20, what="traffic")
        os.kill(first["pid"], signal.SIGKILL)
        wait_until(lambda: app()["deployments"][0]["died"] == 1, 60, "the loss in the view")
        wait_until(lambda: len(replicas()) == 2, 60, "the new replica")
        count = len(answers)
        wait_until(lambda: len(answers) > count + 10, what="traffic after the loss")
    assert first["id"] not in {one["id"] for one in replicas()}
    assert answers[-10:] == ["here"] * 10


def test_a_constructor_that_never_ends_is_told_and_the_old_version_stays(lab: Shell, web: Any) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    endless = "import time\nclass Echo:\n    def __init__(self):\n        while True:\n            time.sleep(1)\n"
    with pytest.raises(
        RayMagicsError, match=r"Echo was not ready after 4 s: .*the old version of \"echo\" keeps serving"
    ):
        serve(lab, "--name echo --timeout 4", f"{endless}    def __call__(self, request):\n        return 'two'")
    assert web.get("/echo").text == "one" and app()["status"] == "RUNNING"
    with pytest.raises(RayMagicsError, match=r"not ready after 2 s: .*nothing is served as \"never\""):
        serve(lab, "--name never --timeout 2", f"{endless}    def __call__(self, request):\n        return 'two'")
    wait_until(lambda: served_names() == ["echo"], what="the end of what never began")


def test_a_stopped_deployment_leaves_the_old_version(lab: Shell, web: Any) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    slow = "import time\nclass Echo:\n    def __init__(self):\n        time.sleep(60)\n    def __call__(self, r):\n        return 2"
    run = serve(lab, "--name echo --background", slow)
    wait_until(lambda: any(one["version"] == "new" for one in app()["deployments"][0]["replicas"]), what="both")
    run.stop()
    assert run.wait(30) and run.state == "cancelled" and "keeps serving" in str(run.error)
    assert web.get("/echo").text == "one" and len(replicas()) == 1


def test_a_deployment_that_another_one_overtakes_says_so_and_takes_nothing_back(lab: Shell, web: Any) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    slow = "import time\nclass Echo:\n    def __init__(self):\n        time.sleep(20)\n    def __call__(self, r):\n        return 2"
    first = serve(lab, "--name echo --background", slow)
    wait_until(lambda: any(one["version"] == "new" for one in app()["deployments"][0]["replicas"]), what="both")
    serve(lab, "--name echo", ECHO.format(version="two"))
    assert first.state == "cancelled" and web.get("/echo").text == "two"
    second = serve(lab, "--name echo --background", slow)
    wait_until(lambda: any(one["version"] == "new" for one in app()["deployments"][0]["replicas"]), what="both")
    private.delete("echo")  # as another notebook would
    assert second.wait(30) and "was deleted meanwhile" in str(second.error)
    wait_until(lambda: served_names() == [], what="nothing to be served")


def test_replace_stops_the_old_version_first(lab: Shell, web: Any) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    (before,) = replicas()
    serve(lab, "--name echo --replace", ECHO.format(version="two"))
    assert web.get("/echo").text == "two" and before["id"] not in {one["id"] for one in replicas()}


def test_what_cannot_work_is_one_line_and_nothing_changes(lab: Shell, web: Any, address: tuple[str, str]) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    port = int(address[0].rpartition(":")[2])
    cases = {
        "": ("x = 1", "nothing to serve"),
        "--name other --route-prefix /echo": (ECHO.format(version="x"), "belongs to the application"),
        "--name other --num-cpus 99": (ECHO.format(version="x"), "No node with 99 CPU"),
        "--name other --num-cpus 1 --num-replicas 9": (ECHO.format(version="x"), "No room for 9 replicas"),
        "--name echo --num-cpus 4": (ECHO.format(version="x"), "--replace stops the old version first"),
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
    assert web.get("/echo").text == "one" and served_names() == ["echo"]


def test_a_port_that_another_program_has_is_told_before_serve_starts() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"Another program listens on 127.0.0.1:{port}; .*--port {port + 1}"):
            check_address(ServePlan(port=port), InstanceDetails())
    with pytest.raises(UsageError, match=r"Serve cannot listen on 203\.0\.113\.9:8000: .*assign"):
        check_address(ServePlan(host="203.0.113.9"), InstanceDetails())


def test_the_try_it_box_sends_to_serve_and_nowhere_else(lab: Shell) -> None:
    serve(
        lab, "--name echo", "class Echo:\n    async def __call__(self, request):\n        return await request.json()"
    )
    command = {"action": "try", "run": "serve", "part": "echo"}
    request = {"method": "POST", "path": "/echo", "body": '{"a": 1}', "type": "application/json"}
    assert registry.command({**command, "request": request}) == {"status": "ok"}
    answer = wait_until(lambda: app()["answer"]["state"] == "answered" and app()["answer"], what="the answer")
    assert (answer["status"], answer["body"], answer["number"]) == (200, '{"a":1}', 1)
    registry.command({**command, "request": {**request, "body": "no json"}})
    wait_until(lambda: app()["answer"]["status"] == 500, what="the failure")
    for bad in ({**request, "path": "http://elsewhere/"}, {**request, "method": "CONNECT"}, "x", None):
        assert registry.command({**command, "request": bad})["status"] == "error"
    assert registry.command({**command, "part": "nobody", "request": request})["status"] == "error"
    assert wait_until(lambda: app()["figures"]["errors"], what="the error rate") == 0.5


def test_logs_are_printed_and_applications_deleted(lab: Shell, web: Any, capsys: Capsys) -> None:
    serve(lab, "--name echo", "def echo(request):\n    print('asked for', request.url.path)\n    return 'yes'")
    assert web.get("/echo/deep").text == "yes"
    capsys.readouterr()
    lab.run("%ray_logs echo")
    assert re.search(r"--- echo, replica \w+\n(.*\n)*.*asked for", capsys.readouterr().out)
    lab.run("%ray_serve --delete echo")
    assert 'Deleted the application "echo"' in capsys.readouterr().out and web.get("/echo").status_code == 404
    with pytest.raises(UsageError, match='No application "echo" is served here; nothing is served'):
        lab.run("%ray_serve --delete echo")


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
    assert served_names() == []
    lines = script.replace(", blocking=True", "")
    (tmp_path / "script.py").write_text(f"{lines}\nimport urllib.request\nport = {web.base_url.port}\n"
        "print(urllib.request.urlopen(f'http://127.0.0.1:{port}/add').read().decode())\n")  # fmt: skip
    assert '{"sum":7}' in plain_python(tmp_path / "script.py")


def test_the_twin_serves_from_python(lab: Shell, web: Any) -> None:
    import ray_magics

    def twice(request: Any) -> Any:
        return 2 * int(request.query_params["x"]) if hasattr(request, "query_params") else 2 * request

    handle = ray_magics.serve(twice, name="twice", num_cpus=0.1)
    assert web.get("/twice?x=4").text == "8" and handle.remote(5).result() == 10
    with pytest.raises(TypeError, match="no option 'replica'"):
        ray_magics.serve(twice, replica=2)


def test_what_only_a_new_version_can_have_is_refused_by_a_served_one(lab: Shell) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    for options in ("--dry-run", "--route-prefix /other", "--bind x=1", "--port 1234", "--background", "--replace"):
        with pytest.raises(UsageError, match=rf"{options.split()[0]} has no effect on .echo., which is served"):
            lab.run(f"%ray_serve echo --num-replicas 2 {options}")
    assert app()["deployments"][0]["target"] == 1


def test_an_error_between_two_pieces_of_a_stream_is_the_users_own(lab: Shell) -> None:
    serve(
        lab,
        "--name parts --into parts",
        "class Parts:\n    async def __call__(self, request):\n        return 'x'\n"
        "    def some(self):\n        yield 1\n        raise KeyError('second')",
    )
    lab.run("found = []\nstream = parts.options(stream=True).some.remote()")
    with pytest.raises(KeyError, match="second") as failed:
        lab.run("async for piece in stream:\n    found.append(piece)")
    assert lab.ns["found"] == [1]
    assert isinstance(failed.value, RemoteError) and len(failed.value._render_traceback_()) < 15


def test_a_controller_that_does_not_answer_for_a_while_is_no_reason_to_give_up(
    lab: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """It is stopped as a process for longer than a question waits, in the middle of an update."""
    serve(lab, "--name echo", ECHO.format(version="one"))
    (pid,) = [one.pid for one in psutil.process_iter(["name", "cmdline"]) if "ServeController" in str(one.info)]
    caplog.set_level(logging.DEBUG, "ray_magics.verbs.serve.watch")
    serve(lab, "--name echo --background", ECHO.format(version="two"))
    run = registry.runs()[-1]
    wait_until(lambda: run.rollout.phase == "updating", what="the update")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "does not answer" in caplog.text, what="a question without an answer")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert run.wait(120) and run.state == "finished", run.error
    assert app()["status"] == "RUNNING"


def test_the_name_of_a_running_application_means_that_one(lab: Shell, web: Any, capsys: Capsys) -> None:
    serve(lab, "--name word", "def word(request):\n    return 'one'")
    lab.run("%ray_serve word --num-replicas 2 --quiet")
    wait_until(lambda: app("word")["deployments"][0]["target"] == 2, what="the second replica")
    lab.run("%ray_serve word --into found")
    assert (
        'This is the application "word"; to serve the notebook\'s word anew, add --name word.'
        in capsys.readouterr().out
    )
    assert lab.run("found.remote(None).result()") == "one" and served_names() == ["word"]
    lab.run("def word(request):\n    return 'two'")
    lab.run(f"%ray_serve word --name word {LIGHT}")
    assert web.get("/word").text == "two" and served_names() == ["word"]


def test_a_proxy_that_is_gone_is_told_and_comes_back(lab: Shell, web: Any) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    (proxy,) = [one for one in psutil.process_iter(["cmdline"]) if "ray::ProxyActor" in str(one.info)]
    proxy.kill()
    wait_until(lambda: "HTTP requests are refused" in control.snapshot("echo").to_json()["note"], what="the note")
    wait_until(lambda: not control.snapshot("echo").to_json()["note"], timeout=90, what="the end of the note")
    assert web.get("/echo").text == "one"


def test_a_wait_for_an_answer_can_be_interrupted(lab: Shell) -> None:
    serve(
        lab,
        "--name slow --into slow",
        "import asyncio\nclass Slow:\n    async def __call__(self, request):\n        await asyncio.sleep(600)",
    )
    threading.Timer(1.0, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(RunCancelled, match="was asked to cancel the request") as stopped:
        lab.run("slow.remote(None).result()")
    assert len(stopped.value._render_traceback_()) < 5
    wait_until(lambda: replicas("slow")[0]["ongoing"] == 0, what="the end of the request")


def test_a_replica_that_dies_in_its_constructor_leaves_its_last_words(lab: Shell) -> None:
    cell = "import os, time\nclass Dies:\n    def __init__(self):\n        print('out of paper', flush=True)\n"
    cell += "        time.sleep(1)\n        os._exit(3)\n    def __call__(self, request):\n        return 1"
    with pytest.raises(RayMagicsError, match=r"its process ended .*; the last that it said: .*out of paper"):
        serve(lab, "--name dies", cell)
