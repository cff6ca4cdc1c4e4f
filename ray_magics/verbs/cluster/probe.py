"""Whether a cluster answers at an address and accepts us: within `PROBE_SECONDS`, where Ray itself waits 20 s."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator
from contextlib import suppress

from ...errors import RayMagicsError, UsageError, first_line
from ...raylib import auth
from ...raylib.gcs import probe_gcs
from .plan import ConnectPlan, has_token, host_and_port, token_path, wants_token

PROBE_SECONDS = 3.0


def listens(address: str, seconds: float) -> bool:
    """Whether anything accepts a connection at HOST:PORT."""
    try:
        socket.create_connection(host_and_port(address), seconds).close()
    except OSError:
        return False
    return True


def check_listens(address: str, source: str) -> None:
    """Raises `UsageError` when nothing listens at HOST:PORT; `source` says where the address came from."""
    host, port = host_and_port(address)
    try:
        socket.create_connection((host, port), PROBE_SECONDS).close()
    except socket.gaierror:
        raise UsageError(f'There is no machine called "{host}" ({source}).') from None
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else "nothing listens there"
        raise UsageError(
            f"No Ray cluster at {address} ({source}): {why}. "
            "Check the address, or start a cluster here with %ray_init local."
        ) from None


def check_answers(address: str) -> None:
    """Raises `UsageError` when what listens is no Ray cluster, refuses us, or has no node on this machine."""
    answer = probe_gcs(address, PROBE_SECONDS)
    if answer == "denied":
        raise UsageError(denied_text(address))
    if answer == "silent":
        raise UsageError(
            f"Something listens at {address}, but it does not answer like a Ray cluster. "
            "Ray's address is that of `ray start` (port 6379 unless chosen), not that of the dashboard."
        )
    if not _has_raylet():
        raise UsageError(
            f"The cluster at {address} has no node on this machine, which Ray needs to connect. "
            f"Add one in a terminal with `ray start --address={address}`, or use ray://HOST:10001."
        )


def denied_text(cluster: str) -> str:
    """Why a cluster, named by its address, refused us: no token, the wrong one, or authentication switched off here."""
    asks = f"The cluster at {cluster} asks for a token"
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return f"{asks}, but RAY_AUTH_MODE is disabled here. Unset it."
    if not has_token(os.environ):
        return f"{asks}, and there is none here. Put it into {token_path(os.environ)}."
    source = "RAY_AUTH_TOKEN" if os.environ.get("RAY_AUTH_TOKEN") else str(token_path(os.environ))
    return (
        f"The cluster at {cluster} refuses the token in {source}. "
        "`ray get-auth-token`, typed where the cluster runs, shows the right one."
    )


class StartTimeout(RayMagicsError):
    """Ray gives a new cluster 30 s; a busy machine may need longer, and may manage the second time."""


def connect_error(error: BaseException, plan: ConnectPlan) -> UsageError | StartTimeout:
    """The error to raise, in one line, for what `ray.init` raised."""
    text = " ".join(f"{type(part).__name__} {part}" for part in _chain(error))
    address = plan.address or "this machine"
    if "AuthenticationError" in text:
        return UsageError(denied_text(address))
    if "ersion mismatch" in text:
        return UsageError(f"The cluster at {address} is of another version: {_versions(text)}")
    if "Could not find any running Ray instance" in text:
        return UsageError("No Ray cluster runs on this machine; %ray_init without an address starts one.")
    if "timed out during startup" in text:
        return StartTimeout("Ray did not start: it was not ready after 30 s. Is this machine busy? Try again.")
    failure = "Ray did not start" if plan.starts else f"Ray could not connect to {address}"
    return UsageError(f"{failure}: {first_line(error)}")


def enable_token_auth() -> bool:
    """Turns token authentication on where Ray would not do so by itself; returns whether it did."""
    if not wants_token(os.environ):
        return False
    auth.enable_token_auth()
    return True


def create_token() -> None:
    """Writes the token before Ray does, because Ray's own file can be read by everybody on the machine."""
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token" or has_token(os.environ):
        return
    path = token_path(os.environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), open(path, "x", opener=_for_the_user_alone) as file:
        file.write(os.urandom(32).hex())


def _for_the_user_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _has_raylet() -> bool:
    import psutil

    return any(process.info["name"] == "raylet" for process in psutil.process_iter(["name"]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _versions(text: str) -> str:
    from importlib.metadata import version

    cluster = " ".join(text.partition("started with:")[2].partition("This process")[0].split())
    kernel = f"Ray {version('ray')}, Python {platform.python_version()}"
    return f"it has {cluster.rstrip('. ') or 'another Ray or Python'}, this kernel {kernel}; they must agree."
