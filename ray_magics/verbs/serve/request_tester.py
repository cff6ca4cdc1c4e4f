"""The try-it box: sends the request that a page asks for to Serve itself, and nowhere else."""

from __future__ import annotations

import contextlib
import http.client
import json
import string
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BODY, PATH, ANSWER = 100_000, 2000, 20_000  # characters, characters, bytes
PATIENCE = 60.0  # seconds
_CALLS = 30


class RequestTester:
    """The last answer of each application, and what one may ask it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.number = 0
        self.answers: dict[str, dict[str, Any]] = {}
        self.calls: dict[tuple[str, float], list[dict[str, str]]] = {}

    def ask(self, app: str, address: str, request: Any) -> str:
        """Sends it from a thread of its own; returns what is wrong with it, "" if nothing."""
        problem = wrong_with(request)
        if problem:
            return problem
        with self.lock:
            self.number += 1
            asked = {**_EMPTY, "number": self.number, "method": request["method"], "path": request["path"]}
            self.answers[app] = asked
        arguments = (app, asked, address, dict(request))
        threading.Thread(target=self._send, args=arguments, name="ray_magics-try", daemon=True).start()
        return ""

    def _send(self, app: str, asked: dict[str, Any], address: str, request: Mapping[str, str]) -> None:
        answer = {**asked, **send(address, request)}
        with self.lock:
            if self.answers.get(app) is asked:
                self.answers[app] = answer

    def learn(self, app: str, since: float, address: str, prefix: str) -> None:
        """Reads what a FastAPI application says of itself, once a version, from a thread of its own."""
        key = (app, since)
        with self.lock:
            if key in self.calls:
                return
            self.calls = {other: calls for other, calls in self.calls.items() if other[0] != app}
            self.calls[key] = []
        threading.Thread(target=self._read, args=(key, address, prefix), name="ray_magics-try", daemon=True).start()

    def _read(self, key: tuple[str, float], address: str, prefix: str) -> None:
        path = f"{prefix.rstrip('/')}/openapi.json"
        answer = send(address, {"method": "GET", "path": path, "body": "", "type": ""}, limit=10**6)
        if answer["status"] == 200:
            with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):  # not what OpenAPI says
                calls = calls_of(json.loads(answer["body"]), prefix)
                with self.lock:
                    if key in self.calls:  # no newer version came meanwhile
                        self.calls[key] = calls


_EMPTY = {"state": "asked", "status": None, "type": "", "body": "", "cut": 0, "seconds": None, "error": ""}


def wrong_with(request: Any) -> str:
    """Why this is no request that the box may send, "" if it is one."""
    if not isinstance(request, Mapping) or any(
        not isinstance(request.get(key), str) for key in ("method", "path", "body")
    ):
        return "unknown request"
    if request["method"] not in METHODS:
        return f"the method is none of {', '.join(METHODS)}"
    path = request["path"]
    if not path.startswith("/") or len(path) > PATH or not path.isprintable() or " " in path:
        return "the path begins with / and has no spaces"
    kind = request.get("type") or ""
    if not isinstance(kind, str) or not kind.isprintable():
        return "the type of the body is no media type"
    return f"the body is longer than {BODY:,} characters" if len(request["body"]) > BODY else ""


def send(address: str, request: Mapping[str, str], limit: int = ANSWER) -> dict[str, Any]:
    """The answer to one HTTP request, at most `limit` bytes of its body and a minute of its time."""
    parts = urlsplit(address)
    began = time.monotonic()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        body = request["body"].encode() if request["body"] and request["method"] != "GET" else None
        headers = {"Content-Type": request.get("type") or "application/json"} if body is not None else {}
        connection.request(request["method"], quote(request["path"], safe=string.punctuation), body, headers)
        response = connection.getresponse()
        data, cut = _read(response, limit, began + PATIENCE)
        return {
            "state": "answered",
            "status": response.status,
            "type": response.getheader("Content-Type") or "",
            "body": data.decode(errors="replace"),
            "cut": cut,
            "seconds": round(time.monotonic() - began, 4),
        }
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        words = "no answer within a minute" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        return {"state": "failed", "status": None, "error": words[:500]}
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, limit: int, until: float) -> tuple[bytes, int]:
    """The body as far as it is shown, and how many bytes more were promised; a stream is read as far as it fits."""
    data = b""
    while len(data) < limit and time.monotonic() < until:
        piece = response.read1(limit - len(data))
        if not piece:
            return data, 0
        data += piece
    return data, response.length or 0


# --- what FastAPI says --------------------------------------------------------------------------------------------


def calls_of(schema: Mapping[str, Any], prefix: str) -> list[dict[str, str]]:
    """The operations of an OpenAPI document, each with a body that has the right fields."""
    found = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if method.upper() in METHODS:
                body = _body(operation, schema)
                found.append({"method": method.upper(), "path": f"{prefix.rstrip('/')}{path}", "body": body})
    return found[:_CALLS]


def _body(operation: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    content = (operation.get("requestBody") or {}).get("content") or {}
    wanted = (content.get("application/json") or {}).get("schema")
    return json.dumps(example(wanted, schema)) if wanted else ""


def example(wanted: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 5) -> Any:
    """A value of the form that a JSON schema describes; its own example or default where it has one."""
    for key in ("example", "default", "const"):
        if key in wanted:
            return wanted[key]
    if wanted.get("examples"):
        return wanted["examples"][0]
    if "$ref" in wanted and depth:
        named = (schema.get("components") or {}).get("schemas") or {}
        return example(named[wanted["$ref"].rpartition("/")[2]], schema, depth - 1)
    if wanted.get("enum"):
        return wanted["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if wanted.get(key):
            return example(wanted[key][0], schema, depth - 1) if depth else None
    return _of_type(wanted, schema, depth)


def _of_type(wanted: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> Any:
    kind = wanted.get("type")
    if kind == "object" and depth:
        return {key: example(one, schema, depth - 1) for key, one in (wanted.get("properties") or {}).items()}
    if kind == "array" and depth:
        items = wanted.get("items")
        return [example(items, schema, depth - 1)] * int(wanted.get("minItems") or 1) if items else []
    return {"string": "", "integer": 0, "number": 0.0, "boolean": False, "object": {}, "array": []}.get(str(kind))
