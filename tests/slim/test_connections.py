"""HTTP with a server that violates the protocol, or uses rare features."""

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

import tests.dripping
from chalicelib import connections, deadlines
from chalicelib.database import DatabaseUnavailable, StatementTimeout, retries
from chalicelib.database.slim import Client
from chalicelib.database.slim.credentials import Key
from tests.slim.server import OK, Play, Server, always, answers, serving

KEY = Key("id", "secret")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def client(port: int, host: str = "127.0.0.1", is_https: bool = False) -> Client:  # noqa: FBT001, FBT002
    return Client(f"http{'s' * is_https}://{host}:{port}", "eu-west-1", lambda: KEY)


def ask(client: Client) -> Any:
    answer = client.execute_statement(sql="SELECT 1")
    del answer["ResponseMetadata"]
    return answer


def answer_to(reply: bytes) -> Any:
    with serving(answers(reply)) as server:
        return ask(client(server.port))


@pytest.mark.parametrize(
    "reply",
    [
        OK,
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 \r\ncontent-length:2\r\nX-Y:\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n002\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: 1\r\nX: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_valid_http_response_is_parsed(reply: bytes) -> None:
    assert answer_to(reply) == {}


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\r\n\r\n",
        b"not even HTTP\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/2 200\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2_0\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 3\r\n\r\n{"a":1}',
        b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 9 * 1024 * 1024,
        CHUNKED + (b"ffffe\r\n" + b" " * 0xFFFFE + b"\r\n") * 9 + b"2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_invalid_http_response_is_rejected(reply: bytes) -> None:
    with pytest.raises(DatabaseUnavailable):
        answer_to(reply)


def test_connection_is_reused() -> None:
    with serving(always(OK)) as server:
        ours = client(server.port)
        for _ in range(3):
            assert ask(ours) == {}
        assert (server.connections, len(server.requests)) == (1, 3)
        ours.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_closing_connection_is_not_reused(reply: bytes) -> None:
    """The server has announced it, or has sent more than was requested."""
    with serving(always(reply)) as server:
        ours = client(server.port)
        for _ in range(2):
            assert ask(ours) == {}
        assert server.connections == 2


def test_connection_closed_while_idle_is_replaced() -> None:
    with serving(answers(OK), always(OK)) as server:
        ours = client(server.port)
        ask(ours)
        assert server.closed.wait(60)
        ask(ours)
        assert (server.connections, len(server.requests)) == (2, 2)
        ours.close()


def test_connection_with_unsolicited_data_is_not_used() -> None:
    def play(server: Server, connection: socket.socket) -> None:
        answers(OK)(server, connection)
        connection.sendall(OK)
        spoken.set()
        assert ended.wait(60)

    spoken, ended = threading.Event(), threading.Event()
    with serving(play, always(OK)) as server:
        ours = client(server.port)
        ask(ours)
        assert spoken.wait(60)
        ask(ours)
        ended.set()
        assert server.connections == 2
        ours.close()


def test_long_idle_connection_is_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one last used in the future: the clock was set, or the function was frozen."""
    for seconds in (0, -1):
        with serving(always(OK)) as server:
            ours = client(server.port)
            ask(ours)
            monkeypatch.setattr(connections, "IDLE_SECONDS", seconds)
            ask(ours)
            assert server.connections == 2
            ours.close()
        monkeypatch.undo()


@pytest.mark.parametrize(
    "reply", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"]
)
def test_request_is_never_sent_twice(reply: bytes) -> None:
    """The server closed the connection after the request: it may have been executed."""
    with serving(answers(OK, reply), always(OK)) as server:
        ours = client(server.port)
        ask(ours)
        with pytest.raises(DatabaseUnavailable):
            ask(ours)
        assert len(server.requests) == 2
        assert ask(ours) == {}
        ours.close()


def test_connection_reset_raises_database_unavailable() -> None:
    def reset(server: Server, connection: socket.socket) -> None:
        server.ask(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving(reset) as server, pytest.raises(DatabaseUnavailable, match="ConnectionReset"):
        ask(client(server.port))


def dripping(data: bytes, pause: float) -> Play:
    def play(server: Server, connection: socket.socket) -> None:
        server.ask(connection)
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return play


def test_slow_response_is_read() -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    with serving(dripping(reply, 0.001)) as server:
        assert ask(client(server.port)) == {}


def test_timeout_covers_the_whole_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte arrives within the timeout, but all of them together do not."""
    monkeypatch.setattr(retries, "ATTEMPT_SECONDS", 0.3)
    with tests.dripping.dripping("body") as server:
        started = time.monotonic()
        with pytest.raises(StatementTimeout):
            ask(client(server.port))
        assert time.monotonic() - started >= 0.3
        assert server.ended_early


def test_call_may_have_a_shorter_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no time is left, nothing is sent. The clock stands still, so that sending takes none."""
    monkeypatch.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: 0.0))

    def silent(server: Server, connection: socket.socket) -> None:
        while server.ask(connection):
            pass

    tried: set[float | None] = set()
    settimeout = socket.socket.settimeout

    def record(self: socket.socket, seconds: float | None) -> None:
        tried.add(seconds)
        settimeout(self, seconds)

    monkeypatch.setattr(socket.socket, "settimeout", record)
    with serving(silent) as server:
        kept = connections.Connections(f"http://127.0.0.1:{server.port}")
        for seconds in (0.2, 0.0, -1.0):
            with pytest.raises(TimeoutError):
                kept.send(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", seconds)
    assert (server.connections, len(server.requests)) == (1, 1)
    assert tried == {0.2, 60}  # the client's, and the server's


def test_deadline_covers_all_addresses_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address takes the whole time that is left, so no time is left for the second."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as filling:
        address = full.getsockname()
        found = (socket.AF_INET, socket.SOCK_STREAM, 0, "", address)
        for _ in range(4):  # until the queue is full, so that the server ignores clients
            filler = filling.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        tried: list[float | None] = []
        settimeout = socket.socket.settimeout

        def record(self: socket.socket, seconds: float | None) -> None:
            tried.append(seconds)
            settimeout(self, seconds)
            now.append(seconds or 0)

        now = [0.0]
        monkeypatch.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: sum(now)))

        monkeypatch.setattr(socket.socket, "settimeout", record)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found, found])
        with pytest.raises(connections.Unreachable, match="TimeoutError"):
            connections.Connections("http://127.0.0.1").send(b"", 0.2)

    assert len(tried) == 1


def test_closed_port_raises_statement_not_begun() -> None:
    with pytest.raises(DatabaseUnavailable, match="ConnectionRefused"):
        ask(client(1))


def test_unknown_host_raises_statement_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror  # without asking the network

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DatabaseUnavailable, match="gaierror"):
        ask(client(80, "nowhere.invalid"))


def test_connection_timeout_raises_statement_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is not a statement timeout, because nothing was sent."""
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", port))
        with pytest.raises(DatabaseUnavailable, match="TimeoutError"):
            ask(client(port))
        for connection in waiting:
            connection.close()


def test_next_address_is_tried_after_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(always(OK)) as server:
        nobody, somebody = (
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (1, server.port)
        )
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [nobody, somebody])
        ours = client(1)
        assert ask(ours) == {}
        ours.close()


def test_client_is_thread_safe() -> None:
    """Each thread gets its own response, over at most as many connections as threads."""

    def echo(server: Server, connection: socket.socket) -> None:
        while server.ask(connection):
            body = server.requests[-1].partition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def work(thread: int) -> None:
        for number in range(100):
            marker = f"{thread}.{number}"
            assert ours.execute_statement(sql=marker)["ResponseMetadata"]["HTTPStatusCode"] == 200

    with serving(echo) as server, ThreadPoolExecutor(8) as pool:
        ours = client(server.port)
        for done in [pool.submit(work, thread) for thread in range(8)]:
            done.result()
        assert (server.connections <= 8, len(server.requests)) == (True, 800)
        ours.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Yield a TLS context for localhost, whose authority the client trusts."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def test_tls_connection_works(tls: ssl.SSLContext) -> None:
    with serving(always(OK), tls=tls) as server:
        ours = client(server.port, "localhost", is_https=True)
        for _ in range(3):
            assert ask(ours) == {}
        assert server.connections == 1
        ours.close()


def test_tls_certificate_of_another_host_is_rejected(tls: ssl.SSLContext) -> None:
    with serving(always(OK), tls=tls) as server:
        with pytest.raises(DatabaseUnavailable, match="SSLCertVerificationError"):
            ask(client(server.port, "127.0.0.1", is_https=True))
        assert server.requests == []


def test_tls_certificate_of_unknown_authority_is_rejected(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE")
    with serving(always(OK), tls=tls) as server:
        with pytest.raises(DatabaseUnavailable, match="SSLCertVerificationError"):
            ask(client(server.port, "localhost", is_https=True))
        assert server.requests == []


def test_tls_handshake_without_response_times_out(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    del tls
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    with serving(always(OK)) as server, pytest.raises(DatabaseUnavailable):
        ask(client(server.port, "localhost", is_https=True))


def test_invalid_ca_bundle_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
    with serving(always(OK)) as server, pytest.raises(DatabaseUnavailable, match="FileNotFound"):
        ask(client(server.port, "localhost", is_https=True))
