"""Starting, joining and describing a connection; tried on Ray 2.60.0."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ..errors import RayApiMissing
from .private import private

log = logging.getLogger(__name__)

PRIVATE = (
    "ray._private.auto_init_hook:auto_init_ray",
    "ray._private.ray_constants:ENABLE_RAY_CLUSTER",
    "ray._private.worker:get_dashboard_url",
)
OUR_THREADS = "ray_magics-"
"""How the names of our threads begin."""
LOOPBACK_SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's own switch: at 0 (its default on macOS and Windows) a new cluster binds to 127.0.0.1 alone.

On Linux `_node_ip_address="127.0.0.1"` does not do that: Ray resolves it back to the network card.
"""


@contextmanager
def loopback_only() -> Iterator[None]:
    """Within it, Ray takes 127.0.0.1 to be this machine's address.

    So a cluster that starts here listens on loopback alone, and `127.0.0.1:PORT` is not rewritten to the
    address of the network card when connecting. A user who sets Ray's switch keeps what they set.
    Fallback: the switch in the environment, which Ray reads once, when it is imported.
    """
    if LOOPBACK_SWITCH in os.environ:
        yield
        return
    constants: Any = None
    before: Any = None
    try:
        before = private("ray._private.ray_constants:ENABLE_RAY_CLUSTER")
        constants = import_module("ray._private.ray_constants")
    except RayApiMissing as error:
        log.debug("only the environment asks for loopback: %s", error)
    os.environ[LOOPBACK_SWITCH] = "0"
    if constants is not None:
        constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        del os.environ[LOOPBACK_SWITCH]
        if constants is not None:
            constants.ENABLE_RAY_CLUSTER = before


def forbid_auto_init_in_our_threads() -> None:
    """Ray starts a cluster by itself where something is asked of none; from now on not for a thread of ours, which may
    outlive the connection. Fallback: it does.
    """
    try:
        auto_init = private("ray._private.auto_init_hook:auto_init_ray")
        hook: Any = import_module("ray._private.auto_init_hook")
    except RayApiMissing as error:
        log.debug("threads may start a cluster: %s", error)
        return
    if getattr(auto_init, "is_ours", False):
        return

    def auto_init_ray() -> None:
        if not threading.current_thread().name.startswith(OUR_THREADS):
            auto_init()

    auto_init_ray.is_ours = True  # type: ignore[attr-defined]
    hook.auto_init_ray = auto_init_ray


def dashboard_url() -> str:
    """The dashboard of the current connection as a URL. Fallback: ""."""
    try:
        url = private("ray._private.worker:get_dashboard_url")() or ""
    except Exception as error:  # it asserts that there is a node
        log.debug("no dashboard address: %r", error)
        return ""
    return f"http://{url}" if url and "://" not in url else url
