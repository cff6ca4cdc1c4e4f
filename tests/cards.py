"""The cards that bind Python and TypeScript: ``python -m tests.cards`` writes tests/data/cards.json anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray_magics.run.status import WorkerOutput
from ray_magics.verbs.cluster.card import cluster_card, runs_card
from ray_magics.verbs.serve.card import serve_card
from ray_magics.verbs.train.card import train_card
from ray_magics.verbs.tune.card import search_card
from ray_magics.views.card import (
    Action,
    Button,
    Card,
    Cell,
    Counts,
    Curve,
    Facts,
    Gauge,
    Gauges,
    Group,
    Header,
    Link,
    Log,
    Picture,
    Plot,
    Progress,
    Row,
    State,
    Table,
    Text,
)
from ray_magics.views.run_card import run_card
from tests.statuses import cluster_status, run_status, runs_status, serve_status, train_status, tune_status

DATA = Path(__file__).parent / "data"
FILE = DATA / "cards.json"
MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Card]] = {
    "run": lambda status: run_card(run_status(status)),
    "runs": lambda status: runs_card(runs_status(status)),
    "cluster": lambda status: cluster_card(cluster_status(status)),
    "serve": lambda status: serve_card(serve_status(status)),
    "train": lambda status: train_card(train_status(status)),
    "tune": lambda status: search_card(tune_status(status)),
}
BOUND = {
    "run": (),
    "runs": (),
    "cluster": (),
    "serve": ("running", "all"),
    "train": (),
    "tune": ("running", "empty"),
}  # (): all
NEW_VERB = "a new verb"  # that of tests/pure/test_registry.py, which holds it against this file
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HOSTILE = "<script>alert(1)</script>\x1b[31mred\x1b[0m \u202eevil " + "w" * 300


def examples() -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """The statuses of tests/data by kind and name."""
    return {kind: json.loads((DATA / f"{kind}.json").read_text()) for kind in MAKERS}


def bound_cards() -> dict[str, Card]:
    """Every card of the file but that of a new verb, by name."""
    cards = {"every section": every_section("running", "a name"), "hostile": every_section("failed", HOSTILE)}
    for kind, statuses in examples().items():
        names = BOUND[kind] or tuple(statuses)
        cards |= {f"{kind} {name}": MAKERS[kind](statuses[name]) for name in names}
    return cards


def every_section(state: str, text: str) -> Card:
    """Each type of section and of cell once, all with this text."""
    curve = Curve(((0.0, 3.0), (1.0, 1.5), (2.0, 2.0)))
    link = Link("javascript:alert(1)" if "<" in text else "http://127.0.0.1:8265", text)
    cells: tuple[Cell, ...] = (text, 0.125, State(state, text), link, curve, None)
    actions = (Action("pause", "7", "part"), Action("stop", "7", "part"))
    columns = ("Text", "Number", "State", "Link", "Curve", "Empty")
    worker = WorkerOutput("4711@10.0.0.1", 3, 1, (("stdout", text, 1), ("stderr", "warned", 12)))
    return Card(
        (
            Header(state, text, details=("ray_example", link), elapsed=63.0, run="7", stop="Stop"),
            Progress(state, "batch", 3, 1, 2, 10, 0.5, 12.0),
            Text(text, "notice"),
            Text(text, "muted"),
            Text(text, "error"),
            Text(text),
            Text(text, "strong"),
            Text(f"{{'name': {text!r}}}", "code"),
            Facts((("goal", text), ("", "fast"))),
            Counts("Batches", (("RUNNING", 2), (text, 1), ("FAILED", 0))),
            Gauges((Gauge("CPU", 1, 2), Gauge(text, 1.5e9, 1.6e9, "bytes"))),
            Table(columns, (Row("1", cells, actions), Row("2", ("second", *cells[1:]))), title=text, hidden=3),
            Plot(
                "Loss",
                (("train", curve), (text, Curve(((0.0, 2.0), (1.0, 1.0)), low=0.0)), ("empty", Curve(()))),
                "step",
            ),
            Picture("image/png", PIXEL, text),
            Picture("image/svg+xml", "PHN2Zz4=", text),
            Button(text, Action("show", "data", "1")),
            Group(
                (Header("connected", text), Text(text)),
            ),
            Group((Text(text),), State("failed", text), opened=False),
            Group((Table(("A",), (Row("1", (text,)),)),), text),
            Log((worker,), "7"),
        ),
        f"Run {text}",
    )


def to_json(card: Card) -> Any:
    return json.loads(json.dumps(card.to_json()))


def write() -> None:
    """Writes the cards; that of a new verb stays."""
    cards = {NEW_VERB: json.loads(FILE.read_text())[NEW_VERB], **{n: to_json(c) for n, c in bound_cards().items()}}
    lines = (f"  {json.dumps(name)}: {json.dumps(card)}" for name, card in cards.items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write()
