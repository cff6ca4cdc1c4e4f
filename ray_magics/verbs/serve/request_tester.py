"""The try-it box: sends the request that a page asks for to Serve itself, and nowhere else."""

from __future__ import annotations

import contextlib
import http.client
import json
import string
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from .status import Answer, ExampleRequest

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MAX_BODY, MAX_PATH = 100_000, 2000  # characters
MAX_ANSWER = 20_000  # bytes
TIMEOUT = 60.0  # seconds
_MAX_EXAMPLES = 30
_Version = tuple[str, float]  # an application, when it was deployed


@dataclass(frozen=True)
class HttpRequest:
    """A request that the box may send; `type` is the media type of its body."""

    method: str
    path: str
    body: str = ""
    type: str = ""


class RequestTester:
    """The last answer of each application, and what one may ask it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.number = 0
        self.answers: dict[str, Answer] = {}
        self.examples: dict[_Version, tuple[ExampleRequest, ...]] = {}

    def send(self, app: str, address: str, request: Any) -> str:
        """Sends what a page asks for from a thread of its own; returns what is wrong with it, "" if nothing."""
        problem = problem_with(request)
        if problem:
            return problem
        checked = HttpRequest(request["method"], request["path"], request["body"], request.get("type") or "")
        with self.lock:
            self.number += 1
            asked = self.answers[app] = Answer(number=self.number, method=checked.method, path=checked.path)
        _start_thread(self._send, app, asked, address, checked)
        return ""

    def _send(self, app: str, asked: Answer, address: str, request: HttpRequest) -> None:
        answer = replace(send_request(address, request), number=asked.number)
        with self.lock:
            if self.answers.get(app) is asked:
                self.answers[app] = answer

    def read_examples(self, app: str, deployed_at: float, address: str, prefix: str) -> None:
        """Reads what a FastAPI application says of itself, once a version, from a thread of its own."""
        version = (app, deployed_at)
        with self.lock:
            if version in self.examples:
                return
            self.examples = {other: examples for other, examples in self.examples.items() if other[0] != app}
            self.examples[version] = ()
        _start_thread(self._read_examples, version, address, prefix)

    def _read_examples(self, version: _Version, address: str, prefix: str) -> None:
        request = HttpRequest("GET", f"{prefix.rstrip('/')}/openapi.json")
        answer = send_request(address, request, limit=10**6)
        if answer.status == 200:
            with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):  # not what OpenAPI says
                examples = example_requests(json.loads(answer.body), prefix)
                with self.lock:
                    if version in self.examples:  # no newer version came meanwhile
                        self.examples[version] = examples


def _start_thread(target: Any, *arguments: Any) -> None:
    threading.Thread(target=target, args=arguments, name="ray_magics-try", daemon=True).start()


def problem_with(request: Any) -> str:
    """Why this is no request that the box may send, "" if it is one."""
    if not isinstance(request, Mapping) or any(
        not isinstance(request.get(key), str) for key in ("method", "path", "body")
    ):
        return "unknown request"
    if request["method"] not in METHODS:
        return f"the method is none of {', '.join(METHODS)}"
    path = request["path"]
    if not path.startswith("/") or len(path) > MAX_PATH or not path.isprintable() or " " in path:
        return "the path begins with / and has no spaces"
    media_type = request.get("type") or ""
    if not isinstance(media_type, str) or not media_type.isprintable():
        return "the type of the body is no media type"
    return f"the body is longer than {MAX_BODY:,} characters" if len(request["body"]) > MAX_BODY else ""


def send_request(address: str, request: HttpRequest, limit: int = MAX_ANSWER) -> Answer:
    """The answer to one HTTP request, at most `limit` bytes of its body and a minute of its time."""
    parts = urlsplit(address)
    started_at = time.monotonic()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    answer = Answer("answered", method=request.method, path=request.path)
    try:
        body = request.body.encode() if request.body and request.method != "GET" else None
        headers = {"Content-Type": request.type or "application/json"} if body is not None else {}
        connection.request(request.method, quote(request.path, safe=string.punctuation), body, headers)
        response = connection.getresponse()
        data, cut = _read(response, limit, started_at + TIMEOUT)
        return replace(
            answer,
            status=response.status,
            type=response.getheader("Content-Type") or "",
            body=data.decode(errors="replace"),
            cut=cut,
            seconds=round(time.monotonic() - started_at, 4),
        )
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        reason = "no answer within a minute" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        return replace(answer, state="failed", error=reason[:500])
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


def example_requests(openapi: Mapping[str, Any], prefix: str) -> tuple[ExampleRequest, ...]:
    """The operations of an OpenAPI document, each with a body that has the right fields."""
    examples = [
        ExampleRequest(method.upper(), f"{prefix.rstrip('/')}{path}", _example_body(operation, openapi))
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
        if method.upper() in METHODS
    ]
    return tuple(examples[:_MAX_EXAMPLES])


def _example_body(operation: Mapping[str, Any], openapi: Mapping[str, Any]) -> str:
    content = (operation.get("requestBody") or {}).get("content") or {}
    schema = (content.get("application/json") or {}).get("schema")
    return json.dumps(example_value(schema, openapi)) if schema else ""


def example_value(schema: Mapping[str, Any], openapi: Mapping[str, Any], depth: int = 5) -> Any:
    """A value of the form that a JSON schema describes; its own example or default where it has one."""
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema and depth:
        schemas = (openapi.get("components") or {}).get("schemas") or {}
        return example_value(schemas[schema["$ref"].rpartition("/")[2]], openapi, depth - 1)
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example_value(schema[key][0], openapi, depth - 1) if depth else None
    return _value_of_type(schema, openapi, depth)


def _value_of_type(schema: Mapping[str, Any], openapi: Mapping[str, Any], depth: int) -> Any:
    json_type = schema.get("type")
    if json_type == "object" and depth:
        properties = schema.get("properties") or {}
        return {name: example_value(part, openapi, depth - 1) for name, part in properties.items()}
    if json_type == "array" and depth:
        items = schema.get("items")
        return [example_value(items, openapi, depth - 1)] * int(schema.get("minItems") or 1) if items else []
    return {"string": "", "integer": 0, "number": 0.0, "boolean": False, "object": {}, "array": []}.get(str(json_type))
