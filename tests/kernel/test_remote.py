"""``%%ray_remote`` in real kernels: output in the right cell, interrupts, background runs."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.conftest import DROPPED, Executed, Kernel, wait_for_free_cpus, wait_until


def test_what_a_worker_prints_appears_in_the_launching_cell_in_order(kernel: Kernel) -> None:
    done = kernel.run("%%ray_remote\nimport os\nprint('one')\nos.system('echo two')\nprint('three')")
    assert done.error is None, done.error
    assert "one" in done.stdout and "two" in done.stdout and "three" in done.stdout


def waits_for(gate: Path) -> str:
    """Lines of a cell that wait for a file."""
    return f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.02)\n"


def test_output_is_live(kernel: Kernel, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    cell = kernel.start(f"%%ray_remote\nprint('early', flush=True)\n{waits_for(gate)}print('late')")
    kernel.pump(lambda: "early" in cell.stdout)
    assert cell.msg_id not in kernel.idle
    gate.touch()
    assert kernel.finish(cell).stdout == "early\nlate\n"


def test_three_overlapping_cells_each_keep_their_own_output(kernel: Kernel, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    head = "%%ray_remote --background --into r{0}\nprint('cell {0} begins', flush=True)\n" + waits_for(gate)
    body = head + "for i in range(5):\n    print('cell {0}', i); time.sleep(0.1)\n{0}"
    cells = [kernel.run(body.format(number)) for number in range(3)]
    assert all(cell.error is None for cell in cells)
    kernel.pump(lambda: all(f"cell {number} begins" in shown(cell) for number, cell in enumerate(cells)))
    gate.touch()
    kernel.run("import ray_magics.run.run as runs\nfor run in runs.registry.runs(): run.wait()")
    for number, cell in enumerate(cells):
        assert f"cell {number} 4" in shown(cell)
        assert all(f"cell {other}" not in shown(cell) for other in range(3) if other != number)
    assert kernel.value("(r0, r1, r2)") == "(0, 1, 2)"


def shown(cell: Executed) -> str:
    """All that has come back for a cell, its view included."""
    return str([message["content"] for message in cell.messages])


def test_a_remote_function_and_an_actor_print_under_the_cell_that_called_them(kernel: Kernel) -> None:
    kernel.run(
        "%%ray_remote\ndef square(x):\n    print('square of', x)\n    return x * x\n"
        "class Account:\n    def deposit(self, x):\n        print('deposit of', x)"
    )
    calls = [
        "ray.get(square.remote(3))",
        "ray.get(account.deposit.remote(4))",
        "%%ray_remote\nray.get(square.remote(5))",
    ]
    kernel.run("import ray\naccount = Account.remote()")
    for call, said in zip(calls, ["square of 3", "deposit of 4", "square of 5"], strict=True):
        caller, stranger = kernel.run(call), kernel.start("import time\ntime.sleep(1)")
        kernel.pump(lambda caller=caller, said=said: said in caller.stdout)
        kernel.finish(stranger)
        assert stranger.stdout == ""


def test_an_interrupt_cancels_the_task_and_fails_the_cell(kernel: Kernel) -> None:
    cell = kernel.start("%%ray_remote\nimport time\nprint('started', flush=True)\ntime.sleep(100)")
    kernel.pump(lambda: "started" in cell.stdout)
    kernel.interrupt()
    began = time.monotonic()
    assert kernel.finish(cell).error["ename"] == "RunCancelled"
    assert time.monotonic() - began < 5
    assert "nothing is left running" in cell.error["evalue"]
    assert kernel.value("issubclass(__import__('sys').last_type, KeyboardInterrupt)") == "True"


def test_a_task_that_ignores_the_interrupt_is_forced_by_the_second(kernel: Kernel) -> None:
    deaf = (
        "while True:\n    try:\n        time.sleep(100)\n    except KeyboardInterrupt:\n        print('no', flush=True)"
    )
    cell = kernel.start(f"%%ray_remote\nimport time\nprint('started', flush=True)\n{deaf}")
    kernel.pump(lambda: "started" in cell.stdout)
    kernel.interrupt()
    kernel.pump(lambda: "no" in cell.stdout)
    kernel.interrupt()
    assert kernel.finish(cell).error["ename"] == "RunCancelled"


SLEEPERS = [
    "%%ray_remote\nimport time\ntime.sleep(60)",
    '%%ray_remote --for "i in range(10**9)"\nimport time\ntime.sleep(0.02)',
]


@pytest.mark.parametrize(
    "rounds", [range(12), pytest.param(range(12, 50), marks=pytest.mark.slow)], ids=["some", "more"]
)
def test_interrupts_at_random_moments_leave_nothing_behind(kernel: Kernel, rounds: range) -> None:
    kernel.run("%%ray_remote\n1")
    for round in rounds:
        dice = random.Random(round)
        cell = kernel.start(dice.choice(SLEEPERS))
        kernel.pump(lambda cell=cell: any(m["msg_type"] == "execute_input" for m in cell.messages))
        time.sleep(dice.choice([0, 0.002, 0.01, 0.05, 0.2, 0.7]) * dice.random())
        kernel.interrupt()
        kernel.finish(cell, timeout=30)
        assert kernel.ended(cell) in ("error", DROPPED), f"round {round} went on"
    wait_for_free_cpus()
    assert kernel.value("1 + 1") == "2"
    assert kernel.run("%ray_remote 2 + 2").error is None


def test_a_view_appears_while_it_lasts_and_ends_as_still_html(kernel: Kernel, tmp_path: Path) -> None:
    done = kernel.start(f"%%ray_remote\n{waits_for(tmp_path / 'gate')}")
    kernel.pump(lambda: done.data)
    assert "application/vnd.jupyter.widget-view+json" in done.data[0] and done.msg_id not in kernel.idle
    (tmp_path / "gate").touch()
    kinds = [set(data) for data in kernel.finish(done).data]
    assert kinds[-1] == {"text/html", "text/plain"}
    assert "Finished" in done.data[-1]["text/plain"]


def test_a_quick_cell_shows_no_view(kernel: Kernel) -> None:
    kernel.run("%%ray_remote\n1")
    assert [list(data) for data in kernel.run("%%ray_remote\n40 + 2").data] == [["text/plain"]]


def test_the_connection_ends_after_the_runs_that_use_it(lonely_kernel: Kernel, cluster: str) -> None:
    kernel = lonely_kernel
    assert kernel.run(f"%ray_init {cluster}").error is None
    kernel.run("nap = get_ipython().run_cell_magic('ray_remote', '--background', 'import time\\ntime.sleep(600)')")
    wait_until(lambda: kernel.value("nap.state") == "'running'", 60)
    assert kernel.run("%ray_shutdown").stdout.startswith("Stopped 1 run of this kernel. Disconnected")
    assert kernel.value("(nap.state, type(nap.error).__name__)") == "('cancelled', 'RunCancelled')"
