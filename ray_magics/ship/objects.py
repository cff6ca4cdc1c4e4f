"""Buffers that are on the cluster already, by a fingerprint of their content."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from ..connection import session
from ..worker.values import Namespace

PART = 2**26  # bytes that one thread fingerprints at a time


class ObjectCache:
    """Buffers that are on the cluster already, by a fingerprint of their content.

    A buffer is kept while a name of the notebook that was shipped with it still has that content.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.refs: dict[bytes, Any] = {}
        self.of_name: dict[str, frozenset[bytes]] = {}
        self.warned: dict[str, int] = {}  # names and ids of values that were said to be too large to be looked at

    def put(self, buffer: Any) -> tuple[bytes, Any]:
        import ray

        with self.lock:
            key = fingerprint(buffer)
            if key not in self.refs:
                self.refs[key] = ray.put(buffer)
            return key, self.refs[key]

    def keep(self, used: Mapping[str, frozenset[bytes]], namespace: Namespace) -> None:
        """Remembers which buffers each shipped name uses; forgets those that no living name uses."""
        with self.lock:
            self.of_name.update(used)
            self.of_name = {name: keys for name, keys in self.of_name.items() if name in namespace}
            living = frozenset().union(*self.of_name.values())
            self.refs = {key: ref for key, ref in self.refs.items() if key in living}


def object_cache() -> ObjectCache:
    """That of the present connection."""
    return session().part(ObjectCache)


def fingerprint(buffer: Any) -> bytes:
    """A 128-bit xxHash (XXH3) of the content, and its length; not cryptographic, at memory speed."""
    import xxhash

    view = memoryview(buffer).cast("B")
    if view.nbytes <= PART:
        return xxhash.xxh3_128_digest(view) + view.nbytes.to_bytes(8, "big")
    parts = [view[start : start + PART] for start in range(0, view.nbytes, PART)]
    digests = list(_hashers().map(xxhash.xxh3_128_digest, parts))
    return xxhash.xxh3_128_digest(b"".join(digests)) + view.nbytes.to_bytes(8, "big")


@cache
def _hashers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), "ray_magics-fingerprint")
