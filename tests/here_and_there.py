"""Runs a program as a cell would, on a worker that is in this process: packed, read, executed, packed, brought back."""

from __future__ import annotations

import types
from typing import Any

from ray_magics.cell.reader import read_cell
from ray_magics.ship.payload import Payload, make_watch
from ray_magics.worker.cell import VALUE, pack_answer
from ray_magics.worker.changes import Objects, write_all
from ray_magics.worker.interpreter import execute, open_namespace, program
from ray_magics.worker.records import TaskSpec
from ray_magics.worker.sharing import shared_bases
from ray_magics.worker.values import Packer, load

LIMIT = 16_000_000


def run_there(source: str, namespace: dict[str, Any], threshold: int = 1000, limit: int = LIMIT) -> tuple[Any, Any]:
    """The value of the program, and what was said of what comes back; the namespace is as after the cell."""
    cell = read_cell(source)
    names = [name for name in namespace if not name.startswith("_")]
    names.sort(key=lambda name: not isinstance(namespace[name], (types.ModuleType, types.FunctionType, type)))
    packer = Packer(namespace, threshold, bases=shared_bases(namespace[name] for name in names))
    buffers_of = {}
    for name in names:
        start = len(packer.buffers)
        packer.add(name, namespace[name])
        buffers_of[name] = (start, len(packer.buffers))
    shared = [bytes(buffer.raw()) for buffer in packer.buffers]
    payload = Payload(
        packer.payload, sizes=packer.sizes, buffers_of=buffers_of, nbytes=[*map(len, shared)], pickler=packer.pickler
    )
    watch = make_watch(payload, namespace, cell.updates, limit)
    spec = TaskSpec("1", source, "<cell>", binds=cell.binds, deletes=cell.deletes, share_above=threshold)
    spec = TaskSpec(**{**vars(spec), "looked_at": watch.looked_at, "writable": watch.writable})
    there, arrived = open_namespace(spec, packer.payload, packer.references, shared)
    value = execute(*program(source, "<cell>"), there, False)
    answer = pack_answer(spec, there, arrived, value)
    objects = Objects(packer.pickler.memo, sent=True)
    buffers = [bytearray(buffer.raw()) for buffer in answer.packer.buffers]
    values: dict[Any, Any] = load(answer.packer.payload, namespace, buffers, answer.packer.references, objects)
    write_all({number: change for number, change in values.items() if isinstance(number, int)}, objects)
    namespace.update({name: one for name, one in values.items() if isinstance(name, str) and name != VALUE})
    for name in answer.deleted:
        namespace.pop(name, None)
    return values.get(VALUE), answer
