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

    Large sections share what the small ones leave; what a section does not use, those after it may. The data of
    pictures does not count.
    """
    every = list(still_sections(sections))
    drawn: list[str] = []
    for index, section in enumerate(every):
        part = draw(section, _share(every[index:], limit))
        limit -= len(_PICTURE.sub("", part).encode()) + 1
        if limit < 0:
            return drawn, len(every) - index
        drawn.append(part)
    return drawn, 0


def still_sections(sections: Sequence[Section]) -> Iterator[Section]:
    """The sections, with what text and HTML draw in place of those that only a page can draw."""
    for section in sections:
        if isinstance(section, Special):
            yield from still_sections(section.still())
        else:
            yield section


def _share(sections: Sequence[Section], limit: int) -> int:
    """Bytes for the first of these sections."""
    weights = [_WEIGHTS.get(type(section), 0) for section in sections]
    if not weights[0]:
        return limit
    put_by = _SMALL * weights.count(0)
    return max(_LEAST, (limit - put_by) * weights[0] // sum(weights))
