"""What the notebook's functions and classes hold beside their code, so that each item of a fan-out finds it anew."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .changes import unchangeable
from .content import content_of, image

Definition = types.FunctionType | type
_EMPTY = object()


class SharedDefinitions:
    """Functions and classes that the items of a chunk share: defaults, attributes, and variables around a function."""

    def __init__(self, namespace: Mapping[str, Any], is_small: Callable[[Any], bool]) -> None:
        """`is_small` says whether a value may be copied for each item; others are left as they are."""
        self.before = {id(one): (one, _state(one)) for one in _definitions(namespace.values())}
        self.is_small = is_small

    def __bool__(self) -> bool:
        return bool(self.before)

    def changeable(self) -> dict[tuple[int, str], Any]:
        """What they hold that an item may change in place, by the definition and the name in it."""
        found = {(key, name): value for key, (_, state) in self.before.items() for name, value in state.items()}
        return {at: value for at, value in found.items() if not _is_fixed(value) and self.is_small(value)}

    def changed(self, copies: Mapping[Any, Any]) -> list[str]:
        """The names of those that an item has changed since it was given these copies."""
        return [one.__name__ for key, (one, state) in self.before.items() if _differs(key, one, state, copies)]

    def restore(self, copies: Mapping[Any, Any]) -> None:
        """Everything is as before the first item; `copies` stand for what is `changeable`, where there are some."""
        for key, (definition, state) in self.before.items():
            _set_state(definition, {name: copies.get((key, name), value) for name, value in state.items()})


def _differs(key: int, definition: Definition, state: Mapping[str, Any], copies: Mapping[Any, Any]) -> bool:
    now = _state(definition)
    if now.keys() != state.keys():
        return True
    copied_now = [name for name in state if (key, name) in copies]
    return any(now[name] is not value for name, value in state.items() if name not in copied_now) or any(
        now[name] is not copies[key, name] or image(now[name]) != image(state[name]) for name in copied_now
    )


def _is_fixed(value: Any) -> bool:
    """Whether an item cannot change it in place, as functions, descriptors and classes."""
    return value is _EMPTY or isinstance(value, type) or hasattr(type(value), "__get__") or unchangeable(value)


def _definitions(values: Any) -> Iterator[Definition]:
    """The functions and classes of the notebook that can be reached from values, each once."""
    seen: set[int] = set()
    queue = [*values]
    while queue:
        value = queue.pop()
        if not isinstance(value, (types.FunctionType, type)):
            value = type(value)
        if id(value) in seen or getattr(value, "__module__", None) != "__main__":
            continue
        seen.add(id(value))
        yield value
        queue += [one for one in _state(value).values() if isinstance(one, (types.FunctionType, type))]
        if isinstance(value, type):
            queue += [*value.__bases__, type(value)]


def _state(definition: Definition) -> dict[str, Any]:
    """What it holds, by names of our own for that of a function."""
    if isinstance(definition, type):
        content = content_of(definition)
        return dict(content.state[0]) if content.kind == "class" else {}  # the members of an enum are its own
    state = {f"attribute {name}": value for name, value in vars(definition).items()}
    defaults = (*(definition.__defaults__ or ()),)
    state |= {f"default {number}": value for number, value in enumerate(defaults)}
    state |= {f"keyword {name}": value for name, value in (definition.__kwdefaults__ or {}).items()}
    return state | {f"cell {number}": _contents(cell) for number, cell in enumerate(definition.__closure__ or ())}


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _set_state(definition: Definition, state: Mapping[str, Any]) -> None:
    now = _state(definition)
    if len(now) == len(state) and all(now.get(name, _EMPTY) is value for name, value in state.items()):
        return
    if isinstance(definition, type):
        for name in now.keys() - state.keys():
            type.__delattr__(definition, name)
        for name, value in state.items():
            if now.get(name, _EMPTY) is not value:
                type.__setattr__(definition, name, value)
        return
    _set_function(definition, state)


def _set_function(function: types.FunctionType, state: Mapping[str, Any]) -> None:
    parts = {kind: _part(state, kind) for kind in ("attribute", "default", "keyword", "cell")}
    vars(function).clear()
    vars(function).update(parts["attribute"])
    if function.__defaults__:
        function.__defaults__ = tuple(parts["default"].values())
    if function.__kwdefaults__:
        function.__kwdefaults__ = parts["keyword"]
    for cell, value in zip(function.__closure__ or (), parts["cell"].values(), strict=False):
        if value is not _EMPTY:
            cell.cell_contents = value


def _part(state: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {name.partition(" ")[2]: value for name, value in state.items() if name.startswith(f"{kind} ")}


def copied(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Deep copies that share among each other what the values share; what cannot be copied stays itself."""
    try:
        return copy.deepcopy(dict(values))
    except Exception:  # copying runs code of any type
        memo: dict[int, Any] = {}
        return {key: _copied(value, memo) for key, value in values.items()}


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception:
        return value
