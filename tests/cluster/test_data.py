"""``%ray_data`` on a real cluster, in this process' own shell."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from IPython.core.error import UsageError

from ray_magics.errors import RayMagicsError, RemoteError, RunTimeout
from ray_magics.run.registry import registry
from ray_magics.verbs.data.run import DataRun
from tests.conftest import Shell, wait_until

Capture = pytest.CaptureFixture[str]


def test_a_line_makes_a_dataset_and_executes_nothing(notebook: Shell, tmp_path: Path, capsys: Capture) -> None:
    pd.DataFrame({"fare": [1.0, 2.0, 3.0], "name": ["a", "b", "c"]}).to_parquet(tmp_path / "trips.parquet")
    notebook.run(
        f"folder = {str(tmp_path)!r}\ndef touch(batch):\n    open(folder + '/touched', 'a').close()\n    return batch"
    )
    notebook.run("%ray_data ds = read_parquet(folder + '/trips.parquet').map_batches(touch)")
    assert not (tmp_path / "touched").exists()
    assert (
        "lazy: nothing has been executed for it" in (shown := capsys.readouterr().out) and "MapBatches(touch)" in shown
    )
    assert notebook.run("%ray_data ds.filter(expr=col('fare') > 1).count()") == 2
    assert (tmp_path / "touched").exists()


def test_what_is_known_is_shown_and_a_preview_is_bounded(notebook: Shell, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "seen").mkdir()
    notebook.run(
        f"folder = {str(tmp_path / 'seen')!r}\n"
        "def see(row):\n    open(f\"{folder}/{row['id']}\", 'w').close()\n    return {**row, 'half': row['id'] / 2}\n"
        "%ray_data ds = range(1000, override_num_blocks=50).map(see)"
    )
    assert "Rows: 1,000" in capsys.readouterr().out
    notebook.run("%ray_data --rows 4 ds")
    out = capsys.readouterr().out
    assert "id  half" in out and "3   1.5" in out
    assert 4 <= len(list((tmp_path / "seen").iterdir())) < 1000


def test_tuples_are_bound_and_their_parts_are_datasets(notebook: Shell) -> None:
    notebook.run("%ray_data train, valid = range(100).train_test_split(test_size=0.3)")
    assert (notebook.ns["train"].count(), notebook.ns["valid"].count()) == (70, 30)


CELLS = {
    "map_batches": ("batch['y'] = batch['x'] * factor", "[{'x': 1, 'y': 3}, {'x': 2, 'y': 6}]"),
    "map": ("{**row, 'y': row['x'] * factor}", "[{'x': 1, 'y': 3}, {'x': 2, 'y': 6}]"),
    "filter": ("row['x'] * factor > 5", "[{'x': 2}]"),
    "flat_map": ("[row] * row['x']", "[{'x': 1}, {'x': 2}, {'x': 2}]"),
    "map_groups --key x": ("{'x': [group['x'][0]], 'n': [len(group['x'])]}", "[{'x': 1, 'n': 1}, {'x': 2, 'n': 1}]"),
}


@pytest.mark.parametrize("operation", CELLS)
def test_a_cell_is_the_transform(notebook: Shell, operation: str) -> None:
    code, rows = CELLS[operation]
    notebook.run("factor = 3\nimport ray.data\nds = ray.data.from_items([{'x': 1}, {'x': 2}], override_num_blocks=1)")
    notebook.run(f"%%ray_data ds --into out --op {operation} --quiet\n{code}")
    notebook.run("factor = 100")  # the cell has read the notebook when it ran
    assert sorted(notebook.ns["out"].take_all(), key=lambda row: row["x"]) == eval(rows)


def test_a_class_is_made_once_an_actor(notebook: Shell) -> None:
    notebook.run("%ray_data ds = range(40, override_num_blocks=4)")
    notebook.run(
        "%%ray_data ds --into out --concurrency 1 --batch-size 5 --fn-constructor-kwargs \"{'step': 2}\" --quiet\n"
        "import os\n"
        "class Add:\n"
        "    def __init__(self, step): self.step, self.calls = step, 0\n"
        "    def __call__(self, batch):\n"
        "        self.calls += 1\n"
        "        return {'id': batch['id'] + self.step, 'calls': [self.calls] * len(batch['id']), "
        "'pid': [os.getpid()] * len(batch['id'])}"
    )
    rows = notebook.run("%ray_data out.take_all()")
    assert sorted(row["id"] for row in rows) == list(range(2, 42)) and len({row["pid"] for row in rows}) == 1
    assert max(row["calls"] for row in rows) == 8


def test_the_options_of_a_cell_are_those_of_ray(notebook: Shell) -> None:
    notebook.run("%ray_data ds = range(10, override_num_blocks=1)")
    notebook.run(
        "%%ray_data ds --into out --batch-size 4 --batch-format pandas --fn-kwargs \"{'by': 10}\" --num-cpus 0.5 --quiet\n"
        "def scale(frame, by):\n    return frame.assign(id=frame.id * by, rows=len(frame))"
    )
    assert sorted({row["rows"] for row in notebook.ns["out"].take_all()}) == [2, 4]
    with pytest.raises(UsageError, match="a cell transforms a dataset"):
        notebook.run("%%ray_data 17\nbatch")


def test_an_error_of_the_cell_has_its_line_and_the_operator(notebook: Shell) -> None:
    notebook.run("%ray_data ds = range(10, override_num_blocks=1)")
    with pytest.raises(RemoteError) as caught:
        notebook.run("%%ray_data ds --rows 3 --quiet\nx = 1\nbatch['y'] = batch['nope']")
    text = "\n".join(caught.value._render_traceback_())
    assert "KeyError: 'nope'" in text and "line 3" in text and "MapBatches(In[" in text
    assert "ray/data" not in text and len(text.splitlines()) < 12


def test_the_error_of_a_column_that_is_not_there_has_the_nearest(notebook: Shell) -> None:
    notebook.run("%ray_data ds = from_items([{'fare': 1.0}, {'fare': 2.0}])")
    with pytest.raises(RayMagicsError, match='did you mean "fare"'):
        notebook.run("%ray_data ds.sum('fares')")
    with pytest.raises(FileNotFoundError) as missing:
        notebook.run("%ray_data read_parquet('/nowhere/x.parquet')")
    assert missing.value._render_traceback_() == ["\x1b[31mFileNotFoundError\x1b[0m: /nowhere/x.parquet"]
    with pytest.raises(NameError, match="nope"):
        notebook.run("%ray_data nope.count()")


SLEEPY = "import time\ndef sleepy(batch):\n    time.sleep(60)\n    return batch\n"


def test_a_timeout_stops_it_and_frees_the_cpus(notebook: Shell) -> None:
    import ray

    notebook.run(SLEEPY + "%ray_data ds = range(10, override_num_blocks=2).map_batches(sleepy)")
    with pytest.raises(RunTimeout, match="--timeout 1 s"):
        notebook.run("%ray_data --timeout 1 ds.count()")
    total = ray.cluster_resources()["CPU"]
    wait_until(lambda: ray.available_resources().get("CPU") == total, 5, "all CPUs back")


def test_in_the_background_it_binds_at_its_end_and_can_be_stopped(notebook: Shell) -> None:
    run = notebook.run("%ray_data --background --into total range(100).sum('id')")
    assert run.result(60) == 4950 and notebook.ns["total"] == 4950
    notebook.run(SLEEPY + "before = 5\nds = ray_magics_ds = None")
    run = notebook.run("%ray_data --background --into before range(10).map_batches(sleepy).count()")
    wait_until(lambda: run.executions, what="the execution to begin")
    run.stop()
    assert run.wait(10) and run.state == "cancelled" and notebook.ns["before"] == 5


def test_a_stopped_iterator_raises_and_never_ends_early(notebook: Shell) -> None:
    notebook.run(
        "import time\ndef slow(batch):\n    time.sleep(0.2)\n    return batch\n"
        "def numbers(ds):\n    for batch in ds.iter_batches(batch_size=1, prefetch_batches=0):\n        yield batch['id'][0]\n"
    )
    run = DataRun("In[1]")
    with run.current():
        from ray_magics.views.show import RunView

        run.launch_when_needed(RunView(quiet=True))
        notebook.run("%ray_data ds = range(50, override_num_blocks=50).map_batches(slow)")
        rest = notebook.ns["numbers"](notebook.ns["ds"])
        first = next(rest)
    run.stop()
    run.consumer_ends()
    with pytest.raises(KeyboardInterrupt, match="stopped by a program"):
        list(rest)
    assert first == 0 and run.wait(10) and run.state == "cancelled"


def test_the_python_function_does_the_same(notebook: Shell) -> None:
    import ray.data

    import ray_magics

    class Add:
        def __init__(self, step: int) -> None:
            self.step = step

        def __call__(self, batch: Any) -> Any:
            return {"id": batch["id"] + self.step}

    ds = ray.data.range(10, override_num_blocks=1)
    more = ray_magics.data(ds, Add, concurrency=1, fn_constructor_kwargs={"step": 5})
    assert ray_magics.data(lambda: more.sum("id"), timeout=60) == 95
    assert ray_magics.data(more, rows=2) == [{"id": 5}, {"id": 6}]
    assert ray_magics.data(lambda: more.count(), background=True).result(60) == 10
    with pytest.raises(TypeError, match="no option 'batchsize'"):
        ray_magics.data(ds, Add, batchsize=3)
    with pytest.raises(UsageError, match="no function and no class"):
        ray_magics.data(ds, 17)


def test_watching_is_off_and_on_by_the_line(notebook: Shell) -> None:
    import ray.data

    own = vars(ray.data.DataContext)["execution_callback_classes"]
    notebook.run("%ray_data --watch off")
    plain = vars(ray.data.DataContext)["execution_callback_classes"]
    before = len(registry.runs())
    assert (
        notebook.run("%ray_data range(10).count()") == 10 and type(plain) is property and len(registry.runs()) == before
    )
    notebook.run("%ray_data --watch on")
    assert type(vars(ray.data.DataContext)["execution_callback_classes"]) is type(own) is not property


def test_the_view_of_an_execution_has_its_operators(notebook: Shell) -> None:
    notebook.run("%ray_data --watch on")
    notebook.run(
        SLEEPY.replace("60", "0.01") + "%ray_data range(100, override_num_blocks=5).map_batches(sleepy).sum('id')"
    )
    run = next(run for run in reversed(registry.runs()) if isinstance(run, DataRun))
    status = run.status()
    [execution] = status.executions
    assert (run.state, execution.state, status.live) == ("finished", "finished", False)
    assert any("MapBatches(sleepy)" in operator.name and operator.rows_out == 100 for operator in execution.operators)
    json.dumps(status.row())


def test_the_script_gives_what_the_notebook_gives(
    notebook: Shell, capsys: Capture, tmp_path: Path, plain_python: Any
) -> None:
    notebook.run("top = 10\ndef scale(x): return x / top")
    notebook.run("%ray_data ds = from_items([{'x': float(i)} for i in range(6)], override_num_blocks=1)")
    notebook.run("%%ray_data ds --into scaled --quiet\nbatch['x'] = scale(batch['x'])")
    cell = "%%ray_data scaled --op filter --into kept --rows 9 --dry-run\ny = row['x']\ny > 0.25"
    capsys.readouterr()
    notebook.run(cell)
    out = capsys.readouterr().out
    assert "kept" not in notebook.ns and "executes nothing before the dataset is consumed" in out
    script = tmp_path / "script.py"
    script.write_text(out[out.index("import ray.data") :])
    notebook.run(cell.replace(" --dry-run", " --quiet"))
    assert plain_python(script).strip() == str(notebook.ns["kept"].take_all()) == "[{'x': 0.3}, {'x': 0.4}, {'x': 0.5}]"


def test_the_script_writes_the_options_as_they_stand_on_the_line(
    notebook: Shell, capsys: Capture, tmp_path: Path, plain_python: Any
) -> None:
    notebook.run("class Model:\n    def __init__(self, by): self.by = by\nmodel = Model(10)")
    notebook.run("%ray_data ds = range(3, override_num_blocks=1)")
    capsys.readouterr()
    notebook.run(
        '%%ray_data ds --op map --into out --concurrency 1 --fn-constructor-args "[model]" --rows 3 --dry-run\n'
        "class Scale:\n    def __init__(self, model): self.by = model.by\n"
        "    def __call__(self, row): return {'x': row['id'] * self.by}"
    )
    out = capsys.readouterr().out
    assert "fn_constructor_args=[model]" in out
    (script := tmp_path / "script.py").write_text(out[out.index("import ray.data") :])
    assert plain_python(script).strip() == "[{'x': 0}, {'x': 10}, {'x': 20}]"


def test_images_are_shown_as_pictures_and_tensors_by_their_shape(notebook: Shell) -> None:
    from ray_magics.verbs.data.preview import dataset_card
    from ray_magics.views.html import html

    notebook.run("import numpy as np\n%ray_data ds = from_numpy(np.zeros((2, 16, 16, 3), np.uint8))")
    card = html(dataset_card(notebook.ns["ds"], "ds", notebook.ns["ds"].take(2)))
    assert card.count("data:image/png;base64,") == 2 and "uint8 16 × 16 × 3" in card
    assert np is not None and os.path.exists("/")
