"""The names that a run gives the notebook at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..worker.values import Namespace


class Binding:
    """Binds names in the notebook; remembers what they were when the run began.

    A run in the background ends at a moment that the user does not choose: it leaves names alone that have another
    value by then.
    """

    def __init__(self, namespace: Namespace, names: Iterable[str]) -> None:
        self.namespace = namespace
        self.before = {name: namespace.get(name) for name in names}

    @property
    def changed_meanwhile(self) -> list[str]:
        """The names that the notebook has given another value since the run began."""
        return [name for name, value in self.before.items() if self.namespace.get(name) is not value]

    def bind(self, values: Mapping[str, Any], deleted: Iterable[str] = (), late: bool = False) -> str:
        """Binds and deletes names; if `late`, not those changed meanwhile, which the text that is returned names."""
        deleted = [*deleted]
        keep = [name for name in self.changed_meanwhile if name in values or name in deleted] if late else []
        self.namespace.update({name: value for name, value in values.items() if name not in keep})
        for name in deleted:
            if name not in keep:
                self.namespace.pop(name, None)
        return f"{', '.join(keep)} got another value meanwhile and keeps it" if keep else ""

    def release(self) -> None:
        """Lets go of the old values."""
        self.before = {}
