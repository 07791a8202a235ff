"""A server on a bare socket, whose behavior each test defines per connection."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Server:
    """The recorded `requests`, and the number of `connections`."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    closed: threading.Event = field(default_factory=threading.Event)
    """Set when the server has closed a connection."""

    def ask(self, connection: socket.socket) -> bool:
        """Read a complete request. Returns whether there was one."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := connection.recv(65_536)):
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or b"0")
        while len(body) < length:
            body += connection.recv(65_536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return True


Play = Callable[[Server, socket.socket], None]


def answers(*replies: bytes) -> Play:
    """Return a play that sends one reply per request, then closes the connection."""

    def play(server: Server, connection: socket.socket) -> None:
        for reply in replies:
            if server.ask(connection):
                connection.sendall(reply)

    return play


def always(reply: bytes) -> Play:
    """Return a play that sends the same reply to each request of a connection."""

    def play(server: Server, connection: socket.socket) -> None:
        while server.ask(connection):
            connection.sendall(reply)

    return play


@contextmanager
def serving(*plays: Play, tls: SSLContext | None = None) -> Iterator[Server]:
    """Run the server. The n-th connection gets the n-th play; later ones get the last play."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener.getsockname()[1])
        threads: list[threading.Thread] = []

        def tls_on(connection: socket.socket) -> socket.socket:
            if tls is None:
                return connection
            with connection:  # the wrapped socket takes over the connection
                return tls.wrap_socket(connection, server_side=True)

        def run(connection: socket.socket, number: int) -> None:
            play = plays[min(number, len(plays) - 1)]
            with suppress(OSError), tls_on(connection) as talk:
                play(server, talk)
            server.closed.set()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.settimeout(60)
                    arguments = (connection, server.connections)
                    server.connections += 1
                    threads.append(threading.Thread(target=run, args=arguments))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()
