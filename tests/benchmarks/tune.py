"""What a search costs beside the plain Tuner, and what 10,000 trials cost kernel, wire and page."""

from __future__ import annotations

import json
import math
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray_magics.verbs.tune.card import search_card
from ray_magics.views.card import Card
from tests.benchmarks.bench import Bench, Kernel, show
from tests.benchmarks.measure import Row, Times, figure, interleave, seconds, share
from tests.statuses import tune_status

STATIC = Path(__file__).parents[2] / "ray_magics" / "static"
TRAIN = """
from ray import tune
def short(config):
    return {{"loss": config["x"] ** 2}}
def plain():
    config = tune.TuneConfig(metric="loss", mode="min", num_samples={trials}, reuse_actors=True)
    run = tune.RunConfig(storage_path={folder!r}, verbose=0)
    return tune.Tuner(short, param_space={{"x": tune.uniform(-1, 1)}}, tune_config=config, run_config=run).fit()
"""
OURS = '%ray_tune short --space "x=uniform(-1, 1)" --metric loss --mode min --num-samples {trials} --reuse-actors '
PATIENT = """
import time
def patient(config):
    for i in range(600):
        time.sleep(0.1)
        tune.report({"loss": i})
def stop_one():
    run = get_ipython().run_line_magic("ray_tune", LINE)
    while not any(t.iterations for t in run.table.trials.values()): time.sleep(0.02)
    key = next(key for key, t in run.table.trials.items() if t.iterations)
    began = time.perf_counter()
    registry.command({"action": "stop", "run": run.id, "part": key})
    while run.table.trials[key].state != "TERMINATED": time.sleep(0.005)
    taken = time.perf_counter() - began
    run.stop()
    run.wait(60)
    return taken
"""
MANY = """
import time
from ray_magics.verbs.tune.trial_table import TrialTable
from ray_magics.verbs.tune.status import TuneStatus
from ray_magics.verbs.tune.card import search_card
from ray_magics.views.show import RunView
table = TrialTable(("lr", "width"), "loss", "min")
def report(number, iteration):
    table.report(f"a_{number:05}", {"loss": 1 / (iteration + number % 7), "accuracy": 0.5, "training_iteration": iteration,
                                    "time_total_s": 1.5 * iteration, "node_ip": "10.0.0.1"}, True)
for number in range(10_000):
    table.add(f"a_{number:05}", {"lr": number * 1e-5, "width": 16}, "TERMINATED")
    for iteration in range(1, 21): report(number, iteration)
def status():
    return TuneStatus("1", "train", "ray_tune", "running", time.monotonic(), unit="trial", total=12_000, metric="loss",
        mode="min", params=table.params, metrics=table.metrics, states=table.counts(), rows=table.to_rows())
view = RunView(search_card, at_once=True)
"""
STEADY = """
taken = []
for beat in range(40):
    for number in range(25 * beat, 25 * beat + 25): report(number % 100, 20 + beat)
    began = time.perf_counter()
    view.next_update = 0
    view.offer(status)
    taken.append(time.perf_counter() - began)
    time.sleep(max(0.25 - taken[-1], 0))
"""


def run(bench: Bench) -> Iterator[Row]:
    with bench.kernel() as kernel:
        yield show(bench, beside_plain(bench, kernel))
        yield show(bench, to_stop_one(bench, kernel))
    with bench.kernel() as kernel:
        yield from on_the_wire(bench, kernel)
    yield from in_the_page(bench)


def beside_plain(bench: Bench, kernel: Kernel) -> Row:
    """200 short trials, with the view open; workers are reused, so that the search and not Python's start is timed."""
    trials, folder = bench.rounds(200, 50), tempfile.mkdtemp(prefix="ray-magics-tune-")
    kernel.run(TRAIN.format(trials=trials, folder=folder))
    ours = OURS.format(trials=trials) + f"--storage-path {folder};"
    ways = {"ours": lambda: kernel.run(ours), "plain": lambda: kernel.run("plain();")}
    taken = interleave(ways, bench.rounds(5, 1))
    return share(f"{trials} short trials, view open", taken["ours"], "Tuner.fit()", taken["plain"], at_most=0.03)


def to_stop_one(bench: Bench, kernel: Kernel) -> Row:
    """From the click's command to the trial's end; the trial reports ten times a second."""
    line = f'patient --space "x=3" --metric loss --mode min --background --storage-path {tempfile.mkdtemp()}'
    kernel.run(f"from ray_magics.run.run import registry\nLINE = {line!r}\n{PATIENT}")
    taken = [kernel.number("stop_one()") for _ in range(bench.rounds(5, 2))]
    return figure("stop of one trial, slowest", max(taken), 2.0, seconds, f"median {seconds(Times(taken).median)}")


def on_the_wire(bench: Bench, kernel: Kernel) -> Iterator[Row]:
    """10,000 trials of 20 reports, a hundred of them at work, each with one report a second, for ten seconds."""
    kernel.run(MANY)
    first = kernel.run("view.offer(status);")
    yield show(bench, figure("10,000 trials, the first picture", first.bytes / 1e6, None, lambda mb: f"{mb:.1f} MB"))
    steady = kernel.run(STEADY)
    rate = steady.bytes / steady.seconds
    text = "100 trials at work, a report a second each"
    yield show(bench, figure("10,000 trials, bytes a second", rate, 50_000, lambda b: f"{b / 1000:.1f} kB/s", text))
    cost = kernel.number("sorted(taken)[len(taken) // 2]")
    yield show(bench, figure("  an update in the kernel", cost, None, seconds))


# --- the page -------------------------------------------------------------------------------------------------------

OPEN = """async ([js, css, whole]) => {
  const style = document.createElement('style'); style.textContent = css; document.head.append(style);
  const trials = whole.sections.find(({ key }) => key).rows;
  const head = { ...whole, sections: whole.sections.map(({ rows, ...section }) => section) };
  const state = { snapshot: head, rows: { search: { seq: 0, rows: Object.fromEntries(trials.map(t => [t.id, t])) } } };
  const calls = [];
  window.model = {
    get: name => state[name], on: (event, call) => calls.push([event, call]), off: () => {}, send: () => {},
    fire(event, ...rest) { for (const [name, call] of [...calls]) if (name === event) call(...rest); },
    set(next) { state.snapshot = next; this.fire('change:snapshot'); },
  };
  window.head = head; window.trials = trials; window.seq = 0;
  const module = await import(URL.createObjectURL(new Blob([js], { type: 'text/javascript' })));
  const began = performance.now();
  module.default.initialize({ model });
  module.default.render({ model, el: document.getElementById('out') });
  document.body.offsetHeight;
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""
UPDATE = """async () => {
  const rows = Array.from({ length: 50 }, (_, i) => {
    const { curve, ...row } = trials[(window.seq * 50 + i) % trials.length];
    const next = row.iterations + 1;
    trials[(window.seq * 50 + i) % trials.length] = { ...row, curve, iterations: next };
    return { ...row, iterations: next, metrics: [Math.random(), 0.5], more: [[next, Math.random()]] };
  });
  window.seq += 1;
  const began = performance.now();
  const [first, ...rest] = head.sections;
  model.set({ ...head, sections: [{ ...first, elapsed: first.elapsed + window.seq }, ...rest] });
  model.fire('msg:custom', { table: 'search', rows, seq: window.seq });
  document.body.offsetHeight;
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""


def in_the_page(bench: Bench) -> Iterator[Row]:
    """The same number of trials in Chromium: the first picture, then 50 changed rows at a time, until both are drawn."""
    from tests.browser.lab import chromium

    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1000, "height": 1200})
        page.set_content("<!doctype html><body><div id=out></div></body>")
        files = [(STATIC / name).read_text("utf-8") for name in ("widget.js", "widget.css")]
        first = page.evaluate(OPEN, [*files, json.loads(json.dumps(card(10_000).to_json()))]) / 1000
        page.wait_for_timeout(2000)
        taken = []
        for _ in range(bench.rounds(40, 10)):
            taken.append(page.evaluate(UPDATE) / 1000)
            page.wait_for_timeout(250)
    yield show(bench, figure("10,000 trials in Chromium, first picture", first, None, seconds))
    text = f"slowest of {len(taken)}: {seconds(max(taken))}"
    yield show(bench, figure("  50 changed rows, median", Times(taken).median, 0.05, seconds, text))


def card(trials: int) -> Card:
    """A search in the middle of its work, with 20 points to a curve."""
    known = json.loads((Path(__file__).parents[1] / "data" / "tune.json").read_text("utf-8"))["running"]
    dice = random.Random(1)
    rows = [_row(number, trials, dice) for number in range(trials)]
    states = [["RUNNING", 10], ["TERMINATED", trials - 10]]
    changes = {"trials": rows, "total": trials + 2000, "best": rows[0]["id"], "states": states, "workers": []}
    return search_card(tune_status({**known, **changes}))


def _row(number: int, trials: int, dice: random.Random) -> dict[str, Any]:
    lr, depth = 10 ** dice.uniform(-5, -1), dice.randint(2, 10)
    goal = 0.1 + 0.08 * abs(math.log10(lr) + 2.5) + dice.random() * 0.05
    curve = [[step, round(goal + 0.6 * math.exp(-step / 4), 4)] for step in range(1, 21)]
    return {
        "id": f"a1b2_{number:05}", "number": number, "how": "", "params": [lr, depth, dice.choice(["adam", "sgd"]), True],
        "state": "RUNNING" if number >= trials - 10 else "TERMINATED", "metrics": [curve[-1][1], 0.5], "iterations": 20,
        "seconds": 50.0, "node": "10.0.0.1", "checkpoint": True, "error": "", "curve": curve,
    }  # fmt: skip
