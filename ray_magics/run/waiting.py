"""Why a run has not begun to work yet, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..resources import STARTS, NodeResources, fits_now, no_more_in_use, why_waiting

STARTS_SLOWLY = 5.0  # seconds without news after which a view says that workers are starting


def reason_to_wait(
    request: Mapping[str, float],
    nodes: Iterable[NodeResources],
    elapsed: float,
    label_selector: Mapping[str, str] | None = None,
    own: int = 0,
) -> str:
    """What a run waits for that asks for `request` and whose first worker has not begun; "" for no reason.

    Args:
        elapsed: seconds since the run began.
        own: of how many requests of the same kind the run itself may hold all that is in use.
    """
    every = tuple(nodes)
    starting = fits_now(request, every) or (own > 0 and no_more_in_use(request, own, every))
    if starting:
        return STARTS if elapsed > STARTS_SLOWLY else ""
    return why_waiting(request, every, label_selector)
