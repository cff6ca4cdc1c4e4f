"""The verbs: each is a folder of `verbs/`, and the one record in its module `verb` says all that it offers.

VERB = Verb("tune", magics=(ray_tune,), api={"tune": "api:tune"}, pretty_printers=(...,))
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from . import connection, kernel, verbs
from .errors import last_line
from .line.options import Magic
from .line.register import register_magic
from .line.settings import RayMagics
from .run.registry import CommandHandler, registry

PrettyPrinter = tuple[str, str, Callable[[Any, Any, bool], None]]  # module, class, IPython's function for it


@dataclass(frozen=True)
class Verb:
    """All that a verb offers to a shell and to Python.

    Attributes:
        name: of its folder.
        magics: what `%load_ext` registers.
        api: public name in `ray_magics` -> ``"module:function"`` inside the folder, imported when it is used.
        commands: answers to commands of a page that are for no run, by the name that stands for a run there.
        logs: finds the log of something that is no run, by its name; None where it knows of none.
        pretty_printers: how objects of Ray read as the output of a cell.
        on_load: called with the shell as it gets the magics; imports no Ray.
        connector: the module of the verb that finds, starts and ends clusters for all others; one verb has it.
    """

    name: str
    magics: tuple[Magic, ...] = ()
    api: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, CommandHandler] = field(default_factory=dict)
    logs: Callable[[str], str | None] | None = None
    pretty_printers: tuple[PrettyPrinter, ...] = ()
    on_load: Callable[[Any], None] | None = None
    connector: str = ""


@cache
def find_verbs() -> tuple[tuple[Verb, ...], tuple[str, ...]]:
    """The records of the folders of `verbs/`, by name; and a line for each folder whose record is broken."""
    found: list[Verb] = []
    problems: list[str] = []
    for module in sorted(pkgutil.iter_modules(verbs.__path__), key=lambda module: module.name):
        if module.ispkg:
            try:
                found.append(_record(module.name))
            except Exception as error:  # whatever a broken folder raises
                reason = f"{type(error).__name__}: {last_line(error)}"
                problems.append(f"ray_magics: the verb {module.name} cannot be loaded: {reason}")
    return tuple(found), tuple(problems)


def _record(name: str) -> Verb:
    where = f"{verbs.__name__}.{name}.verb"
    verb = import_module(where).VERB
    if not isinstance(verb, Verb) or verb.name != name:
        raise TypeError(f'{where}.VERB is not a Verb of the name "{name}"')
    return verb


def find_api(name: str) -> Any:
    """The public Python function of this name; raises AttributeError where no verb has it."""
    connect_by_verb()
    for verb in find_verbs()[0]:
        if name in verb.api:
            module, _, function = verb.api[name].partition(":")
            return getattr(import_module(f"{verbs.__name__}.{verb.name}.{module}"), function)
    raise AttributeError(f"module 'ray_magics' has no attribute {name!r}")


def connect_by_verb() -> None:
    """Says which verb connects to clusters for all others."""
    [module] = [f"{verbs.__name__}.{verb.name}.{verb.connector}" for verb in find_verbs()[0] if verb.connector]
    connection.set_connector(lambda: import_module(module))


def load(shell: Any) -> None:
    """Gives the shell every magic, their defaults, and a way for views to stop runs while a cell blocks."""
    settings = RayMagics.instance(parent=shell)
    if settings not in shell.configurables:
        shell.configurables.append(settings)
    connect_by_verb()
    found, problems = find_verbs()
    for verb in found:
        _load(verb, shell)
    for problem in problems:
        print(problem, file=sys.stderr)
    kernel.swallowed_interrupt.follow(shell)
    kernel.on_control_channel(shell, "ray_magics", registry.command)


def _load(verb: Verb, shell: Any) -> None:
    for magic in verb.magics:
        register_magic(shell, magic)
    for module, kind, printer in verb.pretty_printers:
        shell.display_formatter.formatters["text/plain"].for_type_by_name(module, kind, printer)
    registry.command_handlers.update(verb.commands)
    if verb.on_load is not None:
        verb.on_load(shell)
    if verb.logs is not None and verb.logs not in registry.logs:
        registry.logs.append(verb.logs)
