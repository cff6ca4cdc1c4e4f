"""``ray_magics.serve``: the Python twin of ``%ray_serve``."""

from __future__ import annotations

from typing import Any

from ...cell.source import CellSource
from ...errors import UsageError
from ...line.api import callers_namespace, line_of
from .magic import autoscale as read_autoscale
from .magic import carry_out, ray_serve
from .plan import Subject, kind_of, make_plan

_NOT_HERE = ("app", "delete", "shutdown", "dry_run")
_VALUES = ("user_config", "autoscaling_config", "grpc_servicer_functions", "bind")


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
    line = line_of(ray_serve, options, _NOT_HERE)
    if isinstance(line.autoscale, str):
        line.autoscale = read_autoscale(line.autoscale, "autoscale")
    values = {key: options[key] for key in _VALUES if options.get(key) is not None}
    kind = kind_of(app)
    if not kind:
        raise UsageError(f"serve() takes a class, function, deployment or Application, not {type(app).__name__}.")
    plan = make_plan(line, values)
    done = carry_out(plan, Subject(str(getattr(app, "__name__", "")), kind, app), namespace, CellSource(""))
    if plan.background:
        return done
    from .control import handle_of

    return handle_of(plan.name)
