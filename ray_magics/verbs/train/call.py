"""How the code of a loop becomes a call; travels to the workers, where nothing else of ours is."""

from __future__ import annotations

from dataclasses import dataclass

from ...worker.records import Record


@dataclass(frozen=True)
class LoopCall(Record):
    """What a worker does beside executing the code.

    Attributes:
        function: the one that the code has defined and that is the loop; "" where the code is the loop.
        takes_config: whether that is given the configuration.
        returns: whether the value of the code itself is Ray's `return_value`, as what a function returns is.
    """

    function: str = ""
    takes_config: bool = True
    returns: bool = False
