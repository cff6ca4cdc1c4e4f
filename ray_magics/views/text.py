"""Cards as text, for terminals and logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..run.status import WorkerOutput
from . import format as f
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

_ALL = 96_000  # bytes
_OUTPUT = 60_000  # of all workers
_ROWS = 25_000  # of a table
_WIDEST = 40  # characters of a column
_STEP = "  "


def text(card: Card) -> str:
    """The card in a few aligned lines; at most 100 kB, with a note on what was cut."""
    return "\n".join(_sections(card.sections, _ALL))


def _sections(sections: Sequence[Section], limit: int) -> Iterator[str]:
    """What is below a header stands further to the right."""
    has_header = any(isinstance(section, Header) for section in sections)

    def draw(section: Section, share: int) -> str:
        margin = _STEP if has_header and not isinstance(section, Header) else ""
        lines = "\n".join(filter(None, _DRAWN[type(section)](section, share))).split("\n")
        return "\n".join(f"{margin}{line}" if line else "" for line in lines)

    drawn, left = draw_within(sections, limit, draw)
    yield from filter(None, drawn)
    if left:
        yield f"{_STEP}and {f.count(left)} more"


def _header(header: Header, _: int) -> Iterator[str]:
    title = header.title or f.one_line(header.state)
    elapsed = "" if header.elapsed is None else f.elapsed(header.state, header.elapsed)
    head = f"{f.state_sign(header.state)} {f.capitalized(title)} {f.one_line(header.name)}".rstrip()
    yield " · ".join(filter(None, (head, *map(_cell, header.details), elapsed)))


def _progress(progress: Progress, _: int) -> Iterator[str]:
    if parts := " · ".join(f.progress_parts(progress)):
        bar = f"{_bar(progress.done, progress.total, progress.failed)} " if progress.total else ""
        yield f"{bar}{parts}"


def _bar(used: float, total: float, failed: float = 0, width: int = 20) -> str:
    """Blocks for what is used, failed and free: ████▒░░░"""
    if total <= 0:
        return "░" * width
    failed_blocks = min(width, -int(-failed * width // total))
    used_blocks = min(width - failed_blocks, int(used * width // total))
    return "█" * used_blocks + "▒" * failed_blocks + "░" * (width - used_blocks - failed_blocks)


def _text(section: Text, _: int) -> Iterator[str]:
    lines = f.plain(section.text, f.LONGEST_TEXT).splitlines()
    mark = {"error": "| " if len(lines) > 1 else "", "code": _STEP}.get(section.tone, "")
    return (f"{mark}{line}" for line in lines)


def _facts(section: Facts, _: int) -> Iterator[str]:
    yield f.facts_text(section.facts)


def _counts(section: Counts, _: int) -> Iterator[str]:
    counts = [f"{f.count(number)} {f.task_state(name)}" for name, number in section.counts if number]
    shown, left = f.fitting(counts, 5000)
    if shown:
        yield f"{section.title}: {', '.join(shown)}{f', and {f.count(left)} more' if left else ''}"


def _gauges(section: Gauges, _: int) -> Iterator[str]:
    names = [f.one_line(gauge.name) for gauge in section.gauges]
    width = max(map(len, names), default=0)
    lines = (
        f"{name:<{width}}  {_bar(gauge.used, gauge.total)} {f.usage(gauge.used, gauge.total, f.one_line(gauge.unit))}"
        for name, gauge in zip(names, section.gauges, strict=True)
    )
    return _limited(lines, 5000)


def _table(table: Table, limit: int) -> Iterator[str]:
    columns, note = f.filled_columns(table)
    if table.title and table.rows:
        yield f.one_line(table.title)
    margin = _STEP if table.title else ""
    rows = [[_cell(row.cells[index]) for index in columns] for row in table.rows]
    headings = [f.one_line(table.columns[index]) for index in columns]
    if rows and any(headings):
        rows.insert(0, headings)
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    drawn = _limited((line.rstrip() for line in lines), min(limit, _ROWS), table.hidden)
    yield from (f"{margin}{line}" for line in (*drawn, note) if line)


def _cell(cell: Cell) -> str:
    if isinstance(cell, State):
        return f"{f.state_sign(cell.name)} {f.one_line(cell.text)}"
    if isinstance(cell, Link):
        url, label = f.one_line(cell.url, 300), f.one_line(cell.text)
        return label if url in ("", label) else f"{label}: {url}"
    if isinstance(cell, Curve):
        return f.curve_text(cell) or f.DASH
    return f.cell_text(cell)


def _plot(plot: Plot, _: int) -> Iterator[str]:
    for name, curve in plot.lines:
        if drawn := f.curve_text(curve, 40):
            yield " ".join(filter(None, (f.one_line(name or plot.title), drawn, f.cell_text(curve.points[-1][1]))))


def _log(log: Log, limit: int) -> Iterator[str]:
    limit = min(limit, _OUTPUT)
    share = max(4000, limit // max(1, len(log.workers)))
    blocks, left = f.fitting(("\n".join(_worker(worker, share)) for worker in log.workers), limit)
    yield from blocks
    if left:
        yield f"and {f.count(left)} more {f.plural('worker', left)}{f': %ray_logs {log.run}' if log.run else ''}"


def _worker(worker: WorkerOutput, limit: int) -> Iterator[str]:
    lines, cut = f.fitting_tail([_line(*line) for line in worker.tail], worker.hidden, limit - 1000)
    yield f"{f.one_line(worker.label)}, {f.line_count(worker)}"
    if cut:
        yield f"{_STEP}({cut})"
    yield from lines


def _line(stream: str, line: str, repeats: int) -> str:
    mark = "!" if stream == "stderr" else "|"
    return f"{_STEP}{mark} {f.output_line(line)}{f.repeated(repeats, ' {}')}"


def _picture(picture: Picture, _: int) -> Iterator[str]:
    yield f"[{f.one_line(picture.alt) or 'picture'}]"


def _group(group: Group, limit: int) -> Iterator[str]:
    title = _cell(group.title) if group.title else ""
    margin = _STEP if title else ""
    yield title
    for part in _sections(group.sections, limit * 3 // 4 - len(title.encode())):  # margins take the rest
        yield from (f"{margin}{line}" for line in part.split("\n"))


def _limited(lines: Iterable[str], limit: int, hidden: int = 0) -> Iterator[str]:
    shown, left = f.fitting(lines, limit)
    yield from shown
    if left + hidden:
        yield f"and {f.count(left + hidden)} more"


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
