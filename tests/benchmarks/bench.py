"""What the works share: one cluster, one IPython shell in this process, and real kernels."""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.benchmarks.measure import Row

STORE = 5 * 10**9  # bytes of the cluster's object store


@dataclass
class Bench:
    """Where the works run. `quick` asks for fewer rounds; `address` names a cluster to use instead of our own."""

    quick: bool = False
    address: str = ""
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)

    def rounds(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    @cached_property
    def cpus(self) -> int:
        return os.cpu_count() or 1

    @cached_property
    def cluster(self) -> str:
        """The address of a cluster of our own, with as many CPUs as the machine has; kernels join it."""
        self.say(f"joining {self.address}" if self.address else "starting a cluster")
        os.environ["RAY_ADDRESS"] = join(self.address) if self.address else start_cluster(self.cpus)
        return os.environ["RAY_ADDRESS"]

    @cached_property
    def shell(self) -> Shell:
        """An IPython shell with ray_magics loaded and connected."""
        self.say(f"cluster at {self.cluster}")
        return Shell()

    @contextlib.contextmanager
    def kernel(self) -> Iterator[Kernel]:
        """A fresh kernel with ray_magics loaded and connected."""
        self.say(f"starting a kernel on the cluster at {self.cluster}")
        kernel = Kernel()
        try:
            kernel.run("%load_ext ray_magics")
            kernel.run("%ray_remote 1 + 1")
            yield kernel
        finally:
            kernel.shutdown()

    def close(self) -> None:
        if "cluster" in vars(self):
            import ray

            ray.shutdown()


def join(address: str) -> str:
    import ray

    ray.init(address, logging_level="ERROR")
    return address


def start_cluster(cpus: int, tester: int = 3) -> str:
    """Starts a cluster of this process; a start that takes more than Ray's 30 s, as on a busy machine, is repeated."""
    import ray

    options = {"num_cpus": cpus, "object_store_memory": STORE, "include_dashboard": False, "logging_level": "ERROR"}
    try:
        context = ray.init("local", _node_ip_address="127.0.0.1", **options)
    except Exception:  # Ray raises just that when its own processes are slow to start
        ray.shutdown()
        if tester == 1:
            raise
        return start_cluster(cpus, tester - 1)
    return str(context.address_info["gcs_address"])


def show(bench: Bench, row: Row) -> Row:
    bench.say(f"  {row.work}: {row.ours} | {row.against} | {row.ratio} | {row.must} {row.verdict}")
    return row


class Shell:
    """Runs cells as a notebook does, in this process, without showing what they show."""

    def __init__(self) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        os.environ.setdefault("IPYTHONDIR", tempfile.mkdtemp(prefix="ipython-"))
        config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
        self.ip = InteractiveShell.instance(config=config)
        self.ip.run_line_magic("load_ext", "ray_magics")

    @property
    def ns(self) -> dict[str, Any]:
        return self.ip.user_ns

    def run(self, code: str) -> Any:
        """The value of a cell; raises what it raised."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result = self.ip.run_cell(code, store_history=True)
        result.raise_error()
        return result.result

    def way(self, code: str) -> Callable[[], Any]:
        return lambda: self.run(code)


DRAWS = ("comm_msg", "display_data", "update_display_data")  # messages that change a view


# --- kernels --------------------------------------------------------------------------------------------------------


@dataclass
class Cell:
    """One cell of a kernel: how long it took, and what came on iopub while it ran; `drawn`: when a page drew, as time()."""

    seconds: float = 0.0
    messages: int = 0
    bytes: int = 0
    kinds: tuple[str, ...] = ()
    drawn: list[float] = field(default_factory=list)


class Kernel:
    """A real kernel and its client."""

    def __init__(self) -> None:
        import psutil
        from jupyter_client.manager import start_new_kernel

        os.environ.setdefault("IPYTHONDIR", tempfile.mkdtemp(prefix="ipython-"))
        self.manager, self.client = start_new_kernel(kernel_name="python3", startup_timeout=120)
        self.process = psutil.Process(self.manager.provisioner.pid)

    def run(self, code: str, timeout: float = 300, meanwhile: Callable[[], Any] = lambda: None) -> Cell:
        """Runs a cell to its end, calling `meanwhile` after every message and every 20 ms. Raises what it raised."""
        began = time.perf_counter()
        sent = self.client.execute(code)
        cell, kinds = Cell(), []
        while True:
            meanwhile()
            message = self._next(0.02)
            if time.perf_counter() - began > timeout:
                raise TimeoutError(f"{timeout:g} s are over: {code[:60]}")
            if message is None or message["parent_header"].get("msg_id") != sent:
                continue
            cell.messages += 1
            cell.bytes += size_of(message)
            kinds.append(message["msg_type"])
            if message["msg_type"] in DRAWS:
                cell.drawn.append(time.time())
            if message["msg_type"] == "error":
                raise RuntimeError("\n".join(message["content"]["traceback"]))
            if message["content"].get("execution_state") == "idle":
                cell.seconds, cell.kinds = time.perf_counter() - began, tuple(dict.fromkeys(kinds))
                return cell

    def number(self, code: str) -> float:
        """The value of an expression there."""
        file = os.path.join(tempfile.mkdtemp(), "number")
        self.run(f"open({file!r}, 'w').write(str({code}));")
        with open(file) as written:
            return float(written.read())

    def _next(self, timeout: float) -> Mapping[str, Any] | None:
        try:
            return self.client.get_iopub_msg(timeout=timeout)
        except queue.Empty:
            return None

    def ask(self) -> str:
        """Sends a request of ray_magics on the control channel; returns the id of the message."""
        message = self.client.session.msg("ray_magics_request", {"action": "noop"})
        self.client.control_channel.send(message)
        return message["header"]["msg_id"]

    def answered(self) -> str | None:
        """The id of a request on the control channel that has been answered."""
        try:
            return self.client.control_channel.get_msg(timeout=0)["parent_header"]["msg_id"]
        except queue.Empty:
            return None

    def cpu_share(self, span: float) -> float:
        """The share of one core that the kernel's process uses in the next `span` seconds."""
        before, began = self._cpu(), time.perf_counter()
        time.sleep(span)
        return (self._cpu() - before) / (time.perf_counter() - began)

    def _cpu(self) -> float:
        used = self.process.cpu_times()
        return used.user + used.system

    def shutdown(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def size_of(message: Mapping[str, Any]) -> int:
    """The bytes that a message takes on the wire, but for its headers."""
    return len(json.dumps(message["content"], default=str)) + sum(len(buffer) for buffer in message["buffers"])
