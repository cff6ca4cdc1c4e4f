"""Statuses as text, for terminals and logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from textwrap import dedent

from . import format as f
from . import serve, tune
from .format import Snapshot

log = logging.getLogger(__name__)

_OUTPUT = 60_000  # bytes; with everything else well below 100 kB
_ROWS = 25_000
_ALL = 90_000
_REPLICAS, _LOGS, _ANSWER = 20, 6, 20  # at most so many replicas, logs, and lines of an answer are shown


def text(snapshot: Snapshot) -> str:
    """The status with this JSON form in a few aligned lines; at most 100 kB, with a note on what was cut."""
    try:
        return "\n".join(_KINDS[snapshot["kind"]](snapshot))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        log.debug("This status cannot be drawn: %.500r", snapshot, exc_info=True)
        return "A status that this version of ray_magics cannot show."


def _run(run: Snapshot) -> Iterator[str]:
    yield from _head(run)
    yield from _workers(run, _OUTPUT)


def _head(run: Snapshot) -> Iterator[str]:
    head = (f"{_state(run)} {f.one_line(run['name'])}", f.one_line(run["verb"]), f.elapsed(run))
    yield " · ".join(filter(None, head))
    if parts := " · ".join(f.progress_parts(run)):
        yield f"  {_progress_bar(run)}{parts}"
    if run["why"]:
        yield f"  {f.sentence(f.one_line(run['why'], 1000))}"
    yield from _note_and_error(run)


def _note_and_error(run: Snapshot) -> Iterator[str]:
    for text in (run["note"], run["error"]):
        yield from _indented(f.plain(text, 3000), "  ")


def _state(run: Snapshot) -> str:
    return f"{f.state_sign(run['state'])} {f.capitalized(f.one_line(run['state']))}"


def _progress_bar(run: Snapshot) -> str:
    return f"{_bar(run['done'], run['total'], run['failed'])} " if run["total"] else ""


def _bar(used: float, total: float, failed: float = 0, width: int = 20) -> str:
    """Blocks for what is used, failed and free: ████▒░░░"""
    if total <= 0:
        return "░" * width
    failed_blocks = min(width, -int(-failed * width // total))
    used_blocks = min(width - failed_blocks, int(used * width // total))
    return "█" * used_blocks + "▒" * failed_blocks + "░" * (width - used_blocks - failed_blocks)


def _indented(text: str, margin: str) -> Iterator[str]:
    return (f"{margin}{line}" for line in text.splitlines())


def _workers(run: Snapshot, limit: int) -> list[str]:
    workers, name = run["workers"], f.one_line(run["id"])
    share = max(4000, limit // max(1, len(workers)))
    blocks, left = f.fitting(("\n".join(_worker(worker, share)) for worker in workers), limit)
    more = [f"  and {f.count(left)} more {f.plural('worker', left)}: %ray_logs {name}"] if left else []
    return blocks + more


def _worker(worker: Snapshot, limit: int) -> Iterator[str]:
    lines, cut = f.fitting_tail([_line(*line) for line in worker["tail"]], worker["hidden"], limit - 1000)
    yield f"  {f.one_line(worker['label'])}, {f.line_count(worker)}"
    if cut:
        yield f"    ({cut})"
    yield from lines


def _line(stream: str, line: str, repeats: int) -> str:
    mark = "!" if stream == "stderr" else "|"
    return f"    {mark} {f.output_line(line)}{f.repeated(repeats, ' {}')}"


def _tune(run: Snapshot) -> Iterator[str]:
    above = "\n".join((*_head(run), *_search(run)))
    yield above
    yield from _workers(run, min(_OUTPUT, _ALL - len(above.encode())))
    if run["path"]:
        yield f"  Results: {f.one_line(run['path'])}"


def _search(run: Snapshot) -> Iterator[str]:
    yield from _states("Trials", tune.states(run))
    if goal := tune.goal(run):
        yield f"  {goal}"
    if best := tune.best(run):
        yield f"  {tune.BEST} {best}"
    yield from _indented(f.plain(run["best_python"], 1500), "    ")
    trials = tune.shown(run)
    columns = tune.columns(run, trials)
    head = ["Trial", "State", *(heading for heading, _ in columns)]
    rows = ([*_trial(run, trial), *(cells[row] for _, cells in columns)] for row, trial in enumerate(trials))
    if trials:
        yield from _table([head, *rows], "    ", len(run["trials"]) - len(trials))
    if trials and (sentence := tune.left_out(run)):
        yield f"    {sentence}"
    for trial in tune.failed(trials):
        yield from _failure(trial)


def _trial(run: Snapshot, trial: Snapshot) -> tuple[str, str]:
    sign, title = tune.state(trial)
    return tune.label(run, trial), f"{f.state_sign(sign)} {title}"


def _failure(trial: Snapshot) -> Iterator[str]:
    head, lines = tune.last_lines(trial["error"])
    yield f"  Trial {tune.value(trial['number'])} failed: {head}"
    yield from _indented("\n".join(line for line in lines[-5:] if line != head), "    ")


def _serve(status: Snapshot) -> Iterator[str]:
    yield dedent("\n".join(_served(status)))


def _served(status: Snapshot) -> Iterator[str]:
    above = list(_head(status) if status["id"] else _note_and_error(status))
    limit = _ALL - len("\n".join(above).encode())
    apps, left = f.fitting(("\n".join(_app(app, status["error"])) for app in status["apps"]), limit)
    yield from (*above, *apps)
    if left:
        yield f"  and {f.count(left)} more {f.plural('application', left)}"
    if sentence := serve.empty_text(status):
        yield f"  {sentence}"
    yield from _workers(status, min(_OUTPUT, limit - sum(len(app.encode()) for app in apps)))
    if footer := serve.address_line(status):
        yield f"  {footer}"


def _app(app: Snapshot, error: str) -> Iterator[str]:
    yield f"  {' · '.join(filter(None, _app_head(app)))}"
    figures = f"{' · '.join(serve.figures(app))} {serve.sparkline(app['history'])}".strip()
    for line in filter(None, (serve.version_text(app), figures)):
        yield f"    {line}"
    yield from _indented(serve.message(app, error), "    | ")
    yield from _deployments(app)
    above, parts = error + app["message"], serve.failed_first(app["deployments"])
    yield from _limited(filter(None, ("\n".join(_deployment(part, above)) for part in parts)), 10_000, "    ")
    yield from _replicas(app)
    if app["answer"]:
        yield from _answer(app["answer"])


def _app_head(app: Snapshot) -> Iterator[str]:
    docs = serve.word(app["docs"], 200)
    yield f"{_serve_state(app['status'])} {serve.word(app['name'])}"
    yield serve.word(app["url"] or app["route"], 200) or "not reachable by HTTP"
    yield f"docs: {docs}" if docs else ""
    yield serve.deployed_ago(app)


def _serve_state(state: object) -> str:
    sign, title = serve.state(state)
    return f"{f.state_sign(sign)} {title}"


def _deployments(app: Snapshot) -> Iterator[str]:
    columns = serve.columns(app)
    rows = [
        [serve.name(app, part), _serve_state(part["status"]), *(cells[row] for _, cells in columns)]
        for row, part in enumerate(app["deployments"])
    ]
    return _table([["Deployment", "State", *(heading for heading, _ in columns)], *rows], "    ") if rows else iter(())


def _deployment(deployment: Snapshot, above: str) -> Iterator[str]:
    name = serve.word(deployment["name"])
    if sentence := serve.message(deployment, above):
        yield f"    {name}:"
        yield from _indented(sentence, "    | ")
    if sentence := serve.autoscaling(deployment):
        yield f"    {name}: {sentence}"


def _replicas(app: Snapshot) -> Iterator[str]:
    pairs = serve.not_running_first(app)
    shown = pairs[:_REPLICAS]
    several = len(app["deployments"]) > 1
    columns = serve.without_empty_columns(
        [dict(_replica(replica, deployment, several)) for deployment, replica in shown]
    )
    rows = ([heading, *cells] for heading, cells in columns)
    if shown:
        yield from _table(map(list, zip(*rows, strict=True)), "    ", len(pairs) - len(shown))
    logs = ["\n".join(_log(replica)) for _, replica in shown if replica["log"]]
    fitting_logs, left = f.fitting(logs[:_LOGS], 8000)
    yield from fitting_logs
    if left := left + len(logs[_LOGS:]):
        yield f"    and {f.count(left)} more {f.plural('log', left)}"


def _replica(replica: Snapshot, deployment: Snapshot, several: bool) -> Iterator[tuple[str, str]]:
    yield "Replica", serve.word(replica["id"])
    yield "Deployment", serve.word(deployment["name"]) if several else ""
    yield "State", _serve_state(replica["state"])
    yield "Version", serve.word(replica["version"])
    yield "Process", serve.process(replica)
    yield "Ongoing", "" if replica["ongoing"] is None else f.count(replica["ongoing"])
    yield "Age", f.clock(replica["age"])


def _log(replica: Snapshot) -> Iterator[str]:
    lines = [f.output_line(line, 300) for line in replica["log"]]
    shown = lines[-3:] if replica["state"] == "RUNNING" else lines[-10:]
    cut = replica["lines_cut"] + len(lines) - len(shown)
    above = f", {f.count(cut)} earlier {f.plural('line', cut)} not shown" if cut else ""
    yield f"    Log of {serve.word(replica['id'])}{above}"
    yield from (f"      | {line}" for line in shown)


def _answer(request: Snapshot) -> Iterator[str]:
    sign, title = serve.answer_line(request)
    yield f"    Last request: {f.state_sign(sign)} {title}"
    lines, cut = serve.answer_body(request, 2000)
    yield from _limited((f"      {line}" for line in lines[:_ANSWER]), 8000, "      ", max(0, len(lines) - _ANSWER))
    if cut:
        yield f"      {cut}"


def _cluster(cluster: Snapshot) -> Iterator[str]:
    state = cluster["state"]
    versions = (("Ray", cluster["ray"]), ("Python", cluster["python"]))
    head = (
        f"{f.state_sign(state)} {f.CLUSTER_STATES.get(state, state)} {f.one_line(cluster['address'])}".rstrip(),
        *(f"{name} {f.one_line(version)}" for name, version in versions if version),
        f.one_line(cluster["dashboard"], 300),
    )
    yield " · ".join(filter(None, head))
    if sentence := f.cluster_sentence(cluster):
        yield f"  {sentence}"
    yield from _limited(_meters(cluster["meters"]), 5000)
    yield from _states("Tasks", cluster["tasks"])
    yield from _states("Actors", cluster["actors"])
    yield from _limited(map(_waiting, cluster["waiting"]), 10_000)
    yield from _nodes(cluster["nodes"])
    if cluster["runs"]:
        yield "  Runs of this kernel"
        yield from _table(map(_row, cluster["runs"]), "    ")


def _meters(meters: list[Snapshot]) -> Iterator[str]:
    names = [f.one_line(meter["name"]) for meter in meters]
    width = max(map(len, names), default=0)
    for name, meter in zip(names, meters, strict=True):
        used, total = meter["used"], meter["total"]
        yield f"  {name:<{width}}  {_bar(used, total)} {f.usage(used, total, f.one_line(meter['unit']))}"


def _states(title: str, states: Iterable[tuple[str, int]]) -> Iterator[str]:
    counts = [f"{f.count(number)} {f.task_state(state)}" for state, number in states if number]
    shown, left = f.fitting(counts, 5000)
    if shown:
        yield f"  {title}: {', '.join(shown)}{f', and {left} more' if left else ''}"


def _waiting(waiting: Snapshot) -> str:
    number, request = f.count(waiting["count"]), f.one_line(waiting["request"])
    return f"  Waiting: {number} {f.TIMES} {request}: {f.one_line(waiting['why'])}"


def _nodes(nodes: list[Snapshot]) -> Iterator[str]:
    if nodes:
        yield f"  {f.node_count(nodes)}"
        yield from _table(map(_node, nodes), "    ")


def _node(node: Snapshot) -> list[str]:
    meters = (
        f"{f.one_line(m['name'])} {f.usage(m['used'], m['total'], f.one_line(m['unit']))}" for m in node["meters"][:20]
    )
    return [f.one_line(node["name"]), f.node_state(node), ", ".join(meters)]


def _runs(runs: Snapshot) -> Iterable[str]:
    return _table(map(_row, runs["runs"])) if runs["runs"] else [f.NO_RUNS]


def _row(run: Snapshot) -> list[str]:
    name = f"{f.one_line(run['name'])} {f.one_line(run.get('verb', ''))}".strip()
    failed = f"{f.count(run['failed'])} failed" if run.get("failed") and not f.is_single(run) else ""
    return [
        f.one_line(run["id"]),
        _state(run),
        name,
        ", ".join(filter(None, (f.progress(run), failed))),
        f.elapsed(run),
    ]


def _table(rows: Iterable[list[str]], margin: str = "", hidden: int = 0) -> Iterator[str]:
    all_rows = list(rows)
    widths = [min(40, max(map(len, column))) for column in zip(*all_rows, strict=True)]
    lines = (margin + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in all_rows)
    return _limited(map(str.rstrip, lines), _ROWS, margin, hidden)


def _limited(lines: Iterable[str], limit: int, margin: str = "  ", hidden: int = 0) -> Iterator[str]:
    shown, left = f.fitting(lines, limit)
    yield from shown
    if left + hidden:
        yield f"{margin}and {f.count(left + hidden)} more"


_KINDS: dict[str, Callable[[Snapshot], Iterable[str]]] = {
    "run": _run,
    "tune": _tune,
    "serve": _serve,
    "cluster": _cluster,
    "runs": _runs,
}
