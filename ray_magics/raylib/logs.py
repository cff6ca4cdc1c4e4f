"""What Ray prints of its workers into whatever cell runs; tried on Ray 2.60.0."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from ..errors import RayApiMissing
from .private import private

log = logging.getLogger(__name__)

LineHandler = Callable[..., None]

PRIVATE = (
    "ray._private.ray_logging:global_worker_stdstream_dispatcher.handlers",
    "ray._private.ray_logging:global_worker_stdstream_dispatcher._lock",
    "ray._private.worker:print_to_stdstream",
)


def hide_worker_lines(actors: tuple[str, ...] = (), run_reports: Callable[[], bool] = lambda: False) -> None:
    """Hides, from now on, the lines of these actors, and Ray's page about a worker that died under a run.

    Args:
        actors: the beginnings of their class names.
        run_reports: whether there is a run that reports its dead workers itself: one that goes on, or ended just now.

    Fallback: Ray goes on printing.
    """
    _wrap_handlers(f"hides {actors}", lambda handler: _filtered(handler, actors, run_reports))
    _wrap_handlers("shortens", _shortened)


def _shortened(handler: LineHandler) -> LineHandler:
    """Ray's pages about a node that died, or a task that is retried without end, as one sentence.

    None about an actor of a dataset that could not be made: the error of the dataset says it.
    """

    def pass_on(data: Any, **options: Any) -> None:
        before = [str(line) for line in data.get("lines") or ()]
        lines = before
        if data.get("pid") == "raylet":
            lines = [short for line in before if (short := shorten_page(line))]
        elif str(data.get("actor_name") or "").startswith(("MapWorker(", "TrainController")):
            lines = without_creation_errors(before)
        lines = [line for line in lines if not _RAYS_OWN.search(line)]
        if lines or not before:
            handler({**data, "lines": lines} if lines != before else data, **options)

    return pass_on


def without_creation_errors(lines: list[str]) -> list[str]:
    """The lines without those of a traceback of Ray's, from its heading to the title of the exception."""
    kept, is_inside = [], False
    for line in lines:
        if line.startswith("Exception raised in creation task"):
            is_inside = True
        elif not is_inside:
            kept.append(line)
        elif not line.startswith(" "):
            is_inside = False
    return kept


_RAYS_OWN = re.compile(
    r"Actor with class name: '(?:PreemptionWatcher|MapWorker\(.*?)' .* has constructor arguments"
    r"|Task \[xgboost\.ray-rank=\d+\]:\w+ got rank"
)
"""What Ray says of its own actors and set-up, and nobody can change."""

_RETRIED = re.compile(r"Task (?:MapWorker\((.*?)\)\.)?(\w+) failed\. There are infinite retries remaining")


def shorten_page(text: str) -> str:
    """The sentence, "" where the error itself says it; other texts as they are."""
    if retried := _RETRIED.match(text):
        if "error raised in its creation task" in text:
            return ""
        task = f"a task of {retried[1]}" if retried[1] else "a task of a dataset"
        return f"The process that ran {task} has died. Ray runs it again, however often: stop it if it dies each time."
    if text.startswith("Raylet is terminated. Termination is unexpected"):
        return "Ray's process on this machine has died: it was killed, ran out of memory, or crashed."
    dead = re.match(r"The node with node id: \w+ and address: (\S+) .*marked dead", text)
    return f"The node at {dead[1]} is dead: it does not answer any more." if dead else text


def _filtered(handler: LineHandler, actors: tuple[str, ...], run_reports: Callable[[], bool]) -> LineHandler:
    def pass_on(data: Any, **options: Any) -> None:
        if not _is_hidden(data, actors, run_reports):
            handler(data, **options)

    return pass_on


def print_worker_lines_in(
    context: Callable[[str, list[str]], AbstractContextManager[object]], purpose: str = "places"
) -> None:
    """From now on the lines of a worker are printed within `context(name, lines)`, the name of its task or actor class.

    Once for each `purpose`. Fallback: Ray prints them into whatever cell runs.
    """

    def placed(handler: LineHandler) -> LineHandler:
        def pass_on(data: Any, **options: Any) -> None:
            name = str(data.get("actor_name") or data.get("task_name") or "")
            with context(name, [str(line) for line in data.get("lines") or ()]):
                handler(data, **options)

        return pass_on

    _wrap_handlers(purpose, placed)


def _wrap_handlers(purpose: str, wrap: Callable[[LineHandler], LineHandler]) -> None:
    """Wraps what prints the lines of workers, of this connection and of later ones; once for each purpose."""

    def once(handler: Any) -> Any:
        purposes = getattr(getattr(handler, "func", handler), "purposes", ())
        if purpose in purposes:
            return handler
        wrapped: Any = wrap(handler)
        wrapped.purposes = (*purposes, purpose)
        return wrapped

    try:
        dispatcher = private("ray._private.ray_logging:global_worker_stdstream_dispatcher")
        print_to_stdstream = private("ray._private.worker:print_to_stdstream")
        with dispatcher._lock:
            dispatcher.handlers = [(name, once(handler)) for name, handler in dispatcher.handlers]
        worker: Any = import_module("ray._private.worker")
        worker.print_to_stdstream = once(print_to_stdstream)
    except (RayApiMissing, AttributeError, TypeError, ValueError) as error:
        log.debug("lines of workers are printed as Ray does: %r", error)


def _is_hidden(data: Any, actors: tuple[str, ...], run_reports: Callable[[], bool]) -> bool:
    """Whether these are lines of one of the actors, or the raylet's about one, or about a dead worker of a run."""
    if str(data.get("actor_name") or "").startswith(actors):
        return True
    if data.get("pid") != "raylet":
        return False
    lines = [str(line) for line in data.get("lines") or ()]
    of_actors = all(any(f"{actor}." in line for actor in actors) for line in lines)
    return of_actors or (run_reports() and all("A worker died or was killed" in line for line in lines))
