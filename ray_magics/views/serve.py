"""What the text and the HTML view say of the applications of Ray Serve, as plain words."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from ray_magics.views import format as f
from ray_magics.views.format import Snapshot

EMPTY = "Nothing is served here. Begin a cell with %%ray_serve to serve the application that it builds."

_WORD = 40
_LINE, _FIRST, _LAST = 200, 1, 10  # of a long message: characters of a line, lines at its begin and at its end
_LIFETIMES = {"kernel": "ends with this kernel", "cluster": "goes on without this kernel"}
_NOT_YET_RUNNING = ("NOT_STARTED", "DEPLOYING", "DEPLOY_FAILED")
_FAILED = ("DEPLOY_FAILED", "UNHEALTHY")
_SIGNS = {
    "NOT_STARTED": "pending",
    "DEPLOYING": "running",
    "RUNNING": "connected",
    "HEALTHY": "connected",
    "DEPLOY_FAILED": "failed",
    "UNHEALTHY": "failed",
    "DEAD": "failed",
    "UPDATING": "running",
    "UPSCALING": "running",
    "DOWNSCALING": "running",
    "STARTING": "running",
    "RECOVERING": "running",
    "DELETING": "stopping",
    "STOPPING": "stopping",
    "PENDING_MIGRATION": "stopping",
}


def empty_text(status: Snapshot) -> str:
    """What to type where nothing is served; a deployment that failed says itself what became of it."""
    return "" if status["apps"] or status["id"] else EMPTY


def address_line(status: Snapshot) -> str:
    """ "Serve: http://127.0.0.1:8000 · gRPC 127.0.0.1:9000 · ends with this kernel" """
    grpc, age = word(status["grpc"]), status["fresh"] or 0
    parts = (
        word(status["http"], 100),
        f"gRPC {grpc}" if grpc else "",
        _LIFETIMES.get(status["lifetime"], ""),
        f"figures at most {f.clock(age)} old" if age >= 2 and status["apps"] else "",
    )
    text = " · ".join(filter(None, parts))
    return f"Serve: {text}" if text else ""


def state(status: object) -> tuple[str, str]:
    """The state whose sign it bears, and its words: "DEPLOY_FAILED" -> ("failed", "Deploy failed")"""
    name = word(status)
    return _SIGNS.get(name, ""), f.capitalized(f.task_state(name)) or "Unknown"


def failed(part: Snapshot) -> bool:
    """An application or a deployment that needs someone to look."""
    return part["status"] in _FAILED


def deployed_ago(app: Snapshot) -> str:
    """ "deployed 34 s ago" """
    ago = f"{f.clock(max(0, app['since']))} ago"
    return f"begun {ago}" if app["status"] in _NOT_YET_RUNNING else f"deployed {ago}"


def version_text(app: Snapshot) -> str:
    """Which version answers while both are there, or after the new one did not start."""
    deployments = app["deployments"]
    serving = {r["version"] for d in deployments for r in d["replicas"] if r["state"] == "RUNNING"}
    if "old" not in serving:
        return ""
    if failed(app) or any(map(failed, deployments)):
        return "The old version goes on serving; the new one did not start."
    if "new" in serving:
        return "Old and new version serving until the new one has all its replicas."
    return "Old version serving, new version starting."


def figures(part: Snapshot) -> list[str]:
    """ "12.3 requests/s", "p50 3.2 ms", "p95 8 ms", "p99 12.1 ms", "1% errors", "1,234 requests" """
    values = part["figures"]
    rate, errors, total = values["rate"], values["errors"], values["total"]
    parts = (
        "" if rate is None else f"{_rounded(rate)} requests/s",
        *(f"{name} {milliseconds(values[name])}" for name in ("p50", "p95", "p99") if values[name] is not None),
        "" if errors is None else f"{percent(errors)} errors",
        "" if total is None else f"{f.count(total)} {f.plural('request', total)}",
    )
    return [part for part in parts if part]


def columns(app: Snapshot) -> list[tuple[str, list[str]]]:
    """The table of the deployments without their names and states."""
    return without_empty_columns([dict(_cells(deployment)) for deployment in app["deployments"]])


def without_empty_columns(rows: list[dict[str, str]]) -> list[tuple[str, list[str]]]:
    """Columns of a table; those that say nothing are left out."""
    every = [(heading, [row[heading] for row in rows]) for heading in (rows[0] if rows else ())]
    return [(heading, [cell or f.DASH for cell in cells]) for heading, cells in every if any(cells)]


def _cells(deployment: Snapshot) -> Iterator[tuple[str, str]]:
    figures = deployment["figures"]
    yield "Replicas", _ready(deployment)
    yield "Ongoing", _ongoing(deployment)
    yield "Requests/s", "" if figures["rate"] is None else _rounded(figures["rate"])
    yield "p50", "" if figures["p50"] is None else milliseconds(figures["p50"])
    yield "p99", "" if figures["p99"] is None else milliseconds(figures["p99"])
    yield "Errors", "" if figures["errors"] is None else percent(figures["errors"])
    yield "Each takes", _resources(deployment)
    yield "Restarts", f.count(deployment["died"]) if deployment["died"] else ""


def _ready(deployment: Snapshot) -> str:
    """ "2 of 2", and of which version while there are two: "2 of 2, 1 new" """
    ready = [replica for replica in deployment["replicas"] if replica["state"] == "RUNNING"]
    versions = Counter(replica["version"] for replica in ready)
    new = f", {f.count(versions['new'])} new" if versions["new"] or versions["old"] else ""
    return f"{f.count(len(ready))} of {f.count(deployment['target'])}{new}"


def _ongoing(deployment: Snapshot) -> str:
    """ "4 of 200": requests under way of those that the replicas take at a time."""
    counts = [r["ongoing"] for r in deployment["replicas"] if r["ongoing"] is not None and r["state"] == "RUNNING"]
    return f"{f.count(sum(counts))} of {f.count(deployment['max_ongoing'] * len(counts))}" if counts else ""


def _resources(deployment: Snapshot) -> str:
    """ "0.1 CPU", "2 CPUs, 1 GPU" """
    cpus, gpus = deployment["cpus"], deployment["gpus"]
    amounts = ((cpus, "CPU"), (gpus, "GPU"))
    return ", ".join(f"{_rounded(n)} {unit}{'s' if n > 1 else ''}" for n, unit in amounts if n) or "0 CPU"


def name(app: Snapshot, deployment: Snapshot) -> str:
    """Of several, the one that takes the requests is marked."""
    several = len(app["deployments"]) > 1
    return f"{word(deployment['name'])}{' (ingress)' if deployment['ingress'] and several else ''}"


def autoscaling(deployment: Snapshot) -> str:
    """ "0 to 3 replicas, 2 ongoing requests each; wants 1: 2 requests a replica wanted, 1 seen" """
    scaler = deployment["autoscaling"]
    if not scaler:
        return ""
    each = f"{_rounded(scaler['target'])} ongoing {f.plural('request', scaler['target'])} each"
    why = word(scaler["why"], 300)
    wants = f"wants {f.count(deployment['target'])}{f': {why}' if why else ''}"
    return f"{f.count(scaler['min'])} to {f.count(scaler['max'])} replicas, {each}; {wants}"


def message(part: Snapshot, above: str) -> str:
    """Its first line and its last ones, and how many were between; "" where the text `above` has it already."""
    text = str(part["message"])
    if text.strip() in above:
        return ""
    lines = [f.output_line(line, _LINE) for line in f.plain(text, 50_000).splitlines() if line.strip()]
    left = len(lines) - _FIRST - _LAST
    if left > 1:
        lines[_FIRST:-_LAST] = [f"… {f.count(left)} lines not shown"]
    return "\n".join(lines)


def replica_count(deployment: Snapshot) -> str:
    """ "Replicas of Classifier: 2 running, 1 starting" """
    states = Counter(state(replica["state"])[1].lower() for replica in deployment["replicas"])
    kept, left = f.fitting((f"{f.count(number)} {words}" for words, number in states.items()), 300)
    more = [f"{f.count(left)} more"] if left else []
    return f"Replicas of {word(deployment['name'])}: {', '.join(kept + more)}"


def process(replica: Snapshot) -> str:
    """ "127.0.0.1, pid 4711", or nothing before it has one"""
    return ", ".join(filter(None, (word(replica["node"]), f"pid {word(replica['pid'])}" if replica["pid"] else "")))


def replica_facts(replica: Snapshot) -> list[str]:
    """ "old version", "127.0.0.1, pid 4711", "3 ongoing", "12 s old" """
    version, ongoing = word(replica["version"]), replica["ongoing"]
    parts = (
        f"{version} version" if version else "",
        process(replica),
        "" if ongoing is None else f"{f.count(ongoing)} ongoing",
        f"{f.clock(replica['age'])} old",
    )
    return [part for part in parts if part]


def failed_first(deployments: Iterable[Snapshot]) -> list[Snapshot]:
    """The failed ones first, for some may not fit."""
    return sorted(deployments, key=failed, reverse=True)


def not_running_first(app: Snapshot) -> list[tuple[Snapshot, Snapshot]]:
    """All replicas with their deployments; first those that do not run."""
    pairs = [(deployment, replica) for deployment in app["deployments"] for replica in deployment["replicas"]]
    return sorted(pairs, key=lambda pair: pair[1]["state"] == "RUNNING")


def answer_line(answer: Snapshot) -> tuple[str, str]:
    """The state whose sign it bears, and its words: ("finished", "POST /digits · 200 · 12 ms · application/json")"""
    request = f"{word(answer['method'])} {word(answer['path'], 200)}"
    if answer["state"] == "asked":
        return "running", f"{request} · asked, no answer yet"
    if answer["state"] == "failed":
        return "failed", f"{request} · {word(answer['error'], 300) or 'failed'}"
    took = "" if answer["seconds"] is None else _duration(answer["seconds"])
    words = (request, word(answer["status"]), took, word(answer["type"], 100))
    return "failed" if answer["status"] >= 400 else "finished", " · ".join(filter(None, words))


def answer_body(answer: Snapshot, limit: int) -> tuple[list[str], str]:
    """The lines of an answer, JSON well laid out, and how much is not shown."""
    text = _laid_out(answer)
    cut = answer["cut"] + len(text[limit:].encode(errors="replace"))
    empty = "The answer is empty." if answer["state"] == "answered" and not text else ""
    return f.plain(text, limit).split("\n") if text else [], f"{f.size_text(cut)} more not shown" if cut else empty


def _laid_out(answer: Snapshot) -> str:
    text = str(answer["body"])
    if "json" not in str(answer["type"]).lower():
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def sparkline(history: Iterable[object], width: int = 20) -> str:
    """[[-2, 0], [-1, 1], [0, 2]] -> "▁▅█": from zero to the highest; of many points, their means."""
    rates = [point[1] for point in history if isinstance(point, (list, tuple)) and len(point) > 1]
    values = [max(0.0, rate) for rate in rates if isinstance(rate, (int, float)) and math.isfinite(rate)]
    count = min(width, len(values))
    ends = [index * len(values) // count for index in range(count + 1)] if count else []
    means = [sum(values[begin:end]) / (end - begin) for begin, end in pairwise(ends)]
    peak = max(means, default=0)
    return f.sparkline(means, 0, peak) if 0 < peak < math.inf and count > 1 else ""


def milliseconds(value: float) -> str:
    """3.24 -> "3.2 ms" """
    return f"{_rounded(value)} ms"


def percent(share: float) -> str:
    """0.012 -> "1.2%" """
    return f"{_rounded(share * 100)}%"


def word(text: object, limit: int = _WORD) -> str:
    return f.one_line(text, limit)


def _duration(value: float) -> str:
    return milliseconds(value * 1000) if value < 1 else f.seconds(value)


def _rounded(value: float) -> str:
    """12.345 -> "12.3", 0.123 -> "0.12", 1520 -> "1520"; what is tiny is not nothing."""
    return f.number_text(round(value, 2 if abs(value) < 1 else 1) or value)
