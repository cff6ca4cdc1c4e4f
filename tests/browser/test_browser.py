"""Live views as a reader meets them: a real JupyterLab and a real Chromium in front of a real kernel and a real cluster.

All notebooks share one kernel, which is connected and has its workers; each test has a notebook of its own.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest

from tests.browser.lab import Notebook, Server, chromium, free_port, new_page
from tests.conftest import has_failed, wait_until

Opener = Callable[..., Notebook]

SLEEPER = """%%ray_remote --num-cpus 2
import time
time.sleep({seconds})
"slept"
"""
FAN_OUT = """%%ray_remote --for "x in range({items})" --chunk 1 --into squares
import time
time.sleep({seconds})
x * x
"""
STEPS = """%%ray_remote --background
import time
for step in range({steps}):
    print("{name} says", step)
    time.sleep(0.1)
"""
SLOW = """
import time
from ray import tune
def slow(config):
    for i in range(600):
        time.sleep(0.1)
        tune.report({"loss": config["x"] / (i + 1)})
"""
QUICK = SLOW.replace("slow", "quick").replace("600", "25")
SEARCH = '%ray_tune slow --space "x=grid_search([3, 1])" --metric loss --mode min --num-cpus 0.1 --into grid'
STOP_ALL = "from ray_magics.run.run import registry; [run.stop() or run.wait(20) for run in registry.live()]"
BLOCK = "import time\ntime.sleep(120)"
WAIT = """
import os, time
while not os.path.exists({gate!r}):
    time.sleep(0.1)
"""
HOSTILE = '<img src=x onerror="alert(1)"> \x1b[31mred\x1b[0m \u202e\u0645\u0631\u062d\u0628\u0627 \U0001f468'


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is still starting, as cluster and Chromium may do beside it."""
    server = Server(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def page(_server: Server) -> Iterator[Any]:
    """The one page of all tests; at its end it must not have asked for anything outside this machine."""
    with chromium() as browser:
        page = new_page(browser)
        yield page
        assert foreign(page.requests) == []


@pytest.fixture(scope="module")
def server(_server: Server, page: Any, cluster: str) -> Server:
    return _server.wait()


@pytest.fixture(scope="module")
def kernels(server: Server) -> list[str]:
    """The kernel that tests share, once there is one; a test that fails takes it along."""
    return []


@pytest.fixture
def kernel(server: Server, kernels: list[str], cluster: str) -> str:
    """A kernel that is connected to the cluster, with one worker that has started."""
    if not kernels:
        kernels.append(server.start_kernel())
        server.execute(kernels[0], f"import os\nos.environ['RAY_ADDRESS'] = {cluster!r}\n%load_ext ray_magics", 120)
        server.execute(kernels[0], "assert get_ipython().run_line_magic('ray_remote', '6 * 7') == 42", 120)
    return kernels[0]


@pytest.fixture
def open_notebook(
    server: Server, page: Any, kernel: str, kernels: list[str], request: pytest.FixtureRequest
) -> Iterator[Opener]:
    """Opens notebooks of these cells; whatever still runs after the test is interrupted."""
    numbers = itertools.count()

    def open_one(*cells: str, place: str = "lab/tree") -> Notebook:
        name = f"{next(_names)}-{next(numbers)}.ipynb"
        server.write(name, *cells)
        server.attach(name, kernel)
        return Notebook(page, server, name).open(place)

    page.complaints.clear()
    yield open_one
    if has_failed(request):
        page.goto("about:blank")
        server.end_kernel(kernels.pop())
        return
    if page.evaluate("() => test.running()"):
        server.interrupt(kernel)
        page.wait_for_function("() => !test.running()")
    server.execute(kernel, STOP_ALL)


_names = itertools.count()


def foreign(requests: list[str]) -> list[str]:
    """The requests that left this machine."""
    hosts = {"127.0.0.1", None}  # None: data: and blob: addresses
    return [url for url in requests if urlsplit(url).hostname not in hosts]


def test_stop_in_the_view_ends_a_blocking_cell(open_notebook: Opener, cluster: str) -> None:
    check_stop(open_notebook(SLEEPER.format(seconds=60)))


def check_stop(notebook: Notebook) -> None:
    notebook.start(0)
    notebook.button(0).wait_for()
    wait_until(lambda: free_cpus() <= 2, what="the task to run")
    clicked = time.monotonic()
    notebook.button(0).click()
    notebook.wait_for(0)
    assert time.monotonic() - clicked < 3
    assert (notebook.error(0) or {})["ename"] == "RunCancelled"
    notebook.sees(0, "Cancelled")
    wait_until(lambda: free_cpus() == 4, 5, "the CPUs to be free again")
    notebook.change(0, SLEEPER.format(seconds=0.1))
    assert notebook.run(0)[-1]["data"] == {"text/plain": "'slept'"}


def free_cpus() -> float:
    import ray

    return float(ray.available_resources().get("CPU", 0.0))


def test_a_fan_out_shows_progress_and_ends_as_still_html(open_notebook: Opener, kernel: str) -> None:
    notebook = open_notebook(FAN_OUT.format(items=40, seconds=0.3))
    notebook.start(0)
    seen = watch_progress(notebook)
    assert len(seen) > 3 and seen == sorted(seen) and seen[-1] <= 40
    notebook.wait_for(0)
    notebook.sees(0, "40 of 40 items")
    saved = notebook.save()
    assert [set(output.data) for output in saved.cells[0].outputs] == [{"text/html", "text/plain"}]
    assert "widgets" not in saved.metadata

    saved.metadata["title"] = "changed by somebody else"
    nbformat.write(saved, notebook.server.path("untrusted.ipynb"))
    notebook.server.attach("untrusted.ipynb", kernel)
    reader = Notebook(notebook.page, notebook.server, "untrusted.ipynb").open(kernel=False)
    assert not reader.is_trusted()
    reader.sees(0, "40 of 40 items")
    assert reader.view(0).count() == 0


def watch_progress(notebook: Notebook) -> list[int]:
    """The values that the progress bar took while the cell ran, as the page itself saw them."""
    bar = notebook.view(0).get_by_role("progressbar")
    bar.wait_for()
    bar.evaluate(
        """bar => {
            const look = () => window.seen.push(Number(bar.getAttribute('aria-valuenow')));
            window.seen = [];
            look();
            new MutationObserver(look).observe(bar, {attributes: true, attributeFilter: ['aria-valuenow']});
        }"""
    )
    notebook.wait_for(0)
    seen = notebook.page.evaluate("window.seen")
    return [value for value in dict.fromkeys(seen) if value]


def test_the_view_is_alive_again_after_a_reload_during_the_cell(open_notebook: Opener, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    notebook = open_notebook('%%ray_remote --for "x in range(8)"' + WAIT.format(gate=str(gate)))
    notebook.start(0)
    notebook.sees_live(0, "0 of 8 items")
    notebook.save()
    notebook.load(kernel=False)
    gate.touch()
    notebook.sees_live(0, "8 of 8 items")
    notebook.sees_live(0, "Finished")


def test_a_background_view_lives_and_stops_while_another_cell_blocks(open_notebook: Opener) -> None:
    notebook = open_notebook(STEPS.format(name="Ann", steps=1000), BLOCK)
    notebook.run(0)
    notebook.start(1)
    notebook.sees_live(0, "Ann says 9")
    assert "Ann says" not in notebook.text(1)
    notebook.button(0).click()
    notebook.sees(0, "Cancelled")
    assert not notebook.has_ended(1)


def test_the_views_of_cluster_and_runs_live_and_stop_while_a_cell_blocks(open_notebook: Opener) -> None:
    notebook = open_notebook(STEPS.format(name="Ann", steps=1000), "%ray_runs", "%ray_status", BLOCK)
    notebook.run(0, 1, 2)
    notebook.start(3)
    notebook.view(2).locator(meter("CPU", "1 of 4")).wait_for()
    notebook.view(1).get_by_role("button").click()
    notebook.sees(1, "Cancelled")
    notebook.sees(0, "Cancelled")
    notebook.view(2).locator(meter("CPU", "0 of 4")).wait_for()
    assert not notebook.has_ended(3)


def meter(name: str, amount: str) -> str:
    return f'[role=meter][aria-label="{name}"][aria-valuetext="{amount}"]'


def test_overlapping_background_cells_keep_their_output_apart(open_notebook: Opener) -> None:
    names = ("Ann", "Bob", "Cem")
    notebook = open_notebook(*(STEPS.format(name=name, steps=20) for name in names))
    notebook.run(0, 1, 2)
    for cell, name in enumerate(names):
        notebook.sees(cell, f"{name} says 9")
    for cell, name in enumerate(names):
        notebook.sees(cell, "Finished")
        text = notebook.area(cell).text_content()
        assert f"{name} says 19" in text
        assert set(re.findall("Ann|Bob|Cem", text)) == {name}


@pytest.mark.slow
def test_a_million_lines_leave_the_page_alive_and_the_document_small(open_notebook: Opener) -> None:
    notebook = open_notebook('%%ray_remote\nfor i in range(1_000_000):\n    print(f"line {i}")\nprint("the", "end")')
    notebook.start(0)
    slowest = 0.0
    while not notebook.has_ended(0):
        asked = time.monotonic()
        notebook.page.evaluate("() => new Promise(requestAnimationFrame)")
        slowest = max(slowest, time.monotonic() - asked)
    assert slowest < 1.0
    assert re.search(r"9\d\d,\d\d\d lines not shown; %ray_logs \d+ has (them|all)", notebook.text(0))
    assert notebook.text(0).endswith("line 999999\nthe end\n")
    notebook.save()
    assert notebook.server.path(notebook.name).stat().st_size < 1_000_000


def test_a_search_from_the_form_is_sorted_and_one_trial_of_it_stopped_while_a_cell_blocks(
    open_notebook: Opener, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    form = f"{SEARCH} --form --storage-path {tmp_path / 'searches'}"
    notebook = open_notebook(SLOW, form, "len(grid)", WAIT.format(gate=str(gate)))
    notebook.run(0, 1)
    notebook.cell(1).get_by_role("button", name="Start", exact=True).click()
    wait_until(lambda: states(notebook) == ["Running"] * 2, 90, "two trials to run")
    assert numbers(notebook) == ["0", "1"]
    notebook.view(1).get_by_role("button", name="x", exact=True).click()
    assert numbers(notebook) == ["1", "0"]

    notebook.start(3)
    clicked = time.monotonic()
    trial(notebook, 1).hover()
    notebook.view(1).get_by_role("button", name="Stop trial 1", exact=True).first.click()
    wait_until(lambda: "Stopped" in trial(notebook, 1).inner_text(), 10)
    assert time.monotonic() - clicked < 4 and states(notebook).count("Running") == 1
    assert not notebook.has_ended(3)
    gate.touch()
    notebook.wait_for(3)

    notebook.save()
    notebook.load()
    wait_until(lambda: states(notebook) == ["Running", "Stopped"], 30, "the reloaded page to show all again")
    notebook.button(1).click()
    wait_until(lambda: "Cancelled" in notebook.area(1).inner_text(), 30, "the search to end")
    assert notebook.run(2)[-1]["data"] == {"text/plain": "2"}
    assert notebook.page.complaints == []


def test_a_search_that_has_ended_keeps_its_live_view_while_the_page_lives(
    open_notebook: Opener, kernel: str, tmp_path: Path
) -> None:
    notebook = open_notebook(QUICK, f"{SEARCH} --storage-path {tmp_path}".replace("slow", "quick"))
    notebook.run(0)
    notebook.start(1)
    wait_until(lambda: len(numbers(notebook)) == 2, 90, "two trials")
    notebook.view(1).get_by_role("searchbox").fill("x>2")
    wait_until(lambda: len(numbers(notebook)) == 1, 10, "the filter")
    notebook.wait_for(1)
    notebook.sees_live(1, "2 of 2 trials")
    assert notebook.view(1).get_by_role("searchbox").input_value() == "x>2" and states(notebook) == ["Finished"]
    notebook.view(1).get_by_role("searchbox").fill("")
    wait_until(lambda: len(numbers(notebook)) == 2, 10, "both trials")
    assert [set(output.data) for output in notebook.save().cells[1].outputs] == [{"text/html", "text/plain"}]

    notebook.load()
    notebook.sees_live(1, "2 of 2 trials")
    assert notebook.page.complaints == []


def test_a_dataset_shows_its_rows_by_a_button_also_while_a_cell_blocks_and_after_a_reload(
    open_notebook: Opener, kernel: str
) -> None:
    make = "%ray_data {name} = range(100, override_num_blocks=2).map(lambda row: {{'half': {half}}})"
    notebook = open_notebook(
        make.format(name="halves", half="row['id'] / 2"), make.format(name="wrong", half="1 / 0"), "halves", BLOCK
    )
    notebook.run(0, 1, 2)
    notebook.start(3)
    notebook.rows_button(0).click()
    notebook.sees_live(0, "4.5")
    notebook.rows_button(1).click()
    notebook.sees_live(1, "ZeroDivisionError: division by zero")
    assert notebook.rows_button(1).is_enabled() and "Map(<lambda>)" in notebook.view(0).inner_text()
    kinds = [set(output.data) for cell in notebook.save().cells[:3] for output in cell.outputs]
    assert kinds == [{"text/html", "text/plain"}] * 3

    notebook.server.interrupt(kernel)
    notebook.wait_for(3)
    notebook.load()
    notebook.rows_button(2).click()
    notebook.sees_live(2, "4.5")
    assert notebook.page.complaints == []


@pytest.mark.slow
def test_one_trial_is_stopped_while_the_cell_blocks(open_notebook: Opener, tmp_path: Path) -> None:
    notebook = open_notebook(SLOW, f"{SEARCH} --storage-path {tmp_path}")
    notebook.run(0)
    notebook.start(1)
    wait_until(lambda: states(notebook) == ["Running"] * 2, 90, "two trials to run")
    trial(notebook, 0).hover()
    notebook.view(1).get_by_role("button", name="Stop trial 0", exact=True).first.click()
    wait_until(lambda: "Stopped" in trial(notebook, 0).inner_text(), 10)
    assert not notebook.has_ended(1)
    notebook.button(1).click()
    notebook.wait_for(1)
    assert (notebook.error(1) or {})["ename"] == "RunCancelled"
    assert "★ Best" in notebook.area(1).inner_text()


def test_an_application_is_tried_from_the_page_while_a_cell_blocks_and_updated(
    open_notebook: Opener, tmp_path: Path
) -> None:
    line = f"%%ray_serve --name page --num-cpus 0.1 --port {free_port()}"
    first = (
        f"{line}\nclass Echo:\n    async def __call__(self, request):\n        return {{'got': await request.json()}}"
    )
    gate = tmp_path / "gate"
    notebook = open_notebook(first, WAIT.format(gate=str(gate)), "%ray_serve --delete page\n%ray_serve --shutdown")
    notebook.run(0)
    wait_until(lambda: "Running" in notebook.area(0).inner_text(), 60, "the application to run")
    notebook.start(1)
    send(notebook, '{"pixel": 7}')
    answer = notebook.view(0).get_by_label("Body of the answer")
    wait_until(lambda: answer.count() and '"pixel": 7' in answer.inner_text(), 20, "the answer")
    assert not notebook.has_ended(1)
    wait_until(lambda: re.search(r"Requests\s+1\b", notebook.area(0).inner_text()), 20, "the figures")
    gate.touch()
    notebook.wait_for(1)

    notebook.change(0, first.replace("'got'", "'heard'"))
    notebook.run(0)
    wait_until(lambda: notebook.view(0).get_by_role("button", name="Send").count(), 60, "the view of the new version")
    send(notebook, "no json")
    wait_until(lambda: "500" in notebook.area(0).inner_text(), 20, "the failure of the request")
    notebook.save()
    notebook.load()
    wait_until(lambda: notebook.view(0).get_by_role("button", name="Send").count(), 30, "the view after a reload")
    notebook.run(2)
    wait_until(lambda: "not served any more" in notebook.area(0).inner_text(), 20, "the note")
    assert notebook.page.complaints == []


def send(notebook: Notebook, body: str) -> None:
    """A POST from the try-it box of the first cell."""
    view = notebook.view(0)
    view.get_by_label("Method").select_option("POST")
    view.get_by_label("Body", exact=True).fill(body)
    view.get_by_role("button", name="Send").click()


def trial(notebook: Notebook, number: int) -> Any:
    """The row of a trial in the search of cell 1."""
    return notebook.view(1).locator("tbody tr").nth(numbers(notebook).index(str(number)))


def numbers(notebook: Notebook) -> list[str]:
    rows = notebook.view(1).locator("tbody tr").all_inner_texts()
    return [re.findall(r"\d+", row)[0] for row in rows]


def states(notebook: Notebook) -> list[str]:
    """The states of the trials, in the order of their rows."""
    words = "Running|Stopped|Pending|Finished|Failed"
    rows = notebook.view(1).locator("tbody tr").all_inner_texts()
    return [(re.findall(words, row) or [""])[0] for row in rows]


def test_hostile_text_is_shown_as_text(open_notebook: Opener, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waiting = WAIT.format(gate=str(gate))
    notebook = open_notebook(
        f"text = {HOSTILE!r}\nclass Item:\n    def __repr__(self): return {HOSTILE!r}\nitems = [Item(), Item()]",
        f"%%ray_remote --background\nprint(text, flush=True){waiting}raise ValueError(text)",
        "%%ray_remote\nprint(text)\nraise ValueError(text)",
        '%%ray_remote --for "item in items"\nprint(item)\nitem.missing',
    )
    notebook.run(0, 1)
    notebook.sees_live(1, "<img src=x")
    gate.touch()
    notebook.run(2, 3)
    notebook.sees(1, "Failed")
    for cell in (1, 2, 3):
        notebook.sees(cell, "<img src=x onerror=")
    assert notebook.page.locator(".jp-Notebook img").count() == 0
    assert notebook.page.complaints == []
    assert not [url for url in notebook.page.requests if url.endswith("/x")]


def test_the_keyboard_reaches_stop_and_everything_has_a_name(open_notebook: Opener) -> None:
    notebook = open_notebook(FAN_OUT.format(items=400, seconds=0.5))
    notebook.start(0)
    view = notebook.view(0)
    button = view.get_by_role("button", name=re.compile(r"^Stop In\[\d+\]$"))
    button.wait_for()
    assert view.get_by_role("region", name=re.compile(r"^Run In\[\d+\]$")).count() == 1
    assert view.get_by_role("progressbar", name=re.compile(r"^Progress of In\[\d+\]$")).count() == 1
    for _ in range(30):
        notebook.page.keyboard.press("Tab")
        if button.evaluate("node => node === document.activeElement"):
            break
    notebook.page.keyboard.press("Enter")
    notebook.wait_for(0)
    notebook.sees(0, "Cancelled")


def test_a_dark_theme_makes_a_dark_view(open_notebook: Opener) -> None:
    notebook = open_notebook(SLEEPER.format(seconds=60))
    notebook.start(0)
    card = notebook.view(0).locator(".ray-magics-card")
    card.wait_for()
    light = brightness(card)
    notebook.set_theme("JupyterLab Dark")
    dark = brightness(card)
    notebook.button(0).click()
    notebook.wait_for(0)
    notebook.set_theme("JupyterLab Light")
    assert light["ground"] > 200 > 100 > light["ink"]
    assert dark["ground"] < 60 < 180 < dark["ink"]


def brightness(card: Any) -> dict[str, int]:
    """Of the card's ground and its text, 0 (black) to 255."""
    colors = card.evaluate("node => [getComputedStyle(node).backgroundColor, getComputedStyle(node).color]")
    ground, ink = (max(map(int, re.findall(r"\d+", color)[:3])) for color in colors)
    return {"ground": ground, "ink": ink}


def test_stop_in_the_view_works_in_notebook_7(open_notebook: Opener, cluster: str) -> None:
    check_stop(open_notebook(SLEEPER.format(seconds=60), place="notebooks"))


def test_nothing_was_asked_of_any_other_machine(page: Any, kernel: str) -> None:
    assert len(page.requests) > 20
    assert foreign(page.requests) == []
