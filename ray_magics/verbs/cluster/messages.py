"""The sentences about a connection."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from ...resources import NodeResources, resources_text, total_of
from .plan import Connection


def connection_text(connection: Connection, nodes: Iterable[NodeResources]) -> str:
    """One line: what happened, what is there, where the dashboard is, how to end it."""
    have = resources_text(total_of(nodes), hide=("object_store_memory",))
    dashboard = f" Dashboard {connection.dashboard}." if connection.dashboard else ""
    return f"{_what(connection)}: {have}.{dashboard} {_how_to_end(connection)}"


def dashboard_hint(connection: Connection) -> str:
    """How to get past the token prompt of the dashboard, or "" when it asks for none."""
    if not connection.dashboard or os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return ""
    return "The dashboard asks for a token; type ray get-auth-token in a terminal to see it."


def card_text(connection: Connection) -> str:
    """What the view of a new connection says beside address, versions and nodes."""
    if connection.detached:
        what = "Started as your detached cluster." if connection.started else "This is your detached cluster."
    else:
        what = "Started on this machine." if connection.started else f"Joined{_source(connection)}."
    return " ".join(filter(None, (what, _how_to_end(connection), dashboard_hint(connection))))


def _source(connection: Connection) -> str:
    source = connection.plan.source
    return f" (from {source})" if source in ("RAY_ADDRESS", "RayMagics.address") else ""


def _what(connection: Connection) -> str:
    if connection.detached:
        verb = "Started" if connection.started else "Connected to"
        return f"{verb} your detached Ray cluster at {connection.address}"
    if connection.started:
        return "Started Ray on this machine"
    return f"Connected to the Ray cluster at {connection.address}{_source(connection)}"


def _how_to_end(connection: Connection) -> str:
    stops = connection.started or connection.detached
    return "%ray_shutdown stops it." if stops else "%ray_shutdown disconnects and leaves it running."


def in_use_text(address: str, others: Sequence[str]) -> str:
    """That a detached cluster is not stopped under others, with what they are."""
    use = "uses" if len(others) == 1 else "use"
    return (
        f"Your detached Ray cluster at {address} is not stopped, for {' and '.join(others)} {use} it. "
        "%ray_shutdown --force stops it all the same."
    )


def cluster_gone_text(address: str, stopped_by: str = "") -> str:
    """`stopped_by`: who stopped it, where that is known."""
    why = f"{stopped_by} stopped it" if stopped_by else "nothing listens there any more"
    return (
        f"The Ray cluster at {address or 'the address that it had'} is gone: {why}. "
        "%ray_init --restart begins anew; results that were only on it are lost."
    )


def no_living_node_text(address: str) -> str:
    return (
        f"No node of the Ray cluster at {address} is alive any more. "
        "%ray_init --restart begins anew; results that were only on it are lost."
    )


def no_raylet_text(address: str) -> str:
    return (
        f"The Ray cluster at {address} has lost its process on this machine (raylet): it was killed, ran out of "
        "memory, or crashed. %ray_init --restart begins anew; results that were only there are lost."
    )
