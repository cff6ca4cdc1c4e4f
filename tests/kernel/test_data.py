"""Datasets in a real kernel: what cells without a magic execute is shown, can be stopped, and has short errors."""

from __future__ import annotations

import time

from tests.conftest import Kernel, wait_for_free_cpus

SLOW = "import time, ray.data\ndef slow(batch):\n    time.sleep({seconds})\n    return batch\n"


def texts(cell: object) -> list[str]:
    return [data.get("text/plain", "") for data in cell.data]  # type: ignore[attr-defined]


def test_a_cell_without_a_magic_shows_what_its_dataset_executes(kernel: Kernel) -> None:
    kernel.run(SLOW.format(seconds=0.2))
    cell = kernel.run("ray.data.range(100, override_num_blocks=10).map_batches(slow).count()")
    kinds = [set(data) for data in cell.data]
    assert "application/vnd.jupyter.widget-view+json" in kinds[0] and {"text/html", "text/plain"} in kinds
    assert cell.error is None and "100" in texts(cell)
    last = [text for text in texts(cell) if "✓ Finished In[" in text][-1]
    assert "MapBatches(slow)" in last and "ray_data" in last
    assert "INFO" not in cell.texts("stderr") and "Progress will be logged" not in cell.texts("stderr")


def test_what_a_transform_prints_lands_in_the_cell_that_consumes(kernel: Kernel) -> None:
    kernel.run("import ray.data\ndef say(row):\n    print('row', row['id'], flush=True)\n    return row")
    kernel.run("ds = ray.data.range(3, override_num_blocks=1).map(say)")
    cell, stranger = kernel.start("n = len(ds.take_all())"), kernel.start("import time\ntime.sleep(1.5)")
    kernel.pump(lambda: all(f"row {i}" in cell.stdout for i in range(3)))
    kernel.finish(stranger)
    assert stranger.stdout == ""


def test_an_error_in_a_cell_without_a_magic_is_short(kernel: Kernel) -> None:
    kernel.run(
        "import ray.data\ndef bad(row):\n    if row['id'] == 3:\n        raise ValueError('bad row')\n    return row"
    )
    cell = kernel.run("ray.data.range(10, override_num_blocks=1).map(bad).materialize()")
    assert cell.error is not None
    text = "\n".join(cell.error["traceback"])
    assert "ValueError: bad row" in text and "line 4, in bad" in text and "Map(bad)" in text
    assert len(text.splitlines()) < 10 and cell.texts("stderr") == ""


def test_an_interrupt_stops_the_line_and_frees_the_cpus(kernel: Kernel) -> None:
    kernel.run(SLOW.format(seconds=60))
    cell = kernel.start("%ray_data unbound = range(10, override_num_blocks=2).map_batches(slow).materialize()")
    kernel.pump(lambda: any("Running" in text or "running" in text for text in texts(cell)))
    kernel.interrupt()
    began = time.monotonic()
    kernel.finish(cell)
    assert cell.error is not None and cell.error["ename"] == "RunCancelled", cell.error
    assert "nothing is left running" in cell.error["evalue"] and time.monotonic() - began < 5
    wait_for_free_cpus(5)
    assert kernel.value("'unbound' in dir()") == "False"


def test_an_interrupt_of_a_plain_cell_frees_the_cpus_too(kernel: Kernel) -> None:
    kernel.run(SLOW.format(seconds=60))
    cell = kernel.start("ray.data.range(10, override_num_blocks=2).map_batches(slow).count()")
    kernel.pump(lambda: any("running" in text for text in texts(cell)))
    kernel.interrupt()
    kernel.finish(cell)
    assert cell.error is not None and cell.error["ename"] == "KeyboardInterrupt"
    wait_for_free_cpus(5)


def test_the_button_of_the_view_stops_a_plain_cell(kernel: Kernel) -> None:
    kernel.run(SLOW.format(seconds=60))
    cell = kernel.start("ray.data.range(10, override_num_blocks=2).map_batches(slow).count()")
    kernel.pump(lambda: any("running" in text for text in texts(cell)))
    ask = kernel.client.session.msg("ray_magics_request", {"action": "stop", "run": newest_run(kernel)})
    kernel.client.control_channel.send(ask)
    kernel.finish(cell, 20)
    assert cell.error is not None and "stopped by the button of its view" in cell.error["evalue"]
    wait_for_free_cpus(5)


def newest_run(kernel: Kernel) -> str:
    """The id of the run that the cell which blocks the kernel has begun, found as a page does: in its view."""
    for number in range(1, 60):
        ask = kernel.client.session.msg("ray_magics_request", {"action": "nothing", "run": str(number)})
        kernel.client.control_channel.send(ask)
        reply = kernel.client.get_control_msg(timeout=20)
        if "No run" in str(reply["content"].get("message", "")):
            break
    return str(number - 1)


def test_a_dataset_as_the_output_of_a_cell_is_a_card_that_executes_nothing(kernel: Kernel) -> None:
    kernel.run("import ray.data")
    cell = kernel.run("ray.data.range(1000).map(lambda row: 1 / 0)")
    [data] = cell.data
    assert (
        set(data) == {"text/html", "text/plain"}
        and "Rows: 1,000" in data["text/plain"]
        and "Map(<lambda>)" in data["text/plain"]
    )


def test_watching_off_leaves_ray_as_it_is(kernel: Kernel) -> None:
    kernel.run("import ray.data\n%ray_data --watch off")
    cell = kernel.run("ray.data.range(100, override_num_blocks=2).count(), __import__('time').sleep(1.2)")
    kernel.run("%ray_data --watch on")
    assert not [data for data in cell.data if "text/html" in data] and cell.error is None
