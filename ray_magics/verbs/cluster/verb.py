"""What the cluster's magics offer; the other verbs connect through this one."""

from __future__ import annotations

from ...registry import Verb
from .magic import ray_init, ray_logs, ray_runs, ray_shutdown, ray_status, ray_stop

VERB = Verb(
    "cluster",
    magics=(ray_init, ray_status, ray_runs, ray_logs, ray_stop, ray_shutdown),
    api={"init": "run:init", "shutdown": "run:shutdown", "runs": "run:runs"},
    connector="run",
)
