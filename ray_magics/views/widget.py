"""The live view in a notebook: a widget that shows the last snapshot it was given."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from .html import html
from .rows import Rows, split_rows
from .text import text

log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent.parent / "static"
_LONGEST_ACTION, _LONGEST_NAME = 20, 100  # of a command, in characters
_REQUEST_FIELDS = ("method", "path", "body", "type")


class LiveView(anywidget.AnyWidget):
    """Draws a snapshot, the JSON form of a status, and hands what its buttons send to `on_command`.

    The trait `snapshot` is all of it but the trials of a search. Those are the trait `rows`, which is changed in place
    and never sent again: what changes of them goes to the page as a message (see Rows).

    `on_command` gets `{"action": str, "run": str, "force": bool}` and perhaps `"part": str`, `"request": dict` from
    front ends without a control channel, in the main thread when that is free. Saved without its kernel, the view is
    still HTML and text.
    """

    _esm = _STATIC / "widget.js"
    _css = _STATIC / "widget.css"
    snapshot = traitlets.Dict().tag(sync=True)
    rows = traitlets.Dict().tag(sync=True)

    def __init__(self, snapshot: Mapping[str, Any], on_command: Callable[[dict[str, Any]], Any] | None = None) -> None:
        self.on_command = on_command
        self._updating = threading.RLock()
        head, rows = split_rows(snapshot)
        self._rows = None if rows is None else Rows(rows)
        super().__init__(snapshot=head, rows=self._rows.state if self._rows else {})
        self.on_msg(self._receive)

    def update(self, snapshot: Mapping[str, Any]) -> None:
        """Shows this whole snapshot, a row that is unchanged being the same object; from any thread, the last wins."""
        head, rows = split_rows(snapshot)
        with self._updating:
            if rows is not None:
                self._update_rows(rows)
            self.snapshot = head

    def full_snapshot(self) -> dict[str, Any]:
        """The last snapshot, its rows included."""
        with self._updating:
            return {**self.snapshot, **({"trials": list(self._rows.sent_rows.values())} if self._rows else {})}

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """As in ipywidgets; the rows are a copy, for they may change while they are being sent."""
        with self._updating:
            state = super().get_state(key, drop_defaults)
            return {**state, "rows": self._rows.copy()} if "rows" in state and self._rows else state

    def _update_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if self._rows is None:
            self._rows = Rows(rows)
            self.rows = self._rows.state
        elif message := self._rows.update(rows):
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
            if self._rows is not None:
                self.send(self._rows.full_message())

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        snapshot = self.full_snapshot()
        return {**data, "text/html": html(snapshot), "text/plain": text(snapshot)}, metadata


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
