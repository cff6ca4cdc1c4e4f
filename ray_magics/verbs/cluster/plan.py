"""Which cluster to use, decided before Ray is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ...errors import UsageError
from ...units import size_text

SMALLEST_STORE = 75 * 1024 * 1024
"""Bytes of object store below which Ray refuses to start."""

_ADDRESS = re.compile(r"^(ray://)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})$")
_LOCALHOST = {"localhost": "127.0.0.1", "[::1]": "127.0.0.1"}
_SIZING = ("num_cpus", "num_gpus", "resources", "object_store_memory")
_OPTIONS = {
    "num_cpus": "--num-cpus",
    "num_gpus": "--num-gpus",
    "resources": "--resources",
    "object_store_memory": "--object-store-memory",
    "namespace": "--namespace",
    "runtime_env": "--runtime-env",
}


@dataclass(frozen=True)
class ConnectPlan:
    """What the user asked for. `None` means: no opinion.

    `address` is None (found or started), `"local"` (start one here), `"auto"` (the cluster that `ray start`
    left on this machine), `HOST:PORT` or `ray://HOST:PORT`. `source` says where the address came from.
    """

    address: str | None = None
    num_cpus: int | None = None
    num_gpus: int | None = None
    resources: Mapping[str, float] | None = None
    object_store_memory: int | None = None
    namespace: str | None = None
    runtime_env: Mapping[str, Any] | None = None
    detached: bool = False
    source: str = field(default="", compare=False)

    @property
    def starts(self) -> bool:
        """Whether this plan may start a cluster on this machine."""
        return self.address in (None, "local")

    @property
    def is_open(self) -> bool:
        """Nothing was said about the cluster itself: any cluster of the user's will do."""
        return self.address is None and not self.detached and not self.sizing()

    def sizing(self) -> dict[str, Any]:
        """The options that only a new cluster can honour, under Ray's names."""
        return _given(self, _SIZING)

    def joining(self) -> dict[str, Any]:
        """The options that hold for this connection on any cluster, under Ray's names."""
        return _given(self, ("namespace", "runtime_env"))

    def to_json(self) -> dict[str, Any]:
        """Plain data for the state file."""
        return asdict(self)


class Settings(Protocol):
    """What of the settings a plan depends on."""

    address: str


def make_connect_plan(
    environ: Mapping[str, str],
    settings: Settings,
    *,
    address: str | None = None,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    resources: Mapping[str, float] | None = None,
    object_store_memory: int | None = None,
    namespace: str | None = None,
    runtime_env: Mapping[str, Any] | None = None,
    detached: bool = False,
) -> ConnectPlan:
    """Reads the address from the argument, else `settings.address`, else `RAY_ADDRESS`.

    Raises `UsageError` for a value that no cluster can take, and for sizes given to a cluster that runs.
    """
    resolved, source = _resolve_address(address, settings, environ, detached)
    plan = ConnectPlan(
        address=resolved,
        num_cpus=_whole_number("--num-cpus", num_cpus),
        num_gpus=_whole_number("--num-gpus", num_gpus),
        resources=_custom_resources(resources),
        object_store_memory=_store_size(object_store_memory),
        namespace=namespace,
        runtime_env=_checked_runtime_env(runtime_env),
        detached=detached,
        source=source,
    )
    _check_sizes(plan)
    return plan


@dataclass(frozen=True)
class Connection:
    """Where this kernel is connected. `started`: by this kernel; `detached`: a process of this user's own."""

    address: str
    dashboard: str = ""
    namespace: str = ""
    node_id: str = ""
    ray: str = ""
    python: str = ""
    started: bool = False
    detached: bool = False
    plan: ConnectPlan = field(default=ConnectPlan(), compare=False, repr=False)

    @property
    def has_control_service(self) -> bool:
        """A Ray Client connection (`ray://`) does not see the cluster's control service."""
        return bool(self.address) and not self.address.startswith("ray://")


def differences(old: ConnectPlan, new: ConnectPlan) -> tuple[str, ...]:
    """What `new` asks for that `old` is not, in words; what `new` leaves open differs from nothing.

    `differences(ConnectPlan(num_cpus=2), ConnectPlan(num_cpus=4))` is `("--num-cpus 4 (now 2)",)`.
    """
    different = []
    if new.address not in (None, "auto", old.address or "local"):
        different.append(f"address {new.address} (now {_where(old)})")
    elif new.address == "local" and old.detached:
        different.append("a cluster that lives with this kernel (now a detached one)")
    if new.detached and not old.detached:
        different.append("--detached (now a cluster that is not detached)")
    return (*different, *_option_differences(old, new))


def plan_from_json(data: Mapping[str, Any]) -> ConnectPlan:
    """The plan that `ConnectPlan.to_json` wrote; unknown keys are ignored."""
    return ConnectPlan(**{name: data[name] for name in ConnectPlan.__dataclass_fields__ if name in data})


def normal_address(text: str) -> str:
    """`localhost:6379` as `127.0.0.1:6379`; `UsageError` for what is no address."""
    text = text.strip()
    if text in ("local", "auto"):
        return text
    if re.match(r"^https?://", text):
        raise UsageError(f"{text} is a dashboard; Ray connects to HOST:PORT, such as 127.0.0.1:6379.")
    match = _ADDRESS.match(text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise UsageError(f'"{text}" is not an address; try 127.0.0.1:6379, ray://HOST:10001, auto or local.')
    return f"{match[1] or ''}{_LOCALHOST.get(match[2].lower(), match[2])}:{match[3]}"


def host_and_port(address: str) -> tuple[str, int]:
    """`("10.0.0.1", 6379)` of `10.0.0.1:6379` or `ray://10.0.0.1:6379`."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return host.strip("[]"), int(port)


def token_path(environ: Mapping[str, str]) -> Path:
    """Where Ray reads its token: `RAY_AUTH_TOKEN_PATH`, else `~/.ray/auth_token`."""
    return Path(environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token").expanduser()


def has_token(environ: Mapping[str, str]) -> bool:
    """Whether Ray would find a token; the token itself is not read."""
    return bool(environ.get("RAY_AUTH_TOKEN")) or token_path(environ).is_file()


def wants_token(environ: Mapping[str, str]) -> bool:
    """Whether to turn token authentication on: the user said nothing and a token is at hand.

    Ray 2.60 does so by itself for a new local cluster, but not for an explicit address.
    """
    return not environ.get("RAY_AUTH_MODE") and has_token(environ)


def _given(plan: ConnectPlan, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(plan, name)) is not None}


def _resolve_address(
    address: str | None, settings: Settings, environ: Mapping[str, str], detached: bool
) -> tuple[str | None, str]:
    if address:
        if detached:
            raise UsageError("--detached starts a cluster on this machine; leave out the address.")
        return normal_address(address), "the address given"
    if detached:
        return None, ""
    if configured := settings.address:
        return normal_address(configured), "RayMagics.address"
    if named := environ.get("RAY_ADDRESS"):
        return normal_address(named), "RAY_ADDRESS"
    return None, ""


def _whole_number(option: str, value: float | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or value < 0 or value != int(value):
        raise UsageError(f"{option}: {value} is not a whole number from 0 up; try {option} 2.")
    return int(value)


def _custom_resources(resources: object) -> dict[str, float] | None:
    if resources is None:
        return None
    hint = "try --resources \"{'tpu': 1}\"."
    if not isinstance(resources, Mapping):
        raise UsageError(f"--resources: {resources!r} is not a dict of names and amounts; {hint}")
    for name, amount in resources.items():
        if name in ("CPU", "GPU", "object_store_memory"):
            raise UsageError(f"--resources: {name} has its own option; use {_own_option(name)}.")
        if not isinstance(name, str) or not isinstance(amount, int | float) or amount < 0:
            raise UsageError(f"--resources: {name!r}: {amount!r} is not a name and an amount; {hint}")
    return dict(resources)


def _own_option(resource: str) -> str:
    return {"CPU": "--num-cpus", "GPU": "--num-gpus"}.get(resource, "--object-store-memory")


def _store_size(size: int | None) -> int | None:
    if size is not None and size < SMALLEST_STORE:
        asked = size_text(max(size, 0))
        raise UsageError(f"--object-store-memory: {asked} is too small; Ray needs 75 MiB or more.")
    return None if size is None else int(size)


def _checked_runtime_env(runtime_env: object) -> dict[str, Any] | None:
    if runtime_env is None:
        return None
    if not isinstance(runtime_env, Mapping):
        hint = "try --runtime-env \"{'pip': ['emoji']}\"."
        raise UsageError(f"--runtime-env: {runtime_env!r} is not a dict; {hint}")
    return dict(runtime_env)


def _check_sizes(plan: ConnectPlan) -> None:
    if plan.starts or not (sizing := plan.sizing()):
        return
    option = _OPTIONS[next(iter(sizing))]
    raise UsageError(
        f"{option} sizes a new cluster, but {plan.source} names {plan.address}, which runs already. "
        f"Drop it, or start one here with %ray_init local {option} ..."
    )


def _where(plan: ConnectPlan) -> str:
    return "a cluster started here" if plan.address in (None, "local") else str(plan.address)


def _option_differences(old: ConnectPlan, new: ConnectPlan) -> list[str]:
    return [
        f"{option} {_value_text(name, wish)} (now {_value_text(name, getattr(old, name))})"
        for name, option in _OPTIONS.items()
        if (wish := getattr(new, name)) is not None and wish != getattr(old, name)
    ]


def _value_text(name: str, value: Any) -> str:
    if value is None:
        return "not set"
    if name == "object_store_memory":
        return size_text(value)
    if name == "runtime_env":  # its environment variables may be secrets
        return "another one"
    return json.dumps(value, default=str) if isinstance(value, Mapping) else str(value)
