"""What Serve's log files tell: requests, rates and latencies from access lines, and the files as they grow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ray_magics.verbs.serve import figures, logs
from ray_magics.verbs.serve.figures import LoggedRequest, RequestMeter, logged_at, parse_access_line, percentile
from ray_magics.verbs.serve.logs import KEPT_LINES, SHOWN_LINES, TAIL_BYTES, LogTail
from ray_magics.verbs.serve.status import RequestFigures

PROXY = "INFO 2026-11-21 10:14:21,904 proxy 10.0.0.7 3f0c9d5e-1b7a-4c7e-8a60-000000000001 -- "
REPLICA = "INFO 2026-11-21 10:14:21,904 digits_Classifier k3x9abcd 3f0c9d5e-1b7a-4c7e-8a60-000000000001 -- "


# --- access lines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        pytest.param(f"{PROXY}GET /digits 200 4.1ms", LoggedRequest("/digits", False, 4.1), id="proxy"),
        pytest.param(f"{PROXY}POST / 307 12ms", LoggedRequest("/", False, 12.0), id="whole milliseconds"),
        pytest.param(
            f"{PROXY}GET /items/{{id}} 404 0.0ms", LoggedRequest("/items/{id}", False, 0.0), id="the client's fault"
        ),
        pytest.param(f"{PROXY}GET /digits 500 80000.5ms", LoggedRequest("/digits", True, 80000.5), id="our fault"),
        pytest.param(f"{PROXY}GET /digits 503 1.0ms", LoggedRequest("/digits", True, 1.0), id="overload"),
        pytest.param(f"{PROXY}WS /chat 1000 5.0ms", LoggedRequest("/chat", False, 5.0), id="web socket"),
        pytest.param(f"{PROXY}127.0.0.1:53412 GET /d 200 4.1ms", LoggedRequest("/d", False, 4.1), id="with the client"),
        pytest.param(
            f"{PROXY}[::1]:53412 GET /d 502 4.1ms", LoggedRequest("/d", True, 4.1), id="with a client of IPv6"
        ),
        pytest.param(
            f"{REPLICA}POST /digits/predict 200 3.8ms", LoggedRequest("/digits/predict", False, 3.8), id="replica"
        ),
        pytest.param(f"{REPLICA}CALL predict OK 0.4ms", LoggedRequest("predict", False, 0.4), id="handle"),
        pytest.param(f"{REPLICA}CALL __call__ ERROR 7.5ms", LoggedRequest("__call__", True, 7.5), id="exception"),
        pytest.param(
            f"{REPLICA}CALL /digits CANCELLED 9.0ms", LoggedRequest("/digits", False, 9.0), id="the client left"
        ),
    ],
)
def test_an_access_line_is_a_request(line: str, request_: LoggedRequest) -> None:
    assert parse_access_line(line) == request_


@pytest.mark.parametrize(
    "line",
    [
        "",
        " -- ",
        f"{REPLICA}Initialized replica.",
        f"{REPLICA}Started executing request 3f0c",
        f"{REPLICA}Request failed.",
        "GET /digits 200 4.1ms",
        f"{PROXY}GET /digits 200 4.1ms, says the user",
        f"{PROXY}GET /digits 200 4.1",
        f"{PROXY}GET /digits 4.1ms",
        f"{PROXY}GET  404 1.0ms",
        f"{PROXY}get /digits 200 4.1ms",
        f"{PROXY}GET /digits 200 -4.1ms",
        f"{PROXY}GET /digits 200 nanms",
        "ValueError: took 200 4.1ms",
    ],
)
def test_any_other_line_is_none(line: str) -> None:
    assert parse_access_line(line) is None


# --- the meter ----------------------------------------------------------------------------------------------------


def ok(ms: float = 1.0) -> LoggedRequest:
    return LoggedRequest("/", False, ms)


FAILED = LoggedRequest("/", True, 1.0)


@pytest.mark.parametrize(
    ("values", "percent", "found"),
    [
        pytest.param([], 50, None, id="nothing"),
        pytest.param([7.0], 99, 7.0, id="one"),
        pytest.param([1.0, 2.0], 50, 1.0, id="two"),
        pytest.param([1.0, 2.0, 3.0], 50, 2.0, id="middle"),
        pytest.param([float(n) for n in range(1, 101)], 95, 95.0, id="of a hundred"),
        pytest.param([float(n) for n in range(1, 101)], 99, 99.0, id="near the end"),
        pytest.param([float(n) for n in range(1, 11)], 99, 10.0, id="of ten"),
        pytest.param([1.0, 2.0], 0, 1.0, id="least"),
        pytest.param([1.0, 2.0], 100, 2.0, id="greatest"),
    ],
)
def test_a_percentile_is_one_of_the_values(values: list[float], percent: float, found: float | None) -> None:
    assert percentile(values, percent) == found


def test_without_requests_there_are_no_latencies_and_no_share_of_errors() -> None:
    assert RequestMeter(100.0).figures(200.0) == RequestFigures(rate=0.0, total=0)


def test_the_figures_of_a_few_requests() -> None:
    meter = RequestMeter(100.0)
    meter.add(120.0, [ok(3.0), ok(1.0), ok(2.0), FAILED])
    assert meter.figures(121.0) == RequestFigures(rate=0.4, p50=1.0, p95=3.0, p99=3.0, errors=0.25, total=4)


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    meter = RequestMeter(0.0)
    for second in range(20, 50):
        meter.add(second, [ok()] * 5)
    assert meter.figures(49.5).rate == 5.0
    assert meter.figures(55.0).rate == 2.0
    assert meter.figures(70.0).rate == 0.0


@pytest.mark.parametrize(("now", "rate"), [(100.1, 4.0), (102.0, 2.0), (140.0, 0.0)])
def test_the_rate_of_a_young_meter_counts_the_seconds_that_it_has(now: float, rate: float) -> None:
    meter = RequestMeter(100.0)
    meter.add(100.05, [ok()] * 4)
    assert meter.figures(now).rate == rate


def test_latencies_and_errors_are_those_of_the_last_minute_and_the_total_is_of_all() -> None:
    meter = RequestMeter(0.0)
    meter.add(10.0, [LoggedRequest("/", True, 900.0)])
    meter.add(69.0, [ok(1.0)])
    assert meter.figures(69.5).p99 == 900.0
    after = meter.figures(71.0)
    assert (after.p99, after.errors, after.total) == (1.0, 0.0, 2)


def test_a_flood_is_counted_and_its_latencies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_MAX_REQUESTS", 50)
    meter = RequestMeter(0.0)
    meter.add(100.0, [ok()] * 1000)
    assert len(meter.recent) == 50 and meter.figures(100.0).total == 1000


def test_the_history_has_one_entry_a_second_and_leaves_out_the_present_one() -> None:
    meter = RequestMeter(10.2)
    meter.add(11.1, [ok()] * 2)
    meter.add(11.9, [ok()])
    meter.add(13.5, [ok()])
    assert meter.history(13.9) == ((-3, 0), (-2, 3), (-1, 0))


def test_the_history_is_a_minute_long() -> None:
    meter = RequestMeter(0.0)
    for second in range(500):
        meter.add(second + 0.5, [ok()])
    history = meter.history(500.0)
    assert history[0] == (-60, 1) and history[-1] == (-1, 1) and len(history) == 60
    assert meter.history(10_000.0) == tuple((ago, 0) for ago in range(-60, 0))


def test_seconds_without_requests_take_no_place() -> None:
    meter = RequestMeter(0.0)
    for second in range(1000):
        meter.add(second, [])
    assert not meter.per_second and meter.history(0.9) == ()


# --- files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "replica.log"


@pytest.fixture
def more(file: Path) -> Callable[[bytes], None]:
    """Writes on at the end of the file."""

    def write(data: bytes) -> None:
        with file.open("ab") as opened:
            opened.write(data)

    return write


More = Callable[[bytes], None]


def test_a_look_has_the_lines_since_the_last(file: Path, more: More) -> None:
    more(b"one\ntwo\n")
    tail = LogTail(str(file), from_end=False)
    assert not tail.was_read and tail.read() == ["one", "two"] and tail.was_read
    assert tail.read() == []
    more(b"\nthree\n")
    assert tail.read() == ["", "three"]


def test_a_line_that_is_being_written_is_told_when_it_is_whole(file: Path, more: More) -> None:
    tail = LogTail(str(file), from_end=False)
    found = []
    for piece in (b"on", b"e\ntw", b"o", b"\n"):
        more(piece)
        found.append(tail.read())
    assert found == [[], ["one"], [], ["two"]]


def test_a_character_that_is_being_written_is_not_broken(file: Path, more: More) -> None:
    tail = LogTail(str(file), from_end=False)
    first, second = "größe\n".encode()[:3], "größe\n".encode()[3:]
    more(first)
    assert tail.read() == []
    more(second)
    assert tail.read() == ["größe"]


def test_bytes_that_are_no_text_do_not_stop_it(file: Path, more: More) -> None:
    more(b"\xff\xfe\x00\nfine\n")
    assert LogTail(str(file), from_end=False).read() == ["\ufffd\ufffd\x00", "fine"]


def test_a_missing_file_has_no_lines_until_it_is_there(file: Path, more: More) -> None:
    tail = LogTail(str(file), from_end=True)
    assert tail.read() == [] and not tail.exists
    more(b"one\n")
    assert tail.read() == ["one"] and tail.exists


def test_no_path_is_a_missing_file() -> None:
    tail = LogTail("", from_end=False)
    assert tail.read() == [] and not tail.exists


def test_an_empty_file_is_here(file: Path, more: More) -> None:
    more(b"")
    assert LogTail(str(file), from_end=False).exists


def test_a_file_that_goes_away_has_no_more_lines(file: Path, more: More) -> None:
    more(b"one\n")
    tail = LogTail(str(file), from_end=False)
    tail.read()
    file.unlink()
    assert tail.read() == [] and tail.exists


def test_a_file_that_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert LogTail(str(tmp_path), from_end=False).read() == []


def test_a_file_that_took_its_place_is_read_from_its_beginning(file: Path, more: More) -> None:
    more(b"a long first line\nand a torn")
    tail = LogTail(str(file), from_end=False)
    tail.read()
    os.replace(file, file.with_suffix(".1"))
    more(b"new\n")
    assert tail.read() == ["new"]


def test_of_an_old_file_the_end_is_read_from_its_next_line_on(file: Path, more: More) -> None:
    for number in range(2000):
        more(b"line %05d of an old file\n" % number)
    lines = LogTail(str(file), from_end=True).read()
    assert lines[-1] == "line 01999 of an old file" and len(set(map(len, lines))) == 1
    assert TAIL_BYTES - 50 < sum(len(line) + 1 for line in lines) <= TAIL_BYTES


def test_a_short_old_file_is_read_whole(file: Path, more: More) -> None:
    more(b"one\ntwo\n")
    assert LogTail(str(file), from_end=True).read() == ["one", "two"]


def test_a_torn_line_stays_hidden_until_it_ends(file: Path, more: More) -> None:
    more(b"x" * (TAIL_BYTES + 100))
    tail = LogTail(str(file), from_end=True)
    assert tail.read() == []
    more(b" end of the torn line\nwhole\n")
    assert tail.read() == ["whole"]


def test_an_old_file_that_is_replaced_before_it_was_read_loses_no_line(file: Path, more: More) -> None:
    more(b"old\n" * TAIL_BYTES)
    tail = LogTail(str(file), from_end=True)
    file.write_bytes(b"first\nsecond\n")
    assert tail.read() == ["first", "second"]


def test_what_comes_faster_than_it_can_be_read_is_skipped(
    file: Path, more: More, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_READ", 25)
    more(b"half a line")
    tail = LogTail(str(file), from_end=False)
    tail.read()
    more(b"".join(b"line %03d\n" % number for number in range(100)))
    assert tail.read() == ["line 098", "line 099"]
    more(b"line 100\n")
    assert tail.read() == ["line 100"]


def test_only_the_end_is_shown_with_the_number_of_lines_before_it(file: Path) -> None:
    tail = LogTail(str(file), from_end=False)
    assert tail.last_lines() == ([], 0)
    tail.keep([f"line {number}" for number in range(SHOWN_LINES)])
    assert tail.last_lines() == ([f"line {number}" for number in range(SHOWN_LINES)], 0)
    tail.keep(["more"])
    lines, before = tail.last_lines()
    assert lines[-1] == "more" and len(lines) == SHOWN_LINES and before == 1


def test_long_lines_are_cut_where_they_are_shown_and_kept_whole(file: Path) -> None:
    tail = LogTail(str(file), from_end=False)
    tail.keep(["x" * 9000])
    assert tail.last_lines() == (["x" * 500], 0) and len(tail.lines[0]) == 9000


@pytest.mark.parametrize(
    "pieces", [[KEPT_LINES + 5], [KEPT_LINES, 5], [5] * (KEPT_LINES // 5 + 1)], ids=["once", "twice", "often"]
)
def test_lines_that_are_not_kept_any_more_are_counted(file: Path, pieces: list[int]) -> None:
    tail = LogTail(str(file), from_end=False)
    for count in pieces:
        tail.keep(["x"] * count)
    assert len(tail.lines) == KEPT_LINES and tail.last_lines()[1] == KEPT_LINES + 5 - SHOWN_LINES


def test_a_line_tells_when_it_was_written_in_the_time_of_this_machine() -> None:
    now = int(time.time())
    line = time.strftime("INFO %Y-%m-%d %H:%M:%S,123 proxy 10.0.0.1 -- GET / 200 5.3ms", time.localtime(now))
    assert logged_at(line) == now and logged_at("Traceback (most recent call last):") == logged_at("") == 0.0
