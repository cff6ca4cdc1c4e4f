"""The events of a training, taken in: who works, what was reported, what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .history import History, is_number
from .history_file import HistoryFile
from .status import CheckpointStatus, WorkerStatus

WAITS_LONG = 10.0  # seconds in a report after which another rank is behind


class TrainingProgress:
    """What is known of a training so far.

    Attributes:
        controller: the handle of Ray's controller; None before it has begun.
        path: the folder of the run, as the controller says it.
        phase: Ray's name for its state.
        trouble: what made it start again, or fail.
    """

    def __init__(self, score_attribute: str = "", score_order: str = "") -> None:
        self.score_attribute, self.score_order = score_attribute, score_order or "max"
        self.history = History()
        self.ranks: dict[int, WorkerStatus] = {}
        self.checkpoints: dict[str, CheckpointStatus] = {}
        self.paths: dict[str, str] = {}
        self.controller: Any = None
        self.path = self.phase = self.trouble = ""
        self.restarts = self.resizes = 0
        self.began: float | None = None  # when its workers began first, by the clock of the controller
        self.file = HistoryFile("")
        self.seconds_before = 0.0  # of the run that goes on
        self.reports_of_group = 0  # that the present workers have made all together

    def keep_in(self, file: HistoryFile) -> None:
        """From now on reports are written there, too."""
        self.file = file

    def begin_with(self, result: Any) -> None:
        """Takes in the reports and the checkpoints of the run that goes on."""
        for seconds, of_ranks in self.file.read():
            self.history.add(seconds, of_ranks)
            self.seconds_before = seconds
        for checkpoint, metrics in result.best_checkpoints or ():
            name = str(checkpoint.path).rstrip("/").rpartition("/")[2]
            score = (metrics or {}).get(self.score_attribute)
            self.checkpoints[name] = CheckpointStatus(name, 0, None, score if is_number(score) else None)
            self.paths[name] = str(checkpoint.path)

    def take(self, event: Mapping[str, Any]) -> None:
        getattr(self, f"_take_{event['kind']}")(event)

    def _take_started(self, event: Mapping[str, Any]) -> None:
        self.controller, self.path = event["controller"], event["path"]

    def _take_state(self, event: Mapping[str, Any]) -> None:
        self.phase = event["state"]
        self.restarts += self.phase == "RESTARTING"
        self.resizes += self.phase == "RESIZING"
        self.trouble = event["error"] or self.trouble

    def _take_workers(self, event: Mapping[str, Any]) -> None:
        self.began = event["time"] if self.began is None else self.began
        self.reports_of_group = 0
        self.ranks = {
            worker["rank"]: WorkerStatus(worker["rank"], worker["node"], worker["pid"], tuple(worker["gpus"]))
            for worker in event["workers"]
        }

    def _take_worker(self, event: Mapping[str, Any]) -> None:
        rank = event["rank"]
        known = self.ranks.get(rank)
        if known is None or known.pid in (0, event["pid"]):
            known = known or WorkerStatus(rank)
            more = {key: event[key] for key in ("pid", "memory", "waits")}
            self.ranks[rank] = replace(known, reports=max(known.reports, event["reports"]), **more)

    def _take_ended(self, event: Mapping[str, Any]) -> None:
        for rank, has_failed in event["ranks"].items():
            if rank in self.ranks:
                state = "failed" if has_failed else "finished"
                self.ranks[rank] = replace(self.ranks[rank], state=state, waits=0.0)

    def _take_report(self, event: Mapping[str, Any]) -> None:
        began = self.began if self.began is not None else event["time"]
        seconds = self.seconds_before + max(event["time"] - began, 0.0)
        self.history.add(seconds, event["metrics"])
        self.file.append(seconds, event["metrics"])
        self.reports_of_group += 1
        self.ranks = {
            rank: replace(one, reports=max(one.reports, self.reports_of_group)) for rank, one in self.ranks.items()
        }
        if event["checkpoint"] is not None:
            self._take_checkpoint(event["checkpoint"])

    def _take_checkpoint(self, event: Mapping[str, Any]) -> None:
        score = self.history.last.get(self.score_attribute) if self.score_attribute else None
        made = CheckpointStatus(
            event["name"], len(self.history.reports), event["size"], score if is_number(score) else None
        )
        self.checkpoints[made.name] = made
        self.paths[made.name] = event["path"]
        if event["kept"] is not None:
            self.checkpoints = {
                name: replace(one, kept=name in event["kept"]) for name, one in self.checkpoints.items()
            }

    # what follows from it

    def interrupt(self) -> None:
        """The run has ended: no worker runs any more."""
        self.ranks = {
            rank: replace(one, state="cancelled" if one.state == "running" else one.state, waits=0.0)
            for rank, one in self.ranks.items()
        }

    @property
    def best(self) -> str:
        """The name of the checkpoint with the best score; "" where nothing is scored."""
        scored = [one for one in self.checkpoints.values() if one.kept and one.score is not None]
        sign = 1 if self.score_order == "max" else -1
        return max(scored, key=lambda one: sign * (one.score or 0.0)).name if scored else ""

    def behind(self) -> str:
        """Which ranks the others wait for, in words; "" where nobody waits long."""
        waiting = [one for one in self.ranks.values() if one.waits >= WAITS_LONG]
        if not waiting:
            return ""
        longest = max(waiting, key=lambda one: one.waits)
        late = [one for one in self.ranks.values() if one.reports < longest.reports]
        if not late:
            return ""
        ranks = ", ".join(str(one.rank) for one in late)
        has_ended = all(one.state != "running" for one in late)
        reason = "has ended" if has_ended else "has not come to it"
        return (
            f"rank {longest.rank} waits in its report {longest.reports} for rank {ranks}, which {reason} "
            f"(report {late[0].reports}): every rank has to report equally often"
        )
