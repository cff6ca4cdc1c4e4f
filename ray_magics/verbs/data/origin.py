"""The code that made a dataset of the notebook, for a plain script."""

from __future__ import annotations

import ast
import weakref
from collections.abc import Mapping
from typing import Any

_origins: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def remember(value: Any, code: str) -> None:
    """`code` is an expression, or statements that end in one, which gives this dataset."""
    try:
        _origins[value] = code
    except TypeError:  # what no weak reference can be had of
        return


def origin_of(name: str, value: Any, namespace: Mapping[str, Any]) -> str:
    """``ds = read_parquet("trips")``: as %ray_data made it, or as the newest cell that assigned it; "" for neither."""
    code = _origins.get(value)
    if code is not None:
        return code.replace(PLACE, name)
    for source in reversed([text for text in namespace.get("In", ()) if isinstance(text, str)]):
        try:
            body = ast.parse(source).body
        except SyntaxError:
            continue
        for node in reversed(body):
            if isinstance(node, ast.Assign) and any(_is_name(target, name) for target in node.targets):
                return ast.get_source_segment(source, node) or ""
    return ""


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


PLACE = "__dataset__"
"""Stands in remembered code for the name that the dataset has."""
