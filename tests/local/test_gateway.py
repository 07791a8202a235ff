"""The gateway over real sockets, with a test app and various clients."""

import http.client
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from chalicelib.http.problems import TYPE_BASE
from local.gateway import load
from local.processes import answers, free_port
from serve.server import MAX_BODY_BYTES
from tests import tokens
from tests.api import Api, assert_problem
from tests.local.support import eventually

PROJECT = Path(__file__).parents[2]
CLIENTS = 32
STAGE = "dev"  # in the stage `local`, responses tell more: see test_failures
APP = f"""
import os
import threading

from chalice import AuthResponse, Chalice, Response

app = Chalice(app_name="small")
meeting = threading.Barrier({CLIENTS}, timeout=30)


@app.authorizer()
def tokens(request):
    if request.token == "raise":
        raise KeyError("no keys")
    if request.token == "nothing":
        return None
    routes = [] if request.token == "deny" else ["*"]
    reason = 'The token is "old".'
    return AuthResponse(routes=routes, principal_id="ada", context={{"reason": reason}})


@app.route("/guarded", authorizer=tokens)
def guarded():
    return app.current_request.context["authorizer"]["principalId"]


@app.route("/echo", methods=["GET", "HEAD", "POST"], content_types=[])
def echo():
    request = app.current_request
    return {{
        "query": request.to_original_event()["multiValueQueryStringParameters"],
        "headers": dict(request.headers),
        "lines": request.to_original_event()["multiValueHeaders"],
        "body": request.raw_body.decode(),
        "path": request.context["path"],
    }}


@app.route("/size", methods=["POST"], content_types=["application/octet-stream"])
def size():
    return len(app.current_request.raw_body)


@app.route("/named/{{name}}")
def named(name):
    return {{"name": name}}


@app.route("/status/{{status}}", methods=["GET", "HEAD"])
def status(status):
    return Response("not for all", {{"ETag": '"1"', "Content-Length": "99"}}, int(status))


@app.route("/headers/{{kind}}")
def headers(kind):
    given = {{"many": ["a=1", "b=2"], "unsent": "\\u2603", "number": [1], "split": ["a\\r\\nb: c"]}}
    return Response("", {{"Set-Cookie": given[kind]}})


@app.route("/renamed")
def renamed():
    names = ["WWW-Authenticate", "date", "Server", "Via", "Retry-After"]
    return Response("", {{name: "1" for name in names}}, 403)


@app.route("/binary")
def binary():
    return Response(bytes(range(256)), {{"Content-Type": "application/octet-stream"}})


@app.route("/exit")
def exit_():
    return Response(object())


@app.route("/meet")
def meet():
    mine = app.current_request
    meeting.wait()
    return {{"same": app.current_request is mine, "query": mine.query_params}}


@app.route("/stage", cors=True)
def stage():
    return {{"variable": os.environ["FROM_THE_STAGE"]}}
"""


@dataclass
class Gateway:
    """A running gateway, and its standard error."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str, **headers: str) -> "Answer":
        return self.request("GET", path, headers=headers)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> "Answer":
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body or None, headers or {})
            return Answer.of(connection.getresponse())

    def exchange(self, *parts: bytes) -> bytes:
        """Send bytes, and return everything received until the gateway closes the connection."""
        with closing(self.connect()) as connection:
            for part in parts:
                connection.sendall(part)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @classmethod
    def of(cls, response: HTTPResponse) -> "Answer":
        return cls(response.status, response.headers, response.read())

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def assert_problem(self, status: int, problem_type: str) -> None:
        assert (self.status, self.json["type"]) == (status, TYPE_BASE + problem_type)
        assert self.json["status"] == status
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.json["request_id"] == self.headers["Request-Id"]


class Received(io.BytesIO):
    """Received bytes as a file, from which several responses are parsed, one after another."""

    def makefile(self, *_: object) -> "Received":
        return self

    def close(self) -> None:
        """Stay open for the next response."""


def parse(data: bytes, *methods: str) -> list[Answer]:
    """Return the responses to requests with these methods. No further bytes may follow."""
    received = Received(data)
    found = []
    for method in methods:
        response = HTTPResponse(cast("socket.socket", received), method=method)
        response.begin()
        found.append(Answer.of(response))
    assert received.read() == b""
    return found


@contextmanager
def serving(project: Path, app: str = APP) -> Iterator[Gateway]:
    (project / ".chalice").mkdir(parents=True)
    (project / "app.py").write_text(app)
    stage = {"environment_variables": {"FROM_THE_STAGE": STAGE}}
    config = {"version": "2.0", "app_name": "small", "stages": {STAGE: stage}}
    (project / ".chalice" / "config.json").write_text(json.dumps(config))
    port, log = free_port(), project.with_suffix(".log")
    with log.open("wb") as errors:
        process = start(project, port, errors.fileno())
    try:
        eventually(lambda: answers(port) or process.poll() is not None)
        yield Gateway(port, process, log)
    finally:
        process.kill()
        process.wait()


def start(project: Path, port: int, errors: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "local.gateway", "--port", str(port), "--stage", STAGE],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL,
        stderr=errors,
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway")) as running:
        yield running


# --- its own answers -------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [{}, {"Authorization": "Bearer é"}])
@pytest.mark.parametrize(
    "path", ["/nowhere", "/echo/", "/echo/more", "/named/", "//echo", "//host/echo"]
)
def test_unknown_path_returns_404(
    gateway: Gateway, path: str, authorization: dict[str, str]
) -> None:
    answer = gateway.get(f"{path}?email=ada@example.com", **authorization)

    if path == "/echo/":  # API Gateway ignores the slash, too
        assert answer.status == 200
        return
    answer.assert_problem(404, "not-found")
    assert answer.json["instance"] == path


@pytest.mark.parametrize("path", ["/", "/?a=b"])
def test_root_leads_to_the_console(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_ISSUER", "http://127.0.0.1:9003")

    response = Api().get(path)

    assert (response.status_code, response.headers["Location"]) == (302, "http://127.0.0.1:9003/")


def test_root_leads_to_no_other_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_ISSUER", "https://issuer.example")

    assert_problem(Api().get("/"), 404, "not-found")


def test_client_returns_gateway_responses() -> None:
    assert_problem(Api().get("/nowhere?a=b"), 404, "not-found")
    assert_problem(Api().request("HEAD", "/nowhere"), 404, "not-found", head=True)
    assert_problem(Api().request("PROPFIND", "/customers"), 404, "not-found")


@pytest.mark.parametrize("method", ["PROPFIND", "TRACE", "DELETE", "OPTIONS", "HEAD"])
def test_unknown_method_of_a_known_path_returns_404(gateway: Gateway, method: str) -> None:
    answer = gateway.request(method, "/guarded", headers={"Authorization": "deny"})

    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    if method != "HEAD":
        answer.assert_problem(404, "not-found")


def test_preflight_succeeds_with_cors(gateway: Gateway) -> None:
    answer = gateway.request("OPTIONS", "/stage")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"


def test_functions_headers_are_renamed_or_dropped_as_in_aws(gateway: Gateway) -> None:
    """The gateway's own responses keep theirs: see the tests of 401."""
    headers = gateway.get("/renamed").headers

    for name in ("WWW-Authenticate", "date", "Server"):
        assert headers[f"x-amzn-Remapped-{name}"] == "1"
    assert headers["Retry-After"] == "1"
    assert not {"WWW-Authenticate", "Server", "Via"} & set(headers)


def test_client_without_the_scope_receives_the_renamed_challenge() -> None:
    own = load(str(PROJECT), "local")
    authorization = {"Authorization": f"Bearer {tokens.token('customers:read')}"}
    path = "/customers/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"

    response = own.handle_request("DELETE", path, authorization, None)

    challenge = response["headers"]["x-amzn-Remapped-WWW-Authenticate"]
    assert 'error="insufficient_scope", scope="customers:write"' in challenge
    assert "WWW-Authenticate" not in response["headers"]


def test_missing_token_returns_401(gateway: Gateway) -> None:
    answer = gateway.get("/guarded?token=1")

    answer.assert_problem(401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="customers"'
    assert answer.json["instance"] == "/guarded"


def test_denied_token_returns_the_authorizers_reason(gateway: Gateway) -> None:
    answer = gateway.get("/guarded", Authorization="deny")

    answer.assert_problem(401, "invalid-token")
    assert answer.json["detail"] == 'The token is "old".'
    assert answer.headers["WWW-Authenticate"].endswith('error="invalid_token"')


@pytest.mark.parametrize("token", ["raise", "nothing"])
def test_failing_authorizer_returns_503(gateway: Gateway, token: str) -> None:
    answer = gateway.get("/guarded", Authorization=token)

    answer.assert_problem(503, "service-unavailable")
    assert answer.headers["Retry-After"] == "2"
    assert b"keys" not in answer.body
    if token == "raise":
        assert "KeyError: 'no keys'" in gateway.log.read_text()


def test_valid_token_is_accepted(gateway: Gateway) -> None:
    assert gateway.get("/guarded", Authorization="allow").body == b"ada"


@pytest.mark.parametrize("path", ["/exit", "/headers/unsent", "/headers/split", "/status/999"])
def test_failing_handler_returns_500(gateway: Gateway, path: str) -> None:
    answer = gateway.get(path)

    answer.assert_problem(500, "internal-error")
    assert "the handler failed\nTraceback" in gateway.log.read_text()


# --- what reaches the handler, and what comes back -------------------------------------------


@pytest.mark.parametrize(
    "sent", ["a%2Bb", "a+b", "ada%40example.com", "%C3%A9", "a%20b", "%2525", "a%2Fb", "a%3Fb"]
)
def test_escapes_in_a_path_remain(gateway: Gateway, sent: str) -> None:
    """As in recorded events of REST APIs."""
    assert gateway.get(f"/named/{sent}").json == {"name": sent}


def test_query_and_path_of_the_event(gateway: Gateway) -> None:
    event = gateway.get("/echo?a=1&a=2%2B2&b=x+y&c&d=1;2").json

    assert event["path"] == "/echo"
    assert event["query"] == {"a": ["1", "2+2"], "b": ["x y"], "c": [""], "d": ["1;2"]}


def test_target_may_be_an_absolute_uri(gateway: Gateway) -> None:
    data = gateway.exchange(
        b"GET http://localhost/echo?a=1 HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n"
    )

    (answer,) = parse(data, "GET")
    assert (answer.json["path"], answer.json["query"]) == ("/echo", {"a": ["1"]})


@pytest.mark.parametrize(
    "line", ["OPTIONS *", "CONNECT a:443", "GET echo", "GET http://a", "get /echo", "FETCH /echo"]
)
def test_unroutable_target_or_method_returns_404(gateway: Gateway, line: str) -> None:
    data = gateway.exchange(f"{line} HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n".encode())

    parse(data, "GET")[0].assert_problem(404, "not-found")


def test_all_values_of_a_repeated_header_are_in_the_event(gateway: Gateway) -> None:
    """As in AWS: `headers` has the last value, and `multiValueHeaders` has all."""
    data = gateway.exchange(
        b"GET /echo HTTP/1.1\r\nHost: [::1]\r\nX-A: 1\r\nx-a: 2\r\nConnection: close\r\n\r\n"
    )

    event = parse(data, "GET")[0].json
    assert event["headers"]["x-a"] == "2"
    assert event["lines"]["x-a"] == ["1", "2"]
    assert event["lines"]["host"] == ["[::1]"]


def test_header_with_many_values_is_returned(gateway: Gateway) -> None:
    assert gateway.get("/headers/many").headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert gateway.get("/headers/number").headers["Set-Cookie"] == "1"


def test_binary_response_is_decoded(gateway: Gateway) -> None:
    answer = gateway.get("/binary", Accept="application/octet-stream")

    assert answer.body == bytes(range(256))


def test_stage_sets_environment_variables(gateway: Gateway) -> None:
    assert gateway.get("/stage").json == {"variable": STAGE}


# --- connections -----------------------------------------------------------------------------


def test_connection_serves_two_hundred_requests(gateway: Gateway) -> None:
    with closing(HTTPConnection("127.0.0.1", gateway.port, timeout=30)) as connection:
        connection.connect()
        first = connection.sock
        for n in range(200):
            method = ("GET", "POST")[n % 2]
            connection.request(method, f"/echo?n={n}", b"x" * n if n % 2 else None)
            answer = Answer.of(connection.getresponse())
            assert answer.json["query"] == {"n": [str(n)]}
            assert len(answer.json["body"]) == (n if n % 2 else 0)
        assert connection.sock is first


def test_bodiless_responses_keep_the_connection_usable(
    gateway: Gateway,
) -> None:
    asked = [
        ("HEAD", "/echo"),
        ("HEAD", "/nowhere"),
        ("GET", "/status/204"),
        ("GET", "/status/304"),
        ("HEAD", "/status/304"),
        ("GET", "/status/404"),
        ("GET", "/echo"),
    ]
    requests = [f"{method} {path} HTTP/1.1\r\nHost: [::1]\r\n" for method, path in asked]
    data = gateway.exchange("\r\n".join(requests).encode() + b"Connection: close\r\n\r\n")

    got = parse(data, *(method for method, _ in asked))
    assert [answer.status for answer in got] == [200, 404, 204, 304, 304, 404, 200]
    assert [bool(answer.body) for answer in got] == [False] * 5 + [True] * 2
    assert [answer.headers["Content-Length"] for answer in got[:6]] == [None] * 5 + ["11"]
    assert got[3].headers["ETag"] == '"1"'


def test_pipelined_requests_are_answered_in_order(gateway: Gateway) -> None:
    head = "POST /echo?n={} HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 1\r\n"
    requests = [head.format(n) for n in range(20)]
    data = gateway.exchange("\r\nb".join(requests).encode() + b"Connection: close\r\n\r\nb")

    got = parse(data, *["POST"] * 20)
    assert [answer.json["query"]["n"] for answer in got] == [[str(n)] for n in range(20)]
    assert {answer.json["body"] for answer in got} == {"b"}


def test_http_1_0_connection_is_closed(gateway: Gateway) -> None:
    (answer,) = parse(gateway.exchange(b"GET /echo HTTP/1.0\r\n\r\n"), "GET")

    assert answer.status == 200


def test_concurrent_clients_have_their_own_requests(gateway: Gateway) -> None:
    """All requests are in the handler at the same time: it waits for all of them."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        got = list(clients.map(lambda n: gateway.get(f"/meet?n={n}"), range(CLIENTS)))

    assert [answer.json for answer in got] == [
        {"same": True, "query": {"n": str(n)}} for n in range(CLIENTS)
    ]


def test_disconnecting_clients_do_not_affect_others(tmp_path: Path) -> None:
    partly = [
        b"",
        b"GET /ec",
        b"GET /echo HTTP/1.1\r\nHost",
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 10\r\n\r\n123",
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"GET /echo HTTP/1.1\r\nHost: [::1]\r\n\r\n",
    ]
    reset = struct.pack("ii", 1, 0)
    with serving(tmp_path / "project") as gateway:
        for part in partly * 2:
            with closing(gateway.connect()) as connection:
                connection.sendall(part)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        for part in partly:
            with closing(gateway.connect()) as connection:
                connection.sendall(part)
                connection.shutdown(socket.SHUT_WR)

        assert gateway.get("/echo").status == 200
        gateway.process.terminate()
        gateway.process.wait(timeout=60)
        assert "Traceback" not in gateway.log.read_text()
        assert "Exception" not in gateway.log.read_text()


# --- bodies ----------------------------------------------------------------------------------


def test_chunked_body_is_accepted(gateway: Gateway) -> None:
    data = gateway.exchange(
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3;name=value\r\nabc\r",
        b"\n0a\r\n0123456789\r\n0\r\nTrailer: yes\r\n\r\n",
    )

    assert parse(data, "POST")[0].json["body"] == "abc0123456789"


def test_body_with_http_2_upgrade_offer_is_accepted(gateway: Gateway) -> None:
    """Java's client offers it with each request. The connection must stay HTTP/1.1."""
    request = (
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        b"Connection: Upgrade, HTTP2-Settings%s\r\nContent-Length: 3\r\n\r\nabc"
    )
    data = gateway.exchange(request % b"", request % b", close")

    assert [answer.json["body"] for answer in parse(data, "POST", "POST")] == ["abc", "abc"]


def test_expect_100_continue_is_supported(gateway: Gateway) -> None:
    with closing(gateway.connect()) as connection:
        head = b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\nContent-Length: 3\r\n"
        connection.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        data = b"".join(iter(lambda: connection.recv(65536), b""))

    assert parse(data, "POST")[0].json["body"] == "abc"


def test_requests_beyond_the_limit_are_throttled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROTTLE", "1/3")
    with serving(tmp_path / "project") as gateway:
        answered = parse(
            gateway.exchange(
                b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 2\r\n\r\n{}" * 50
                + b"GET /echo HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n"
            ),
            *["POST"] * 50,  # a machine that stalls allows three more
            "GET",
        )
        assert [answer.status for answer in answered[:3]] == [200] * 3
        refused = next(answer for answer in answered if answer.status == 429)
        refused.assert_problem(429, "too-many-requests")
        assert refused.headers["Retry-After"] == "1"
        eventually(lambda: gateway.get("/echo").status == 200)


def test_invalid_throttle_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROTTLE", "many")
    program = start(tmp_path, free_port())

    errors = program.communicate(timeout=30)[1].decode()
    assert errors == "gateway: THROTTLE must be rate/burst, such as 50/100, got 'many'\n"


def test_body_at_the_limit_and_beyond(gateway: Gateway) -> None:
    binary = {"Content-Type": "application/octet-stream"}
    body = bytes(MAX_BODY_BYTES)

    assert gateway.request("POST", "/size", body, binary).json == MAX_BODY_BYTES
    answer = gateway.request("POST", "/size", body + b"x", binary)
    answer.assert_problem(413, "content-too-large")
    assert answer.headers["Connection"] == "close"


def test_expect_100_continue_with_too_large_body_is_rejected(gateway: Gateway) -> None:
    data = gateway.exchange(
        b"POST /size HTTP/1.1\r\nHost: [::1]\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)
    )

    parse(data, "POST")[0].assert_problem(413, "content-too-large")


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is Linux's to tell")
def test_far_too_large_body_is_not_kept_in_memory(gateway: Gateway) -> None:
    process = psutil.Process(gateway.process.pid)
    before = process.memory_info().rss
    chunk = b"%x\r\n%s\r\n" % (1 << 20, bytes(1 << 20))
    head = b"POST /size HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n"

    data = gateway.exchange(head, *[chunk] * 256, b"0\r\n\r\n")

    parse(data, "POST")[0].assert_problem(413, "content-too-large")
    status = Path(f"/proc/{process.pid}/status").read_text()
    peak = int(cast("re.Match[str]", re.search(r"VmHWM:\s+(\d+) kB", status))[1]) << 10
    assert peak - before < 128 << 20


# --- what is not HTTP ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /echo\r\n\r\n",
        b"GET /echo HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        b"GET /a\x00b HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nContent-Length: ten\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nContent-Length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 1, 2\r\n\r\nab",
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ],
)
def test_malformed_request_returns_a_problem(gateway: Gateway, request_: bytes) -> None:
    (answer,) = parse(gateway.exchange(request_), "GET")

    answer.assert_problem(400, "bad-request")
    assert answer.headers["Connection"] == "close"


def test_malformed_second_request_does_not_affect_the_first(gateway: Gateway) -> None:
    data = gateway.exchange(b"GET /echo HTTP/1.1\r\nHost: [::1]\r\n\r\nnonsense\r\n\r\n")

    first, second = parse(data, "GET", "GET")
    assert first.json["path"] == "/echo"
    second.assert_problem(400, "bad-request")


# --- the program -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/echo?email=ada@example.com", "/echo 200"),
        ("/named/ada@example.com?a=1", "/named/* 200"),
        ("/named/ada%40example.com", "/named/* 200"),
        ("/named/0190A5F0-1c2d-7e3f-8a4b-5c6d7e8f9a0b", "/named/{} 200"),
        ("/0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b@example.com/echo", "/*/echo 404"),
        ("//ada@example.com", "//* 404"),
    ],
)
def test_log_has_a_line_for_each_request_without_personal_data(
    gateway: Gateway, path: str, logged: str
) -> None:
    gateway.get(path)

    pattern = re.escape(logged.format("0190A5F0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"))
    line = re.compile(rf"^GET {pattern} \d+ ms$", re.MULTILINE)
    eventually(lambda: line.search(gateway.log.read_text()))
    assert not re.search("ada(@|%40)", gateway.log.read_text())


@pytest.mark.exhaustive
def test_port_in_use_is_reported_in_one_line(gateway: Gateway, tmp_path: Path) -> None:
    with serving(tmp_path / "project") as other:
        project = other.log.with_suffix("")
        second = start(project, gateway.port)

        assert second.communicate(timeout=30)[1].decode() == (
            f"gateway: can't listen on port {gateway.port}: Address already in use\n"
        )
        assert second.returncode == 1


def test_syntax_error_of_the_app_is_reported(tmp_path: Path) -> None:
    with serving(tmp_path / "project", "def\n") as gateway:
        assert gateway.process.wait(timeout=30) == 1
        assert "SyntaxError: invalid syntax" in gateway.log.read_text()
        assert "Traceback" not in gateway.log.read_text()


def test_route_invalid_in_aws_is_reported(tmp_path: Path) -> None:
    with serving(tmp_path / "project", APP.replace('"/echo"', '"/echo/"')) as gateway:
        assert gateway.process.wait(timeout=30) == 1
        assert "gateway: Route cannot end with a trailing slash" in gateway.log.read_text()


def test_invalid_project_is_reported(tmp_path: Path) -> None:
    program = start(tmp_path, free_port())

    errors = program.communicate(timeout=30)[1].decode()
    assert errors.startswith("gateway: Unable to load the project config file.")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_shutdown_is_quiet_and_finishes_requests(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path / "project") as gateway, closing(gateway.connect()) as idle:
        idle.sendall(b"GET /echo HTTP/1.1\r\nHost: [::1]\r\n\r\n")
        assert idle.recv(65536)
        gateway.process.send_signal(number)

        assert gateway.process.wait(timeout=60) in {0, -number}
        assert "Traceback" not in gateway.log.read_text()
