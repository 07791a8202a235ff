"""What takes X-Ray's segments by UDP, as its daemon does."""

import json
import select
import socket
from typing import Any, Self

PROTOCOL = {"format": "json", "version": 1}
SECONDS = 10  # until a datagram that does not come is missed


class Daemon:
    """Listens on a port of its own, until the end of `with`."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def is_silent(self) -> bool:
        """Whether nothing waits to be taken."""
        return not select.select([self._socket], [], [], 0)[0]

    def take(self, count: int) -> list[dict[str, Any]]:
        """Return the next documents, as they came."""
        return [self._document() for _ in range(count)]

    def drain(self) -> list[dict[str, Any]]:
        """Return all documents that have come."""
        found = []
        while not self.is_silent:
            found.append(self._document())
        return found

    def _document(self) -> dict[str, Any]:
        head, _, body = self._socket.recv(65_536).partition(b"\n")
        assert json.loads(head) == PROTOCOL
        document: dict[str, Any] = json.loads(body)
        return document
