"""The card of a search: which trials its text and HTML show, in which order, in which words."""

import json
import re

import pytest

from ray_magics.verbs.tune import card as tune
from ray_magics.verbs.tune.space import make_space, space_assignment
from ray_magics.verbs.tune.status import Trial, choices_of
from ray_magics.views import format as f
from ray_magics.views import html as as_html
from ray_magics.views import text as as_text
from ray_magics.views.card import Curve, Special
from tests.pure.test_views import DATA, Reader
from tests.statuses import tune_status

TUNE = json.loads((DATA / "tune.json").read_text())
RUNNING = TUNE["running"]


def text(snapshot):
    return as_text.text(tune.search_card(tune_status(snapshot)))


def html(snapshot):
    return as_html.html(tune.search_card(tune_status(snapshot)))


both_views = pytest.mark.parametrize("view", [text, html])


def search(trials, **changes):
    """The running example with these trials, each of them its first trial with changes."""
    rows = [{**RUNNING["trials"][0], "id": f"t{n}", "number": n, **trial} for n, trial in enumerate(trials)]
    return {**RUNNING, "trials": rows, "best": "", "best_python": "", "workers": [], **changes}


def losses(*values, **changes):
    return search([{"metrics": [value, 0.5]} for value in values], **changes)


def numbers(run):
    return [trial["number"] for trial in tune.shown_trials(tune_status(run))]


def trial_rows(drawn):
    """The lines of the table in a text, below its head."""
    lines = drawn.splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("  Trial  State"))
    return [line.strip() for line in lines[head + 1 :]]


def crowd():
    """10,000 trials in which every text is long and grows when escaped."""
    long = "&\"'<>" * 60
    names = [f"{n}{long}" for n in range(40)]
    trial = {
        "params": [long] * 40,
        "metrics": [0.5] * 40,
        "node": long,
        "state": "ERROR",
        "error": f"{long}\n" * 300,
        "curve": [[n, n % 7] for n in range(200)],
    }
    words = dict.fromkeys(["name", "verb", "unit", "why", "note", "error", "path", "search", "scheduler"], long * 50)
    tail = [["stderr", long, 3]] * 200
    worker = {"id": "1", "label": long, "lines": 900, "hidden": 700, "tail": tail}
    run = search([trial] * 10_000, params=names, metrics=names, metric=names[0], workers=[worker] * 40, **words)
    return {**run, "best": "t5000", "best_python": long * 100}


@pytest.mark.parametrize("name", TUNE)
@both_views
def test_a_search_says_its_state_its_trials_and_its_path(view, name):
    drawn = Reader(html(TUNE[name])).words if view is html else text(TUNE[name])
    assert TUNE[name]["state"].capitalize() in drawn
    assert f"{TUNE[name]['done']} of {TUNE[name]['total']} trials" in drawn
    assert f"Results: {TUNE[name]['path']}" in drawn


def test_foreign_text_is_no_markup():
    reader = Reader(html(TUNE["hostile"]))
    assert reader.tags.isdisjoint({"script", "img", "svg", "u", "i"})
    assert reader.links == []
    assert "<script>alert(1)</script>" in reader.words


@both_views
def test_foreign_text_brings_no_escape_sequences(view):
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", view(TUNE["hostile"]))


@both_views
def test_10000_long_trials_are_at_most_100_kB(view):
    drawn = view(crowd())
    assert len(drawn.encode()) <= 100_000
    assert re.search(r"and (9,9\d\d|10,000) more", drawn)
    assert "Not shown: 32 parameters, 37 metrics" in drawn
    assert "Results: " in drawn


@both_views
def test_10000_short_trials_show_the_25_best(view):
    run = losses(*(n / 10 for n in range(10_000, 0, -1)))
    assert numbers(run) == list(range(9999, 9974, -1))
    assert "and 9,975 more" in view(run)


def test_the_best_is_first():
    assert numbers(losses(0.3, 0.1, 0.2)) == [1, 2, 0]
    assert numbers(losses(0.3, 0.1, 0.2, mode="max")) == [0, 2, 1]


def test_the_best_that_the_kernel_names_is_first():
    assert numbers(losses(0.3, 0.1, 0.2, best="t2")) == [2, 1, 0]


def test_trials_without_a_number_come_last():
    assert numbers(losses("NaN", None, "-Infinity", 0.5)) == [3, 0, 1, 2]


def test_without_a_metric_trials_stay_in_their_order():
    assert numbers(losses(0.3, 0.1, 0.2, metric="", mode="")) == [0, 1, 2]


def test_failed_trials_are_among_the_shown():
    failed = {"state": "ERROR", "metrics": [None, None], "error": "ValueError: no"}
    run = search([{"metrics": [n, 0.5]} for n in range(100)] + [failed] * 5)
    assert numbers(run) == [*range(22), 100, 101, 102]


def test_the_text_of_a_search():
    assert text(losses(0.25, path="/results", best="t0", best_python="{'lr': 0.0112}")).splitlines()[2:] == [
        "  Trials: 3 running, 2 pending, 2 paused, 5 ended, 1 failed",
        "  Goal: lowest loss · search: random · scheduler: asha",
        "  ★ Best so far: loss 0.25, trial 0",
        "    {'lr': 0.0112}",
        "  Trial  State       lr      model.depth  opt   bias  loss  accuracy  Curve         Iterations  Time  Node",
        "  0 ★    ✓ Finished  0.0112  3            adam  True  0.25  0.5       █▄▂▂▁▁▁▁▁▁▁▁  20          57 s  10.0.0.1",
        "  Results: /results",
    ]


def test_the_best_is_marked_by_a_sign():
    assert trial_rows(text(RUNNING))[0].startswith("3 ★ ")
    assert ">3 ★</td>" in html(RUNNING)
    assert "Best so far: loss 0.0899, trial 3" in html(RUNNING)
    assert "Best: loss 0.1149, trial 6" in text(TUNE["finished"])


@pytest.mark.parametrize("name", ["running", "finished", "NaN"])
def test_the_best_configuration_can_be_copied(name):
    assert TUNE[name]["best_python"] in Reader(html(TUNE[name])).words


@pytest.mark.parametrize(
    ("state", "how", "words"),
    [
        ("PENDING", "", "Pending"),
        ("RUNNING", "", "Running"),
        ("RUNNING", "asked", "Stopping or pausing"),
        ("PAUSED", "", "Paused"),
        ("PAUSED", "held", "Paused"),
        ("TERMINATED", "", "Finished"),
        ("TERMINATED", "early", "Stopped early"),
        ("TERMINATED", "stopped", "Stopped"),
        ("ERROR", "", "Failed"),
        ("NEW_STATE", "", "New state"),
    ],
)
@both_views
def test_a_trial_says_its_state_in_words(view, state, how, words):
    drawn = view(search([{"state": state, "how": how}]))
    assert re.search(rf"(&nbsp;| ){words}(<|  )", drawn)


@both_views
def test_a_failed_trial_says_its_error(view):
    drawn = view(TUNE["failed"])
    assert "Trial 1 failed: ZeroDivisionError: division by zero" in drawn
    assert "Trial 2 failed: ray.exceptions.OutOfMemoryError: Task was killed" in drawn
    assert "step = 1 / (depth - 2)" in drawn


@pytest.mark.parametrize(
    ("error", "head", "lines"),
    [
        pytest.param("ValueError: no", "ValueError: no", 0, id="one line"),
        pytest.param("Traceback:\n  File x\nKeyError: 'a'\n", "KeyError: 'a'", 3, id="traceback"),
        pytest.param("a.OutOfMemory: no\nmore words", "a.OutOfMemory: no", 2, id="words below"),
        pytest.param("x\n" * 100, "x", 10, id="long"),
        pytest.param("", "", 0, id="nothing"),
    ],
)
def test_the_last_lines_of_an_error(error, head, lines):
    said, last = tune.last_lines(error)
    assert (said, len(last)) == (head, lines)


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([0.5], "", id="one point"),
        pytest.param([3, 2, 1], "█▅▁", id="falls"),
        pytest.param([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█", id="rises"),
        pytest.param([1, 1, 1], "▄▄▄", id="level"),
        pytest.param([1, "NaN", "Infinity", None, 2], "▁█", id="skips what is no number"),
        pytest.param([-1e308, 1e308, 1.7e308], "▄▄▄", id="too wide"),
        pytest.param(list(range(200)), "▁▂▂▃▄▄▅▅▆▇▇█", id="thinned"),
    ],
)
def test_the_curve_as_bars(values, drawn):
    trial = {**RUNNING["trials"][0], "curve": [[place, value] for place, value in enumerate(values)]}
    [curve] = [cell for cell in tune.trial_row(tune_status(RUNNING), trial).cells if isinstance(cell, Curve)]
    assert f.curve_text(curve) == drawn


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.123456, "0.1235"),
        (0.5, "0.5"),
        (1e-5, "1e-5"),
        (-0.00012345, "-0.0001234"),
        (12345.678, "12346"),
        (65536, "65536"),
        (20000.0, "20000"),
        (1.5e12, "1.5e12"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_numbers_are_short(value, written):
    assert f.number_text(value) == written


def test_what_is_absent_is_a_dash_and_an_empty_column_is_left_out():
    run = search([{"params": [0.1, None, True, "a"], "node": ""}, {"params": [0.2, 3, False, "b"], "node": ""}])
    assert trial_rows(text(run))[0].split()[3:7] == ["0.1", "–", "True", "a"]
    assert "Node" not in text(run)


def test_the_page_draws_the_trials_itself():
    card = tune.search_card(tune_status(RUNNING))
    [special] = [section for section in card.sections if isinstance(section, Special)]
    assert special.name == "search" and list(special.rows) == RUNNING["trials"]
    assert special.data["params"] == RUNNING["params"] and "trials" not in special.data
    assert card.sections[0].stop == "Stop all"


def test_the_still_picture_is_made_only_when_it_is_drawn(monkeypatch):
    monkeypatch.setattr(tune, "_still", lambda status: pytest.fail("nobody has drawn it"))
    tune.search_card(tune_status(RUNNING)).to_json()


def test_a_page_gets_the_choices_of_a_parameter_as_its_trials_have_them():
    words = (
        "width=choice([32, 16.0])",
        "act=grid_search(['relu', None])",
        "lr=uniform(0, 1)",
        "many=choice(range(51))",
    )
    choices = choices_of(make_space([space_assignment(word, "--space") for word in words], {}))
    assert choices == {"width": [32, 16], "act": ["relu", None]}
    trial = Trial("a", 0, config={"width": 16.0, "act": "relu"}).to_json(choices, ())
    assert all(value in choices[name] for name, value in zip(choices, trial["params"], strict=True))
