"""How errors of Ray Data read, from the texts that Ray 2.60 hands over; no cluster."""

from __future__ import annotations

import pytest

from ray_magics.raylib.data import OperatorSnapshot
from ray_magics.verbs.data.card import data_card
from ray_magics.verbs.data.failures import data_error, error_lines, failure_of, operator_of
from ray_magics.verbs.data.preview import cell_of
from ray_magics.verbs.data.status import DataStatus, ExecutionStatus
from ray_magics.views.html import html
from ray_magics.views.text import text

UDF = """\x1b[36mray::ReadRange->Map(bad)()\x1b[39m (pid=301, ip=192.0.2.2)
  File "/tmp/notebook/cell.py", line 5, in bad
    if row["id"] == 37: raise ValueError("bad row")
ValueError: bad row

The above exception was the direct cause of the following exception:

\x1b[36mray::ReadRange->Map(bad)()\x1b[39m (pid=301, ip=192.0.2.2)
ray.exceptions.UserCodeException: UDF failed to process a data block.
Failed to apply UDF transform after 1/1 attempts (total backoff 0.0s).
To change retry attempts, backoff, or which errors are retried, configure `ray.data.DataContext.get_current()`."""
CONSTRUCTOR = """The actor died because of an error raised in its creation task, \x1b[36mray::MapWorker(ReadRange->MapBatches(Sub)).__init__()\x1b[39m (pid=305, ip=192.0.2.2, actor_id=c2, repr=MapWorker)
  File "/tmp/notebook/cell.py", line 19, in __init__
    def __init__(self): raise RuntimeError("no model")
RuntimeError: no model"""


class RayTaskError(Exception):
    """Has the name by which Ray's is known."""


class ActorDiedError(RayTaskError):
    pass


def test_the_error_of_a_transform_is_the_users_own() -> None:
    failure = failure_of(RayTaskError(UDF))
    assert failure is not None and (failure.title, failure.type) == ("ValueError: bad row", "ValueError")
    assert [(frame[0], frame[1], frame[2]) for frame in failure.frames] == [("/tmp/notebook/cell.py", 5, "bad")]
    assert operator_of(RayTaskError(UDF)) == "ReadRange->Map(bad)" and failure.where == "301@192.0.2.2"


def test_the_error_of_a_constructor_too() -> None:
    failure = failure_of(ActorDiedError(CONSTRUCTOR))
    assert failure is not None and failure.title == "RuntimeError: no model" and failure.frames[0][1] == 19
    assert operator_of(ActorDiedError(CONSTRUCTOR)) == "ReadRange->MapBatches(Sub)"


def test_only_errors_of_datasets_are_rendered_in_cells_without_a_magic() -> None:
    lines = error_lines(RayTaskError(UDF), label=lambda file: "Cell In[3]")
    assert lines is not None and "ValueError: bad row" in lines[-1] and "Cell In[3], line 5, in bad" in "\n".join(lines)
    assert error_lines(RayTaskError("ray::f() (pid=1, ip=1)\nValueError: x"), label=str) is None


def test_an_error_of_the_line_keeps_its_type_and_is_one_line() -> None:
    error = data_error(NameError("name 'x' is not defined"), {}, str)
    assert isinstance(error, NameError) and error._render_traceback_() == [  # type: ignore[attr-defined]
        "\x1b[31mNameError\x1b[0m: name 'x' is not defined"
    ]
    odd = data_error(UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), {}, str)
    assert "bad" in str(odd) and isinstance(odd, UnicodeDecodeError)
    nearest = data_error(ValueError("the column 'fares' ... The dataset has columns: ['fare', 'city']"), {}, str)
    assert str(nearest).endswith('did you mean "fare"?')


# --- the view

READ = OperatorSnapshot("0", "Read", done=True, rows_out=10, blocks_out=2, seconds=0.5)
SLOW = OperatorSnapshot("1", "Map(<b>x</b>)", rows_in=10, rows_out=4, rows_total=10, tasks=2, queued=3, seconds=4.0)


def status(state: str, *executions: ExecutionStatus, earlier: int = 0, error: str = "") -> DataStatus:
    return DataStatus(
        "1", "In[3]", "ray_data", state, 4.0, unit="block", executions=executions, earlier=earlier, error=error
    )


def test_the_slowest_operator_is_marked_and_hostile_names_are_text() -> None:
    card = data_card(status("running", ExecutionStatus("ds_1", "running", 4.0, (READ, SLOW))))
    assert "Map(<b>x</b>) (slowest)" in text(card) and "4 of 10" in text(card)
    assert "<b>x</b>" not in html(card) and "&lt;b&gt;" in html(card)


def test_what_holds_an_operator_back_is_said_while_it_has_something_to_do() -> None:
    for policy, words in (
        ("ResourceBudget", "CPUs or memory"),
        ("DownstreamCapacity", "the next operator"),
        ("New", "New"),
    ):
        held = OperatorSnapshot("1", "Map", queued=3, waits_for=policy)
        assert words in text(data_card(status("running", ExecutionStatus("d", "running", 1.0, (held,)))))
    idle = OperatorSnapshot("1", "Map", waits_for="ResourceBudget")
    assert "input" in text(data_card(status("running", ExecutionStatus("d", "running", 1.0, (idle,)))))


def test_an_execution_that_failed_says_which_operator() -> None:
    failed = OperatorSnapshot("1", "Map(bad)", tasks_failed=1, tasks=3, queued=5)
    shown = text(data_card(status("failed", ExecutionStatus("d", "failed", 1.0, (SLOW, failed), "ValueError: x"))))
    assert "✗ Failed" in shown and "⊘ Stopped" in shown and "ValueError: x" in shown and "Queued" not in shown


def test_earlier_executions_are_folded_and_counted() -> None:
    ended = ExecutionStatus("d", "finished", 1.5, (READ,))
    shown = text(data_card(status("finished", ended, ended, earlier=40)))
    assert "Finished: 10 rows in 1.5 s" in shown and "40 earlier executions" in shown


def test_spilling_is_warned_of() -> None:
    spilled = OperatorSnapshot("1", "Sort", spilled=5 * 2**30)
    assert "5 GiB did not fit into the object store" in text(
        data_card(status("running", ExecutionStatus("d", "running", 1.0, (spilled,))))
    )


def test_two_hundred_operators_stay_within_a_view() -> None:
    many = tuple(OperatorSnapshot(str(n), f"Map(f{n})", blocks_out=n) for n in range(200))
    shown = text(data_card(status("running", ExecutionStatus("d", "running", 1.0, many))))
    assert "and 140 more" in shown and len(shown.splitlines()) < 70


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "True"),
        (3, 3),
        (0.5, 0.5),
        ("x" * 80, "x" * 40 + "…"),
        ({"a": 1}, "{'a': 1}"),
        (b"ab", "b'ab'"),
    ],
)
def test_a_value_is_cut_to_one_line(value: object, cell: object) -> None:
    assert cell_of(value) == cell


CSV = """\x1b[36mray::ReadCSV->SplitBlocks(4)()\x1b[39m (pid=301, ip=192.0.2.2)
  File "pyarrow/_csv.pyx", line 78, in pyarrow._csv._handle_invalid_row
ValueError: Failed to read CSV file: /tmp/bad.csv. See read_csv() documentation for more details.
Failed to read stream iteratively after 1/10 attempts (total backoff 0.0s).
To change retry attempts, backoff, or which errors are retried, configure `ray.data.DataContext.get_current()`."""


def test_the_error_of_a_file_is_one_line_without_frames_of_compiled_libraries_and_advice() -> None:
    error = data_error(RayTaskError(CSV), {}, str)
    assert str(error) == (
        "ReadCSV->SplitBlocks(4): ValueError: Failed to read CSV file: /tmp/bad.csv. "
        "See read_csv() documentation for more details."
    )


def test_an_operator_that_made_a_dataset_fail_has_failed_although_it_is_done() -> None:
    operator = OperatorSnapshot("1", "ReadCSV", done=True, tasks_failed=1)
    execution = ExecutionStatus("d", "failed", 1.0, (operator,))
    assert "✗ Failed" in text(data_card(status("failed", execution))).split("ReadCSV")[1]
