"""HTTP/1.1 over kept-alive connections, as far as one service wants it, and strictly.

An answer must say how long it is, so that one that was cut is never taken for a whole one. Nothing
is ever sent twice: a connection that was closed while it was idle is noticed before it is used, and
whether a request without an answer was carried out, nobody knows.

https://www.rfc-editor.org/rfc/rfc9112
"""

import os
import select
import socket
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from chalicelib.database.clients import CONNECT_SECONDS
from chalicelib.database.errors import StatementNotBegun

IDLE_SECONDS = 50
"""A connection that was idle for longer is not used again: AWS may be about to close it."""
MAX_BYTES = 8 * 1024 * 1024  # of an answer; the Data API's own limit is 1 MiB


class BadAnswer(ValueError):
    """What came is not HTTP, or not all of it."""


class Answer(NamedTuple):
    """An answer; the headers' names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """Connections to the host of a URL: who sends takes an idle one, or else makes one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[tuple[socket.socket, float]] = []  # with the time they were last used

    def send(self, request: bytes, seconds: float) -> Answer:
        """Send a request once, and return the answer: within `seconds`, connecting included.

        Raises StatementNotBegun, TimeoutError where it takes longer, OSError, ValueError.
        """
        deadline = time.monotonic() + seconds
        connection = self._take() or self._connect(_left(deadline))
        reader, is_usable = _Reader(connection, deadline), False
        try:
            connection.settimeout(_left(deadline))
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
        """Return an idle connection; one that can be read was closed, or is out of step."""
        try:
            while True:
                connection, since = self._idle.pop()
                is_readable = select.select([connection], [], [], 0)[0]
                # By the clock on the wall: the other may stand still while a function is frozen.
                if 0 <= time.time() - since < IDLE_SECONDS and not is_readable:
                    return connection
                connection.close()
        except IndexError:  # none is left
            return None

    def _connect(self, seconds: float) -> socket.socket:
        """Connect to the first of the host's addresses that answers."""
        parts = urlsplit(self._url)
        host: Any = str(parts.hostname).encode()  # for which no codec of other scripts is imported
        tls = self._tls if parts.scheme == "https" else None
        place = (host, parts.port or (443 if tls else 80))
        try:
            connection = socket.create_connection(place, min(seconds, CONNECT_SECONDS))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return tls.wrap_socket(connection, server_hostname=host) if tls else connection
        except OSError as error:
            reason = f"{self._url} can't be reached: {type(error).__name__}"
            raise StatementNotBegun(reason) from None

    @cached_property
    def _tls(self) -> Any:
        import ssl

        return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))


def _left(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) > 0:
        return seconds
    raise TimeoutError


class _Reader:
    """Reads one answer from a connection."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline
        self.data = b""  # what came, and is not yet read

    def answer(self) -> Answer:
        first, *lines = self._until(b"\r\n\r\n").split("\r\n")
        version, status, *_ = first.split(" ", 2)
        if version != "HTTP/1.1" or len(status) != len("200"):
            raise BadAnswer("an answer that is not HTTP")
        fields = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in fields}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self._exactly(int(headers.get("content-length", "")))
        return Answer(int(status), headers, body)

    def _chunk(self) -> bytes:
        """Return the next part of a body: the last one is empty."""
        chunk = self._exactly(int(self._until(b"\r\n").partition(";")[0], 16))
        if self._until(b"\r\n"):
            raise BadAnswer("a chunk that is not as long as it says")
        return chunk

    def _until(self, end: bytes) -> str:
        """Return what comes before `end`, and take both away."""
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
        self._connection.settimeout(_left(self._deadline))
        data = self._connection.recv(65_536)
        if not data or len(self.data) > MAX_BYTES:
            raise BadAnswer("an answer that ends too early, or not at all")
        self.data += data
