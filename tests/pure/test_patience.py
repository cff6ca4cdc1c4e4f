"""Tests wait longer on a busy machine, and what hangs is found all the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import SLOWEST, Executed, Kernel, Patience, wait_until


def seconds_until_over(load: float) -> float:
    """How long 10 s last where so many processes want each core."""
    now = [0.0]
    patience = Patience(10, clock=lambda: now[0], load=lambda: load)
    while not patience.is_over():
        now[0] += 0.25
    return now[0]


@pytest.mark.parametrize(
    ("load", "seconds"),
    [
        pytest.param(0.0, 10, id="quiet"),
        pytest.param(1.0, 10, id="every core has one process"),
        pytest.param(2.5, 25, id="busy"),
        pytest.param(100.0, 10 * SLOWEST, id="hopeless"),
    ],
)
def test_seconds_pass_slower_while_others_want_the_cores(load: float, seconds: float) -> None:
    assert seconds_until_over(load) == seconds + 0.25


def test_a_condition_that_stays_false_says_what_it_was_and_how_busy_the_machine_is() -> None:
    with pytest.raises(AssertionError, match=r"the tide did not come true in 0.1 s of a quiet machine, .* want a core"):
        wait_until(lambda: False, 0.1, "the tide")


def test_a_late_kernel_says_what_it_has_sent_and_whether_it_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    stream: dict[str, Any] = {"msg_type": "stream", "content": {"name": "stdout", "text": "half way"}}
    kernel = Kernel.__new__(Kernel)
    kernel.cells = {"1": Executed("1", [], "done()"), "2": Executed("2", [stream], "%%ray_remote\nwork()")}
    kernel.idle = {"1"}
    kernel.client = SimpleNamespace(get_iopub_msg=lambda timeout: stream | {"parent_header": {}})
    monkeypatch.setattr(kernel, "cpu_seconds", lambda: 1.5)
    with pytest.raises(AssertionError) as late:
        kernel.pump(lambda: False, timeout=0.05)
    said = str(late.value)
    assert "used 0.0 s of the CPUs" in said and "stream" in said and "'half way'" in said and "work()" in said
    assert "done()" not in said
