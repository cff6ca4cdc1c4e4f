"""Datasets of Ray in the notebook: which values are some, and the code that made them, for a plain script."""

from __future__ import annotations

import ast
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from .definitions import definition


def is_dataset(value: Any) -> bool:
    """Whether it is one of Ray Data; imports nothing."""
    return any(kind.__module__ == "ray.data.dataset" and kind.__name__ == "Dataset" for kind in type(value).__mro__)


_origins: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def remember(value: Any, code: str) -> None:
    """`code` is an expression, or statements that end in one, which gives this dataset."""
    try:
        _origins[value] = code
    except TypeError:  # what no weak reference can be had of
        return


def origin_of(name: str, value: Any, namespace: Mapping[str, Any]) -> str:
    """``ds = read_parquet("trips")``: as %ray_data made it, or as the newest cell that assigned it; "" for neither.

    Two names that one statement has bound have the same origin.
    """
    code = _origins.get(value)
    if code is not None:
        return code.replace(PLACE, name)
    for source in reversed([text for text in namespace.get("In", ()) if isinstance(text, str)]):
        try:
            body = ast.parse(source).body
        except SyntaxError:
            continue
        for node in reversed(body):
            if isinstance(node, ast.Assign) and any(_binds(target, name) for target in node.targets):
                return ast.get_source_segment(source, node) or ""
    return ""


def _binds(target: ast.expr, name: str) -> bool:
    """Whether assigning to it binds the name: ``ds``, ``train, valid``."""
    parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    return any(isinstance(part, ast.Name) and part.id == name for part in parts)


PLACE = "__dataset__"
"""Stands in remembered code for the name that the dataset has."""


def source_for(namespace: Mapping[str, Any]) -> Callable[[str, Any], str]:
    """For `script.setting`: datasets by the code that made them; all else as for every script."""

    def source(name: str, value: Any) -> str:
        return origin_of(name, value, namespace) if is_dataset(value) else definition(name, value)

    return source
