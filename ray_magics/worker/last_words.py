"""What a worker has printed lately, where it outlives the worker: in a file that is mapped into its memory."""

from __future__ import annotations

import faulthandler
import json
import mmap
import os
import struct
import threading
from collections.abc import Callable
from typing import Any

from .output import make_own

SIZE = 2**16  # bytes
START = 256  # bytes before the records: the length of all, and whose words they are
RECORD = struct.Struct("=BI")  # the stream, 0 for the end of a message, and the bytes of its text


class LastWords:
    """Of the process that makes it; `begin` says for which task.

    Two files in `folder`: ``4711.words``, and ``4711.stack`` with what Python says of a crash in native code.
    """

    def __init__(self, folder: str) -> None:
        make_own(os.path.dirname(folder))
        make_own(folder)
        number = self._open(os.path.join(folder, f"{os.getpid()}.words"))
        os.ftruncate(number, SIZE)
        self.memory = mmap.mmap(number, SIZE)
        os.close(number)
        self.stack = self._open(os.path.join(folder, f"{os.getpid()}.stack"))
        faulthandler.enable(self.stack, all_threads=False)
        self.lock = threading.Lock()
        self.run, self.task, self.messages = "", "", 0

    @staticmethod
    def _open(path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)

    def begin(self, run: str, task: int | str) -> None:
        with self.lock:
            self.run, self.task, self.messages = run, str(task), 0
            self._start_anew()

    def _start_anew(self) -> None:
        head = json.dumps({"run": self.run, "task": self.task, "first": self.messages}).encode()[: START - 8]
        self.memory[4 : 4 + len(head) + 1] = head + b"\n"
        self._set_end(START)

    def _set_end(self, end: int) -> None:
        self.end = end
        self.memory[:4] = struct.pack("=I", end)

    def add(self, stream: int, text: str) -> None:
        with self.lock:
            self._add(stream, text.encode("utf-8", "replace")[-SIZE // 2 :])

    def message_sent(self) -> None:
        """What is added from here on belongs to the next message."""
        with self.lock:
            self.messages += 1
            self._add(0, b"")

    def _add(self, stream: int, data: bytes) -> None:
        end = self.end + RECORD.size + len(data)
        if end > SIZE:
            self._start_anew()
            end = self.end + RECORD.size + len(data)
        self.memory[self.end : end] = RECORD.pack(stream, len(data)) + data
        self._set_end(end)


def reader() -> Callable[[str, str, str], list[dict[str, Any]]]:
    """Reads what the workers of one task have left in a folder; made in here so that it travels by value."""

    def read(folder: str, run: str, task: str) -> list[dict[str, Any]]:
        """Oldest first: ``{"pid", "first", "records", "stack"}``, as `LastWords` writes them."""
        import json
        import os
        import struct

        found = []
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            if not name.endswith(".words"):
                continue
            with open(path, "rb") as file:
                data = file.read()
            head = json.loads(data[4:256].split(b"\n")[0] or b"{}")
            if (head.get("run"), head.get("task")) != (run, task):
                continue
            end, at, records = struct.unpack("=I", data[:4])[0], 256, []
            while at + 5 <= end:
                stream, size = struct.unpack("=BI", data[at : at + 5])
                records.append((stream, data[at + 5 : at + 5 + size].decode("utf-8", "replace")))
                at += 5 + size
            with open(path.removesuffix("words") + "stack", "rb") as file:
                stack = file.read(20_000).decode("utf-8", "replace")
            pid = int(name.removesuffix(".words"))
            found.append((os.path.getmtime(path), {"pid": pid, **head, "records": records, "stack": stack}))
        return [one for _, one in sorted(found, key=lambda pair: pair[0])]

    return read
