"""Every decision of a deployment, as data; knows no Ray."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import UsageError
from ...raylib.serve_spec import bound_applications
from .options import UNSET, ServeOptions

DEFAULT_NAME, DEFAULT_PORT, LOOPBACK = "default", 8000, "127.0.0.1"
TIMEOUT = 300.0  # seconds that a new version gets to be ready
APPLICATION, DEPLOYMENT, DEFINITION = "application", "deployment", "definition"
ASGI_APP = "app"
NO_ROUTE = "none"
_NAME = re.compile(r"[\w.-]+( [\w.-]+)*\Z")


@dataclass(frozen=True)
class Subject:
    """What is deployed.

    Attributes:
        name: what the notebook calls it, "" for an expression without a name.
        kind: APPLICATION, DEPLOYMENT, ASGI_APP (a FastAPI app, which is made the ingress of one) or DEFINITION (a plain
            class or function, which is made a deployment).
    """

    name: str
    kind: str
    value: Any = field(repr=False)

    @property
    def label(self) -> str:
        return self.name or str(getattr(self.value, "__name__", "")) or "the last line"


@dataclass(frozen=True)
class ServePlan:
    """What is deployed, under which name and with which options.

    Attributes:
        options: of the ingress deployment, under Ray's names, as its ``options`` take them.
        bind: arguments of its constructor.
        grpc_functions: ``grpc_servicer_functions`` of Serve.
        replace: whether the old version may stop before the new one is ready.
        timeout: seconds that the new version gets to be ready.
    """

    name: str = DEFAULT_NAME
    route_prefix: str | None = "/"
    options: Mapping[str, Any] = field(default_factory=dict)
    bind: Mapping[str, Any] = field(default_factory=dict)
    host: str | None = None
    port: int | None = None
    grpc_port: int | None = None
    grpc_functions: tuple[str, ...] = ()
    replace: bool = False
    timeout: float = TIMEOUT
    into: str | None = None
    background: bool = False
    quiet: bool = False


def make_plan(options: ServeOptions) -> ServePlan:
    """The plan of the options of the magic or the Python function. Raises UsageError for options that contradict."""
    name = application_name(DEFAULT_NAME if options.name is None else options.name)
    if options.replace and options.keep_old:
        raise UsageError("--keep-old and --replace exclude each other; --keep-old is what happens without either.")
    functions = servicer_functions(options.grpc_servicer_functions)
    if functions and options.grpc_port is None:
        raise UsageError("--grpc-servicer-functions needs a port: add --grpc-port 9000.")
    if options.grpc_port is not None and not functions:
        raise UsageError(
            "--grpc-port needs the functions that add your servicers: "
            "--grpc-servicer-functions \"['my_pb2_grpc.add_MyServiceServicer_to_server']\"."
        )
    return ServePlan(
        name=name,
        route_prefix=route(options.route_prefix, name),
        options=deployment_options(options),
        bind=dict(options.bind or {}),
        host=options.host,
        port=options.port,
        grpc_port=options.grpc_port,
        grpc_functions=functions,
        replace=options.replace,
        timeout=TIMEOUT if options.timeout is None else options.timeout,
        into=options.into,
        background=options.background,
        quiet=options.quiet,
    )


def servicer_functions(value: Any) -> tuple[str, ...]:
    """The paths of generated functions, from one or several of them. Raises UsageError for anything else."""
    functions = [value] if isinstance(value, str) else value or ()
    if not isinstance(functions, (list, tuple)) or not all(isinstance(function, str) for function in functions):
        raise UsageError(
            f"--grpc-servicer-functions: {str(value)[:60]} is no list of names; "
            "try \"['my_pb2_grpc.add_MyServicer_to_server']\"."
        )
    return tuple(functions)


def application_name(name: str) -> str:
    """The name of an application. Raises UsageError for one that would not fit in a URL or a log file."""
    if not _NAME.match(name) or len(name) > 60:
        raise UsageError(f"--name: {name[:60]!r} is no name of an application; letters, digits, -, _ and . are.")
    return name


def route(prefix: str | None, name: str) -> str | None:
    """``/NAME`` unless the line says another route; Ray's "/" for an application without a name."""
    if prefix is None:
        return "/" if name == DEFAULT_NAME else f"/{name.replace(' ', '-')}"
    if prefix == NO_ROUTE:
        return None
    if not prefix.startswith("/") or (prefix != "/" and prefix.endswith("/")) or set("{}?#") & set(prefix):
        raise UsageError(f'--route-prefix: "{prefix}" is no route; try /{name}, or {NO_ROUTE} for no HTTP at all.')
    return prefix


def deployment_options(options: ServeOptions) -> dict[str, Any]:
    """The options of the ingress deployment, as Ray's ``Deployment.options`` takes them."""
    ray_options: dict[str, Any] = {}
    scaling = autoscaling(options.autoscale, options.autoscaling_config)
    if scaling is not None and options.num_replicas is not None:
        raise UsageError("--num-replicas and --autoscale exclude each other: one fixes what the other varies.")
    if options.num_replicas is not None:
        ray_options["num_replicas"] = options.num_replicas
    if scaling is not None:
        ray_options["autoscaling_config"] = scaling
        ray_options["num_replicas"] = None
    if options.max_ongoing_requests is not None:
        ray_options["max_ongoing_requests"] = options.max_ongoing_requests
    if options.user_config is not UNSET:
        ray_options["user_config"] = options.user_config
    resources = {"num_cpus": options.num_cpus, "num_gpus": options.num_gpus}
    actor_options = {name: amount for name, amount in resources.items() if amount is not None}
    return {**ray_options, "ray_actor_options": actor_options} if actor_options else ray_options


def autoscaling(short: Mapping[str, Any] | None, config: Any) -> Any:
    """``--autoscale 0:3@2`` and ``--autoscaling-config`` together; the first wins where both say something."""
    if config is None:
        return dict(short) if short is not None else None
    if short is None:
        return config
    if isinstance(config, Mapping):
        return {**config, **short}
    if not hasattr(config, "model_dump"):
        raise UsageError(
            f"--autoscaling-config is of type {type(config).__name__}; try \"{{'downscale_delay_s': 30}}\", "
            "or an AutoscalingConfig."
        )
    return {**config.model_dump(exclude_unset=True), **short}


# --- what a cell or a line means ----------------------------------------------------------------------------------


def kind_of(value: Any) -> str:
    """APPLICATION, DEPLOYMENT, ASGI_APP, DEFINITION or ""; asks without importing Ray."""
    if type(value).__module__.startswith("ray.serve"):
        return {"Application": APPLICATION, "Deployment": DEPLOYMENT}.get(type(value).__name__, "")
    if any(base.__module__ == "starlette.applications" for base in type(value).__mro__):
        return ASGI_APP
    return DEFINITION if inspect.isclass(value) or inspect.isfunction(value) else ""


def choose(value: Any, bound: Iterable[str], namespace: Mapping[str, Any], module: str = "__main__") -> Subject:
    """What a cell deploys: its last expression, a name bound to an Application, or its only deployment.

    Args:
        value: of its last expression.
        bound: the names that it binds, in order.
        module: where its own definitions say that they are from.

    Raises:
        UsageError: nothing, or more than one thing; with the candidates.
    """
    if kind_of(value):
        return _named(value, bound, namespace)
    values = [(name, namespace[name]) for name in dict.fromkeys(bound) if name in namespace]
    for kind in (APPLICATION, DEPLOYMENT, DEFINITION):
        subjects = [Subject(name, kind, one) for name, one in values if kind_of(one) == kind]
        if kind == APPLICATION:
            inner = {id(part) for subject in subjects for part in bound_applications(subject.value)}
            subjects = list({id(s.value): s for s in subjects if id(s.value) not in inner}.values())
        if kind == DEPLOYMENT and len({id(subject.value) for subject in subjects}) == 1:
            subjects = subjects[:1]
        if kind == DEFINITION:
            apps = [Subject(name, ASGI_APP, one) for name, one in values if kind_of(one) == ASGI_APP]
            subjects = _servable(subjects, module, apps)
        if len(subjects) == 1:
            return subjects[0]
        if subjects:
            raise UsageError(_several(kind, subjects))
    raise UsageError(
        "This cell has nothing to serve: it needs a class with __call__, a function, a deployment, a FastAPI app, "
        "or an Application as its last line, as in Model.bind()."
    )


def _named(value: Any, bound: Iterable[str], namespace: Mapping[str, Any]) -> Subject:
    name = next((name for name in bound if namespace.get(name) is value), "")
    return Subject(name or str(getattr(value, "__name__", "")), kind_of(value), value)


def _servable(subjects: list[Subject], module: str, apps: list[Subject]) -> list[Subject]:
    """Of plain definitions those of the cell's own that can answer: classes with ``__call__``, else apps with their
    routes, else functions."""
    own = [s for s in subjects if getattr(s.value, "__module__", None) == module and not s.name.startswith("_")]
    classes = [s for s in own if inspect.isclass(s.value) and "__call__" in attributes_of(s.value)]
    distinct = list({id(app.value): app for app in apps}.values())
    return classes or distinct or [s for s in own if inspect.isfunction(s.value)]


def attributes_of(definition: type) -> set[str]:
    """What a class and its bases define themselves; ``dir`` would name ``type.__call__``, too."""
    return {name for base in definition.__mro__ for name in vars(base)}


def _several(kind: str, subjects: list[Subject]) -> str:
    names = ", ".join(subject.name for subject in subjects[:8])
    what = {APPLICATION: "applications", DEPLOYMENT: "deployments", DEFINITION: "classes and functions"}[kind]
    last = f"{subjects[-1].name}.bind(...)" if kind == DEPLOYMENT else subjects[-1].name
    return f"This cell has several {what}: {names}. Put the one to serve on its last line, as in {last}"
