"""The lines `%ray_init` ... `%ray_shutdown` without any cluster: what they say, and what they refuse."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ray_magics.errors import UsageError
from ray_magics.run.output import OutputLog
from ray_magics.run.registry import Registry
from ray_magics.run.run import Run
from ray_magics.run.status import RunStatus
from ray_magics.verbs.cluster import magic as magics
from ray_magics.verbs.cluster import run as cluster_run
from ray_magics.verbs.cluster.verb import VERB


class Fake(Run):
    """A run that only notes what is asked of it."""

    def __init__(self, state: str = "running") -> None:
        super().__init__("In[4]", "ray_remote")
        self.state = state
        self.asked: list[bool] = []

    def stop(self, force: bool = False, by: str = "") -> None:
        self.asked.append(force)
        self.state = "stopping"

    def status(self) -> RunStatus:
        return RunStatus(self.id, self.name, self.verb, self.state, 1.0)

    def logs(self, worker: str = "") -> str:
        log = OutputLog()
        log.add("11@10.0.0.1", [("stdout", "one\n")])
        log.add("12@10.0.0.1", [("stdout", "two\n"), ("stderr", "three\n")])
        return log.text(worker)


@pytest.fixture
def registry(monkeypatch):
    made = Registry()
    for module in (magics, sys.modules["ray_magics.run.run"]):
        monkeypatch.setattr(module, "registry", made)
    return made


@pytest.fixture(autouse=True)
def no_connection(monkeypatch, shell):
    monkeypatch.setattr(cluster_run, "is_up", lambda: False)
    monkeypatch.setattr(magics, "is_up", lambda: False)
    monkeypatch.setattr(cluster_run, "connect", lambda plan, restart=False: pytest.fail(f"would connect: {plan}"))
    monkeypatch.setattr(magics, "get_ipython", lambda: shell.ip)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.mark.parametrize(
    "line, words",
    [
        ("--num-cpus -1", "--num-cpus"),
        ("--num-cpus two", "not a whole number"),
        ("--resources 5", "5 is not a dict"),
        ("--resources nowhere", 'name "nowhere" is not defined'),
        ("--object-store-memory 2Gig", "is not a size"),
        ("--object-store-memory 10MB", "Ray needs 75 MiB"),
        ("head", '"head" is not an address'),
        ("http://127.0.0.1:8265", "is a dashboard"),
        ("10.0.0.1:6379 --num-cpus 2", "%ray_init local --num-cpus"),
        ("10.0.0.1:6379 --detached", "leave out the address"),
        ("--num-cpu 2", "did you mean --num-cpus?"),
    ],
)
def test_a_mistake_in_the_line_is_one_line(line, words):
    with pytest.raises(UsageError) as error:
        magics.ray_init(line)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_the_options_reach_the_plan_under_rays_names(monkeypatch, shell):
    plans = []

    def connect(plan, restart=False):
        plans.append((plan, restart))
        raise UsageError("seen")

    monkeypatch.setattr(cluster_run, "connect", connect)
    shell.ns["tpus"] = 3
    with pytest.raises(UsageError, match="seen"):
        magics.ray_init("""--num-cpus 2 --resources "{'tpu': tpus}" --object-store-memory 1GiB --restart""")
    [(plan, restart)] = plans
    assert plan.sizing() == {"num_cpus": 2, "resources": {"tpu": 3}, "object_store_memory": 2**30} and restart


def test_the_status_without_a_connection_starts_nothing(capsys, registry):
    magics.ray_status("")
    assert "%ray_init" in capsys.readouterr().out


def test_no_runs_are_told(capsys, registry):
    magics.ray_runs("")
    assert "%%ray_remote" in capsys.readouterr().out


def test_a_run_is_stopped_and_the_second_time_killed(capsys, registry):
    run = Fake()
    registry.add(run)
    magics.ray_stop(run.id)
    magics.ray_stop(run.id)
    assert run.asked == [False, True]
    assert capsys.readouterr().out == f"Stopping run {run.id} (In[4]).\nKilling run {run.id} (In[4]).\n"


def test_all_runs_are_stopped_by_force_but_not_those_that_ended(capsys, registry):
    runs = [Fake(), Fake("finished"), Fake("pending")]
    for run in runs:
        registry.add(run)
    magics.ray_stop("--all --force")
    assert [run.asked for run in runs] == [[True], [], [True]]


def test_an_ended_run_is_not_stopped_again(capsys, registry):
    run = Fake("finished")
    registry.add(run)
    magics.ray_stop(run.id)
    assert run.asked == [] and "is finished already" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["", "3 --all"])
def test_stop_needs_a_run_or_all(line, registry):
    with pytest.raises(UsageError, match="needs a run or --all"):
        magics.ray_stop(line)


def test_an_unknown_run_is_told_with_the_known_ones(registry):
    run = Fake()
    registry.add(run)
    for magic in (magics.ray_stop, magics.ray_logs):
        with pytest.raises(UsageError, match=rf"'99'; there are: {run.id} \(In\[4\], running\)"):
            magic("99")


@pytest.mark.parametrize(
    "options, lines",
    [
        ("--worker 11", ["one"]),
        ("--worker 12@10.0.0.1", ["two", "three"]),
        ("--tail 1", ["three"]),
        ("", ["--- worker 11 on 10.0.0.1 ---", "one", "--- worker 12 on 10.0.0.1 ---", "two", "three"]),
    ],
)
def test_the_logs_of_a_run_are_printed(options, lines, capsys, registry):
    run = Fake()
    registry.add(run)
    magics.ray_logs(f"{run.id} {options}")
    assert capsys.readouterr().out.splitlines() == lines


def test_an_unknown_worker_is_told_with_the_known_ones(registry):
    run = Fake()
    registry.add(run)
    with pytest.raises(UsageError, match=r"those that did: 11@10\.0\.0\.1, 12@10"):
        magics.ray_logs(f"{run.id} --worker 99")


def test_every_magic_has_a_manual_with_examples():
    for magic in VERB.magics:
        assert any(line.strip().startswith(f"%{magic.name}") for line in magic.help.splitlines()), magic.name


def test_loading_the_verb_imports_nothing_heavy():
    heavy = ("ray", "torch", "pandas", "anywidget", "grpc", "psutil")
    code = f"import sys, ray_magics.verbs.cluster.magic; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
