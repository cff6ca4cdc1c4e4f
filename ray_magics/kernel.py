"""The only place that touches private API of ipykernel and IPython; each use is guarded and has a plain fallback.

Tried on ipykernel 7.4 and IPython 9.18; `raylib` does the same for Ray. `tests/kernel/test_private_api.py` fails
loudly when one of them changes.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)

ControlHandler = Callable[[Any], dict[str, Any]]


def kernel_of(shell: Any) -> Any:
    """The ipykernel behind a shell; None in a terminal."""
    return getattr(shell, "kernel", None)


def on_control_channel(shell: Any, message: str, answer: ControlHandler) -> bool:
    """Answers custom requests of type `<message>_request` on the control channel, also while a cell runs.

    `answer(content)` runs on the control thread and must not block. False where there is no such channel.
    """
    kernel = kernel_of(shell)
    handlers = getattr(kernel, "control_handlers", None)
    if not isinstance(handlers, dict):
        return False

    async def handle(stream: Any, ident: Any, parent: Any) -> None:
        reply = answer(parent.get("content"))
        kernel.session.send(stream, f"{message}_reply", reply, parent, ident)

    handlers[f"{message}_request"] = handle
    _: Callable[..., Awaitable[None]] = handle
    return True


def on_main_thread(shell: Any, call: Callable[[], None]) -> None:
    """Calls on the main thread, at once or when its cell has ended; a front end's click may come on another thread.

    Fallback: here and now.
    """
    loop = getattr(kernel_of(shell), "io_loop", None)
    if loop is None or threading.current_thread() is threading.main_thread():
        call()
    else:
        loop.add_callback(call)


def cell_id(shell: Any) -> str:
    """The notebook's id of the cell that runs now; "" where the front end does not say."""
    try:
        return str(kernel_of(shell).get_parent()["metadata"]["cellId"])
    except (AttributeError, KeyError, TypeError, LookupError):
        return ""


def parent_message(shell: Any) -> Any:
    """The message that the cell which runs now answers; None where there is no kernel."""
    try:
        return kernel_of(shell).get_parent()
    except (AttributeError, LookupError):
        return None


@contextmanager
def printing_under(parent: Any) -> Iterator[None]:
    """Within it, what this thread prints belongs to the cell of that message. Fallback: to the cell that runs."""
    streams: list[Any] = [
        stream for stream in (sys.stdout, sys.stderr) if parent and hasattr(stream, "set_thread_parent")
    ]
    tokens: list[Any] = [stream.set_thread_parent(parent) for stream in streams]
    try:
        yield
    finally:
        for stream, token in zip(streams, tokens, strict=True):
            stream.flush()
            stream.reset_thread_parent(token)


class SwallowedInterrupt:
    """Knows whether an interrupt reached a callback of IPython's as the cell began.

    IPython shows it as an error of that callback and runs the cell all the same. What it has shown last is
    `sys.last_value`, whose traceback begins in the function that caught it. Fallback: such an interrupt is lost.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._cell: Any = None
        self._came = False

    def follow(self, shell: Any) -> None:
        """Looks as each cell begins, from the next on."""
        if self._begin not in shell.events.callbacks["pre_run_cell"]:
            shell.events.register("pre_run_cell", self._begin)

    def take(self) -> bool:
        """Whether one came as the cell that runs now began, and since the last call."""
        came, self._came = self._is_new() or self._came, False
        return came

    def _begin(self, cell: Any) -> None:
        self._cell = cell
        self._came = self._is_new()

    def _is_new(self) -> bool:
        error = getattr(sys, "last_value", None)
        if error is None or id(error) == self._seen:
            return False
        self._seen = id(error)
        caught = getattr(error.__traceback__, "tb_frame", None)
        if not isinstance(error, KeyboardInterrupt) or caught is None or caught.f_code.co_name != "trigger":
            return False
        event, cells = caught.f_locals.get("event"), caught.f_locals.get("args", ())
        return event == "pre_execute" or (event == "pre_run_cell" and self._cell in cells)


swallowed_interrupt = SwallowedInterrupt()


def prompt_number(shell: Any) -> int:
    """The n of ``In[n]`` of the cell that runs now; ``shell.execution_count`` may be that of the next one already."""
    try:
        return int(shell.displayhook.exec_result.execution_count)
    except (AttributeError, TypeError):
        return int(shell.execution_count)


def cell_filename(shell: Any, source: str) -> str:
    """A file name under which IPython finds the lines of `source` and calls them ``Cell In[n]``."""
    try:
        return str(shell.compile.cache(source, prompt_number(shell), raw_code=source))
    except (AttributeError, TypeError) as error:
        log.debug("no cell names in tracebacks: %s", error)
        return "<cell>"


def cell_label(shell: Any, filename: str) -> str:
    """``Cell In[4]`` for a file name of `cell_filename`; "" for any other file."""
    names = getattr(getattr(shell, "compile", None), "_filename_map", {})
    return f"Cell In[{names[filename]}]" if filename in names else ""
