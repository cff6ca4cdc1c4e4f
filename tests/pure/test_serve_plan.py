"""Every decision about a deployment, without a cluster: the line, the cell, the room, the script, the failure."""

from __future__ import annotations

import ast
import pickle
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.error import UsageError

from ray_magics.errors import RayMagicsError, RemoteError, first_line
from ray_magics.resources import NodeResources
from ray_magics.verbs.serve import application
from ray_magics.verbs.serve.api import serve
from ray_magics.verbs.serve.capacity import ReplicaRequest, capacity_error, find_unplaceable
from ray_magics.verbs.serve.failures import find_failure, startup_error
from ray_magics.verbs.serve.magic import _bound_argument, ray_serve, read_options
from ray_magics.verbs.serve.options import OPTION_NAMES, ServeOptions
from ray_magics.verbs.serve.plan import (
    APPLICATION,
    ASGI_APP,
    DEFINITION,
    DEPLOYMENT,
    ServePlan,
    Subject,
    choose,
    kind_of,
    make_plan,
)
from ray_magics.verbs.serve.script import explain
from tests.conftest import Shell

HERE = __name__
ADD = "my_pb2_grpc.add_ChatServicer_to_server"
Capsys = pytest.CaptureFixture[str]


def plan(line: str = "", is_cell: bool = True, **names: Any) -> ServePlan:
    options = ray_serve.parse(line, is_cell)
    assert options is not None
    return make_plan(read_options(options, names))


def said(text: str, *words: str) -> bool:
    return all(word in text for word in words)


class Classifier:
    def __init__(self, weights: Any, scale: float = 1.0) -> None:
        pass

    def __call__(self, request: Any) -> Any:
        return request


class Heir(Classifier):
    pass


class Settings:
    pass


def predict(request: Any) -> Any:
    return request


async def chat(request: Any) -> Any:
    return request


def _helper() -> None:
    pass


def rays(name: str, **fields: Any) -> Any:
    """An object whose class looks like Ray Serve's of that name."""
    return type(name, (), {"__module__": "ray.serve.deployment", **fields})()


# --- the line -----------------------------------------------------------------------------------------------------


def test_an_empty_line_is_serves_own_default() -> None:
    made = plan()
    assert made == ServePlan() and (made.name, made.route_prefix, made.timeout) == ("default", "/", 300)
    assert made.options == {} and made.bind == {} and not made.replace


def test_a_line_is_a_plan() -> None:
    made = plan(
        "--name digits --num-replicas 2 --num-cpus 0.1 --num-gpus 0 --max-ongoing-requests 8 --host 0.0.0.0 "
        '--user-config "{\'t\': high}" --bind "weights=w" scale=2 --port 8123 --timeout 5 --into d --replace --quiet',
        high=3,
        w=[1],
    )
    assert (made.name, made.route_prefix, made.host, made.port) == ("digits", "/digits", "0.0.0.0", 8123)
    actor = {"num_cpus": 0.1, "num_gpus": 0}
    limits = {"num_replicas": 2, "max_ongoing_requests": 8}
    assert made.options == {**limits, "user_config": {"t": 3}, "ray_actor_options": actor}
    assert (made.bind, made.timeout, made.into) == ({"weights": [1], "scale": 2}, 5, "d")
    assert made.replace and made.quiet and not made.background


@pytest.mark.parametrize(
    ("line", "route"),
    [
        pytest.param("", "/", id="no name"),
        pytest.param("--name default", "/", id="the name without a name"),
        pytest.param("--name digits", "/digits", id="name"),
        pytest.param('--name "two words"', "/two-words", id="name with a blank"),
        pytest.param("--name digits --route-prefix /", "/", id="root"),
        pytest.param("--name digits --route-prefix /v1/digits", "/v1/digits", id="deep"),
        pytest.param("--name digits --route-prefix none", None, id="no HTTP"),
    ],
)
def test_an_application_is_reached_under_its_name_or_where_the_line_says(line: str, route: str | None) -> None:
    assert plan(line).route_prefix == route


@pytest.mark.parametrize(
    ("line", "options"),
    [
        pytest.param("--autoscale 0:3@2", {"min_replicas": 0, "max_replicas": 3, "target_ongoing_requests": 2}, id="@"),
        pytest.param("--autoscale 1:4", {"min_replicas": 1, "max_replicas": 4}, id="Ray's target"),
        pytest.param(
            "--autoscale 1:4 --autoscaling-config \"{'max_replicas': 9, 'downscale_delay_s': 3}\"",
            {"min_replicas": 1, "max_replicas": 4, "downscale_delay_s": 3},
            id="the short form wins",
        ),
        pytest.param(
            "--autoscale 1:4@1 --autoscaling-config config",
            {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 1, "initial_replicas": 2},
            id="beside Ray's own object",
        ),
        pytest.param("--autoscaling-config \"{'max_replicas': 9}\"", {"max_replicas": 9}, id="all fields"),
    ],
)
def test_autoscaling_replaces_the_number_of_replicas(line: str, options: dict[str, Any]) -> None:
    config = SimpleNamespace(model_dump=lambda exclude_unset: {"initial_replicas": 2, "max_replicas": 7})
    assert plan(line, config=config).options == {"autoscaling_config": options, "num_replicas": None}


def test_ray_may_choose_the_number_of_replicas() -> None:
    assert plan("--num-replicas auto").options == {"num_replicas": "auto"}


@pytest.mark.parametrize("given", [f"'{ADD}'", f"['{ADD}']", f"('{ADD}',)"])
def test_grpc_has_a_port_and_functions(given: str) -> None:
    made = plan(f'--grpc-port 9001 --grpc-servicer-functions "{given}"')
    assert (made.grpc_port, made.grpc_functions) == (9001, (ADD,))


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("--keep-old --replace", "--keep-old and --replace exclude each other"),
        ("--num-replicas 2 --autoscale 1:3", "--num-replicas and --autoscale exclude each other"),
        ("--num-replicas 2 --autoscaling-config \"{'max_replicas': 3}\"", "exclude each other"),
        ("--autoscale 1:3 --autoscaling-config 3", '--autoscaling-config is of type int; try "{'),
        ("--grpc-servicer-functions \"['f']\"", "needs a port: add --grpc-port 9000"),
        ("--grpc-port 9000", "--grpc-port needs the functions that add your servicers"),
        ("--grpc-port 9000 --grpc-servicer-functions []", "--grpc-port needs the functions"),
        ("--grpc-port 9000 --grpc-servicer-functions 3", "--grpc-servicer-functions: 3 is no list of names; try"),
        ("--grpc-port 9000 --grpc-servicer-functions [print]", "is no list of names; try"),
        ("--name a/b", "--name: 'a/b' is no name of an application"),
        ("--name digits~check", "is no name of an application"),
        (f"--name {'x' * 61}", "is no name of an application"),
        ('--name " "', "is no name of an application"),
        ("--name digits --route-prefix digits", '"digits" is no route; try /digits, or none for no HTTP at all'),
        ("--route-prefix /digits/", '"/digits/" is no route'),
        ("--route-prefix /{id}", "is no route"),
        ("--route-prefix /a?b", "is no route"),
        ("--autoscale 3", '--autoscale: "3" is not replicas as MIN:MAX or MIN:MAX@N'),
        ("--autoscale 4:1", "has a maximum below its minimum, or of 0; try 1:4 or 0:3@2"),
        ("--autoscale 0:0", "has a maximum below its minimum, or of 0"),
        ("--autoscale 0:3@", "try 1:4 or 0:3@2"),
        ("--autoscale=-1:3", "try 1:4 or 0:3@2"),
        ("--num-replicas 0", '--num-replicas: "0" is not a number of replicas, or auto; try 2 or auto'),
        ("--num-replicas many", "try 2 or auto"),
        ("--num-replicas 1.5", "try 2 or auto"),
        ("--port 0", '--port: "0" is not a port; try --port 8000'),
        ("--port 65536", "is not a port"),
        ("--grpc-port http", '"http" is not a port'),
        ("--max-ongoing-requests 0", "is less than 1"),
        ("--num-cpus -1", "is negative"),
        ("--timeout soon", "is not a number of seconds"),
        ("--into a.b", '"a.b" is not a name'),
        ("--user-config {'t':", "a bracket is not closed"),
        ("--user-config t+", "is not a Python expression"),
        ("--user-config nowhere", '--user-config: name "nowhere" is not defined'),
        ("--bind weights", '--bind: "weights" is not NAME=EXPRESSION; try --bind "weights=w"'),
        ("--bind 2w=1", "is not NAME=EXPRESSION"),
        ("--bind weights=", '"weights=" is not NAME=EXPRESSION'),
        ('--bind "weights=w+"', '"weights=w+" is not NAME=EXPRESSION'),
        ("--bind weights=nowhere", '--bind: name "nowhere" is not defined'),
        ("--bind weights=1/0", '--bind: "1/0" raised ZeroDivisionError'),
        ("--nonsense", "--nonsense is not an option of %%ray_serve"),
        ("--num-replica 2", "did you mean --num-replicas?"),
    ],
)
def test_a_wrong_line_is_one_line(line: str, wrong: str) -> None:
    with pytest.raises(UsageError) as found:
        plan(line)
    assert wrong in str(found.value) and "\n" not in str(found.value)


def test_a_bound_argument_may_hold_an_equals_sign_and_blanks() -> None:
    assert _bound_argument(" same = a == b ", {"a": 1, "b": 1}) == ("same", True)


def test_a_timeout_of_nothing_is_not_the_default() -> None:
    assert plan("--timeout 0").timeout == 0


def test_the_twin_takes_what_the_line_takes() -> None:
    declared = {flag[2:].replace("-", "_") for flag in ray_serve.options}
    assert declared - {"delete", "shutdown", "dry_run"} == OPTION_NAMES
    line = ray_serve.parse("--name a --quiet --autoscale 1:2 --bind w=1", True)
    keywords = {"name": "a", "autoscale": "1:2", "bind": {"w": 1}, "user_config": None, "timeout": None}
    assert line is not None and read_options(line, {}) == ServeOptions.from_keywords(keywords)


def test_a_user_config_of_none_is_one_that_the_line_gives() -> None:
    assert plan("--user-config None").options == {"user_config": None} and plan().options == {}


def test_the_twin_refuses_what_is_no_option_or_cannot_be_served() -> None:
    with pytest.raises(TypeError, match="serve\\(\\) has no option 'num_replica'"):
        serve(predict, namespace={}, num_replica=2)
    with pytest.raises(UsageError, match="not int"):
        serve(3, namespace={})
    with pytest.raises(UsageError, match='autoscale: "4:1" has a maximum below'):
        serve(predict, namespace={}, autoscale="4:1")


# --- what a cell deploys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param(rays("Application"), APPLICATION, id="application"),
        pytest.param(rays("Deployment"), DEPLOYMENT, id="deployment"),
        pytest.param(rays("DeploymentHandle"), "", id="handle"),
        pytest.param(type("Application", (), {})(), "", id="of another package"),
        pytest.param(Classifier, DEFINITION, id="class"),
        pytest.param(chat, DEFINITION, id="async function"),
        pytest.param(Settings(), "", id="instance"),
        pytest.param(len, "", id="builtin"),
        pytest.param(None, "", id="nothing"),
    ],
)
def test_the_kind_of_a_value_is_known_without_ray(value: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ray", "ray.serve"):
        monkeypatch.setitem(sys.modules, name, None)  # who imports it now gets an ImportError
    assert kind_of(value) == kind


def chosen(value: Any = None, **names: Any) -> Subject:
    return choose(value, names, names, HERE)


def test_the_last_expression_is_what_is_served() -> None:
    last = rays("Application")
    assert chosen(last, other=rays("Application"), Classifier=Classifier) == Subject("", APPLICATION, last)
    assert chosen(last, app=last).name == "app"
    assert chosen(predict, Classifier=Classifier, predict=predict) == Subject("predict", DEFINITION, predict)


def test_a_definition_that_the_cell_does_not_bind_keeps_its_own_name() -> None:
    assert chosen(Classifier).label == "Classifier"
    assert Subject("", APPLICATION, rays("Application")).label == "the last line"


def test_a_last_line_that_cannot_be_served_is_looked_past() -> None:
    assert chosen("printed", predict=predict).value is predict


def test_an_application_bound_to_a_name_goes_before_what_it_is_made_of() -> None:
    app = rays("Application")
    names = {"Model": rays("Deployment"), "Classifier": Classifier, "app": app, "again": app}
    assert chosen(**names).value is app and chosen(**names).kind == APPLICATION


def test_the_only_deployment_goes_before_plain_definitions() -> None:
    model = rays("Deployment")
    assert chosen(predict=predict, Classifier=Classifier, Model=model, Same=model) == Subject(
        "Model", DEPLOYMENT, model
    )


@pytest.mark.parametrize(
    ("names", "name"),
    [
        pytest.param({"Classifier": Classifier}, "Classifier", id="class"),
        pytest.param({"Heir": Heir}, "Heir", id="__call__ of a base class"),
        pytest.param({"chat": chat}, "chat", id="async function"),
        pytest.param({"predict": predict, "Settings": Settings, "Heir": Heir}, "Heir", id="helpers beside a class"),
        pytest.param({"Settings": Settings, "predict": predict}, "predict", id="a class without __call__"),
        pytest.param({"_helper": _helper, "predict": predict}, "predict", id="a helper with an underscore"),
        pytest.param({"Path": __import__("pathlib").Path, "predict": predict}, "predict", id="imported class"),
        pytest.param({"dumps": pickle.dumps, "pytest": pytest, "x": 3, "chat": chat}, "chat", id="other values"),
    ],
)
def test_a_plain_definition_is_served_where_it_is_the_only_one_that_answers(names: dict[str, Any], name: str) -> None:
    assert chosen(**names) == Subject(name, DEFINITION, names[name])


def test_an_app_with_its_routes_is_served_and_not_one_of_its_routes() -> None:
    from fastapi import FastAPI

    app = FastAPI()
    app.get("/")(predict)
    assert chosen(app=app, predict=predict) == Subject("app", ASGI_APP, app)
    assert chosen(app, app=app, predict=predict) == Subject("app", ASGI_APP, app)
    assert chosen(app=app, predict=predict, Heir=Heir).name == "Heir"
    with pytest.raises(UsageError, match="several"):
        chosen(app=app, other=FastAPI())


@pytest.mark.parametrize("last", ["", "\napp"])
def test_the_script_of_an_app_serves_the_app(last: str) -> None:
    source = f"from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef root(): return 1{last}"
    assert "serve.ingress(app)(type('app', (), {}))" in app_of(source)


def test_a_name_that_the_cell_deleted_again_is_none_of_its_own() -> None:
    assert choose(None, ["gone", "predict"], {"predict": predict, "Classifier": Classifier}, HERE).name == "predict"


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        pytest.param(
            {"one": rays("Application"), "two": rays("Application")},
            "several applications: one, two. Put the one to serve on its last line, as in two",
            id="applications",
        ),
        pytest.param(
            {"A": rays("Deployment"), "B": rays("Deployment")},
            "several deployments: A, B. Put the one to serve on its last line, as in B.bind(...)",
            id="deployments",
        ),
        pytest.param(
            {"Classifier": Classifier, "predict": predict, "Heir": Heir},
            "several classes and functions: Classifier, Heir. Put the one to serve on its last line, as in Heir",
            id="classes",
        ),
        pytest.param(
            {"predict": predict, "chat": chat}, "several classes and functions: predict, chat", id="functions"
        ),
        pytest.param({}, "This cell has nothing to serve: it needs a class with __call__", id="nothing"),
        pytest.param({"Settings": Settings, "x": 3}, "as its last line, as in Model.bind()", id="no __call__"),
        pytest.param({"_helper": _helper}, "nothing to serve", id="helper alone"),
    ],
)
def test_a_cell_that_does_not_say_what_to_serve_gets_the_candidates(names: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UsageError) as found:
        chosen(**names)
    assert wrong in str(found.value) and "\n" not in str(found.value)


# --- the magic itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("%%ray_serve Model\npass", '%%ray_serve takes no "Model": the cell is what is served'),
        ("%ray_serve --num-replicas 2", "%ray_serve --num-replicas needs something to serve: %ray_serve APP"),
        ("%ray_serve --dry-run", "%ray_serve --dry-run needs something to serve"),
        ("%%ray_serve\nx = 3", "This cell has nothing to serve"),
        ("%%ray_serve\nawait f()", "runs its cell without an event loop"),
        ("%%ray_serve --replace --keep-old\n1 / 0", "exclude each other"),
    ],
)
def test_a_mistake_is_told_before_anything_is_connected(shell: Shell, code: str, wrong: str) -> None:
    with pytest.raises(UsageError) as found:
        shell.run(code)
    assert wrong in str(found.value) and "\n" not in str(found.value)


def test_a_cell_that_fails_shows_its_line_and_deploys_nothing(shell: Shell) -> None:
    with pytest.raises(ZeroDivisionError) as found:
        shell.run("%%ray_serve\nx = 2\ny = x / 0")
    lines = found.value._render_traceback_()  # type: ignore[attr-defined]
    assert "nothing was deployed" in lines[0] and any("y = x / 0" in line for line in lines)
    assert shell.ns["x"] == 2


def test_a_dry_run_runs_nothing_of_the_cell(shell: Shell, capsys: Capsys) -> None:
    shell.run(
        "%%ray_serve --name m --dry-run\nx = 1 / 0\nclass Model:\n    def __call__(self, request):\n        return x"
    )
    shown = capsys.readouterr().out
    assert 'serves   application "m", http://127.0.0.1:8000/m' in shown and "Model" not in shell.ns


def test_a_dry_run_of_a_name_shows_its_source(shell: Shell, capsys: Capsys) -> None:
    shell.run("def answer(request):\n    return 42")
    shell.run("%ray_serve answer --dry-run --into a")
    assert said(capsys.readouterr().out, "return 42", "serve.deployment(answer)", "a handle as a")


# --- room ---------------------------------------------------------------------------------------------------------


def nodes(*free: dict[str, float]) -> list[NodeResources]:
    return [NodeResources(f"n{number}", {"CPU": 8.0}, one) for number, one in enumerate(free)]


@pytest.mark.parametrize(
    ("requests", "free", "name"),
    [
        pytest.param([("A", {"CPU": 1.0}, 2)], [{"CPU": 2.0}], "", id="fits"),
        pytest.param([("A", {"CPU": 1.0}, 3)], [{"CPU": 2.0}], "A", id="one too many"),
        pytest.param([("A", {"CPU": 0.1}, 10)], [{"CPU": 1.0}], "", id="tenths add up"),
        pytest.param([("A", {"CPU": 2.0}, 1)], [{"CPU": 1.0}, {"CPU": 1.0}], "A", id="a replica is on one node"),
        pytest.param([("A", {"CPU": 1.0}, 2)], [{"CPU": 1.0}, {"CPU": 1.0}], "", id="two nodes"),
        pytest.param(
            [("S", {"CPU": 1.0}, 1), ("L", {"CPU": 3.0}, 1)], [{"CPU": 3.0}, {"CPU": 1.0}], "", id="large first"
        ),
        pytest.param([("A", {"CPU": 1.0}, 1), ("B", {"GPU": 1.0}, 1)], [{"CPU": 9.0}], "B", id="another resource"),
        pytest.param([("A", {"CPU": 1.0}, 0)], [], "", id="nothing starts"),
        pytest.param([("A", {}, 1)], [{}], "", id="reserves nothing"),
        pytest.param([("A", {"CPU": 1.0}, 1)], [], "A", id="no node"),
    ],
)
def test_who_has_no_room_is_known_before_anything_starts(requests: Any, free: Any, name: str) -> None:
    every = nodes(*free)
    assert find_unplaceable([ReplicaRequest(*request) for request in requests], every) == name
    assert [node.available for node in every] == list(free)


def test_no_room_is_told_with_what_to_type() -> None:
    text = capacity_error(
        "Model",
        [ReplicaRequest("Model", {"CPU": 2.0}, 2)],
        nodes({"CPU": 1.0, "GPU": 4.0}, {"CPU": 0.5}),
        False,
        ["old (CPU 6)"],
    )
    assert text == (
        "No room for 2 replicas of Model (CPU 4): free is CPU 1.5. Others that hold room: old (CPU 6). "
        "--num-cpus 0.1 asks for less, %ray_serve --delete NAME makes room."
    )


def test_no_room_beside_the_old_version_names_replace() -> None:
    text = capacity_error("Model", [ReplicaRequest("Model", {"CPU": 1.0}, 1)], nodes({}), True, ["other (CPU 1)"])
    assert said(
        text, "No room for a replica of Model (CPU 1) beside the old version", "free is nothing", "--replace stops"
    )
    assert "--delete" not in text


# --- the application ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arguments", "wrong"),
    [
        pytest.param(Classifier, {}, "Model: missing a required argument: 'weights'; give it as --bind", id="missing"),
        pytest.param(Classifier, {"weights": 1, "x": 2}, "got an unexpected keyword argument 'x'", id="unknown"),
        pytest.param(predict, {"request": 1}, "--bind: Model is a function; only classes are bound", id="function"),
    ],
)
def test_arguments_that_a_constructor_would_refuse_are_told(kind: Any, arguments: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UsageError) as found:
        application._check_arguments(kind, arguments, "Model")
    assert wrong in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(Classifier, {"weights": 1}), (Classifier, {"weights": 1, "scale": 2}), (predict, {}), (dict, {"a": 1})],
)
def test_arguments_that_fit_are_silent(kind: Any, arguments: dict[str, Any]) -> None:
    application._check_arguments(kind, arguments, "Model")


def test_resources_of_the_line_are_laid_over_those_of_the_deployment() -> None:
    deployment = SimpleNamespace(ray_actor_options={"num_cpus": 2, "memory": 5})
    made = application._ingress_options(deployment, {"num_replicas": 3, "ray_actor_options": {"num_cpus": 0.1}})
    assert made == {"num_replicas": 3, "ray_actor_options": {"num_cpus": 0.1, "memory": 5}}


def fake(replicas: Any = None, **scaling: Any) -> Any:
    config = SimpleNamespace(autoscaling_config=SimpleNamespace(**scaling) if scaling else None)
    resources = SimpleNamespace(resource_dict={"CPU": 2})
    return SimpleNamespace(num_replicas=replicas, _deployment_config=config, _replica_config=resources)


@pytest.mark.parametrize(
    ("deployment", "count"),
    [
        pytest.param(fake(3), 3, id="fixed"),
        pytest.param(fake(None), 1, id="Ray's default"),
        pytest.param(fake(min_replicas=0, initial_replicas=None), 0, id="from nothing"),
        pytest.param(fake(min_replicas=2), 2, id="least"),
        pytest.param(fake(min_replicas=1, initial_replicas=0), 0, id="initial"),
    ],
)
def test_the_replicas_at_the_start_are_counted(deployment: Any, count: int) -> None:
    built = application.BuiltApplication("a", {"M": deployment}, "M", None)
    assert application.replica_requests(built, one_each=False) == [("M", {"CPU": 2.0}, count)]
    assert application.replica_requests(built, one_each=True) == [("M", {"CPU": 2.0}, 1)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("\n  first\nsecond", "first", id="first line"),
        pytest.param("", "ValueError", id="no words"),
        pytest.param(
            "1 validation error for AutoscalingConfig\nmax_replicas\n  Input should be greater than 0 [type=gt]\n"
            "    For further information visit https://errors.pydantic.dev/2.12/v/greater_than",
            "max_replicas Input should be greater than 0 [type=gt]",
            id="pydantic",
        ),
    ],
)
def test_what_ray_refuses_is_one_line(text: str, line: str) -> None:
    assert first_line(ValueError(text)) == line


# --- the script ---------------------------------------------------------------------------------------------------

PLAIN = "class Model:\n    def __call__(self, request):\n        return 1\n"
DECORATED = f"from ray import serve\n@serve.deployment(num_replicas=2)\n{PLAIN}"
TWO = f"{DECORATED}@serve.deployment\nclass Front:\n    def __init__(self, model):\n        self.model = model\n"


def shown(source: str, line: str = "", **names: Any) -> str:
    """What a dry run prints; its script is Python and knows nothing of us."""
    text = explain(plan(line, **names), source, dict(names))
    program = text.split("\n\n", 1)[1]
    ast.parse(program)
    assert "ray_magics" not in program and "get_ipython" not in program
    return text


def app_of(source: str, line: str = "", **names: Any) -> str:
    found = [one for one in shown(source, line, **names).splitlines() if one.startswith("app = ")]
    return found[-1].removeprefix("app = ")


ONGOING = "options(max_ongoing_requests=100)"


@pytest.mark.parametrize(
    ("source", "made"),
    [
        pytest.param(PLAIN, f"serve.deployment(Model).{ONGOING}.bind()", id="class"),
        pytest.param(f"{PLAIN}Model", f"serve.deployment(Model).{ONGOING}.bind()", id="class on the last line"),
        pytest.param("def f(r):\n    return 1", f"serve.deployment(f).{ONGOING}.bind()", id="function"),
        pytest.param(
            f"{PLAIN}class _Base(Model):\n    pass\n".replace("class Model", "class _Model").replace(
                "(Model)", "(_Model)"
            )
            + "class Own(_Base):\n    pass",
            f"serve.deployment(Own).{ONGOING}.bind()",
            id="class that inherits it",
        ),
        pytest.param("async def f(r):\n    return 1", f"serve.deployment(f).{ONGOING}.bind()", id="async function"),
        pytest.param(
            "async def f(r):\n    return 1\nf", f"serve.deployment(f).{ONGOING}.bind()", id="async, last line"
        ),
        pytest.param(f"def helper():\n    pass\n{PLAIN}", f"serve.deployment(Model).{ONGOING}.bind()", id="helper"),
        pytest.param(
            "def _a():\n    pass\ndef f(r):\n    return _a()", f"serve.deployment(f).{ONGOING}.bind()", id="_helper"
        ),
        pytest.param(DECORATED, f"Model.{ONGOING}.bind()", id="decorated"),
        pytest.param(f"{DECORATED}Model.bind(3, x=4)", f"Model.{ONGOING}.bind(3, x=4)", id="bound on the last line"),
        pytest.param(f"{DECORATED}app = Model.bind(3)", f"Model.{ONGOING}.bind(3)", id="bound to a name"),
        pytest.param(f"{DECORATED}app = Model.bind(3)\napp", f"Model.{ONGOING}.bind(3)", id="name on the last line"),
        pytest.param(f"{TWO}Front.bind(Model.bind())", f"Front.{ONGOING}.bind(Model.bind())", id="composition"),
        pytest.param(
            f"{TWO}model = Model.bind()\napp = Front.bind(model)\napp", f"Front.{ONGOING}.bind(model)", id="by names"
        ),
        pytest.param(f"{DECORATED}build(Model)", "build(Model)", id="made elsewhere"),
        pytest.param(
            f"{DECORATED}Model.options(max_ongoing_requests=5).bind()",
            "Model.options(max_ongoing_requests=5).options().bind()",
            id="a limit of its own",
        ),
        pytest.param(
            DECORATED.replace("num_replicas=2", "max_ongoing_requests=5"),
            "Model.options().bind()",
            id="in the decorator",
        ),
    ],
)
def test_the_script_serves_what_the_cell_serves(source: str, made: str) -> None:
    assert app_of(source) == made


def test_a_composition_keeps_the_names_that_it_needs() -> None:
    text = shown(f"{TWO}model = Model.bind()\napp = Front.bind(model)\napp")
    assert text.index("model = Model.bind()") < text.index("app = Front") and text.count("app = ") == 1


@pytest.mark.parametrize(
    ("line", "made"),
    [
        pytest.param("--num-replicas 2 --max-ongoing-requests 7", "num_replicas=2, max_ongoing_requests=7", id="replicas"),
        pytest.param("--num-cpus 0.1", "ray_actor_options={'num_cpus': 0.1}, max_ongoing_requests=100", id="cpus"),
        pytest.param(
            "--autoscale 0:3", "autoscaling_config={'min_replicas': 0, 'max_replicas': 3}, max_ongoing_requests=100",
            id="autoscale",
        ),
        pytest.param(
            "--user-config \"{'t': 1}\"", "user_config={'t': 1}, max_ongoing_requests=100", id="user_config"
        ),
    ],
)  # fmt: skip
def test_options_of_the_line_stand_in_the_script(line: str, made: str) -> None:
    assert app_of(DECORATED, line) == f"Model.options({made}).bind()"


def test_bound_arguments_stand_in_the_script() -> None:
    assert app_of(DECORATED, "--bind x=[1] y=2").endswith(".bind(x=[1], y=2)")


def test_a_value_that_is_no_literal_is_defined_before_it_is_bound_argument() -> None:
    text = shown(DECORATED, "--bind m=model --user-config config", model=Settings, config={"s": {1, 2, object}})
    assert said(text, "given_m = pickle.loads(", "given_user_config = pickle.loads(", ".bind(m=given_m)")
    lines = [line for line in text.splitlines() if line.startswith("given_m = ")]
    found: dict[str, Any] = {}
    exec(f"import base64, pickle, zlib\n{lines[0]}", found)
    assert found["given_m"] is Settings


def test_what_the_notebook_has_is_served_by_its_name() -> None:
    assert app_of("made\n", made=rays("Application")) == "made"
    assert app_of("made\n", made=rays("Deployment")) == f"made.{ONGOING}.bind()"
    assert app_of("Classifier\n", Classifier=Classifier) == f"serve.deployment(Classifier).{ONGOING}.bind()"


def test_the_script_brings_what_the_cell_reads() -> None:
    text = shown("import math\n" + PLAIN.replace("return 1", "return math.sqrt(limit)"), limit=9, unused=1)
    assert "limit = 9" in text and "unused" not in text and "import math" in text


@pytest.mark.parametrize(
    ("line", "start"),
    [
        pytest.param("", "ray.init()\nserve.run(app, name='default', route_prefix='/', blocking=True)", id="default"),
        pytest.param(
            "--name d --route-prefix none", "ray.init()\nserve.run(app, name='d', route_prefix=None, blocking=True)",
            id="no HTTP",
        ),
        pytest.param(
            "--port 81", "serve.start(http_options={'host': '127.0.0.1', 'port': 81})\nserve.run(app", id="port"
        ),
        pytest.param(
            f"--grpc-port 9001 --grpc-servicer-functions \"['{ADD}']\"",
            "serve.start(http_options={'host': '127.0.0.1', 'port': 8000}, grpc_options={'port': 9001, "
            f"'grpc_servicer_functions': ['{ADD}']}})\nserve.run(app",
            id="gRPC",
        ),
    ],
)  # fmt: skip
def test_the_script_starts_serve_where_the_line_says(line: str, start: str) -> None:
    assert start in shown(PLAIN, line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("--name d", 'serves   application "d", http://127.0.0.1:8000/d', id="address"),
        pytest.param("--route-prefix none", "through handles alone", id="no HTTP"),
        pytest.param("", "it serves until the new one is ready", id="keeps the old one"),
        pytest.param("--replace", "the old one stops first", id="replaces"),
        pytest.param("--into d", "returns  a handle as d", id="into"),
        pytest.param("", "sends    nothing", id="sends"),
    ],
)
def test_the_plan_in_words(line: str, words: str) -> None:
    assert words in shown(PLAIN, line)


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        pytest.param("x = 3", "The cell's deployments: none", id="none"),
        pytest.param("def f(r):\n    pass\ndef g(r):\n    pass", "The cell's deployments: f, g", id="several"),
    ],
)
def test_a_script_of_nothing_in_particular_is_refused(source: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        shown(source)


# --- failures -----------------------------------------------------------------------------------------------------

RETRIED = (  # of ray/serve/_private/deployment_state.py, Ray 2.60
    "The deployment failed to start 1 times in a row. This may be due to a problem with its constructor or initial "
    "health check failing. See controller logs for details. Error:\n"
)
ACTOR = (
    "\x1b[36mray::ServeReplica:digits:Classifier.initialize_and_get_metadata()\x1b[39m (pid=4711, ip=10.0.0.7, "
    "actor_id=ab12, repr=<ray.serve._private.replica.Replica object at 0x7f>)\n"
    '  File "/env/ray/serve/_private/replica.py", line 1928, in initialize\n'
    "    raise RuntimeError(traceback.format_exc()) from None\n"
)
FRAMES = (
    '  File "/env/ray/serve/_private/replica.py", line 4090, in initialize_callable\n'
    "    await self._call_func_or_gen(\n"
    '  File "/tmp/ipykernel_1/77.py", line 4, in __init__\n'
    "    self.weights = load(path)\n"
    "                   ^^^^^^^^^^\n"
)


def message(title: str, before: str = "") -> str:
    """What Serve's controller says of a constructor that failed."""
    head = "Traceback (most recent call last):\n"
    return f"{RETRIED}{ACTOR}RuntimeError: {before}{head}{FRAMES}{title}"


def failure(title: str, **namespace: Any) -> RayMagicsError:
    cell = {"/tmp/ipykernel_1/77.py": "Cell In[3]"}
    return startup_error("Classifier", message(title), "the old one serves", namespace, lambda file: cell.get(file, ""))


def test_the_users_own_exception_is_found_in_what_serve_says() -> None:
    found = find_failure(message("FileNotFoundError: [Errno 2] No such file: 'w.npz'"), "Classifier")
    assert found is not None
    assert found.title == "FileNotFoundError: [Errno 2] No such file: 'w.npz'"
    assert (found.type, found.where) == ("FileNotFoundError", "a replica of Classifier")
    assert found.frames[-1][:3] == ("/tmp/ipykernel_1/77.py", 4, "__init__")


def test_a_builtin_exception_is_caught_by_its_own_type() -> None:
    with pytest.raises(FileNotFoundError, match="No such file") as caught:
        raise failure("FileNotFoundError: [Errno 2] No such file: 'w.npz'")
    assert isinstance(caught.value, RemoteError)
    lines = caught.value._render_traceback_()
    assert "the old one serves" in lines[0] and any("Cell In[3], line 4, in __init__" in line for line in lines)


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        pytest.param("__main__.NoWeights: w.npz", "NoWeights", id="of the notebook, no Error in its name"),
        pytest.param("__main__.make.<locals>.Broken: x", "Broken", id="of a function"),
        pytest.param("torch.OutOfMemoryError: CUDA out of memory", "OutOfMemoryError", id="of a package"),
        pytest.param("queue.Empty", "Empty", id="without a message"),
        pytest.param("ExceptionGroup: two (2 sub-exceptions)", "ExceptionGroup", id="that cannot be made again"),
        pytest.param("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff", "UnicodeDecodeError", id="of five"),
    ],
)
def test_an_exception_of_another_kind_is_told_in_its_words(title: str, kind: str) -> None:
    error = failure(title)
    assert isinstance(error, RemoteError) and error.failure.type == kind
    assert any(title in line for line in error._render_traceback_())


def test_a_message_of_several_lines_stays_whole() -> None:
    error = failure("ValueError: first\nsecond: line\n")
    assert isinstance(error, ValueError) and str(error) == "first\nsecond: line"
    assert error.args == ("first\nsecond: line",)


def test_of_a_chain_the_last_exception_counts() -> None:
    first = f"Traceback (most recent call last):\n{FRAMES}KeyError: 'w'\n\nDuring handling of the above exception, "
    text = message("ValueError: bad weights", before=f"{first}another exception occurred:\n\n")
    found = find_failure(text, "Classifier")
    assert found is not None and found.title == "ValueError: bad weights"


def test_a_syntax_error_has_its_own_line() -> None:
    found = find_failure(message('  File "/x/mine.py", line 1\n    x = \n        ^\nSyntaxError: invalid syntax'), "C")
    assert found is not None and found.title == "SyntaxError: invalid syntax"


def test_frames_of_the_user_go_before_those_of_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(__file__="/env/ray/__init__.py"))
    found = find_failure(message("ValueError: x"), "C")
    assert found is not None and [frame[0] for frame in found.frames] == ["/tmp/ipykernel_1/77.py"]
    of_ray = "".join(FRAMES.splitlines(keepends=True)[:2])
    alone = find_failure(f"Traceback (most recent call last):\n{of_ray}ValueError: x", "C")
    assert alone is not None and [frame[2] for frame in alone.frames] == ["initialize_callable"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Failed to update the deployments ['Classifier'].", id="no traceback"),
        pytest.param("Traceback (most recent call last):\n  File", id="torn"),
        pytest.param("", id="empty"),
    ],
)
def test_a_message_without_a_traceback_is_told_as_it_is(text: str) -> None:
    assert find_failure(text, "Classifier") is None
    error = startup_error("Classifier", text, 'nothing is served as "d"', {}, str)
    assert str(error) == f'Classifier did not start: {" ".join(text.split())}. Nothing is served as "d".'


def test_a_long_message_is_shortened() -> None:
    error = startup_error("C", "word " * 500, "it is over", {}, str)
    assert len(str(error)) < 460 and str(error).endswith(" …. It is over.")


class OfJson:
    async def __call__(self, request: Any) -> Any:
        return (await request.json())["x"]


class OfNothing:
    def __call__(self, request: Any) -> str:
        return "json()"


@pytest.mark.parametrize(("code", "reads"), [(OfJson, True), (OfNothing, False), (len, False)])
def test_whether_the_body_of_a_request_is_read_is_seen_in_the_source(code: Any, reads: bool) -> None:
    built = SimpleNamespace(ingress="M", deployments={"M": SimpleNamespace(func_or_class=code)})
    assert application.reads_body(built) is reads  # type: ignore[arg-type]
