"""Looks at Serve for the views: what its controller says, what its replicas do, what their logs tell."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from glob import glob
from typing import Any
from urllib.parse import urlsplit

from ... import connection
from ...raylib import serve as private
from . import details as facts
from .figures import Access, RequestMeter, access, logged_at
from .logs import LogTail
from .request_tester import RequestTester

log = logging.getLogger(__name__)

DETAILS, REPLICAS = 0.25, 0.7  # seconds between two looks at the controller, at logs and replicas
_OF_RAY = (":job_id:", ":actor_name:", ":task_name:")  # what Ray writes into a worker's output
_OF_SERVE = re.compile(r"\d\d:\d\d:\d\d ")  # begins a line of Serve's own, as `_short` leaves it
CHECK = "~check"  # ends the name of the application that an update tries beside the old version


class ServeWatch:
    """All that a view shows of the applications of one cluster; from any thread.

    Attributes:
        details: what the controller said last; None while Serve does not run.
        refused: whether nobody takes HTTP requests where somebody did, as while Serve's proxy starts again.
        old: application -> replicas from before an update that is under way.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.session = connection.session_id()
        self.began = time.time()
        self.details: dict[str, Any] | None = None
        self.old: dict[str, frozenset[str]] = {}
        self.tester = RequestTester()
        self.looked = self.measured = float("-inf")
        self.tails: dict[str, LogTail] = {}
        self.meters: dict[Any, RequestMeter] = {}
        self.ongoing: Mapping[str, int] = {}
        self.actors: dict[str, Any] = {}
        self.answered = self.refused = False
        self.ended_well: set[str] = set()

    def look(self, max_age: float = DETAILS, strict: bool = False) -> dict[str, Any] | None:
        """What the controller says, at most `max_age` seconds old, or what it said last where it is too busy.

        Raises `ServeUnavailable` there if `strict`.
        """
        with self.lock:
            now = time.monotonic()
            if now - self.looked >= max_age:
                self.details, self.looked = private.details() if strict else self._ask(), now
            if now - self.measured >= REPLICAS and self.details is not None:
                self.measured = now
                self._measure(self.details, now)
            return self.details

    def _ask(self) -> dict[str, Any] | None:
        try:
            return private.details()
        except Exception as error:  # the controller is too busy to answer, as one that starts again is
            log.debug("Serve's controller does not answer: %r", error)
            return self.details

    def applications(self, names: Callable[[str], bool]) -> list[dict[str, Any]]:
        """The applications of these names as a view shows them."""
        details = self.look()
        if details is None:
            return []
        with self.lock:
            now = time.monotonic()
            self._learn(details)
            apps = [key for key in self.meters if isinstance(key, str)]
            seen = facts.Measurements(
                epoch=time.time(),
                figures={key: meter.figures(now) for key, meter in self.meters.items()},
                history={name: self.meters[name].history(now) for name in apps},
                ongoing=self.ongoing,
                logs={key: tail.shown() for key, tail in self.tails.items() if tail.here and " " not in key},
                ended_well=frozenset(self.ended_well),
                old=self.old,
                calls={app: calls for (app, _), calls in self.tester.calls.items()},
                answers=self.tester.answers,
            )
            return facts.applications(details, seen, lambda name: names(name) and not name.endswith(CHECK))

    def text(self, app: str) -> str:
        """The kept log lines of an application's replicas, those of each one together."""
        self.look(0.0)
        with self.lock:
            self._read_replicas(self.details or {}, time.monotonic())
            parts = []
            for deployment, replica in self._replicas(self.details or {}, app):
                tail = self.tails.get(replica["replica_id"])
                if tail is not None and tail.kept:
                    parts.append("\n".join([f"--- {deployment}, replica {replica['replica_id']}", *tail.kept]))
            return "\n".join(parts)

    def last_lines(self, app: str, deployment: str, most: int = 3) -> str:
        """What a replica of a deployment has said at last: the newest that said more than all of them log."""
        with self.lock:
            self._read_replicas(self.details or {}, time.monotonic())
            ids = [one["replica_id"] for name, one in self._replicas(self.details or {}, app) if name == deployment]
            said = (self._said(self.tails[one])[-most:] for one in reversed(ids) if one in self.tails)
            return "\n".join(next(filter(None, said), []))

    @staticmethod
    def _said(tail: LogTail) -> list[str]:
        return [line for line in tail.kept if not _OF_SERVE.match(line)]

    # --- measuring

    def _measure(self, details: Mapping[str, Any], now: float) -> None:
        served = details.get("applications") or {}
        self.meters = {key: meter for key, meter in self.meters.items() if _app_of(key) in served}
        self._read_replicas(details, now)
        self._read_proxies(details, now)
        refused = refuses(facts.http_address(details))
        self.answered = self.answered or not refused
        self.refused = refused and self.answered
        actors = [
            replica["actor_name"]
            for app in details.get("applications") or {}
            for replicas in facts.replicas_of(details, app).values()
            for replica in replicas
            if facts.is_running(replica) and replica.get("actor_name")
        ]
        self.ongoing = private.ongoing(actors[:200], self.actors)

    def _read_replicas(self, details: Mapping[str, Any], now: float) -> None:
        known = set()
        for app in details.get("applications") or {}:
            for deployment, replica in self._replicas(details, app):
                key = replica["replica_id"]
                known.add(key)
                fresh = float(replica.get("start_time_s") or 0.0) >= self.began
                tail = self._tail(key, replica.get("log_file_path"), from_end=not fresh)
                requests = self._take(tail, key, was_there=not fresh)
                printed = self._printed(replica, from_end=not fresh).look()
                tail.keep([line for line in printed if not line.startswith(_OF_RAY)])
                self._meter((app, deployment), now).add(now, requests)
        for key in [key for key in self.tails if key.split()[0] not in known and not key.startswith("proxy ")]:
            del self.tails[key]

    def _take(self, tail: LogTail, key: str, was_there: bool) -> list[Access]:
        """Reads on in the log of a replica; the requests among the lines are counted, the others shown."""
        old = was_there and not tail.looked
        lines = tail.look()
        requests = [access(line) for line in lines]
        tail.keep([_short(line) for line, request in zip(lines, requests, strict=True) if request is None])
        if any(facts.GRACEFUL in line for line in lines):
            self.ended_well.add(key)
        return [] if old else [request for request in requests if request is not None]

    def _read_proxies(self, details: Mapping[str, Any], now: float) -> None:
        routes = facts.by_route(details)
        for proxy in (details.get("proxies") or {}).values():
            tail = self._tail(f"proxy {proxy.get('actor_name')}", proxy.get("log_file_path"), from_end=False)
            lines = tail.look() if tail.looked else [line for line in tail.look() if logged_at(line) >= int(self.began)]
            found: dict[str, list[Access]] = {}
            for request in map(access, lines):
                if request is not None and (app := facts.application_of(request.route, routes)):
                    found.setdefault(app, []).append(request)
            for app in routes.values():
                self._meter(app, now).add(now, found.get(app, ()))

    def _printed(self, replica: Mapping[str, Any], from_end: bool) -> LogTail:
        """What a replica prints on a cluster whose Serve does not send that to the log, too."""
        key = f"{replica['replica_id']} printed"
        if key not in self.tails and replica.get("worker_id"):
            found = glob(os.path.join(private.logs_folder(), f"worker-{replica['worker_id']}-*.out"))
            if found:
                self.tails[key] = LogTail(found[0], from_end)
        return self.tails.get(key) or LogTail("", False)

    def _tail(self, key: str, path: str | None, from_end: bool) -> LogTail:
        if not path:  # its process has not told yet
            return LogTail("", False)
        if key not in self.tails:
            self.tails[key] = LogTail(os.path.join(private.logs_folder(), path.lstrip("/")), from_end)
        return self.tails[key]

    def _meter(self, key: Any, now: float) -> RequestMeter:
        return self.meters.setdefault(key, RequestMeter(now))

    def _replicas(self, details: Mapping[str, Any], app: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        deployments = ((details.get("applications") or {}).get(app) or {}).get("deployments") or {}
        return [
            (name, replica)
            for name, one in deployments.items()
            for replica in (*(one.get("recent_dead_replicas") or ())[-5:], *(one.get("replicas") or ()))
        ]

    def _learn(self, details: Mapping[str, Any]) -> None:
        address = facts.http_address(details)
        for name, app in (details.get("applications") or {}).items():
            if app.get("docs_path") and app.get("route_prefix") and facts.status_of(details, name) == "RUNNING":
                since = float(app.get("last_deployed_time_s") or 0.0)
                self.tester.learn(name, since, address, app["route_prefix"])


def refuses(address: str) -> bool:
    """Whether nobody listens there; False of an address that is "", or that takes its time."""
    parts = urlsplit(address)
    if not parts.hostname or not parts.port:
        return False
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=0.2).close()
    except ConnectionRefusedError:
        return True
    except OSError as error:
        log.debug("%s: %r", address, error)
    return False


def _app_of(key: Any) -> str:
    """Of the key of a meter."""
    return key if isinstance(key, str) else str(key[0])


def _short(line: str) -> str:
    """A line of Serve's log without what the view says already: date, component, ids."""
    head, mark, message = line.partition(" -- ")
    words = head.split()
    if not mark or len(words) < 4 or words[0] not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        return line
    time_of_day = words[2].partition(",")[0]
    level = "" if words[0] == "INFO" else f"{words[0]} "
    return f"{time_of_day} {level}{message}"


_watches: list[ServeWatch] = []
_lock = threading.Lock()


def watch() -> ServeWatch:
    """The one of the present connection."""
    with _lock:
        if not _watches or _watches[0].session != connection.session_id():
            _watches[:] = [ServeWatch()]
        return _watches[0]
