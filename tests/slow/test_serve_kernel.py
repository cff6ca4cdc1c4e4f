"""Applications in real kernels, a whole working day of one; `pytest -m slow tests/slow/test_serve_kernel.py`."""

from __future__ import annotations

import psutil
import pytest

from tests.conftest import Kernel, wait_until
from tests.serving import SLEEPING_WORD, WORD, answer_of, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_an_interrupt_keeps_the_old_version_and_a_new_kernel_finds_it(
    kernel: Kernel, fresh_kernel: Kernel, port: int
) -> None:
    address = f"http://127.0.0.1:{port}/word"
    line = f"%%ray_serve --name word --num-cpus 0.1 --port {port}"
    served = kernel.run(f"{line}\n{WORD.format('one')}")
    assert served.error is None and answer_of(address) == "one"
    updating = kernel.start(f"{line}\n{SLEEPING_WORD}")
    starting = "any(r['version'] == 'new' for d in apps[0]['deployments'] for r in d['replicas'])"
    look = "from ray_magics.verbs.serve import control\napps = control.snapshot('word').to_json()['apps']\n"
    kernel.pump(lambda: any("old version" in str(data) for data in updating.data))
    kernel.interrupt()
    kernel.finish(updating)
    assert (updating.error or {})["ename"] == "RunCancelled" and "keeps serving" in (updating.error or {})["evalue"]
    assert answer_of(address) == "one"
    assert kernel.run(f"{look}assert not {starting}, apps").error is None

    found = fresh_kernel.run("%ray_serve word --into words")
    assert found.error is None and any(address in str(data) for data in found.data)
    assert fresh_kernel.value("words.remote(None).result()") == "'one'"
    broken = fresh_kernel.run(f"{line}\nimport no_such_module_on_the_replica")
    assert (broken.error or {})["ename"] == "ModuleNotFoundError"
    broken = fresh_kernel.run(
        f"{line}\nclass word:\n    def __init__(self):\n        1 / 0\n    def __call__(self, r):\n        pass"
    )
    assert (broken.error or {})["ename"] == "ZeroDivisionError" and answer_of(address) == "one"
    updated = fresh_kernel.run(f"{line}\n{WORD.format('two')}")
    assert updated.error is None and answer_of(address) == "two"
    ended = fresh_kernel.run("%ray_serve --shutdown")
    assert "Its applications ended: word" in ended.stdout
    fresh_kernel.run("%ray_shutdown")
    gone = fresh_kernel.run("words.remote(None)")
    assert "a connection that has ended" in (gone.error or {})["evalue"]
    for cell in (served, updating, found, broken, updated, ended):
        assert "Serve" not in cell.texts("stderr") and "(ServeReplica" not in cell.stdout, cell.messages


def test_after_a_shutdown_everything_works_again_and_what_still_ran_starts_no_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    kernel, port = Kernel(), free_port()
    line = f"%%ray_serve --name word --num-cpus 0.1 --port {port}"
    try:
        kernel.run("%load_ext ray_magics\n%ray_init local --num-cpus 2")
        assert kernel.run(f"{line} --into words\n{WORD.format('one')}").error is None
        search = "--space 'x=uniform(0, 1)' --num-samples 40 --background --num-cpus 0.5"
        kernel.run(f"%%ray_tune {search}\nimport time\ntime.sleep(3)\n" + '{"a": config["x"]}')
        ended = kernel.run("%ray_shutdown")
        assert "Stopped the Ray cluster" in ended.stdout, ended.messages
        threads = "[t.name for t in __import__('threading').enumerate() if t.name.startswith('ray_magics-ray_tune')]"
        wait_until(lambda: kernel.value(threads) == "[]", 120, "the end of the search")
        children = psutil.Process(kernel.manager.provisioner.pid).children(recursive=True)
        assert not [one for one in children if one.is_running() and one.name() in ("gcs_server", "raylet")]

        again = kernel.run(f"{line} --into words\n{WORD.format('two')}")
        assert again.error is None and answer_of(f"http://127.0.0.1:{port}/word") == "two", again.messages
        assert kernel.value("words.remote(None).result()") == "'two'"
        assert "is shut down" in kernel.run("%ray_serve --shutdown").stdout
        kernel.run("%ray_shutdown")
    finally:
        kernel.shutdown()
