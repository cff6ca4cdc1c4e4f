"""The search space: ``--space "lr=loguniform(1e-4, 1e-1)" "model.depth=randint(1, 5)"``.

    Assignment("lr", "loguniform(1e-4, 1e-1)")  ->  Dimension("lr", "loguniform", (0.0001, 0.1))

Its functions are those of Ray Tune: https://docs.ray.io/en/latest/tune/api/search_space.html
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import UsageError
from ...line.parsers import Unfit, close_to, code_names, expression, parser

Namespace = Mapping[str, Any]
CONSTANT, OBJECT = "constant", "object"
_KEY = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_ASSIGNMENT = re.compile(rf"\s*({_KEY})\s*=(?!=)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """A function of the search space: how many arguments it takes, and an example of them."""

    least: int
    most: int
    needs: str
    example: str


KINDS = {
    "uniform": Kind(2, 2, "two bounds", "0.1, 0.9"),
    "quniform": Kind(3, 3, "two bounds and a step", "0, 1, 0.1"),
    "loguniform": Kind(2, 3, "two bounds", "1e-4, 1e-1"),
    "qloguniform": Kind(3, 4, "two bounds and a step", "1e-4, 1e-1, 1e-4"),
    "randn": Kind(0, 2, "a mean and a deviation, or nothing", "0, 1"),
    "qrandn": Kind(3, 3, "a mean, a deviation and a step", "0, 1, 0.1"),
    "randint": Kind(2, 2, "two bounds, the upper one excluded", "1, 10"),
    "qrandint": Kind(2, 3, "two bounds and a step", "16, 128, 16"),
    "lograndint": Kind(2, 3, "two bounds", "1, 1000"),
    "qlograndint": Kind(3, 4, "two bounds and a step", "16, 1024, 16"),
    "choice": Kind(1, 1, "a list", "['adam', 'sgd']"),
    "grid_search": Kind(1, 1, "a list", "[16, 32, 64]"),
    "sample_from": Kind(1, 1, "a function of the configuration", "lambda config: 2 * config['width']"),
}
LIST_KINDS = ("choice", "grid_search")
BOUNDED_KINDS = tuple(name for name, kind in KINDS.items() if "bounds" in kind.needs)
STEPPED_KINDS = ("quniform", "qloguniform", "qrandint", "qlograndint")
LOG_KINDS = tuple(name for name in KINDS if "log" in name)


@dataclass(frozen=True)
class Assignment:
    """``NAME=EXPRESSION``, checked for syntax; without a key the expression is that of a whole dict."""

    key: str
    text: str

    @property
    def written(self) -> str:
        return f"{self.key}={self.text}" if self.key else self.text


@parser("of the form NAME=EXPRESSION", '"lr=loguniform(1e-4, 1e-1)"', metavar='"NAME=…"', completer=code_names)
def space_assignment(text: str) -> Assignment:
    """``"model.depth=randint(1, 5)"`` -> key ``model.depth``; a text without ``=`` is an expression for a dict."""
    match = _ASSIGNMENT.fullmatch(text)
    key, right = (match[1], match[2].strip()) if match else ("", text.strip())
    if match and not right:
        raise Unfit("has nothing behind the =")
    _check_python(right, bool(match), text)
    return Assignment(key, right)


def is_key(text: str) -> bool:
    """``lr``, ``model.depth``"""
    return re.fullmatch(_KEY, text) is not None


def is_literal(text: str) -> bool:
    """``3``, ``'adam'``, ``[1, 2]``"""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError):
        return False
    return True


def _check_python(right: str, named: bool, text: str) -> None:
    try:
        expression(right)
    except UsageError as error:
        if named and isinstance(error.__cause__, SyntaxError):
            raise Unfit(f"is no Python behind the = ({error.__cause__.msg})") from error
        raise ValueError(text) from error


_CONDITION = re.compile(r"\s*([^=<>!\s][^=<>!]*?)\s*=(?!=)\s*(.*)", re.DOTALL)


@parser("of the form METRIC=NUMBER", '"training_iteration=10"', metavar='"NAME=N"', completer=code_names)
def stop_assignment(text: str) -> Assignment:
    """As `space_assignment`; the key is a metric, of any characters: ``"eval/loss=0.1"``."""
    match = _CONDITION.fullmatch(text)
    key, right = (match[1], match[2].strip()) if match else ("", text.strip())
    if match and not right:
        raise Unfit("has nothing behind the =")
    _check_python(right, bool(match), text)
    return Assignment(key, right)


@dataclass(frozen=True)
class Dimension:
    """One key of the space.

    Attributes:
        key: dotted where it is nested.
        kind: a function of `KINDS`, "constant", or "object" for a domain of Ray's that no such function makes.
        args: of the function; of a constant or object, that alone.
        text: the right side as Python.
    """

    key: str
    kind: str
    args: tuple[Any, ...] = field(compare=False)
    text: str = ""

    @property
    def varies(self) -> bool:
        return self.kind != CONSTANT

    @property
    def log(self) -> bool:
        return self.kind in LOG_KINDS

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The lowest and the highest value, of a range."""
        return (self.args[0], self.args[1]) if self.kind in BOUNDED_KINDS else None

    @property
    def options(self) -> list[Any] | None:
        """All values, where they are listed."""
        return list(self.args[0]) if self.kind in LIST_KINDS else None


def make_space(assignments: Iterable[Assignment], namespace: Namespace) -> tuple[Dimension, ...]:
    """The dimensions that the assignments stand for; a later one for a key takes the place of an earlier one.

    Raises UsageError for a name that is not defined, a range that is empty, a key that contradicts another.
    """
    space: dict[str, Dimension] = {}
    for assignment in assignments:
        for dimension in _dimensions(assignment, namespace):
            space[dimension.key] = dimension
    for key in space:
        inside = [other for other in space if other.startswith(f"{key}.")]
        if inside:
            raise UsageError(f'--space: "{key}" has a value of its own and holds "{inside[0]}", too; drop one of them.')
    return tuple(space.values())


def _dimensions(assignment: Assignment, namespace: Namespace) -> Iterator[Dimension]:
    if assignment.key:
        yield _dimension(assignment, namespace)
        return
    value = expression(assignment.text).evaluate(_scope(namespace), "--space")
    if not isinstance(value, Mapping):
        kind = type(value).__name__
        raise UsageError(
            f'--space: "{assignment.text}" is a {kind}, not a dict; name its key: --space "NAME={assignment.text}", '
            'for example --space "lr=loguniform(1e-4, 1e-1)"'
        )
    yield from dimensions_of(value)


def dimensions_of(space: Mapping[Any, Any], prefix: str = "") -> Iterator[Dimension]:
    """The dimensions of a ``param_space``; `prefix` is where it is nested."""
    for key, value in space.items():
        if not isinstance(key, str):
            raise UsageError(f"--space: the key {key!r} is not a string; the keys of a configuration are names.")
        if isinstance(value, Mapping) and value and "grid_search" not in value:
            yield from dimensions_of(value, f"{prefix}{key}.")
        else:
            yield dimension_of(prefix + key, value)


def _dimension(assignment: Assignment, namespace: Namespace) -> Dimension:
    key, text, written = assignment.key, assignment.text, assignment.written
    kind, args, keywords = _call(text)
    if kind not in KINDS and kind not in namespace and (close := close_to(kind, KINDS)):
        raise UsageError(f'--space: "{written}": there is no {kind}; did you mean {close}?')
    if kind not in KINDS:
        return dimension_of(key, expression(text).evaluate(_scope(namespace), "--space"), text)
    values = tuple(expression(arg).evaluate(_scope(namespace), "--space") for arg in args)
    if keywords:
        names = ", ".join(keywords)
        raise UsageError(f'--space: "{written}": {kind} takes its arguments without names ({names}).')
    check_dimension(key, kind, values, written)
    if kind in LIST_KINDS:
        values = (list(values[0]),)
    return Dimension(key, kind, values, text)


def _scope(namespace: Namespace) -> Namespace:
    """The notebook's names; `tune` and NumPy are understood even where the notebook has not imported them."""
    import sys

    ray = sys.modules.get("ray")
    tune = getattr(ray, "tune", None)
    return namespace if tune is None else {"tune": tune, **namespace}


def _call(text: str) -> tuple[str, list[str], list[str]]:
    """``"tune.choice([1, 2])"`` -> ``("choice", ["[1, 2]"], [])``; an empty kind for anything but such a call."""
    node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Call):
        return "", [], []
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "tune":
        name = function.attr
    else:
        name = function.id if isinstance(function, ast.Name) else ""
    source = text.strip()
    arguments = [ast.get_source_segment(source, arg) or ast.unparse(arg) for arg in node.args]
    return name, arguments, [keyword.arg or "**" for keyword in node.keywords]


# --- what is wrong with a range -----------------------------------------------------------------------------------


def check_dimension(key: str, kind: str, args: tuple[Any, ...], written: str) -> None:
    """Raises UsageError, which shows what was written and an example, unless Ray can draw from this."""
    problem = _problem(kind, args)
    if problem:
        raise UsageError(f'--space: "{written}" {problem}; try "{key}={kind}({KINDS[kind].example})".')


def _problem(kind: str, args: tuple[Any, ...]) -> str:
    expected = KINDS[kind]
    if not expected.least <= len(args) <= expected.most:
        return f"needs {expected.needs}"
    if kind in LIST_KINDS:
        return _problem_of_list(args[0])
    if kind == "sample_from":
        return "" if callable(args[0]) else f"needs {expected.needs}"
    if not all(_is_number(arg) for arg in args):
        return "needs numbers"
    return _problem_of_bounds(kind, args) if kind in BOUNDED_KINDS else _problem_of_normal(args)


def _problem_of_list(value: Any) -> str:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return "needs a list"
    return "" if list(value) else "has an empty list"


def _problem_of_bounds(kind: str, args: tuple[Any, ...]) -> str:
    low, high = args[0], args[1]
    if low == high:
        return "has an empty range"
    if low > high:
        return f"has its bounds the wrong way round ({low:g} is above {high:g})"
    if kind in LOG_KINDS and low <= 0:
        return f"is logarithmic, and its lower bound {low:g} is not above 0"
    if "randint" in kind and any(float(arg) != int(arg) for arg in args[:2]):
        return "needs whole numbers"
    if kind in STEPPED_KINDS and len(args) > 2:
        return _problem_of_step(kind, low, high, args[2])
    return ""


def _problem_of_step(kind: str, low: float, high: float, step: float) -> str:
    """Ray rounds to multiples of the step and wants both bounds to be such multiples."""
    if step <= 0 or step > high - low:
        return f"has a step of {step:g}, which does not fit between {low:g} and {high:g}"
    if any(abs(bound / step - round(bound / step)) > 1e-6 for bound in (low, high)):
        return f"has bounds that are no multiples of the step {step:g}"
    return ""


def _problem_of_normal(args: tuple[Any, ...]) -> str:
    return "has a deviation that is not above 0" if len(args) > 1 and args[1] <= 0 else ""


def _is_number(value: Any) -> bool:
    return not isinstance(value, (bool, complex, str)) and hasattr(value, "__float__") and math.isfinite(float(value))


def safe_repr(value: Any, most: int = 200) -> str:
    """The repr of a value of the user's own, which may raise."""
    try:
        text = repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[: most - 1]}…"


# --- Ray's own objects ----------------------------------------------------------------------------------------------


def dimension_of(key: str, value: Any, text: str = "") -> Dimension:
    """A value of a configuration dict as a dimension: Ray's domains by their functions, everything else a constant."""
    if isinstance(value, Mapping) and set(value) == {"grid_search"}:
        return _listed(key, "grid_search", value["grid_search"], text)
    if not is_domain(value):
        return Dimension(key, CONSTANT, (value,), text or safe_repr(value, 2000))
    kind, args = _kind_of(value)
    if kind == "choice":
        return _listed(key, kind, args[0], text)
    if kind == OBJECT:
        return Dimension(key, OBJECT, (value,), text or safe_repr(value, 2000))
    call = f"{kind}({', '.join(map(repr, args))})"
    check_dimension(key, kind, args, f"{key}={call}")
    return Dimension(key, kind, args, text or call)


def _listed(key: str, kind: str, values: Any, text: str) -> Dimension:
    check_dimension(key, kind, (values,), f"{key}={text or kind}")
    return Dimension(key, kind, (list(values),), text or f"{kind}({safe_repr(list(values), 2000)})")


def is_domain(value: Any) -> bool:
    """Whether Ray Tune draws values from it; asks without importing Ray."""
    return type(value).__module__ == "ray.tune.search.sample"


def _kind_of(domain: Any) -> tuple[str, tuple[Any, ...]]:
    """``tune.loguniform(1, 2)`` -> ``("loguniform", (1, 2))``; "object" for what no function of ours makes."""
    shape, sampler, step = type(domain).__name__, domain.sampler, None
    if type(sampler).__name__ == "Quantized":
        sampler, step = sampler.sampler, sampler.q
    drawn = type(sampler).__name__.removeprefix("_").lstrip("_")
    if shape == "Categorical":
        return "choice", (list(domain.categories),)
    name = _DOMAIN_KINDS.get((shape, drawn))
    if name is None:
        return OBJECT, ()
    args: tuple[Any, ...] = (sampler.mean, sampler.sd) if name == "randn" else (domain.lower, domain.upper)
    if step is not None and not (name == "randint" and step == 1):
        return f"q{name}", (*args, step)
    return name, args


_DOMAIN_KINDS: dict[tuple[str, str], str] = {
    ("Float", "Uniform"): "uniform",
    ("Float", "LogUniform"): "loguniform",
    ("Float", "Normal"): "randn",
    ("Integer", "Uniform"): "randint",
    ("Integer", "LogUniform"): "lograndint",
}


# --- as a dict ------------------------------------------------------------------------------------------------------


def nested(dimensions: Iterable[Dimension], value: Callable[[Dimension], Any]) -> dict[str, Any]:
    """``model.depth`` -> ``{"model": {"depth": …}}``, with what `value` says of each dimension."""
    config: dict[str, Any] = {}
    for dimension in dimensions:
        inner = config
        *outer, last = dimension.key.split(".")
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = value(dimension)
    return config


def flat(config: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """``{"model": {"depth": 3}}`` -> ``{"model.depth": 3}``."""
    flattened: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flattened.update(flat(value, f"{prefix}{key}."))
        else:
            flattened[f"{prefix}{key}"] = value
    return flattened


def nested_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """``{"model.depth": 3}`` -> ``{"model": {"depth": 3}}``."""
    return nested((Dimension(key, CONSTANT, (value,)) for key, value in config.items()), lambda one: one.args[0])
