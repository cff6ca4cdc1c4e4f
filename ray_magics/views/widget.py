"""The live view in a notebook: a widget that shows the last snapshot it was given."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ray_magics.views.html import html
from ray_magics.views.text import text

log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent.parent / "static"
_ACTION, _RUN = 20, 100  # longest words of a command, in characters


class LiveView(anywidget.AnyWidget):
    """Draws `snapshot`, the JSON form of a status, and hands what its buttons send to `on_command`.

    `on_command` gets `{"action": str, "run": str, "force": bool}` from front ends without a control channel,
    in the main thread when that is free. Saved without its kernel, the view is still HTML and text.
    """

    _esm = _STATIC / "widget.js"
    _css = _STATIC / "widget.css"
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, snapshot: Mapping[str, Any], on_command: Callable[[dict[str, Any]], Any] | None = None) -> None:
        self.on_command = on_command
        self._updating = threading.Lock()
        super().__init__(snapshot=dict(snapshot))
        self.on_msg(self._receive)

    def update(self, snapshot: Mapping[str, Any]) -> None:
        """Shows this snapshot; from any thread, the last caller wins."""
        with self._updating:
            self.snapshot = dict(snapshot)

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        command = read_command(content)
        if command is None:
            log.debug("Not a command: %.200r", content)
        elif self.on_command is not None:
            self.on_command(command)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, "text/html": html(self.snapshot), "text/plain": text(self.snapshot)}, metadata


def read_command(content: object) -> dict[str, Any] | None:
    """`{"action": "stop", "run": "3", "force": False}` from what a front end sent, or None."""
    if not isinstance(content, Mapping):
        return None
    action, run = content.get("action"), content.get("run")
    if not _short(action, _ACTION) or not _short(run, _RUN):
        return None
    return {"action": action, "run": run, "force": content.get("force") is True}


def _short(value: object, limit: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= limit
