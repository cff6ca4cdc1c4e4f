"""The live view in a notebook: a widget that shows the last card it was given."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import anywidget
import traitlets

from .card import Button, Card, Section, Special
from .html import html
from .rows import Rows, split_rows
from .text import text

log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent.parent / "static"
_LONGEST_ACTION, _LONGEST_NAME = 20, 100  # of a command, in characters
_REQUEST_FIELDS = ("method", "path", "body", "type")


class LiveView(anywidget.AnyWidget):
    """Draws a card, and hands what its buttons send to `on_command`.

    The trait `snapshot` is the JSON of the card but for the rows of its large tables. Those are the trait `rows`, by
    table, which is changed in place and never sent again: what changes of them goes to the page as messages (see Rows).
    The trait `place` names the element of the still HTML in which a page goes on showing the view; see `still_bundle`.
    Where the trait `still` is true when a page gets the model, that HTML is its output, and the view is shown there.

    `on_command` gets `{"action": str, "run": str, "force": bool}` and perhaps `"part": str`, `"request": dict` from
    front ends without a control channel, in the main thread when that is free. Saved without its kernel, the view is
    still HTML and text.
    """

    _esm = _STATIC / "widget.js"
    _css = _STATIC / "widget.css"
    snapshot = traitlets.Dict().tag(sync=True)
    rows = traitlets.Dict().tag(sync=True)
    place = traitlets.Unicode().tag(sync=True)
    still = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self, card: Card, on_command: Callable[[dict[str, Any]], Any] | None = None, still: bool = False
    ) -> None:
        self.card, self.on_command = card, on_command
        self._updating = threading.RLock()
        snapshot, rows = split_rows(card.to_json())
        self._tables = {key: Rows(key, of_table) for key, of_table in rows.items()}
        super().__init__(snapshot=snapshot, rows=self._state(), place=uuid4().hex, still=still)
        self.on_msg(self._receive)

    def update(self, card: Card) -> None:
        """Shows this card, a row that is unchanged being the same object; from any thread, the last wins."""
        snapshot, rows = split_rows(card.to_json())
        with self._updating:
            self.card = card
            self._update_rows(rows)
            self.snapshot = snapshot

    def still_bundle(self) -> dict[str, str]:
        """What takes its place at the end, and in a saved notebook: the card without any widget.

        Where that is much less than the view shows, a page puts the view there.
        """
        page = html(self.card)
        if any(map(_lasts, self.card.sections)):
            self.still = True
            page = f'<div data-ray-magics-place="{self.place}">{page}</div>'
        return {"text/html": page, "text/plain": text(self.card)}

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """As in ipywidgets; the rows are a copy, for they may change while they are being sent."""
        with self._updating:
            state = super().get_state(key, drop_defaults)
            copies = {name: table.copy() for name, table in self._tables.items()}
            return {**state, "rows": copies} if "rows" in state else state

    def _state(self) -> dict[str, Any]:
        return {key: table.state for key, table in self._tables.items()}

    def _update_rows(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Sends what has changed; a table that was not there before is sent with all of its rows, as a trait."""
        if rows.keys() - self._tables.keys():
            self._tables |= {key: Rows(key, of_table) for key, of_table in rows.items() if key not in self._tables}
            self.rows = self._state()
        for key, of_table in rows.items():
            if message := self._tables[key].update(of_table):
                self.send(message)

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        command = read_command(content)
        if command is None:
            log.debug("Not a command: %.200r", content)
        elif command["action"] == "refresh":
            self._refresh()
        elif self.on_command is not None:
            self.on_command(command)

    def _refresh(self) -> None:
        with self._updating:
            for table in self._tables.values():
                self.send(table.full_message())

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        still = self.card.as_seen_at(time.strftime("%H:%M:%S"))
        return {**data, "text/html": html(still), "text/plain": text(still)}, metadata


def _lasts(section: Section) -> bool:
    return isinstance(section, Button) or (isinstance(section, Special) and section.lasts)


def read_command(content: object) -> dict[str, Any] | None:
    """`{"action": "stop", "run": "3", "force": False}` from what a front end sent, or None."""
    if not isinstance(content, Mapping):
        return None
    action, run, part = content.get("action"), content.get("run"), content.get("part")
    is_named = _is_short(run, _LONGEST_NAME) and (part is None or _is_short(part, _LONGEST_NAME))
    if not is_named or not _is_short(action, _LONGEST_ACTION):
        return None
    command = {"action": action, "run": run, "force": content.get("force") is True}
    optional = {"part": part, "request": _read_request(content.get("request"))}
    return {**command, **{key: value for key, value in optional.items() if value is not None}}


def _read_request(content: object) -> dict[str, str] | None:
    """The HTTP request of a request tester: a few texts; who sends it checks them."""
    if not isinstance(content, Mapping):
        return None
    return {key: value for key in _REQUEST_FIELDS if isinstance(value := content.get(key), str)}


def _is_short(value: object, limit: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= limit
