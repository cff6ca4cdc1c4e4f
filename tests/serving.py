"""Real Ray Serve for tests: where it listens, cells that are served, what a view shows of them; see `conftest`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ray_magics.verbs.serve import control
from ray_magics.verbs.serve.plan import ServePlan
from tests.conftest import Shell

LIGHT = "--num-cpus 0.1 --quiet"
ADD_SERVICER = "ray.serve.generated.serve_pb2_grpc.add_UserDefinedServiceServicer_to_server"

ECHO = """
class Echo:
    async def __call__(self, request):
        return {version!r}
"""
FAILS = """
class {name}:
    def __init__(self):
        raise ValueError({words!r})
    def __call__(self, request):
        return 'never'
"""
SLEEPS = """
import time
class Echo:
    def __init__(self):
        time.sleep({seconds})
    def __call__(self, request):
        return 'late'
"""
WORD = "def word(request):\n    return {!r}"
SLEEPING_WORD = """
import time
class word:
    def __init__(self):
        time.sleep(600)
    def __call__(self, request):
        return 'late'
"""
SHOP_API = """
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from ray import serve
api = FastAPI()
class Item(BaseModel):
    x: float
    tags: list[str] = ['a']
"""
SHOP = """
@serve.deployment(ray_actor_options={'num_cpus': 0.1})
class Scale:
    def __init__(self):
        pass
    def scaled(self, x):
        return 2 * x

@serve.deployment
@serve.ingress(api)
class Front:
    def __init__(self, scale):
        self.scale = scale

    @api.post('/predict')
    async def predict(self, item: Item):
        return {'y': await self.scale.scaled.remote(item.x), 'tags': item.tags}

    @api.get('/scaled/{x}')
    async def scaled(self, x: float):
        return await self.scale.scaled.remote(x)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.2)
    async def squares(self, xs):
        return [(x * x, len(xs)) for x in xs]

    @api.get('/square')
    async def square(self, x: int):
        return await self.squares(x)

    @api.get('/count')
    def count(self):
        return StreamingResponse((f'{i}\\n' for i in range(3)), media_type='text/plain')

    def numbers(self, n):
        yield from range(n)

    @serve.multiplexed(max_num_models_per_replica=2)
    async def load(self, name):
        return name.upper()

    async def model(self):
        return await self.load(serve.get_multiplexed_model_id())

    @api.websocket('/talk')
    async def talk(self, socket: WebSocket):
        await socket.accept()
        await socket.send_text('you said ' + await socket.receive_text())
        await socket.close()

Front.bind(Scale.bind())
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def address(cluster: str) -> Iterator[tuple[str, str]]:
    """Serve on free ports for the tests of a module: its addresses for HTTP and gRPC."""
    control.shutdown()
    http, grpc = free_port(), free_port()
    control.start_serve(ServePlan(port=http, grpc_port=grpc, grpc_functions=(ADD_SERVICER,)))
    yield f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}"
    control.shutdown()


@pytest.fixture
def port(cluster: str) -> Iterator[int]:
    """Where a Serve may listen that the test itself starts; it is ended afterwards."""
    control.shutdown()
    yield free_port()
    control.shutdown()


@pytest.fixture
def lab(notebook: Shell, address: tuple[str, str]) -> Shell:
    """A notebook on a cluster where Serve runs; what it serves stays until the end of the module."""
    return notebook


@pytest.fixture
def web(address: tuple[str, str]) -> Iterator[Any]:
    """A browser, as it were."""
    httpx = pytest.importorskip("httpx")
    with httpx.Client(base_url=address[0], timeout=60) as client:
        yield client


def answer_of(url: str) -> str:
    import urllib.request

    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def serve(lab: Shell, line: str, cell: str) -> Any:
    return lab.run(f"%%ray_serve {line} {LIGHT}\n{cell}")


def app(name: str = "echo") -> dict[str, Any]:
    """What a view shows of an application now."""
    (found,) = control.snapshot(name).to_json()["apps"]
    return dict(found)


def replicas(name: str = "echo", deployment: int = 0) -> list[dict[str, Any]]:
    """Those that run; the first deployment is the one that requests reach."""
    return [one for one in app(name)["deployments"][deployment]["replicas"] if one["state"] == "RUNNING"]


def ids(name: str = "echo") -> set[str]:
    """Of the replicas that run, of all deployments."""
    return {one["id"] for number in range(len(app(name)["deployments"])) for one in replicas(name, number)}


def new_one_starts(name: str = "echo") -> bool:
    """Whether an update has begun to start replicas."""
    return any(one["version"] == "new" for part in app(name)["deployments"] for one in part["replicas"])


def pid_of(actor_class: str) -> int:
    """The process of the only actor of a class on this cluster, such as ServeController."""
    from ray._private import state

    (found,) = [
        one for one in state.actors().values() if (one["ActorClassName"], one["State"]) == (actor_class, "ALIVE")
    ]
    return int(found["Pid"])


@contextmanager
def load(url: str, threads: int) -> Iterator[list[Any]]:
    """Sends requests all the while; the list has every answer, as text or as the exception."""
    import httpx

    answers: list[Any] = []
    over = threading.Event()

    def send() -> None:
        with httpx.Client(timeout=60) as client:
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
