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
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from chalicelib.database.clients import CONNECT_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    from ssl import SSLContext

IDLE_SECONDS = 50
"""A connection that was idle for longer is not used again: AWS may be about to close it."""
MAX_HEAD = 64 * 1024
MAX_BODY = 8 * 1024 * 1024  # bytes; the Data API's own limit is 1 MiB
MAX_DIGITS = 16
MAX_INTERIM = 8  # answers before the answer, as 100 Continue

_DEFAULT_PORTS = {True: 443, False: 80}
_DIGITS = {10: frozenset("0123456789"), 16: frozenset("0123456789abcdefABCDEF")}
_PIECE = 64 * 1024


class BadAnswer(OSError):
    """What came is not HTTP, or not all of it."""


class Address(NamedTuple):
    """Where a server is."""

    is_https: bool
    host: str
    port: int

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.is_https] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"http{'s' * self.is_https}://{self.host_header}"


class Answer(NamedTuple):
    """An answer; the headers' names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    can_go_on: bool
    """Whether the connection may be used again."""


class Connections:
    """Connections to one address: who sends takes an idle one, or else makes one."""

    def __init__(self, address: Address, read_seconds: float | None = None) -> None:
        self._address = address
        self._read_seconds = read_seconds or READ_SECONDS
        self._idle: list[tuple[socket.socket, float]] = []  # with the time they were last used

    def send(self, request: bytes) -> Answer:
        """Send a request once, and return the answer.

        Raises TimeoutError where the answer takes too long, and otherwise OSError.
        """
        connection = self._take() or self._connect()
        try:
            deadline = time.monotonic() + self._read_seconds
            connection.settimeout(self._read_seconds)
            connection.sendall(request)
            answer = _Reader(connection, deadline).answer()
        except BaseException:
            connection.close()
            raise
        if answer.can_go_on:
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
        while self._idle:
            try:
                connection, since = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            # By the clock on the wall: the other one may stand still while a function is frozen.
            if 0 <= time.time() - since < IDLE_SECONDS and not _is_readable(connection):
                return connection
            connection.close()
        return None

    def _connect(self) -> socket.socket:
        try:
            deadline = time.monotonic() + CONNECT_SECONDS
            connection = _connected(self._address, deadline)
            return self._with_tls(connection, deadline) if self._address.is_https else connection
        except TimeoutError:
            raise ConnectionError("no connection in time") from None

    def _with_tls(self, connection: socket.socket, deadline: float) -> socket.socket:
        try:
            connection.settimeout(_left(deadline))
            # As bytes, for which no codec of international names is imported
            name: Any = self._address.host.encode()
            return self._tls.wrap_socket(connection, server_hostname=name)
        except BaseException:
            connection.close()
            raise

    @cached_property
    def _tls(self) -> "SSLContext":
        import ssl

        return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))


def _connected(address: Address, deadline: float) -> socket.socket:
    """Connect to the first of the host's addresses that answers in its share of the time."""
    found = socket.getaddrinfo(address.host.encode(), address.port, type=socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    for others, (family, kind, protocol, _, place) in zip(
        range(len(found), 0, -1), found, strict=True
    ):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(deadline) / others)
            connection.connect(place)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _left(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) > 0:
        return seconds
    raise TimeoutError


def _is_readable(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


class _Reader:
    """Reads one answer from a connection."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._data = bytearray()

    def answer(self) -> Answer:
        for _ in range(MAX_INTERIM):
            version, status, headers = _parsed(self._until(b"\r\n\r\n"))
            if status >= 200:  # noqa: PLR2004 (RFC 9110, 15.2)
                body = self._body(status, headers)
                closes = version != "HTTP/1.1" or headers.get("connection", "").lower() == "close"
                return Answer(status, headers, body, not (closes or self._data))
        raise BadAnswer("too many interim answers")

    def _body(self, status: int, headers: Mapping[str, str]) -> bytes:
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if length is None and coding is not None and coding.lower() == "chunked":
            return b"".join(self._chunks())
        if coding is not None or (length is None and status != 204):  # noqa: PLR2004
            raise BadAnswer("an answer of unknown length")
        return self._exactly(_number(length or "0", 10))

    def _until(self, end: bytes) -> bytes:
        """Return what comes before `end`, and take both away."""
        while (at := self._data.find(end)) < 0 and len(self._data) < MAX_HEAD:
            self._receive()
        if not 0 <= at <= MAX_HEAD:
            raise BadAnswer("a head that is too long")
        found = bytes(self._data[:at])
        del self._data[: at + len(end)]
        return found

    def _exactly(self, size: int) -> bytes:
        if size > MAX_BODY:
            raise BadAnswer("a body that is too long")
        while len(self._data) < size:
            self._receive()
        found = bytes(self._data[:size])
        del self._data[:size]
        return found

    def _receive(self) -> None:
        self._connection.settimeout(_left(self._deadline))
        data = self._connection.recv(_PIECE)
        if not data:
            raise BadAnswer("an answer that ends too early")
        self._data += data

    def _chunks(self) -> Iterator[bytes]:
        total = 0
        while size := _number(_text(self._until(b"\r\n").partition(b";")[0]).strip(), 16):
            total += size
            if total > MAX_BODY:
                raise BadAnswer("a body that is too long")
            yield self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise BadAnswer("a chunk that is not as long as it says")
        while self._until(b"\r\n"):
            pass  # headers after the body, of which nobody wants any


def _parsed(head: bytes) -> tuple[str, int, dict[str, str]]:
    """Return version, status and headers."""
    first, *lines = _text(head).split("\r\n")
    version, status, *_ = *first.split(" ", 2), ""
    if version not in {"HTTP/1.1", "HTTP/1.0"} or len(status) != len("200"):
        raise BadAnswer("an answer that is not HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not (name and colon and line.isprintable()) or " " in name:
            raise BadAnswer("a header that is none")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return version, _number(status, 10), headers


def _text(data: bytes) -> str:
    return data.decode("latin-1")  # which takes anything


def _number(text: str, base: int) -> int:
    """Return a number; int() would take signs, spaces and underscores, too."""
    if not text or len(text) > MAX_DIGITS or not _DIGITS[base].issuperset(text):
        raise BadAnswer("a number that is none")
    return int(text, base)
