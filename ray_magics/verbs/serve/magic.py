"""``%%ray_serve`` and ``%ray_serve``: parse the line, serve, show."""

from __future__ import annotations

import builtins
from argparse import Namespace as Line
from collections.abc import Mapping
from functools import partial
from typing import Any

from IPython.core.getipython import get_ipython

from ...cell.source import CellSource, cell_source_of
from ...errors import UsageError
from ...line.options import argument, evaluated, magic, option_of, run_options
from ...line.parsers import expression, name
from ...run.interrupts import interrupts_wait
from .options import OPTION_NAMES, ServeOptions, complete_served, serve_options
from .plan import ServePlan, Subject, choose, deployment_options, kind_of, make_plan

_EXPRESSIONS = ("user_config", "autoscaling_config", "grpc_servicer_functions")
_IN_PLACE = ("app", "num_replicas", "autoscale", "autoscaling_config", "max_ongoing_requests", "user_config",
             "num_cpus", "num_gpus", "into", "quiet")  # fmt: skip


@magic("ray_serve", kind="line_cell")
@argument(
    "app",
    nargs="?",
    type=expression,
    metavar="APP",
    completer=complete_served,
    help="A class, function, deployment or Application of the notebook; or the name of one that is served.",
)
@serve_options
@argument("--delete", metavar="NAME", completer=complete_served, help="End the application of this name.")
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

    if len([option for option in _given(line) if option != "quiet"]) > 1 or cell is not None:
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

    if given := _given(line):
        option = option_of(given[0])
        raise UsageError(f"%ray_serve {option} needs something to serve: %ray_serve APP {option} …, or a cell.")
    connection.join_existing()
    _show("", shell)


def _given(line: Line) -> list[str]:
    return [option for option, value in vars(line).items() if value not in (None, False)]


def _is_served(line: Line, namespace: Mapping[str, Any]) -> bool:
    """Whether the word names a running application; where the notebook has something of that name that could be
    served, too, --name and the like say that this is meant."""
    from ... import connection
    from . import served

    text = line.app.text
    if kind_of(namespace.get(text)) and _beyond_change(line):
        return False
    return connection.join_existing() and text in served.served_names()


def _change(line: Line, shell: Any) -> None:
    """Options of a running application that need no new replicas; its view, its handle."""
    from ...kernel import cell_label
    from . import control

    served = line.app.text
    if beyond := _beyond_change(line):
        raise UsageError(
            f'{option_of(beyond[0])} has no effect on "{served}", which is served already: in place change '
            "--num-replicas, --autoscale, --max-ongoing-requests and --user-config. For the rest, run its cell again."
        )
    changes = deployment_options(read_options(line, shell.user_ns))
    if changes:
        control.reconfigure(served, changes)
        if not line.quiet:
            print(f'"{served}" changes in place: {", ".join(changes)}.')
    elif kind_of(shell.user_ns.get(served)) and not line.quiet:
        print(f'This is the application "{served}"; to serve the notebook\'s {served} anew, add --name {served}.')
    if line.into:
        shell.user_ns[line.into] = control.handle_of(served, partial(cell_label, shell))
    if not line.quiet:
        _show(served, shell)


def _beyond_change(line: Line) -> list[str]:
    """The options of the line that a running application cannot take."""
    return [option for option in _given(line) if option not in _IN_PLACE]


def _show(served: str, shell: Any) -> None:
    from ...kernel import cell_id
    from ...views.show import LiveFeed
    from .poller import POLL_INTERVAL, Poller

    poller = Poller(served)
    LiveFeed(poller.poll, poller.goes_on, cell_id(shell), POLL_INTERVAL)


def _deploy(line: Line, cell: str | None, shell: Any) -> Any:
    plan = make_plan(read_options(line, shell.user_ns))
    if cell is None:
        text = line.app.text
        cell_source = cell_source_of(shell, "", is_cell=False)
        if line.dry_run:
            return _explain(plan, f"{text}\n", shell.user_ns)
        _check_known(text, shell.user_ns)
        return carry_out(plan, _named(text, line.app.evaluate(shell.user_ns, "APP")), shell.user_ns, cell_source)
    from .run import run_cell

    cell_source = cell_source_of(shell, cell, is_cell=True)
    parsed = cell_source.read()
    if line.dry_run:
        return _explain(plan, cell_source.code, shell.user_ns)
    value = run_cell(parsed, cell_source, shell.user_ns)
    return carry_out(plan, choose(value, parsed.binds, shell.user_ns), shell.user_ns, cell_source)


def _check_known(text: str, namespace: Mapping[str, Any]) -> None:
    from ... import connection
    from . import served

    if text.isidentifier() and text not in namespace and not hasattr(builtins, text):
        known = served.served_sentence() if connection.is_up() else "there is no cluster"
        raise UsageError(f'"{text}" is neither a name of the notebook nor an application that is served; {known}.')


def _named(text: str, value: Any) -> Subject:
    kind = kind_of(value)
    if not kind:
        raise UsageError(
            f"APP: {text} is of type {type(value).__name__}; %ray_serve takes a class, a function, a deployment, an "
            "Application, or the name of an application that is served."
        )
    return Subject(text if text.isidentifier() else str(getattr(value, "__name__", "")), kind, value)


def read_options(line: Line, namespace: Mapping[str, Any]) -> ServeOptions:
    """The options of a line, with its expressions evaluated in the notebook."""
    given = {option: value for option, value in vars(line).items() if option in OPTION_NAMES and value is not None}
    given.update(evaluated(line, _EXPRESSIONS, namespace))
    if line.bind:
        given["bind"] = dict(_bound_argument(text, namespace) for text in line.bind)
    return ServeOptions(**given)


def _bound_argument(text: str, namespace: Mapping[str, Any]) -> tuple[str, Any]:
    """``weights=w`` -> the name and the value of an argument"""
    key, _, source = text.partition("=")
    try:
        value = expression(source)
    except UsageError:
        value = None
    if value is None or not key.strip().isidentifier():
        raise UsageError(f'--bind: "{text}" is not NAME=EXPRESSION; try --bind "weights=w".')
    return key.strip(), value.evaluate(dict(namespace), "--bind")


def _explain(plan: ServePlan, source: str, namespace: dict[str, Any]) -> None:
    from .script import explain

    print(explain(plan, source, namespace))


def carry_out(plan: ServePlan, subject: Subject, namespace: dict[str, Any], cell_source: CellSource) -> Any:
    """Does what the plan says; returns the Run of one in the background. Raises the error of any other."""
    from ...views.show import LastingView
    from .card import serve_card
    from .checks import check
    from .poller import POLL_INTERVAL, Poller
    from .run import execute_plan

    built = check(plan, subject, namespace, cell_source.cell_id)
    poller = Poller(plan.name)
    view = LastingView(
        poller.poll,
        poller.goes_on,
        POLL_INTERVAL,
        card=serve_card,
        at_once=plan.background,
        quiet=plan.quiet,
        cell=cell_source.cell_id,
    )
    return execute_plan(plan, subject, built, namespace, cell_source, view)
