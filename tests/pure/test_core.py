"""The shared wing, without a cluster: what travels, how output is bounded, how failures read."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_magics.cell.reader import read_cell
from ray_magics.errors import RemoteError, RunCancelled, remote_error, render
from ray_magics.raylib import logs as worker_logs
from ray_magics.run.interrupts import interrupt_calls, interrupts_wait
from ray_magics.run.output import ItemTails, OutputLog, RunOutput, Tail, replay, split_rewritten
from ray_magics.run.registry import Registry
from ray_magics.run.run import Run
from ray_magics.run.status import RunStatus
from ray_magics.ship.captures import find_captures, handled_as_refs
from ray_magics.ship.entrypoint import sources
from ray_magics.ship.objects import fingerprint
from ray_magics.ship.script import code_of, finished
from ray_magics.worker.failure import describe, revive
from ray_magics.worker.output import Archive, Sink, Stream, settle
from ray_magics.worker.values import Packer, load, pack

DATA = Path(__file__).parents[1] / "data"


# --- values ---------------------------------------------------------------------------------------------------------


def travel(namespace: dict[str, Any], *names: str) -> dict[str, Any]:
    packer = Packer(namespace, 2**62)
    for name in names:
        packer.add(name, namespace[name])
    there: dict[str, Any] = {}
    there.update(load(packer.payload, there, (), packer.references))
    return there


def notebook(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)
    return namespace


def test_a_function_is_bound_to_the_readers_namespace() -> None:
    there = travel(notebook("k = 1\ndef f():\n    return k"), "f")
    there["k"] = 9
    assert there["f"]() == 9 and there["f"].__globals__ is there


def test_closures_and_methods_are_bound_too() -> None:
    source = "k = 1\ndef make():\n    return lambda v: v + k\ng = make()\nclass A:\n    def m(self):\n        return k"
    there = travel(notebook(source), "g", "A")
    there["k"] = 5
    assert there["g"](1) == 6 and there["A"]().m() == 5


def test_names_that_functions_read_are_collected() -> None:
    namespace = notebook("def f():\n    return [g(k) for _ in 'a']\ndef g(v):\n    return v\nk = 1")
    packer = Packer(namespace, 2**62)
    packer.add("x", {"deep": [namespace["f"]]})
    assert set(packer.referenced) == {"g", "k"}


def test_what_two_names_share_stays_shared() -> None:
    there = travel(notebook("a = []\nb = [a]"), "a", "b")
    assert there["b"][0] is there["a"]


def test_large_buffers_leave_the_stream_and_small_ones_stay() -> None:
    packer = Packer({}, 100)
    packer.add("large", pickle.PickleBuffer(bytearray(1000)))
    packer.add("small", pickle.PickleBuffer(bytearray(10)))
    assert [buffer.raw().nbytes for buffer in packer.buffers] == [1000]
    assert packer.sizes["large"] > 1000 > packer.sizes["small"]


def test_what_cannot_be_pickled_is_refused_by_name_and_the_rest_is_packed() -> None:
    packer, refused = pack([("a", 1), ("rows", (row for row in ())), ("b", 2)], {}, 2**62)
    assert list(refused) == ["rows"] and load(packer.payload, {}, (), ()) == {"a": 1, "b": 2}


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_fingerprints_are_equal_exactly_for_equal_content(one: bytes, other: bytes) -> None:
    assert (fingerprint(one) == fingerprint(bytearray(other))) == (one == other)


def test_the_fingerprint_of_a_large_buffer_sees_every_part() -> None:
    big = bytearray(2**26 * 2 + 5)
    before = fingerprint(big)
    big[-1] = 1
    assert fingerprint(big) != before


def test_the_island_needs_nothing_of_ours() -> None:
    program = "import sys\n" + "\n".join(
        f"import types; m = types.ModuleType({name!r}); m.__package__ = 'ray_magics.worker'; m.__path__ = []\n"
        f"sys.modules[{name!r}] = m; exec({text!r}, vars(m))"
        for name, text in sources()
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- captures -------------------------------------------------------------------------------------------------------


def test_captures_follow_functions_and_name_what_is_missing() -> None:
    namespace = notebook("import math\ndef f():\n    return g()\ndef g():\n    return k\nk = 1")
    captures = find_captures(read_cell("f() + math.pi + nowhere"), namespace)
    assert {c.name: c.kind for c in captures.found} == {
        "f": "function",
        "math": "module",
        "g": "function",
        "k": "value",
    }
    assert [name.name for name in captures.missing] == ["nowhere"]


def test_builtins_are_captured_only_where_the_notebook_shadows_them() -> None:
    assert find_captures(read_cell("sum(x)"), {"x": 1}).names == ("x",)
    assert find_captures(read_cell("sum(x)"), {"x": 1, "sum": 2}).names == ("sum", "x")


def test_inputs_leave_modules_in() -> None:
    namespace = notebook("import math\na = b = 1")
    assert set(find_captures(read_cell("math.pi + a + b"), namespace, only=["a"]).names) == {"math", "a"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param("ray.get(r)", {"r"}, id="get"),
        pytest.param("ray.get([r, s])", {"r", "s"}, id="list"),
        pytest.param("ray.wait([r], num_returns=1)", {"r"}, id="wait"),
        pytest.param("await r", {"r"}, id="await"),
        pytest.param("r + 1", set(), id="value"),
    ],
)
def test_a_ref_given_to_ray_stays_a_ref(source: str, names: set[str]) -> None:
    assert handled_as_refs(source) == names


# --- output ---------------------------------------------------------------------------------------------------------


def test_output_keeps_its_order() -> None:
    sink = Sink(100, "")
    print("a", file=Stream("stdout", 1, lambda: sink))
    print("b", file=Stream("stderr", 2, lambda: sink))
    print("c", file=Stream("stdout", 1, lambda: sink))
    assert sink.take(last=True) == [("stdout", "a\n"), ("stderr", "b\n"), ("stdout", "c\n")]


def test_a_flood_is_counted_its_end_is_shown_and_all_is_kept(tmp_path: Path) -> None:
    sink = Sink(100, str(tmp_path / "all.log"))
    for number in range(100_000):
        sink.write("stdout", f"line {number}\n")
    events = sink.take(last=True)
    text = "".join(data for kind, data in events if kind == "stdout")
    hidden = next(data for kind, data in events if kind == "hidden")
    assert text.startswith("line 0\n") and text.endswith("line 99999\n")
    assert hidden["lines"] + len(text.split()) // 2 == 100_000
    assert Path(hidden["path"]).read_text().count("\n") == 100_000
    assert (tmp_path / "all.log").stat().st_mode & 0o077 == 0


def test_the_end_of_a_flood_shows_whole_lines() -> None:
    sink = Sink(10, "")
    for number in range(1000):
        print("line", number, file=Stream("stdout", 1, lambda: sink))
    print("no end", end="", file=Stream("stdout", 1, lambda: sink))
    shown = sink.take(last=True)[-1][1]
    assert shown.endswith("line 998\nline 999\nno end\n") and "\nline 982\n" in shown


def test_after_a_flood_output_flows_again() -> None:
    sink = Sink(10, "")
    for number in range(1000):
        sink.write("stdout", f"{number}\n")
    sink.take()
    sink.refilled -= 10
    sink.write("stdout", "calm\n")
    events = sink.take()
    assert events[1] == ("hidden", {"lines": 970, "path": ""})
    assert events[-1][1].endswith("999\ncalm\n")


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        pytest.param("1%\r2%\r3%", "\r3%", id="progress"),
        pytest.param("\r1%\r2%", "\r2%", id="leading"),
        pytest.param("a\r\nb\r\n", "a\r\nb\r\n", id="windows-lines"),
        pytest.param("plain\n", "plain\n", id="plain"),
    ],
)
def test_a_line_rewritten_in_place_travels_once(text: str, settled: str) -> None:
    assert settle(text) == settled


def test_an_archive_that_cannot_be_written_loses_no_run() -> None:
    archive = Archive("/proc/nowhere/x.log")
    archive.write("x" * 2**19)
    archive.close()
    assert archive.path == ""


def test_equal_lines_in_a_row_are_counted() -> None:
    fold = Tail(keep=3)
    fold.add("stdout", "same\nsame\nsame\nother\nopen")
    shown = fold.snapshot("1@n")
    assert shown.tail == (("stdout", "same", 3), ("stdout", "other", 1), ("stdout", "open", 1))


def test_old_lines_are_hidden_and_counted() -> None:
    fold = Tail(keep=2)
    fold.add("stdout", "".join(f"{n}\n" for n in range(10)))
    assert (fold.snapshot("1").lines, fold.snapshot("1").hidden) == (10, 8)


def test_a_log_forgets_its_oldest_part() -> None:
    log = OutputLog(limit=10)
    log.add("w", [("stdout", "a" * 8), ("stdout", "b" * 8)])
    assert log.text() == "bbbbbbbb\n"


def test_replayed_output_is_printed_here(capsys: pytest.CaptureFixture[str]) -> None:
    replay([("stdout", "a\n"), ("stderr", "b\n"), ("hidden", {"lines": 5, "path": ""})], "3")
    captured = capsys.readouterr()
    assert captured.out == "a\n... 5 lines not shown; %ray_logs 3 has all ...\n" and captured.err == "b\n"


# --- failures -------------------------------------------------------------------------------------------------------


def failure(source: str, namespace: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    namespace = {} if namespace is None else namespace
    try:
        exec(compile(source, "<cell>", "exec"), namespace)
    except BaseException as error:
        return describe(error, namespace), namespace
    raise AssertionError("the source does not fail")


def test_an_exception_survives_without_its_constructor() -> None:
    source = "class E(Exception):\n    def __init__(self, a, *, b):\n        super().__init__(a)\n        self.b = b\nraise E(1, b=2)"
    remote, namespace = failure(source, {"__name__": "__main__"})
    revived = revive(remote.pickled, namespace)
    assert type(revived).__name__ == "E" and revived.args == (1,) and revived.b == 2


def test_an_exception_that_cannot_be_pickled_is_still_told() -> None:
    remote, namespace = failure("import threading\nraise ValueError(threading.Lock())")
    error = remote_error(remote, namespace, str)
    assert isinstance(error, RemoteError) and "lock" in str(error)


def test_a_broken_str_does_not_hide_the_failure() -> None:
    remote, _ = failure("class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E", {"__name__": "__main__"})
    assert "E" in remote.title


def test_causes_are_told() -> None:
    source = "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e"
    remote, _ = failure(source)
    lines = render(remote, lambda file: "Cell In[1]" if file == "<cell>" else "")
    assert any("caused by ZeroDivisionError" in line for line in lines)


def test_a_deep_recursion_reads_in_fourteen_lines() -> None:
    remote, _ = failure("def f(n):\n    return f(n + 1)\nf(0)")
    assert len(remote.frames) <= 40
    assert len(render(remote, lambda file: "Cell" if file == "<cell>" else "")) <= 14


@pytest.mark.parametrize(
    "kind", [KeyError, OSError, UnicodeDecodeError, StopIteration, SyntaxError], ids=lambda k: k.__name__
)
def test_errors_of_python_are_caught_by_their_type(kind: type[Exception]) -> None:
    arguments = {"UnicodeDecodeError": "'utf-8', b'x', 0, 1, 'bad'", "OSError": "2, 'no file'"}.get(
        kind.__name__, "'x'"
    )
    remote, namespace = failure(f"raise {kind.__name__}({arguments})")
    with pytest.raises(kind):
        raise remote_error(remote, namespace, str)


# --- runs -----------------------------------------------------------------------------------------------------------


class Counting(Run):
    """A run that ends when it is told to."""

    def __init__(self) -> None:
        super().__init__("In[1]", "test")
        self.cancelled: list[bool] = []

    def submit(self) -> None:
        self.state = "running"

    def handle(self, event: tuple[Any, ...]) -> None:
        if event[0] == "fail":
            raise ValueError("handle")
        self.end(event[0])

    def cancel(self, force: bool) -> None:
        self.cancelled.append(force)
        if force:
            self.end("cancelled")

    def status(self) -> RunStatus:
        return RunStatus(self.id, self.name, self.verb, self.state, self.elapsed)


def test_a_second_stop_is_by_force() -> None:
    run = Counting()
    run.stop()
    run.stop()
    run.drive()
    assert run.cancelled == [False, True] and run.state == "cancelled"


def test_an_error_while_handling_cancels_and_fails_the_run() -> None:
    run = Counting()
    run.post("fail")
    run.drive()
    assert run.state == "failed" and isinstance(run.error, ValueError) and run.cancelled == [True]


def test_a_view_that_cannot_draw_does_no_harm() -> None:
    class Blind:
        def offer(self, status: Callable[[], RunStatus]) -> float:
            raise OSError("no screen")

        def close(self, status: RunStatus) -> None:
            pass

    run = Counting()
    run.view = Blind()
    run.post("finished")
    run.drive()
    assert run.state == "finished"


def test_an_error_of_the_cancel_does_not_hide_the_first() -> None:
    class Stuck(Counting):
        def cancel(self, force: bool) -> None:
            raise ConnectionError

    run = Stuck()
    run.post("fail")
    run.drive()
    assert isinstance(run.error, ValueError)


def test_a_command_that_breaks_is_answered() -> None:
    registry = Registry()
    registry.command_handlers["kitchen"] = lambda *_: 1 // 0  # type: ignore[assignment, return-value]
    answer = registry.command({"action": "cook", "run": "kitchen"})
    assert answer["status"] == "error" and "ZeroDivisionError" in answer["message"]


def test_a_progress_bar_shows_its_last_state_however_long_it_is_rewritten() -> None:
    fold = Tail(5)
    for percent in range(1000):
        fold.add("stderr", f"\r{percent}" + "." * 100)
    assert len(fold.open) < 2001 and fold.snapshot("1").tail == (("stdout", "999" + "." * 100, 1),)
    fold.add("stderr", "x" * 10_000_000)
    assert len(fold.open) <= 2000


def test_an_interrupt_is_a_stop_and_raises_nothing() -> None:
    calls: list[int] = []
    with interrupt_calls(lambda: calls.append(1)):
        signal.raise_signal(signal.SIGINT)
    assert calls == [1] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_comes_as_the_run_ends_still_stops_run_all() -> None:
    class Late(Counting):
        def handle(self, event: tuple[Any, ...]) -> None:
            super().handle(event)
            signal.raise_signal(signal.SIGINT)

    run = Late()
    run.post("finished")
    with pytest.raises(RunCancelled, match="done already"), interrupts_wait():
        run.drive()
    assert run.state == "finished" and run.cancelled == []


def test_an_interrupt_that_stopped_its_run_is_not_told_twice() -> None:
    class Pressed(Counting):
        def submit(self) -> None:
            super().submit()
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    run = Pressed()
    with interrupts_wait():
        run.drive()
    assert run.state == "cancelled" and run.cancelled == [False, True]


def test_waiting_has_a_deadline() -> None:
    run = Counting()
    began = time.monotonic()
    assert not run.wait(0.1) and time.monotonic() - began < 5
    with pytest.raises(TimeoutError):
        run.result(0.05)


def test_the_registry_names_the_runs_there_are() -> None:
    registry = Registry()
    run = Counting()
    registry.add(run)
    assert registry.find(run.id) is run
    with pytest.raises(Exception, match="In\\[1\\]"):
        registry.find("none")


@pytest.mark.parametrize(
    "content",
    [None, 3, "stop", [], {}, {"action": "eval", "run": "1"}, {"action": "stop"}, {"action": "stop", "run": ["1"]}],
    ids=repr,
)
def test_a_command_that_is_none_is_refused(content: object) -> None:
    assert Registry().command(content)["status"] == "error"


def test_a_script_reads_secrets_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_TOKEN", "hunter2-one")
    monkeypatch.setenv("TWO_KEY", "hunter2-two")
    value = {"url": "http://hunter2-one:hunter2-two@host", "password": "swordfish", "n": (1,), "l": ["hunter2-two"]}
    text = code_of(value)
    assert "hunter2" not in text and "swordfish" not in text
    monkeypatch.setenv("PASSWORD", "swordfish")
    assert eval(text, {"os": os}) == value
    inside = f"def f():\n    import os\n\nx = {text}\n"
    assert finished(inside) == f"import os\n{inside}" and finished(finished(inside)) == finished(inside)
    assert finished("x = 1\n") == "x = 1\n"


def test_the_raylets_page_about_a_dead_worker_is_kept_back_while_its_run_tells_it() -> None:
    registry, passed = Registry(), []
    sieve = worker_logs._filtered(passed.append, (), lambda: registry.lately(10))
    page = {"pid": "raylet", "lines": ["A worker died or was killed while executing a task"]}
    sieve(page)
    run = Counting()
    registry.add(run)
    sieve(page)
    run.end("failed")
    sieve(page)
    assert passed == [page]
    run.ended = time.monotonic() - 20
    sieve(page)
    assert passed == [page, page]


def test_rerunning_a_cell_replaces_its_live_run() -> None:
    registry = Registry()
    first = Counting()
    first.cell = "cell-1"
    registry.add(first)
    thread = threading.Thread(target=first.drive)
    thread.start()
    second = Counting()
    second.cell = "cell-1"
    first.cancel = lambda force: first.end("cancelled")  # type: ignore[method-assign]
    registry.add(second)
    thread.join(10)
    assert first.state == "cancelled"


# --- statuses -------------------------------------------------------------------------------------------------------


def test_a_run_shows_no_state_in_a_saved_notebook() -> None:
    from IPython.lib.pretty import pretty

    assert pretty(Run("In[3]", "ray_remote")).endswith(
        "of In[3]: .wait(), .result(), .stop(); %ray_runs shows its state"
    )


def test_the_time_before_the_first_worker_does_not_count() -> None:
    status = RunStatus(
        "1", "In[1]", "v", "running", elapsed=12.0, waited=10.0, unit="item", total=100, done=15, failed=5
    )
    assert status.rate == 10.0 and status.remaining == 8.0


def test_rates_follow_from_facts() -> None:
    status = RunStatus("1", "In[1]", "v", "running", 10.0, unit="item", total=100, done=20)
    assert status.rate == 2.0 and status.remaining == 40.0
    assert RunStatus(**{**asdict(status), "state": "finished", "workers": ()}).remaining is None


REWRITTEN = [
    ([("stderr", "a\n\r10%\r20%")], [("stderr", "a\n")], [("stderr", "\r10%\r20%")]),
    ([("stderr", "\r10%"), ("stdout", "x\n")], [("stderr", "\r10%"), ("stdout", "x\n")], []),
    ([("stdout", "no end")], [("stdout", "no end")], []),
    ([("stderr", "\r100%\n")], [("stderr", "\r100%\n")], []),
    ([("display", {"data": {}})], [("display", {"data": {}})], []),
    ([], [], []),
]


@pytest.mark.parametrize(("events", "ready", "held"), REWRITTEN)
def test_a_line_that_is_rewritten_in_place_is_told_from_what_has_ended(
    events: list[Any], ready: list[Any], held: list[Any]
) -> None:
    assert tuple(map(list, split_rewritten(events))) == (ready, held)


def test_a_bar_appears_once_below_the_view(capsys: pytest.CaptureFixture[str]) -> None:
    output = RunOutput("1", into_cell=True, held_until=10.0)
    output.take("1@a", [("stdout", "start\n"), ("stderr", "\r10%")])
    output.take("1@a", [("stderr", "\r20%")])
    output.print_held(5.0)
    assert capsys.readouterr() == ("start\n", "")
    output.print_held(11.0)
    output.take("1@a", [("stderr", "\r30%")])
    assert capsys.readouterr().err == "\r20%\r30%"


def test_what_was_held_is_printed_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    output = RunOutput("1", into_cell=True, held_until=10.0)
    output.take("1@a", [("stderr", "\r50%")])
    output.print_held()
    assert capsys.readouterr().err == "\r50%"


def test_items_print_in_their_order_whoever_ran_them() -> None:
    tails = ItemTails(keep=4)
    tails.add("1@a", [("item", {"item": 15}), ("stdout", "late\n"), ("item", {"item": 16}), ("stdout", "later\n")])
    tails.add("2@a", [("stdout", "of no item\n"), ("item", {"item": 3}), ("stderr", "first\nsecond\n")])
    items, worker = tails.snapshot()
    assert items.tail == (
        ("stderr", "3: first", 1),
        ("stderr", "3: second", 1),
        ("stdout", "15: late", 1),
        ("stdout", "16: later", 1),
    )
    assert (items.label, items.lines, worker.label) == ("items", 4, "worker 2 on a")
    tails.add("1@a", [("item", {"item": 20}), ("stdout", "newest\n")])
    assert tails.snapshot()[0].tail[-1] == ("stdout", "20: newest", 1) and tails.snapshot()[0].hidden == 1
