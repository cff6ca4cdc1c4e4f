"""How a run begins, the same for every verb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import connection
from ..errors import RunCancelled, UsageError
from ..resources import infeasible
from .interrupts import interrupt_raises
from .registry import registry
from .run import Run, Viewer


def be_ready(request: Mapping[str, float], label_selector: Mapping[str, str] | None = None) -> None:
    """Connects, and tells at once of a request that this cluster can never satisfy. Raises UsageError."""
    try:
        with interrupt_raises():
            connection.ensure_connected()
    except KeyboardInterrupt:
        raise RunCancelled("Interrupted while connecting to Ray; nothing has run.") from None

    def problem(max_age: float) -> str | None:
        return infeasible(request, connection.nodes(max_age), label_selector)

    reason = problem(60.0) and problem(0.0)
    if reason is not None and not connection.can_grow():
        raise UsageError(reason)


def execute_run(run: Run, view: Viewer, background: bool) -> Any:
    """Starts a run; returns it where it is in the background, else, when it is over, what the cell shows."""
    launch(run, view, background)
    return run if background else run.finish()


def launch(run: Run, view: Viewer, background: bool) -> None:
    """Starts a run; it is over when this returns, unless it is in the background."""
    run.view = view
    registry.add(run)
    if background:
        run.view.offer(run.status)
        run.in_background()
    else:
        run.drive()
