"""Applications with real Ray Serve: what takes long, or breaks Serve itself; `pytest -m slow tests/slow/test_serve.py`."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

import pytest

from ray_magics.errors import RemoteError
from ray_magics.raylib import serve as private
from ray_magics.run.registry import registry
from ray_magics.verbs.serve import control, served
from tests.conftest import Shell, wait_until
from tests.serving import (
    ECHO,
    FAILS,
    SHOP,
    SHOP_API,
    SLEEPS,
    app,
    ids,
    load,
    new_one_starts,
    pid_of,
    serve,
)

pytest.importorskip("httpx")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Address = tuple[str, str]


# --- updates --------------------------------------------------------------------------------------------------------


def test_updates_of_every_kind_lose_no_request_and_broken_ones_change_nothing(lab: Shell, address: Address) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    with load(f"{address[0]}/echo", threads=4) as answers:
        serve(lab, "--name echo", ECHO.format(version="two"))
        wait_until(lambda: answers and answers[-1] == "two", 60, "the new version")
        with pytest.raises(ValueError, match="bad weights") as found:
            serve(lab, "--name echo", FAILS.format(name="Echo", words="bad weights"))
        with pytest.raises(ValueError, match="bad name"):
            serve(lab, "--name echo", FAILS.format(name="Other", words="bad name"))
        serve(lab, "--name echo", "def other(request):\n    return 'four'")
        wait_until(lambda: answers[-1] == "four", 60, "the last version")
    assert set(answers) == {"one", "two", "four"}
    assert isinstance(found.value, RemoteError)
    lines = found.value._render_traceback_()
    assert len(lines) < 15 and any("raise ValueError('bad weights')" in line for line in lines)
    assert 'the old version of "echo" keeps serving' in lines[0]
    assert app()["status"] == "RUNNING" and app()["deployments"][0]["status"] == "HEALTHY"


def test_updates_of_a_composition_lose_no_request(lab: Shell, web: Any, address: Address) -> None:
    lab.run(SHOP_API)
    serve(lab, "--name parts", SHOP)
    with load(f"{address[0]}/parts/scaled/3", threads=4) as answers:
        wait_until(lambda: answers, 60, "traffic")
        before = ids("parts")
        with pytest.raises(ModuleNotFoundError):
            serve(lab, "--name parts", SHOP.replace("pass", "import no_such_module"))
        assert ids("parts") == before and len(before) == 2
        serve(lab, "--name parts", SHOP.replace("2 * x", "3 * x"))
        wait_until(lambda: answers[-1] == "9.0", 60, "the new version")
    assert set(answers) == {"6.0", "9.0"}
    assert web.post("/parts/predict", json={"x": 3}).json()["y"] == 9
    assert [one["name"] for one in app("parts")["deployments"]] == ["Front", "Scale"]


def test_a_broken_update_of_what_is_idle_changes_nothing(lab: Shell, web: Any) -> None:
    lab.run("scaling = {'upscale_delay_s': 0, 'downscale_delay_s': 600}")
    serve(lab, "--name idle --autoscale 0:2@1 --autoscaling-config scaling", ECHO.format(version="awake"))
    with pytest.raises(ValueError, match="never asleep"):
        serve(lab, "--name idle --autoscale 0:2@1", FAILS.format(name="Echo", words="never asleep"))
    assert web.get("/idle").text == "awake"
    with pytest.raises(ValueError, match="never awake"):
        serve(lab, "--name idle --autoscale 0:2@1", FAILS.format(name="Echo", words="never awake"))
    assert web.get("/idle").text == "awake"


def test_a_fastapi_app_is_served_with_its_routes(lab: Shell, web: Any) -> None:
    source = (
        "from fastapi import FastAPI\nroutes = FastAPI()\n@routes.get('/hello')\ndef hello(who: str): return {who: 1}"
    )
    serve(lab, "--name routes --num-cpus 0.1", source)
    assert web.get("/routes/hello?who=me").json() == {"me": 1}


# --- parts of Serve that stop or end --------------------------------------------------------------------------------


def test_a_controller_that_does_not_answer_for_a_while_is_no_reason_to_give_up(
    lab: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """It is stopped as a process for longer than a question waits, in the middle of an update."""
    serve(lab, "--name echo", ECHO.format(version="one"))
    pid = pid_of("ServeController")
    caplog.set_level(logging.DEBUG, "ray_magics.verbs.serve.watch")
    serve(lab, "--name echo --background", ECHO.format(version="two"))
    run = registry.runs()[-1]
    wait_until(lambda: run.rollout.phase == "updating", 60, "the update")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "does not answer" in caplog.text, 60, "a question without an answer")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert run.wait(120) and run.state == "finished", run.error
    assert app()["status"] == "RUNNING"


def test_a_proxy_that_is_gone_is_told_and_comes_back(lab: Shell, web: Any) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    pid = pid_of("ProxyActor")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "HTTP requests are refused" in control.snapshot("echo").to_json()["note"], 60, "the note")
    wait_until(lambda: not control.snapshot("echo").to_json()["note"], 120, "the end of the note")
    assert web.get("/echo").text == "one"


# --- others ---------------------------------------------------------------------------------------------------------


def test_an_application_that_is_deleted_while_it_is_updated_is_not_taken_back(lab: Shell) -> None:
    serve(lab, "--name echo", ECHO.format(version="one"))
    second = serve(lab, "--name echo --background", SLEEPS.format(seconds=20))
    wait_until(new_one_starts, 60, "both")
    private.delete("echo")  # as another notebook would
    assert second.wait(60) and "was deleted meanwhile" in str(second.error)
    wait_until(lambda: "echo" not in served.served_names(), 90, "its end")
