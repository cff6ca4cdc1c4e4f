"""The actor that holds output until the notebook fetches it."""

from __future__ import annotations

from typing import Any


def mailbox_class() -> type:
    """The class is made in here so that it travels by value."""

    class Mailbox:
        def __init__(self) -> None:
            import asyncio

            self.letters: list[Any] = []
            self.arrived = asyncio.Event()

        async def post(self, letter: Any) -> None:
            self.letters.append(letter)
            self.arrived.set()

        async def fetch(self, timeout: float) -> list[Any]:
            """All letters since the last call; waits up to `timeout` seconds for the first."""
            import asyncio

            try:
                await asyncio.wait_for(self.arrived.wait(), timeout)
            except TimeoutError:
                return []
            letters, self.letters = self.letters, []
            self.arrived.clear()
            return letters

    return Mailbox
