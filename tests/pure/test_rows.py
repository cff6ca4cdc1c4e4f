"""The rows of a large table on their way to a page: what is sent, and that it adds up."""

import copy
import json
import random
import threading
import time
from dataclasses import replace

import pytest

from ray_magics.views.card import Card, Header, Row, Special, Table, Text
from ray_magics.views.html import html
from ray_magics.views.rows import Rows, change, split_rows

TRIALS = [{"id": f"t{n}", "number": n, "curve": [[1, n]]} for n in range(5)]


def search(trials=TRIALS, state="running", still=()):
    """A card with a large table that only a page can draw."""
    data = {"elapsed": 3.0, "best": "t3"}
    return Card((Header(state, "train", run="7"), Special("search", data, trials, still=lambda: still)))


def row(name, points=0, **more):
    return {"id": name, "number": 0, "state": "RUNNING", "curve": [[n, n / 2] for n in range(points)], **more}


class Page:
    """What a page makes of a state and of messages; widget.test.ts has the real one."""

    def __init__(self, state):
        self.rows, self.seq = dict(state["rows"]), state["seq"]

    def take(self, message):
        assert message.get("whole") or message["seq"] == self.seq + 1
        self.seq = message["seq"]
        if message.get("whole"):
            self.rows = {}
        for new in message["rows"]:
            more = new.get("more")
            facts = {key: value for key, value in new.items() if key != "more"}
            known = self.rows.get(new["id"], {}).get("curve", [])
            self.rows[new["id"]] = facts if more is None else {**facts, "curve": known + more}


def test_the_same_rows_are_no_message():
    rows = [row("a"), row("b")]
    sent = Rows("trials", rows)
    assert sent.update(rows) is None
    assert sent.update(copy.deepcopy(rows)) is None
    assert sent.state["seq"] == 0


def test_only_what_changed_is_sent():
    rows = [row("a", 3), row("b", 3)]
    sent = Rows("trials", rows)
    message = sent.update([rows[0], row("b", 5, iterations=5)])
    assert message == {
        "table": "trials",
        "rows": [{**facts(row("b", iterations=5)), "more": [[3, 1.5], [4, 2.0]]}],
        "seq": 1,
    }


def facts(one):
    return {key: value for key, value in one.items() if key != "curve"}


def test_a_curve_that_was_thinned_is_sent_whole():
    assert change(row("a", 4), {**row("a"), "curve": [[0, 0.0], [2, 1.0]]})["curve"] == [[0, 0.0], [2, 1.0]]


def test_a_new_row_is_sent_whole():
    message = Rows("trials").update([row("a", 2)])
    assert message == {"table": "trials", "rows": [row("a", 2)], "seq": 1}


def test_rows_that_went_are_gone():
    sent = Rows("trials", [row("a"), row("b")])
    assert sent.update([row("b")]) == {"table": "trials", "rows": [row("b")], "seq": 1, "whole": True}
    assert list(sent.state["rows"]) == ["b"]


def test_the_state_is_always_the_same_object():
    sent = Rows("trials", [row("a")])
    state, rows = sent.state, sent.state["rows"]
    sent.update([row("b")])
    sent.update([row("b"), row("c")])
    assert (sent.state, sent.state["rows"]) == (state, rows)
    assert state == {"seq": 2, "rows": {"b": row("b"), "c": row("c")}}


def test_messages_add_up_to_the_rows():
    chance = random.Random(3)
    rows = [row("0", 2)]
    sent = Rows("trials", rows)
    page = Page(sent.copy())
    for step in range(300):
        rows = [one if chance.random() < 0.7 else row(one["id"], chance.randrange(9), step=step) for one in rows]
        if chance.random() < 0.3:
            rows.append(row(f"new {step}", 1))
        elif chance.random() < 0.05:
            rows = rows[1:] or rows
        message = sent.update(rows)
        if message:
            page.take(json.loads(json.dumps(message)))
        assert page.rows == {one["id"]: one for one in rows}


def test_ten_thousand_rows_that_stay_cost_next_to_nothing():
    rows = [row(f"{n}", 20) for n in range(10_000)]
    sent = Rows("trials", rows)
    best = min(timed(sent.update, list(rows)) for _ in range(9))
    assert best < 0.005


def timed(function, *arguments):
    start = time.perf_counter()
    assert function(*arguments) is None
    return time.perf_counter() - start


def test_the_rows_of_large_tables_alone_are_apart():
    small, large = Table(("A",), (Row("1", (1,)),)), Table(("B",), (Row("2", (2,)),), key="large")
    card, rows = split_rows(Card((small, large, Special("search", {}, TRIALS))).to_json())
    assert [section.get("rows") for section in card["sections"]] == [[{"id": "1", "cells": [1]}], None, None]
    assert rows == {"large": [{"id": "2", "cells": [2]}], "search": TRIALS}


class TestLiveView:
    @pytest.fixture
    def sent(self):
        return []

    @pytest.fixture
    def commands(self):
        return []

    @pytest.fixture
    def view(self, sent, commands, monkeypatch):
        widget = pytest.importorskip("ray_magics.views.widget")
        view = widget.LiveView(search(), commands.append)
        monkeypatch.setattr(view, "_send", lambda message, buffers=None: sent.append(message))
        yield view
        view.close()

    def changed(self, **more):
        first, *rest = TRIALS
        return search([{**first, **more}, *rest])

    def test_keeps_the_rows_apart(self, view):
        assert "rows" not in view.snapshot["sections"][1]
        assert view.rows["search"]["rows"]["t3"] is TRIALS[3]

    def test_leaves_a_place_for_the_page_that_has_drawn_it(self, view):
        view.update(Card((Special("search", {}, TRIALS, lasts=True),)))
        page = view.still_bundle()["text/html"]
        assert page == f'<div data-ray-magics-place="{view.place}">{html(view.card)}</div>' and view.place

    def test_sends_only_the_rows_that_changed(self, view, sent):
        view.update(self.changed(seconds=99.0))
        assert [message["content"]["seq"] for message in sent] == [1]
        assert [one["seconds"] for one in sent[0]["content"]["rows"]] == [99.0]

    def test_sends_only_a_head_that_changed(self, view, sent):
        view.update(search(state="stopping"))
        assert [list(message["state"]) for message in sent] == [["snapshot"]]
        view.update(search(state="stopping"))
        assert len(sent) == 1

    def test_gives_a_page_that_is_loaded_again_all_there_is(self, view):
        view.update(self.changed(seconds=99.0))
        state = view.get_state()["rows"]["search"]
        assert state["seq"] == 1
        assert state["rows"]["t0"]["seconds"] == 99.0

    def test_gives_a_page_that_lost_a_message_all_rows(self, view, sent, commands):
        changed = self.changed(seconds=99.0)
        view.update(changed)
        view._handle_custom_msg({"action": "refresh", "run": "*"}, [])
        whole = {"table": "search", "rows": changed.sections[1].rows, "seq": 1, "whole": True}
        assert sent[-1]["content"] == whole
        assert commands == []

    def test_is_still_html_of_the_whole(self, view):
        card = search(still=(Text("the best is trial 3"),))
        view.update(card)
        assert "the best is trial 3" in html(card)
        assert "the best is trial 3" in view._repr_mimebundle_()[0]["text/html"]

    def test_begins_without_a_table_that_is_not_there_yet(self, view):
        one = type(view)(Card((Header("pending", "train"),)))
        assert one.get_state("rows")["rows"] == {}
        one.update(search())
        assert one.get_state("rows")["rows"] == {"search": {"seq": 0, "rows": {row["id"]: row for row in TRIALS}}}

    def test_a_card_whose_clock_alone_went_on_is_the_same(self):
        first, later = Header("running", "train", elapsed=1.0), Header("running", "train", elapsed=2.0)
        assert Card((first,)) != Card((later,))
        assert Card((first,)).without_clock() == Card((later,)).without_clock()
        card = search()
        special = replace(card.sections[1], data={"elapsed": 4.0, "best": "t3"})
        assert replace(card, sections=(card.sections[0], special)).without_clock() == card.without_clock()

    @pytest.mark.parametrize(
        ("part", "command"),
        [
            ("a1b2_00003", [{"action": "pause", "run": "7", "force": False, "part": "a1b2_00003"}]),
            ("", []),
            (3, []),
            ("x" * 101, []),
        ],
    )
    def test_a_command_for_one_trial_names_it_and_an_odd_name_never_means_all(self, view, commands, part, command):
        view._handle_custom_msg({"action": "pause", "run": "7", "part": part}, [])
        assert commands == command

    def test_may_be_read_while_it_is_written(self, view):
        numbers = range(300)
        writer = threading.Thread(
            target=lambda: [view.update(search([row(f"{k}") for k in range(n + 1)])) for n in numbers]
        )
        writer.start()
        while writer.is_alive():
            state = view.get_state("rows")["rows"]["search"]
            assert len(json.loads(json.dumps(state))["rows"]) in (state["seq"], len(TRIALS))
        writer.join()
        assert len(view.rows["search"]["rows"]) == 300
