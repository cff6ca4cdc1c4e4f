"""Statuses as text, as still HTML and as a widget: every example of tests/data, and worse."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ray_magics.views import format as f
from ray_magics.views.html import html
from ray_magics.views.text import text

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = {kind: json.loads((DATA / f"{kind}.json").read_text()) for kind in ("run", "tune", "cluster", "runs")}
RUN, CLUSTER, RUNS = EXAMPLES["run"], EXAMPLES["cluster"], EXAMPLES["runs"]
FORMATS = json.loads((DATA / "format.json").read_text())

every_example = pytest.mark.parametrize(
    "snapshot",
    [
        pytest.param(snapshot, id=f"{kind}-{name}")
        for kind, examples in EXAMPLES.items()
        for name, snapshot in examples.items()
    ],
)
both_views = pytest.mark.parametrize("view", [text, html])

TAGS = {"div", "span", "b", "i", "a", "code", "pre", "details", "summary", "table", "tr", "th", "td"}
ATTRIBUTES = {"style", "open", "href", "target", "rel"}


class Reader(HTMLParser):
    """Which tags and attributes a document has, what it says, and whether every tag is closed."""

    def __init__(self, document):
        super().__init__()
        self.tags, self.attributes, self.links, self.words, self.open = set(), set(), [], "", []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.open.append(tag)
        self.attributes |= {name for name, _ in attributes}
        self.links += [value for name, value in attributes if name == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, words):
        self.words += words


def flood():
    """40 workers of 200 long lines, all of which grow when escaped."""
    line = "&\"'<>" * 60
    tail = [["stderr", f"{number:05} {line}", number] for number in range(200)]
    workers = [
        {"id": f"{n}", "label": f"worker {n} {line}", "lines": 900, "hidden": 700, "tail": tail} for n in range(40)
    ]
    return {**RUN["running"], "workers": workers}


def crowd():
    """Many workers with one line each."""
    workers = [
        {"id": f"{n}", "label": f"w{n}", "lines": 1, "hidden": 0, "tail": [["stdout", "x", 1]]} for n in range(9000)
    ]
    return {**RUN["running"], "workers": workers}


def big_cluster():
    nodes = [{**CLUSTER["small"]["nodes"][0], "name": f'<node {n} & "company">'} for n in range(3000)]
    runs = [{**CLUSTER["small"]["runs"][0], "id": f"{n}", "name": "'" * 300} for n in range(3000)]
    states = [[f"<STATE_{n}>", 1] for n in range(3000)]
    waiting = [{"request": f"<{n}>" * 30, "count": 1, "why": '"' * 300} for n in range(3000)]
    meters = [{"name": f"m{n}", "used": 1, "total": 2, "unit": ""} for n in range(3000)]
    parts = {
        "nodes": nodes,
        "runs": runs,
        "tasks": states,
        "actors": states,
        "waiting": waiting,
        "meters": meters,
    }
    return {**CLUSTER["small"], **parts, "message": "&" * 5000}


def many_runs():
    return {
        "kind": "runs",
        "runs": [{**RUNS["one of each"]["runs"][1], "name": "'" * 300} for _ in range(3000)],
    }


def long_words():
    long = "'" * 100_000
    return {**RUN["failed"], **dict.fromkeys(["name", "verb", "unit", "why", "note", "error"], long)}


@every_example
@both_views
def test_every_example_is_drawn(view, snapshot):
    assert "cannot show" not in view(snapshot)


@every_example
def test_html_has_only_tags_that_survive_a_sanitiser(snapshot):
    reader = Reader(html(snapshot))
    assert reader.tags <= TAGS
    assert reader.attributes <= ATTRIBUTES
    assert reader.open == []
    assert all(link.startswith(("http://", "https://")) for link in reader.links)


@every_example
def test_no_escape_sequence_or_reversing_mark_reaches_a_reader(snapshot):
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066]", text(snapshot) + html(snapshot))


@pytest.mark.parametrize("make", [flood, crowd, big_cluster, many_runs, long_words])
@both_views
def test_a_view_is_at_most_100_kB(view, make):
    drawn = view(make())
    assert len(drawn.encode()) <= 100_000
    assert "cannot show" not in drawn


@pytest.mark.parametrize("make", [flood, crowd, big_cluster, many_runs])
@both_views
def test_it_says_how_much_was_cut(view, make):
    assert re.search(r"[\d,]+ (earlier lines not shown|more)", view(make()))


@pytest.mark.parametrize(
    "snapshot",
    [
        {},
        {"kind": "new"},
        {"kind": "run"},
        {"kind": "runs", "runs": 3},
        {"kind": ["run"]},
        {**RUN["running"], "total": "x"},
    ],
)
@both_views
def test_what_cannot_be_drawn_is_said(view, snapshot):
    assert "cannot show" in view(snapshot)


@pytest.mark.parametrize("name", RUN)
@both_views
def test_a_run_says_its_state_in_a_word(view, name):
    assert RUN[name]["state"].capitalize() in view(RUN[name])


def test_the_text_of_a_run():
    assert text(RUN["running"]).splitlines() == [
        "● Running In[4] · ray_remote · 3 s",
        "  █▒░░░░░░░░░░░░░░░░░░ 120 of 1,797 items · 38 items/s · 45 s left · 2 failed · 4 running",
    ]


def test_a_run_that_waits_says_why():
    assert "Waits for CPU: the cell asks for 2, 1 of 2 is free." in text(RUN["pending"])


@both_views
def test_the_last_lines_of_a_flood_are_kept(view):
    drawn = view(flood())
    assert "00199" in drawn
    assert "00000" not in drawn


def test_html_reads_without_its_styles():
    words = Reader(html(RUN["background with output"])).words
    assert "1,203 of 1,797 items · 1.6 items/s · 6 min 11 s left · 3 failed · 8 running" in words
    assert "stderr retry: connection reset ×12" in words
    assert "1,834 earlier lines not shown" in words


def test_the_output_of_a_single_task_is_open():
    assert "<details open>" in html(RUN["running task"])
    assert "<details>" in html(RUN["background with output"])


def test_a_dashboard_that_is_no_web_address_is_no_link():
    assert Reader(html(CLUSTER["hostile"])).links == []
    assert Reader(html(CLUSTER["small"])).links == ["http://127.0.0.1:8265"]


@pytest.mark.parametrize("state", ["none", "lost"])
@both_views
def test_a_cluster_that_is_not_there_says_so(view, state):
    words = {"none": "%ray_init", "lost": "stopped answering 12 s ago"}
    assert words[state] in view(CLUSTER[state])


@both_views
def test_no_runs_say_what_to_type(view):
    assert "%%ray_remote" in view(RUNS["empty"])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [(name, value, expected) for name, cases in FORMATS.items() for value, expected in cases],
)
def test_numbers_and_foreign_text_are_written_as_in_typescript(name, value, expected):
    arguments = value if isinstance(value, list) else [value]
    limit = [20] if name == "plain" else []
    write = {"size": f.size_text, "number": f.number_text}.get(name) or getattr(f, name)
    assert write(*arguments, *limit) == expected


class TestLiveView:
    @pytest.fixture
    def commands(self):
        return []

    @pytest.fixture
    def view(self, commands):
        widget = pytest.importorskip("ray_magics.views.widget")
        view = widget.LiveView(RUN["running"], commands.append)
        yield view
        view.close()

    def test_is_html_and_text_too(self, view):
        data, _ = view._repr_mimebundle_()
        assert data["text/html"] == html(RUN["running"])
        assert data["text/plain"] == text(RUN["running"])
        assert "application/vnd.jupyter.widget-view+json" in data

    def test_shows_its_last_snapshot(self, view):
        view.update(RUN["finished"])
        assert view.snapshot == RUN["finished"]
        assert "Finished" in view._repr_mimebundle_()[0]["text/plain"]

    def test_brings_its_own_script_and_style(self, view):
        assert "ray-magics-" in view._esm
        assert "ray-magics-" in view._css

    def test_hands_over_commands(self, view, commands):
        view._handle_custom_msg({"action": "stop", "run": "3", "force": True, "other": 1}, [])
        assert commands == [{"action": "stop", "run": "3", "force": True}]

    @pytest.mark.parametrize(
        "content",
        [
            None,
            [],
            "stop",
            {},
            {"action": "stop"},
            {"action": "stop", "run": 3},
            {"action": "x" * 21, "run": "3"},
        ],
    )
    def test_lets_pass_what_is_no_command(self, view, commands, content):
        view._handle_custom_msg(content, [])
        assert commands == []
