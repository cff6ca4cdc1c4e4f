"""Deployments and applications of earlier cells as source for a plain script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...raylib.serve_spec import bound_deployment, configured_options
from ...ship.definitions import decorators, definition, source_of
from ...ship.script import code_of, is_literal
from .plan import APPLICATION, DEPLOYMENT, kind_of

Namespace = Mapping[str, Any]


def source_of_earlier(name: str, value: Any, namespace: Namespace) -> str:
    """The source that gives `name` its deployment, application, function or class; "" where there is none."""
    if isinstance(value, type):
        return definition(name, value)
    kind = kind_of(value)
    if kind == APPLICATION:
        expression = _application(value, namespace)
        return f"{name} = {expression}" if expression else ""
    return (
        _deployment(name, value, namespace) if kind == DEPLOYMENT else _fastapi(name, value) or definition(name, value)
    )


def _deployment(name: str, deployment: Any, namespace: Namespace) -> str:
    """The class or function below its decorator; for a changed copy of another deployment, the call that made it."""
    target = getattr(deployment, "func_or_class", None)
    own = getattr(target, "__name__", "")
    if own != name and own in namespace:
        options = _options(deployment, namespace[own] if _wraps(namespace[own], target) else None)
        made = own if _wraps(namespace[own], target) else f"serve.deployment({own})"
        return f"{name} = {made}{f'.options({options})' if options else ''}"
    source = source_of(_original(target))
    if not source:
        return ""
    if not any("deployment" in decorator for decorator in decorators(source)):
        source = f"@serve.deployment({_options(deployment)})\n{source}"
    return source if own == name else f"{source}\n{name} = {own}"


def _wraps(value: Any, target: Any) -> bool:
    return kind_of(value) == DEPLOYMENT and value.func_or_class is target


def _original(target: Any) -> Any:
    """The user's class below the one that ``serve.ingress`` makes of it."""
    bases = target.__mro__[1:] if isinstance(target, type) else ()
    same = [base for base in bases if base.__name__ == target.__name__ and base.__module__ == target.__module__]
    return same[-1] if same else target


def _options(deployment: Any, base: Any = None) -> str:
    """The options that were set, as arguments; without those that `base` has, too."""
    names = sorted(configured_options(deployment))
    values = {name: getattr(deployment, name, None) for name in names}
    changed = {n: v for n, v in values.items() if base is None or getattr(base, n, None) != v}
    return ", ".join(
        f"{name}={code_of(value, name)}" for name, value in changed.items() if is_literal(repr(value), value)
    )


def _application(application: Any, namespace: Namespace) -> str:
    """``Front.bind(Scale.bind())``; "" where a part of it has no name and no literal."""
    bound = bound_deployment(application)
    if bound is None:
        return ""
    deployment = _named_deployment(bound, namespace)
    arguments = [_argument("", value, namespace) for value in bound.init_args]
    arguments += [_argument(name, value, namespace) for name, value in dict(bound.init_kwargs).items()]
    if not deployment or not all(arguments):
        return ""
    return f"{deployment}.bind({', '.join(arguments)})"


def _named_deployment(bound: Any, namespace: Namespace) -> str:
    own = getattr(bound.func_or_class, "__name__", "")
    if own not in namespace:
        return ""
    base = namespace[own]
    if _wraps(base, bound.func_or_class):
        options = _options(bound, base)
        return f"{own}.options({options})" if options else own
    options = _options(bound)
    return f"serve.deployment({own})" + (f".options({options})" if options else "")


def _argument(name: str, value: Any, namespace: Namespace) -> str:
    known = next((n for n, one in namespace.items() if one is value and not n.startswith("_")), "")
    if kind_of(value) == APPLICATION:
        text = _application(value, namespace)
    else:
        text = known if not is_literal(repr(value), value) else code_of(value, name)
    return f"{name}={text}" if name and text else text


def _fastapi(name: str, value: Any) -> str:
    """An app for ``serve.ingress``: the routes are added by the classes below it."""
    if type(value).__name__ != "FastAPI" or not type(value).__module__.startswith("fastapi"):
        return ""
    given = {"title": "FastAPI", "description": "", "version": "0.1.0"}
    options = ", ".join(f"{key}={got!r}" for key, usual in given.items() if (got := getattr(value, key)) != usual)
    return f"from fastapi import FastAPI\n{name} = FastAPI({options})"
