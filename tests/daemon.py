"""A fake X-Ray daemon, which receives segments over UDP."""

import json
import select
import socket
from typing import Any, Self

PROTOCOL = {"format": "json", "version": 1}
SECONDS = 60  # until a missing datagram raises TimeoutError


class Daemon:
    """Listens on a free port until `with` ends."""

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
        """Whether no datagram is waiting."""
        return not select.select([self._socket], [], [], 0)[0]

    def take(self, count: int) -> list[dict[str, Any]]:
        """Wait for the next documents and return them in the order of arrival."""
        return [self._document() for _ in range(count)]

    def drain(self) -> list[dict[str, Any]]:
        """Return all documents that have arrived."""
        found = []
        while not self.is_silent:
            found.append(self._document())
        return found

    def _document(self) -> dict[str, Any]:
        head, _, body = self._socket.recv(65_536).partition(b"\n")
        assert json.loads(head) == PROTOCOL
        document: dict[str, Any] = json.loads(body)
        return document
