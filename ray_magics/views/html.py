"""Cards as still HTML for saved notebooks: inline styles only, readable even without them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Any
from urllib.parse import urlsplit

from ..run.status import WorkerOutput
from . import format as f
from . import tags as t
from .budget import draw_within
from .card import (
    Button,
    Card,
    Cell,
    Counts,
    Curve,
    Facts,
    Gauges,
    Group,
    Header,
    Link,
    Log,
    Picture,
    Plot,
    Progress,
    Section,
    State,
    Table,
    Text,
)

_ALL = 96_000  # bytes; a picture is beside them
_OUTPUT = 40_000  # of all workers, escaped
_ROWS = 80_000  # of a table
_PICTURE = 2_000_000  # base64 characters
_PICTURES = ("image/png", "image/jpeg")

_CARD = (
    f"max-width: 880px; box-sizing: border-box; margin: 4px 0; padding: 9px 12px; border: {t.RULE}; "
    "border-radius: 4px; font-size: 13px; line-height: 20px; overflow-wrap: break-word"
)
_OUTPUT_BOX = "display: flex; flex-direction: column-reverse; max-height: 240px; overflow: auto"  # begins at its end
_FAILURE_BOX = f"border-left: 3px solid {t.RED}; max-height: 240px; overflow: auto"
_RULED = f"margin: 6px 0 0; padding: 6px 0 0; border-top: {t.RULE}"
_SHORT = "padding:1px 12px 1px 0;text-align:left;vertical-align:top"  # short, for it stands in every cell
_INSIDE = "margin: 0 0 0 16px"
_CURVE = "color: #1976d2; font-size: 9px"
_OUTPUT_TEXT = "flex: none; overflow: visible; background: rgba(128, 128, 128, 0.09); border-radius: 3px"


def html(card: Card) -> str:
    """The card; all escaped, at most 100 kB and its pictures, with a note on what was cut."""
    return f'<div style="{_CARD}">{_sections(card.sections, _ALL)}</div>'


def _sections(sections: Sequence[Section], limit: int) -> str:
    def draw(section: Section, share: int) -> str:
        return "".join(_DRAWN[type(section)](section, share))

    drawn, left = draw_within(sections, limit, draw)
    return "".join(drawn) + (_more(left) if left else "")


def _more(left: int) -> str:
    return t.div(t.muted(f"and {f.count(left)} more"))


def _header(header: Header, _: int) -> Iterator[str]:
    elapsed = "" if header.elapsed is None else t.muted(f.elapsed(header.state, header.elapsed))
    title = t.state(header.state, header.title)
    details = " · ".join(map(_detail, header.details))
    yield t.spread((title, t.code(header.name) if header.name else "", details), elapsed)


def _detail(detail: str | Link) -> str:
    return _link(detail.url, detail.text) if isinstance(detail, Link) else t.muted(t.safe(detail))


def _progress(progress: Progress, _: int) -> Iterator[str]:
    if progress.total and not f.is_single(progress):
        yield t.bar(progress.done / progress.total, failed=progress.failed / progress.total)
    if parts := f.progress_parts(progress):
        yield t.div(" · ".join(t.red(escape(part)) if part.endswith(" failed") else escape(part) for part in parts))


def _text(section: Text, _: int) -> Iterator[str]:
    body = escape(f.plain(section.text, f.LONGEST_TEXT))
    if not body:
        return
    if section.tone == "error":
        yield t.pre(body, _FAILURE_BOX)
    elif section.tone == "code":
        yield t.pre(body, _OUTPUT_TEXT)
    else:
        write = {"muted": t.muted, "strong": t.strong}.get(section.tone, str)
        yield t.div(write(body))


def _facts(section: Facts, _: int) -> Iterator[str]:
    if section.facts:
        yield t.div(escape(f.facts_text(section.facts)))


def _counts(section: Counts, _: int) -> Iterator[str]:
    yield t.states(section.title, section.counts)


def _gauges(section: Gauges, _: int) -> Iterator[str]:
    rows = (
        [
            t.safe(gauge.name),
            t.bar(gauge.used / gauge.total if gauge.total else 0, "160px"),
            escape(f.usage(gauge.used, gauge.total, f.one_line(gauge.unit))),
        ]
        for gauge in section.gauges
    )
    yield t.table((), rows, 6000)


def _table(table: Table, limit: int) -> Iterator[str]:
    columns, note = f.filled_columns(table)
    headings = [t.safe(table.columns[index]) for index in columns]
    rows = ([_cell(row.cells[index]) for index in columns] for row in table.rows)
    title = t.div(t.strong(t.safe(table.title))) if table.title and table.rows else ""
    body = t.table(headings if any(headings) else (), rows, min(limit - 300, _ROWS), _SHORT, table.hidden)
    yield f"{title}{body}{t.div(t.muted(note)) if note else ''}"


def _cell(cell: Cell) -> str:
    if isinstance(cell, State):
        return f"{t.sign(cell.name)}&nbsp;{t.safe(cell.text)}"
    if isinstance(cell, Link):
        return _link(cell.url, cell.text)
    if isinstance(cell, Curve):
        return f'<span style="{_CURVE}">{f.curve_text(cell)}</span>'
    return escape(f.cell_text(cell))


def _link(address: str, text: str) -> str:
    """A link if a browser may follow it, else the text alone."""
    url = _web_address(address)
    label = t.safe(text)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{label}</a>' if url else t.muted(label)


def _web_address(address: str) -> str:
    """The address if a browser may follow it, else nothing."""
    url = f.one_line(address, 300)
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _plot(plot: Plot, _: int) -> Iterator[str]:
    for name, curve in plot.lines:
        if drawn := f.curve_text(curve, 40):
            last = escape(f.cell_text(curve.points[-1][1]))
            yield t.div(f'{t.safe(name or plot.title)} <span style="{_CURVE}">{drawn}</span> {last}')


def _log(log: Log, limit: int) -> Iterator[str]:
    limit = min(limit, _OUTPUT)
    share = max(5000, limit // max(1, len(log.workers)))
    blocks, left = f.fitting((_worker(worker, share, log.opened) for worker in log.workers), limit)
    yield from blocks
    if left:
        more = f"and {f.count(left)} more {f.plural('worker', left)}"
        yield t.div(t.muted(f"{more}: {t.code(f'%ray_logs {log.run}')}" if log.run else more))


def _worker(worker: WorkerOutput, limit: int, opened: bool) -> str:
    lines, cut = f.fitting_tail([_line(*line) for line in worker.tail], worker.hidden, limit - 1200)
    above = t.div(t.muted(cut)) if cut else ""
    output = f'<div style="{_OUTPUT_BOX}">{t.pre(chr(10).join(lines), _OUTPUT_TEXT)}</div>' if lines else ""
    return t.folded(f"{t.safe(worker.label, 100)} · {f.line_count(worker)}", f"{above}{output}", opened)


def _line(stream: str, line: str, repeats: int) -> str:
    mark = f'<span style="color: {t.RED}">stderr</span> ' if stream == "stderr" else ""
    return f"{mark}{escape(f.output_line(line))}{f.repeated(repeats, ' <i>{}</i>')}"


def _picture(picture: Picture, _: int) -> Iterator[str]:
    alt = t.safe(picture.alt)
    if _is_picture(picture):
        yield f'<img src="data:{picture.mime};base64,{picture.data}" alt="{alt}" style="max-width: 100%">'
    else:
        yield t.div(t.muted(alt))


def _is_picture(picture: Picture) -> bool:
    if picture.mime not in _PICTURES or len(picture.data) > _PICTURE:
        return False
    try:
        return bool(base64.b64decode(picture.data, validate=True))
    except binascii.Error:
        return False


def _group(group: Group, limit: int) -> Iterator[str]:
    body = _sections(group.sections, limit - 300)
    if not group.title:
        yield f'<div style="{_RULED}">{body}</div>' if body else ""
    else:
        title = _cell(group.title)
        yield t.folded(title, f'<div style="{_INSIDE}">{body}</div>', group.opened) if body else t.div(title)


_DRAWN: dict[type[Section], Callable[[Any, int], Iterable[str]]] = {
    Header: _header,
    Progress: _progress,
    Text: _text,
    Facts: _facts,
    Counts: _counts,
    Gauges: _gauges,
    Table: _table,
    Plot: _plot,
    Log: _log,
    Picture: _picture,
    Button: lambda button, _: (),
    Group: _group,
}
