"""``%%ray_serve`` and ``%ray_serve``: the edge."""

from __future__ import annotations

import builtins
import re
from argparse import Namespace as Line
from collections.abc import Mapping
from functools import partial
from typing import Any

from IPython.core.getipython import get_ipython

from ...cell.source import CellSource, cell_source_of
from ...errors import UsageError
from ...line.options import argument, evaluated, group, magic, option_of, run_options
from ...line.parsers import Unfit, expression, name, number, parser, positive_int, seconds
from ...run.interrupts import interrupts_wait
from .plan import ServePlan, Subject, choose, kind_of, make_plan
from .status import LOOKS

_AUTOSCALE = re.compile(r"(\d+):(\d+)(?:@(\d+(?:\.\d+)?))?\Z")
_EXPRESSIONS = ("user_config", "autoscaling_config", "grpc_servicer_functions")
_IN_PLACE = ("app", "num_replicas", "autoscale", "autoscaling_config", "max_ongoing_requests", "user_config",
             "num_cpus", "num_gpus", "into", "quiet")  # fmt: skip


@parser("replicas as MIN:MAX or MIN:MAX@N, N ongoing requests for each", "1:4", "0:3@2", metavar="MIN:MAX[@N]")
def autoscale(text: str) -> dict[str, float]:
    """``0:3@2`` as the fields of Ray's AutoscalingConfig."""
    found = _AUTOSCALE.match(text)
    if found is None:
        raise ValueError(text)
    low, high, target = int(found[1]), int(found[2]), found[3]
    if high < max(low, 1):
        raise Unfit("has a maximum below its minimum, or of 0")
    wanted = {"min_replicas": low, "max_replicas": high}
    if target is not None and float(target) == 0:
        raise Unfit("wants no ongoing requests for each")
    if target is not None:
        wanted["target_ongoing_requests"] = float(target)  # type: ignore[assignment]
    return dict(wanted)


@parser("a number of replicas, or auto", "2", "auto", metavar="N")
def replicas(text: str) -> int | str:
    """1, 2, 3 …, or Ray's ``"auto"``."""
    if text == "auto":
        return text
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


@parser("a port", "8000", metavar="PORT")
def port(text: str) -> int:
    """1 to 65535."""
    value = int(text)
    if not 0 < value < 65536:
        raise ValueError(text)
    return value


def _served(_namespace: Mapping[str, Any]) -> list[str]:
    from ... import connection
    from . import control

    return control.served_names() if connection.is_up() else []


serve_options = group(
    argument("--name", metavar="NAME", completer=_served, help="The application's name (default)."),
    argument("--route-prefix", metavar="PATH", help="Its HTTP route (/NAME; / without a name); none: no HTTP."),
    argument("--num-replicas", type=replicas, help="Replicas of the ingress deployment (1); auto: Ray's autoscaling."),
    argument("--autoscale", type=autoscale, help="Between MIN and MAX replicas with N ongoing requests each: 0:3@2."),
    argument("--autoscaling-config", type=expression, metavar="EXPR",
             help="All fields of Ray's AutoscalingConfig: \"{'min_replicas': 0, 'downscale_delay_s': 30}\"."),
    argument("--max-ongoing-requests", type=positive_int, metavar="N", help="Requests of a replica at a time (100)."),
    argument("--num-cpus", type=number, help="CPUs that a replica reserves (1); 0.1 shares one."),
    argument("--num-gpus", type=number, help="GPUs that a replica reserves; 0.5 shares one."),
    argument("--user-config", type=expression, metavar="EXPR", help="What the deployment's reconfigure method gets."),
    argument("--bind", action="extend", nargs="+", metavar='"NAME=EXPR"', help="Arguments of its constructor."),
    argument("--host", metavar="HOST", help="Where Serve listens (127.0.0.1); 0.0.0.0: reachable from elsewhere."),
    argument("--port", type=port, help="Serve's HTTP port (8000), for all applications of the cluster."),
    argument("--grpc-port", type=port, help="Serve's gRPC port, for all applications of the cluster."),
    argument("--grpc-servicer-functions", type=expression, metavar="EXPR",
             help="The generated functions that add your servicers: \"['my_pb2_grpc.add_MyServicer_to_server']\"."),
    argument("--keep-old", action="store_true", help="The old version serves until the new one is ready (as always)."),
    argument("--replace", action="store_true", help="Stop the old version first: no room is needed for both."),
    argument("--timeout", type=seconds, metavar="SECONDS", help="What a new version gets to be ready (300)."),
)  # fmt: skip


@magic("ray_serve", kind="line_cell")
@argument(
    "app",
    nargs="?",
    type=expression,
    metavar="APP",
    completer=_served,
    help="A class, function, deployment or Application of the notebook; or the name of one that is served.",
)
@serve_options
@argument("--delete", metavar="NAME", completer=_served, help="End the application of this name.")
@argument("--shutdown", action="store_true", help="End Serve on this cluster, with all its applications.")
@argument("--into", type=name, metavar="NAME", help="Bind a handle: await NAME.remote(...), NAME.remote(...).result().")
@run_options
def ray_serve(line: Line, cell: str | None = None) -> Any:
    """Serve a class, a function or an application of several deployments with Ray Serve.

    The cell runs in the notebook, as any other. What it serves is its last line, a name that it binds to an
    Application, or its only deployment; a plain class with __call__ or a function is made one. Run it again, and the
    new version starts beside the old one, which serves until the new one is ready, and goes on if that fails.
    HTTP listens on 127.0.0.1 alone; Ray itself binds gRPC, and a port of each replica that others of Serve use, on all
    addresses of the machine. The view stays live: replicas, requests, latencies, logs, a box to try it.

        %%ray_serve --name digits --num-cpus 0.1 --into digits
        class Classifier:
            def read(self, pixels):
                return int(model.predict([pixels])[0])

            async def __call__(self, request):
                return self.read(await request.json())

        await digits.read.remote(X[0])      # or digits.read.remote(X[0]).result()
        digits.options(stream=True)         # for a method that yields

        %ray_serve                          # all that is served, live
        %ray_serve digits --into digits     # one that runs already, also after a kernel restart
        %ray_serve digits --num-replicas 2  # changes it in place; so does --user-config
        %ray_serve --delete digits
        %ray_serve --shutdown
    """
    shell: Any = get_ipython()
    with interrupts_wait():
        if line.shutdown or line.delete:
            return _end(line, cell)
        if cell is None and line.app is None:
            return _show_all(line, shell)
        if cell is not None and line.app is not None:
            raise UsageError(f'%%ray_serve takes no "{line.app.text}": the cell is what is served.')
        if cell is None and _is_served(line, shell.user_ns):
            return _change(line, shell)
        return _deploy(line, cell, shell)


def _end(line: Line, cell: str | None) -> None:
    from ... import connection
    from . import control

    given = [key for key, value in vars(line).items() if value not in (None, False) and key != "quiet"]
    if len(given) > 1 or cell is not None:
        option = "--shutdown" if line.shutdown else f"--delete {line.delete}"
        raise UsageError(f"{option} stands alone on its line: %ray_serve {option}")
    if line.shutdown:
        connection.join_existing()
        print(control.shutdown())
    else:
        print(control.delete(line.delete))


def _show_all(line: Line, shell: Any) -> None:
    """The live view of all that is served; starts nothing."""
    from ... import connection

    given = [key for key, value in vars(line).items() if value not in (None, False)]
    if given:
        option = option_of(given[0])
        raise UsageError(f"%ray_serve {option} needs something to serve: %ray_serve APP {option} …, or a cell.")
    connection.join_existing()
    _show("", shell)


def _is_served(line: Line, namespace: Mapping[str, Any]) -> bool:
    """Whether the word names a running application; where the notebook has something of that name that could be
    served, too, --name and the like say that this is meant."""
    from ... import connection
    from . import control

    text = line.app.text
    if kind_of(namespace.get(text)) and _beyond_change(line):
        return False
    return connection.join_existing() and text in control.served_names()


def _change(line: Line, shell: Any) -> None:
    """Options of a running application that need no new replicas; its view, its handle."""
    from ...kernel import cell_label
    from . import control
    from .plan import options_of

    served = line.app.text
    _check_change(line, served)
    options = options_of(line, _values(line, shell.user_ns))
    if options:
        control.reconfigure(served, options)
        if not line.quiet:
            print(f'"{served}" changes in place: {", ".join(options)}.')
    elif kind_of(shell.user_ns.get(served)) and not line.quiet:
        print(f'This is the application "{served}"; to serve the notebook\'s {served} anew, add --name {served}.')
    if line.into:
        shell.user_ns[line.into] = control.handle_of(served, partial(cell_label, shell))
    if not line.quiet:
        _show(served, shell)


def _check_change(line: Line, served: str) -> None:
    """Raises UsageError for what only a new version can have."""
    if other := _beyond_change(line):
        option = option_of(other[0])
        raise UsageError(
            f'{option} has no effect on "{served}", which is served already: in place change --num-replicas, '
            "--autoscale, --max-ongoing-requests and --user-config. For the rest, run its cell again."
        )


def _beyond_change(line: Line) -> list[str]:
    """The options of the line that a running application cannot take."""
    return [key for key, value in vars(line).items() if value not in (None, False) and key not in _IN_PLACE]


def _show(served: str, shell: Any) -> None:
    from ...kernel import cell_id
    from ...views.show import LiveFeed
    from .control import looks

    look, going = looks(served)
    LiveFeed(look, going, cell_id(shell), LOOKS)


def _deploy(line: Line, cell: str | None, shell: Any) -> Any:
    plan = make_plan(line, _values(line, shell.user_ns))
    if cell is None:
        text = line.app.text
        cell_source = cell_source_of(shell, "", is_cell=False)
        if line.dry_run:
            return _explain(plan, f"{text}\n", shell.user_ns)
        _check_known(text, shell.user_ns)
        return carry_out(plan, _named(text, line.app.evaluate(shell.user_ns, "APP"), shell), shell.user_ns, cell_source)
    from . import run as doing

    cell_source = cell_source_of(shell, cell, is_cell=True)
    parsed = cell_source.read()
    if line.dry_run:
        return _explain(plan, cell_source.code, shell.user_ns)
    value = doing.run_cell(parsed, cell_source, shell.user_ns)
    return carry_out(plan, choose(value, parsed.binds, shell.user_ns), shell.user_ns, cell_source)


def _check_known(text: str, namespace: Mapping[str, Any]) -> None:
    from ... import connection
    from . import control

    if text.isidentifier() and text not in namespace and not hasattr(builtins, text):
        served = control.served() if connection.is_up() else "there is no cluster"
        raise UsageError(f'"{text}" is neither a name of the notebook nor an application that is served; {served}.')


def _named(text: str, value: Any, shell: Any) -> Subject:
    kind = kind_of(value)
    if not kind:
        raise UsageError(
            f"APP: {text} is of type {type(value).__name__}; %ray_serve takes a class, a function, a deployment, an "
            "Application, or the name of an application that is served."
        )
    return Subject(text if text.isidentifier() else str(getattr(value, "__name__", "")), kind, value)


def _values(line: Line, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are expressions, evaluated."""
    found = evaluated(line, _EXPRESSIONS, namespace)
    if line.bind:
        found["bind"] = dict(_bound(word, namespace) for word in line.bind)
    return found


def _bound(word: str, namespace: Mapping[str, Any]) -> tuple[str, Any]:
    key, _, text = word.partition("=")
    try:
        value = expression(text)
    except UsageError:
        value = None
    if value is None or not key.strip().isidentifier():
        raise UsageError(f'--bind: "{word}" is not NAME=EXPRESSION; try --bind "weights=w".')
    return key.strip(), value.evaluate(dict(namespace), "--bind")


def _explain(plan: ServePlan, source: str, namespace: dict[str, Any]) -> None:
    from .script import explain

    print(explain(plan, source, namespace))


def carry_out(plan: ServePlan, subject: Subject, namespace: dict[str, Any], cell_source: CellSource) -> Any:
    """Does what the plan says and binds the handle; returns what the cell shows, or a Run."""
    from ...views.show import LastingView
    from . import run as doing
    from .checks import check
    from .control import looks

    built = check(plan, subject, namespace, cell_source.cell_id)
    look, going = looks(plan.name)
    view = LastingView(look, going, LOOKS, at_once=plan.background, quiet=plan.quiet, cell=cell_source.cell_id)
    run = doing.start(plan, subject, built, namespace, cell_source, view)
    return run if plan.background else doing.finish(run)
