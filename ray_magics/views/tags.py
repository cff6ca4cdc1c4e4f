"""The parts of still HTML: inline styles only, everything foreign escaped, readable even without the styles."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from . import format as f

RULE = "1px solid rgba(128, 128, 128, 0.35)"
RED = "#d32f2f"  # not the theme's: readers that sanitise drop variables, and these are seen on light and dark
CELL = "padding: 2px 14px 2px 0; text-align: left; vertical-align: top"

_CODE = "padding: 0; background: none; font-size: 12px"
_SPREAD = "display: flex; flex-wrap: wrap; column-gap: 8px"
_MUTED = "color: var(--jp-ui-font-color2, inherit)"
_GREEN = "#388e3c"
_ORANGE = "#f57c00"
_COLORS = {
    "running": "#1976d2",
    "finished": _GREEN,
    "connected": _GREEN,
    "stopping": _ORANGE,
    "paused": _ORANGE,
    "failed": RED,
    "lost": RED,
}


def state(name: str, title: str = "") -> str:
    return f"<b>{sign(name)} {safe(f.capitalized(title or name))}</b>"


def sign(name: str) -> str:
    return f'<span style="color: {_COLORS.get(name, "inherit")}">{f.state_sign(name)}</span>'


def spread(parts: Iterable[str], last: str) -> str:
    """One line, whose last part stands at its right end; with words between them where styles are dropped."""
    start = " ".join(filter(None, parts))
    end = f' <span style="margin-left: auto">{last}</span>' if last else ""
    return f'<div style="{_SPREAD}"><span>{start}</span>{end}</div>'


def strong(body: str) -> str:
    return f"<b>{body}</b>"


def folded(summary: str, body: str, opened: bool) -> str:
    """`body` under its summary, which unfolds it."""
    return f"<details{' open' if opened else ''}><summary>{summary}</summary>{body}</details>"


def states(title: str, numbers: Iterable[tuple[str, int]]) -> str:
    counts = [f"<b>{f.count(number)}</b> {escape(f.task_state(name))}" for name, number in numbers if number]
    shown, left = f.fitting(counts, 5000)
    more = [f"and {f.count(left)} more"] if left else []
    return div(f"{safe(title)}: {', '.join(shown + more)}") if counts else ""


def table(headings: Iterable[str], rows: Iterable[list[str]], limit: int, style: str = CELL, hidden: int = 0) -> str:
    """Of cells that are HTML already; `hidden` rows are counted and not drawn."""
    shown, left = f.fitting((_cells("td", row, style) for row in rows), limit)
    head = _cells("th", headings, style) if headings else ""
    more = div(muted(f"and {f.count(left + hidden)} more")) if left + hidden else ""
    if not shown:
        return more
    drawn = f'<table style="border-collapse: collapse; margin: 0">{head}{"".join(shown)}</table>'
    return f'<div style="margin: 4px 0; overflow-x: auto">{drawn}</div>{more}'


def _cells(tag: str, cells: Iterable[str], style: str) -> str:
    row = "".join(f'<{tag} style="{style}">{cell}</{tag}>' for cell in cells)
    return f'<tr style="background: none">{row}</tr>'


def bar(share: float, width: str = "100%", failed: float = 0.0) -> str:
    """Decoration: the numbers beside it say the same."""
    share = min(max(share, 0), 1)
    parts = ((share, _COLORS["running"]), (min(max(failed, 0), 1 - share), RED))
    fills = "".join(
        f'<div style="width: {100 * part:.1f}%; height: 6px; background: {color}"></div>'
        for part, color in parts
        if part
    )
    common = "display: flex; height: 6px; border-radius: 3px; overflow: hidden; background: rgba(128, 128, 128, 0.13)"
    return f'<div style="width: {width}; margin: 5px 0; {common}">{fills}</div>'


def pre(body: str, style: str = "") -> str:
    common = "margin: 4px 0; padding: 5px 9px; font-size: 12px; line-height: 17px; white-space: pre-wrap"
    return f'<pre style="{common}; {style}">{body}</pre>' if body else ""


def div(body: str) -> str:
    return f"<div>{body}</div>"


def red(body: str) -> str:
    return f'<span style="color: {RED}">{body}</span>'


def muted(body: str) -> str:
    return f'<span style="{_MUTED}">{body}</span>' if body else ""


def code(text: object) -> str:
    return f'<code style="{_CODE}">{safe(text)}</code>'


def safe(value: object, limit: int = 200) -> str:
    return escape(f.one_line(value, limit))
