"""Ray's token authentication, turned on and off for this process; tried on Ray 2.60.0."""

from __future__ import annotations

import logging
import os
import sys

from .private import private

log = logging.getLogger(__name__)

PRIVATE = (
    "ray._raylet:Config.initialize",
    "ray._raylet:AuthenticationTokenLoader.instance",
    "ray._raylet:AuthenticationTokenLoader.reset_cache",
)


def enable_token_auth() -> None:
    """Turns token authentication on in this process and its children.

    Fallback: the environment variable alone, which is enough as long as Ray was not imported before.
    """
    os.environ["RAY_AUTH_MODE"] = "token"
    _reload_auth_mode()


def reset_token_auth() -> None:
    """Takes back `enable_token_auth`, so that the next connection decides anew. Same fallback."""
    os.environ.pop("RAY_AUTH_MODE", None)
    _reload_auth_mode()


def _reload_auth_mode() -> None:
    if "ray" not in sys.modules:
        return
    try:
        private("ray._raylet:Config.initialize")("")
        private("ray._raylet:AuthenticationTokenLoader.instance")().reset_cache()
    except Exception as error:  # of Ray's C++ code
        log.debug("the authentication mode could not be reloaded: %r", error)
