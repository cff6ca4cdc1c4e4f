"""A run whose work is a Ray library's own blocking loop, which has a thread of its own."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
import time
from typing import Any

from ..worker.records import OutputMessage
from ..worker.values import Namespace
from .binding import Binding
from .channel import END_MARK, output_channel
from .output import RunOutput
from .run import Event, Run

MESSAGES_LATE = 2.0  # seconds that the end waits for the mark behind all output
CHANNEL_STARTS_LATE = 0.3  # seconds that it waits for output where the channel has not started yet
GIVE_UP_AFTER = 4  # grace periods after which a stop by force is given up


class LibraryRun(Run):
    """Runs `call_library` on a thread; takes in output, and what the library returns.

    A verb supplies, beside what every run does, `call_library`, `conclude`, `stop_library` and `end_unconfirmed`.

    Attributes:
        into: the name for the value in the notebook; None for none.
        output: what workers have printed.
        waited: seconds until the first worker began; None before.
        quiet: whether its note is not printed at the end.
    """

    def __init__(
        self, name: str, verb: str, cell: str, namespace: Namespace, into: str | None, background: bool
    ) -> None:
        super().__init__(name, verb, cell)
        self.into, self.background, self.namespace = into, background, namespace
        self.binding = Binding(namespace, [into] if into else [])
        self.output = RunOutput(self.id, into_cell=False)
        self.channel = output_channel()
        self.waited: float | None = None
        self.quiet = False
        self.why = self.note = ""

    # what a verb supplies

    def call_library(self, prepared: Any) -> tuple[Any, BaseException | None]:
        """On the thread of the library: what its loop returns, and what it raised. Must not raise."""
        raise NotImplementedError

    def conclude(self, result: Any, error: BaseException | None) -> None:
        """Ends the run with what `call_library` has returned."""
        raise NotImplementedError

    def stop_library(self) -> None:
        """Asks the loop to end; returns at once."""
        raise NotImplementedError

    def end_unconfirmed(self) -> None:
        """Ends the run where the loop does not answer a stop by force."""
        raise NotImplementedError

    def output_label(self, message: OutputMessage) -> str:
        """Under which name the output of a message is shown; "": that of its worker."""
        return ""

    # what is the same for all

    def start_library(self, prepared: Any) -> None:
        """Starts the thread; `prepared` is handed to `call_library`."""
        self.channel.receive(self.id, lambda message: self.post("message", message))
        self.channel.open()
        self.state = "running"
        context = contextvars.copy_context()
        name = f"ray_magics-{self.verb}-{self.id}"
        threading.Thread(target=context.run, args=(self._run_library, prepared), name=name, daemon=True).start()

    def _run_library(self, prepared: Any) -> None:
        self.post("over", *self.call_library(prepared))

    def handle(self, event: Event) -> None:
        if event[0] == "message":
            self._take_message(event[1])
        elif event[0] == "over":
            self._take_late_messages()
            self.conclude(event[1], event[2])

    def _take_message(self, message: OutputMessage) -> None:
        self.output.take_message(message, self.output_label(message))

    def _take_late_messages(self) -> None:
        """What workers have sent before the end of the library's loop, up to the mark behind it."""
        end = time.monotonic() + (MESSAGES_LATE if self.channel.mark(self.id) else CHANNEL_STARTS_LATE)
        while time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                event = self.events.get(timeout=max(end - time.monotonic(), 0.01))
                if event[0] == "message":
                    if event[1].task == END_MARK:
                        return
                    self._take_message(event[1])

    def tick(self) -> None:
        now = self.clock()
        self.channel.open()
        self._watch_stop(now)
        self.watch_cluster(now)

    def cancel(self, force: bool) -> None:
        self.stop_library()

    def _watch_stop(self, now: float) -> None:
        if self.stopping.is_late(now):
            self.note = f"{self.stop_note}; what does not answer is killed"
        if self.stopping.forced and self.stopping.is_late(now, GIVE_UP_AFTER):
            self.end_unconfirmed()

    @property
    def stop_note(self) -> str:
        """What is said of a stop that takes its time."""
        return "Ray is stopping what runs"

    def bind(self, late: bool = False) -> str:
        """Gives the notebook the value under its name, if there is one; see `Binding.bind`."""
        value = self.value()
        return self.binding.bind({self.into: value} if self.into and value is not None else {}, late=late)

    def finish(self) -> Any:
        """Binds also what a run that was stopped or failed has come to."""
        self.bind()
        if self.error is not None:
            raise self.error
        if self.note and not self.quiet:
            print(self.note)
        return None if self.into else self.value()

    def end(self, state: str, error: BaseException | None = None) -> None:
        self.channel.forget(self.id)
        if self.background and self.live and (changed := self.bind(late=True)):
            self.note = f"{changed}; this result is in the Run"
        super().end(state, error)

    def release(self) -> None:
        self.binding.release()

    def logs(self, worker: str = "") -> str:
        return self.output.log.text(worker)
