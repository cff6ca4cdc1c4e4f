"""Real Ray, one cluster for all tests; a real IPython shell in this process; real kernels where it matters."""

from __future__ import annotations

import collections
import gc
import itertools
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest

pytest_plugins = ("tests.serving",)
hypothesis.settings.register_profile("suite", derandomize=True)  # other cases: --hypothesis-profile=default
hypothesis.settings.load_profile("suite")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "150")  # a busy machine starts Ray slowly; 30 s are its default
os.environ.setdefault("RAY_worker_niceness", "0")  # at Ray's 15, workers get nothing of a machine that is busy
QUICK = str(Path(__file__).with_name("quick"))  # on the path of all processes: `import ray` takes 0.7 s there, not 2.3
sys.path.insert(0, QUICK)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (QUICK, os.environ.get("PYTHONPATH"))))


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a cluster of 4 logical CPUs, started here unless RAY_ADDRESS names one; kernels of tests join it."""
    import ray

    given = os.environ.get("RAY_ADDRESS")
    here = {"num_cpus": 4, "object_store_memory": 2 * 2**30, "dashboard_host": "127.0.0.1"}
    context = _ray_init(**({"address": given} if given else here))
    os.environ["RAY_ADDRESS"] = context.address_info["gcs_address"]
    yield os.environ["RAY_ADDRESS"]
    if not given:
        del os.environ["RAY_ADDRESS"]
    ray.shutdown()


def _ray_init(tries: int = 4, **options: Any) -> Any:
    """Ray waits 30 s for its own processes, whatever the machine does meanwhile; a busy one needs another try."""
    import ray

    from ray_magics.verbs.cluster.quiet import no_orphans

    for left in reversed(range(tries)):
        try:
            with no_orphans():
                return ray.init(logging_level="ERROR", **options)
        except Exception as error:
            ray.shutdown()
            if not left or "timed out during startup" not in str(error):
                raise


class Shell:
    """An IPython shell with ray_magics loaded, as a notebook would use it."""

    def __init__(self, ip: Any) -> None:
        self.ip = ip

    @property
    def ns(self) -> dict[str, Any]:
        return self.ip.user_ns

    def run(self, code: str) -> Any:
        """Runs a cell; returns its value or raises what it raised."""
        result = self.ip.run_cell(code, store_history=True)
        result.raise_error()
        return result.result


@pytest.fixture(scope="session")
def _ip() -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    ip = InteractiveShell.instance(config=config)
    sys.modules["__main__"].__dict__.setdefault("__file__", "")
    ip.run_line_magic("load_ext", "ray_magics")
    ip.run_line_magic("config", "RayMagics.view_after = 60")  # a slow machine shall not add views to what tests read
    return ip


@pytest.fixture
def shell(_ip: Any) -> Iterator[Shell]:
    """A shell with an empty namespace; no cluster yet."""
    gc.freeze()  # a reset collects garbage: 0.3 s over all that Ray and torch have made, milliseconds over the test's own
    _ip.reset(new_session=True, aggressive=False)
    yield Shell(_ip)
    _ip.reset(new_session=True, aggressive=False)


@pytest.fixture
def notebook(shell: Shell, cluster: str) -> Shell:
    """A shell that is connected to the shared cluster."""
    return shell


# --- patience -------------------------------------------------------------------------------------------------------

SLOWEST = 4.0  # a busy machine makes a test wait so much longer, and no more


def load_a_core() -> float:
    """How many processes want each core of this machine, over the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


class Patience:
    """So many seconds of a quiet machine: they pass slower while others want its cores.

    What hangs uses no core, so that it is found about as soon as on a machine of its own.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic, load: Callable[[], float] = load_a_core
    ) -> None:
        self.seconds, self.clock, self.load = seconds, clock, load
        self.began = self.looked = clock()
        self.passed = 0.0

    def is_over(self) -> bool:
        now = self.clock()
        self.passed += (now - self.looked) / min(max(self.load(), 1.0), SLOWEST)
        self.looked = now
        return self.passed > self.seconds

    def __str__(self) -> str:
        waited, load = self.looked - self.began, self.load()
        return (
            f"{self.seconds:g} s of a quiet machine, {waited:.0f} s of this one, where {load:.1f} processes want a core"
        )


def wait_until(condition: Callable[[], Any], timeout: float = 30, what: str = "the condition") -> Any:
    """Waits for a condition and returns its value."""
    patience = Patience(timeout)
    while not (value := condition()):
        assert not patience.is_over(), f"{what} did not come true in {patience}"
        time.sleep(0.05)
    return value


def wait_for_free_cpus(timeout: float = 30) -> None:
    """Waits until no task and no actor of the cluster holds a CPU; tells on failure what does."""
    import ray

    total = ray.cluster_resources()["CPU"]
    try:
        wait_until(lambda: ray.available_resources().get("CPU") == total, timeout, "all CPUs back")
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *_what_holds_cpus()])) from None


def _what_holds_cpus() -> list[str]:
    import ray
    from ray.util.state import list_actors, list_tasks

    ended = [("state", "!=", "FINISHED"), ("state", "!=", "FAILED")]
    tasks = list_tasks(detail=True, limit=20, filters=ended, raise_on_missing_output=False)
    actors = list_actors(detail=True, limit=20, filters=[("state", "!=", "DEAD")], raise_on_missing_output=False)
    workers = [" ".join(process.info["cmdline"]) for process in psutil.process_iter(["cmdline"])]
    return [
        f"free: {ray.available_resources().get('CPU')} of {ray.cluster_resources().get('CPU')}",
        *(f"task {one.name} of job {one.job_id}: {one.state}, {one.required_resources}" for one in tasks),
        *(f"actor {one.class_name} of job {one.job_id}: {one.state}, {one.required_resources}" for one in actors),
        *(worker for worker in workers if worker.startswith("ray::") and "::IDLE" not in worker),
    ]


# --- kernels --------------------------------------------------------------------------------------------------------


@dataclass
class Executed:
    """What the kernel sent for one cell."""

    msg_id: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    code: str = ""

    def __str__(self) -> str:
        kinds = [message["msg_type"] for message in self.messages]
        shown = [data.get("text/plain", "") for data in self.data]
        said = {"stdout": self.stdout, "stderr": self.texts("stderr"), "displayed": "".join(shown[-1:])}
        parts = [f"{name}: {text[-400:]!r}" for name, text in said.items() if text]
        return f"{self.code[:80]!r} -> {', '.join(kinds[-12:]) or 'nothing'}; {'; '.join(parts)}"

    def texts(self, name: str = "stdout") -> str:
        return "".join(
            m["content"]["text"] for m in self.messages if m["msg_type"] == "stream" and m["content"]["name"] == name
        )

    @property
    def stdout(self) -> str:
        return self.texts("stdout")

    @property
    def error(self) -> dict[str, Any] | None:
        return next((m["content"] for m in self.messages if m["msg_type"] == "error"), None)

    @property
    def data(self) -> list[dict[str, Any]]:
        kinds = ("display_data", "update_display_data", "execute_result")
        return [m["content"]["data"] for m in self.messages if m["msg_type"] in kinds]


DROPPED = "dropped"
LOAD = "%load_ext ray_magics"


class Kernel:
    """A real kernel; output is kept by the cell that it belongs to."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3", startup_timeout=120)
        self.cells: dict[str, Executed] = {}
        self.idle: set[str] = set()

    def start(self, code: str) -> Executed:
        """Sends a cell and returns at once."""
        executed = Executed(self.client.execute(code), code=code)
        self.cells[executed.msg_id] = executed
        return executed

    def pump(self, until: Callable[[], bool], timeout: float = 120) -> None:
        """Takes messages in until `until()`; fails the test after `timeout` seconds of a quiet machine."""
        patience, cpu = Patience(timeout), self.cpu_seconds()
        while not until():
            assert not patience.is_over(), self._late(patience, self.cpu_seconds() - cpu)
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                assert self.manager.is_alive(), "the kernel died"
                continue
            self._sort(message)

    def _sort(self, message: dict[str, Any]) -> None:
        parent = message["parent_header"].get("msg_id", "")
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            self.idle.add(parent)
        elif parent in self.cells:
            self.cells[parent].messages.append(message)

    def cpu_seconds(self) -> float:
        """What its process has used of the CPUs so far; 0 of one that has died."""
        try:
            return sum(psutil.Process(self.manager.provisioner.pid).cpu_times()[:2])
        except psutil.NoSuchProcess:
            return 0.0

    def _late(self, patience: Patience, cpu: float) -> str:
        """Tells a kernel that hangs from a slow machine."""
        going = [str(cell) for cell in self.cells.values() if cell.msg_id not in self.idle]
        used = f"the kernel did not get there in {patience}; it used {cpu:.1f} s of the CPUs meanwhile"
        return "\n".join([used, "It has sent of the cells that have not ended:", *going])

    def finish(self, executed: Executed, timeout: float = 120) -> Executed:
        self.pump(lambda: executed.msg_id in self.idle, timeout)
        return executed

    def run(self, code: str, timeout: float = 120) -> Executed:
        return self.finish(self.start(code), timeout)

    def ended(self, executed: Executed, timeout: float = 60) -> str:
        """The status that the kernel reported for a finished cell: "ok", "error", or "dropped".

        An interrupt between two steps of ipykernel's own makes it drop the cell, unrun and without a reply. Replies come in
        order: where the next request has its own, the cell's will not come.
        """
        status, following = DROPPED, self.client.kernel_info()
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == executed.msg_id:
                status = str(reply["content"]["status"])
            elif reply["parent_header"].get("msg_id") == following:
                return status

    def value(self, expression: str) -> str:
        """The repr of an expression in the kernel."""
        executed = self.run(f"print(repr({expression}))")
        assert executed.error is None, executed.error
        return executed.stdout.strip()

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def shutdown(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


def has_failed(request: pytest.FixtureRequest) -> bool:
    """Whether the test that asks has failed; for the end of a fixture, whose test may have hurt what it shares."""
    return bool(request.node.stash.get(_FAILED, False))


class SharedKernel:
    """A kernel for one test after another, replaced after one that failed: one failure is one failure."""

    def __init__(self, *setting: str) -> None:
        """`setting`: the cells that a new kernel runs first."""
        self.setting = setting
        self.present: Kernel | None = None

    def lend(self, request: pytest.FixtureRequest) -> Iterator[Kernel]:
        if self.present is None:
            self.present = make_kernel(*self.setting)
        yield self.present
        if has_failed(request) or not self.present.manager.is_alive():
            self.end()

    def end(self) -> None:
        if self.present is not None:
            self.present.shutdown()
        self.present = None


def make_kernel(*setting: str) -> Kernel:
    """A kernel that has run these cells without an error."""
    kernel = Kernel()
    try:
        for cell in setting:
            executed = kernel.run(cell)
            assert executed.error is None, executed.error
    except BaseException:
        kernel.shutdown()
        raise
    return kernel


@pytest.fixture
def fresh_kernel(cluster: str) -> Iterator[Kernel]:
    """A kernel of this test alone, with ray_magics loaded; it will join the shared cluster."""
    kernel = make_kernel(LOAD)
    yield kernel
    kernel.shutdown()


@pytest.fixture(scope="module")
def _connected_kernel(cluster: str) -> Iterator[SharedKernel]:
    shared = SharedKernel(LOAD, "%ray_remote 1")
    yield shared
    shared.end()


@pytest.fixture
def kernel(_connected_kernel: SharedKernel, request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """A kernel that the tests of a module share, with ray_magics loaded and connected to the shared cluster."""
    yield from _connected_kernel.lend(request)


@pytest.fixture(scope="session")
def _lonely_kernel() -> Iterator[SharedKernel]:
    shared = SharedKernel(LOAD)
    yield shared
    shared.end()


@pytest.fixture
def lonely_kernel(_lonely_kernel: SharedKernel, request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """A kernel that tests share, with ray_magics loaded and no cluster; it starts in a second."""
    yield from _lonely_kernel.lend(request)


# --- plain Python ---------------------------------------------------------------------------------------------------

PLAIN_PYTHON = """
import gc, os, pathlib, ray, sys, traceback, types
connect = ray.init

def init(*args, **options):
    # Ray's own; only a script that asks for something gets a connection of its own, for that takes seconds.
    # What workers print is left out: Ray's thread would write it in the middle of "--- done".
    if args or options:
        ray.shutdown()
    own.extend(args or options)
    return connect(*args, ignore_reinit_error=True, **{"log_to_driver": False, **options})

ray.init = init
this = sys.modules["__main__"]
for path in map(str.strip, sys.stdin):
    own = []
    os.chdir(os.path.dirname(path))
    script = sys.modules["__main__"] = types.ModuleType("__main__")
    script.__file__ = path
    try:
        exec(compile(pathlib.Path(path).read_text(), path, "exec"), vars(script))
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    sys.modules["__main__"] = this
    vars(script).clear()  # its actors end with its process, and this one goes on
    gc.collect()
    if own:
        ray.shutdown()
    print("--- done", flush=True)
"""


@pytest.fixture(scope="session")
def plain_python(cluster: str) -> Iterator[Callable[[Path], str]]:
    """Runs a script as ``python script.py`` does and returns what it printed; one process, for Ray imports slowly."""
    command = [sys.executable, "-c", PLAIN_PYTHON]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def run(script: Path) -> str:
            process.stdin.write(f"{script}\n")
            process.stdin.flush()
            printed = iter(process.stdout.readline, "--- done\n")
            return "".join(itertools.takewhile(bool, printed))  # "" is the end of the process

        yield run
        process.stdin.close()


# --- time -----------------------------------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The seconds of each folder, and of what the fixtures and tests of each verb cost together."""
    folders: collections.Counter[str] = collections.Counter()
    files: collections.Counter[str] = collections.Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                *folder, file = report.nodeid.partition("::")[0].split("/")
                folders["/".join(folder)] += report.duration
                files["/".join((*folder[-1:], file))] += report.duration
    terminalreporter.section("seconds by folder and by file")
    for counter in (folders, files):
        slowest = [f"{name} {seconds:.0f}" for name, seconds in counter.most_common(12) if seconds >= 0.5]
        terminalreporter.write_line(", ".join(slowest))
