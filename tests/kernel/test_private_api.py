"""Fails loudly when a private API that we lean on changes; says where to look."""

from __future__ import annotations

import inspect
import os
import signal
from importlib import import_module

import pytest

from ray_magics import kernel as private
from tests.conftest import Kernel, Shell


def test_ray_pickles_functions_in_the_shape_that_we_take_apart() -> None:
    """`core/worker/values.py` (without_globals) unpacks what cloudpickle's reducer_override returns."""
    import io

    from ray import cloudpickle

    function = eval("lambda v: v + k", {"__name__": "__main__", "k": 1})
    make, (code, base, *rest), (state, slots), *tail = cloudpickle.Pickler(io.BytesIO()).reducer_override(function)
    assert make.__name__ == "_make_function" and code is function.__code__ and isinstance(base, dict)
    assert slots["__globals__"] == {"k": 1} and isinstance(state, dict)
    assert len(rest) == 3 and tail[-1].__name__ == "_function_setstate"


def test_ray_cancels_through_pythons_own_flag(cluster: str) -> None:
    """`core/worker/output_forwarder.py` counts on it: the flag reaches the wakeup file descriptor.

    A cluster that was started in the background of a shell ignores SIGINT, so the handler is set, as the worker runtime does.
    """
    import ray

    @ray.remote
    def started(folder: str) -> str:
        import os
        import select
        import time

        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        before = signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        open(os.path.join(folder, "ready"), "w").close()
        try:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                time.sleep(0.01)
        except KeyboardInterrupt:
            ready, _, _ = select.select([reader], [], [], 5)
            return f"{list(os.read(reader, 10))}" if ready else "nothing was written"
        finally:
            signal.set_wakeup_fd(before)
        return "never interrupted"

    import tempfile

    from tests.conftest import wait_until

    with tempfile.TemporaryDirectory() as folder:
        ref = started.remote(folder)
        wait_until(lambda: os.path.exists(os.path.join(folder, "ready")), 60)
        ray.cancel(ref)
        try:
            assert ray.get(ref) == "[2]"
        except ray.exceptions.TaskCancelledError:
            pytest.skip("Ray reports the cancel whatever the task returns; the interrupt tests cover the rest")


def test_workers_block_the_signal_of_interrupts(cluster: str) -> None:
    """A notebook's interrupt goes to its whole process group; Ray shields its workers, and we leave it so."""
    import ray

    @ray.remote
    def mask() -> bool:
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    assert ray.get(mask.remote())


def test_ipython_names_cells_through_its_compiler(shell: Shell) -> None:
    name = private.cell_filename(shell.ip, "\nx = 1")
    assert private.cell_label(shell.ip, name).startswith("Cell In[") and private.cell_label(shell.ip, "other") == ""


def test_ipython_knows_the_number_of_the_cell_that_runs(shell: Shell) -> None:
    number = shell.ip.execution_count
    shell.run("from ray_magics import kernel as private\nn = private.prompt_number(get_ipython())")
    assert shell.ns["n"] == number == shell.ip.execution_count - 1


def test_the_kernel_answers_on_the_control_channel(lonely_kernel: Kernel) -> None:
    kernel = lonely_kernel
    message = kernel.client.session.msg("ray_magics_request", {"action": "stop", "run": "none"})
    kernel.client.control_channel.send(message)
    reply = kernel.client.get_control_msg(timeout=30)
    assert reply["msg_type"] == "ray_magics_reply" and reply["content"]["status"] == "error"


def test_a_thread_prints_under_the_cell_that_it_names() -> None:
    """`kernel.printing_under` counts on it; without it the lines appear under the cell that runs."""
    from ipykernel.iostream import OutStream

    assert list(inspect.signature(OutStream.set_thread_parent).parameters) == ["self", "parent"]
    assert list(inspect.signature(OutStream.reset_thread_parent).parameters) == ["self", "token"]


def test_the_kernel_tells_the_id_of_a_cell(lonely_kernel: Kernel) -> None:
    kernel = lonely_kernel
    code = "from ray_magics import kernel as p; print(repr(p.cell_id(get_ipython())))"
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = kernel.client.session.msg("execute_request", content)
    message["metadata"] = {"cellId": "cell-7"}
    from tests.conftest import Executed

    executed = Executed(message["header"]["msg_id"])
    kernel.cells[executed.msg_id] = executed
    kernel.client.shell_channel.send(message)
    assert kernel.finish(executed).stdout == "'cell-7'\n"


def test_ray_asks_one_function_whether_to_start_a_cluster() -> None:
    hook = import_module("ray._private.auto_init_hook")
    assert "auto_init_ray()" in inspect.getsource(hook.wrap_auto_init) and callable(hook.auto_init_ray)
    assert "TUNE_DISABLE_AUTO_INIT" in inspect.getsource(import_module("ray.tune.tune"))


@pytest.mark.parametrize("module", ["auth", "core", "gcs", "logs", "serve", "tune"])
def test_every_use_of_rays_private_api_says_on_which_ray_it_was_tried(module: str) -> None:
    assert "tried on ray 2.60" in (inspect.getdoc(import_module(f"ray_magics.raylib.{module}")) or "").lower()


def test_an_interrupt_that_ipython_takes_for_an_error_of_a_callback_stops_the_cell(lonely_kernel: Kernel) -> None:
    """`kernel.SwallowedInterrupt` reads it from `sys.last_value` and the frame of `EventManager.trigger`."""
    define = """
import signal
def interrupted(*_):
    get_ipython().events.unregister(event, interrupted)
    signal.raise_signal(signal.SIGINT)
"""
    lonely_kernel.run(define)
    for event in ("pre_execute", "pre_run_cell"):
        register = f"event = '{event}'; get_ipython().events.register(event, interrupted)"
        lonely_kernel.run(register)
        cell = lonely_kernel.run("%%ray_remote\nimport ray")
        assert "Error in callback" in cell.stdout, "IPython does not swallow it any more: SwallowedInterrupt may go"
        errors = [message["content"] for message in cell.messages if message["msg_type"] == "error"]
        assert [error["ename"] for error in errors] == ["KeyboardInterrupt", "RunCancelled"]
        assert "before the work of this cell began" in errors[-1]["evalue"]
        lonely_kernel.run(register)
        assert "Error in callback" in lonely_kernel.run("1").stdout  # this one was a cell of plain Python
        dry = lonely_kernel.run("%%ray_remote --dry-run\n1 + 1")
        assert dry.error is None and "1 + 1" in dry.stdout
