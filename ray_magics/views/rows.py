"""The rows of a large table, too many to send them anew each time: only those that changed are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TableRow = Mapping[str, Any]
RowMessage = dict[str, Any]


class Rows:
    """The rows of the table `key` that the pages have been sent, by id. A row is never changed: a newer one takes its
    place.

    `state` is what a page begins with, changed in place; `update` is the message that brings it up to date.
    """

    def __init__(self, key: str, rows: Sequence[TableRow] = ()) -> None:
        self.key = key
        self.sent_rows: dict[str, TableRow] = {row["id"]: row for row in rows}
        self.state: dict[str, Any] = {"seq": 0, "rows": self.sent_rows}

    def update(self, rows: Sequence[TableRow]) -> RowMessage | None:
        """`{"table": key, "rows": [Change, ...], "seq": 1}`, or None if every row is the one that was sent."""
        sent_rows = self.sent_rows
        changes = []
        for row in rows:
            before = sent_rows.get(row["id"])
            if before is row:
                continue
            sent_rows[row["id"]] = row
            if before != row:
                changes.append(change(before, row))
        if len(sent_rows) != len(rows):
            self._replace(rows)
            return {**self.full_message(), "seq": self._next()}
        return {"table": self.key, "rows": changes, "seq": self._next()} if changes else None

    def full_message(self) -> RowMessage:
        """All rows, for a page that has missed a message."""
        rows = list(self.sent_rows.values())
        return {"table": self.key, "rows": rows, "seq": self.state["seq"], "whole": True}

    def copy(self) -> dict[str, Any]:
        """The state as it is now, for a reader on another thread."""
        return {"seq": self.state["seq"], "rows": dict(self.sent_rows)}

    def _replace(self, rows: Sequence[TableRow]) -> None:
        self.sent_rows.clear()
        self.sent_rows.update((row["id"], row) for row in rows)

    def _next(self) -> int:
        self.state["seq"] += 1
        return int(self.state["seq"])


def change(before: TableRow | None, row: TableRow) -> dict[str, Any]:
    """The row with what is new of its curve: "more" points at its end, else the whole "curve"."""
    fields = {key: value for key, value in row.items() if key != "curve"}
    sent, curve = (before or {}).get("curve", []), row.get("curve", [])
    if sent and curve[: len(sent)] == sent:
        return {**fields, "more": curve[len(sent) :]}
    return {**fields, "curve": curve}


def split_rows(card: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Sequence[TableRow]]]:
    """The JSON of a card without the rows of sections that have a `key`, and these by their keys."""
    rows = {section["key"]: section["rows"] for section in card["sections"] if section.get("key")}
    sections = [
        {name: value for name, value in section.items() if name != "rows"} if section.get("key") else section
        for section in card["sections"]
    ]
    return {**card, "sections": sections}, rows
