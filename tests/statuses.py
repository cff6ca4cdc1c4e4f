"""Statuses made of their JSON, which tests/data holds; what no record can hold is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_magics.run.status import RunsStatus, RunStatus, WorkerOutput
from ray_magics.verbs.cluster.status import ClusterStatus, NodeStatus, ResourceUsage, Waiting
from ray_magics.verbs.serve.status import (
    Answer,
    ApplicationStatus,
    AutoscalingStatus,
    DeploymentStatus,
    ExampleRequest,
    ReplicaStatus,
    RequestFigures,
    ServeStatus,
)
from ray_magics.verbs.train.status import CheckpointStatus, TrainStatus, WorkerStatus
from ray_magics.verbs.tune.status import TuneStatus

Json = Mapping[str, Any]

_RUN = ("id", "name", "verb", "state", "elapsed", "unit", "total", "done", "failed", "running", "why", "note", "error")
_TUNE = ("metric", "mode", "search", "scheduler", "scales", "choices", "best", "best_python", "path")
_TRAIN = ("phase", "wanted", "best", "scored_by", "restarts", "resizes", "trouble", "path", "speed")
_CLUSTER = ("state", "address", "dashboard", "ray", "python", "time", "message")


def run_status(json: Json) -> RunStatus:
    return RunStatus(**_run_fields(json))


def runs_status(json: Json) -> RunsStatus:
    return RunsStatus(tuple(map(run_status, json["runs"])))


def tune_status(json: Json) -> TuneStatus:
    return TuneStatus(
        **_run_fields(json),
        **{name: json[name] for name in _TUNE},
        params=tuple(json["params"]),
        metrics=tuple(json["metrics"]),
        states=dict(json["states"]),
        rows=tuple(json["trials"]),
    )


def train_status(json: Json) -> TrainStatus:
    return TrainStatus(
        **_run_fields(json),
        **{name: json[name] for name in _TRAIN},
        ranks=tuple(WorkerStatus(**{**one, "gpus": tuple(one["gpus"])}) for one in json["ranks"]),
        rows=tuple(json["metrics"]),
        checkpoints=tuple(CheckpointStatus(**one) for one in json["checkpoints"]),
    )


def serve_status(json: Json) -> ServeStatus:
    places = {name: json[name] for name in ("http", "grpc", "lifetime")}
    return ServeStatus(**_run_fields(json), **places, apps=tuple(map(application_status, json["apps"])))


def cluster_status(json: Json) -> ClusterStatus:
    return ClusterStatus(
        **{name: json[name] for name in _CLUSTER},
        meters=tuple(map(_usage, json["meters"])),
        nodes=tuple(_node(node) for node in json["nodes"]),
        tasks=tuple(map(tuple, json["tasks"])),
        actors=tuple(map(tuple, json["actors"])),
        waiting=tuple(Waiting(**one) for one in json["waiting"]),
        runs=tuple(map(run_status, json["runs"])),
    )


def application_status(json: Json) -> ApplicationStatus:
    return ApplicationStatus(
        **{
            **json,
            "figures": RequestFigures(**json["figures"]),
            "history": tuple(tuple(point) for point in json["history"] if _is_point(point)),
            "calls": tuple(ExampleRequest(**call) for call in json["calls"]),
            "answer": Answer(**json["answer"]) if json["answer"] else None,
            "deployments": tuple(map(deployment_status, json["deployments"])),
        }
    )


def _is_point(point: object) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(isinstance(number, (int, float)) for number in point)


def deployment_status(json: Json) -> DeploymentStatus:
    replicas = (ReplicaStatus(**{**replica, "log": tuple(replica["log"])}) for replica in json["replicas"])
    scaler = AutoscalingStatus(**json["autoscaling"]) if json["autoscaling"] else None
    figures = RequestFigures(**json["figures"])
    return DeploymentStatus(**{**json, "autoscaling": scaler, "figures": figures, "replicas": tuple(replicas)})


def _run_fields(json: Json) -> dict[str, Any]:
    return {
        **{name: json[name] for name in _RUN if name in json},
        "waited": _waited(json),
        "workers": tuple(_worker(worker) for worker in json.get("workers", ())),
    }


def _waited(json: Json) -> float:
    """Seconds without which the rate is that of the JSON, which has been rounded."""
    if json.get("rate") and json["state"] in ("pending", "running", "stopping"):
        return max(0.0, float(json["elapsed"]) - (json["done"] + json["failed"]) / json["rate"])
    return 0.0


def _worker(json: Json) -> WorkerOutput:
    return WorkerOutput(json["id"], json["lines"], json["hidden"], tuple(map(tuple, json["tail"])))


def _usage(json: Json) -> ResourceUsage:
    return ResourceUsage(**json)


def _node(json: Json) -> NodeStatus:
    return NodeStatus(**{**json, "meters": tuple(map(_usage, json["meters"]))})
