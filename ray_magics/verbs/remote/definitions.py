"""Which definitions of a cell become remote, by their source: the others would break, or are there for these."""

from __future__ import annotations

import ast
import builtins
import enum
import inspect
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...cell.reader import names_read

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_ENUMS = ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")
_METACLASSES = ("EnumMeta", "EnumType", "ABCMeta")
_RECORDS = ("TypedDict", "NamedTuple", "BaseModel")
_OF_TORCH = ("Module", "LightningModule", "Dataset", "IterableDataset")
_PLAIN_BASES = frozenset((*_ENUMS, *_METACLASSES, *_RECORDS, *_OF_TORCH))
_PLAIN_ENDINGS = ("Error", "Exception", "Warning")
_REMOTE_ATTRIBUTES = frozenset({"remote", "options", "bind"})
_PLAIN_DECORATORS = frozenset({"dataclass", "define", "frozen", "attrs", "total_ordering"})


@dataclass(frozen=True)
class Definitions:
    """The names that a cell defines: those that become remote, and those that stay as they are."""

    remote: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()

    def as_made(self, values: Mapping[str, Any]) -> Definitions:
        """The same when the definitions have run: also what only then is seen to be no actor class stays plain."""
        plain = [name for name in self.remote if _is_no_actor(values[name])]
        return Definitions(tuple(n for n in self.remote if n not in plain), (*plain, *self.plain)) if plain else self


def choose_remote(source: str, only: Sequence[str] | None = None) -> Definitions:
    """The functions and classes that are to become remote.

    With `only` exactly these; where the cell decorates some with ``ray.remote`` itself, no others. Exceptions, enums,
    records, neural networks and data sets stay plain, and so does what another definition uses as it is.
    """
    nodes = [node for node in ast.parse(source).body if isinstance(node, Definition)]
    names = list(dict.fromkeys(node.name for node in nodes))
    decorated = {node.name for node in nodes if is_remote(node)}
    if only is not None:
        chosen = {*only}
    elif decorated:
        chosen = decorated
    else:
        used = {name for node in nodes for name in _used_outside(node)}
        of_plain_kind = _of_plain_kind(nodes)
        chosen = {name for name in names if name not in used and name not in of_plain_kind}
    return Definitions(tuple(n for n in names if n in chosen), tuple(n for n in names if n not in chosen))


def _used_outside(node: Definition) -> set[str]:
    """Of the names that a definition uses as they are those that belong to none of its own scopes."""
    return {*_uses(node)}.intersection(names_read(ast.unparse(node)))


def _uses(node: ast.AST) -> Iterator[str]:
    """The names that a definition uses as they are: it calls, passes on, or inherits from them.

    Not ``name.remote(...)``, and no annotations.
    """
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in _REMOTE_ATTRIBUTES:
        return
    for field, child in ast.iter_fields(node):
        if field not in ("annotation", "returns"):
            for part in child if isinstance(child, list) else [child]:
                if isinstance(part, ast.AST):
                    yield from _uses(part)


def _of_plain_kind(nodes: Sequence[Definition]) -> set[str]:
    """Classes that are no actors, with those of the cell that inherit from them."""
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    protocols = {node.name for node in classes if "Protocol" in map(_last, node.bases)}
    found = {node.name for node in classes if _is_plain(node)}
    while more := {n.name for n in classes if n.name not in found and found.intersection(map(_last, n.bases))}:
        found |= more
    return found | protocols


def _is_plain(node: ast.ClassDef) -> bool:
    bases = [*map(_last, node.bases)]
    decorators = map(_last, node.decorator_list)
    return any(map(_is_plain_base, bases)) or any(decorator in _PLAIN_DECORATORS for decorator in decorators)


def _is_plain_base(name: str) -> bool:
    value = getattr(builtins, name, None)
    is_builtin = isinstance(value, type) and issubclass(value, (BaseException, type))
    return is_builtin or name in _PLAIN_BASES or name.endswith(_PLAIN_ENDINGS)


def _last(node: ast.expr) -> str:
    """``nn.Module`` -> ``"Module"``, ``Generic[T]`` -> ``"Generic"``, ``dataclass(frozen=True)`` -> ``"dataclass"``"""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_remote(node: Definition) -> bool:
    """Whether it is decorated with ``ray.remote``."""
    return any(_last(decorator) == "remote" for decorator in node.decorator_list)


def _is_no_actor(value: Any) -> bool:
    """Whether a class is an exception, an enum, a metaclass, abstract, or one of PyTorch."""
    if not isinstance(value, type):
        return False
    torch = sys.modules.get("torch")
    kinds = (BaseException, enum.Enum, type, *((torch.nn.Module, torch.utils.data.Dataset) if torch else ()))
    abstract = inspect.isabstract(value) or typing.is_typeddict(value) or getattr(value, "_is_protocol", False)
    return issubclass(value, kinds) or bool(abstract)
