"""A verb is one record: a folder that is added to `verbs/` is all it takes, and a broken one harms no other."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import ray_magics
from ray_magics import registry, verbs
from ray_magics.line.completion import complete
from ray_magics.run.registry import registry as runs
from ray_magics.views.html import html
from ray_magics.views.text import text

CARDS = json.loads((Path(__file__).parents[1] / "data" / "cards.json").read_text())

TOY = {
    "__init__": "",
    "magic": """
        from IPython.core.getipython import get_ipython
        from ...line.options import argument, magic, run_options
        from ...line.parsers import name, positive_int

        @magic("ray_toy", kind="line_cell")
        @argument("--times", type=positive_int, metavar="N", help="How often the cell is counted.")
        @argument("--into", type=name, metavar="NAME", help="Bind the count to NAME.")
        @run_options
        def ray_toy(line, cell=None):
            \"\"\"Count the lines of this cell.

                %%ray_toy --times 2
                one line
            \"\"\"
            from .card import toy_card
            from .run import ToyRun
            from ...run.launch import execute_run
            from ...views.show import RunView

            if line.dry_run:
                return print(f"print({len(cell.splitlines())} * {line.times or 1})")
            view = RunView(toy_card, at_once=line.background, quiet=line.quiet)
            return execute_run(ToyRun(cell, line.times or 1), view, line.background)
    """,
    "status": """
        from dataclasses import dataclass
        from ...run.status import RunStatus

        @dataclass(frozen=True)
        class ToyStatus(RunStatus):
            lines: tuple[str, ...] = ()
    """,
    "card": """
        from ...views.card import Card, Curve, Plot, Row, State, Table
        from ...views.run_card import run_card
        from .status import ToyStatus

        def toy_card(status: ToyStatus) -> Card:
            rows = tuple(
                Row(str(number), (line, len(line), State("finished", "Counted")))
                for number, line in enumerate(status.lines)
            )
            lengths = Curve(tuple((number, float(len(line))) for number, line in enumerate(status.lines)))
            return run_card(status, Table(("Line", "Length", "State"), rows), Plot("Length", (("", lengths),)))
    """,
    "run": """
        from ...errors import RunCancelled
        from ...run.run import Run
        from .status import ToyStatus

        class ToyRun(Run):
            def __init__(self, cell, times):
                super().__init__("toy", "ray_toy")
                self.cell_text, self.times = cell, times

            def submit(self):
                self.state = "running"
                if self.times < 100:
                    self.end("finished")

            def cancel(self, force):
                self.end("cancelled", RunCancelled("the toy was stopped"))

            def status(self):
                return ToyStatus(**self.base_fields(), state=self.state, lines=tuple(self.cell_text.splitlines()))

            def value(self):
                return self.times * len(self.cell_text.splitlines())
    """,
    "api": """
        def toy(lines, times=1):
            return times * len(lines)
    """,
    "verb": """
        from ...registry import Verb
        from .magic import ray_toy

        class Thing:
            pass

        def show_thing(thing, printer, cycle):
            printer.text("a thing of the toy")

        VERB = Verb(
            "toy",
            magics=(ray_toy,),
            api={"toy": "api:toy"},
            commands={"toy": lambda action, part, content: "" if action == "wind" else "unknown command"},
            logs=lambda name: "tick" if name == "toy" else None,
            pretty_printers=((__name__, "Thing", show_thing),),
        )
    """,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose folders are verbs, too."""
    monkeypatch.setattr(verbs, "__path__", [*verbs.__path__, str(tmp_path)])
    monkeypatch.setattr(runs, "logs", [*runs.logs])
    monkeypatch.setattr(runs, "command_handlers", {**runs.command_handlers})
    registry.find_verbs.cache_clear()
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith(f"{verbs.__name__}.toy")]:
        del sys.modules[name]
    vars(verbs).pop("toy", None)
    registry.find_verbs.cache_clear()


def write(folder: Path, files: dict[str, str]) -> None:
    (folder / "toy").mkdir()
    for name, source in files.items():
        (folder / "toy" / f"{name}.py").write_text(textwrap.dedent(source))


@pytest.fixture
def ip(_ip: Any, folder: Path) -> Any:
    """The shell, before the toy is loaded."""
    return _ip


def run(ip: InteractiveShell, code: str) -> Any:
    result = ip.run_cell(code)
    result.raise_error()
    return result.result


def test_a_folder_is_all_that_a_verb_takes(ip: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, TOY)
    registry.load(ip)
    assert capsys.readouterr().err == ""
    assert run(ip, "%%ray_toy --times 3 --quiet\na\nb") == 6
    with pytest.raises(UsageError, match="--tims is not an option of %%ray_toy; did you mean --times"):
        run(ip, "%%ray_toy --tims 3\na")
    assert run(ip, "%%ray_toy --dry-run\na\nb") is None and capsys.readouterr().out.endswith("print(2 * 1)\n")
    [verb] = [verb for verb in registry.find_verbs()[0] if verb.name == "toy"]
    assert complete(verb.magics[0], "--t", "--t") == ["--times"]
    assert ray_magics.toy(["a"], times=5) == 5  # type: ignore[attr-defined]
    assert runs.command({"action": "wind", "run": "toy", "part": "spring"}) == {"status": "ok"}
    assert runs.logs_of("toy") == "tick"
    thing = sys.modules[f"{verbs.__name__}.toy.verb"].Thing()
    assert ip.display_formatter.format(thing)[0]["text/plain"] == "a thing of the toy"


def test_a_run_of_a_new_verb_is_known_and_stopped_as_any_other(ip: Any, folder: Path) -> None:
    write(folder, TOY)
    registry.load(ip)
    toy = run(ip, "%%ray_toy --times 100 --background --quiet\na")
    assert toy in runs.live()
    run(ip, f"%ray_stop {toy.id}")
    assert toy.wait(10) and toy.state == "cancelled" and str(toy.error) == "the toy was stopped"


def test_the_card_of_a_new_verb_is_drawn_as_text_html_and_json(
    ip: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """labextension/tests/view.test.ts draws the same JSON."""
    write(folder, TOY)
    registry.load(ip)
    toy = run(ip, "%%ray_toy --background\na\nabc")
    expected = ["✓ Finished toy · ray_toy", "Line  Length  State", "a     1       ✓ Counted", "abc   3       ✓ Counted"]
    drawn = capsys.readouterr().out
    assert all(line in drawn for line in expected)
    card = sys.modules[f"{verbs.__name__}.toy.card"].toy_card(replace(toy.status(), id="1", elapsed=0.5))
    assert text(card).splitlines() == [
        "✓ Finished toy · ray_toy · 0.5 s",
        "  Line  Length  State",
        "  a     1       ✓ Counted",
        "  abc   3       ✓ Counted",
        "  Length ▁█ 3",
    ]
    assert "abc</td>" in html(card) and "Length" in html(card)
    assert json.loads(json.dumps(card.to_json())) == CARDS["a new verb"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param(
            {"__init__": ""}, "ModuleNotFoundError: No module named 'ray_magics.verbs.toy.verb'", id="no record"
        ),
        pytest.param({"__init__": "", "verb": "VERB = 3"}, 'VERB is not a Verb of the name "toy"', id="no Verb"),
        pytest.param({"__init__": "", "verb": "1 / 0"}, "ZeroDivisionError: division by zero", id="it raises"),
        pytest.param(
            {"__init__": "", "verb": "from ...registry import Verb\nVERB = Verb('other')"},
            'VERB is not a Verb of the name "toy"',
            id="of another name",
        ),
        pytest.param(
            {"__init__": "", "verb": "from ...registry import Verb\nVERB = Verb('toy', magic=())"},
            "TypeError: Verb.__init__() got an unexpected keyword argument 'magic'",
            id="a field that there is not",
        ),
    ],
)
def test_a_broken_folder_is_told_in_one_line_and_the_others_work(
    ip: Any, folder: Path, files: dict[str, str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, files)
    registry.load(ip)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("ray_magics: the verb toy cannot be loaded: ") and reason in line
    assert "ray_remote" in ip.magics_manager.magics["cell"] and callable(ray_magics.remote)
    with pytest.raises(AttributeError, match="has no attribute 'toy'"):
        _ = ray_magics.toy  # type: ignore[attr-defined]
