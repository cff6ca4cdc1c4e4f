"""The output channel: from the workers of this notebook to the runs that they work for."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..connection import session
from ..worker.records import OutputMessage

log = logging.getLogger(__name__)

Deliver = Callable[[OutputMessage], None]
NAMESPACE = "ray_magics"
END_MARK = "end"  # the task of a message behind which there is no other


class OutputChannel:
    """Fetches messages of workers from an actor of this connection and hands each to the run it is for.

    The actor is started by the first run that lasts; until then, and after its death, output comes with the answers.

    Attributes:
        listens_since: when the actor first answered, by the monotonic clock; inf while it starts.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.name = f"ray_magics-output-{uuid.uuid4().hex[:12]}"
        self.actor: Any = None
        self.listens_since = 0.0
        self.receivers: dict[str, Deliver] = {}
        self.pending: Any = None  # see `_fetch`
        self.ended_actor: Any = None  # likewise

    @property
    def address(self) -> tuple[str, str]:
        return self.name, NAMESPACE

    def receive(self, run: str, deliver: Deliver) -> None:
        self.receivers[run] = deliver

    def forget(self, run: str) -> None:
        self.receivers.pop(run, None)

    def open(self) -> None:
        """Starts the actor and the thread that fetches, if they are not there."""
        import ray

        with self.lock:
            if self.actor is None and ray.is_initialized():
                self.actor = self._start()
                self.listens_since = float("inf")
                threading.Thread(target=self._fetch, args=(self.actor,), name=self.name, daemon=True).start()

    def mark(self, run: str) -> bool:
        """Sends a message of the task `END_MARK` after all that workers have sent; whether the actor can be asked."""
        if self.actor is None or self.listens_since == float("inf"):
            return False
        self.actor.put.remote(OutputMessage(run, END_MARK, "").to_wire())
        return True

    def _start(self) -> Any:
        import ray

        from ..worker.output_queue import output_queue_class

        options = {"num_cpus": 0, "max_concurrency": 1000, "name": self.name, "namespace": NAMESPACE}
        return ray.remote(output_queue_class()).options(**options, get_if_exists=True).remote()

    def _fetch(self, actor: Any) -> None:
        """Hands out messages while there is a cluster.

        `ray.shutdown` lets this thread's answer fail while it ends. Ray 2.60 ends the process where a ref or a handle
        is freed in the moment that follows, so the last ones are kept here until the connection has ended
        (`connection.session`).
        """
        while actor is self.actor:
            try:
                self.pending = actor.fetch.remote(10.0)
                messages = _answer(self.pending)
            except (Exception, SystemExit) as error:  # the cluster is gone, or somebody killed the actor
                log.debug("no live output any more: %s", error)
                with self.lock:
                    self.actor, self.ended_actor = None if actor is self.actor else self.actor, actor
                self.listens_since = 0.0
                return
            self._hand_out(messages)
            self.listens_since = min(self.listens_since, time.monotonic())

    def _hand_out(self, messages: Iterable[Mapping[str, Any]]) -> None:
        for wire in messages:
            deliver = self.receivers.get(wire["run"])
            if deliver is not None:
                deliver(OutputMessage.from_wire(wire))


def _answer(ref: Any) -> Any:
    """What `ray.get` returns, which would start a cluster of its own where the kernel has let go of this one."""
    import ray

    future = ref.future()
    while ray.is_initialized():
        with contextlib.suppress(TimeoutError):
            return future.result(5.0)
    raise ConnectionError("disconnected")


def output_channel() -> OutputChannel:
    """That of the present connection."""
    return session().part(OutputChannel)
