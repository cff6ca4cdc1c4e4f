"""A handle whose answers can be had in a notebook cell, with and without await."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from ... import connection
from ...errors import ClusterLost, Label, RayMagicsError, RunCancelled, remote_error
from ...run.failures import failure_from_ray

HEARD = 3.0  # seconds since the last word of the cluster with which a request goes out unasked


@dataclass(frozen=True)
class Origin:
    """Where a handle was made: in which connection, and what calls a file a cell."""

    session: tuple[str, ...]
    label: Label = str


class Handle:
    """Ray's DeploymentHandle, with answers that also ``.result()`` and ``for`` can wait for in a cell.

    Ray refuses to wait where an event loop runs, and every cell of a notebook runs in one.

        await digits.remote(image)
        digits.predict.remote(image).result()
        for word in digits.options(stream=True).chat.remote("hello"): ...
    """

    def __init__(self, ray: Any, origin: Origin | None = None) -> None:
        self.ray, self.origin = ray, origin or Origin(connection.session_id())

    @property
    def name(self) -> str:
        """The application's name."""
        return str(self.ray.app_name)

    def remote(self, *arguments: Any, **named: Any) -> Response:
        """Sends a request; returns at once. Raises RayMagicsError where the connection has ended since."""
        if not connection.is_up() or connection.session_id() != self.origin.session:
            raise RayMagicsError(
                f"This handle of {self.name} is of a connection that has ended; %ray_serve {self.name} --into NAME "
                "binds another one where the application is still served."
            )
        if words := connection.lost(HEARD):  # Ray ends the whole kernel where a request finds its cluster gone
            raise ClusterLost(words)
        return Response(self.ray.remote(*arguments, **named), self.origin, self.name)

    def options(self, **options: Any) -> Handle:
        """As Ray's: ``method_name``, ``stream``, ``multiplexed_model_id`` …"""
        return Handle(self.ray.options(**options), self.origin)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self.ray, name)
        return Handle(found, self.origin) if hasattr(found, "remote") else found

    def __reduce__(self) -> Any:
        """On its way to the cluster it is Ray's own handle."""
        return self.ray.__reduce__()

    def __repr__(self) -> str:
        return f"Handle of {self.ray.deployment_name} in {self.name}: await .remote(…), or .remote(…).result()"


class Response:
    """An answer under way; of a streaming handle, its pieces."""

    def __init__(self, ray: Any, origin: Origin, name: str = "") -> None:
        self.ray, self.origin, self.name = ray, origin, name

    def result(self, timeout_s: float | None = None) -> Any:
        """Waits, also inside a running event loop. Raises what the deployment raised, TimeoutError after that long."""
        try:
            with self._short():
                return elsewhere(lambda: self.ray.result(timeout_s=timeout_s))
        except KeyboardInterrupt:
            self.cancel()
            raise RunCancelled(
                "Interrupted while waiting for an answer; Serve was asked to cancel the request."
            ) from None

    def cancel(self) -> None:
        """Asks Serve to cancel the request."""
        self.ray.cancel()

    def __await__(self) -> Generator[Any, None, Any]:
        with self._short():
            return (yield from self.ray.__await__())

    async def __aiter__(self) -> AsyncIterator[Any]:
        with self._short():
            async for piece in self.ray:
                yield piece

    def __iter__(self) -> Iterator[Any]:
        pieces = iter(self.ray)
        with self._short():
            while (piece := elsewhere(lambda: next(pieces, _END))) is not _END:
                yield piece

    @contextmanager
    def _short(self) -> Iterator[None]:
        """What the deployment raised, as the user's own exception with the line of their cell."""
        try:
            yield
        except Exception as error:
            failure = failure_from_ray(error)
            if failure is None and type(error).__name__ == "DeploymentUnavailableError":
                raise RayMagicsError(
                    f"What this handle calls is not part of {self.name} any more, or has failed: "
                    f"%ray_serve {self.name} --into NAME binds a handle of what is served now."
                ) from error
            if failure is None:
                raise
            raise remote_error(failure, {}, self.origin.label) from None

    def __reduce__(self) -> Any:
        """As an argument of another request it is Ray's own response."""
        return self.ray.__reduce__()

    def __repr__(self) -> str:
        return "Response: await it, or .result()"


_END = object()


def elsewhere(call: Callable[[], Any]) -> Any:
    """Calls on this thread, or where its event loop runs, on another one; an interrupt does not wait for that."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    future: Future[Any] = Future()
    Thread(target=_fill, args=(future, call), name="ray_magics-handle", daemon=True).start()
    return future.result()


def _fill(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
