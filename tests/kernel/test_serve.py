"""Applications in a real kernel: an interrupt, what other processes find, and what stays in a saved notebook."""

from __future__ import annotations

import pytest

from tests.conftest import Kernel, Shell
from tests.serving import SLEEPING_WORD, WORD, answer_of

pytestmark = pytest.mark.timeout(300)


def test_an_interrupt_keeps_the_old_version_and_another_process_finds_it(
    fresh_kernel: Kernel, notebook: Shell, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"http://127.0.0.1:{port}/word"
    line = f"%%ray_serve --name word --num-cpus 0.1 --port {port}"
    served = fresh_kernel.run(f"{line} --into words\n{WORD.format('one')}")
    assert served.error is None and answer_of(address) == "one"
    updating = fresh_kernel.start(f"{line}\n{SLEEPING_WORD}")
    fresh_kernel.pump(lambda: any("old version" in str(data) for data in updating.data))
    fresh_kernel.interrupt()
    fresh_kernel.finish(updating)
    assert (updating.error or {})["ename"] == "RunCancelled" and "keeps serving" in (updating.error or {})["evalue"]
    assert answer_of(address) == "one"
    look = "from ray_magics.verbs.serve import control\napps = control.snapshot('word').to_json()['apps']\n"
    starting = "any(r['version'] == 'new' for d in apps[0]['deployments'] for r in d['replicas'])"
    assert fresh_kernel.run(f"{look}assert not {starting}, apps").error is None

    notebook.run("%ray_serve word --into found")
    assert address in capsys.readouterr().out
    assert notebook.run("found.remote(None).result()") == "one"

    broken = fresh_kernel.run(f"{line}\nimport no_such_module_on_the_replica")
    assert (broken.error or {})["ename"] == "ModuleNotFoundError"
    updated = fresh_kernel.run(f"{line}\n{WORD.format('two')}")
    assert updated.error is None and answer_of(address) == "two"
    ended = fresh_kernel.run("%ray_serve --shutdown")
    assert "Its applications ended: word" in ended.stdout
    missing = fresh_kernel.run("%ray_serve --delete word")
    assert 'No application "word" is served here; nothing is served' in missing.texts("stderr")
    fresh_kernel.run("%ray_shutdown")
    gone = fresh_kernel.run("words.remote(None)")
    assert "a connection that has ended" in (gone.error or {})["evalue"]
    for cell in (served, updating, broken, updated, ended):
        assert "Serve" not in cell.texts("stderr") and "(ServeReplica" not in cell.stdout, cell.messages
