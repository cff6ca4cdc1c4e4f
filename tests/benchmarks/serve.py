"""What ``%%ray_serve`` costs beside the plain ``serve.run``: under load, in an update, until a new version is live.

Run as a module of its own, with a JSON object on its line, this is the client of the other works: see `fire`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from itertools import count, cycle, islice, permutations
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from tests.benchmarks.bench import Bench, Kernel, show
from tests.benchmarks.measure import Row, Times, figure, quartiles, seconds, signed, spread, times

CONNECTIONS, RATE = 20, 200  # of the closed loop; requests a second of the open one
BURST, SLOW = 20, 4.0  # requests at once, seconds that each of them takes
PATIENCE = 60.0  # seconds for a version to appear
LATE = 120.0  # seconds after which a request has failed
ASK = 0.1  # seconds between two questions for the version, few enough to cost little while a replica starts
LONGEST = 900.0  # seconds that a client lives at most
SETTLE = 3.0  # seconds in which old replicas end
FRESH = 1.0  # seconds that figures may be old
MARK = "broken on purpose"

ANSWER = """
import asyncio
class Answer:
    def __init__(self):
        {start}
    async def __call__(self, request):
        await asyncio.sleep(float(request.query_params.get("sleep", 0)))
        return "{version}"
"""
OURS = "%%ray_serve --name {app} --port {port} --max-ongoing-requests 100 --num-cpus 0.1" + ANSWER
DEPLOY = """
from ray import serve
deployment = serve.deployment(max_ongoing_requests=100, ray_actor_options={{"num_cpus": 0.1}})(Answer)
serve.run(deployment.bind(), name="{app}", route_prefix="/{app}");
"""
HELPERS = """
import json, time
from ray_magics.verbs.serve.control import snapshot
from ray_magics.views import show
def tell(file, value):
    with open(file, "w") as out: json.dump(value, out)
def shown(app, wanted, patience):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        apps = snapshot(app).to_json()["apps"]
        numbers = [replica["ongoing"] for one in apps for d in one["deployments"] for replica in d["replicas"]]
        if sum(number or 0 for number in numbers) >= wanted: return time.monotonic()
        time.sleep(0.05)
"""
OUR_APP, PLAIN_APP, SAME_APP = APPS = ("bench-ours", "bench-plain", "bench-same")  # SAME_APP is plain, too


def run(bench: Bench) -> Iterator[Row]:
    with bench.kernel() as kernel, served(kernel) as place:
        yield from under_load(bench, place)
        yield from while_it_changes(bench, place)
        yield from until_live(bench, place)
        yield from how_old(bench, place)


# --- the notebook ---------------------------------------------------------------------------------------------------


@dataclass
class CellSource:
    """A kernel in whose cells things are served, and where Serve listens."""

    kernel: Kernel
    port: int
    versions: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, app: str, query: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{app}{query}"

    def cell(self, code: str, name: str = "") -> float:
        """Runs the cell of this name, as a front end that tells the kernel which; the seconds it took."""
        self.kernel.client.session.metadata["cellId"] = name
        return self.kernel.run(code, timeout=180).seconds

    def new_version(self) -> str:
        return f"v{next(self.versions)}"

    def deploy(self, app: str, version: str, start: str = "pass") -> float:
        """Runs the cell of an application with new code; the seconds that the cell took."""
        code = OURS if app == OUR_APP else ANSWER + DEPLOY
        return self.cell(code.format(app=app, port=self.port, version=version, start=start), app)

    def open_view(self) -> None:
        """The live view of our application, in the cell that made it."""
        self.cell(f"%ray_serve {OUR_APP}", OUR_APP)

    def close_view(self) -> None:
        self.cell(f"show.close_views({OUR_APP!r})")

    def ask(self, expression: str) -> Any:
        """The value of an expression in the kernel."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "value"
            self.cell(f"tell({str(file)!r}, {expression})")
            return json.loads(file.read_text())


@contextlib.contextmanager
def served(kernel: Kernel) -> Iterator[CellSource]:
    """Serve, started by our cell on a port of its own unless it runs already; it ends as it was found."""
    place = CellSource(kernel, 0)
    place.cell(HELPERS)
    there = place.ask("snapshot().http")
    place.port = urlsplit(there).port if there else free_port()
    try:
        place.deploy(OUR_APP, place.new_version())
        yield place
    finally:
        for line in [f"--delete {app}" for app in APPS] if there else ["--shutdown"]:
            with contextlib.suppress(RuntimeError, TimeoutError):
                place.cell(f"%ray_serve {line}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- the client: a process of its own, so that it does no work of the kernel's ----------------------------------------


@dataclass(frozen=True)
class Load:
    """What a client found.

    Attributes:
        began: seconds on the monotonic clock of this machine.
        latencies: seconds from when a request was due to its answer, of those that were answered.
        failed: what went wrong -> how often.
        answers: body -> how often.
    """

    began: float
    taken: float
    latencies: Sequence[float]
    failed: Mapping[str, int]
    answers: Mapping[str, int]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.taken

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[len(self.latencies) * 99 // 100]


class Client:
    """A client at work: `connections` ask again and again, or `rate` requests a second are sent, whatever comes."""

    def __init__(self, url: str, span: float = LONGEST, connections: int = CONNECTIONS, rate: float = 0) -> None:
        asked = json.dumps({"url": url, "span": span, "connections": connections, "rate": rate})
        command = [sys.executable, "-m", __spec__.name, asked]
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> Load:
        """Sends no more requests, and waits for the answers that are due."""
        out, _ = self.process.communicate("stop\n", timeout=LATE + 30)
        return Load(**json.loads(out))

    def wait(self, kernel: Kernel) -> tuple[Load, int]:
        """What it found after its span, and how often a view of the kernel changed meanwhile."""
        changes = 0
        while not select.select([self.process.stdout], [], [], 0)[0]:
            message = kernel._next(0.1)
            changes += message is not None and message["msg_type"] == "comm_msg"
        return self.stop(), changes


async def fire(url: str, span: float, connections: int, rate: float) -> dict[str, Any]:
    """Asks for `span` seconds, or until there is a line on the standard input; the fields of a Load.

    POST, because a client may send a GET again by itself, and would hide that one failed.
    """
    import aiohttp

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: (stop.set(), loop.remove_reader(sys.stdin)))
    many = aiohttp.TCPConnector(limit=200 if rate else connections, keepalive_timeout=10)
    found = Found()
    async with aiohttp.ClientSession(connector=many, timeout=aiohttp.ClientTimeout(LATE)) as session:
        began = time.monotonic()

        def going() -> bool:
            return not stop.is_set() and time.monotonic() < began + span

        async def again_and_again() -> None:
            while going():
                await found.ask(session, url, time.monotonic())

        if rate:
            await _at_a_rate(rate, began, going, lambda due: found.ask(session, url, due))
        else:
            await asyncio.gather(*(again_and_again() for _ in range(connections)))
        taken = time.monotonic() - began
    return {"began": began, "taken": taken, **found.__dict__}


async def _at_a_rate(rate: float, began: float, going: Any, ask: Any) -> None:
    """Sends each request when it is due, answered or not the ones before; waits for all answers."""
    under_way = set()
    for number in count():
        due = began + number / rate
        await asyncio.sleep(max(due - time.monotonic(), 0))
        if not going():
            break
        task = asyncio.create_task(ask(due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)


class Found:
    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.failed: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()

    async def ask(self, session: Any, url: str, due: float) -> None:
        try:
            async with session.post(url) as response:
                text = await response.text()
        except Exception as error:  # whatever it is, it is a request without an answer
            self.failed[f"{type(error).__name__}: {error}"[:80]] += 1
            return
        if response.status != 200:
            self.failed[f"{response.status}: {text[:60]}"] += 1
            return
        self.latencies.append(round(time.monotonic() - due, 5))
        self.answers[text] += 1


# --- under load -----------------------------------------------------------------------------------------------------


def under_load(bench: Bench, place: CellSource) -> Iterator[Row]:
    """Three applications of the same class, one at a time under load; the view is open when that is ours."""
    for app in (PLAIN_APP, SAME_APP):
        place.deploy(app, place.new_version())
    span, rounds = bench.rounds(5, 2), bench.rounds(12, 2)
    loads: dict[str, list[Load]] = {app: [] for app in APPS}
    for app in APPS:
        one_load(place, app, span)  # to warm up
    for order in islice(cycle(permutations(APPS)), rounds):
        for app in order:
            loads[app].append(one_load(place, app, span))
    ours, plain, same = ([load.rate for load in loads[app]] for app in APPS)
    work = f"requests a second, view open, {CONNECTIONS} connections"
    yield show(bench, beside(work, ours, plain, lambda rate: f"{rate:.0f}/s", at_least=0.97))
    yield show(bench, beside("  serve.run beside itself", same, plain, lambda rate: f"{rate:.0f}/s"))
    ours, plain, same = ([load.p99 for load in loads[app]] for app in APPS)
    yield show(bench, beside("  99 of 100 requests take at most", ours, plain, seconds, at_most=1 / 0.97))
    yield show(bench, beside("  serve.run beside itself", same, plain, seconds))


def one_load(place: CellSource, app: str, span: float) -> Load:
    """One round. Raises RuntimeError for a request that failed, a view that is not as it should be."""
    if app == OUR_APP:
        place.open_view()
    else:
        place.close_view()
    with Client(place.url(app), span) as client:
        load, changes = client.wait(place.kernel)
    if load.failed or (changes > 0) != (app == OUR_APP):
        raise RuntimeError(f"{app}: {dict(load.failed)}, and its view changed {changes} times")
    return load


def beside(
    work: str,
    ours: Sequence[float],
    plain: Sequence[float],
    unit: Any,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """The ratio of two figures, by the median over the rounds."""
    ratios = [a / b for a, b in zip(ours, plain, strict=True)]
    ratio = statistics.median(ratios)
    must, reached = "", None
    if at_least is not None:
        must, reached = f"≥ {at_least:.3g}x", ratio >= at_least
    elif at_most is not None:
        must, reached = f"≤ {at_most:.3g}x", ratio <= at_most
    facts = {"ours": list(ours), "against": list(plain), "ratio": ratio}
    text = spread(ratio, quartiles(ratios), times)
    return Row(work, _of(ours, unit), f"serve.run: {_of(plain, unit)}", text, must, reached, facts=facts)


def _of(values: Sequence[float], unit: Any) -> str:
    return spread(statistics.median(values), quartiles(values), unit)


# --- while it changes -------------------------------------------------------------------------------------------------


def while_it_changes(bench: Bench, place: CellSource) -> Iterator[Row]:
    """The cell is run again and again, every fourth time with a constructor that raises, and requests never stop.

    RATE of them a second, but no more than half of what the machine serves at rest: on one that is flooded, Ray Serve's
    own proxy misses its health checks and is killed, update or not.
    """
    updates = bench.rounds(20, 3)
    broken = [number % 4 == 1 for number in range(updates)]
    at_rest = one_load(place, OUR_APP, bench.rounds(5, 2)).rate
    rate = min(RATE, round(at_rest / 2))
    with Client(place.url(OUR_APP), rate=rate) as client:
        time.sleep(3)
        began = time.monotonic()
        for breaks in broken:
            update(place, breaks)
        span = time.monotonic() - began
        time.sleep(SETTLE)
        load = client.stop()
    failures = sum(load.failed.values())
    if len(load.answers) < updates - sum(broken):
        raise RuntimeError(f"{updates} updates were answered by these versions alone: {sorted(load.answers)}")
    sent = f"{len(load.latencies) + failures:,} requests, {rate} a second (at rest it serves {at_rest:.0f}/s)"
    text = f"{sent}; 99 of 100 take at most {seconds(load.p99)}, the slowest {seconds(max(load.latencies))}"
    work = f"failed requests, {updates} updates, {sum(broken)} of them broken"
    row = figure(work, failures, 0, lambda value: f"{value:.0f}", text + _worst(load.failed))
    facts = {
        "failed": load.failed,
        "rate": rate,
        "at_rest": at_rest,
        "p99": load.p99,
        "seconds_per_update": span / updates,
        "answers": load.answers,
    }
    yield show(bench, replace(row, facts={**row.facts, **facts}))


def _worst(failed: Mapping[str, int]) -> str:
    return "".join(f"; {number}x {what}" for what, number in Counter(failed).most_common(2))


def update(place: CellSource, breaks: bool) -> None:
    """One update, to its end. Raises RuntimeError where it did not do what it should."""
    if not breaks:
        version = place.new_version()
        place.deploy(OUR_APP, version)
        if Until(place, OUR_APP, version).when(PATIENCE) is None:
            raise RuntimeError(f"{version} does not answer though its cell is over")
        return
    try:
        place.deploy(OUR_APP, place.new_version(), f'raise ValueError("{MARK}")')
    except RuntimeError as error:
        if MARK not in str(error):
            raise
        time.sleep(0.2)  # a kernel refuses what comes right after a cell that failed
    else:
        raise RuntimeError("a constructor that raises was deployed")


class Until(Thread):
    """Asks an application until a version answers."""

    def __init__(self, place: CellSource, app: str, version: str) -> None:
        super().__init__(daemon=True)
        self.url, self.version = place.url(app), version
        self.end = time.monotonic() + 240
        self.seen: float | None = None
        self.start()

    def run(self) -> None:
        direct = build_opener(ProxyHandler({}))
        while self.seen is None and time.monotonic() < self.end:
            with contextlib.suppress(OSError, HTTPException), direct.open(self.url, timeout=PATIENCE) as response:
                if response.read().decode() == self.version:
                    self.seen = time.monotonic()
            time.sleep(ASK)

    def when(self, patience: float) -> float | None:
        """When it answered, on the monotonic clock; None if it does not do so soon enough."""
        self.join(patience)
        self.end = 0.0
        return self.seen


# --- until it is live -------------------------------------------------------------------------------------------------


def until_live(bench: Bench, place: CellSource) -> Iterator[Row]:
    """The cell of an application is run with new code, until HTTP answers with that; and until the cell is over."""
    live: dict[str, list[float]] = {OUR_APP: [], PLAIN_APP: []}
    over: dict[str, list[float]] = {OUR_APP: [], PLAIN_APP: []}
    for number in range(bench.rounds(5, 2)):
        for app in live if number % 2 == 0 else reversed(live):
            place.close_view()
            time.sleep(SETTLE)
            until, taken = one_swap(place, app)
            live[app].append(until)
            over[app].append(taken)
    yield show(bench, later("new code until HTTP answers with it", live, at_most=1.0))
    yield show(bench, later("  until the cell is over", over, at_most=None))


def one_swap(place: CellSource, app: str) -> tuple[float, float]:
    """Seconds from the start of the cell until its version answers, and until the cell is over."""
    version = place.new_version()
    watcher = Until(place, app, version)
    began = time.monotonic()
    taken = place.deploy(app, version)
    seen = watcher.when(PATIENCE)
    if seen is None:
        raise RuntimeError(f"{app} does not answer with {version} though its cell is over")
    return seen - began, taken


def later(work: str, taken: Mapping[str, Sequence[float]], at_most: float | None) -> Row:
    """How many seconds more ours takes, by the median over the rounds."""
    ours, plain = taken[OUR_APP], taken[PLAIN_APP]
    more = [a - b for a, b in zip(ours, plain, strict=True)]
    middle = statistics.median(more)
    must, reached = ("", None) if at_most is None else (f"≤ +{seconds(at_most)}", middle <= at_most)
    facts = {"ours_seconds": list(ours), "against_seconds": list(plain), "difference": middle}
    text = spread(middle, quartiles(more), signed)
    return Row(work, _of(ours, seconds), f"serve.run: {_of(plain, seconds)}", text, must, reached, facts=facts)


# --- how old the figures are ------------------------------------------------------------------------------------------


def how_old(bench: Bench, place: CellSource) -> Iterator[Row]:
    """A burst of slow requests: until the status says how many are under way, and until the page is told so."""
    place.open_view()
    rounds = bench.rounds(5, 2)
    asked = [one_burst(place, number / rounds, in_status) for number in range(rounds)]
    told = [one_burst(place, number / rounds, on_the_wire) for number in range(rounds)]
    for work, ages in ((f"{BURST} requests begin: the status shows them", asked), ("  the page is told", told)):
        text = f"slowest of {len(ages)}; median {seconds(Times(ages).median)}"
        yield show(bench, figure(work, max(ages), FRESH, seconds, text))


def one_burst(place: CellSource, phase: float, when: Any) -> float:
    """Seconds from the start of a burst until it is seen; `phase` moves it against the beat of the view."""
    time.sleep(2 * FRESH + phase)
    while place.kernel._next(0) is not None:  # what the view said of the burst before
        pass
    with Client(place.url(OUR_APP, f"?sleep={SLOW}"), span=SLOW / 2, connections=BURST) as client:
        seen = when(place)
        load = client.stop()
    if seen is None or load.failed or len(load.latencies) != BURST:
        raise RuntimeError(f"{len(load.latencies)} slow requests were answered, and seen: {seen}; {load.failed}")
    return seen - load.began


def in_status(place: CellSource) -> float | None:
    return place.ask(f"shown({OUR_APP!r}, {BURST}, {3 * SLOW})")


def on_the_wire(place: CellSource) -> float | None:
    """When the page would have it."""
    end = time.monotonic() + 3 * SLOW
    while time.monotonic() < end:
        message = place.kernel._next(0.02)
        if message is not None and message["msg_type"] == "comm_msg" and _ongoing(message["content"]) >= BURST:
            return time.monotonic()
    return None


def _ongoing(content: Mapping[str, Any]) -> int:
    snapshot = ((content.get("data") or {}).get("state") or {}).get("snapshot") or {}
    data = next((section["data"] for section in snapshot.get("sections") or () if section["type"] == "special"), {})
    every = (replica for app in data.get("apps") or () for one in app["deployments"] for replica in one["replicas"])
    return sum(replica["ongoing"] or 0 for replica in every)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(fire(**json.loads(sys.argv[1])))))
