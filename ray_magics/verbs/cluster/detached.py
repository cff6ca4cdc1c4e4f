"""A cluster as a process of its own, in a session of its own, that outlives the kernel. Linux and macOS."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...raylib.core import LOOPBACK_SWITCH
from .plan import ConnectPlan, plan_from_json
from .probe import StartTimeout

log = logging.getLogger(__name__)

START_SECONDS = 120.0
STOP_SECONDS = 10.0
_STATE = "cluster.json"
_READY = "address"
_ERROR = re.compile(r"\b\w*(Error|Exception): ")


@dataclass(frozen=True)
class DetachedCluster:
    """A cluster as its state file describes it; `created` distinguishes its process from a later one with this pid."""

    address: str
    pid: int
    created: float
    plan: ConnectPlan
    folder: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "plan": self.plan.to_json()}


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """This user's folder for the state file, the log and Ray's session; nobody else may read it.

    `RAY_MAGICS_RUNTIME_DIR`, else `ray_magics-<user id>` in the folder for temporary files.
    """
    path = environ.get("RAY_MAGICS_RUNTIME_DIR")
    folder = Path(path) if path else _temporary_folder(environ) / f"ray_magics-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise UsageError(f"{folder} is somebody else's; set RAY_MAGICS_RUNTIME_DIR to a folder of yours.")
    if stat.S_IMODE(info.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def find(folder: Path) -> DetachedCluster | None:
    """The detached cluster of this user if its process still lives; a stale state file is removed."""
    try:
        data = json.loads((folder / _STATE).read_text())
        cluster = DetachedCluster(**{**data, "plan": plan_from_json(data["plan"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        log.debug("unreadable state file in %s: %r", folder, error)
        return None
    if _living_process(cluster.pid, cluster.created) is None:
        _remove_state_file(folder)
        return None
    return cluster


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a second kernel of this user from starting or stopping the cluster at the same time."""
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def start(
    plan: ConnectPlan, folder: Path, environ: Mapping[str, str], seconds: float = START_SECONDS
) -> DetachedCluster:
    """Starts the cluster, waits until it is ready, and writes the state file. Only when none of this user's runs.

    Raises `UsageError` with the last error of its log when the process ends early or is not ready in time.
    """
    for stale in folder.glob("ray-*"):
        shutil.rmtree(stale, ignore_errors=True)
    session = Path(tempfile.mkdtemp(prefix="ray-", dir=folder))
    with open(folder / "cluster.log", "wb") as output:
        process = subprocess.Popen(
            start_command(plan, session),
            env=_child_environment(environ, session),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = _address_when_ready(process, session, seconds)
        # The namespace and the environment are each connection's own, and may hold secrets.
        sizing = replace(plan, namespace=None, runtime_env=None)
        cluster = DetachedCluster(address, process.pid, _created(process.pid), sizing, str(session))
        _write_state_file(folder, cluster)
    except BaseException:
        _terminate(process.pid, 0.0)
        shutil.rmtree(session, ignore_errors=True)
        raise
    return cluster


def stop(cluster: DetachedCluster, folder: Path, seconds: float = STOP_SECONDS) -> None:
    """Ends the cluster, sees that its processes are gone, removes its state file and session folder."""
    _terminate(cluster.pid, seconds)
    _remove_state_file(folder)
    shutil.rmtree(cluster.folder, ignore_errors=True)


def start_command(plan: ConnectPlan, session: Path) -> list[str]:
    """The line that starts the process of the cluster; see host.py."""
    host = Path(__file__).with_name("host.py")
    return [sys.executable, "-P", str(host), str(session / _READY), json.dumps(plan.sizing())]


def _temporary_folder(environ: Mapping[str, str]) -> Path:
    # Ray's socket paths must stay under 104 characters: /tmp is short, the macOS default is not.
    path = environ.get("RAY_TMPDIR")
    return Path(path) if path else Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())


def _child_environment(environ: Mapping[str, str], session: Path) -> dict[str, str]:
    kernel_only = ("JPY_", "MPLBACKEND", "RAY_ADDRESS")
    inherited = {name: value for name, value in environ.items() if not name.startswith(kernel_only)}
    return {LOOPBACK_SWITCH: "0", **inherited, "RAY_TMPDIR": str(session)}


def _address_when_ready(process: subprocess.Popen[bytes], session: Path, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while not (session / _READY).exists():
        if process.poll() is not None:
            reason = _last_error_line(session.parent)
            kind = StartTimeout if "timed out during startup" in reason else UsageError
            raise kind(f"The detached cluster did not start: {reason}")
        if time.monotonic() > deadline:
            reason = _last_error_line(session.parent)
            raise UsageError(f"The detached cluster took over {seconds:.0f} s: {reason}")
        time.sleep(0.1)
    return (session / _READY).read_text()


def _last_error_line(folder: Path) -> str:
    path = folder / "cluster.log"
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)] or lines or ["it said nothing"]
    return f"{errors[-1][:300]} (all of it in {path})"


def _write_state_file(folder: Path, cluster: DetachedCluster) -> None:
    draft = folder / f"{_STATE}.{os.getpid()}"
    draft.write_text(json.dumps(cluster.to_json()))
    draft.chmod(0o600)
    draft.replace(folder / _STATE)


def _remove_state_file(folder: Path) -> None:
    (folder / _STATE).unlink(missing_ok=True)


def _created(pid: int) -> float:
    import psutil

    return float(psutil.Process(pid).create_time())


def _living_process(pid: int, created: float) -> Any:
    import psutil

    try:
        process = psutil.Process(pid)
        alive = abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if alive else None


def _session_processes(session: int) -> list[Any]:
    """The living processes of a session; a session id is the pid of the process that opened it."""
    import psutil

    processes = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
    return processes


def _terminate(session: int, seconds: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(session, signal.SIGTERM)
    if not _wait_until_gone(session, seconds):
        _signal(session, signal.SIGKILL)
        _wait_until_gone(session, STOP_SECONDS)


def _signal(session: int, number: signal.Signals) -> None:
    for process in _session_processes(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _wait_until_gone(session: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _session_processes(session):
        if time.monotonic() > deadline:
            return False
        _reap(session)
        time.sleep(0.1)
    _reap(session)
    return True


def _reap(pid: int) -> None:
    """Collects the process if it is a child of this kernel; else somebody else does."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
