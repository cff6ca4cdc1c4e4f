"""The private names of Ray Train, on the installed Ray and on one that lacks them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from ray_magics.errors import RayApiMissing
from ray_magics.raylib import train
from ray_magics.raylib.private import private


@pytest.mark.parametrize("name", train.PRIVATE)
def test_ray_has_the_name(name: str) -> None:
    private(name)


def test_ray_reads_the_environment_variables() -> None:
    constants = import_module("ray.train.v2._internal.constants")
    assert (
        train.POLL_INTERVAL in constants.ENV_VARS_TO_PROPAGATE and train.PRINTS_TWICE in constants.ENV_VARS_TO_PROPAGATE
    )


def test_a_callback_hands_on_what_ray_calls_and_harms_nothing() -> None:
    seen: list[tuple[Any, ...]] = []

    def hook(name: str, *arguments: Any) -> None:
        seen.append((name, *arguments))
        raise RuntimeError("broken")

    callback = train.make_callback(hook)
    callback.after_controller_start("context")
    callback.after_report("report", [{"a": 1}])
    with callback.on_report():
        seen.append(("inside",))
    assert seen == [
        ("started", "context"),
        ("report", "report", [{"a": 1}]),
        ("report begins",),
        ("inside",),
        ("report ends",),
    ]


def test_a_ray_without_these_callbacks_is_refused_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("ray.train.v2._internal.execution.callback")
    monkeypatch.delattr(module, "TrainContextCallback")
    with pytest.raises(RayApiMissing, match="--dry-run prints the training as a plain script"):
        train.make_callback(lambda name: None)


def test_what_is_no_run_has_no_result(tmp_path: Any) -> None:
    assert train.result_so_far(str(tmp_path)) is None and train.result_so_far("/there/is/nothing") is None


def test_a_controller_that_cannot_abort_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[Any] = []
    monkeypatch.setattr("ray.kill", killed.append)
    controller = object()
    train.request_abort(controller)
    assert killed == [controller]
