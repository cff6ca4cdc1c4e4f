"""What code does to the objects behind names, from its source alone: what may change them in place.

>>> uses = uses_of(["for row in rows: row['y'] = 1", "scaler.fit(X)"], ["rows", "scaler", "X"])
>>> uses["rows"].written, uses["scaler"].methods, uses["X"].functions
(True, frozenset({'fit'}), frozenset({'fit'}))
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_READING = ast.Compare | ast.BinOp | ast.UnaryOp | ast.FormattedValue | ast.If | ast.While | ast.Assert | ast.Expr
_PURE_WORDS = """
    abs all any bool bytes dict enumerate float format frozenset hash id int isinstance iter len list max min next print
    range repr reversed round set sorted str sum tuple type zip
"""
_PURE = frozenset(_PURE_WORDS.split())
_GIVE_PARTS = frozenset(
    ("dict", "enumerate", "iter", "list", "max", "min", "next", "reversed", "sorted", "tuple", "zip")
)
_PART_WORDS = """
    children copy get head items iterrows modules parameters pop popitem ravel reshape setdefault squeeze swapaxes tail
    transpose values view
"""
_PARTS = frozenset(_PART_WORDS.split())  # methods whose result may be a part of the object


@dataclass(frozen=True)
class Uses:
    """What is done to the object of a name, to parts of it, or under another name.

    Attributes:
        written: its items or attributes are assigned or deleted.
        methods: those that are called on it.
        functions: functions and methods that it is given to; "" for one without a name, or a container it is put into.
    """

    written: bool = False
    methods: frozenset[str] = field(default_factory=frozenset)
    functions: frozenset[str] = field(default_factory=frozenset)

    def merged(self, other: Uses) -> Uses:
        """What is done under either name."""
        return Uses(self.written or other.written, self.methods | other.methods, self.functions | other.functions)


def uses_of(sources: Iterable[str], names: Iterable[str]) -> dict[str, Uses]:
    """What the sources, that of a cell and those of functions it calls, do to the objects behind `names`."""
    own: dict[str, Uses] = {}
    aliases: list[tuple[str, str]] = []  # (another name, name)
    for source in sources:
        tree = ast.parse(source)
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                use, others = _use(node, parents)
                own[node.id] = own.get(node.id, Uses()).merged(use)
                aliases += [(other, node.id) for other in others if other != node.id]
    for _ in range(len(aliases)):  # an alias of an alias, and so on
        merged = {name: own[name].merged(own.get(other, Uses())) for other, name in aliases}
        if all(own[name] == uses for name, uses in merged.items()):
            break
        for other, name in aliases:
            own[name] = own[name].merged(own.get(other, Uses()))
    return {name: own.get(name, Uses()) for name in names}


def _use(name: ast.Name, parents: Mapping[ast.AST, ast.AST]) -> tuple[Uses, list[str]]:
    """What one mention of a name does to its object, and the names that the object or a part of it gets there."""
    if not isinstance(name.ctx, ast.Load):
        return Uses(written=isinstance(parents.get(name), ast.AugAssign)), []
    return _use_of(name, parents)


def _use_of(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> tuple[Uses, list[str]]:
    """The same for the value of an expression, which is the object or a part of it."""
    while True:
        parent = parents.get(node)
        match parent:
            case ast.Attribute() | ast.Subscript() if parent.value is node and not isinstance(parent.ctx, ast.Load):
                return Uses(written=True), []
            case ast.Call() if parent.func is node:
                return _call_of(node, parent, parents)
            case ast.Call():
                return _given_to(parent, parents)
            case ast.Attribute() | ast.keyword() | ast.Starred() | ast.Await() | ast.IfExp() | ast.BoolOp():
                node = parent
            case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
                node = parent
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                node = parent
            case ast.Subscript() if parent.value is node:
                node = parent
            case ast.Subscript() | ast.Slice() | None:
                return Uses(), []
            case _ if isinstance(parent, _READING):
                return Uses(), []
            case _:
                return _bound_to(node, parent)


def _call_of(node: ast.AST, call: ast.Call, parents: Mapping[ast.AST, ast.AST]) -> tuple[Uses, list[str]]:
    """A method is called, or the object itself; what it returns may be a part."""
    method = node.attr if isinstance(node, ast.Attribute) else "__call__"
    in_place = any(keyword.arg == "inplace" for keyword in call.keywords)
    use = Uses(written=in_place, methods=frozenset([method]))
    part, names = _use_of(call, parents) if method in _PARTS else (Uses(), [])
    return use.merged(part), names


def _given_to(call: ast.Call, parents: Mapping[ast.AST, ast.AST]) -> tuple[Uses, list[str]]:
    function = call.func
    if isinstance(function, ast.Name) and function.id in _PURE:
        return _use_of(call, parents) if function.id in _GIVE_PARTS else (Uses(), [])
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return Uses(functions=frozenset([name])), []


def _bound_to(node: ast.AST, parent: ast.AST) -> tuple[Uses, list[str]]:
    """The object is bound to names, iterated, or put into a container."""
    match parent:
        case ast.Assign():
            return Uses(), list(_names(parent.targets))
        case ast.AnnAssign() | ast.NamedExpr():
            return Uses(), list(_names([parent.target]))
        case ast.For() | ast.AsyncFor() | ast.comprehension() if parent.iter is node:
            return Uses(), list(_names([parent.target]))
        case ast.withitem() if parent.optional_vars is not None:
            return Uses(methods=frozenset(["__enter__"])), list(_names([parent.optional_vars]))
        case ast.AugAssign() | ast.comprehension():
            return Uses(), []
    return Uses(functions=frozenset([""])), []


def _names(targets: Iterable[ast.AST]) -> Iterator[str]:
    return (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
