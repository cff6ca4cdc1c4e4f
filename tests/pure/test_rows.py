"""The rows of a search on their way to a page: what is sent, and that it adds up."""

import copy
import json
import random
import threading
import time
from pathlib import Path

import pytest

from ray_magics.views.html import html
from ray_magics.views.rows import Rows, change

RUNNING = json.loads((Path(__file__).parents[1] / "data" / "tune.json").read_text())["running"]


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
    sent = Rows(rows)
    assert sent.update(rows) is None
    assert sent.update(copy.deepcopy(rows)) is None
    assert sent.state["seq"] == 0


def test_only_what_changed_is_sent():
    rows = [row("a", 3), row("b", 3)]
    sent = Rows(rows)
    message = sent.update([rows[0], row("b", 5, iterations=5)])
    assert message == {"rows": [{**facts(row("b", iterations=5)), "more": [[3, 1.5], [4, 2.0]]}], "seq": 1}


def facts(one):
    return {key: value for key, value in one.items() if key != "curve"}


def test_a_curve_that_was_thinned_is_sent_whole():
    assert change(row("a", 4), {**row("a"), "curve": [[0, 0.0], [2, 1.0]]})["curve"] == [[0, 0.0], [2, 1.0]]


def test_a_new_row_is_sent_whole():
    message = Rows().update([row("a", 2)])
    assert message == {"rows": [row("a", 2)], "seq": 1}


def test_rows_that_went_are_gone():
    sent = Rows([row("a"), row("b")])
    assert sent.update([row("b")]) == {"rows": [row("b")], "seq": 1, "whole": True}
    assert list(sent.state["rows"]) == ["b"]


def test_the_state_is_always_the_same_object():
    sent = Rows([row("a")])
    state, rows = sent.state, sent.state["rows"]
    sent.update([row("b")])
    sent.update([row("b"), row("c")])
    assert (sent.state, sent.state["rows"]) == (state, rows)
    assert state == {"seq": 2, "rows": {"b": row("b"), "c": row("c")}}


def test_messages_add_up_to_the_rows():
    chance = random.Random(3)
    rows = [row("0", 2)]
    sent = Rows(rows)
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
    sent = Rows(rows)
    best = min(timed(sent.update, list(rows)) for _ in range(9))
    assert best < 0.005


def timed(function, *arguments):
    start = time.perf_counter()
    assert function(*arguments) is None
    return time.perf_counter() - start


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
        view = widget.LiveView(RUNNING, commands.append)
        monkeypatch.setattr(view, "_send", lambda message, buffers=None: sent.append(message))
        yield view
        view.close()

    def changed(self, **more):
        first, *rest = RUNNING["trials"]
        return {**RUNNING, "trials": [{**first, **more}, *rest]}

    def test_keeps_the_rows_apart(self, view):
        assert "trials" not in view.snapshot
        assert view.rows["rows"]["a1b2_00003"] is RUNNING["trials"][3]
        assert view.full_snapshot() == RUNNING

    def test_sends_only_the_rows_that_changed(self, view, sent):
        view.update(self.changed(seconds=99.0))
        assert [message["content"]["seq"] for message in sent] == [1]
        assert [one["seconds"] for one in sent[0]["content"]["rows"]] == [99.0]

    def test_sends_only_a_head_that_changed(self, view, sent):
        view.update({**RUNNING, "done": 6})
        assert [list(message["state"]) for message in sent] == [["snapshot"]]
        view.update({**RUNNING, "done": 6})
        assert len(sent) == 1

    def test_gives_a_page_that_is_loaded_again_all_there_is(self, view):
        view.update(self.changed(seconds=99.0))
        state = view.get_state()
        assert state["rows"]["seq"] == 1
        assert state["rows"]["rows"]["a1b2_00000"]["seconds"] == 99.0

    def test_gives_a_page_that_lost_a_message_all_rows(self, view, sent, commands):
        view.update(self.changed(seconds=99.0))
        view._handle_custom_msg({"action": "refresh", "run": "7"}, [])
        assert sent[-1]["content"] == {"rows": view.full_snapshot()["trials"], "seq": 1, "whole": True}
        assert commands == []

    def test_is_still_html_of_the_whole(self, view):
        view.update(self.changed(seconds=99.0))
        assert view._repr_mimebundle_()[0]["text/html"] == html(self.changed(seconds=99.0))

    def test_begins_without_rows_where_none_are_known(self, view):
        view.update(self.changed(seconds=99.0))
        one = type(view)({"kind": "run"})
        one.update(RUNNING)
        assert one.full_snapshot() == RUNNING
        assert one.get_state("rows")["rows"] == {"seq": 0, "rows": {row["id"]: row for row in RUNNING["trials"]}}

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
            target=lambda: [view.update({**RUNNING, "trials": [row(f"{k}") for k in range(n + 1)]}) for n in numbers]
        )
        writer.start()
        while writer.is_alive():
            state = view.get_state("rows")["rows"]
            assert len(json.loads(json.dumps(state))["rows"]) in (state["seq"], len(RUNNING["trials"]))
        writer.join()
        assert len(view.rows["rows"]) == 300
