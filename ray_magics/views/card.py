"""A view as a document: a card of typed sections, which text, HTML and the page draw alike and which know no verb.

card(status) -> Card -> text(card) · html(card) · LiveView(card), drawn by labextension/src/core/card.ts
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from ..run.status import LIVE, WorkerOutput
from ..units import number_text

Json = Mapping[str, Any]
Tone = Literal["", "notice", "muted", "strong", "error", "code"]
Count = tuple[str, int]
Point = tuple[float, float]

_CLOCKS = frozenset({"elapsed", "rate", "remaining", "time"})  # of the data of a Special


@dataclass(frozen=True)
class State:
    """A state in words, with the sign and colour of `name`, one of `format.SIGNS`."""

    name: str
    text: str

    def to_json(self) -> Json:
        return {"state": self.name, "text": self.text}


@dataclass(frozen=True)
class Link:
    """A text that leads to `url` where a browser may follow it, and is the text alone where it may not."""

    url: str
    text: str

    def to_json(self) -> Json:
        return {"url": self.url, "text": self.text}


@dataclass(frozen=True)
class Curve:
    """Points of a small line in a cell, or in a section of its own; y that are not finite are skipped.

    `low` is the y at its foot, where that is not the lowest point.
    """

    points: tuple[Point, ...]
    low: float | None = None

    def to_json(self) -> Json:
        more = {} if self.low is None else {"low": self.low}
        return {"points": [list(point) for point in self.points if math.isfinite(point[1])], **more}


Cell = str | float | None | State | Link | Curve  # a number is written by format.number_text, None as a dash


@dataclass(frozen=True)
class Action:
    """What the page asks of `run`, or of the `part` of it, when its button is pressed."""

    name: Literal["stop", "pause", "resume", "show"]
    run: str
    part: str = ""

    def to_json(self) -> Json:
        return dict(vars(self))


@dataclass(frozen=True)
class Row:
    """A row of a table; `id` is its own in that table."""

    id: str
    cells: tuple[Cell, ...]
    actions: tuple[Action, ...] = ()

    def to_json(self) -> Json:
        more = {"actions": [action.to_json() for action in self.actions]} if self.actions else {}
        return {"id": self.id, "cells": [_cell_json(cell) for cell in self.cells], **more}


@dataclass(frozen=True)
class Gauge:
    """`used` of `total`, both in `unit`: "" for counts, or "bytes"."""

    name: str
    used: float
    total: float
    unit: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a card. Its JSON has the names of its fields, and its class in small letters as `type`."""

    def to_json(self) -> Json:
        return {"type": type(self).__name__.lower(), **vars(self)}

    def as_seen_at(self, time: str) -> Section:
        """The section in a still picture of what lives, taken at `time`: it promises nothing."""
        return self

    def without_clock(self) -> Section:
        """The section without what the page counts on by itself: equal, if a page need not be sent anything."""
        return self


@dataclass(frozen=True)
class Header(Section):
    """The first line of a card or a group.

    Attributes:
        state: one of `format.SIGNS`.
        name: of the run, the cluster or the application.
        title: the state in words, where these are not `state` itself.
        details: what else stands in the line: a verb, versions, links.
        elapsed: seconds, which the page counts on while the state is live; None without a clock.
        run: id of the run that the button `stop` ends.
        stop: text of that button, "" where nothing can be stopped.
    """

    state: str
    name: str
    title: str = ""
    details: tuple[str | Link, ...] = ()
    elapsed: float | None = None
    run: str = ""
    stop: str = ""

    def to_json(self) -> Json:
        return {**super().to_json(), "details": [_cell_json(detail) for detail in self.details]}

    def as_seen_at(self, time: str) -> Header:
        if self.state not in LIVE:
            return self
        title = f"Last seen at {time}: {self.title or self.state}"
        return replace(self, state="none", title=title, stop="")

    def without_clock(self) -> Header:
        return replace(self, elapsed=None)


@dataclass(frozen=True)
class Progress(Section):
    """A bar, and the numbers of `format.progress_parts`. `total` None: unknown; `rate` per second, `remaining` in
    seconds, which the page counts down. Nothing to count for one task alone."""

    state: str
    unit: str
    done: int
    failed: int = 0
    running: int = 0
    total: int | None = None
    rate: float | None = None
    remaining: float | None = None

    def as_seen_at(self, time: str) -> Progress:
        return replace(self, state="none", rate=None, remaining=None) if self.state in LIVE else self

    def without_clock(self) -> Progress:
        return replace(self, rate=None, remaining=None)


@dataclass(frozen=True)
class Text(Section):
    """A paragraph; a "notice" is what the reader waits for or should do, "error" and "code" keep their lines."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Facts(Section):
    """Short names with their values in a line: "Metric: loss · search: random". A value may stand without a name."""

    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Counts(Section):
    """How many of what: "Tasks: 3 running, 2 finished"; zeros are left out."""

    title: str
    counts: tuple[Count, ...]


@dataclass(frozen=True)
class Gauges(Section):
    """What is used of what there is."""

    gauges: tuple[Gauge, ...]

    def to_json(self) -> Json:
        return {"type": "gauges", "gauges": [dict(vars(gauge)) for gauge in self.gauges]}


@dataclass(frozen=True)
class Table(Section):
    """Rows under headings; a column without any value is left out.

    Attributes:
        hidden: rows that there are and that are not sent.
        key: its name in the card, for a large one on the card itself: rows are sent once, and then as they change.
    """

    columns: tuple[str, ...]
    rows: Sequence[Row]
    title: str = ""
    hidden: int = 0
    key: str = ""

    def as_seen_at(self, time: str) -> Table:
        rows = [replace(row, cells=tuple(map(_as_it_was, row.cells)), actions=()) for row in self.rows]
        return replace(self, rows=rows)

    def to_json(self) -> Json:
        return {**super().to_json(), "columns": list(self.columns), "rows": [row.to_json() for row in self.rows]}


@dataclass(frozen=True)
class Button(Section):
    """A button in a line of its own; text and still HTML leave it out, for nothing there would answer."""

    text: str
    action: Action

    def to_json(self) -> Json:
        return {**super().to_json(), "action": self.action.to_json()}


@dataclass(frozen=True)
class Plot(Section):
    """Lines over a common x; still views draw the last points of each as blocks."""

    title: str
    lines: tuple[tuple[str, Curve], ...]
    x: str = ""

    def to_json(self) -> Json:
        return {**super().to_json(), "lines": [{"name": name, **curve.to_json()} for name, curve in self.lines]}


@dataclass(frozen=True)
class Log(Section):
    """The last lines of each worker; `run` names what ``%ray_logs`` prints whole; `opened`: unfolded."""

    workers: tuple[WorkerOutput, ...]
    run: str = ""
    opened: bool = False

    def to_json(self) -> Json:
        return {**super().to_json(), "workers": [worker.to_json() for worker in self.workers]}


@dataclass(frozen=True)
class Picture(Section):
    """An image: base64 `data` of the type `mime`, one of image/png and image/jpeg; `alt` says what it shows."""

    mime: str
    data: str
    alt: str


@dataclass(frozen=True)
class Group(Section):
    """Sections that belong together; folded under `title` unless `opened`, ruled off where there is none."""

    sections: tuple[Section, ...]
    title: str | State = ""
    opened: bool = True

    def as_seen_at(self, time: str) -> Group:
        return replace(self, sections=tuple(section.as_seen_at(time) for section in self.sections))

    def to_json(self) -> Json:
        sections = [section.to_json() for section in self.sections]
        return {"type": "group", "title": _cell_json(self.title), "opened": self.opened, "sections": sections}


@dataclass(frozen=True)
class Special(Section):
    """What only the page can draw, by the component of this `name`; text and HTML draw the sections of `still`.

    Attributes:
        data: JSON for the component.
        rows: many records with an "id", sent once and then as they change; an unchanged one is the same object.
        still: made only when it is drawn, for it may take long.
        lasts: a page that has drawn it keeps it after the end, because `still` says much less.
    """

    name: str
    data: Json
    rows: Sequence[Json] | None = None
    still: Callable[[], tuple[Section, ...]] = field(default=tuple, compare=False)
    lasts: bool = False

    def as_seen_at(self, time: str) -> Special:
        return replace(self, still=lambda: tuple(section.as_seen_at(time) for section in self.still()))

    def to_json(self) -> Json:
        more = {} if self.rows is None else {"key": self.name, "rows": self.rows}
        return {"type": "special", "name": self.name, "data": self.data, **more}

    def without_clock(self) -> Special:
        return replace(self, data={name: value for name, value in self.data.items() if name not in _CLOCKS})


@dataclass(frozen=True)
class Card:
    """A view; `label` says what it is to those who cannot see it."""

    sections: tuple[Section, ...]
    label: str = ""
    kind: ClassVar[str] = "card"

    def to_json(self) -> Json:
        sections = [section.to_json() for section in self.sections]
        return {"kind": self.kind, "label": self.label, "sections": sections}

    def as_seen_at(self, time: str) -> Card:
        """A still picture of what lives, for a saved notebook: says when it was taken, and promises nothing."""
        return replace(self, sections=tuple(section.as_seen_at(time) for section in self.sections))

    def without_clock(self) -> Card:
        """The card without what the page counts on by itself."""
        return replace(self, sections=tuple(section.without_clock() for section in self.sections))


def _as_it_was(cell: Cell) -> Cell:
    """A state that lasts as one that has been."""
    lasts = isinstance(cell, State) and cell.name in LIVE
    return State("none", f"was {cell.text.lower()}") if lasts and isinstance(cell, State) else cell


def _cell_json(cell: Cell) -> Any:
    """JSON has no NaN and no infinity: these go as text."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return number_text(cell)
    return cell if cell is None or isinstance(cell, (str, int, float)) else cell.to_json()
