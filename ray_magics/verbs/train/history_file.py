"""The reports of a run in its folder, so that one that goes on has those before it, also in a new kernel."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

log = logging.getLogger(__name__)
NAME = "reports.jsonl"

Report = tuple[float, Sequence[Mapping[str, Any]]]  # seconds, and what each rank has reported


class HistoryFile:
    """A line of JSON for each report, in a local folder; one that cannot be written loses the file, not the run."""

    def __init__(self, folder: str) -> None:
        self.path = "" if "://" in folder else os.path.join(folder, NAME)
        self.mode = "w"

    def read(self) -> Iterator[Report]:
        """What is there, and from now on more is added to it; a line that broke off ends it."""
        self.mode = "a"
        if not os.path.exists(self.path):
            return
        with open(self.path, encoding="utf-8") as file:
            for line in file:
                try:
                    seconds, of_ranks = json.loads(line)
                except ValueError as error:
                    log.debug("%s is broken: %s", self.path, error)
                    return
                yield seconds, of_ranks

    def append(self, seconds: float, of_ranks: Sequence[Mapping[str, Any]]) -> None:
        if not self.path:
            return
        try:
            with open(self.path, self.mode, encoding="utf-8") as file:
                file.write(f"{json.dumps([round(seconds, 6), list(of_ranks)])}\n")
        except (OSError, ValueError) as error:
            log.debug("no reports are kept in %s: %r", self.path, error)
            self.path = ""
        self.mode = "a"
