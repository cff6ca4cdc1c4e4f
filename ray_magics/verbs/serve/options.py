"""The options of ``%%ray_serve``: as a line gives them, and as the record that the plan is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...line.options import argument, group
from ...line.parsers import Unfit, expression, number, parser, positive_int, seconds

UNSET: Any = object()
"""Of options that may be None."""
_AUTOSCALE = re.compile(r"(\d+):(\d+)(?:@(\d+(?:\.\d+)?))?\Z")


@dataclass(frozen=True)
class ServeOptions:
    """What ``%%ray_serve`` and ``ray_magics.serve`` get as options, as values; None where they get none.

    Attributes:
        autoscale: fields of Ray's AutoscalingConfig.
        autoscaling_config: the same, or an AutoscalingConfig.
        bind: arguments of the constructor.
    """

    name: str | None = None
    route_prefix: str | None = None
    num_replicas: int | str | None = None
    autoscale: Mapping[str, float] | None = None
    autoscaling_config: Any = None
    max_ongoing_requests: int | None = None
    num_cpus: float | None = None
    num_gpus: float | None = None
    user_config: Any = UNSET
    bind: Mapping[str, Any] | None = None
    host: str | None = None
    port: int | None = None
    grpc_port: int | None = None
    grpc_servicer_functions: Any = None
    keep_old: bool = False
    replace: bool = False
    timeout: float | None = None
    into: str | None = None
    background: bool = False
    quiet: bool = False

    @classmethod
    def from_keywords(cls, keywords: Mapping[str, Any]) -> ServeOptions:
        """Those of ``ray_magics.serve``. Raises TypeError for one that there is not, UsageError for a bad autoscale."""
        unknown = sorted(set(keywords) - OPTION_NAMES)
        if unknown:
            raise TypeError(f"serve() has no option {unknown[0]!r}; it takes those of %%ray_serve")
        given = {name: value for name, value in keywords.items() if value is not None}
        if isinstance(given.get("autoscale"), str):
            given["autoscale"] = autoscale(given["autoscale"], "autoscale")
        return cls(**{"quiet": True, **given})


OPTION_NAMES = frozenset(option.name for option in fields(ServeOptions))


@parser("replicas as MIN:MAX or MIN:MAX@N, N ongoing requests for each", "1:4", "0:3@2", metavar="MIN:MAX[@N]")
def autoscale(text: str) -> dict[str, float]:
    """``0:3@2`` as the fields of Ray's AutoscalingConfig."""
    match = _AUTOSCALE.match(text)
    if match is None:
        raise ValueError(text)
    least, most, target = int(match[1]), int(match[2]), match[3]
    if most < max(least, 1):
        raise Unfit("has a maximum below its minimum, or of 0")
    config: dict[str, float] = {"min_replicas": least, "max_replicas": most}
    if target is not None:
        if float(target) == 0:
            raise Unfit("wants no ongoing requests for each")
        config["target_ongoing_requests"] = float(target)
    return config


@parser("a number of replicas, or auto", "2", "auto", metavar="N")
def replicas(text: str) -> int | str:
    """1, 2, 3 …, or Ray's ``"auto"``."""
    if text == "auto":
        return text
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


@parser("a port", "8000", metavar="PORT")
def port(text: str) -> int:
    """1 to 65535."""
    value = int(text)
    if not 0 < value < 65536:
        raise ValueError(text)
    return value


def complete_served(_namespace: Mapping[str, Any]) -> list[str]:
    """What Tab offers for the name of an application."""
    from . import served

    return served.served_names()


serve_options = group(
    argument("--name", metavar="NAME", completer=complete_served, help="The application's name (default)."),
    argument("--route-prefix", metavar="PATH", help="Its HTTP route (/NAME; / without a name); none: no HTTP."),
    argument("--num-replicas", type=replicas, help="Replicas of the ingress deployment (1); auto: Ray's autoscaling."),
    argument("--autoscale", type=autoscale, help="Between MIN and MAX replicas with N ongoing requests each: 0:3@2."),
    argument("--autoscaling-config", type=expression, metavar="EXPR",
             help="All fields of Ray's AutoscalingConfig: \"{'min_replicas': 0, 'downscale_delay_s': 30}\"."),
    argument("--max-ongoing-requests", type=positive_int, metavar="N", help="Requests of a replica at a time (100)."),
    argument("--num-cpus", type=number, help="CPUs that a replica reserves (1); 0.1 shares one."),
    argument("--num-gpus", type=number, help="GPUs that a replica reserves; 0.5 shares one."),
    argument("--user-config", type=expression, metavar="EXPR", help="What the deployment's reconfigure method gets."),
    argument("--bind", action="extend", nargs="+", metavar='"NAME=EXPR"', help="Arguments of its constructor."),
    argument("--host", metavar="HOST", help="Where Serve listens (127.0.0.1); 0.0.0.0: reachable from elsewhere."),
    argument("--port", type=port, help="Serve's HTTP port (8000), for all applications of the cluster."),
    argument("--grpc-port", type=port, help="Serve's gRPC port, for all applications of the cluster."),
    argument("--grpc-servicer-functions", type=expression, metavar="EXPR",
             help="The generated functions that add your servicers: \"['my_pb2_grpc.add_MyServicer_to_server']\"."),
    argument("--keep-old", action="store_true", help="The old version serves until the new one is ready (as always)."),
    argument("--replace", action="store_true", help="Stop the old version first: no room is needed for both."),
    argument("--timeout", type=seconds, metavar="SECONDS", help="What a new version gets to be ready (300)."),
)  # fmt: skip
