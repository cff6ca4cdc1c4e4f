"""`%ray_init`, `%ray_status`, `%ray_runs`, `%ray_logs`, `%ray_stop`, `%ray_shutdown`: the magic layer."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from ...connection import is_up
from ...errors import UsageError
from ...kernel import cell_id
from ...line.options import argument, evaluated, magic
from ...line.parsers import count, expression, size
from ...run.registry import registry
from ...run.run import Run
from .logs import last_lines

if TYPE_CHECKING:
    from ...views.card import Card

_EXPRESSIONS = ("resources", "runtime_env")
_PLAIN_OPTIONS = ("num_cpus", "num_gpus", "object_store_memory", "namespace", "detached", "restart")
_LOG_LINES = 1000  # printed by %ray_logs unless the user says how many


def _live_runs(_namespace: Mapping[str, Any]) -> list[str]:
    return [run.id for run in registry.live()]


def _all_runs(_namespace: Mapping[str, Any]) -> list[str]:
    return [run.id for run in registry.runs()]


@magic("ray_init", kind="line")
@argument("address", nargs="?", metavar="ADDRESS", help="HOST:PORT, ray://HOST:PORT, auto or local.")
@argument("--num-cpus", type=count, help="CPUs of the cluster that starts (Ray's default: those of the machine).")
@argument("--num-gpus", type=count, help="GPUs of the cluster that starts.")
@argument("--resources", type=expression, help="Custom resources of the cluster that starts: \"{'tpu': 1}\".")
@argument("--object-store-memory", type=size, help="Size of the object store of the cluster that starts.")
@argument("--namespace", metavar="NAME", help="Ray's namespace for named actors.")
@argument("--runtime-env", type=expression, help="Ray's runtime environment: \"{'pip': ['emoji']}\".")
@argument("--detached", action="store_true", help="Start the cluster as a process of its own, or find it again.")
@argument("--restart", action="store_true", help="End the present connection first.")
def ray_init(options: Namespace) -> None:
    """Connect to a Ray cluster, or start one on this machine, and show its card.

    Without an address: the cluster that RayMagics.address or RAY_ADDRESS names, else your detached one, else
    a new one, which ends with the kernel. It listens on 127.0.0.1 alone and asks for Ray's token.
    With --detached the cluster outlives the kernel until %ray_shutdown; the same line finds it again.
    Asked again for the same, nothing happens; asked for something else, it says what differs.

        %ray_init
        %ray_init --num-cpus 4 --object-store-memory 2GiB
        %ray_init 10.0.0.1:6379 --namespace team
        %ray_init local --resources "{'tpu': 1}"
        %ray_init --detached
        %ray_init --restart --num-cpus 2
    """
    shell: Any = get_ipython()
    from ...views.show import shown_meanwhile
    from .card import cluster_card, starting_card
    from .messages import card_text
    from .run import init, snapshot
    from .starting import phase

    plain = {name: getattr(options, name) for name in _PLAIN_OPTIONS}
    expressions = evaluated(options, _EXPRESSIONS, shell.user_ns)
    if is_up() and not options.restart:
        connection = init(options.address, **plain, **expressions)
        return _show(cluster_card(replace(snapshot(), message=card_text(connection))))
    where = f"Connecting to {options.address}" if options.address else "Starting Ray"

    def card_now(seconds: float) -> Card:
        return starting_card(where, phase() if seconds else "", seconds)

    def card_failed(seconds: float) -> Card:
        return starting_card(where, "did not come up", seconds, failed=True)

    with shown_meanwhile(card_now, card_failed) as display:
        connection = init(options.address, **plain, **expressions)
        card = cluster_card(replace(snapshot(), message=card_text(connection)))
    display.finish(card)


@magic("ray_status", kind="line")
@argument("--once", action="store_true", help="Show the cluster as it is now, and leave it at that.")
def ray_status(options: Namespace) -> None:
    """Show the cluster, live: nodes, what is used of what there is, tasks and actors, what waits and why.

    The view goes on living in its cell, refreshed once a second, until the cell runs again or the connection ends.
    Without a connection it says so and starts nothing.

        %ray_status
        %ray_status --once
    """
    from .card import cluster_card
    from .run import snapshot

    if options.once or not is_up():
        return _show(cluster_card(snapshot()))
    last = snapshot()
    seen_at = time.strftime("%H:%M:%S")

    def poll() -> Card:
        """The cluster now; after the end of the connection as it was last seen, for a view is frozen as it was."""
        nonlocal last, seen_at
        now = snapshot()
        if now.state == "none":
            return cluster_card(replace(last, state="ended", dashboard="", message=f"This was seen at {seen_at}."))
        last, seen_at = now, time.strftime("%H:%M:%S")
        return cluster_card(last)

    _follow(poll, is_up)


@magic("ray_runs", kind="line")
def ray_runs(options: Namespace) -> None:
    """List everything this kernel launched, newest first, with its state and a way to stop it.

    %ray_runs
    %ray_stop 3
    %ray_logs 3
    """
    from .card import runs_card

    if not registry.live():
        return _show(runs_card(registry.status()))
    _follow(lambda: runs_card(registry.status()), lambda: bool(registry.live()))


@magic("ray_logs", kind="line")
@argument(
    "run",
    nargs="?",
    metavar="RUN",
    completer=_all_runs,
    help="The number that %ray_runs shows, or an application; the last run if not said.",
)
@argument("--tail", type=count, help="Only the last N lines.")
@argument("--worker", metavar="ID", help="Only the lines of this worker: 4711 or 4711@10.0.0.1.")
def ray_logs(options: Namespace) -> None:
    """Print all that the workers of a run printed, in order; of a served application, what its replicas logged.

    %ray_logs
    %ray_logs 3 --tail 20
    %ray_logs 3 --worker 4711
    %ray_logs digits
    """
    name = options.run or next((run.id for run in reversed(registry.runs())), "")
    if not name:
        raise UsageError("Nothing has run yet; %ray_logs 3 prints what run 3 has printed.")
    if name not in registry.known and (log := registry.logs_of(name)) is not None:
        if options.worker:
            raise UsageError("--worker picks a worker of a run; the log of an application names its replicas.")
        return print(last_lines(log, options.tail, name, _LOG_LINES) or f"{name} has logged nothing.")
    run = registry.find(name)
    text = last_lines(run.logs(options.worker or ""), options.tail, run.id, _LOG_LINES)
    print(text or f"Run {run.id} has printed nothing.")


@magic("ray_stop", kind="line")
@argument("run", nargs="?", metavar="RUN", completer=_live_runs, help="The number that %ray_runs shows.")
@argument("--all", action="store_true", help="Stop every run of this kernel.")
@argument("--force", action="store_true", help="Kill the workers of the run instead of asking them.")
def ray_stop(options: Namespace) -> None:
    """Stop a run of this kernel: exactly its work on the cluster, nothing else.

    The cell that waits for it fails, so that Run All stops there. Asked again, or with --force, it kills
    the workers of the run.

        %ray_stop 3
        %ray_stop --all
        %ray_stop 3 --force
    """
    if bool(options.run) == options.all:
        raise UsageError("%ray_stop needs a run or --all; for example %ray_stop 3. %ray_runs lists them.")
    runs = registry.live() if options.all else [registry.find(options.run)]
    print("\n".join(_stop(run, options.force) for run in runs) or "Nothing runs.")


@magic("ray_shutdown", kind="line")
@argument("--force", action="store_true", help="Stop your detached cluster also where other notebooks use it.")
def ray_shutdown(options: Namespace) -> None:
    """End the connection to Ray, after stopping the runs of this kernel; says what it did.

    A cluster that this kernel started stops, and so does your detached one. Any other cluster goes on
    running. Values that were left on a stopped cluster are gone. Forms become the lines that they wrote.
    A detached cluster that other notebooks or programs use is not stopped without --force.

        %ray_shutdown
        %ray_shutdown --force
    """
    from ...views.show import freeze_views
    from .run import shutdown

    print(shutdown(options.force))
    freeze_views()


def _show(card: Card) -> None:
    shell: Any = get_ipython()
    from ...views.show import bundle

    shell.display_pub.publish(bundle(card))


def _follow(poll: Callable[[], Card], is_live: Callable[[], bool]) -> None:
    """A view that lives on in its cell until that cell runs again or `is_live()` is False."""
    from ...views.show import LiveFeed

    LiveFeed(poll, is_live, cell_id(get_ipython()))


def _stop(run: Run, force: bool) -> str:
    """Stops the run, or kills it where it is being stopped already; says which."""
    if not run.live:
        return f"Run {run.id} ({run.name}) is {run.state} already."
    kill = force or run.state == "stopping"
    run.stop(kill, by="%ray_stop")
    return f"{'Killing' if kill else 'Stopping'} run {run.id} ({run.name})."
