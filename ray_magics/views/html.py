"""Statuses as still HTML for saved notebooks: inline styles only, readable even without them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from html import escape
from urllib.parse import urlsplit

from . import format as f
from . import serve, tune
from . import tags as t
from .format import Snapshot

log = logging.getLogger(__name__)

_OUTPUT = 40_000  # bytes; with everything else, escaped, below 100 kB
_ROWS = 28_000
_TRIALS = 38_000
_ALL = 96_000
_LOG = 500  # bytes; what is around the lines of a log
_OPENED = 6  # at most so many replicas are shown unfolded

_CARD = (
    f"max-width: 880px; margin: 4px 0; padding: 9px 12px; border: {t.RULE}; border-radius: 4px; "
    "font-size: 13px; line-height: 20px; overflow-wrap: break-word"
)
_OUTPUT_BOX = "display: flex; flex-direction: column-reverse; max-height: 240px; overflow: auto"  # begins at its end
_SHORT = "padding:1px 12px 1px 0;text-align:left;white-space:nowrap"  # short, for it stands in every cell
_FAILURE_BOX = f"border-left: 3px solid {t.RED}; max-height: 240px; overflow: auto"
_RULED = f"margin: 6px 0 0; padding: 6px 0 0; border-top: {t.RULE}"
_INSIDE = "margin: 0 0 0 16px"
_CURVE = "color: #1976d2; font-size: 9px"
_OUTPUT_TEXT = "flex: none; overflow: visible; background: rgba(128, 128, 128, 0.09); border-radius: 3px"


def html(snapshot: Snapshot) -> str:
    """The status with this JSON form; all escaped, at most 100 kB, with a note on what was cut."""
    try:
        body = "".join(_KINDS[snapshot["kind"]](snapshot))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        log.debug("This status cannot be drawn: %.500r", snapshot, exc_info=True)
        body = "A status that this version of ray_magics cannot show."
    return f'<div style="{_CARD}">{body}</div>'


def _run(run: Snapshot) -> Iterator[str]:
    yield from _head(run)
    yield from _workers(run, _OUTPUT)


def _head(run: Snapshot) -> Iterator[str]:
    yield t.div(" · ".join(filter(None, (_title(run), t.muted(t.safe(run["verb"])), t.muted(f.elapsed(run))))))
    if f.is_live(run) and run["total"] and not f.is_single(run):
        yield t.bar(run["done"] / run["total"])
    if parts := f.progress_parts(run):
        yield t.div(" · ".join(map(escape, parts)))
    if run["why"]:
        yield t.div(escape(f.sentence(f.one_line(run["why"], 1000))))
    yield from _note_and_error(run)


def _note_and_error(run: Snapshot) -> Iterator[str]:
    if run["note"]:
        yield t.div(t.muted(t.safe(run["note"], 1000)))
    if run["error"]:
        yield t.pre(escape(f.plain(run["error"], 3000)), _FAILURE_BOX)


def _title(run: Snapshot) -> str:
    return f"{t.state(run['state'])} {t.code(run['name'])}"


def _workers(run: Snapshot, limit: int) -> list[str]:
    workers, name = run["workers"], f.one_line(run["id"])
    share = max(5000, limit // max(1, len(workers)))
    blocks, left = f.fitting((_worker(worker, share, f.is_single(run)) for worker in workers), limit)
    more = f"and {f.count(left)} more {f.plural('worker', left)}: {t.code(f'%ray_logs {name}')}"
    return [*blocks, t.div(t.muted(more))] if left else blocks


def _worker(worker: Snapshot, limit: int, opened: bool) -> str:
    label = t.safe(worker["label"], 100)
    lines, cut = f.fitting_tail([_line(*line) for line in worker["tail"]], worker["hidden"], limit - 1200)
    summary = f"<summary>{label} · {f.line_count(worker)}</summary>"
    above = t.div(t.muted(cut)) if cut else ""
    output = f'<div style="{_OUTPUT_BOX}">{t.pre(chr(10).join(lines), _OUTPUT_TEXT)}</div>' if lines else ""
    return f"<details{' open' if opened else ''}>{summary}{above}{output}</details>"


def _line(stream: str, line: str, repeats: int) -> str:
    mark = f'<span style="color: {t.RED}">stderr</span> ' if stream == "stderr" else ""
    return f"{mark}{escape(f.output_line(line))}{f.repeated(repeats, ' <i>{}</i>')}"


def _tune(run: Snapshot) -> Iterator[str]:
    above = "".join((*_head(run), *_search(run)))
    yield above
    yield from _workers(run, min(_OUTPUT, _ALL - len(above.encode())))
    if run["path"]:
        yield t.div(t.muted(f"Results: {t.code(run['path'])}"))


def _search(run: Snapshot) -> Iterator[str]:
    yield t.states("Trials", tune.states(run))
    if goal := tune.goal(run):
        yield t.div(t.muted(escape(goal)))
    if best := tune.best(run):
        yield t.div(f"<b>{tune.BEST} {escape(best)}</b>")
    yield t.pre(escape(f.plain(run["best_python"], 1500)), _OUTPUT_TEXT)
    trials = tune.shown(run)
    columns = tune.columns(run, trials)
    headings = ("Trial", "State", *(escape(heading) for heading, _ in columns)) if trials else ()
    rows = ([*_trial(run, trial), *(escape(cells[row]) for _, cells in columns)] for row, trial in enumerate(trials))
    yield t.table(headings, rows, _TRIALS, _SHORT, len(run["trials"]) - len(trials))
    if trials and (sentence := tune.left_out(run)):
        yield t.div(t.muted(sentence))
    yield from map(_failure, tune.failed(trials))


def _trial(run: Snapshot, trial: Snapshot) -> tuple[str, str]:
    label = escape(tune.label(run, trial))
    sign, title = tune.state(trial)
    return f"<b>{label}</b>" if tune.BEST in label else label, f"{t.sign(sign)}&nbsp;{escape(title)}"


def _failure(trial: Snapshot) -> str:
    head, lines = tune.last_lines(trial["error"])
    summary = f"Trial {escape(tune.value(trial['number']))} failed: {escape(head)}"
    shown, cut = f.fitting_tail(list(map(escape, lines)), 0, 1200)
    above = t.div(t.muted(cut)) if cut else ""
    body = f"{above}{t.pre(chr(10).join(shown), f'border-left: 3px solid {t.RED}')}"
    return f"<details><summary>{summary}</summary>{body}</details>" if lines else t.div(summary)


def _serve(status: Snapshot) -> Iterator[str]:
    above = "".join(_head(status) if status["id"] else _note_and_error(status))
    apps, advice = status["apps"], serve.empty_text(status)
    limit = _ALL - len(above.encode())
    share = max(12_000, limit // max(1, len(apps)))
    rules = (_RULED if above or index else "" for index in range(len(apps)))
    blocks = (_app(app, status["error"], rule, share) for app, rule in zip(apps, rules, strict=True))
    drawn, left = f.fitting(blocks, limit)
    yield from (above, *drawn, _more(left, "application"), t.div(escape(advice)) if advice else "")
    yield from _workers(status, min(_OUTPUT, limit - sum(len(app.encode()) for app in drawn)))
    if footer := serve.address_line(status):
        yield t.div(t.muted(escape(footer)))


def _more(left: int, unit: str) -> str:
    return t.div(t.muted(f"and {f.count(left)} more {f.plural(unit, left)}")) if left else ""


def _app(app: Snapshot, error: str, rule: str, limit: int) -> str:
    """Its head and figures, and of its replicas what then fits."""
    above = "".join(_app_summary(app, error, limit // 6))
    below = "".join(_answer(app["answer"], limit // 6)) if app["answer"] else ""
    limit -= len((above + below).encode()) + 300
    parts = app["deployments"]
    share = max(6000, limit // max(1, len(parts)))
    opened = " open" if sum(len(part["replicas"]) for part in parts) <= _OPENED else ""
    blocks = (_deployment(part, error + app["message"], share, opened) for part in serve.failed_first(parts))
    shown, left = f.fitting(blocks, limit)
    return f'<div style="{rule}">{above}{"".join(shown)}{_more(left, "deployment")}{below}</div>'


def _app_summary(app: Snapshot, error: str, limit: int) -> Iterator[str]:
    yield t.div(" · ".join(filter(None, _app_head(app))))
    if sentence := serve.version_text(app):
        yield t.div(f"<b>{escape(sentence)}</b>")
    yield _message(app, serve.message(app, error), limit)
    if figures := serve.figures(app):
        curve = serve.sparkline(app["history"])
        drawn = f' <span style="{_CURVE}">{curve}</span>' if curve else ""
        yield t.div(f"{_unbroken(figures)}{drawn}")
    yield _deployments(app, 2 * limit)


def _unbroken(parts: Iterable[str]) -> str:
    """Joined, with line breaks between the parts alone."""
    return " · ".join(escape(part).replace(" ", "\N{NO-BREAK SPACE}") for part in parts)


def _app_head(app: Snapshot) -> Iterator[str]:
    sign, title = serve.state(app["status"])
    yield f"<b>{t.sign(sign)} {escape(title)}</b> {t.code(serve.word(app['name']))}"
    yield _link(app["url"], app["url"] or app["route"] or "not reachable by HTTP")
    yield _link(app["docs"], "docs") if _web_address(app["docs"]) else ""
    yield t.muted(escape(serve.deployed_ago(app)))


def _message(part: Snapshot, text: str, limit: int) -> str:
    shown, cut = f.fitting_tail(list(map(escape, text.splitlines())), 0, limit)
    border = f"3px solid {t.RED}" if serve.failed(part) else t.RULE
    return t.pre("\n".join(filter(None, (cut, *shown))), f"border-left: {border}")


def _deployments(app: Snapshot, limit: int) -> str:
    columns = serve.columns(app)
    headings = ("Deployment", "State", *(escape(heading) for heading, _ in columns))
    rows = (
        [escape(serve.name(app, deployment)), _state(deployment), *(escape(cells[row]) for _, cells in columns)]
        for row, deployment in enumerate(app["deployments"])
    )
    return t.table(headings, rows, limit, _SHORT)


def _state(part: Snapshot) -> str:
    sign, title = serve.state(part["status"])
    return f"{t.sign(sign)} {escape(title)}"


def _deployment(deployment: Snapshot, above: str, limit: int, opened: str) -> str:
    name = t.safe(deployment["name"], 40)
    message, scaling = serve.message(deployment, above), serve.autoscaling(deployment)
    above_replicas = t.div(f"{name}:") + _message(deployment, message, limit // 3) if message else ""
    above_replicas += t.div(t.muted(f"{name}: {escape(scaling)}")) if scaling else ""
    if not deployment["replicas"]:
        return above_replicas
    inside = "".join(_replicas(deployment["replicas"], limit - len(above_replicas.encode()) - 400))
    summary = f"<summary>{escape(serve.replica_count(deployment))}</summary>"
    return f'{above_replicas}<details{opened}>{summary}<div style="{_INSIDE}">{inside}</div></details>'


def _replicas(replicas: list[Snapshot], limit: int) -> Iterator[str]:
    share = max(1000, limit // len(replicas))
    shown, left = f.fitting((_replica(replica, share) for replica in replicas), limit)
    yield from shown
    yield _more(left, "replica")


def _replica(replica: Snapshot, limit: int) -> str:
    sign, title = serve.state(replica["state"])
    name = f"{t.sign(sign)} {escape(title)} {t.code(serve.word(replica['id']))}"
    head = f"{name} · {_unbroken(serve.replica_facts(replica))}"
    lines = [escape(f.output_line(line)) for line in replica["log"]]
    shown, cut = f.fitting_tail(lines, replica["lines_cut"], limit - len(head.encode()) - _LOG)
    above = t.div(t.muted(cut)) if cut else ""
    output = f'<div style="{_OUTPUT_BOX}">{t.pre(chr(10).join(shown), _OUTPUT_TEXT)}</div>' if shown else ""
    return f"<details><summary>{head}</summary>{above}{output}</details>" if lines else t.div(head)


def _answer(request: Snapshot, limit: int) -> Iterator[str]:
    sign, title = serve.answer_line(request)
    yield t.div(f"Last request: {t.sign(sign)} {escape(title)}")
    lines, cut = serve.answer_body(request, limit // 6)
    drawn = t.pre(escape("\n".join(lines)), _OUTPUT_TEXT)
    folded = f"<details><summary>{f.count(len(lines))} lines</summary>{drawn}</details>"
    yield folded if len(lines) > 20 else drawn
    yield t.div(t.muted(cut)) if cut else ""


def _cluster(cluster: Snapshot) -> Iterator[str]:
    yield t.div(" · ".join(_cluster_head(cluster)))
    if sentence := f.cluster_sentence(cluster):
        yield t.div(escape(sentence))
    yield t.table((), map(_meter, cluster["meters"]), 6000)
    yield t.states("Tasks", cluster["tasks"])
    yield t.states("Actors", cluster["actors"])
    if cluster["waiting"]:
        yield t.table(("Waiting", "Asks for", "Why"), map(_waiting, cluster["waiting"]), 10_000)
    yield _nodes(cluster["nodes"])
    if cluster["runs"]:
        yield t.table(_HEADINGS, map(_row, cluster["runs"]), _ROWS, t.NARROW)


def _cluster_head(cluster: Snapshot) -> Iterator[str]:
    state, address = f.one_line(cluster["state"]), cluster["address"]
    title = t.state(state, f.CLUSTER_STATES.get(state, ""))
    yield f"{title} {t.code(address)}" if address else title
    for name, version in (("Ray", cluster["ray"]), ("Python", cluster["python"])):
        if version:
            yield t.muted(f"{name} {t.safe(version)}")
    if _web_address(cluster["dashboard"]):
        yield _link(cluster["dashboard"], "Dashboard")


def _link(address: str, text: str) -> str:
    """A link if a browser may follow it, else the text alone."""
    url = _web_address(address)
    label = t.safe(text)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{label}</a>' if url else label


def _web_address(address: str) -> str:
    """The address if a browser may follow it, else nothing."""
    url = f.one_line(address, 300)
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _meter(meter: Snapshot) -> list[str]:
    used, total = meter["used"], meter["total"]
    share = t.bar(used / total if total else 0, "160px")
    return [t.safe(meter["name"]), share, escape(f.usage(used, total, f.one_line(meter["unit"])))]


def _waiting(waiting: Snapshot) -> list[str]:
    return [f.count(waiting["count"]), t.safe(waiting["request"]), t.safe(waiting["why"])]


def _nodes(nodes: list[Snapshot]) -> str:
    if not nodes:
        return ""
    names = list(dict.fromkeys(meter["name"] for node in nodes for meter in node["meters"]))[:12]
    headings = ("Node", "State", *map(t.safe, names))
    rows = t.table(headings, (_node(node, names) for node in nodes), _ROWS)
    opened = " open" if 1 < len(nodes) <= 4 else ""
    return f"<details{opened}><summary>{f.node_count(nodes)}</summary>{rows}</details>"


def _node(node: Snapshot, names: list[str]) -> list[str]:
    meters = {m["name"]: f.usage(m["used"], m["total"], f.one_line(m["unit"])) for m in node["meters"]}
    return [
        t.safe(node["name"]),
        escape(f.node_state(node)),
        *(escape(meters.get(name, f.DASH)) for name in names),
    ]


def _runs(runs: Snapshot) -> Iterator[str]:
    if runs["runs"]:
        yield t.table(_HEADINGS, map(_row, runs["runs"]), 80_000, t.NARROW)
    else:
        yield escape(f.NO_RUNS)


_HEADINGS = ("Run", "State", "Name", "Progress", "Elapsed")


def _row(run: Snapshot) -> list[str]:
    name = f"{t.code(run['name'])} {t.muted(t.safe(run.get('verb', '')))}"
    failed = f"{f.count(run['failed'])} failed" if run.get("failed") and not f.is_single(run) else ""
    done = ", ".join(filter(None, (f.progress(run), failed)))
    return [t.safe(run["id"]), t.state(run["state"]), name, escape(done), f.elapsed(run)]


_KINDS: dict[str, Callable[[Snapshot], Iterable[str]]] = {
    "run": _run,
    "tune": _tune,
    "serve": _serve,
    "cluster": _cluster,
    "runs": _runs,
}
