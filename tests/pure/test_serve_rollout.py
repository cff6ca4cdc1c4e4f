"""How a new version comes up while the old one serves: which phases, when each is over, what a failure leaves."""

from __future__ import annotations

from typing import Any

import pytest

from ray_magics.raylib.serve_spec import DeploySpec
from ray_magics.verbs.serve.details import ApplicationDetails, DeploymentDetails, InstanceDetails, ReplicaDetails
from ray_magics.verbs.serve.rollout import (
    AWAITING_DELETION,
    CHECKING,
    JOINING,
    STARTING_SERVE,
    UPDATING,
    Rollout,
)

PREVIOUS = DeploySpec("app", {})


def rollout(new: str = "A", existing: str = "", **changes: Any) -> Rollout:
    """Deployments are letters; where there are existing ones, there is a version to go back to."""
    previous = PREVIOUS if existing else None
    return Rollout("app", frozenset(new), frozenset(existing), **{"previous": previous, **changes})


def details(*deployments: DeploymentDetails, name: str = "app", status: str = "DEPLOYING") -> InstanceDetails:
    app = ApplicationDetails(name, status, deployments={one.name: one for one in deployments})
    return InstanceDetails(is_up=True, applications={name: app})


def deployment(name: str, target: int = 1, status: str = "UPDATING", **states: str) -> DeploymentDetails:
    """Of replicas by their ids."""
    replicas = tuple(ReplicaDetails(id, state) for id, state in states.items())
    return DeploymentDetails(name, status, target=target, replicas=replicas)


@pytest.mark.parametrize(
    ("new", "existing", "changes", "phases"),
    [
        pytest.param("A", "", {}, [UPDATING], id="first version"),
        pytest.param("AB", "", {"starts_idle": True}, [UPDATING], id="first version, idle"),
        pytest.param("A", "A", {"previous": None}, [UPDATING], id="over one that never came up"),
        pytest.param("A", "A", {}, [UPDATING], id="Ray replaces the replicas of one deployment"),
        pytest.param("A", "A", {"starts_idle": True}, [CHECKING, UPDATING], id="idle: only a check shows it"),
        pytest.param("AB", "AB", {}, [CHECKING, UPDATING], id="several change"),
        pytest.param("AB", "A", {}, [CHECKING, JOINING, UPDATING], id="one is new"),
        pytest.param("A", "AB", {}, [CHECKING, UPDATING], id="one goes"),
        pytest.param("B", "A", {}, [JOINING, UPDATING], id="another name"),
        pytest.param("B", "A", {"starts_idle": True}, [CHECKING, JOINING, UPDATING], id="another name, idle"),
        pytest.param("AB", "A", {"stops_first": True}, [UPDATING], id="--replace"),
    ],
)
def test_a_version_comes_up_in_these_phases(new: str, existing: str, changes: dict[str, Any], phases: Any) -> None:
    step = rollout(new, existing, **changes)
    assert step.plan_phases() == tuple(phases)
    for number, phase in enumerate(phases):
        step = step.advance(float(number))
        assert (step.phase, step.started_at) == (phase, number)


@pytest.mark.parametrize("phase", [STARTING_SERVE, AWAITING_DELETION])
def test_what_must_be_waited_for_comes_before_all_phases(phase: str) -> None:
    waiting = rollout("AB", "AB").enter(phase, 1.0)
    assert waiting.advance(2.0).phase == CHECKING and waiting.reason


def test_a_phase_begins_without_the_controllers_yes() -> None:
    assert not rollout(accepted=True).advance(1.0).accepted


@pytest.mark.parametrize(
    ("phase", "target", "starting"),
    [(CHECKING, "app~check", "AB"), (JOINING, "app", "B"), (UPDATING, "app", "AB")],
)
def test_each_phase_has_its_application_and_its_deployments(phase: str, target: str, starting: str) -> None:
    step = rollout("AB", "A", phase=phase)
    assert (step.target, step.starting_deployments) == (target, frozenset(starting))


def test_what_is_there_is_what_a_rollout_goes_over() -> None:
    app = details(deployment("A", a="RUNNING", b="STARTING"), deployment("B", c="STOPPING")).application("app")
    over = rollout("A").over(app, PREVIOUS)
    assert (
        over.existing_deployments == {"A", "B"} and over.old_replicas == {"a", "b", "c"} and over.previous is PREVIOUS
    )


@pytest.mark.parametrize(
    ("states", "ready"),
    [
        pytest.param({"old": "STOPPING", "new": "RUNNING"}, True, id="the old one only ends"),
        pytest.param({"new": "RUNNING"}, True, id="the old one is gone"),
        pytest.param({"old": "RUNNING", "new": "RUNNING"}, False, id="both serve"),
        pytest.param({"old": "STOPPING", "new": "STARTING"}, False, id="the new one starts"),
        pytest.param({"old": "RUNNING"}, False, id="not begun"),
    ],
)
def test_an_update_is_over_before_the_old_replicas_are_gone(states: dict[str, str], ready: bool) -> None:
    step = rollout("A", "A", phase=UPDATING, old_replicas=frozenset({"old"}))
    assert step.is_ready(details(deployment("A", **states))) is ready


def test_other_phases_and_first_versions_wait_for_rays_own_word() -> None:
    now = details(deployment("A", new="RUNNING"))
    assert not rollout("A", phase=UPDATING).is_ready(now)
    assert not rollout("A", "B", phase=JOINING, old_replicas=frozenset({"old"})).is_ready(now)
    assert rollout("A", phase=UPDATING).is_ready(details(status="RUNNING"))
    assert rollout("A", "A", phase=CHECKING).is_ready(details(name="app~check", status="RUNNING"))


def test_an_idle_deployment_is_not_ready_by_having_nothing() -> None:
    step = rollout("A", "A", phase=UPDATING, old_replicas=frozenset({"old"}))
    assert not step.is_ready(details(deployment("A", target=0, old="STOPPING")))


def test_the_failure_of_a_check_is_not_that_of_the_application() -> None:
    failed = details(deployment("A", status="DEPLOY_FAILED"), name="app~check", status="DEPLOY_FAILED")
    assert rollout("A", "A", phase=CHECKING).has_failed(failed)
    assert not rollout("A", "A", phase=UPDATING).has_failed(failed)


def test_who_is_waited_for_is_who_has_no_new_replica() -> None:
    now = details(deployment("A", old="RUNNING"), deployment("B", new="RUNNING"), deployment("Z"))
    assert rollout("AB", "A", phase=UPDATING, old_replicas=frozenset({"old"})).waiting_for(now) == ["A"]


@pytest.mark.parametrize(
    ("existing", "stops_first", "words"),
    [
        ("", False, 'nothing is served as "app"'),
        ("A", False, 'the old version of "app" keeps serving'),
        ("A", True, 'the old version of "app" starts again'),
    ],
)
def test_a_failure_says_what_is_served_after_it(existing: str, stops_first: bool, words: str) -> None:
    assert rollout("A", existing, stops_first=stops_first).consequence == words


def test_a_view_says_why_the_new_version_does_not_serve_yet() -> None:
    old = {"phase": UPDATING, "old_replicas": frozenset({"old"})}
    assert rollout("A", phase=UPDATING).reason == ""
    assert rollout("A", "A", **old).reason == "the old version serves until the new one is ready"
    assert rollout("A", "A", stops_first=True, **old).reason == "the old version stops first"
    assert "checked beside the old one" in rollout("AB", "AB", phase=CHECKING).reason
