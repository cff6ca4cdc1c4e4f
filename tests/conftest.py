"""Real Ray, one cluster for all tests; a real IPython shell in this process; real kernels where it matters."""

from __future__ import annotations

import collections
import gc
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
import pytest

pytest_plugins = ("tests.serving",)
hypothesis.settings.register_profile("suite", derandomize=True)  # other cases: --hypothesis-profile=default
hypothesis.settings.load_profile("suite")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "150")  # a busy machine starts Ray slowly; 30 s are its default


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a cluster of 4 logical CPUs, started here unless RAY_ADDRESS names one; kernels of tests join it."""
    import ray

    given = os.environ.get("RAY_ADDRESS")
    here = {"num_cpus": 4, "object_store_memory": 2 * 2**30, "dashboard_host": "127.0.0.1"}
    context = ray.init(logging_level="ERROR", **({"address": given} if given else here))
    os.environ["RAY_ADDRESS"] = context.address_info["gcs_address"]
    yield os.environ["RAY_ADDRESS"]
    if not given:
        del os.environ["RAY_ADDRESS"]
    ray.shutdown()


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


# --- kernels --------------------------------------------------------------------------------------------------------


@dataclass
class Executed:
    """What the kernel sent for one cell."""

    msg_id: str
    messages: list[dict[str, Any]] = field(default_factory=list)

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


class Kernel:
    """A real kernel; output is kept by the cell that it belongs to."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3", startup_timeout=120)
        self.cells: dict[str, Executed] = {}
        self.idle: set[str] = set()

    def start(self, code: str) -> Executed:
        """Sends a cell and returns at once."""
        executed = Executed(self.client.execute(code))
        self.cells[executed.msg_id] = executed
        return executed

    def pump(self, until: Callable[[], bool], timeout: float = 120) -> None:
        """Takes messages in until `until()`; fails the test after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < end, "the kernel did not get there in time"
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

    def finish(self, executed: Executed, timeout: float = 120) -> Executed:
        self.pump(lambda: executed.msg_id in self.idle, timeout)
        return executed

    def run(self, code: str, timeout: float = 120) -> Executed:
        return self.finish(self.start(code), timeout)

    def ended(self, executed: Executed, timeout: float = 5) -> str:
        """The status that the kernel reported for a finished cell: "ok", "error", or "dropped".

        An interrupt between two steps of ipykernel's own makes it drop the cell, unrun and without a reply.
        """
        while True:
            try:
                reply = self.client.get_shell_msg(timeout=timeout)
            except queue.Empty:
                return DROPPED
            if reply["parent_header"].get("msg_id") == executed.msg_id:
                return str(reply["content"]["status"])

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


@pytest.fixture
def fresh_kernel(cluster: str) -> Iterator[Kernel]:
    """A kernel of this test alone, with ray_magics loaded; it will join the shared cluster."""
    yield from _kernel()


@pytest.fixture(scope="module")
def kernel(cluster: str) -> Iterator[Kernel]:
    """A kernel that the tests of a module share, with ray_magics loaded and connected to the shared cluster."""
    for kernel in _kernel():
        assert kernel.run("%ray_remote 1").error is None
        yield kernel


def _kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    assert kernel.run("%load_ext ray_magics").error is None
    yield kernel
    kernel.shutdown()


def wait_until(condition: Callable[[], Any], timeout: float = 30, what: str = "the condition") -> Any:
    """Waits for a condition and returns its value."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true in {timeout} s"
        time.sleep(0.05)
    return value


# --- plain Python ---------------------------------------------------------------------------------------------------

PLAIN_PYTHON = """
import os, ray, runpy, sys, traceback
for path in map(str.strip, sys.stdin):
    os.chdir(os.path.dirname(path))
    try:
        runpy.run_path(path, run_name="__main__")
    except BaseException:
        traceback.print_exc(file=sys.stdout)
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
            return "".join(iter(process.stdout.readline, "--- done\n"))

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
