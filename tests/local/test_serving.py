"""All HTTP servers on a laptop obey the same rules (serve/connections.py)."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from local.database_server import DatabaseServer
from local.processes import Child, answers, free_port
from serve.connections import MAX_HEAD_BYTES

SECONDS = 10  # a busy machine may stall during a complete request
# Starts a server whose patience is shorter than REQUEST_SECONDS.
START = f"""
import runpy, sys
from serve import connections as serving
from local.data_api import serving as copy
serving.REQUEST_SECONDS = copy.REQUEST_SECONDS = {SECONDS}
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
MODULES = {
    "gateway": ("local.gateway", "--stage", "local"),
    "data-api": ("local.data_api",),
    "faults": ("local.data_api", "--faults"),
    "console": ("local.console",),
}
PATHS = {  # of a successful GET, or of the request nearest to one
    "gateway": "/health",
    "data-api": "/Execute",
    "faults": "/_faults",
    "console": "/requests?since=0",
    "issuer": "/.well-known/jwks.json",
}
NORMAL = {"gateway": 200, "data-api": 404, "faults": 200, "console": 200, "issuer": 200}
INCOMPLETE = {
    "nothing": b"",
    "line breaks": b"\r\n\r\n",
    "half a request line": b"GET /he",
    "half a head": b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    "half a body": b"POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nabc",
    "half a chunk": b"POST /Execute HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "half a second request": b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HT",
}
BOTH = b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"


@dataclass
class Server:
    """A running server, and connections with incomplete requests."""

    port: int
    path: str
    normal: int
    halves: dict[str, socket.socket] = field(default_factory=dict)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def exchange(self, *parts: bytes) -> bytes:
        """Send bytes; return everything that the server sends before it closes the connection."""
        with closing(self.connect()) as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has responded already
            return read(connection)

    def get(self, *headers: str, path: str | None = None, host: str = "127.0.0.1") -> bytes:
        lines = [f"GET {path or self.path} HTTP/1.1", f"Host: {host}", *headers]
        return self.exchange("\r\n".join([*lines, "Connection: close", "", ""]).encode())


def read(connection: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def status(response: bytes) -> int:
    line = re.match(rb"HTTP/1\.1 (\d{3}) ", response)
    assert line, response[:200]
    return int(line[1])


@pytest.fixture(scope="module")
def servers(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Server]]:
    """Start all servers at the same time, and open half-open connections to each."""
    directory = tmp_path_factory.mktemp("servers")
    ports = {name: free_port() for name in MODULES}
    environment = {**os.environ, "DATABASE_URL": database_server.url, "LOCAL_STATE": str(directory)}
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(_child(name, ports[name], directory, environment))
            for name in MODULES
        }
        for name, child in children.items():
            child.wait_until(lambda port=ports[name]: answers(port))  # type: ignore[misc]
        started = {
            name: Server(ports["console" if name == "issuer" else name], path, NORMAL[name])
            for name, path in PATHS.items()
        }
        for server in started.values():
            for name, part in INCOMPLETE.items():
                server.halves[name] = stack.enter_context(closing(server.connect()))
                server.halves[name].sendall(part)
        yield started


def _child(name: str, port: int, directory: Path, environment: dict[str, str]) -> Child:
    command = [sys.executable, "-c", START, *MODULES[name], "--port", str(port)]
    own = environment | {"XRAY_PORT": str(free_port())}
    return Child(name, command, directory / "logs" / f"{name}.log", own)


@pytest.fixture(params=PATHS)
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    return servers[request.param]


@pytest.mark.exhaustive
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8001"])
def test_names_of_this_machine_are_accepted(server: Server, host: str) -> None:
    assert status(server.get(host=host)) in {server.normal, 307}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "192.168.0.1",
        "",
        "localhost@evil",
        "[::1",
        "[::2]",
    ],
)
def test_other_names_are_rejected(server: Server, host: str) -> None:
    """Another site could resolve its own name to this address: DNS rebinding."""
    assert status(server.get(host=host)) == 400


@pytest.mark.parametrize("headers", [b"", b"Host: localhost\r\nHost: evil.example\r\n"])
def test_request_needs_one_host(server: Server, headers: bytes) -> None:
    head = f"GET {server.path} HTTP/1.1\r\n".encode()

    response = server.exchange(head + headers + b"Connection: close\r\n\r\n")

    assert status(response) == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_pages_of_other_sites_are_rejected(server: Server, origin: str) -> None:
    response = server.get(f"Origin: {origin}")

    assert status(response) == (200 if server.path == PATHS["gateway"] else 403)
    assert b"access-control-allow-origin" not in response.lower()


@pytest.mark.parametrize(
    "framing", [BOTH, b"\r\n".join(reversed(BOTH.split(b"\r\n")[:2])) + b"\r\n"]
)
def test_two_framings_close_the_connection(server: Server, framing: bytes) -> None:
    """RFC 9112, section 6.1. Otherwise the second request could be smuggled past a proxy."""
    head = f"POST {server.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
    second = f"GET {server.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    response = server.exchange(head + framing + b"\r\n0\r\n\r\n", second)

    assert status(response) == 400
    assert response.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in response.lower()


@pytest.mark.parametrize(
    "headers",
    [
        b"X-A: " + b"a" * (2 << 20) + b"\r\n",
        b"X-A: aaaaaaaa\r\n" * (2 << 16),
        b"X-A: " + b"a" * MAX_HEAD_BYTES + b"\r\n",
    ],
    ids=["one of 2 MB", "many of 2 MB", "one above the limit"],
)
def test_large_headers_are_rejected(server: Server, headers: bytes) -> None:
    head = f"GET {server.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()

    response = server.exchange(head + headers + b"\r\n")

    assert status(response) == 431
    assert b"application/problem+json" in response
    assert b"connection: close" in response.lower()


def test_large_request_line_is_rejected(server: Server) -> None:
    """The parser httptools rejects lines of more than 64 KiB, but parses this one."""
    path = f"{server.path}?{'a' * (MAX_HEAD_BYTES - 500)}"

    assert status(server.get(f"X-A: {'a' * 500}", path=path)) == 431


def test_headers_within_the_limit_are_accepted(server: Server) -> None:
    assert status(server.get(f"X-A: {'a' * (MAX_HEAD_BYTES - 500)}")) == server.normal


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "target",
    [
        *("//evil.example/", "//evil.example/customers", "//evil.example/pages"),
        *("///evil.example/pages", "/%2Fevil.example/pages", "/\\evil.example/pages/"),
        *("//evil.example/requests/", "http://evil.example//evil.example/", "/pages", "/requests/"),
    ],
)
def test_no_target_redirects_to_another_host(server: Server, method: str, target: str) -> None:
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

    response = server.exchange(f"{head}Content-Length: 0\r\n\r\n".encode())

    links = re.findall(rb"(?im)^(?:location|link): <?([^>\r\n]*)", response)
    hosts = {urlsplit(urljoin("http://localhost/", link.decode())).hostname for link in links}
    assert hosts <= {"localhost", "127.0.0.1"}
    assert 300 <= status(response) < 500 or status(response) == 200


@pytest.mark.parametrize("name", INCOMPLETE)
def test_half_open_connection_ends(server: Server, name: str) -> None:
    """The server ends the connection: `read` would raise TimeoutError."""
    response = read(server.halves[name])

    assert b"HTTP/1.1 5" not in response
