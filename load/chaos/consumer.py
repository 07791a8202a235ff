"""A consumer of the events, which fails now and then."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

from load.chaos.history import now

REJECTS, HANGS_UP = 0.05, 0.05
"""Probabilities that the consumer rejects an event, or accepts it without a response."""


class Consumer:
    """Accepts events at `url`, and keeps those that it accepted, in the order of their arrival."""

    def __init__(self, rng: Random) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.url = ""
        self._rng = rng
        self._down_until = 0.0
        self._lock = threading.Lock()

    def fail(self, seconds: float) -> None:
        """Reject all events for this time."""
        self._down_until = now() + seconds

    def accept(self, body: bytes) -> HTTPStatus | None:
        """Return the response's status, or None if the connection is closed instead."""
        with self._lock:
            chance = self._rng.random()
            if chance < REJECTS or now() < self._down_until:
                return HTTPStatus.SERVICE_UNAVAILABLE
            self.events.append(json.loads(body))
        return None if chance < REJECTS + HANGS_UP else HTTPStatus.NO_CONTENT


@contextmanager
def consuming(rng: Random) -> Iterator[Consumer]:
    """Run a consumer on a free port."""
    consumer = Consumer(rng)

    class Hook(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status = consumer.accept(self.rfile.read(int(self.headers["Content-Length"])))
            self.close_connection = status is None
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Ignore that a relay was killed."""

    with Server(("127.0.0.1", 0), Hook) as server:
        consumer.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield consumer
        finally:
            server.shutdown()
