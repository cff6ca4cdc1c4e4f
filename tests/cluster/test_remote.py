"""``%%ray_remote`` on a real cluster, through a real IPython shell in this process."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.error import UsageError

from ray_magics.errors import InvalidCell, RemoteError, RunTimeout, WorkerLost
from ray_magics.run.registry import registry
from ray_magics.ship.objects import object_cache
from ray_magics.ship.script import code_of
from tests.conftest import Shell, wait_until
from tests.scripts import script_of

Capsys = pytest.CaptureFixture[str]


# --- run ------------------------------------------------------------------------------------------------------------


def test_names_travel_and_come_back(notebook: Shell) -> None:
    notebook.run("x = 20")
    assert notebook.run("%%ray_remote\ny = x + 1\ny * 2") == 42
    assert notebook.ns["y"] == 21


def test_the_cell_runs_on_another_process(notebook: Shell) -> None:
    assert notebook.run("%%ray_remote\nimport os\nos.getpid()") != notebook.run("import os; os.getpid()")


def test_functions_see_what_the_cell_rebinds_as_they_would_here(notebook: Shell) -> None:
    notebook.run("scale = 2\ndef scaled(v):\n    return v * scale")
    assert notebook.run("%%ray_remote\nscale = 10\nscaled(3)") == 30


def test_a_helper_may_be_defined_in_a_later_cell(notebook: Shell) -> None:
    notebook.run("def first(v):\n    return second(v) + 1")
    notebook.run("def second(v):\n    return v * 10")
    assert notebook.run("%ray_remote first(4)") == 41


def test_a_function_that_comes_back_belongs_to_the_notebook(notebook: Shell) -> None:
    notebook.run("k = 3")
    notebook.run("%%ray_remote\ndef times(v):\n    return v * k\nNone")
    notebook.run("k = 5")
    assert notebook.run("times(2)") == 10


def test_instances_keep_their_class(notebook: Shell) -> None:
    notebook.run("class Point:\n    def __init__(self, x):\n        self.x = x")
    assert notebook.run("%%ray_remote\np = Point(7)\np.x") == 7
    assert notebook.run("isinstance(p, Point) and p.x") == 7


def test_lambdas_in_containers_find_their_globals(notebook: Shell) -> None:
    notebook.run("offset = 100\nsteps = {'add': lambda v: v + offset}")
    assert notebook.run("%ray_remote steps['add'](1)") == 101


def test_an_array_changed_in_place_is_seen(notebook: Shell) -> None:
    notebook.run("import numpy as np\na = np.zeros(500_000)")
    assert notebook.run("%ray_remote a.sum()") == 0
    notebook.run("a[7] = 5")
    assert notebook.run("%ray_remote a.sum()") == 5


def test_an_unchanged_array_is_put_once(notebook: Shell) -> None:
    notebook.run("import numpy as np\nbig = np.arange(300_000.0)")
    notebook.run("%ray_remote big[1]")
    before = dict(object_cache().refs)
    notebook.run("%ray_remote big[2]")
    assert object_cache().refs == before and len(before) == 1


def test_a_deleted_variable_frees_what_was_put(notebook: Shell) -> None:
    notebook.run("import numpy as np\nbig = np.arange(300_000.0)")
    notebook.run("%ray_remote big[1]")
    notebook.run("del big\n%ray_remote 1 + 1")
    assert object_cache().refs == {}


def test_arrays_that_come_back_are_writable(notebook: Shell) -> None:
    notebook.run("%%ray_remote\nimport numpy as np\nback = np.ones(400_000)\nNone")
    notebook.run("back[0] = 9")
    assert notebook.ns["back"][0] == 9


def test_what_the_cell_changes_in_place_comes_back(notebook: Shell) -> None:
    notebook.run("import numpy as np\nd = {'a': 1}\na = np.zeros(300_000)")
    notebook.run("%%ray_remote\nd['b'] = 2\na[3] = 4\nNone")
    assert notebook.ns["d"] == {"a": 1, "b": 2} and notebook.ns["a"][3] == 4


def test_what_a_method_changes_in_place_comes_back(notebook: Shell, capsys: Capsys) -> None:
    notebook.run("xs = [1]")
    notebook.run("%%ray_remote\nxs.append(2)")
    assert notebook.ns["xs"] == [1, 2]
    assert capsys.readouterr().out == ""  # as if the cell had run here


@pytest.mark.parametrize("weights", [10, 10_000, 100_000], ids=["small", "in the message", "in the object store"])
def test_a_model_that_gets_new_weights_in_place_comes_back(notebook: Shell, weights: int) -> None:
    notebook.run(
        f"import numpy as np\nclass Model:\n    def __init__(self):\n        self.w = np.zeros({weights})\n"
        "    def step(self):\n        self.w = self.w + 1\nmodel = Model()"
    )
    notebook.run("%%ray_remote\nmodel.step()")
    assert notebook.run("model.w.min()") == 1


def test_values_that_were_replaced_are_not_kept_alive(notebook: Shell) -> None:
    notebook.run("import numpy as np\nx = np.zeros(50_000)")
    for _ in range(3):
        old = weakref.ref(notebook.ns["x"])
        notebook.run("%%ray_remote\nx = x + 1")
        gc.collect()
        assert old() is None
    with pytest.raises(UsageError, match="went to its cell"):
        registry.runs()[-1].result()


def test_the_log_of_one_of_several_workers(notebook: Shell, capsys: Capsys) -> None:
    notebook.run(
        "%%ray_remote --for \"i in range(4)\" --chunk 1 --quiet\nimport time, os\nprint('at', os.getpid())\ntime.sleep(0.5)"
    )
    run = registry.runs()[-1]
    pids = {where.partition("@")[0] for where in run.output.log.workers}
    for pid in pids:
        capsys.readouterr()
        notebook.run(f"%ray_logs {run.id} --worker {pid}")
        assert set(capsys.readouterr().out.splitlines()) == {f"at {pid}"}
    with pytest.raises(UsageError, match='No worker "0"'):
        notebook.run(f"%ray_logs {run.id} --worker 0")


def test_a_name_deleted_there_is_deleted_here(notebook: Shell) -> None:
    notebook.run("x = 1")
    notebook.run("%%ray_remote\ndel x")
    assert "x" not in notebook.ns


def test_names_the_cell_does_not_assign_are_left_alone(notebook: Shell) -> None:
    notebook.run("x, untouched = 1, object()")
    before = notebook.ns["untouched"]
    notebook.run("%%ray_remote\ny = x")
    assert notebook.ns["untouched"] is before and notebook.ns["__builtins__"] is sys.modules["builtins"]


def test_star_imports_bring_their_names(notebook: Shell) -> None:
    notebook.run("%%ray_remote\nfrom math import *\nhalf = tau / 2\nNone")
    assert notebook.run("half == pi") is True


def test_top_level_await(notebook: Shell) -> None:
    source = "%%ray_remote\nimport asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 5\nv = await f()\nv + await f()"
    assert notebook.run(source) == 10


def test_ipython_syntax_runs_on_the_worker(notebook: Shell, capsys: Capsys) -> None:
    notebook.run("word = 'hello'")
    notebook.run("%%ray_remote\n!echo {word} there\nfiles = !echo a b\n%time n = len(word)")
    out = capsys.readouterr().out
    assert "hello there" in out and "Wall time" in out
    assert notebook.ns["n"] == 5 and list(notebook.ns["files"]) == ["a b"]


def test_a_trailing_semicolon_silences(notebook: Shell) -> None:
    assert notebook.run("%%ray_remote\n1 + 1;") is None
    assert notebook.run("%ray_remote 1 + 1;") is None


def test_into_binds_the_value_instead_of_showing_it(notebook: Shell) -> None:
    assert notebook.run("%%ray_remote --into got\n[1, 2]") is None
    assert notebook.ns["got"] == [1, 2]


def test_inputs_and_outputs_limit_what_travels(notebook: Shell) -> None:
    notebook.run("import threading\na, lock = 1, threading.Lock()")
    source = "%%ray_remote --inputs a --outputs b\nb = a + 1\nc = b\ntry:\n    lock\nexcept NameError:\n    b = -b"
    notebook.run(source)
    assert notebook.ns["b"] == -2 and "c" not in notebook.ns


def test_a_lazy_result_stays_on_the_cluster_and_chains(notebook: Shell) -> None:
    notebook.run("%%ray_remote --lazy\nimport numpy as np\nfar = np.ones(1_000_000)\nNone")
    assert type(notebook.ns["far"]).__name__ == "ObjectRef"
    assert notebook.run("%ray_remote far.sum()") == 1_000_000
    assert notebook.run("%%ray_remote\nimport ray\nray.get(far).shape") == (1_000_000,)


def test_refs_and_actors_inside_containers_travel(notebook: Shell) -> None:
    notebook.run("import ray\nrefs = [ray.put(i) for i in range(3)]")
    assert notebook.run("%%ray_remote\nimport ray\nsum(ray.get(refs))") == 3


def test_local_modules_follow_and_edits_are_seen(notebook: Shell, tmp_path: Path) -> None:
    (tmp_path / "nearby.py").write_text("def answer():\n    return 1\n")
    notebook.run(f"%cd -q {tmp_path}\nimport sys; sys.path.insert(0, '')\nimport nearby")
    try:
        assert notebook.run("%ray_remote nearby.answer()") == 1
        (tmp_path / "nearby.py").write_text("def answer():\n    return 'changed'\n")
        assert notebook.run("%ray_remote nearby.answer()") == "changed"
    finally:
        notebook.run("%cd -q -\nsys.path.remove('')")


def test_what_cannot_come_back_is_named_and_the_rest_does(notebook: Shell, capsys: Capsys) -> None:
    notebook.run("%%ray_remote\nimport threading\nok, lock = 1, threading.Lock()\nNone")
    assert notebook.ns["ok"] == 1 and "lock" not in notebook.ns
    assert "lock did not come back" in capsys.readouterr().out


def test_a_figure_drawn_on_a_worker_is_displayed(notebook: Shell) -> None:
    from IPython.utils.capture import capture_output

    with capture_output() as captured:
        notebook.run("%%ray_remote\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('after')")
    assert "image/png" in captured.outputs[0].data
    assert captured.stdout == "after\n"


# --- define -----------------------------------------------------------------------------------------------------------


def test_definitions_become_remote(notebook: Shell) -> None:
    notebook.run("import ray\nk = 10")
    source = """\
    %%ray_remote --num-cpus 0.5
    def square(x):
        return x * x + k

    class Counter:
        def __init__(self):
            self.n = 0
        def add(self):
            self.n += 1
            return self.n
    """
    notebook.run(textwrap.dedent(source))
    assert notebook.run("ray.get(square.remote(3))") == 19
    assert notebook.run("c = Counter.remote(); ray.get([c.add.remote(), c.add.remote()])") == [1, 2]


def test_run_forces_a_cell_of_definitions_to_be_a_task(notebook: Shell) -> None:
    notebook.run("%%ray_remote --run\ndef plain(x):\n    return x + 1")
    assert notebook.run("plain(1)") == 2


# --- fan out ----------------------------------------------------------------------------------------------------------


def test_results_come_in_order(notebook: Shell) -> None:
    notebook.run('%%ray_remote --for "x in range(1000)" --into squares\nx * x')
    assert notebook.ns["squares"] == [x * x for x in range(1000)]


def test_targets_conditions_and_captures(notebook: Shell) -> None:
    notebook.run("pairs = [(i, str(i)) for i in range(10)]\nk = 2")
    notebook.run('%%ray_remote --for "a, b in pairs if a % 2" --into out\nb * k')
    assert notebook.ns["out"] == ["11", "33", "55", "77", "99"]


def test_numpy_results_become_an_array(notebook: Shell) -> None:
    notebook.run('%%ray_remote --for "x in range(50)" --into out\nimport numpy as np\nnp.float32(x)')
    assert isinstance(notebook.ns["out"], np.ndarray) and notebook.ns["out"].dtype == np.float32


def test_mixed_results_stay_a_list(notebook: Shell) -> None:
    notebook.run('%%ray_remote --for "x in range(4)" --into out\nimport numpy as np\nnp.float64(x) if x else None')
    assert notebook.ns["out"] == [None, 1.0, 2.0, 3.0]


def test_outputs_are_lists_by_name(notebook: Shell) -> None:
    notebook.run('%%ray_remote --for "x in range(3)" --outputs low,high\nlow = x - 1\nhigh = x + 1')
    assert notebook.ns["low"] == [-1, 0, 1] and notebook.ns["high"] == [1, 2, 3]


def test_items_do_not_see_each_other(notebook: Shell) -> None:
    notebook.run("seen = 0")
    notebook.run('%%ray_remote --for "x in range(20)" --into out\nseen = seen + 1\nseen')
    assert notebook.ns["out"] == [1] * 20 and notebook.ns["seen"] == 0


def test_items_do_not_see_what_others_change_in_place(notebook: Shell) -> None:
    notebook.run("xs = [0]\ncounts = {'n': 0}")
    source = "xs.append(x)\ncounts['n'] += 1\n(len(xs), counts['n'])"
    notebook.run(f'%%ray_remote --for "x in range(20)" --chunk 10 --into out\n{source}')
    assert notebook.ns["out"] == [(2, 1)] * 20 and notebook.ns["xs"] == [0]


def test_what_an_item_draws_at_random_does_not_depend_on_chunks(notebook: Shell) -> None:
    notebook.run("import random\ndice = random.Random(1)\ndef roll():\n    return dice.random()")
    notebook.run('%%ray_remote --for "x in range(6)" --chunk 3 --into out\nroll()')
    assert len(set(notebook.ns["out"])) == 1 and notebook.ns["out"][0] == notebook.ns["dice"].random()


def test_items_bring_the_names_that_their_methods_read(notebook: Shell) -> None:
    notebook.run(
        "factor = 3\nclass Part:\n    def __init__(self, n): self.n = n\n    def size(self): return self.n * factor"
    )
    notebook.run("parts = [Part(1), Part(2)]")
    notebook.run('%%ray_remote --for "part in parts" --into out\npart.size()')
    assert notebook.ns["out"] == [3, 6]


def test_keep_leaves_exceptions_in_their_places(notebook: Shell) -> None:
    notebook.run('%%ray_remote --for "x in [2, 0, 1]" --on-error keep --into out\n1 / x')
    first, second, third = notebook.ns["out"]
    assert (first, third) == (0.5, 1.0) and type(second) is ZeroDivisionError


def test_a_failing_item_is_named(notebook: Shell) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        notebook.run('%%ray_remote --for "x in [2, 0, 1]"\n1 / x')
    assert caught.value.item == "item 1: x = 0"
    status = registry.runs()[-1].status()
    assert status.failed == 1 and 0 <= status.done <= 2 and status.error.startswith("item 1: x = 0: ZeroDivisionError")


def test_a_worker_that_dies_costs_only_its_item(notebook: Shell) -> None:
    source = '%%ray_remote --for "x in range(6)" --on-error keep --max-retries 0 --into out\nimport os\nos._exit(1) if x == 3 else x'
    notebook.run(source)
    assert [v for v in notebook.ns["out"] if not isinstance(v, Exception)] == [0, 1, 2, 4, 5]
    assert isinstance(notebook.ns["out"][3], WorkerLost)


def test_a_generator_is_pulled_only_as_fast_as_it_is_used(notebook: Shell) -> None:
    notebook.run(
        "pulled = 0\ndef endless():\n    global pulled\n    while True:\n        pulled += 1\n        yield pulled"
    )
    with pytest.raises(RunTimeout):
        notebook.run('%%ray_remote --for "x in endless()" --timeout 1.5\nimport time\ntime.sleep(0.5)')
    assert notebook.ns["pulled"] < 2000


def test_an_empty_iterable_gives_an_empty_list(notebook: Shell) -> None:
    notebook.run('%%ray_remote --for "x in []" --into out\nx')
    assert notebook.ns["out"] == []


def test_awaiting_cells_fan_out_too(notebook: Shell) -> None:
    notebook.run('%%ray_remote --for "x in range(3)" --into out\nimport asyncio\nawait asyncio.sleep(0)\nx')
    assert notebook.ns["out"] == [0, 1, 2]


def test_an_unpicklable_result_is_told_by_item(notebook: Shell) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        notebook.run('%%ray_remote --for "x in range(3)"\nimport threading\nthreading.Lock()')


def test_an_iterable_that_raises_midway_is_told_with_its_line(notebook: Shell) -> None:
    notebook.run("def broken():\n    yield 1\n    raise KeyError('midway')")
    with pytest.raises(KeyError) as caught:
        notebook.run('%%ray_remote --for "x in broken()"\nx')
    lines = caught.value._render_traceback_()
    assert "while --for was iterated" in lines[0] and any("raise KeyError('midway')" in line for line in lines)


def test_the_first_item_that_failed_is_named_where_failures_are_kept(notebook: Shell, capsys: Capsys) -> None:
    notebook.run('%%ray_remote --for "x in [2, 0, 1]" --on-error keep --into out\n1 / x')
    said = "1 of 3 items failed (1); the first that failed is item 1: x = 0: ZeroDivisionError: division by zero"
    assert said in capsys.readouterr().out


# --- failures ---------------------------------------------------------------------------------------------------------


def test_the_original_exception_is_the_cause_and_its_type_is_caught(notebook: Shell) -> None:
    notebook.run("%%ray_remote\n1")
    try:
        notebook.run("%%ray_remote\na = 1\na / 0")
    except ZeroDivisionError as error:
        caught = error
    assert isinstance(caught, RemoteError) and type(caught.__cause__) is ZeroDivisionError
    lines = caught._render_traceback_()
    assert len(lines) < 15 and any("a / 0" in line for line in lines) and "line 3" in "".join(lines)


def test_exceptions_of_the_notebook_with_any_constructor(notebook: Shell) -> None:
    notebook.run(
        "class Odd(Exception):\n    def __init__(self, code, *, hint):\n        super().__init__(code)\n        self.hint = hint"
    )
    with pytest.raises(Exception, match="7") as caught:
        notebook.run("%%ray_remote\nraise Odd(7, hint='try')")
    assert isinstance(caught.value, notebook.ns["Odd"]) and caught.value.hint == "try"


@pytest.mark.parametrize("source", ["os.environ['RAY_MAGICS_TEST'] = '1'", "math.flag = 3", "sys.flag = None"])
def test_a_cell_may_set_what_belongs_to_a_module(notebook: Shell, source: str) -> None:
    notebook.run("import os, math, sys")
    notebook.run(f"%%ray_remote\n{source}\nxx = 4")
    assert notebook.ns["xx"] == 4 and notebook.ns["math"].sqrt(4) == 2


def test_a_group_of_exceptions_stays_one(notebook: Shell) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        notebook.run("%%ray_remote\nraise ExceptionGroup('both', [ValueError(1), KeyError(2)])")
    assert [type(error) for error in caught.value.exceptions] == [ValueError, KeyError]


def test_an_interrupt_that_the_cell_raises_itself_is_its_own_error(notebook: Shell) -> None:
    with pytest.raises(RemoteError) as caught:
        notebook.run("%%ray_remote\nraise KeyboardInterrupt('mine')")
    assert caught.value.failure.type == "KeyboardInterrupt"


@pytest.mark.parametrize(("source", "line"), [("x ==== 3", "x ==== 3"), ("if 1:\nx", "x"), ("return 5", "return 5")])
def test_a_syntax_error_shows_the_line_of_the_cell(shell: Shell, source: str, line: str) -> None:
    with pytest.raises(InvalidCell) as caught:
        shell.run(f"%%ray_remote\n{source}")
    shown = "\n".join(caught.value._render_traceback_())
    assert "Cell In[" in shown and line in shown and len(shown.splitlines()) < 6


@pytest.mark.parametrize("options", ["--num-cpus 0.00000001", "--max-retries -7"])
def test_what_ray_refuses_is_one_line(notebook: Shell, options: str) -> None:
    with pytest.raises(UsageError, match="Ray refuses this"):
        notebook.run(f"%%ray_remote {options}\n1")


def test_an_input_that_is_missing_is_told(shell: Shell) -> None:
    with pytest.raises(UsageError, match='--inputs: name "nothere" is not defined'):
        shell.run("%%ray_remote --inputs nothere\n1")


def test_magics_of_everyday_work_on_a_worker(notebook: Shell, tmp_path: Path) -> None:
    assert notebook.run(f"%%ray_remote\n%cd -q {tmp_path}\n%matplotlib agg\nimport os\nos.getcwd()") == str(tmp_path)


def test_a_variable_called_display_travels(notebook: Shell) -> None:
    notebook.run("display = 5")
    assert notebook.run("%%ray_remote\ndisplay") == 5


def test_an_open_file_is_refused_by_name(notebook: Shell) -> None:
    notebook.run("file = open('/dev/null')")
    with pytest.raises(UsageError, match="open it inside the cell"):
        notebook.run("%%ray_remote\nfile.read()")


def test_helper_lines_are_shown(notebook: Shell) -> None:
    notebook.run("def inner(v):\n    return {}[v]\ndef outer(v):\n    return inner(v)")
    with pytest.raises(KeyError) as caught:
        notebook.run("%%ray_remote\nouter('k')")
    text = "\n".join(caught.value._render_traceback_())
    assert "outer('k')" in text and "return {}[v]" in text and len(text.splitlines()) < 15


def test_retries_follow_the_type_of_the_exception(notebook: Shell, tmp_path: Path) -> None:
    notebook.run(f"from pathlib import Path\ncounter = Path({str(tmp_path / 'n')!r})\ncounter.write_text('0')")
    source = "n = int(counter.read_text()) + 1\ncounter.write_text(str(n))\nif n < 3:\n    raise OSError(n)\nn"
    assert notebook.run(f"%%ray_remote --max-retries 5 --retry-exceptions [OSError]\n{source}") == 3
    notebook.run("counter.write_text('0')")
    with pytest.raises(OSError):
        notebook.run(f"%%ray_remote --max-retries 5 --retry-exceptions [KeyError]\n{source}")


def test_a_timeout_stops_the_task(notebook: Shell) -> None:
    with pytest.raises(TimeoutError, match="--timeout 1"):
        notebook.run("%%ray_remote --timeout 1\nimport time\ntime.sleep(60)")


def test_a_worker_that_dies_is_told_with_its_last_words(notebook: Shell, capsys: Capsys) -> None:
    with pytest.raises(WorkerLost, match=r"died .*os\._exit"):
        notebook.run("%%ray_remote --max-retries 0\nimport os\nprint('last words')\nos._exit(1)")
    assert capsys.readouterr().out.startswith("last words\n")


def test_a_crash_names_its_line_and_how_often_ray_ran_the_cell(notebook: Shell, capsys: Capsys) -> None:
    with pytest.raises(WorkerLost, match=r"Segmentation fault at .*, line 4\); Ray ran the cell 2 times"):
        notebook.run("%%ray_remote --max-retries 1\nimport ctypes\nprint('before')\nctypes.string_at(0)")
    assert "before\n" in capsys.readouterr().out


def test_a_logger_writes_into_the_cell_that_runs(notebook: Shell, capsys: Capsys) -> None:
    for number in range(3):
        notebook.run(
            "%%ray_remote\nimport logging, sys\nroot = logging.getLogger('kept')\n"
            "if not root.handlers: root.addHandler(logging.StreamHandler(sys.stderr))\n"
            f"root.error('line {number}')"
        )
        assert capsys.readouterr().err == f"line {number}\n"


DEFINITIONS = """%%ray_remote
def divide(x):
    return 1 / x
def through(x):
    import ray
    return ray.get(divide.remote(x))
class Account:
    def __init__(self, balance):
        self.balance = 100 // balance
    def withdraw(self, x):
        raise ValueError(f"cannot withdraw {x}")
"""


@pytest.mark.parametrize(
    ("call", "lines"),
    [
        ("divide.remote(0)", ["ray.get(divide.remote(0))", "return 1 / x", "ZeroDivisionError: division by zero"]),
        ("through.remote(0)", ["ray.get(through.remote(0))", "return 1 / x", "ZeroDivisionError: division by zero"]),
        ("Account.remote(2).withdraw.remote(5)", ["raise ValueError(f", "ValueError: cannot withdraw 5"]),
        ("Account.remote(0).withdraw.remote(5)", ["self.balance = 100 // balance", "ZeroDivisionError: integer"]),
    ],
)
def test_a_plain_get_shows_the_users_lines_alone(notebook: Shell, call: str, lines: list[str]) -> None:
    notebook.run(DEFINITIONS)
    with pytest.raises(Exception) as found:
        notebook.run(f"import ray\nray.get({call})")
    shown = found.value._render_traceback_()
    places = [next((at for at, text in enumerate(shown) if line in text), -1) for line in lines]
    assert -1 not in places and places == sorted(places) and len(shown) < 12
    assert not [text for text in shown if "site-packages" in text or "^^^" in text]


def test_an_error_of_a_function_that_is_not_ours_is_shown_as_ray_has_it(notebook: Shell) -> None:
    notebook.run(DEFINITIONS)
    with pytest.raises(ZeroDivisionError) as found:
        notebook.run("import ray\n@ray.remote\ndef mine(): 1 / 0\nray.get(mine.remote())")
    assert not hasattr(found.value, "_render_traceback_")


PREDICTOR = """
import os
class Predictor:
    def __init__(self, bias=0):
        print("loaded")
        self.bias, self.calls = bias, 0
    def __call__(self, x):
        self.calls += 1
        return x + self.bias, self.calls, os.getpid()
"""


def test_a_pool_makes_its_objects_once_and_answers_in_order(notebook: Shell, capsys: Capsys) -> None:
    notebook.run(PREDICTOR + "weights = 10")
    answers = notebook.run('%ray_remote --for "x in range(40)" --pool Predictor(weights) --pool-size 2')
    assert [answer[0] for answer in answers] == [*range(10, 50)]
    by_actor = {pid: [calls for _, calls, own in answers if own == pid] for pid in {answer[2] for answer in answers}}
    assert 1 <= len(by_actor) <= 2 and all(sorted(calls) == [*range(1, len(calls) + 1)] for calls in by_actor.values())
    assert "loaded" in capsys.readouterr().out


def test_an_actor_class_of_the_notebook_makes_a_pool_too(notebook: Shell) -> None:
    notebook.run(
        "%%ray_remote\nclass Counter:\n    n = 0\n    def add(self, x):\n        self.n += x\n        return self.n"
    )
    head = '%%ray_remote --for "x in [1, 2, 3]" --pool-size 1 --pool counts=Counter'
    assert notebook.run(f"{head}\ncounts.add(x)") == [1, 3, 6]


def test_of_a_pool_only_the_item_that_kills_its_actor_fails(notebook: Shell) -> None:
    notebook.run(PREDICTOR)
    kept = notebook.run(
        '%%ray_remote --for "x in range(12)" --pool m=Predictor --pool-size 1 --on-error keep\n'
        "import os\nif x == 4: os._exit(1)\nif x == 7: raise ValueError('seven')\nm(x)[0]"
    )
    failed = {index: type(value).__name__ for index, value in enumerate(kept) if isinstance(value, BaseException)}
    assert failed == {4: "WorkerLost", 7: "ValueError"} and [kept[0], kept[11]] == [0, 11]


def test_a_pool_whose_object_cannot_be_made_fails_with_its_line(notebook: Shell) -> None:
    notebook.run("class Broken:\n    def __init__(self):\n        raise KeyError('no model')")
    with pytest.raises(KeyError, match="no model") as found:
        notebook.run('%%ray_remote --for "x in range(3)" --pool Broken\nbroken(x)')
    assert any("raise KeyError('no model')" in line for line in found.value._render_traceback_())


def test_the_script_of_a_pool_gives_what_the_cell_gives(
    notebook: Shell, capsys: Capsys, tmp_path: Path, plain_python: Any
) -> None:
    notebook.run(
        "%%ray_remote\nclass Scale:\n    def __init__(self, by): self.by = by\n    def of(self, x): return x * self.by"
    )
    cell = '%%ray_remote --for "x in range(4)" --pool Scale(3) --pool-size 1\nscale.of(x)'
    value = notebook.run(cell)
    assert plain_python(script_of(notebook, capsys, cell, tmp_path)).strip() == str(value) == "[0, 3, 6, 9]"


SHARED = """
n = 0
def inc():
    global n
    n += 1
    return n
class A:
    n, log = 0, []
def grow(x, seen=[]):
    seen.append(x)
    return len(seen)
def count():
    count.calls = getattr(count, "calls", 0) + 1
    return count.calls
def make():
    calls = 0
    def inner():
        nonlocal calls
        calls += 1
        return calls
    return inner
inner = make()
"""


def test_items_find_functions_and_classes_as_the_notebook_has_them(notebook: Shell) -> None:
    notebook.run(SHARED)
    cell = "A.n += 1\nA.log.append(x)\ninc(), grow(x), count(), inner(), A.n, len(A.log)"
    for chunk in (1, 7):
        assert set(notebook.run(f'%%ray_remote --for "x in range(20)" --chunk {chunk}\n{cell}')) == {(1,) * 6}
    assert notebook.run("n, A.n, A.log, inner()") == (0, 0, [], 1)


def test_items_that_only_read_a_class_change_nothing(notebook: Shell, capsys: Capsys) -> None:
    notebook.run(
        "import enum, typing\nclass Color(enum.Enum):\n    RED, BLUE = 1, 2\n"
        "class P(typing.NamedTuple):\n    x: int\n    y: int = 2\n"
        "class A:\n    table = {'a': [1]}\n    def size(self): return len(self.table)"
    )
    cell = "Color(2).name, Color.RED is Color(1), P(x), A().size()"
    values = notebook.run(f'%%ray_remote --for "x in range(3)"\n{cell}')
    assert values == [("BLUE", True, notebook.run(f"P({x})"), 1) for x in range(3)]
    assert "changed on the workers" not in capsys.readouterr().out
    notebook.run("%%ray_remote --for \"x in range(3)\"\nA.table['b'] = x")
    assert "A changed on the workers" in capsys.readouterr().out and notebook.run("A.table") == {"a": [1]}


@pytest.mark.parametrize(
    ("setting", "cell", "name"),
    [
        ("acc = 0\ndef add(x):\n    global acc\n    acc += x[0]", "add(x)", "acc"),
        ("", "x.append(1)", "x"),
        ("acc = []", "acc.append(x)", "acc"),
    ],
)
def test_what_items_change_and_leave_on_the_workers_is_named(
    notebook: Shell, capsys: Capsys, setting: str, cell: str, name: str
) -> None:
    notebook.run(f"xs = [[1], [2]]\n{setting}")
    capsys.readouterr()
    notebook.run(f'%%ray_remote --for "x in xs"\n{cell}')
    assert f"{name} changed on the workers; with --for such changes stay there" in capsys.readouterr().out
    assert notebook.ns["xs"] == [[1], [2]]


def test_a_background_run_leaves_alone_a_newer_value_of_what_its_functions_rebind(notebook: Shell) -> None:
    notebook.run("n = 0\ndef inc():\n    global n\n    n += 1")
    run = notebook.run("%%ray_remote --background\nimport time\ntime.sleep(0.5)\ninc()")
    notebook.run("n = 10")
    assert run.wait(60) and notebook.ns["n"] == 10 and "n got another value meanwhile" in run.note


def test_classes_with_slots_are_the_same_on_a_worker(notebook: Shell) -> None:
    notebook.run(
        "from dataclasses import dataclass\nclass S:\n    __slots__ = ('a',)\n    def __init__(self): self.a = 0\n"
        "@dataclass(slots=True)\nclass D:\n    x: int\ns = S(); same = s"
    )
    cell = "made, d, s.a = S(), D(3), 5\ntry:\n    s.other = 1\nexcept AttributeError:\n    made.a = 'refused'"
    notebook.run(f"%%ray_remote\n{cell}")
    assert notebook.run("made.a, d, s.a, same is s, type(d) is D") == ("refused", notebook.run("D(3)"), 5, True, True)


def test_what_an_object_does_not_send_stays_with_it(notebook: Shell) -> None:
    notebook.run(
        "class G:\n    def __init__(self): self.keep, self.open, self.xs = 1, 'open', [1]\n"
        "    def __getstate__(self): return {**self.__dict__, 'open': None}\ng = G(); same = g"
    )
    notebook.run("%%ray_remote\ng.keep = 2; g.xs.append(3); g.new = 5")
    assert notebook.run("g.keep, g.open, g.xs, g.new, same is g") == (2, "open", [1, 3], 5, True)


def test_a_bar_of_tqdm_that_would_be_a_widget_is_text_on_a_worker(notebook: Shell, capsys: Capsys) -> None:
    pytest.importorskip("tqdm")
    notebook.run("from tqdm.notebook import tqdm")
    capsys.readouterr()
    cell = "from tqdm.notebook import tqdm as mine\nlist(tqdm(range(4), display=True)), mine is tqdm"
    assert notebook.run(f"%%ray_remote\n{cell}") == ([0, 1, 2, 3], True)
    assert "4/4" in capsys.readouterr().err


def test_a_forked_child_is_heard(notebook: Shell, capsys: Capsys) -> None:
    notebook.run(
        "%%ray_remote\nimport multiprocessing\ndef say(): print('from the child')\n"
        "child = multiprocessing.get_context('fork').Process(target=say)\nchild.start(); child.join(); del child"
    )
    assert "from the child" in capsys.readouterr().out


def test_a_thread_that_outlives_its_cell_prints_under_no_other(notebook: Shell, capsys: Capsys) -> None:
    notebook.run(
        "%%ray_remote\nimport threading, time\ndef later():\n    time.sleep(1.5); print('late')\n"
        "threading.Thread(target=later).start()\ntime.sleep(0.5)"
    )
    mine = registry.runs()[-1].id
    notebook.run("%%ray_remote\nimport time\ntime.sleep(2)")
    assert "late" not in capsys.readouterr().out
    notebook.run(f"%ray_logs {mine}")
    assert "late" in capsys.readouterr().out


def test_recursion_is_pythons_own_error(notebook: Shell) -> None:
    with pytest.raises(RecursionError) as caught:
        notebook.run("%%ray_remote\ndef f():\n    return f()\nf()")
    assert len(caught.value._render_traceback_()) < 15


def test_exit_in_a_cell_fails_the_cell_and_not_the_kernel(notebook: Shell) -> None:
    with pytest.raises(RemoteError, match="3"):
        notebook.run("%%ray_remote\nimport sys\nsys.exit(3)")


# --- bad input --------------------------------------------------------------------------------------------------------

BAD = [
    pytest.param("%%ray_remote --num-cpu 2\n1", "--num-cpus", id="unknown-option"),
    pytest.param("%%ray_remote --num-cpus two\n1", "two", id="wrong-value"),
    pytest.param("%%ray_remote --memory 2Gig\n1", "not a size", id="wrong-size"),
    pytest.param("%%ray_remote --into\n1", "--into", id="missing-name"),
    pytest.param("%%ray_remote --into 2x\n1", "--into", id="no-identifier"),
    pytest.param("%%ray_remote\n", "empty", id="empty-cell"),
    pytest.param("%%ray_remote\n# only\n# comments", "empty", id="only-comments"),
    pytest.param('%%ray_remote --for "x in 5"\nx', "cannot be iterated", id="not-iterable"),
    pytest.param('%%ray_remote --for "x in nowhere"\nx', "nowhere", id="unknown-iterable"),
    pytest.param('%%ray_remote --for "for x"\nx', "--for", id="no-for-clause"),
    pytest.param('%%ray_remote --for "x in\n1', "", id="unbalanced-quote"),
    pytest.param("%%ray_remote --resources 5\n1", "--resources", id="resources-no-dict"),
    pytest.param("%%ray_remote --resources nowhere\n1", "nowhere", id="resources-unknown-name"),
    pytest.param("%%ray_remote --num-gpus 1\n1", "No GPU in this cluster", id="no-gpu"),
    pytest.param("%%ray_remote --num-cpus 400\n1", "400", id="too-many-cpus"),
    pytest.param("%%ray_remote --label-selector \"{'zone': 'mars'}\"\n1", "zone", id="no-such-label"),
    pytest.param("%%ray_remote --into y\nx = 1", "no value", id="into-without-value"),
    pytest.param("%%ray_remote --outputs z\nx = 1", '"z"', id="outputs-not-assigned"),
    pytest.param("%%ray_remote --chunk 3\n1", "--for", id="chunk-without-for"),
    pytest.param("%%ray_remote --into f\ndef f(): pass", "--run", id="define-with-into"),
    pytest.param("%ray_remote", "", id="line-without-expression"),
]


@pytest.mark.parametrize(("cell", "says"), BAD)
def test_a_mistake_is_one_line_and_the_notebook_goes_on(notebook: Shell, cell: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        notebook.run(cell)
    assert says in str(caught.value) and len(str(caught.value).splitlines()) == 1
    assert type(caught.value) is UsageError
    assert notebook.run("%ray_remote 1 + 1") == 2


def test_a_syntax_error_shows_nothing_of_the_magic(notebook: Shell, capsys: Capsys) -> None:
    with pytest.raises(InvalidCell):
        notebook.run("%%ray_remote\nx = = 1")
    shown = capsys.readouterr().out
    assert "SyntaxError: " in shown.replace("\x1b[0m", "") and "ray_magics" not in shown


ACTOR = "import ray\n@ray.remote\nclass Account:\n    def deposit(self, x):\n        raise ValueError(f'cannot deposit {x}')\nacc = Account.remote()"


def test_a_failure_inside_a_failure_is_the_users_message_and_lines(notebook: Shell) -> None:
    notebook.run(ACTOR)
    with pytest.raises(ValueError, match=r"^cannot deposit -5$") as caught:
        notebook.run("%%ray_remote\nray.get(acc.deposit.remote(-5))")
    shown = "\n".join(caught.value._render_traceback_())
    assert "ray.get(acc.deposit.remote(-5))" in shown and "in deposit" in shown
    assert "site-packages" not in shown and "^^^" not in shown


def test_a_kept_failure_inside_a_failure_is_of_the_users_type(notebook: Shell, capsys: Capsys) -> None:
    notebook.run(ACTOR)
    notebook.run('%%ray_remote --for "x in [1]" --on-error keep --into out\nray.get(acc.deposit.remote(x))')
    assert type(notebook.ns["out"][0]) is ValueError
    assert "site-packages" not in capsys.readouterr().out


def test_a_name_that_does_not_exist_is_pythons_own_error(notebook: Shell) -> None:
    with pytest.raises(NameError, match="nowhere"):
        notebook.run("%%ray_remote\nnowhere + 1")


def test_an_unpicklable_capture_is_named_before_anything_runs(notebook: Shell) -> None:
    notebook.run("import threading\nclass Model:\n    pass\nmodel = Model()\nmodel.lock = threading.Lock()")
    with pytest.raises(UsageError, match=r'"model" \(Model\), which this cell reads on line 2 because of model.lock'):
        notebook.run("%%ray_remote\nmodel.lock")


def test_an_unpicklable_name_that_the_cell_may_not_need_is_left_out(notebook: Shell) -> None:
    notebook.run("import threading\nf = threading.Lock()")
    assert notebook.run("%%ray_remote\nif 1:\n    f = 3\nf") == 3


def test_a_value_larger_than_the_object_store_is_named(notebook: Shell) -> None:
    notebook.run("import numpy as np\nhuge = np.zeros(3 * 2**30, dtype='u1')")
    with pytest.raises(UsageError, match='"huge"'):
        notebook.run("%ray_remote huge[0]")


def test_a_function_that_drags_a_large_array_is_told_by_name(notebook: Shell) -> None:
    notebook.run("import numpy as np\nbig = np.zeros(30_000_000)")
    with pytest.raises(UsageError, match='reads "big"'):
        notebook.run("%%ray_remote\ndef total():\n    return big.sum()")


# --- dry run ----------------------------------------------------------------------------------------------------------

SCRIPTS = [
    pytest.param(
        "part = []; whole = {'inside': part}",
        "%%ray_remote\npart.append(1)\nwhole['inside'] is part, len(part)",
        "(True, 1)",
        id="shared parts",
    ),
    pytest.param("", "%%ray_remote\nfrom __future__ import annotations\nn: Nope = 3\nn + 1", "4", id="from __future__"),
    pytest.param(
        "xs = [1, 0]",
        '%%ray_remote --for "x in xs" --on-error keep --into out\n1 / x',
        "",
        id="failures kept",
    ),
    pytest.param("xs = [2, 1]", "%%ray_remote\nxs.sort()", "", id="nothing to show"),
    pytest.param("k = 3", "%%ray_remote\ny = [k * i for i in range(4)]\nsum(y)", "18", id="values"),
    pytest.param("import math", "%%ray_remote\nmath.sqrt(16)", "4.0", id="module"),
    pytest.param(
        "def f(v):\n    return g(v)\ndef g(v):\n    return v + k\nk = 5", "%%ray_remote\nf(1)", "6", id="functions"
    ),
    pytest.param("class A:\n    def m(self):\n        return 'm'\na = A()", "%%ray_remote\na.m()", "'m'", id="class"),
    pytest.param("xs = range(5)", '%%ray_remote --for "x in xs"\nx * x', "[0, 1, 4, 9, 16]", id="for"),
    pytest.param("", '%%ray_remote --for "x in range(3)" --into out\nx', "", id="for-into"),
    pytest.param("", "%%ray_remote\nfrom math import *\nfloor(2.5)", "2", id="star"),
    pytest.param("", "%%ray_remote\ndef f():\n    global q\n    q = 3\nf()\nq", "3", id="global"),
    pytest.param("", "%%ray_remote\nimport asyncio\nawait asyncio.sleep(0, 8)", "8", id="await"),
    pytest.param("import numpy as np\na = np.arange(1000)", "%%ray_remote\nint(a.sum())", "499500", id="pickled"),
    pytest.param("", "%%ray_remote\nfrom __future__ import annotations\nx: Unknown = 3\nx", "3", id="future"),
    pytest.param(
        "import math\ndef root(v): return math.sqrt(v)",
        "%%ray_remote\nimport asyncio\nawait asyncio.sleep(0)\nroot(16), 2", "(4.0, 2)", id="helper-await",
    ),
    pytest.param("", "%%ray_remote\ntext = '''one\n  two'''\ntext.split('\\n')", "['one', '  two']", id="text"),
    pytest.param("xs = [3]", "%%ray_remote\nxs.append(4)\nprint('seen')", "", id="nothing-shown"),
    pytest.param("d = {}", "%%ray_remote\nd.get('nothing')", "", id="none"),
    pytest.param("", "%%ray_remote\n(walrus := 3) + 1", "4", id="walrus"),
    pytest.param("f = lambda v: v + 1\ng = f\ndef make(k):\n    def inner(v):\n        return v + k\n    return inner\n"
                 "h = make(3)", "%%ray_remote\nf(1), g(2), h(3)", "(2, 3, 6)", id="lambdas"),
    pytest.param("import ray\n@ray.remote(num_cpus=0.5)\ndef square(v):\n    return v * v\n"
                 "class Counter:\n    def add(self, v):\n        return v + 1\nActor = ray.remote(Counter)",
                 "%%ray_remote --num-cpus 0.5\nactor = Actor.options(num_cpus=0).remote()\n"
                 "total = ray.get([square.remote(3), actor.add.remote(4)])\ndel actor\ntotal",
                 "[9, 5]", id="remote-functions"),
    pytest.param("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    def double(self):\n"
                 "        return 2 * self.x\np = P(4); ps = [p]",
                 "%%ray_remote\np.double(), isinstance(p, P), ps[0] is p", "(8, True, True)", id="instances"),
    pytest.param("import ray\nref = ray.put(5)", "%%ray_remote\nray.get(ref) + 1", "6", id="handled-as-ref"),
    pytest.param("import ray\nref = ray.put(5)", "%%ray_remote\nref + 1", "6", id="read-as-value"),
]  # fmt: skip
CHANGES = [  # setting, cell, what the notebook and the script have afterwards
    pytest.param("a = []; b = {'inside': a}", "a.append(1); b", "(a, b['inside'] is a)", id="shared"),
    pytest.param("xs = [1, 2, 3]", "last = xs.pop()", "(xs, last)", id="value-used"),
    pytest.param("rows = [{'x': 1}]", "for row in rows:\n    row['y'] = row['x'] * 10", "rows", id="loop"),
    pytest.param("d = {'k': [1]}", "inner = d.get('k')\ninner.append(2)", "(d, inner is d['k'])", id="alias"),
    pytest.param("n = 0\nlog = []\ndef hit():\n    global n\n    n += 1\n    log.append(n)\n    return n",
                 "first = hit()\nhit()", "(n, log, first)", id="helper"),
    pytest.param("def seen():\n    return k\nk = 1", "k = 10\nfound = seen()", "(k, found)", id="helper-sees"),
    pytest.param("n = 0\ndef hit():\n    global n, m\n    n = m = 5", "hit()", "(n, m)", id="helper-binds"),
    pytest.param("def seen():\n    return j", "j = 10\nfound = seen()", "(j, found)", id="helper-sees-new"),
    pytest.param("import numpy as np\nz = np.zeros(3)", "z[0] = 7", "(z.tolist(), z.flags.writeable)", id="array"),
    pytest.param("import random\ndeck = [1, 2, 3]", "random.Random(1).shuffle(deck)", "deck", id="passed-on"),
    pytest.param("import asyncio\nxs = [1]", "await asyncio.sleep(0)\nxs.append(2)", "xs", id="await"),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "cell", "shown"), SCRIPTS)
def test_the_script_gives_the_same_under_plain_python(
    notebook: Shell, capsys: Capsys, tmp_path: Path, plain_python: Any, setting: str, cell: str, shown: str
) -> None:
    notebook.run(setting)
    printed = plain_python(script_of(notebook, capsys, cell, tmp_path)).strip()
    expected = eval(shown) if shown else None
    assert printed.splitlines()[-1:] == ([] if expected is None else [str(expected)]), printed
    assert notebook.run(cell) == expected


@pytest.mark.parametrize(("setting", "cell", "after"), CHANGES)
def test_what_the_cell_changes_has_changed_after_the_script_too(
    notebook: Shell, capsys: Capsys, tmp_path: Path, plain_python: Any, setting: str, cell: str, after: str
) -> None:
    notebook.run(setting)
    script = script_of(notebook, capsys, f"%%ray_remote\n{cell}", tmp_path)
    script.write_text(f"{script.read_text()}\nprint({after})")
    printed = plain_python(script).strip()
    notebook.run(f"%%ray_remote\n{cell}")
    assert printed.rpartition("\n")[2] == str(notebook.run(after)), printed


def test_the_script_keeps_exceptions_in_their_places(
    notebook: Shell, capsys: Capsys, tmp_path: Path, plain_python: Any
) -> None:
    cell = '%%ray_remote --for "x in range(3)" --on-error keep\n1 / (x - 1)'
    printed = plain_python(script_of(notebook, capsys, cell, tmp_path)).strip()
    assert (
        printed.rpartition("\n")[2] == str(notebook.run(cell)) == "[-1.0, ZeroDivisionError('division by zero'), 1.0]"
    )
    cell = '%%ray_remote --for "x in range(2)" --on-error keep --outputs y\ny = 1 / x'
    script = script_of(notebook, capsys, cell, tmp_path)
    script.write_text(f"{script.read_text()}\nprint(y)")
    assert plain_python(script).strip().endswith("[ZeroDivisionError('division by zero'), 1.0]")


def test_the_script_runs_by_itself(notebook: Shell, capsys: Capsys, tmp_path: Path) -> None:
    notebook.run("k = 3")
    script = script_of(notebook, capsys, "%%ray_remote\nk * 2", tmp_path)
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "6\n"), done.stderr


def test_a_script_says_what_only_the_notebook_has(notebook: Shell, capsys: Capsys) -> None:
    notebook.run("import ray\nkept = {'ref': ray.put(1)}")
    notebook.run("%%ray_remote --dry-run\nlen(kept)")
    assert "kept = ...  # make it here: it holds object refs" in capsys.readouterr().out


def test_a_script_imports_from_where_people_do(shell: Shell, capsys: Capsys) -> None:
    shell.run("from sklearn.svm import SVC")
    shell.run("%%ray_remote --dry-run\nSVC()")
    assert "from sklearn.svm import SVC" in capsys.readouterr().out


def test_a_dry_run_starts_nothing(shell: Shell, capsys: Capsys) -> None:
    shell.run("x = 1")
    shell.run("%%ray_remote --dry-run --num-cpus 2\nx + 1")
    assert "x: int" in capsys.readouterr().out


# --- the Python twin ----------------------------------------------------------------------------------------------------


def test_the_twin_does_what_the_magic_does(cluster: str) -> None:
    import ray_magics

    names = {"x": 4}
    assert ray_magics.remote("y = x + 1\ny * 2", namespace=names, num_cpus=0.5) == 10
    assert names["y"] == 5
    assert ray_magics.remote("i * x", for_="i in range(3)", namespace=names) == [0, 4, 8]
    with pytest.raises(TypeError, match="no option 'nonsense'"):
        ray_magics.remote("1", nonsense=2)


def test_the_twin_in_the_background_gives_a_run(cluster: str) -> None:
    import ray_magics

    run = ray_magics.remote("40 + 2", namespace={}, background=True)
    assert run.result(60) == 42 and run in ray_magics.runs()


def test_secrets_do_not_stand_in_a_dry_run(notebook: Shell, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "hunter2-token")
    notebook.run(
        "import os\ntok = os.environ['MY_API_TOKEN']\npassword = 'swordfish'\nhead = {'auth': 'Bearer ' + tok}"
    )
    lines = {
        "%%ray_remote --runtime-env \"{'env_vars': {'T': tok, 'N': '1'}}\" --dry-run": "len(tok + password + str(head))",
        "%%ray_serve --bind token=tok --dry-run": "class A:\n    def __init__(self, token):\n        self.t = token, password\n"
        "    def __call__(self, request):\n        return 1",
        '%%ray_tune --space "x=uniform(0, 1)" --metric a --mode min --dry-run': "{'a': len(tok + password)}",
    }
    for line, cell in lines.items():
        notebook.run(f"{line}\n{cell}")
        said = capsys.readouterr().out
        assert "hunter2" not in said and "swordfish" not in said, said
        assert "os.environ['MY_API_TOKEN']" in said and "password = os.environ['PASSWORD']" in said
        assert "import os\n" in said
    assert "{'auth': 'Bearer ' + os.environ['MY_API_TOKEN']}" in code_of(notebook.ns["head"])


HELD = "import ray\n@ray.remote(num_cpus=1)\nclass Held:\n    def go(self): return 1\nheld = Held.remote()\ndef go():\n    return ray.get(held.go.remote())"


def test_an_actor_that_nobody_holds_any_more_ends(notebook: Shell) -> None:
    notebook.run(HELD)
    assert notebook.run("%%ray_remote --num-cpus 0\ngo()") == 1
    actor = notebook.ns["held"]._actor_id.hex()
    notebook.run("del held, go")
    from ray.util.state import get_actor

    wait_until(lambda: gc.collect() >= 0 and get_actor(actor).state == "DEAD", 30)


KINDS = """%%ray_remote --max-restarts 1 --name kept --namespace ray_magics_tests
import dataclasses, enum
class Color(enum.Enum):
    RED = 1
class TooSmall(ValueError): pass
@dataclasses.dataclass
class Shape:
    side: float
    color: Color = Color.RED
def squared(x):
    return x * x
def area(shape):
    if shape.side < 0: raise TooSmall(shape.side)
    return squared(shape.side), shape.color
class Count:
    def __init__(self): self.n = 0
    def add(self): self.n += 1; return self.n
"""


def test_definitions_of_every_kind_work_together(notebook: Shell, capsys: Capsys) -> None:
    notebook.run(KINDS)
    assert "area, Count became remote; Color, TooSmall, Shape, squared stay as defined." in capsys.readouterr().out
    assert notebook.run("import ray\nray.get(area.remote(Shape(3))) == (9, Color.RED)")
    notebook.run("try: ray.get(area.remote(Shape(-1)))\nexcept TooSmall as error: caught = error")
    assert "caught" in notebook.ns
    assert notebook.run("count = Count.remote(); ray.get([count.add.remote(), count.add.remote()])") == [1, 2]
    assert notebook.run("ray.get(ray.get_actor('kept', 'ray_magics_tests').add.remote())") == 3
    notebook.run("ray.kill(count)")


def test_what_only_python_knows_to_be_no_actor_stays_as_it_is(notebook: Shell, capsys: Capsys) -> None:
    notebook.run("import abc\nMine = ValueError")
    notebook.run(
        "%%ray_remote\nclass Wrong(Mine): pass\nclass Shape(abc.ABC):\n    @abc.abstractmethod\n    def area(self): ...\n"
        "class Square(Shape):\n    def area(self): return 4"
    )
    assert "Square became remote; Wrong, Shape stay as defined." in capsys.readouterr().out


def test_an_option_of_a_wrong_type_is_a_mistake_and_changes_nothing(notebook: Shell) -> None:
    notebook.run("def f(): return 'old'\nold = f")
    with pytest.raises(UsageError, match="Ray refuses this"):
        notebook.run("%%ray_remote --concurrency-groups 5\nfrom math import *\ndef f(): pass\nclass A: pass")
    assert notebook.ns["f"] is notebook.ns["old"] and "A" not in notebook.ns and "cosh" not in notebook.ns


def test_a_definition_that_fails_leaves_every_name_as_it_was(notebook: Shell) -> None:
    notebook.run("def f(): return 'old'\nold = f")
    with pytest.raises(NameError):
        notebook.run("%%ray_remote\ndef f(): return 'new'\ndef g(): pass\nclass A(NotThere): pass")
    assert notebook.ns["f"] is notebook.ns["old"] and "g" not in notebook.ns


def test_a_cached_function_travels(notebook: Shell) -> None:
    notebook.run(
        "import functools\nbase = 2\n@functools.lru_cache(maxsize=10)\ndef power(x):\n    return base**x\nkept = power"
    )
    assert notebook.run("%%ray_remote\npower(3), power(3), power.cache_info().hits") == (8, 8, 1)
    assert notebook.run('%%ray_remote --for "x in range(3)"\npower(x)') == [1, 2, 4]
    assert notebook.ns["power"] is notebook.ns["kept"]


def test_a_worker_has_an_event_loop_and_a_main_module_as_a_notebook_has(notebook: Shell) -> None:
    notebook.run("%%ray_remote\nimport asyncio\nawait asyncio.sleep(0)")
    assert notebook.run("%%ray_remote\nasyncio.get_event_loop().is_closed()") is False
    source = "import dataclasses, typing\n@dataclasses.dataclass\nclass Node:\n    next: 'Node | None' = None\n"
    assert notebook.run(f"%%ray_remote\n{source}list(typing.get_type_hints(Node))") == ["next"]
