"""Polls Serve for the views: what its controller says, what its replicas do, what their logs say."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from glob import glob
from typing import Any
from urllib.parse import urlsplit

from ... import connection
from ...raylib import serve as private
from .details import InstanceDetails, ReplicaDetails, application_at
from .figures import LoggedRequest, RequestMeter, logged_at, parse_access_line
from .logs import LogTail
from .measurements import GOODBYE, Measurements, MeterKey, application_statuses
from .request_tester import RequestTester
from .served import CHECK_SUFFIX, ask_controller
from .status import ApplicationStatus

log = logging.getLogger(__name__)

DETAILS_AGE, MEASURE_INTERVAL = 0.25, 0.7  # seconds between two questions to the controller, to replicas and logs
_RAY_LINE = (":job_id:", ":actor_name:", ":task_name:")  # begins what Ray writes into a worker's output
_SERVE_LINE = re.compile(r"\d\d:\d\d:\d\d ")  # begins a line of Serve's own, as `_shorten` leaves it


class ServeWatch:
    """All that a view shows of the applications of one cluster; from any thread.

    Attributes:
        details: what the controller said last.
        refused: whether nobody takes HTTP requests where somebody did, as while Serve's proxy starts again.
        old_replicas: application -> replicas from before an update that is under way.
        reads_body: the applications whose code reads the body of a request, of those that this kernel has deployed.
        tails: the logs by the id of their replica, and by "ID printed" and "proxy NAME".
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.started_at = time.time()
        self.details = InstanceDetails()
        self.old_replicas: dict[str, frozenset[str]] = {}
        self.reads_body: set[str] = set()
        self.tester = RequestTester()
        self.asked_at = self.measured_at = float("-inf")
        self.tails: dict[str, LogTail] = {}
        self.meters: dict[MeterKey, RequestMeter] = {}
        self.ongoing: Mapping[str, int] = {}
        self.actors: dict[str, Any] = {}
        self.accepted = self.refused = False
        self.said_goodbye: set[str] = set()

    def refresh(self, max_age: float = DETAILS_AGE, strict: bool = False) -> InstanceDetails:
        """What the controller says, at most `max_age` seconds old, or what it said last where it is too busy.

        Raises `ServeUnavailable` there if `strict`.
        """
        with self.lock:
            now = time.monotonic()
            if now - self.asked_at >= max_age:
                self.details, self.asked_at = ask_controller() if strict else self._ask(), now
            if now - self.measured_at >= MEASURE_INTERVAL and self.details.is_up:
                self.measured_at = now
                self._measure(now)
            return self.details

    def _ask(self) -> InstanceDetails:
        try:
            return ask_controller()
        except Exception as error:  # the controller is too busy to answer, as one that starts again is
            log.debug("Serve's controller does not answer: %r", error)
            return self.details

    def applications(self, is_wanted: Callable[[str], bool]) -> tuple[ApplicationStatus, ...]:
        """The applications of these names as a view shows them."""
        details = self.refresh()
        with self.lock:
            self._read_examples()
            return application_statuses(
                details, self._measurements(), lambda name: is_wanted(name) and not name.endswith(CHECK_SUFFIX)
            )

    def _measurements(self) -> Measurements:
        now = time.monotonic()
        return Measurements(
            now=time.time(),
            figures={key: meter.figures(now) for key, meter in self.meters.items()},
            history={key: meter.history(now) for key, meter in self.meters.items() if isinstance(key, str)},
            ongoing=self.ongoing,
            logs={key: tail.last_lines() for key, tail in self.tails.items() if tail.exists and " " not in key},
            said_goodbye=frozenset(self.said_goodbye),
            old_replicas=self.old_replicas,
            reads_body=frozenset(self.reads_body),
            examples={app: examples for (app, _), examples in self.tester.examples.items()},
            answers=self.tester.answers,
        )

    def text(self, app: str) -> str:
        """The log lines of an application's replicas, those of each one together."""
        self.refresh(0.0)
        with self.lock:
            self._read_replicas(time.monotonic())
            parts = []
            for deployment, replica in self._replicas(app):
                tail = self.tails.get(replica.id)
                if tail is not None and tail.lines:
                    parts.append("\n".join([f"--- {deployment}, replica {replica.id}", *tail.lines]))
            return "\n".join(parts)

    def last_printed(self, app: str, deployment: str, most: int = 3) -> str:
        """The last lines that the newest replica of a deployment has printed, beside what all of them log."""
        with self.lock:
            self._read_replicas(time.monotonic())
            ids = [replica.id for name, replica in self._replicas(app) if name == deployment]
            tails = [self.tails[id] for id in reversed(ids) if id in self.tails]
            printed = ([line for line in tail.lines if not _SERVE_LINE.match(line)] for tail in tails)
            return "\n".join(next(filter(None, printed), [])[-most:])

    # --- measuring

    def _measure(self, now: float) -> None:
        applications = self.details.applications
        self.meters = {key: meter for key, meter in self.meters.items() if _application_of(key) in applications}
        self._read_replicas(now)
        self._read_proxies(now)
        refused = refuses(self.details.http_address)
        self.accepted = self.accepted or not refused
        self.refused = refused and self.accepted
        replicas = [replica for app in applications.values() for replica in app.replicas]
        actor_names = [replica.actor_name for replica in replicas if replica.is_running and replica.actor_name]
        self.ongoing = private.ongoing_requests(actor_names[:200], self.actors)

    def _read_replicas(self, now: float) -> None:
        ids = set()
        for app in self.details.applications:
            for deployment, replica in self._replicas(app):
                ids.add(replica.id)
                was_there = (replica.started_at or 0.0) < self.started_at
                tail = self._tail(replica.id, replica.log_path, from_end=was_there)
                requests = self._read_log(tail, replica.id, was_there)
                for stream in ("out", "err"):
                    printed = self._printed(replica, stream, from_end=was_there).read()
                    own = [line for line in printed if not line.startswith(_RAY_LINE)]
                    tail.keep(own if stream == "out" else [line for line in own if _shorten(line) == line])
                self._meter((app, deployment), now).add(now, requests)
        for key in [key for key in self.tails if key.split()[0] not in ids and not key.startswith("proxy ")]:
            del self.tails[key]

    def _read_log(self, tail: LogTail, replica_id: str, was_there: bool) -> list[LoggedRequest]:
        """Reads on in the log of a replica: returns the new requests, and keeps the other lines."""
        from_before = was_there and not tail.was_read
        lines = tail.read()
        requests = [parse_access_line(line) for line in lines]
        tail.keep([_shorten(line) for line, request in zip(lines, requests, strict=True) if request is None])
        if any(GOODBYE in line for line in lines):
            self.said_goodbye.add(replica_id)
        return [] if from_before else [request for request in requests if request is not None]

    def _read_proxies(self, now: float) -> None:
        routes = self.details.routes
        for proxy in self.details.proxies:
            tail = self._tail(f"proxy {proxy.actor_name}", proxy.log_path, from_end=False)
            first_time = not tail.was_read
            requests: dict[str, list[LoggedRequest]] = {}
            for line in tail.read():
                if first_time and logged_at(line) < int(self.started_at):
                    continue
                request = parse_access_line(line)
                if request is not None and (app := application_at(request.route, routes)):
                    requests.setdefault(app, []).append(request)
            for app in routes.values():
                self._meter(app, now).add(now, requests.get(app, ()))

    def _printed(self, replica: ReplicaDetails, stream: str, from_end: bool) -> LogTail:
        """What a replica prints and Serve does not send to the log, too; `stream` is "out" or "err"."""
        key = f"{replica.id} {stream}"
        if key not in self.tails and replica.worker_id:
            paths = glob(os.path.join(private.logs_dir(), f"worker-{replica.worker_id}-*.{stream}"))
            if paths:
                self.tails[key] = LogTail(paths[0], from_end)
        return self.tails.get(key) or LogTail("", False)

    def _tail(self, key: str, path: str, from_end: bool) -> LogTail:
        if not path:  # its process has not reported it yet
            return LogTail("", False)
        if key not in self.tails:
            self.tails[key] = LogTail(os.path.join(private.logs_dir(), path.lstrip("/")), from_end)
        return self.tails[key]

    def _meter(self, key: MeterKey, now: float) -> RequestMeter:
        return self.meters.setdefault(key, RequestMeter(now))

    def _replicas(self, app: str) -> Iterator[tuple[str, ReplicaDetails]]:
        """(deployment, replica) of an application, the last dead ones of each deployment first."""
        for name, deployment in self.details.application(app).deployments.items():
            for replica in (*deployment.dead_replicas[-5:], *deployment.replicas):
                yield name, replica

    def _read_examples(self) -> None:
        address = self.details.http_address
        for app in self.details.applications.values():
            if app.docs_path and app.route_prefix and app.status == "RUNNING":
                self.tester.read_examples(app.name, app.deployed_at or 0.0, address, app.route_prefix)


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


def _application_of(key: MeterKey) -> str:
    return key if isinstance(key, str) else key[0]


def _shorten(line: str) -> str:
    """A line of Serve's log without what the view says already: date, component, ids."""
    head, mark, message = line.partition(" -- ")
    words = head.split()
    if not mark or len(words) < 4 or words[0] not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        return line
    time_of_day = words[2].partition(",")[0]
    level = "" if words[0] == "INFO" else f"{words[0]} "
    return f"{time_of_day} {level}{message}"


def current_watch() -> ServeWatch:
    """That of the present connection."""
    return connection.session().part(ServeWatch)
