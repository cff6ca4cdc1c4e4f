"""The try-it box against a real HTTP server: what it sends, what it refuses, what it shows of the answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ray_magics.verbs.serve import request_tester
from ray_magics.verbs.serve.request_tester import (
    MAX_ANSWER,
    MAX_BODY,
    MAX_PATH,
    METHODS,
    HttpRequest,
    RequestTester,
    example_requests,
    example_value,
    problem_with,
    send_request,
)
from ray_magics.verbs.serve.status import Answer, ExampleRequest
from tests.conftest import wait_until

SCHEMA = {"paths": {"/predict": {"get": {}}}}


@dataclass
class Site:
    """A server on this machine; what it was asked, and what it answers."""

    address: str
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)  # method, path, type, body
    go_on: threading.Event = field(default_factory=threading.Event)
    schema: bytes = json.dumps(SCHEMA).encode()


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            found.asked.append((self.command, self.path, self.headers.get("Content-Type") or "", body))
            getattr(self, f"at_{self.path.partition('?')[0].strip('/').split('/')[0]}", self.at_echo)()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def reply(self, body: bytes, status: int = 200, length: Any = None, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "text/plain", "Content-Length": length or len(body), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def at_echo(self) -> None:
            self.reply(f"{self.command} {self.path}".encode())

        def at_broken(self) -> None:
            self.reply(b"Internal Server Error", 500)

        def at_away(self) -> None:
            self.reply(b"", 302, Location=f"{found.address}/secret")

        def at_bytes(self) -> None:
            self.reply(b"\xff\xfegr\xc3\xb6\xc3\x9fe")

        def at_big(self) -> None:
            self.reply(b"x" * (MAX_ANSWER + 1234))

        def at_strange(self) -> None:
            self.reply(b"x" * (MAX_ANSWER + 5), length="many")
            self.close_connection = True

        def at_late(self) -> None:
            found.go_on.wait(5)
            self.reply(b"late")

        def at_drip(self) -> None:
            """A stream without end."""
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            while not found.go_on.wait(0.005):
                self.wfile.write(b"drop ")

        def at_app(self) -> None:
            self.reply(found.schema)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """Who asked has had enough."""

    with Server(("127.0.0.1", 0), Handler) as server:
        found = Site(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.go_on.set()
        server.shutdown()


def request(method: str = "GET", path: str = "/digits", body: str = "", **more: Any) -> dict[str, Any]:
    return {"method": method, "path": path, "body": body, **more}


def sent(method: str = "GET", path: str = "/digits", body: str = "", type: str = "") -> HttpRequest:
    return HttpRequest(method, path, body, type)


def answered(tester: RequestTester, app: str = "digits") -> Answer:
    answer = wait_until(lambda: tester.answers[app].state != "asked" and tester.answers[app], what="an answer")
    assert isinstance(answer, Answer)
    return answer


# --- one request --------------------------------------------------------------------------------------------------


def test_an_answer_has_its_status_type_body_and_time(site: Site) -> None:
    answer = send_request(site.address, sent(path="/digits?n=3"))
    assert answer.seconds is not None and 0 <= answer.seconds < 5
    body = "GET /digits?n=3"
    expected = Answer("answered", 200, "text/plain", body, seconds=answer.seconds, method="GET", path="/digits?n=3")
    assert answer == expected


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_sent_with_a_body_but_get(site: Site, method: str) -> None:
    send_request(site.address, sent(method, body='{"größe": 3}'))
    body = "" if method == "GET" else '{"größe": 3}'
    assert site.asked == [(method, "/digits", "application/json" if body else "", body)]


def test_an_empty_body_has_no_type(site: Site) -> None:
    send_request(site.address, sent("POST"))
    assert site.asked == [("POST", "/digits", "", "")]


def test_a_body_may_have_a_type_of_its_own(site: Site) -> None:
    send_request(site.address, sent("POST", body="a=b", type="application/x-www-form-urlencoded"))
    assert site.asked[0][2:] == ("application/x-www-form-urlencoded", "a=b")


@pytest.mark.parametrize(
    ("path", "arrived"),
    [
        pytest.param("/größe", "/gr%C3%B6%C3%9Fe", id="umlaut"),
        pytest.param("/a%20b?c=%26&d=[1]", "/a%20b?c=%26&d=[1]", id="quoted already"),
        pytest.param("//evil.example/x", "/evil.example/x", id="stays on this server"),
        pytest.param("/@evil.example:80/", "/@evil.example:80/", id="no user"),
    ],
)
def test_a_path_arrives_as_it_was_typed(site: Site, path: str, arrived: str) -> None:
    assert send_request(site.address, sent(path=path)).status == 200
    assert site.asked[0][1] == arrived


def test_an_error_of_the_server_is_an_answer(site: Site) -> None:
    answer = send_request(site.address, sent(path="/broken"))
    assert (answer.state, answer.status, answer.body) == ("answered", 500, "Internal Server Error")


def test_it_follows_nobody_elsewhere(site: Site) -> None:
    assert send_request(site.address, sent(path="/away")).status == 302
    assert [asked[1] for asked in site.asked] == ["/away"]


def test_bytes_that_are_no_text_are_shown_all_the_same(site: Site) -> None:
    assert send_request(site.address, sent(path="/bytes")).body == "\ufffd\ufffdgröße"


def test_of_a_big_answer_the_beginning_is_shown_with_the_number_of_bytes_behind_it(site: Site) -> None:
    answer = send_request(site.address, sent(path="/big"))
    assert (len(answer.body), answer.cut) == (MAX_ANSWER, 1234)
    assert send_request(site.address, sent(path="/big"), limit=10**6).cut == 0


def test_a_length_that_is_no_number_is_nobodys_business(site: Site) -> None:
    answer = send_request(site.address, sent(path="/strange"))
    assert (answer.status, len(answer.body), answer.cut) == (200, MAX_ANSWER, 0)


def test_a_stream_is_shown_as_far_as_it_fits(site: Site) -> None:
    answer = send_request(site.address, sent(path="/drip"), limit=12)
    assert (answer.body, answer.cut) == ("drop drop dr", 0)


def test_a_stream_without_end_is_left_when_the_time_is_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_tester, "TIMEOUT", 0.1)
    began = time.monotonic()
    answer = send_request(site.address, sent(path="/drip"))
    assert answer.state == "answered" and answer.body.startswith("drop ")
    assert 0.1 <= time.monotonic() - began < 3


def test_no_answer_in_time_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_tester, "TIMEOUT", 0.05)
    answer = send_request(site.address, sent(path="/late"))
    assert answer == Answer("failed", error="no answer within a minute", method="GET", path="/late")


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        answer = send_request(f"http://127.0.0.1:{probe.getsockname()[1]}", sent())
    assert answer.state == "failed" and "ConnectionRefusedError" in answer.error


def test_a_server_that_speaks_no_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"220 flush.example ESMTP\r\n")

        threading.Thread(target=answer, daemon=True).start()
        found = send_request(f"http://127.0.0.1:{server.getsockname()[1]}", sent())
    assert found.state == "failed" and "BadStatusLine" in found.error and len(found.error) <= 500


def test_a_body_that_is_no_unicode_is_told() -> None:
    answer = send_request("http://127.0.0.1:1", sent("POST", body="\ud800"))
    assert answer.state == "failed" and "UnicodeEncodeError" in answer.error


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        pytest.param(None, "unknown request", id="nothing"),
        pytest.param([], "unknown request", id="list"),
        pytest.param({}, "unknown request", id="empty"),
        pytest.param({"method": "GET", "path": "/"}, "unknown request", id="no body"),
        pytest.param(request(body=3), "unknown request", id="a number as body"),  # type: ignore[arg-type]
        pytest.param(request(method=["GET"]), "unknown request", id="a list as method"),  # type: ignore[arg-type]
        pytest.param(request("get"), "the method is none of GET, POST", id="small messages"),
        pytest.param(request("CONNECT"), "the method is none of", id="CONNECT"),
        pytest.param(request("GET / HTTP/1.1\r\nX: y"), "the method is none of", id="a request in the method"),
        pytest.param(request(""), "the method is none of", id="no method"),
        pytest.param(request(path=""), "the path begins with /", id="no path"),
        pytest.param(request(path="digits"), "the path begins with /", id="no slash"),
        pytest.param(request(path="http://evil.example/"), "the path begins with /", id="another server"),
        pytest.param(request(path="/a b"), "has no spaces", id="blank"),
        pytest.param(request(path="/ HTTP/1.1\r\nHost: evil"), "has no spaces", id="a request in the path"),
        pytest.param(request(path="/\r\n\r\nGET"), "has no spaces", id="line ends"),
        pytest.param(request(path="/\x00"), "has no spaces", id="NUL"),
        pytest.param(request(path="/\u202e"), "has no spaces", id="turns the text round"),
        pytest.param(request(path="/\ud800"), "has no spaces", id="no unicode"),
        pytest.param(request(path="/" + "x" * MAX_PATH), "the path begins with /", id="long path"),
        pytest.param(request("POST", body="x" * (MAX_BODY + 1)), "the body is longer than 100,000", id="long body"),
        pytest.param(
            request("POST", body="x", type="a\r\nX-Evil: 1"), "the type of the body", id="a header in the type"
        ),
        pytest.param(request("POST", body="x", type=["a"]), "the type of the body", id="a list as type"),
    ],
)
def test_a_request_that_the_box_does_not_send(site: Site, wanted: Any, problem: str) -> None:
    tester = RequestTester()
    assert problem in tester.send("digits", site.address, wanted)
    assert site.asked == [] and tester.answers == {} and tester.number == 0


@pytest.mark.parametrize(
    "wanted",
    [
        request(path="/" + "x" * (MAX_PATH - 1)),
        request("POST", body="x" * MAX_BODY),
        request("POST", body="x", type=""),
        request("DELETE", path="/größe?q=1&r=%20#x"),
    ],
    ids=["longest path", "longest body", "no type", "signs"],
)
def test_a_request_that_it_does_send(wanted: Any) -> None:
    assert problem_with(wanted) == ""


# --- the last answers ---------------------------------------------------------------------------------------------


def test_a_request_shows_as_asked_and_then_as_answered(site: Site) -> None:
    tester = RequestTester()
    assert tester.send("digits", site.address, request(path="/late")) == ""
    asked = tester.answers["digits"]
    assert (asked.state, asked.number, asked.method, asked.path) == ("asked", 1, "GET", "/late")
    site.go_on.set()
    answer = answered(tester)
    assert replace(answer, state="asked", status=None, type="", body="", seconds=None) == asked
    assert (answer.state, answer.body) == ("answered", "late")


def test_a_failure_is_an_answer_too() -> None:
    tester = RequestTester()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        tester.send("digits", f"http://127.0.0.1:{probe.getsockname()[1]}", request())
        answer = answered(tester)
    assert answer.state == "failed" and answer.status is None and answer.body == ""


def test_a_late_answer_does_not_hide_a_later_question(site: Site) -> None:
    tester = RequestTester()
    tester.send("digits", site.address, request(path="/late"))
    wait_until(lambda: site.asked)
    tester.send("digits", site.address, request(path="/second"))
    second = answered(tester)
    site.go_on.set()
    wait_until(lambda: not any(thread.name == "ray_magics-try" for thread in threading.enumerate()))
    assert tester.answers["digits"] == second and second.number == 2


def test_each_application_has_its_own_answer(site: Site) -> None:
    tester = RequestTester()
    for app in ("digits", "words"):
        tester.send(app, site.address, request(path=f"/{app}"))
    assert [answered(tester, app).body for app in ("digits", "words")] == ["GET /digits", "GET /words"]


# --- what FastAPI says --------------------------------------------------------------------------------------------


def learned(tester: RequestTester, site: Site, since: float = 1.0) -> tuple[ExampleRequest, ...]:
    """What one may ask the application, once its document was read."""
    tester.read_examples("app", since, site.address, "/app")
    wait_until(lambda: not any(thread.name == "ray_magics-try" for thread in threading.enumerate()))
    return tester.examples["app", since]


def test_the_document_of_an_application_is_read_once_a_version(site: Site) -> None:
    tester = RequestTester()
    assert learned(tester, site) == (ExampleRequest("GET", "/app/predict"),) == learned(tester, site)
    assert [asked[:2] for asked in site.asked] == [("GET", "/app/openapi.json")]
    site.schema = b'{"paths": {"/new": {"post": {}}}}'
    assert learned(tester, site, 2.0) == (ExampleRequest("POST", "/app/new"),)
    assert list(tester.examples) == [("app", 2.0)]


def test_a_document_that_comes_late_does_not_bring_an_old_version_back(site: Site) -> None:
    tester = RequestTester()
    learned(tester, site, 2.0)
    tester._read_examples(("app", 1.0), site.address, "/app")
    assert list(tester.examples) == [("app", 2.0)]


@pytest.mark.parametrize(
    "schema",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"paths": []}',
        b'{"paths": {"/": 3}}',
        b'{"paths": {"/": {"post": []}}}',
        b'{"paths": {"/": {"post": {"requestBody": {"content": {"application/json": {"schema": 3}}}}}}}',
        b'{"paths": {"/": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/x"}}}}}}}}',
    ],
)
def test_a_document_that_is_none_is_passed_over(site: Site, schema: bytes) -> None:
    site.schema = schema
    assert learned(RequestTester(), site) == ()


FASTAPI: dict[str, Any] = {  # as FastAPI 0.115 writes it
    "openapi": "3.1.0",
    "paths": {
        "/predict/{model}": {
            "parameters": [],
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Image"}}},
                }
            },
            "get": {"summary": "Predict"},
        },
        "/upload": {"put": {"requestBody": {"content": {"multipart/form-data": {"schema": {"type": "object"}}}}}},
        "/health": {"head": {}, "options": {}, "delete": {"requestBody": None}},
    },
    "components": {
        "schemas": {
            "Mode": {"type": "string", "enum": ["fast", "exact"]},
            "Image": {
                "type": "object",
                "required": ["pixels"],
                "properties": {
                    "pixels": {"type": "array", "items": {"type": "number"}, "minItems": 3},
                    "mode": {"$ref": "#/components/schemas/Mode"},
                    "label": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                    "name": {"type": "string", "default": "digit"},
                    "shape": {"type": "array", "items": {"type": "integer"}, "examples": [[8, 8]]},
                },
            },
            "Tree": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "left": {"$ref": "#/components/schemas/Tree"},
                    "others": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
                },
            },
            "Round": {"$ref": "#/components/schemas/Round"},
            "Maybe": {"anyOf": [{"$ref": "#/components/schemas/Maybe"}, {"type": "null"}]},
        }
    },
}


def test_the_operations_of_fastapi_are_calls_with_a_body_of_the_right_form() -> None:
    found = {(call.method, call.path): call.body for call in example_requests(FASTAPI, "/digits")}
    assert set(found) == {
        ("POST", "/digits/predict/{model}"),
        ("GET", "/digits/predict/{model}"),
        ("PUT", "/digits/upload"),
        ("DELETE", "/digits/health"),
    }
    body = {"pixels": [0.0] * 3, "mode": "fast", "label": 0, "name": "digit", "shape": [8, 8]}
    assert json.loads(found["POST", "/digits/predict/{model}"]) == body
    assert {found[key] for key in found if key[0] != "POST"} == {""}


def test_at_the_root_paths_have_no_prefix() -> None:
    assert example_requests(SCHEMA, "/")[0].path == "/predict"


def test_of_many_operations_the_first_are_offered() -> None:
    paths = {f"/{number}": {"get": {}, "post": {}} for number in range(1000)}
    assert len(example_requests({"paths": paths}, "/")) == 30


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        pytest.param({"type": "string"}, "", id="text"),
        pytest.param({"type": "integer"}, 0, id="whole number"),
        pytest.param({"type": "boolean"}, False, id="boolean"),
        pytest.param({"type": "null"}, None, id="null"),
        pytest.param({}, None, id="anything"),
        pytest.param({"type": ["string", "null"]}, None, id="several types"),
        pytest.param({"type": "integer", "default": 7}, 7, id="default"),
        pytest.param({"type": "string", "default": None}, None, id="null as default"),
        pytest.param({"const": "cat", "type": "string"}, "cat", id="const"),
        pytest.param({"example": 1, "default": 2}, 1, id="example before default"),
        pytest.param({"type": "string", "examples": ["a", "b"]}, "a", id="examples"),
        pytest.param({"type": "string", "examples": []}, "", id="no examples"),
        pytest.param({"enum": ["red", "green"]}, "red", id="enum"),
        pytest.param({"$ref": "#/components/schemas/Mode"}, "fast", id="reference"),
        pytest.param({"allOf": [{"$ref": "#/components/schemas/Mode"}], "title": "m"}, "fast", id="allOf"),
        pytest.param({"oneOf": [{"type": "number"}, {"type": "string"}]}, 0.0, id="oneOf"),
        pytest.param({"type": "array"}, [], id="array of anything"),
        pytest.param({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, [[0]], id="nested"),
        pytest.param({"type": "object"}, {}, id="object of anything"),
        pytest.param({"type": "object", "additionalProperties": {"type": "string"}}, {}, id="dictionary"),
    ],
)
def test_an_example_has_the_form_that_is_wanted(wanted: dict[str, Any], value: Any) -> None:
    assert example_value(wanted, FASTAPI) == value


@pytest.mark.parametrize("name", ["Tree", "Round", "Maybe"])
def test_what_refers_to_itself_has_an_end(name: str) -> None:
    made = json.dumps(example_value({"$ref": f"#/components/schemas/{name}"}, FASTAPI))
    assert len(made) < 1000


def test_a_tree_has_branches() -> None:
    made = example_value({"$ref": "#/components/schemas/Tree"}, FASTAPI)
    assert (made["value"], made["left"]["value"]) == (0, 0)
