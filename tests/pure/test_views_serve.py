"""The card of served applications: what is said of them, in which words, and how much of it."""

import json
import re
from dataclasses import replace

import pytest

from ray_magics.verbs.serve import card as serve
from ray_magics.verbs.serve.measurements import elsewhere_note
from ray_magics.verbs.serve.status import Answer, RequestFigures
from ray_magics.views import format as f
from ray_magics.views import html as as_html
from ray_magics.views import text as as_text
from ray_magics.views.card import Special
from tests.pure.test_views import DATA, Reader
from tests.statuses import serve_status

SERVE = json.loads((DATA / "serve.json").read_text())
RUNNING = SERVE["running"]
APP = RUNNING["apps"][0]
CLASSIFIER, SCALER = APP["deployments"]
REPLICA = CLASSIFIER["replicas"][0]
ANSWER = SERVE["answered"]["apps"][0]["answer"]
LONG = "&\"'<>" * 60

every_scenario = pytest.mark.parametrize("name", SERVE)


def text(snapshot):
    return as_text.text(serve.serve_card(serve_status(snapshot)))


def html(snapshot):
    return as_html.html(serve.serve_card(serve_status(snapshot)))


both_views = pytest.mark.parametrize("view", [text, html])


def status(*apps, **changes):
    """The running example with these applications, each of them its own with changes."""
    return {**RUNNING, "apps": [{**APP, **app} for app in apps or [{}]], **changes}


def deployed(*replicas, **changes):
    """An application of one deployment with these replicas."""
    return {"deployments": [{**CLASSIFIER, **changes, "replicas": [{**REPLICA, **replica} for replica in replicas]}]}


def answered(body, **changes):
    return status({"answer": {**ANSWER, "body": body, **changes}})


def words(view, snapshot):
    """What a reader sees, every white space a blank."""
    drawn = view(snapshot)
    if view is html:
        drawn = Reader(re.sub("</(div|pre|td|th|summary)>", r" \g<0>", drawn)).words
    return " ".join(drawn.split())


def flood():
    """One application in which every text is long and grows when escaped."""
    log = [LONG] * 20
    message = f"{LONG}\n" * 300
    parts = {"name": LONG, "message": message, "status": "UNHEALTHY"}
    replica = {"id": LONG, "node": LONG, "state": LONG, "version": "old", "log": log, "lines_cut": 900}
    part = {**deployed(*[replica] * 40)["deployments"][0], **parts}
    part["autoscaling"] = {**SCALER["autoscaling"], "why": LONG * 20}
    answer = {**ANSWER, "body": LONG * 300, "path": LONG, "type": LONG, "cut": 5}
    app = {**parts, "url": f"http://x/{LONG}", "docs": f"http://x/{LONG}", "deployments": [part] * 40, "answer": answer}
    tail = [["stderr", LONG, 3]] * 200
    workers = [{"id": "1", "label": LONG, "lines": 900, "hidden": 700, "tail": tail}] * 40
    return status(app, **dict.fromkeys(["name", "verb", "why", "note", "error", "http", "grpc"], LONG), workers=workers)


def crowd():
    return status(*({"name": f"app {n}"} for n in range(3000)))


def many_deployments():
    return status({"deployments": [{**CLASSIFIER, "name": f"d{n}"} for n in range(3000)]})


def many_replicas():
    return status(deployed(*({"id": f"r{n}"} for n in range(3000))))


@every_scenario
@both_views
def test_every_scenario_is_drawn(view, name):
    drawn = words(view, SERVE[name])
    for app in SERVE[name]["apps"] if name not in ("hostile", "many") else ():
        assert f"{serve.state_of(app['status']).text} {app['name']}" in drawn


def test_foreign_text_is_no_markup():
    reader = Reader(html(SERVE["hostile"]))
    assert reader.tags.isdisjoint({"script", "img"})
    assert "<script>alert(1)</script>" in reader.words


@both_views
def test_foreign_text_brings_no_escape_sequences(view):
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066]", view(SERVE["hostile"]))


@pytest.mark.parametrize("address", ["javascript:alert(4)", "data:text/html,x", "//evil.example/x", "http://[", ""])
def test_what_is_no_web_address_is_no_link(address):
    assert Reader(html(status({"url": address, "docs": address}))).links == []


@pytest.mark.parametrize("make", [flood, crowd, many_deployments, many_replicas])
@both_views
def test_a_view_is_at_most_100_kB_and_says_what_was_cut(view, make):
    drawn = view(make())
    assert len(drawn.encode()) <= 100_000
    assert re.search(r"and [\d,]+ more", drawn)


@both_views
def test_a_flood_still_shows_its_application_and_where_it_is(view):
    drawn = words(view, flood())
    assert "✗ Unhealthy &" in drawn
    assert "ends with this kernel" in drawn
    assert "more not shown" in drawn


@both_views
def test_nothing_served_says_what_to_type(view):
    assert words(view, SERVE["nothing"]).startswith("Nothing is served here. Begin a cell with %%ray_serve")
    assert "Nothing is served" not in words(view, {**SERVE["first"], "apps": []})


@both_views
def test_without_a_run_there_is_no_head_but_its_note_and_error(view):
    drawn = words(view, {**SERVE["all"], "note": "Deployed by another kernel.", "error": "No answer."})
    assert drawn.startswith("Deployed by another kernel. No answer. ✓ Running digits")
    assert "Finished" not in drawn


def test_the_text_of_an_application():
    parts = deployed({"log": ["one", "two"], "lines_cut": 40})
    assert text(status({**parts, "docs": ""})).splitlines() == [
        "✓ Finished digits · ray_serve · 6.8 s",
        "  ████████████████████ 3 of 3 replicas",
        "  ✓ Running digits · http://127.0.0.1:8000/digits · deployed 34 s ago",
        "    12.3 requests/s · p50 3.2 ms · p95 8 ms · p99 12.1 ms · 1% errors · 1,234 requests",
        "    Requests/s ▁▁▁▁▂▃▃▅▅▅▆▇█▇██ 12.3",
        "    Deployment  State      Replicas  Ongoing   Requests/s  p50     p99      Errors  Each takes",
        "    Classifier  ✓ Healthy  1 of 2    3 of 100  12.3        3.2 ms  12.1 ms  1%      0.1 CPU",
        "    Replicas of Classifier: 1 running",
        "      Replica  State      Process              Ongoing  Age",
        "      k3x9ab   ✓ Running  127.0.0.1, pid 4711  3        32 s",
        "      Log of k3x9ab, 42 lines",
        "        (40 earlier lines not shown)",
        "        | one",
        "        | two",
        "  Serve: http://127.0.0.1:8000 · ends with this kernel",
    ]


def test_html_reads_without_its_styles():
    drawn = words(html, RUNNING)
    assert "✓ Running digits http://127.0.0.1:8000/digits · docs · deployed 34 s ago" in drawn
    assert re.search(r"k3x9ab ✓.Running 127.0.0.1, pid 4711 3 32 s", drawn)
    assert "40 earlier lines not shown" in drawn
    assert Reader(html(RUNNING)).links == [APP["url"], APP["docs"]]


@both_views
def test_how_long_it_lasts_is_said(view):
    assert "ends with this kernel" in view(RUNNING)
    assert "gRPC 127.0.0.1:9000 · goes on without this kernel" in view(SERVE["all"])


def test_late_figures_are_called_late():
    assert "figures at most" not in text(RUNNING)
    assert "figures at most 10 s old" in serve.address_text(serve_status(RUNNING), fresh=10.2)


@both_views
def test_an_application_without_a_route_says_so(view):
    drawn = words(view, SERVE["all"])
    assert "worker · not reachable by HTTP" in drawn or "worker not reachable by HTTP" in drawn


@both_views
def test_during_an_update_it_says_which_version_serves(view):
    starting = {"state": "STARTING", "version": "new"}
    old = words(view, status(deployed({"version": "old"}, starting)))
    assert "Old version serving, new version starting." in old
    assert "Old and new version serving until the new one has all its replicas." in words(view, SERVE["updating"])
    assert "version" not in words(view, RUNNING)


@both_views
def test_after_a_failed_update_the_old_version_goes_on_serving(view):
    drawn = words(view, SERVE["broken"])
    assert "The old version goes on serving; the new one did not start." in drawn
    assert "2 of 2, 0 new" in drawn


@both_views
def test_a_failed_deployment_says_why_from_its_begin_to_its_end(view):
    drawn = words(view, SERVE["refused"])
    assert "✗ Deploy failed digits" in drawn
    assert re.search(r"See below for the traceback. (\| )?… 24 lines not shown", drawn)
    assert "FileNotFoundError: [Errno 2] No such file or directory: 'digits.joblib'" in drawn


@both_views
def test_what_was_said_above_is_not_said_again(view):
    part = {**CLASSIFIER, "status": "DEPLOY_FAILED", "message": "It failed twice."}
    said = status({"message": "It failed twice. No more.", "deployments": [part]})
    assert words(view, said).count("It failed twice.") == 1
    assert words(view, {**said, "error": "It failed twice. No more."}).count("It failed twice.") == 1


@both_views
def test_failed_deployments_come_first_among_many(view):
    fine = {**CLASSIFIER, "message": LONG}
    failed = {**CLASSIFIER, "name": "Last", "status": "UNHEALTHY", "message": "no answer"}
    assert re.search(r"Last: (\| )?no answer", words(view, status({"deployments": [*[fine] * 900, failed]})))


@both_views
def test_an_autoscaler_says_what_it_wants_and_why(view):
    drawn = words(view, RUNNING)
    assert "Scaler: 0 to 3 replicas, 2 ongoing requests each; wants 1: 2 ongoing requests a replica wanted" in drawn


@both_views
def test_restarts_and_dead_replicas_are_shown(view):
    drawn = words(view, SERVE["unhealthy"])
    assert "Restarts" in drawn
    assert "✗ Dead" in drawn
    assert "Fatal Python error: Segmentation fault" in drawn


def test_logs_are_folded():
    assert "<details open><summary>Replicas of Classifier: 2 running</summary>" in html(RUNNING)
    assert html(RUNNING).count("<details><summary>Log of") == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("asked", "● POST /digits/predict · asked, no answer yet"),
        ("answered", "✓ POST /digits/predict · 200 · 12 ms · application/json"),
        ("answered_error", "✗ POST /digits/predict · 500 · 31 ms · text/plain"),
        ("failed_answer", "✗ POST /digits/predict · No answer within 60 s."),
    ],
)
@both_views
def test_the_last_request_is_shown_with_its_answer(view, name, said):
    assert f"Last request: {said}" in words(view, SERVE[name])


@pytest.mark.parametrize(
    ("body", "kind", "lines"),
    [
        pytest.param('{"a":[1]}', "application/json", ["{", '  "a": [', "    1", "  ]", "}"], id="JSON"),
        pytest.param('{"a":[1]}', "text/plain", ['{"a":[1]}'], id="text"),
        pytest.param("{oops", "application/json", ["{oops"], id="broken JSON"),
        pytest.param("[" * 50_000, "application/json", ["[" * 50_000], id="deep JSON"),
        pytest.param('"\\ud800x"', "application/json", ['"x"'], id="half a character"),
        pytest.param("", "application/json", [], id="empty"),
    ],
)
def test_an_answer_is_laid_out(body, kind, lines):
    drawn, _ = serve.answer_body(replace(Answer(**ANSWER), body=body, type=kind), 100_000)
    assert drawn == lines


@both_views
def test_a_long_answer_is_cut_and_says_so(view):
    drawn = words(view, answered("x\n" * 60_000, type="text/plain", cut=1024))
    assert re.search("1[01][0-9] KiB more not shown", drawn)
    assert "The answer is empty." in words(view, answered(""))


def test_an_answer_of_more_than_20_lines_is_folded():
    assert "<summary>21 lines</summary>" in html(answered("\n" * 20, type="text/plain"))
    assert "20 lines</summary>" not in html(answered("\n" * 19, type="text/plain"))


@pytest.mark.parametrize(
    ("rates", "drawn"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([3], "", id="one point"),
        pytest.param([0, 0], "", id="no requests"),
        pytest.param([0, 1, 2], "▁▅█", id="from zero"),
        pytest.param([2, 2], "██", id="level"),
        pytest.param([-1, 1, float("nan")], "▁█", id="skips what is no number"),
        pytest.param([1e308, 1e308] * 20, "", id="too much"),
        pytest.param([n // 6 for n in range(120)], "▁▁▂▂▂▃▃▄▄▄▅▅▅▆▆▇▇▇██", id="thinned"),
    ],
)
def test_the_requests_as_bars(rates, drawn):
    curve = serve.request_curve(enumerate(rates))
    assert (f.curve_text(curve, 20) if curve else "") == drawn


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (serve.milliseconds(3.24), "3.2 ms"),
        (serve.milliseconds(0.123), "0.12 ms"),
        (serve.milliseconds(1520.3), "1520 ms"),
        (serve.milliseconds(1e-9), "1e-9 ms"),
        (serve.percent(0), "0%"),
        (serve.percent(0.0123), "1.2%"),
        (serve.percent(1), "100%"),
    ],
)
def test_figures_are_short(said, words):
    assert said == words


def test_unknown_figures_are_left_out():
    assert serve.figures_text(RequestFigures()) == ""
    assert serve.figures_text(RequestFigures(rate=0.0, total=0.0)) == "0 requests/s · 0 requests"


@pytest.mark.parametrize("name", ["running", "all"])
def test_the_page_draws_the_applications_itself(name):
    card = serve.serve_card(serve_status(SERVE[name]))
    [special] = [section for section in card.sections if isinstance(section, Special)]
    assert special.name == "applications"
    assert [app["name"] for app in special.data["apps"]] == [app["name"] for app in SERVE[name]["apps"]]
    assert "workers" not in special.data
    assert bool(card.to_json()["sections"][0]["type"] == "header") is bool(SERVE[name]["id"])


@pytest.mark.parametrize(
    ("own_ip", "note"),
    [
        pytest.param("127.0.0.1", "", id="all on this machine"),
        pytest.param("10.0.0.1", "3 of 3 replicas run on other machines: their logs and", id="all elsewhere"),
    ],
)
def test_a_view_says_of_which_machines_it_knows_nothing(own_ip, note):
    apps = serve_status(RUNNING).apps
    assert elsewhere_note(apps, own_ip).startswith(note) and bool(elsewhere_note(apps, own_ip)) is bool(note)
