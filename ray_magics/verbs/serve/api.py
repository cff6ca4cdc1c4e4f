"""``ray_magics.serve``: ``%ray_serve`` for a program."""

from __future__ import annotations

from typing import Any

from ...cell.source import CellSource
from ...errors import UsageError
from ...line.api import callers_namespace
from .magic import carry_out
from .options import ServeOptions
from .plan import Subject, kind_of, make_plan


def serve(app: Any, *, namespace: dict[str, Any] | None = None, **options: Any) -> Any:
    """Serves as ``%ray_serve`` does; returns a Handle, or a Run in the background.

        digits = ray_magics.serve(Classifier, name="digits", num_cpus=0.1)
        digits.remote(image).result()

    Args:
        app: a class, a function, a deployment or an Application.
        namespace: where `into` binds; the caller's globals unless given.
        options: those of the magic by their names, as values; ``bind`` is a dict.

    Raises:
        TypeError: an option that there is not.
        UsageError: what the magic would refuse.
    """
    namespace = callers_namespace() if namespace is None else namespace
    serve_options = ServeOptions.from_keywords(options)
    kind = kind_of(app)
    if not kind:
        raise UsageError(f"serve() takes a class, function, deployment or Application, not {type(app).__name__}.")
    plan = make_plan(serve_options)
    run = carry_out(plan, Subject(str(getattr(app, "__name__", "")), kind, app), namespace, CellSource(""))
    if plan.background:
        return run
    from .control import handle_of

    return handle_of(plan.name)
