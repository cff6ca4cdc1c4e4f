"""The functions that Ray runs on workers: they bring the worker runtime along as source text."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Callable
from functools import cache
from importlib.abc import InspectLoader
from typing import Any

from ..worker import MODULES

RUNTIME = "ray_magics.worker"
Sources = tuple[tuple[str, str], ...]  # (module name, source text) in the order of import


@cache
def sources(*more: str) -> Sources:
    """The worker runtime, and `more` modules of a verb that execute there."""
    names = (RUNTIME, *(f"{RUNTIME}.{name}" for name in MODULES), *more)
    return tuple((name, _source(name)) for name in names)


def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    source = spec.loader.get_source(module) if spec and isinstance(spec.loader, InspectLoader) else None
    assert source is not None, f"{module} has no source here"
    return source


@cache
def remote_function(module: str, function: str) -> Any:
    """Ray's remote function for one of the worker runtime, as ``("cell", "run_cell")``; exported once a cluster."""
    import ray

    return ray.remote(make_entrypoint(sources(), f"{RUNTIME}.{module}", function))


def make_entrypoint(runtime: Sources, module: str, function: str) -> Callable[..., Any]:
    """A function that travels by value, builds the worker runtime where it arrives, and calls `function` of `module`.

    The runtime's modules get their own names there. The first argument may be what `pack_args` made.
    """

    def build() -> None:
        import sys
        import types

        package = runtime[0][0]
        for name, source in runtime:
            module = types.ModuleType(name)
            vars(module).update(__package__=name if name == package else name.rpartition(".")[0])
            vars(module).update(__file__=f"<ray_magics {name}>", __path__=[])
            sys.modules[name] = module
            exec(compile(source, module.__file__ or "", "exec"), vars(module))
            if name.rpartition(".")[0] == package:
                setattr(sys.modules[package], name.rpartition(".")[2], module)
        vars(sys.modules[package])["SOURCES"] = runtime

    def run(first: Any, *arguments: Any) -> Any:
        import pickle
        import sys

        leading = pickle.loads(first) if isinstance(first, bytes) else (first,)
        if getattr(sys.modules.get(runtime[0][0]), "SOURCES", None) != runtime:
            build()
        return getattr(sys.modules[module], function)(*leading, *arguments)

    build.__module__ = run.__module__ = "__main__"
    run.__name__ = function
    return run


def pack_args(leading: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments of an entry point: plain data as one pickle, since Ray takes about 0.1 ms for each argument."""
    plain = isinstance(leading[1], bytes) and not any(isinstance(part, list) and part for part in leading)
    return (pickle.dumps(leading),) if plain else leading
