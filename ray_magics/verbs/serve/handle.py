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

CLUSTER_SILENCE = 3.0  # seconds without a sign of the cluster after which a request asks first whether it is there


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

    def __init__(self, ray_handle: Any, origin: Origin | None = None) -> None:
        self.ray_handle, self.origin = ray_handle, origin or Origin(connection.session_id())

    @property
    def name(self) -> str:
        """The application's name."""
        return str(self.ray_handle.app_name)

    def remote(self, *args: Any, **kwargs: Any) -> Response:
        """Sends a request; returns at once. Raises RayMagicsError where the connection has ended since."""
        if not connection.is_up() or connection.session_id() != self.origin.session:
            raise RayMagicsError(
                f"This handle of {self.name} is of a connection that has ended; %ray_serve {self.name} --into NAME "
                "binds another one where the application is still served."
            )
        # Ray ends the whole kernel where a request finds its cluster gone.
        if reason := connection.lost(CLUSTER_SILENCE):
            raise ClusterLost(reason)
        return Response(self.ray_handle.remote(*args, **kwargs), self.origin, self.name)

    def options(self, **options: Any) -> Handle:
        """As Ray's: ``method_name``, ``stream``, ``multiplexed_model_id`` …"""
        return Handle(self.ray_handle.options(**options), self.origin)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        attribute = getattr(self.ray_handle, name)
        return Handle(attribute, self.origin) if hasattr(attribute, "remote") else attribute

    def __reduce__(self) -> Any:
        """On its way to the cluster it is Ray's own handle."""
        return self.ray_handle.__reduce__()

    def __repr__(self) -> str:
        return f"Handle of {self.ray_handle.deployment_name} in {self.name}: await .remote(…), or .remote(…).result()"


class Response:
    """An answer under way; of a streaming handle, its pieces."""

    def __init__(self, ray_response: Any, origin: Origin, name: str = "") -> None:
        self.ray_response, self.origin, self.name = ray_response, origin, name

    def result(self, timeout_s: float | None = None) -> Any:
        """Waits, also inside a running event loop. Raises what the deployment raised, TimeoutError after that long."""
        try:
            with self._users_error():
                return outside_event_loop(lambda: self.ray_response.result(timeout_s=timeout_s))
        except KeyboardInterrupt:
            self.cancel()
            raise RunCancelled(
                "Interrupted while waiting for an answer; Serve was asked to cancel the request."
            ) from None

    def cancel(self) -> None:
        """Asks Serve to cancel the request."""
        self.ray_response.cancel()

    def __await__(self) -> Generator[Any, None, Any]:
        with self._users_error():
            return (yield from self.ray_response.__await__())

    async def __aiter__(self) -> AsyncIterator[Any]:
        with self._users_error():
            async for piece in self.ray_response:
                yield piece

    def __iter__(self) -> Iterator[Any]:
        pieces = iter(self.ray_response)
        with self._users_error():
            while (piece := outside_event_loop(lambda: next(pieces, _END))) is not _END:
                yield piece

    @contextmanager
    def _users_error(self) -> Iterator[None]:
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
        return self.ray_response.__reduce__()

    def __repr__(self) -> str:
        return "Response: await it, or .result()"


_END = object()


def outside_event_loop(call: Callable[[], Any]) -> Any:
    """Calls on this thread, or where its event loop runs, on another one; an interrupt does not wait for that one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    future: Future[Any] = Future()
    Thread(target=_call_into, args=(future, call), name="ray_magics-handle", daemon=True).start()
    return future.result()


def _call_into(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
