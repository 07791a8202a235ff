"""Servers that send a response slowly: each part arrives in time, all parts together do not."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

PAUSE = 0.02  # seconds between two parts
MAX_PARTS = 1_000  # 20 seconds, less than an attempt; a client without a deadline receives all
SECONDS = 0.3
"""A deadline that many parts do not exceed, and all of them do."""


class Drip:
    """A server: its port, and the number of parts that its last client received."""

    def __init__(self, port: int) -> None:
        self.port, self.parts = port, 0
        self.ended = threading.Event()

    @property
    def ended_early(self) -> bool:
        """Whether the client disconnected before the last part."""
        return self.parts < MAX_PARTS

    def send(self, connection: socket.socket, part: bytes) -> None:
        """Send the part again and again, until the client disconnects."""
        while self.parts < MAX_PARTS and not self.ended.wait(PAUSE):
            connection.sendall(part)
            self.parts += 1


PARTS = {
    "TLS handshake": (b"\x16\x03\x03\x40\x00", b"\x02"),  # a record of 16 KiB
    "status line": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b" "),
    "size of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Slow: ",
        b"x",
    ),
}
"""By the name of the slow part: the bytes that are sent at once, and those that are repeated."""


@contextmanager
def dripping(slow_part: str) -> Iterator[Drip]:
    """Serve one response of which this part is slow, without TLS."""
    at_once, slowly = PARTS[slow_part]

    def serve(drip: Drip, connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(at_once)
        drip.send(connection, slowly)

    with _serving(serve) as drip:
        yield drip


@contextmanager
def dripping_database(port: int, marker: bytes) -> Iterator[Drip]:
    """Forward connections to a MySQL server, whose response to the marker is slow.

    With an empty marker, the server's first packet is slow.
    """

    def serve(drip: Drip, connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as database:
            if marker:
                _forward(connection, database, marker)
            connection.sendall(b"\xff\xff\x00\x00")  # the header of a packet of 64 KiB
            drip.send(connection, b"\x0a")

    with _serving(serve) as drip:
        yield drip


@contextmanager
def _serving(serve: Callable[[Drip, socket.socket], None]) -> Iterator[Drip]:
    """Serve one connection. On a busy machine, a client may give up at any time, even before it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        drip = Drip(listener.getsockname()[1])

        def run() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    serve(drip, connection)

        serving = pool.submit(run)
        try:
            yield drip
        finally:
            drip.ended.set()
            listener.shutdown(socket.SHUT_RDWR)  # ends `accept`
        serving.result(60)


def _forward(client: socket.socket, server: socket.socket, marker: bytes) -> None:
    """Pass on what both send, until the client has sent the marker or one of them has closed."""
    while ready := select.select([client, server], [], [], 60)[0]:
        for source in ready:
            data = source.recv(65_536)
            (server if source is client else client).sendall(data)
            if not data or (source is client and marker in data):
                return
