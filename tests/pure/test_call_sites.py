"""Under which cell a remote function or actor of a definitions cell prints; the cells are given as plain data."""

from __future__ import annotations

import types
from typing import Any

import pytest

from ray_magics.verbs.remote.call_sites import CallSites


class ActorHandle:
    """Ray's, as far as its name and its text go; tests/cluster and tests/kernel have real ones."""

    def __repr__(self) -> str:
        return "Actor(Account, 0123)"


class Pool:
    def __init__(self, actors: list[ActorHandle]) -> None:
        self.idle = actors


def notebook_of(**names: Any) -> CallSites:
    """A notebook whose first cell has defined `square` and `Account`."""
    sites = CallSites(types.SimpleNamespace(user_ns=dict(names)))
    sites.define(["square", "Account"], "definitions")
    return sites


def run(sites: CallSites, *cells: str) -> None:
    for cell in cells:
        sites._begin(types.SimpleNamespace(raw_cell=cell))


@pytest.mark.parametrize(
    "caller",
    ["ray.get(square.remote(3))", "%%ray_remote\nsquare.remote(3)", "ref = use(3)", "again(use)"],
)
def test_the_newest_cell_that_reads_a_function_is_where_it_prints(caller: str) -> None:
    sites = notebook_of()
    exec("def use(v): return square.remote(v)\ndef again(f): return f(1)", sites.shell.user_ns)
    run(sites, "square.remote(1)", caller, "x = 1", "import time\ntime.sleep(3)")
    found = sites.find("square")
    assert found is not None and found.source == caller


@pytest.mark.parametrize(
    "caller",
    ["account.deposit.remote(1)", "[a.deposit.remote(1) for a in accounts]", "pool.map(f, items)", "by['x'].f()"],
)
def test_an_actor_prints_where_a_handle_of_it_is_read(caller: str) -> None:
    handle = ActorHandle()
    sites = notebook_of(account=handle, accounts=[handle], pool=Pool([handle]), by={"x": handle}, other=[3])
    run(sites, caller, "other", "x = 1")
    found = sites.find("Account")
    assert found is not None and found.source == caller


def test_what_no_cell_calls_prints_where_it_was_defined_and_what_none_defined_as_ray_has_it() -> None:
    sites = notebook_of()
    run(sites, "x = 1")
    found = sites.find("square")
    assert found is not None and found.source == "definitions"
    assert sites.find("stranger") is None


def test_a_container_that_holds_itself_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    sites = notebook_of(loop=loop)
    run(sites, "loop")
    found = sites.find("Account")
    assert found is not None and found.source == "definitions"
