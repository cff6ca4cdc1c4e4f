"""Statuses as still HTML for saved notebooks: inline styles only, readable even without them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from html import escape
from urllib.parse import urlsplit

from ray_magics.views import format as f
from ray_magics.views.format import Snapshot

log = logging.getLogger(__name__)

_OUTPUT = 40_000  # bytes; with everything else, escaped, below 100 kB
_ROWS = 28_000

_RULE = "1px solid rgba(128, 128, 128, 0.35)"
_CARD = (
    f"max-width: 880px; margin: 4px 0; padding: 9px 12px; border: {_RULE}; border-radius: 4px; "
    "font-size: 13px; line-height: 20px"
)
_CODE = "padding: 0; background: none; font-size: 12px"
_OUTPUT_BOX = "display: flex; flex-direction: column-reverse; max-height: 240px; overflow: auto"  # begins at its end
_MUTED = "color: var(--jp-ui-font-color2, inherit)"
_OUTPUT_TEXT = "flex: none; overflow: visible; background: rgba(128, 128, 128, 0.09); border-radius: 3px"
_RED = "#d32f2f"  # not the theme's: readers that sanitise drop variables, and these are seen on light and dark
_COLORS = {
    "running": "#1976d2",
    "finished": "#388e3c",
    "connected": "#388e3c",
    "stopping": "#f57c00",
    "failed": _RED,
    "lost": _RED,
}
_CELL = "padding: 2px 14px 2px 0; text-align: left; vertical-align: top"
_NARROW = f"{_CELL}; white-space: nowrap"


def html(snapshot: Snapshot) -> str:
    """The status with this JSON form; all escaped, at most 100 kB, with a word on what was cut."""
    try:
        body = "".join(_KINDS[snapshot["kind"]](snapshot))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        log.debug("This status cannot be drawn: %.500r", snapshot, exc_info=True)
        body = "A status that this version of ray_magics cannot show."
    return f'<div style="{_CARD}">{body}</div>'


def _run(run: Snapshot) -> Iterator[str]:
    yield _div(" · ".join(filter(None, (_title(run), _muted(_safe(run["verb"])), _muted(f.elapsed(run))))))
    if f.is_live(run) and run["total"] and not f.is_single(run):
        yield _bar(run["done"] / run["total"])
    if facts := f.facts(run):
        yield _div(" · ".join(map(escape, facts)))
    if run["why"]:
        yield _div(escape(f.sentence(f.one_line(run["why"], 1000))))
    if run["note"]:
        yield _div(_muted(_safe(run["note"], 1000)))
    if run["error"]:
        yield _pre(
            escape(f.plain(run["error"], 3000)), f"border-left: 3px solid {_RED}; max-height: 240px; overflow: auto"
        )
    yield from _workers(run)


def _title(run: Snapshot) -> str:
    return f"{_state(run['state'])} {_code(run['name'])}"


def _state(state: str, words: str = "") -> str:
    sign = f'<span style="color: {_COLORS.get(state, "inherit")}">{f.sign(state)}</span>'
    return f"<b>{sign} {escape(words or f.word(f.one_line(state)))}</b>"


def _workers(run: Snapshot) -> list[str]:
    workers, name = run["workers"], f.one_line(run["id"])
    share = max(5000, _OUTPUT // max(1, len(workers)))
    folds, left = f.fitting((_worker(worker, share, f.is_single(run)) for worker in workers), _OUTPUT)
    more = f"and {f.count(left)} more {f.plural('worker', left)}: {_code(f'%ray_logs {name}')}"
    return [*folds, _div(_muted(more))] if left else folds


def _worker(worker: Snapshot, limit: int, opened: bool) -> str:
    label = _safe(worker["label"], 100)
    lines, cut = f.shown_tail([_line(*line) for line in worker["tail"]], worker["hidden"], limit - 1200)
    summary = f"<summary>{label} · {f.line_count(worker)}</summary>"
    above = _div(_muted(cut)) if cut else ""
    output = f'<div style="{_OUTPUT_BOX}">{_pre(chr(10).join(lines), _OUTPUT_TEXT)}</div>' if lines else ""
    return f"<details{' open' if opened else ''}>{summary}{above}{output}</details>"


def _line(stream: str, line: str, repeats: int) -> str:
    mark = f'<span style="color: {_RED}">stderr</span> ' if stream == "stderr" else ""
    return f"{mark}{escape(f.output_line(line))}{f.repeated(repeats, ' <i>{}</i>')}"


def _cluster(cluster: Snapshot) -> Iterator[str]:
    yield _div(" · ".join(_cluster_head(cluster)))
    if words := f.cluster_words(cluster):
        yield _div(escape(words))
    yield _table((), map(_meter, cluster["meters"]), 6000)
    yield _states("Tasks", cluster["tasks"])
    yield _states("Actors", cluster["actors"])
    if cluster["waiting"]:
        yield _table(("Waiting", "Asks for", "Why"), map(_waiting, cluster["waiting"]), 10_000)
    yield _nodes(cluster["nodes"])
    if cluster["runs"]:
        yield _table(_HEADINGS, map(_row, cluster["runs"]), _ROWS, _NARROW)


def _cluster_head(cluster: Snapshot) -> Iterator[str]:
    state, address = f.one_line(cluster["state"]), cluster["address"]
    title = _state(state, f.CLUSTER_STATES.get(state, ""))
    yield f"{title} {_code(address)}" if address else title
    for name, version in (("Ray", cluster["ray"]), ("Python", cluster["python"])):
        if version:
            yield _muted(f"{name} {_safe(version)}")
    if url := _web_address(cluster["dashboard"]):
        yield f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">Dashboard</a>'


def _web_address(address: str) -> str:
    """The address if a browser may follow it, else nothing."""
    url = f.one_line(address, 300)
    return url if urlsplit(url).scheme in ("http", "https") else ""


def _meter(meter: Snapshot) -> list[str]:
    used, total = meter["used"], meter["total"]
    share = _bar(used / total if total else 0, "160px")
    return [_safe(meter["name"]), share, escape(f.usage(used, total, f.one_line(meter["unit"])))]


def _states(title: str, states: list[tuple[str, int]]) -> str:
    words = [f"<b>{f.count(number)}</b> {escape(f.task_state(state))}" for state, number in states if number]
    kept, left = f.fitting(words, 5000)
    more = [f"and {f.count(left)} more"] if left else []
    return _div(f"{title}: {', '.join(kept + more)}") if words else ""


def _waiting(waiting: Snapshot) -> list[str]:
    return [f.count(waiting["count"]), _safe(waiting["request"]), _safe(waiting["why"])]


def _nodes(nodes: list[Snapshot]) -> str:
    if not nodes:
        return ""
    names = list(dict.fromkeys(meter["name"] for node in nodes for meter in node["meters"]))[:12]
    headings = ("Node", "State", *map(_safe, names))
    rows = _table(headings, (_node(node, names) for node in nodes), _ROWS)
    opened = " open" if 1 < len(nodes) <= 4 else ""
    return f"<details{opened}><summary>{f.node_count(nodes)}</summary>{rows}</details>"


def _node(node: Snapshot, names: list[str]) -> list[str]:
    meters = {m["name"]: f.usage(m["used"], m["total"], f.one_line(m["unit"])) for m in node["meters"]}
    return [
        _safe(node["name"]),
        escape(f.node_state(node)),
        *(escape(meters.get(name, f.DASH)) for name in names),
    ]


def _runs(runs: Snapshot) -> Iterator[str]:
    if runs["runs"]:
        yield _table(_HEADINGS, map(_row, runs["runs"]), 80_000, _NARROW)
    else:
        yield escape(f.NO_RUNS)


_HEADINGS = ("Run", "State", "Name", "Progress", "Elapsed")


def _row(run: Snapshot) -> list[str]:
    name = f"{_code(run['name'])} {_muted(_safe(run.get('verb', '')))}"
    failed = f"{f.count(run['failed'])} failed" if run.get("failed") and not f.is_single(run) else ""
    done = ", ".join(filter(None, (f.progress(run), failed)))
    return [_safe(run["id"]), _state(run["state"]), name, escape(done), f.elapsed(run)]


def _table(headings: Iterable[str], rows: Iterable[list[str]], limit: int, style: str = _CELL) -> str:
    """Of cells that are HTML already."""
    kept, left = f.fitting((_cells("td", row, style) for row in rows), limit)
    head = _cells("th", headings, style) if headings else ""
    more = _div(_muted(f"and {f.count(left)} more")) if left else ""
    if not kept:
        return more
    table = f'<table style="border-collapse: collapse; margin: 0">{head}{"".join(kept)}</table>'
    return f'<div style="margin: 4px 0; overflow-x: auto">{table}</div>{more}'


def _cells(tag: str, cells: Iterable[str], style: str) -> str:
    row = "".join(f'<{tag} style="{style}">{cell}</{tag}>' for cell in cells)
    return f'<tr style="background: none">{row}</tr>'


def _bar(share: float, width: str = "100%") -> str:
    """Decoration: the numbers beside it say the same."""
    common = "height: 6px; border-radius: 3px; background:"
    fill = f"width: {100 * min(max(share, 0), 1):.1f}%; {common} {_COLORS['running']}"
    track = f"width: {width}; margin: 5px 0; {common} rgba(128, 128, 128, 0.2)"
    return f'<div style="{track}"><div style="{fill}"></div></div>'


def _pre(body: str, style: str = "") -> str:
    common = "margin: 4px 0; padding: 5px 9px; font-size: 12px; line-height: 17px; white-space: pre-wrap"
    return f'<pre style="{common}; {style}">{body}</pre>' if body else ""


def _div(body: str) -> str:
    return f"<div>{body}</div>"


def _muted(body: str) -> str:
    return f'<span style="{_MUTED}">{body}</span>' if body else ""


def _code(text: object) -> str:
    return f'<code style="{_CODE}">{_safe(text)}</code>'


def _safe(value: object, limit: int = 200) -> str:
    return escape(f.one_line(value, limit))


_KINDS: dict[str, Callable[[Snapshot], Iterable[str]]] = {"run": _run, "cluster": _cluster, "runs": _runs}
