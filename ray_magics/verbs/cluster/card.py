"""The cards of a cluster and of the runs of this kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...run.status import RunsStatus, RunStatus
from ...views import format as f
from ...views.card import (
    Action,
    Card,
    Counts,
    Gauge,
    Gauges,
    Group,
    Header,
    Link,
    Row,
    Section,
    Special,
    State,
    Table,
    Text,
)
from ...views.run_card import run_progress
from .status import ClusterStatus, NodeStatus, ResourceUsage, Waiting

_TITLES = {"connected": "Connected", "lost": "Connection lost", "none": "No cluster", "ended": "Disconnected"}
_ADVICE = {
    "lost": "The cluster does not answer. Type %ray_init --restart to start or join one again.",
    "none": "This kernel is connected to no cluster. Type %ray_init, or run a cell with %%ray_remote.",
}
_NO_RUNS = "Nothing has run yet. Begin a cell with %%ray_remote to run it on the cluster."
_TASK_WORDS = {
    "RUNNING": "running",
    "SUBMITTED_TO_WORKER": "starting",
    "PENDING_NODE_ASSIGNMENT": "waiting for a place",
    "PENDING_ARGS_AVAIL": "waiting for inputs",
    "PENDING_ARGS_FETCH": "fetching inputs",
    "PENDING_OBJ_STORE_MEM_AVAIL": "waiting for the object store",
}  # what has ended is left out: Ray counts tasks, its own among them, where the user thinks of items
_ACTOR_WORDS = {
    "ALIVE": "alive",
    "RESTARTING": "restarting",
    "PENDING_CREATION": "starting",
    "DEPENDENCIES_UNREADY": "waiting for inputs",
}
_UNFOLDED = range(2, 5)  # so many nodes are seen at once
_MOST_RESOURCES = 12  # columns of the table of nodes


def cluster_card(status: ClusterStatus) -> Card:
    """Resources, tasks, actors, what waits and why, nodes, and the runs of this kernel."""
    return Card(tuple(_sections(status)), "Ray cluster")


def starting_card(where: str, phase: str, seconds: float, failed: bool = False) -> Card:
    """While Ray starts: `where`, in words, what is under way, and for how long."""
    header = Header("failed" if failed else "running", "", where, (phase,) if phase else (), elapsed=seconds)
    return Card((header,), "Ray cluster")


def runs_card(status: RunsStatus) -> Card:
    """The runs of this kernel, newest first."""
    live = sum(run.live for run in status.runs)
    amount = f"{f.count(len(status.runs))}{f', {f.count(live)} at work' if live else ''}"
    sections = (Text(f"Runs: {amount}", "strong"), _runs(status.runs)) if status.runs else (Text(_NO_RUNS),)
    return Card(sections, "Runs")


def _sections(status: ClusterStatus) -> Iterator[Section]:
    yield _header(status)
    if text := f.sentence(f.one_line(status.message, 1000)) if status.message else _ADVICE.get(status.state, ""):
        yield Text(text, "notice")
    if status.meters:
        yield Gauges(tuple(Gauge(m.name, m.used, m.total, m.unit) for m in status.meters))
    if status.state == "connected":
        yield Counts("Tasks", in_words(status.tasks, _TASK_WORDS))
        yield Counts("Actors", in_words(status.actors, _ACTOR_WORDS))
    if status.waiting:
        yield _waiting(status.waiting)
    if status.nodes:
        yield _nodes(status.nodes)
    if status.runs:
        yield Group((_runs(status.runs),), "Runs of this kernel")


def in_words(counts: Iterable[tuple[str, int]], words: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    """The numbers of those states for which there are words, with the words."""
    return tuple((words[state], number) for state, number in counts if state in words and number)


def _header(status: ClusterStatus) -> Header:
    versions = (("Ray", status.ray), ("Python", status.python))
    details: list[str | Link] = [f"{name} {version}" for name, version in versions if version]
    if status.dashboard:
        details.append(Link(status.dashboard, "Dashboard"))
    sign = "none" if status.state == "ended" else status.state
    return Header(sign, status.address, _TITLES.get(status.state, status.state), tuple(details))


def _waiting(waiting: Sequence[Waiting]) -> Table:
    rows = tuple(Row(one.request, (f.count(one.count), one.request, one.why)) for one in waiting)
    return Table(("Waiting", "Asks for", "Why"), rows)


def _nodes(nodes: Sequence[NodeStatus]) -> Group:
    names = list(dict.fromkeys(meter.name for node in nodes for meter in node.meters))[:_MOST_RESOURCES]
    rows = tuple(_node(node, names) for node in nodes)
    dead = sum(not node.alive for node in nodes)
    title = f"{f.count(len(nodes))} {f.plural('node', len(nodes))}{f', {f.count(dead)} dead' if dead else ''}"
    return Group((Table(("Node", "State", *names), rows),), title, opened=len(nodes) in _UNFOLDED)


def _node(node: NodeStatus, names: Sequence[str]) -> Row:
    used = {meter.name: _usage(meter) for meter in node.meters}
    words = ("alive" if node.alive else "dead", "head" if node.head else "", f.one_line(node.note))
    state = State("connected" if node.alive else "lost", ", ".join(filter(None, words)))
    return Row(node.id, (node.name or node.id, state, *(used.get(name, "") for name in names)))


def _usage(meter: ResourceUsage) -> str:
    return f.usage(meter.used, meter.total, f.one_line(meter.unit))


def _runs(runs: Sequence[RunStatus]) -> Special:
    def still() -> tuple[Section, ...]:
        return (Table(("Run", "State", "Name", "Progress", "Elapsed"), tuple(map(_run, runs))),)

    return Special("runs", {"runs": [run.row() for run in runs]}, still=still)


def _run(run: RunStatus) -> Row:
    progress = run_progress(run)
    failed = f"{f.count(run.failed)} failed" if run.failed and not f.is_single(progress) else ""
    done = ", ".join(filter(None, (f.amount_done(progress), failed)))
    name = f"{f.one_line(run.name)} {f.one_line(run.verb)}".strip()
    actions = (Action("stop", run.id),) if run.live else ()
    elapsed = f.elapsed(run.state, run.elapsed)
    return Row(run.id, (run.id, State(run.state, f.capitalized(run.state)), name, done, elapsed), actions)
