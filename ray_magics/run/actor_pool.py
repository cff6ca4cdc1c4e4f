"""Actors that a run has made for itself, each of which holds an object and executes tasks one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from ..ship.entrypoint import RUNTIME, make_entrypoint, sources
from .tasks import Function, RayTasks

MOST_DEATHS = 3


def _is_of_constructor(error: BaseException) -> bool:
    """Whether Ray 2.60 says that an actor died because its constructor has raised."""
    return "creation task" in str(error)


@cache
def _actor_class() -> Any:
    """Ray's actor class around the worker runtime; it travels by value."""
    import ray

    make = make_entrypoint(sources(), f"{RUNTIME}.pool", "make_object")
    run = make_entrypoint(sources(), f"{RUNTIME}.items", "run_items")

    class PooledActor:
        def __init__(self, first: Any, *arguments: Any) -> None:
            make(first, *arguments)

        def is_made(self) -> bool:
            return True

        def run_items(self, first: Any, *arguments: Any) -> Any:
            return run(first, *arguments)

    PooledActor.__module__ = "__main__"
    return ray.remote(PooledActor)


class ActorPool(RayTasks):
    """Tasks that go to actors instead of workers; an actor gets the next one when it has none.

    An actor that dies is replaced by a new one, unless its object cannot be made. That is so where its constructor
    raises; one that dies with its actor is tried again a few times, for a quick death may hide that it was made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.actors: list[Any] = []
        self.busy: dict[Any, int] = {}  # ref of a task -> the number of its actor
        self.deaths: dict[
            int, int
        ] = {}  # number of an actor -> deaths in a row of which none is known to have an object
        self.make: Callable[[], Any] = lambda: None
        self.lock = threading.Lock()  # futures are done on another thread

    def start(self, size: int, options: Mapping[str, Any], arguments: Sequence[Any]) -> None:
        """Makes `size` actors, with these options of Ray, whose object is made of these arguments."""
        self.make = lambda: _actor_class().options(**options).remote(*arguments)
        self.actors = [self.make() for _ in range(size)]
        for number in range(size):
            self._await_object(number)

    def _await_object(self, number: int) -> None:
        def done(future: Any) -> None:
            if future.exception() is None:
                self.deaths[number] = 0

        super().when_done(self.actors[number].is_made.remote(), done)

    def submit(self, function: Function, options: Mapping[str, Any], arguments: Sequence[Any]) -> list[Any]:
        taken = {*self.busy.values()}
        free = next((number for number in range(len(self.actors)) if number not in taken), 0)
        ref = self.actors[free].run_items.remote(*arguments)
        self.busy[ref] = free
        return [ref]

    def when_done(self, ref: Any, call: Callable[[Any], None]) -> None:
        def done(future: Any) -> None:
            self._settle(self.busy.pop(ref, 0), future)
            call(future)

        super().when_done(ref, done)

    def _settle(self, number: int, future: Any) -> None:
        with self.lock:
            error = future.exception()
            if error is None:
                self.deaths[number] = 0
            elif type(error).__name__ == "ActorDiedError" and self.actors and not _is_of_constructor(error):
                self.deaths[number] = self.deaths.get(number, 0) + 1
                if self.deaths[number] > MOST_DEATHS:
                    return
                self.actors[number] = self.make()
                self._await_object(number)

    def cancel(self, refs: Iterable[Any], force: bool) -> None:
        """Ray does not interrupt a method of an actor: the actors, which nobody else has, are killed."""
        self.stop()

    def stop(self) -> None:
        """Ends the actors, with what they hold."""
        import ray

        with self.lock:
            actors, self.actors = self.actors, []
        for actor in actors:
            ray.kill(actor)
