"""A session holds what lives as long as one connection."""

from __future__ import annotations

import pytest

from ray_magics import connection
from ray_magics.connection import Session


class Part:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Plain:
    """A part that nobody has to close."""


@pytest.fixture
def ids(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections of this process; the last one is the present."""
    every = ["first"]
    monkeypatch.setattr(connection, "session_id", lambda: (every[-1], "", ""))
    monkeypatch.setattr(connection, "_present", [Session(("", "", ""))])
    return every


def test_each_part_is_made_once_a_connection(ids: list[str]) -> None:
    part = connection.session().part(Part)
    assert connection.session().part(Part) is part is connection.session().get(Part)
    assert connection.session().get(Plain) is None


def test_another_connection_has_parts_of_its_own_and_closes_the_old_ones(ids: list[str]) -> None:
    old, plain = connection.session().part(Part), connection.session().part(Plain)
    ids.append("second")
    new = connection.session()
    assert old.closed and new.get(Part) is None and new.get(Plain) is not plain
    assert not new.part(Part).closed


def test_a_part_that_takes_the_place_of_another_closes_it(ids: list[str]) -> None:
    old, new = connection.session().part(Part), Part()
    assert connection.session().put(new) is new is connection.session().get(Part)
    assert old.closed and not new.closed
