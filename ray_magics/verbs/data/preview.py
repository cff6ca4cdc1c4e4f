"""A dataset as a view: schema, size and plan, which execute nothing, and rows that were taken."""

from __future__ import annotations

import base64
import io
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from ...raylib.datasets import DatasetDescription, describe_dataset
from ...ship.datasets import is_dataset
from ...units import size_text
from ...views import format as f
from ...views.card import Card, Cell, Facts, Header, Picture, Row, Section, Table, Text

Rows = Sequence[Mapping[str, Any]] | None

LAZY = "lazy: nothing has been executed for it"
MOST_COLUMNS = 20
MOST_ROWS = 100
MOST_PICTURES = 8
_MOST_TEXT = 40
_MOST_PLAN = 30


def dataset_card(dataset: Any, name: str = "", rows: Rows = None) -> Card:
    """Schema, size and plan of a dataset of Ray Data; with `rows` also these. Executes nothing."""
    known = describe_dataset(dataset)
    body = (*_schema(known), *_plan(known)) if rows is None else (*_rows(rows), *_plan(known))
    state, kind = ("finished", "materialized") if known.is_materialized else ("none", LAZY)
    header = Header(state, name, title="Dataset", details=(kind,))
    return Card((header, Facts(_facts(known)), *body), f"Dataset {name}".strip())


_rows_to_show: weakref.WeakKeyDictionary[Any, Sequence[Mapping[str, Any]]] = weakref.WeakKeyDictionary()


def show_rows_with(value: Any, rows: Rows) -> None:
    """The next time that this dataset is the output of a cell, its card has these rows."""
    if rows is not None and is_dataset(value):
        _rows_to_show[value] = rows


def rows_to_show(dataset: Any) -> Rows:
    """Those that `show_rows_with` has kept for it, once."""
    return _rows_to_show.pop(dataset, None)


def _facts(known: DatasetDescription) -> tuple[tuple[str, str], ...]:
    columns = "not known before it is executed" if known.columns is None else f.count(len(known.columns))
    return (
        ("Rows", "not known before it is executed" if known.rows is None else f.count(known.rows)),
        *((("Size", size_text(known.nbytes)),) if known.nbytes is not None else ()),
        ("Columns", columns),
    )


def _schema(known: DatasetDescription) -> tuple[Section, ...]:
    if not known.columns:
        return ()
    shown = known.columns[:MOST_COLUMNS]
    rows = [Row(str(number), (f.one_line(name, 60), f.one_line(kind, 60))) for number, (name, kind) in enumerate(shown)]
    return (Table(("Column", "Type"), rows, hidden=len(known.columns) - len(shown)),)


def _plan(known: DatasetDescription) -> tuple[Section, ...]:
    if not known.plan:
        return ()
    shown = [f"{'   ' * depth}{'+- ' if depth else ''}{f.one_line(name, 100)}" for depth, name in known.plan]
    more = [f"… {len(shown) - _MOST_PLAN} more operators"] if len(shown) > _MOST_PLAN else []
    return (Text("\n".join([*shown[:_MOST_PLAN], *more]), "code"),)


def _rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Section, ...]:
    if not rows:
        return (Text("It has no rows.", "muted"),)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    shown = columns[:MOST_COLUMNS]
    table = [Row(str(n), tuple(cell_of(row.get(name)) for name in shown)) for n, row in enumerate(rows[:MOST_ROWS])]
    left_out = len(columns) - len(shown)
    note = (Text(f"Not shown: {left_out} {f.plural('column', left_out)}", "muted"),) if left_out else ()
    headings = tuple(f.one_line(name, _MOST_TEXT) for name in shown)
    return (Table(headings, table, hidden=len(rows) - len(table)), *note, *_pictures(rows, shown))


def cell_of(value: Any) -> Cell:
    """A value in one line: numbers as they are, arrays by type and shape, text cut."""
    if value is None or isinstance(value, (bool, str, bytes)):
        return "" if value is None else f.one_line(value if isinstance(value, str) else repr(value), _MOST_TEXT)
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape:
        return f"{dtype} {' × '.join(map(str, shape))}" if len(shape) > 1 or shape[0] > 6 else _short(value.tolist())
    if shape == () and hasattr(value, "item"):
        value = value.item()
    return float(value) if isinstance(value, float) else value if isinstance(value, int) else _short(value)


def _short(value: Any) -> str:
    return f.one_line(repr(value), _MOST_TEXT)


def _pictures(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> tuple[Section, ...]:
    """The first images among the values, small; nothing where none looks like one, or Pillow is missing."""
    found = [(name, row[name]) for row in rows for name in columns if name in row and _is_image(row[name])]
    try:
        return tuple(_picture(name, value) for name, value in found[:MOST_PICTURES])
    except (ImportError, ValueError, TypeError):
        return ()


def _is_image(value: Any) -> bool:
    """Height × width, × 1, 3 or 4 colours, in bytes."""
    shape: tuple[int, ...] = getattr(value, "shape", ())
    is_grid = len(shape) in (2, 3) and min(shape[:2]) >= 4 and max(shape[:2]) <= 4096
    return str(getattr(value, "dtype", "")) == "uint8" and is_grid and (len(shape) == 2 or shape[2] in (1, 3, 4))


def _picture(name: str, value: Any) -> Picture:
    from PIL import Image

    image = Image.fromarray(value[:, :, 0] if value.ndim == 3 and value.shape[2] == 1 else value)
    image.thumbnail((96, 96))
    data = io.BytesIO()
    image.save(data, "PNG")
    size = " × ".join(map(str, value.shape))
    return Picture("image/png", base64.b64encode(data.getvalue()).decode(), f"{f.one_line(name, 40)}, {size}")
