"""A client of HTTP/1.1 over persistent connections: strict, and only what this service needs.

The Data API and the token issuer's keys are read with it, because `http.client` adds a third to a
cold start. A response must contain its length, so that a truncated one is always detected.
Requests are never retried, and redirects are not followed. A connection that was closed while idle
is detected before it is used. The outcome of a request without a response is unknown.

https://www.rfc-editor.org/rfc/rfc9112
"""

import select
import socket
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from chalicelib.deadlines import Deadline

CONNECT_SECONDS = 3
IDLE_SECONDS = 50
"""Connections that were idle for longer are not reused, because AWS may be about to close them."""
MAX_BYTES = 8 * 1024 * 1024  # per response; the Data API's own limit is 1 MiB


class Unreachable(Exception):
    """There is no connection, so nothing was sent. The message is the name of the cause."""


class BadAnswer(ValueError):
    """The response is not valid HTTP/1.1, incomplete, or too large."""


class Answer(NamedTuple):
    """A response. The headers' names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """Connections to a URL's host. Requests use an idle connection, or open a new one.

    The file `authorities` contains the trusted certificates. None stands for the system's.
    """

    def __init__(self, url: str, authorities: str | None = None) -> None:
        self._url, self._authorities = url, authorities
        self._idle: list[tuple[socket.socket, float]] = []  # with the time of their last use

    def send(self, request: bytes, seconds: float) -> Answer:
        """Send a request once, and return the response. `seconds` includes connecting.

        Raises Unreachable, TimeoutError if it takes longer, OSError, ValueError.
        """
        deadline = Deadline(seconds)
        connection = self._take() or self._connect(deadline)
        reader, is_usable = _Reader(connection, deadline), False
        try:
            connection.settimeout(deadline.left())
            connection.sendall(request)
            answer = reader.answer()
            is_usable = not reader.data and answer.headers.get("connection", "").lower() != "close"
        finally:
            if is_usable:
                self._idle.append((connection, time.time()))
            else:
                connection.close()
        return answer

    def close(self) -> None:
        while connection := self._take():
            connection.close()

    __del__ = close

    def _take(self) -> socket.socket | None:
        """Return an idle connection. Skips readable ones: they were closed, or are out of sync."""
        try:
            while True:
                connection, since = self._idle.pop()
                is_readable = select.select([connection], [], [], 0)[0]
                # Wall-clock time, because the monotonic clock may stop while a function is frozen.
                if 0 <= time.time() - since < IDLE_SECONDS and not is_readable:
                    return connection
                connection.close()
        except IndexError:  # none is left
            return None

    def _connect(self, deadline: Deadline) -> socket.socket:
        parts = urlsplit(self._url)
        host: Any = str(parts.hostname).encode()  # bytes, which need no import of the IDNA codec
        tls = self._tls if parts.scheme == "https" else None
        deadline.left()
        try:
            connection = _opened(host, parts.port or (443 if tls else 80), deadline)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return tls.wrap_socket(connection, server_hostname=host) if tls else connection
        except OSError as error:
            raise Unreachable(type(error).__name__) from None

    @cached_property
    def _tls(self) -> Any:
        import ssl

        return ssl.create_default_context(cafile=self._authorities)


def _opened(host: bytes, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first of the host's addresses that accepts.

    Unlike in `socket.create_connection`, the deadline applies to all addresses together.
    """
    failure = OSError()
    for *kind, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(*kind)
        try:
            connection.settimeout(min(deadline.left(), CONNECT_SECONDS))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


class _Reader:
    """Reads one response from a connection."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline
        self.data = b""  # received, but not parsed yet
        self._size = 0  # of everything received

    def answer(self) -> Answer:
        first, *lines = self._until(b"\r\n\r\n").split("\r\n")
        version, status, *_ = first.split(" ", 2)
        if version != "HTTP/1.1" or len(status) != len("200"):
            raise BadAnswer("a response that is not HTTP/1.1")
        fields = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in fields}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(iter(self._chunk, b""))
        elif "content-length" not in headers:
            raise BadAnswer("a response without its length")
        else:
            body = self._exactly(int(headers["content-length"]))
        return Answer(int(status), headers, body)

    def _chunk(self) -> bytes:
        """Return the next chunk of a body; the last one is empty."""
        chunk = self._exactly(int(self._until(b"\r\n").partition(";")[0], 16))
        if self._until(b"\r\n"):
            raise BadAnswer("a chunk that is not as long as it says")
        return chunk

    def _until(self, end: bytes) -> str:
        """Return everything before `end`, and consume both."""
        while end not in self.data:
            self._receive()
        found, _, self.data = self.data.partition(end)
        return found.decode("latin-1")

    def _exactly(self, size: int) -> bytes:
        while not 0 <= size <= len(self.data):
            self._receive()
        found, self.data = self.data[:size], self.data[size:]
        return found

    def _receive(self) -> None:
        self._connection.settimeout(self._deadline.left())
        data = self._connection.recv(65_536)
        self.data += data
        self._size += len(data)
        if not data or self._size > MAX_BYTES:
            raise BadAnswer("a response that ends too early, or is too large")
