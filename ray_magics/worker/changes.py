"""What a cell has done to the objects that it got, found by their content; and the same done to those of the notebook.

An object is known by its number in the pickle that brought it: the memo of the notebook's pickler and that of the
worker's unpickler agree on it. After the cell, the pickle is read once more, and what the cell has is compared with
that, object by object.
"""

from __future__ import annotations

import collections
import types
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

from .content import ATOMS, HASHED, WRITERS, Content, Memory, content_of, equal_atoms, image, write
from .sharing import whole_arrays
from .values import Numbered

_NONE: set[int] = set()
_EQUAL_IS_SAME = frozenset((bool, int, str, bytes))


class Objects:
    """Objects by their numbers, and the numbers by ids; both are looked up when they are asked for."""

    def __init__(self, memo: Any, sent: bool = False) -> None:
        """`memo` is that of an unpickler, or, of objects `sent`, of a pickler; None for no objects."""
        self.memo, self.sent = memo, sent

    @cached_property
    def by_number(self) -> dict[int, Any]:
        """Of a pickler's memo, which is id -> (number, object), or an unpickler's, number -> object."""
        memo = {} if self.memo is None else self.memo.copy()
        return dict(memo.values()) if self.sent else memo

    @cached_property
    def number_of(self) -> dict[int, int]:
        numbers: dict[int, int] = {}
        for number, value in self.by_number.items():
            if type(value) not in ATOMS:
                numbers.setdefault(id(value), number)
        return numbers

    def __getitem__(self, number: int) -> Any:
        return self.by_number[number]


class Comparison:
    """What has changed of what can be reached from named values: nothing, unless `compare` finds something.

    Attributes:
        values: those that are compared, by their names.
        now: the objects as they are now.
        changed: number -> its content now, for objects that can be written into.
        replaced: numbers of those that cannot: another object has to stand for them.
        refused: number -> why it could not be compared.
        parts: number -> the numbers of what it holds, or has held; of those that were compared one by one.
    """

    def __init__(self, now: Objects, values: Mapping[str, Any]) -> None:
        self.now, self.values = now, values
        self.changed: dict[int, Content] = {}
        self.replaced: set[int] = set()
        self.refused: dict[int, Exception] = {}
        self.parts: dict[int, set[int]] = {}

    @cached_property
    def roots(self) -> dict[str, int]:
        """The numbers of the values that have one."""
        found = {name: self.now.number_of.get(id(value)) for name, value in self.values.items()}
        return {name: number for name, number in found.items() if number is not None}

    def compare(self, before: Objects) -> Self:
        """Compares object by object with what they were; once, before anything is asked."""
        self.before = before
        while self._compare_all():
            pass
        return self

    def _compare_all(self) -> bool:
        """Whether there are more objects than known that another one has to stand for."""
        self.changed, self.refused, self.parts = {}, {}, {}
        known, self.waiting = len(self.replaced), collections.deque(self.roots.values())
        while self.waiting:
            number = self.waiting.popleft()
            if number not in self.parts:
                self._compare(number)
        return len(self.replaced) > known

    def _compare(self, number: int) -> None:
        now, before = self.now.by_number[number], self.before.by_number[number]
        self.reached: set[int] = set()
        self.parts[number] = _NONE
        if now is before or self._same_plain(now, before):
            if self.reached:
                self.parts[number] = self.reached
                self.waiting.extend(self.reached)
            return
        self.parts[number] = self.reached
        try:
            content, old = content_of(now), content_of(before)
        except Exception as error:  # taking apart runs code of any type
            self.refused[number] = error
            return
        same = content.kind == old.kind and self._same_all(content.fixed, old.fixed)
        if same and self._same_all(content.state, old.state):
            self.waiting.extend(self.reached)
            return
        self._reach([*content.fixed, *content.state, *old.fixed, *old.state])
        self.waiting.extend(self.reached)
        if same and content.kind in WRITERS:
            self.changed[number] = content.since(old, self._same)
        else:
            self.replaced.add(number)

    def _same_plain(self, now: Any, before: Any) -> bool:
        """Whether two lists or dicts are the same; False, too, where that takes a closer look. For speed alone."""
        kind = type(now)
        if kind not in (list, dict) or kind is not type(before) or len(now) != len(before):
            return False
        ours, theirs = _flat(now), _flat(before)
        number_of, old_number_of, reached = self.now.number_of, self.before.number_of, self.reached
        for one, other in zip(ours, theirs, strict=True):
            number = number_of.get(id(one))
            if number is not None:
                reached.add(number)
                if number in self.replaced or number != old_number_of.get(id(other)):
                    return False
            elif one is not other and not (type(one) is type(other) and type(one) in _EQUAL_IS_SAME and one == other):
                return False
        return True

    def _same_all(self, now: Sequence[Any], before: Sequence[Any]) -> bool:
        return len(now) == len(before) and all(map(self._same, now, before))

    def _same(self, now: Any, before: Any) -> bool:
        kind = type(now)
        if kind in ATOMS:
            return now is before or (kind is type(before) and equal_atoms(now, before))
        number = self.now.number_of.get(id(now))
        if kind is Memory and type(before) is Memory:
            return bool(Memory.equals(now, before))
        if number is not None:
            self.reached.add(number)
            return number not in self.replaced and number == self.before.number_of.get(id(before))
        if now is before:
            return True
        if kind is not type(before) or id(before) in self.before.number_of:
            return False
        if kind in (list, tuple):
            return self._same_all(now, before)
        if kind is dict:
            return self._same_all(list(now), list(before)) and self._same_all([*now.values()], [*before.values()])
        return bool(image(now) == image(before))

    def _reach(self, values: Iterable[Any]) -> None:
        """Notes the known objects among values that have changed, and in new lists and the like inside them."""
        queue, seen = list(values), set()
        while queue:
            value = queue.pop()
            number = self.now.number_of.get(id(value), self.before.number_of.get(id(value)))
            if number is not None:
                self.reached.add(number)
            elif type(value) in (list, tuple, dict) and id(value) not in seen:
                seen.add(id(value))
                queue.extend([*value, *value.values()] if type(value) is dict else value)

    @cached_property
    def settled(self) -> dict[int, int]:
        """The number, by id, of each object that the notebook's own one can stand for."""
        if not self.parts:
            return self.now.number_of
        numbers = {id(self.now[number]): number for number in self.parts if number not in self.refused}
        return {key: number for key, number in numbers.items() if number not in self.replaced}

    @property
    def arrays(self) -> dict[int, Any]:
        """Those of them that are arrays, see `sharing.whole_arrays`."""
        values = [self.now[number] for number in self.settled.values()]
        return whole_arrays([value for value in values if type(value).__name__ == "ndarray"])

    @property
    def changed_names(self) -> list[str]:
        return self.names([*self.changed, *self.replaced]) if self.parts else []

    def names(self, numbers: Iterable[int]) -> list[str]:
        """The names through which some of these objects can be reached."""
        wanted = set(numbers)
        return [name for name in self.roots if not wanted.isdisjoint(self.within([name]))]

    def within(self, names: Iterable[str]) -> set[int]:
        """The numbers of the objects that can be reached through these names."""
        found: set[int] = set()
        queue = [self.roots[name] for name in names]
        while queue:
            number = queue.pop()
            if number not in found:
                found.add(number)
                queue.extend(self.parts.get(number, ()))
        return found


def _flat(value: Any) -> Sequence[Any]:
    """What a list holds, or a dict: its keys, then its values."""
    return value if type(value) is list else (*value, *value.values())


def write_all(changes: Mapping[int, Sequence[Any]], objects: Numbered) -> dict[int, Exception]:
    """Does to the notebook's objects what was done to the worker's; number -> why it could not be done."""
    failed: dict[int, Exception] = {}
    for number in sorted(changes, key=lambda number: changes[number][0] in HASHED):
        try:
            write(objects[number], *changes[number])
        except Exception as error:  # writing runs code of any type
            failed[number] = error
    return failed


def unchangeable(value: Any) -> bool:
    """Whether nothing that a cell does to a value could be seen in the notebook, as of a number or a module."""
    kind = type(value)
    if kind in ATOMS or kind is types.ModuleType:
        return True
    if kind is types.FunctionType:
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return not (value.__closure__ or vars(value)) and all(map(unchangeable, defaults))
    if isinstance(value, type):
        return value.__module__ != "__main__"
    return kind in (tuple, frozenset) and len(value) < 100 and all(map(unchangeable, value))
