"""What the workers of a task that died had printed and not sent, and where Python says that they crashed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..worker.last_words import reader
from ..worker.output import STREAMS, folder_of
from ..worker.records import Event

log = logging.getLogger(__name__)
_CRASH = re.compile(r"^(?:Fatal Python error|Windows fatal exception): (.+)$", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)
WAIT = 10.0  # seconds for the machines that a worker may have been on


@dataclass(frozen=True)
class LeftBehind:
    """Of one worker.

    Attributes:
        messages: its text by the number of the message that it was, or would have been, sent with.
        crash: as ``"Segmentation fault"``; "" where it was ended from outside, or by ``os._exit``.
        frames: file and line number where it crashed, the innermost first.
    """

    pid: int
    messages: Mapping[int, Sequence[Event]]
    crash: str = ""
    frames: Sequence[tuple[str, int]] = ()

    def after(self, received: int) -> list[Event]:
        """What it printed behind the first `received` messages."""
        return [event for number, events in self.messages.items() if number >= received for event in events]

    def place(self, label: Callable[[str], str]) -> str:
        """``"Cell In[3], line 2"``: where in the notebook it crashed, "" if nowhere."""
        return next((f"{label(file)}, line {line}" for file, line in self.frames if label(file)), "")


def find_last_words(queue: str, run: str, task: int | str) -> list[LeftBehind]:
    """Of each worker that Ray gave the task, the last one at the end; [] where they cannot be had."""
    folder = folder_of(queue)
    try:
        found = reader()(folder, run, str(task)) or _from_other_nodes(folder, run, str(task))
    except Exception as error:  # a cluster that is in trouble anyway; the failure itself is shown all the same
        log.debug("no last words of task %s of run %s: %r", task, run, error)
        return []
    return [_left_behind(one) for one in found]


def _from_other_nodes(folder: str, run: str, task: str) -> list[dict[str, Any]]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    if len(nodes) < 2:
        return []
    read = ray.remote(reader())
    places = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
    asked = [read.options(num_cpus=0, scheduling_strategy=place).remote(folder, run, task) for place in places]
    ready, _ = ray.wait(asked, num_returns=len(asked), timeout=WAIT)
    return [one for answer in ready for one in ray.get(answer)]


def _left_behind(found: Mapping[str, Any]) -> LeftBehind:
    number = found["first"]
    messages: dict[int, list[Event]] = {}
    for stream, text in found["records"]:
        if stream:
            messages.setdefault(number, []).append((STREAMS[stream - 1], text))
        else:
            number += 1
    crash = _CRASH.search(found["stack"])
    frames = [(file, int(line)) for file, line in _FRAME.findall(found["stack"])]
    return LeftBehind(found["pid"], messages, crash[1].strip() if crash else "", frames)
