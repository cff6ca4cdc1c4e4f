"""The actor that holds output until the notebook fetches it."""

from __future__ import annotations

from typing import Any


def output_queue_class() -> type:
    """The class is made in here so that it travels by value."""

    class OutputQueue:
        def __init__(self) -> None:
            import asyncio

            self.messages: list[Any] = []
            self.arrived = asyncio.Event()

        async def put(self, message: Any) -> None:
            self.messages.append(message)
            self.arrived.set()

        async def fetch(self, timeout: float) -> list[Any]:
            """All messages since the last call; waits up to `timeout` seconds for the first."""
            import asyncio

            try:
                await asyncio.wait_for(self.arrived.wait(), timeout)
            except TimeoutError:
                return []
            messages, self.messages = self.messages, []
            self.arrived.clear()
            return messages

    return OutputQueue
