"""One process of the server: `python -m serve.worker FD` serves a socket that it inherits.

It ends gracefully on SIGTERM, and if its standard input closes, because then the supervisor ended.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from app import app
from chalicelib.http.requests import LAMBDA_MS
from serve import connections, gateway, metrics
from serve.gateway import Headers, LambdaResponse, own_response, separate_requests
from serve.limits import FILE, Limits
from serve.protocol import Protocol
from serve.server import Server
from serve.settings import GRACE_SECONDS, Settings
from serve.threads import Threads, favor_event_loop

DRAIN_SECONDS = 2.0
"""How long SIGTERM leaves idle connections open for another request."""
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}


class Connection(Protocol):
    """A connection that stays open for another request when the server shuts down.

    A request that is on its way would otherwise meet a closed connection, and be lost.
    """

    _is_draining = False

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._is_draining and self.cycle:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        self._is_draining = True
        if self.cycle and not self.cycle.response_complete:
            super().shutdown()
        else:
            asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._end)

    def _end(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class Worker(uvicorn.Server):
    """uvicorn's server, which accepts the connections that wait before it closes its socket."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, and to watch the supervisor."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_reader(0, self._stop)

    def _stop(self) -> None:
        asyncio.get_running_loop().remove_reader(0)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the socket, and serve the connections that it has accepted."""
        for listener in sockets or []:
            await self._accept_waiting(listener)
        await super().shutdown(sockets)

    async def _accept_waiting(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:  # no connection waits
                return
            await loop.connect_accepted_socket(self._connection, accepted)

    def _connection(self) -> asyncio.Protocol:
        return Connection(self.config, self.server_state, {})


class Gateway(gateway.Gateway):
    """The gateway of the app, which logs its own responses, and lets no client request a trace."""

    def _event(
        self, method: str, path: str, headers: Headers, body: bytes | None
    ) -> dict[str, Any]:
        event = super()._event(method, path, headers, body)
        for names in (event["headers"], event["multiValueHeaders"]):
            names.pop("x-amzn-trace-id", None)
        return event

    def _refuse(self, response_type: str, path: str, reason: str = "") -> LambdaResponse:
        response = own_response(response_type, path, reason)
        fields = {
            "request_id": response["headers"]["Request-Id"],
            "path": self.to_loggable(path),
            "status": response["statusCode"],
            "response_type": response_type,
        }
        app.log.info("refused", extra={"fields": fields})
        return response


def create_server(settings: Settings, directory: Path) -> Server:
    """Return the ASGI application of this process. `directory` is shared with the others."""
    separate_requests(app)
    rate = settings.rate
    allows = Limits(directory / FILE, rate).allows if rate else lambda _: True
    own = Gateway(app, LAMBDA_MS / 1000, allows)

    def record(method: str, target: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "other"
        metrics.record(known, own.route(target), status, seconds)

    return Server(own, Threads(settings.threads), record, rejected=metrics.REJECTED.inc)


class LossReport:
    """Counts log lines that can't be written, and reports the first of them on standard error.

    The service continues without log lines: `logging` would print a traceback for each.
    """

    _is_reported = False

    def __call__(self, _: logging.LogRecord) -> None:
        metrics.LOST_LINES.inc()
        error = sys.exception()
        if not self._is_reported and isinstance(error, OSError):
            print(f"serve: can't write the log: {error.strerror}", file=sys.stderr)
        self._is_reported = True


def report_lost_lines() -> None:
    report = LossReport()
    for handler in {*app.log.handlers, *logging.getLogger().handlers}:
        handler.handleError = report  # type: ignore[method-assign, assignment]


def main() -> None:
    """Serve until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the supervisor decides
    report_lost_lines()
    favor_event_loop()
    settings = Settings.from_environ(os.environ)
    directory = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    options: dict[str, Any] = {"timeout_graceful_shutdown": GRACE_SECONDS, "log_config": None}
    config = connections.configure(create_server(settings, directory), Connection, **options)
    Worker(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
