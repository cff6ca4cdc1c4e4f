"""ray_magics: notebook cells as Ray tasks, searches and web services, with live views.

    %load_ext ray_magics

    %%ray_remote --for "seed in range(100)" --into scores
    cross_val_score(model(seed), X, y).mean()

A magic is a caption over plain Ray: it reads the cell, makes a plan, runs that plan with Ray's public API and shows
it. ``--dry-run`` prints the plan and the plain script. CONTRIBUTING.md says where things live.

    init  shutdown         find or start a cluster, and end it             %ray_init  %ray_shutdown
    remote                 code as a task, or once per item                %%ray_remote
    data                   datasets with Ray Data                          %%ray_data
    train                  a training loop with Ray Train                  %%ray_train
    tune                   a search with Ray Tune                          %%ray_tune
    serve                  an application of Ray Serve                     %%ray_serve
    runs                   everything this process has launched            %ray_runs
    RayMagicsError         whatever is raised of its own; see `ray_magics.errors` for the tree
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import ClusterLost as ClusterLost
    from .errors import InvalidCell as InvalidCell
    from .errors import RayApiMissing as RayApiMissing
    from .errors import RayMagicsError as RayMagicsError
    from .errors import RemoteError as RemoteError
    from .errors import RunCancelled as RunCancelled
    from .errors import RunTimeout as RunTimeout
    from .errors import ServeUnavailable as ServeUnavailable
    from .errors import UsageError as UsageError
    from .errors import WorkerLost as WorkerLost
    from .run.registry import runs
    from .verbs.cluster.run import init as init
    from .verbs.cluster.run import shutdown as shutdown
    from .verbs.data.api import data as data
    from .verbs.remote.api import remote as remote
    from .verbs.serve.api import serve as serve
    from .verbs.train.api import train as train
    from .verbs.tune.api import tune as tune

__version__ = "0.1.0"

_ERRORS = (
    *("ClusterLost", "InvalidCell", "RayApiMissing", "RayMagicsError", "RemoteError"),
    *("RunCancelled", "RunTimeout", "ServeUnavailable", "UsageError", "WorkerLost"),
)
__all__ = [*_ERRORS, "data", "init", "load_ipython_extension", "remote", "runs", "serve", "shutdown", "train", "tune"]


def __getattr__(name: str) -> Any:
    """Public names are imported when they are used, so that ``import ray_magics`` stays light."""
    if name in _ERRORS:
        from . import errors

        return getattr(errors, name)
    if name.startswith("_") or find_spec(f"{__name__}.{name}"):  # a module of ours that is being imported
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .registry import find_api

    return find_api(name)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext ray_magics``: registers the magics; imports no Ray, starts nothing, prints nothing."""
    from .registry import load

    load(shell)
