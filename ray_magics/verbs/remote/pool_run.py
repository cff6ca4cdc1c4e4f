"""The cell once per item, on actors that hold an object: made once each, and there for every item."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...cell.reader import read_cell
from ...cell.source import CellSource
from ...line.settings import settings
from ...run.actor_pool import ActorPool
from ...run.dispatch import task_spec
from ...ship.entrypoint import pack_args
from ...ship.payload import ship
from ...worker.values import Namespace
from .map_run import MapRun
from .plan import RemotePlan


class PoolRun(MapRun):
    """A fan-out whose chunks go to the actors of a pool, one at a time to each."""

    def __init__(
        self, plan: RemotePlan, namespace: Namespace, cell_source: CellSource, cluster: ActorPool | None = None
    ) -> None:
        self.pool = cluster or ActorPool()
        super().__init__(plan, namespace, cell_source, self.pool)

    def _open_slots(self) -> int:
        plan, pool = self.plan, self.plan.pool
        assert pool is not None
        size = pool.size or super()._open_slots()
        self.pool.start(size, {"num_cpus": 1, **plan.actor_options}, self._constructor_arguments())
        self.spec = replace(self.spec, pooled=pool.name)
        return size

    def _constructor_arguments(self) -> tuple[Any, ...]:
        """The code that makes the object, and what it reads."""
        assert self.plan.pool is not None
        pool, source = self.plan.pool, self.plan.pool.source
        payload = ship(pool.captures.found, pool.namespace(self.namespace), settings().share_above)
        code = replace(self.cell_source, code=source, filename="<--pool>")
        spec = task_spec(self.id, read_cell(source), code, payload)
        return (*pack_args((spec.to_wire(), payload.pickled, list(payload.references))), *payload.shared)

    def _depth(self) -> int:
        """One chunk at a time, so that an actor that dies takes along what it was doing and nothing else."""
        return 1

    def end(self, state: str, error: BaseException | None = None) -> None:
        self.pool.stop()
        super().end(state, error)
