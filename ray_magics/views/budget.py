"""How much of a card is drawn where only so many bytes may be: every section within its share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from .card import Group, Log, Plot, Section, Special, Table

_SMALL = 800  # bytes that are put by for each section that is no large one
_LEAST = 4000  # of a large section, beneath which it is counted instead of drawn
_WEIGHTS: dict[type[Section], int] = {Table: 3, Log: 2, Group: 1, Plot: 1}
_PICTURE = re.compile("(?<=;base64,)[A-Za-z0-9+/=]+")

Draw = Callable[[Section, int], str]


def draw_within(sections: Sequence[Section], limit: int, draw: Draw) -> tuple[list[str], int]:
    """What `draw(section, share)` gives for the sections that fit into `limit` bytes, and how many do not.

    Large sections share what the small ones leave; what a section does not use, those after it may. After one that
    did not fit, no large one is drawn. The data of pictures does not count.
    """
    every = list(still_sections(sections))
    weights = [_WEIGHTS.get(type(section), 0) for section in every]
    drawn: list[str] = []
    left = 0
    for index, section in enumerate(every):
        if left and weights[index]:
            left += 1
            continue
        part = draw(section, _share(weights[index:], limit))
        size = len(_PICTURE.sub("", part).encode()) + 1
        if size > limit:
            left += 1
        else:
            limit -= size
            drawn.append(part)
    return drawn, left


def still_sections(sections: Sequence[Section]) -> Iterator[Section]:
    """The sections, with what text and HTML draw in place of those that only a page can draw."""
    for section in sections:
        if isinstance(section, Special):
            yield from still_sections(section.still())
        else:
            yield section


def _share(weights: Sequence[int], limit: int) -> int:
    """Bytes for the first of sections with these weights; a small one, without a weight, may take all."""
    if not weights[0]:
        return limit
    put_by = _SMALL * weights.count(0)
    return max(_LEAST, (limit - put_by) * weights[0] // sum(weights))
