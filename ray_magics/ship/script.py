"""What a captured name is in a plain script, and in words; each verb's `script` says the rest."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..units import size_text
from .captures import HIDDEN, Capture, Captures
from .cell_text import with_future_first
from .definitions import definition, has_future_annotations, importing, reads, reads_at_once
from .inspection import is_ref
from .pickles import Namespace, assign_pickle, from_file, notebook_classes, sharing_groups

SourceFor = Callable[[str, Any], str]
SHORTEST_SECRET = 8  # characters
_SECRET_VARIABLE = re.compile("SEC|TOK|KEY|PASS|PWD|CRED|AUTH(?!OR)", re.IGNORECASE)
_SECRET_NAME = re.compile("passw|secret|api_?key|access_?key|auth_?token|credential", re.IGNORECASE)
INLINE = 2000  # characters of a literal that stands in the script as it is


def describe_captures(captures: Captures, namespace: Namespace) -> Iterator[str]:
    """The captured names, a line each, with their types and sizes."""
    heading = "sends   "
    for capture in captures.found:
        yield f"{heading} {_capture(capture, namespace)}"
        heading = "        "
    if not captures.found:
        yield f"{heading} nothing"


def _capture(capture: Capture, namespace: Namespace) -> str:
    size = "" if capture.nbytes is None else f", {size_text(capture.nbytes)}"
    shape = getattr(namespace.get(capture.name), "shape", None)
    shaped = f" {shape}" if isinstance(shape, tuple) else ""
    kind = capture.kind if capture.kind != "value" else capture.type + shaped
    where = f"read by {capture.via}" if capture.via else f"read on line {capture.line}"
    return f"{capture.name}: {kind}{size}, {where}{'' if capture.certain or capture.via else ', perhaps'}"


@dataclass(frozen=True)
class _Part:
    """What gives a name of the script its value.

    Attributes:
        source: a definition or an import; "" for a value, which is written as a literal or a pickle.
        reads: names of the notebook that it needs, now or later.
        first: those of them that must stand above.
    """

    name: str
    source: str = ""
    reads: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    is_import: bool = False


def setting(
    captures: Iterable[Capture], namespace: Namespace, source_for: SourceFor = definition, imported: Container[str] = ()
) -> Iterator[str]:
    """What the cell captures, and what that reads in its turn: imports, then each below what it needs.

    Values that have parts in common are set together, from one pickle, so that they have them in the script, too.

    Args:
        source_for: gives the source that defines a name, "" for a value that has none.
        imported: names that the script imports itself.
    """
    wanted = [capture.name for capture in captures if capture.name not in imported]
    parts = _parts(wanted, namespace, source_for, imported)
    if has_future_annotations(namespace[name] for name in parts):
        yield "from __future__ import annotations"
    imports = [part.source for part in parts.values() if part.is_import]
    if imports:
        yield "\n".join(imports)
    yield from _blocks(_in_order(parts), namespace)


def is_defined(name: str, namespace: Namespace) -> bool:
    """Whether the script defines the name by an import or by source, so that it has no pickle."""
    return bool(importing(name, namespace[name]) or definition(name, namespace[name]))


def putting(captures: Iterable[Capture]) -> Iterator[str]:
    """The object refs that the cell captures, to stand below ``ray.init()``; the notebook saves their values."""
    for name in dict.fromkeys(capture.name for capture in captures if capture.kind == "ref"):
        yield f"{from_file((name,), f'ray.get({name})')}\n{name} = ray.put({name})"


def _parts(
    wanted: Iterable[str], namespace: Namespace, source_for: SourceFor, imported: Container[str]
) -> dict[str, _Part]:
    """The part of each name, and of the names that these read."""
    parts: dict[str, _Part] = {}
    queue = list(wanted)
    while queue:
        name = queue.pop(0)
        if name in parts or name in imported or name in HIDDEN or name not in namespace or is_ref(namespace[name]):
            continue
        parts[name] = _part(name, namespace[name], source_for)
        queue.extend(parts[name].reads)
    return parts


def _part(name: str, value: Any, source_for: SourceFor) -> _Part:
    if text := importing(name, value):
        return _Part(name, text, is_import=True)
    if source := source_for(name, value):
        return _Part(name, source, reads(source), reads_at_once(source))
    classes = () if _literal(name, value) else tuple(sorted(notebook_classes(value)))
    return _Part(name, "", classes, classes)


def _in_order(parts: Mapping[str, _Part]) -> list[_Part]:
    """Values before functions and classes, helpers before those that call them, and each below what it needs first."""
    ordered: dict[str, _Part] = {}

    def add(part: _Part, above: tuple[str, ...] = ()) -> None:
        for name in part.first:
            if name in parts and name not in (*above, part.name):
                add(parts[name], (*above, part.name))
        ordered.setdefault(part.name, part)

    own = [part for part in parts.values() if not part.is_import]
    for part in [*(p for p in own if not p.source), *reversed([p for p in own if p.source])]:
        add(part)
    return [part for part in ordered.values() if not part.is_import]


def _blocks(parts: Sequence[_Part], namespace: Namespace) -> Iterator[str]:
    """The definitions one by one, and the values between them together."""
    defined = {part.name for part in parts if part.source}
    groups = sharing_groups((part.name for part in parts if not part.source), namespace)
    written: set[str] = set()
    values: list[str] = []
    for number, part in enumerate(parts):
        if part.source:
            if not any(part.source == other.source for other in parts[:number]):  # one statement may bind two names
                yield part.source
        elif part.name not in written:
            group = next((group for group in groups if part.name in group), (part.name,))
            written.update(group)
            values.append(_set(group, namespace, defined))
        if values and (number + 1 == len(parts) or parts[number + 1].source):
            yield _each_import_once("\n".join(values))
            values = []


def _set(names: tuple[str, ...], namespace: Namespace, defined: Container[str]) -> str:
    if len(names) == 1:
        return assignment(names[0], namespace[names[0]], defined)
    return assign_pickle(names, tuple(namespace[name] for name in names), defined)


def _each_import_once(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(
        line for number, line in enumerate(lines) if not (line.startswith("import ") and line in lines[:number])
    )


def assignment(name: str, value: Any, defined: Container[str] = (), saved: str = "") -> str:
    """``name = ...``: a literal, else a pickle, else a comment on why not; `defined`, `saved` as of `assign_pickle`."""
    return _literal(name, value) or assign_pickle((name,), (value,), defined, saved)


def _literal(name: str, value: Any) -> str:
    literal = repr(value)
    return f"{name} = {code_of(value, name)}" if len(literal) <= INLINE and is_literal(literal, value) else ""


def code_of(value: Any, name: str = "") -> str:
    """A value as Python; texts that are secrets are read from the environment and do not stand there.

    Secrets are the values of environment variables that are called so, and texts whose name or key is.
    """
    if isinstance(value, str):
        return _text(value, name)
    if type(value) is dict:
        return f"{{{', '.join(f'{code_of(key)}: {code_of(one, str(key))}' for key, one in value.items())}}}"
    if type(value) is list:
        return f"[{', '.join(code_of(one, name) for one in value)}]"
    if type(value) is tuple:
        return f"({', '.join(code_of(one, name) for one in value)}{',' if len(value) == 1 else ''})"
    return repr(value)


def _text(value: str, name: str) -> str:
    for variable, secret in os.environ.items():
        if len(secret) >= SHORTEST_SECRET and secret in value and _SECRET_VARIABLE.search(variable):
            parts = filter(None, re.split(f"({re.escape(secret)})", value))
            return " + ".join(f"os.environ[{variable!r}]" if part == secret else _text(part, "") for part in parts)
    return f"os.environ[{name.upper()!r}]" if _SECRET_NAME.search(name) and value else repr(value)


def finished(script: str) -> str:
    """The script with the import that what `code_of` wrote needs, and ``from __future__`` imports at its top."""
    above, found, _ = script.partition("os.environ[")
    needed = found and not re.search("^import os$", above, re.MULTILINE)
    return with_future_first(f"import os\n{script}" if needed else script)


def is_literal(literal: str, value: Any) -> bool:
    """Whether Python reads the text as an equal value of the same type."""
    try:
        return type(ast.literal_eval(literal)) is type(value) and bool(ast.literal_eval(literal) == value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
