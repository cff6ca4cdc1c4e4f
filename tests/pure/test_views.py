"""Cards as text, as still HTML and as a widget: every example of tests/data, and worse."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ray_magics.run.status import RunsStatus, RunStatus, WorkerOutput
from ray_magics.verbs.cluster.card import cluster_card, runs_card, starting_card
from ray_magics.verbs.cluster.status import ResourceUsage, Waiting
from ray_magics.views import format as f
from ray_magics.views.card import Card, Curve, Group, Header, Link, Picture, Plot, Row, Special, State, Table, Text
from ray_magics.views.html import html
from ray_magics.views.run_card import run_card
from ray_magics.views.text import text
from tests.cards import DATA, FILE, MAKERS, bound_cards, every_section, examples, to_json
from tests.statuses import cluster_status, run_status

EXAMPLES = examples()
RUNS = {name: run_status(snapshot) for name, snapshot in EXAMPLES["run"].items()}
CLUSTERS = {name: cluster_status(snapshot) for name, snapshot in EXAMPLES["cluster"].items()}
FORMATS = json.loads((DATA / "format.json").read_text())

every_example = pytest.mark.parametrize(
    "card",
    [
        pytest.param(MAKERS[kind](snapshot), id=f"{kind}-{name}")
        for kind, statuses in EXAMPLES.items()
        for name, snapshot in statuses.items()
    ]
    + [pytest.param(every_section("running", "a name"), id="every section")],
)
both_views = pytest.mark.parametrize("view", [text, html])

TAGS = {"div", "img", "span", "b", "i", "a", "code", "pre", "details", "summary", "table", "tr", "th", "td"}
ATTRIBUTES = {"style", "open", "href", "target", "rel", "src", "alt"}


class Reader(HTMLParser):
    """Which tags and attributes a document has, what it says, and whether every tag is closed."""

    def __init__(self, document):
        super().__init__()
        self.tags, self.attributes, self.links, self.words, self.open = set(), set(), [], "", []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag != "img":
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
    tail = tuple(("stderr", f"{number:05} {line}", number) for number in range(200))
    workers = tuple(WorkerOutput(f"{n}@{line}", 900, 700, tail) for n in range(40))
    return run_card(replace(RUNS["running"], workers=workers))


def crowd():
    """Many workers with one line each."""
    workers = tuple(WorkerOutput(f"{n}@host", 1, 0, (("stdout", "x", 1),)) for n in range(9000))
    return run_card(replace(RUNS["running"], workers=workers))


def big_cluster():
    small = CLUSTERS["small"]
    states = tuple((f"<STATE_{n}>", 1) for n in range(3000))
    return cluster_card(
        replace(
            small,
            message="&" * 5000,
            nodes=tuple(replace(small.nodes[0], id=f"{n}", name=f'<node {n} & "company">') for n in range(3000)),
            runs=tuple(replace(RUNS["running"], id=f"{n}", name="'" * 300) for n in range(3000)),
            tasks=states,
            actors=states,
            waiting=tuple(Waiting(f"<{n}>" * 30, 1, '"' * 300) for n in range(3000)),
            meters=tuple(ResourceUsage(f"m{n}", 1, 2) for n in range(3000)),
        )
    )


def many_runs():
    return runs_card(RunsStatus(tuple(replace(RUNS["finished"], id=f"{n}", name="'" * 300) for n in range(3000))))


def long_words():
    long = "'" * 100_000
    return run_card(replace(RUNS["failed"], **dict.fromkeys(["name", "verb", "unit", "why", "note", "error"], long)))


def many_groups():
    groups = (
        Group((Header("running", f"app {n}"), Text("<" * 3000, "error"), Text("&" * 3000)), "") for n in range(99)
    )
    return Card(tuple(groups))


def wide_table():
    return Card((Table(tuple(f"<{n}>" for n in range(500)), (Row("1", ("&" * 300,) * 500),) * 50),))


@every_example
@both_views
def test_every_example_is_drawn(view, card):
    assert view(card)


@every_example
def test_html_has_only_tags_that_survive_a_sanitiser(card):
    reader = Reader(html(card))
    assert reader.tags <= TAGS
    assert reader.attributes <= ATTRIBUTES
    assert reader.open == []
    assert all(link.startswith(("http://", "https://")) for link in reader.links)


@every_example
def test_no_escape_sequence_or_reversing_mark_reaches_a_reader(card):
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066]", text(card) + html(card))


def test_the_page_is_tested_with_these_cards():
    """`python -m tests.cards` writes them anew."""
    written = json.loads(FILE.read_text())
    assert {name: written.get(name) for name in bound_cards()} == {
        n: to_json(card) for n, card in bound_cards().items()
    }


@both_views
def test_each_type_of_section_shows_its_text(view):
    card = every_section("running", "name it")
    assert view(card).count("name it") >= 20
    assert text(card).splitlines()[0] == "● Running name it · ray_example · name it: http://127.0.0.1:8265 · 1 min 03 s"


@both_views
def test_foreign_text_is_no_markup_in_any_section(view):
    drawn = view(every_section("failed", "<script>alert(1)</script>\x1b[31m\u202e"))
    assert not re.search("[\x1b\u202e]", drawn)
    if view is html:
        assert "script" not in Reader(drawn).tags and not Reader(drawn).links


@every_example
def test_the_json_of_a_card_is_json(card):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    json.loads(json.dumps(card.to_json()), parse_constant=refuse)


@pytest.mark.parametrize("make", [flood, crowd, big_cluster, many_runs, long_words, many_groups, wide_table])
@both_views
def test_a_view_is_at_most_100_kB(view, make):
    drawn = view(make())
    assert 1000 < len(drawn.encode()) <= 100_000


@pytest.mark.parametrize("make", [flood, crowd, big_cluster, many_runs, many_groups, wide_table])
@both_views
def test_it_says_how_much_was_cut(view, make):
    assert re.search(r"[\d,]+ (earlier lines not shown|more)", view(make()))


@pytest.mark.parametrize("name", RUNS)
@both_views
def test_a_run_says_its_state_in_a_word(view, name):
    assert RUNS[name].state.capitalize() in view(run_card(RUNS[name]))


def test_the_text_of_a_run():
    assert text(run_card(RUNS["running"])).splitlines() == [
        "● Running In[4] · ray_remote · 3 s",
        "  █▒░░░░░░░░░░░░░░░░░░ 120 of 1,797 items · 38 items/s · 44 s left · 2 failed · 4 running",
    ]


def test_a_run_that_waits_says_why():
    assert "Waits for CPU: the cell asks for 2, 1 of 2 is free." in text(run_card(RUNS["pending"]))


@both_views
def test_the_last_lines_of_a_flood_are_kept(view):
    drawn = view(flood())
    assert "00199" in drawn
    assert "00000" not in drawn


def test_html_reads_without_its_styles():
    words = Reader(html(run_card(RUNS["background with output"]))).words
    assert "1,203 of 1,797 items · 1.6 items/s · 6 min 09 s left · 3 failed · 8 running" in words
    assert "stderr retry: connection reset ×12" in words
    assert "1,834 earlier lines not shown" in words


def test_the_output_of_a_single_task_is_open():
    assert "<details open>" in html(run_card(RUNS["running task"]))
    assert "<details>" in html(run_card(RUNS["background with output"]))


def test_what_a_verb_adds_is_between_the_head_and_the_output():
    card = run_card(RUNS["background with output"], Text("of the verb"), stop="Stop all")
    lines = text(card).splitlines()
    assert lines.index("  of the verb") == 2 and "WARNING" in lines[-1]
    assert card.sections[0].stop == "Stop all"
    assert run_card(RUNS["finished"]).sections[0].stop == ""


def test_a_dashboard_that_is_no_web_address_is_no_link():
    assert Reader(html(cluster_card(CLUSTERS["hostile"]))).links == []
    assert Reader(html(cluster_card(CLUSTERS["small"]))).links == ["http://127.0.0.1:8265"]


@pytest.mark.parametrize("state", ["none", "lost"])
@both_views
def test_a_cluster_that_is_not_there_says_so(view, state):
    words = {"none": "%ray_init", "lost": "stopped answering 12 s ago"}
    assert words[state] in view(cluster_card(CLUSTERS[state]))


@both_views
def test_no_runs_say_what_to_type(view):
    assert "%%ray_remote" in view(runs_card(RunsStatus()))


@pytest.mark.parametrize(
    ("cell", "as_text", "as_html"),
    [
        pytest.param("a <b>\n\x1b[31mc", "a <b> c", "a &lt;b&gt; c", id="foreign text"),
        pytest.param(0.123456, "0.1235", "0.1235", id="number"),
        pytest.param(True, "True", "True", id="truth"),
        pytest.param(None, "–", "–", id="nothing"),
        pytest.param(State("failed", "Failed"), "✗ Failed", "Failed", id="state"),
        pytest.param(Link("https://a.b", "docs"), "docs: https://a.b", '<a href="https://a.b"', id="link"),
        pytest.param(Link("javascript:alert(1)", "docs"), "docs: javascript:alert(1)", "docs</span>", id="no link"),
        pytest.param(Curve(((0, 1.0), (1, float("nan")), (2, 3.0))), "▁█", "▁█", id="curve"),
    ],
)
def test_the_cells_of_a_table(cell, as_text, as_html):
    table = Card((Table(("A", "B"), (Row("1", ("x", cell)), Row("2", ("y", "z")))),))
    assert text(table).splitlines()[1].split("  ", 1)[1].strip() == as_text
    assert as_html in html(table) and "javascript" not in html(table)


@both_views
def test_a_column_in_which_no_row_says_anything_is_left_out(view):
    drawn = view(Card((Table(("Kept", "Gone", "Also"), (Row("1", ("", None, 0)), Row("2", ("a", "", 1)))),)))
    assert "Kept" in drawn and "Also" in drawn and "Gone" not in drawn


@both_views
def test_what_only_a_page_can_draw_has_a_still_picture(view):
    card = Card((Special("brushes", {"secret": "of the page"}, still=lambda: (Text("in words"),)),))
    assert "in words" in view(card) and "secret" not in view(card)


@both_views
def test_lines_are_drawn_with_their_last_value(view):
    drawn = view(Card((Plot("Loss", (("train", Curve(((0, 2.0), (1, 1.0)))), ("valid", Curve(())))),)))
    assert "train" in drawn and "█▁" in drawn and "1" in drawn and "valid" not in drawn


def test_a_group_is_folded_where_it_can_be():
    card = Card((Group((Text("inside"),), "2 replicas", opened=False),))
    assert text(card) == "2 replicas\n  inside"
    assert "<details><summary>2 replicas</summary>" in html(card)


@pytest.mark.parametrize(
    ("mime", "data", "drawn"),
    [
        pytest.param("image/png", "aGVsbG8=", True, id="picture"),
        pytest.param("image/svg+xml", "aGVsbG8=", False, id="a type that may run scripts"),
        pytest.param("image/png", '"><script>', False, id="no base64"),
    ],
)
def test_a_picture_is_drawn_if_it_is_one(mime, data, drawn):
    card = Card((Picture(mime, data, "a <cat>"),))
    assert ("<img" in html(card)) is drawn
    assert "a &lt;cat&gt;" in html(card) and "script" not in html(card)
    assert text(card) == "[a <cat>]"


def test_the_data_of_a_picture_does_not_crowd_out_what_follows():
    assert "after it" in html(Card((Picture("image/png", "aGVs" * 100_000, "large"), Text("after it"))))


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
        view = widget.LiveView(run_card(RUNS["running"]), commands.append)
        yield view
        view.close()

    def test_is_html_and_text_too(self, view):
        data, _ = view._repr_mimebundle_()
        seen = re.search(r"Last seen at ([\d:]{8}): running", data["text/plain"])
        assert seen is not None
        assert data["text/html"] == html(run_card(RUNS["running"]).as_seen_at(seen[1]))
        assert "application/vnd.jupyter.widget-view+json" in data

    def test_shows_its_last_card(self, view):
        card = run_card(RUNS["finished"])
        view.update(card)
        assert view.snapshot == card.to_json()
        assert "Finished" in view._repr_mimebundle_()[0]["text/plain"]

    def test_leaves_the_still_card_at_the_end(self, view):
        view.update(card := run_card(RUNS["finished"]))
        assert view.still_bundle() == {"text/html": html(card), "text/plain": text(card)}

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


def test_a_still_picture_of_what_lives_says_when_it_was_taken() -> None:
    status = RunStatus(
        id="1", name="In[3]", verb="ray_remote", state="running", elapsed=4.0, total=60, done=2, running=2
    )
    saved = run_card(status).as_seen_at("14:05:10")
    for shown in (text(saved), html(saved)):
        assert "Last seen at 14:05:10: running" in shown
        assert "2 of 60" in shown and "● Running" not in shown and " left" not in shown


def test_a_still_picture_of_what_has_ended_is_as_it_was() -> None:
    status = RunStatus(id="1", name="In[3]", verb="ray_remote", state="finished", elapsed=4.0, total=60, done=60)
    assert text(run_card(status).as_seen_at("14:05:10")) == text(run_card(status))


def test_the_wait_for_ray_says_what_is_under_way_and_for_how_long() -> None:
    assert text(starting_card("Starting Ray", "", 0.0)) == "● Starting Ray · 0 s"
    assert text(starting_card("Starting Ray", "its node comes up", 41.2)) == "● Starting Ray · its node comes up · 41 s"
    assert text(starting_card("Starting Ray", "did not come up", 41.2, failed=True)).startswith("✗ Starting Ray")
