"""The rules of all our HTTP servers, which web pages and broken clients can reach.

    rule                                                       response
    one Host, with a name of this machine (DNS rebinding)      400
    no Origin, or an allowed one (other sites' pages)          403
    not both Transfer-Encoding and Content-Length (smuggling)  400, and the connection ends
    at most MAX_HEAD_BYTES before the body                     431, and the connection ends
    a complete request within REQUEST_SECONDS                  none: the connection ends

`Guard` checks complete heads, `Protocol` limits incomplete ones.

Sources: https://www.rfc-editor.org/rfc/rfc9112#section-3.2 (Host)
         https://www.rfc-editor.org/rfc/rfc9112#section-6.1 (Transfer-Encoding)
         https://www.rfc-editor.org/rfc/rfc6585#section-5 (431)
"""

import asyncio
import json
import re
from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Maximum size of the request line and headers."""
REQUEST_SECONDS = 30.0
"""Maximum time from a connection's start, or a request's first byte, to the request's end."""
KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep idle connections, so that no server closes one during a request."""
GRACE_SECONDS = 1
"""How long SIGTERM waits for requests in progress."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::[0-9]*)?")


def configure(app: ASGIApp, protocol: type[asyncio.Protocol], **options: Any) -> uvicorn.Config:
    """Return the configuration of a server. `options` are uvicorn's."""
    settings: dict[str, Any] = {
        "interface": "asgi3",
        "http": protocol,
        "loop": "uvloop",
        "ws": "none",  # even if a library for WebSockets is installed
        "lifespan": "off",
        "log_level": "warning",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }
    return uvicorn.Config(app, **settings | options)


class Guard:
    """Passes on a request to `app` if its head obeys the rules; otherwise responds itself.

    None for `hosts` or `origins` allows all of them.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str] | None, origins: Collection[str] | None
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._refusal(scope) or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        names = {name for name, _ in headers}
        if {b"transfer-encoding", b"content-length"} <= names:
            return refuse(400, "Send either Transfer-Encoding or Content-Length.", is_last=True)
        target = len(scope["raw_path"]) + len(scope["query_string"])
        if target + sum(len(name) + len(value) for name, value in headers) > MAX_HEAD_BYTES:
            return too_large()
        if not self._is_host_allowed(_values(headers, b"host"), scope["http_version"]):
            return refuse(400, "Use a name of this machine as Host, such as 127.0.0.1.")
        origins = _values(headers, b"origin")
        if self._origins is not None and not set(origins) <= set(self._origins):
            return refuse(403, "Web pages of other sites may not use this server.")
        return None

    def _is_host_allowed(self, hosts: list[str], http_version: str) -> bool:
        if len(hosts) != 1:
            return not hosts and http_version == "1.0"
        name = _HOST.fullmatch(hosts[0])
        return self._hosts is None or (name is not None and name[1].lower() in self._hosts)


class Patience:
    """Ends a connection whose request is not complete in time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None
        self.start()

    def start(self) -> None:
        """Start to wait for a complete request, unless this is waiting already."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(REQUEST_SECONDS, self._transport.abort)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


class Protocol(HttpToolsProtocol):
    """uvicorn's fast HTTP protocol, which also ends long and incomplete requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = Patience(transport)
        self._is_head = False
        self._size = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._patience.start()
        self._unset_keepalive_if_required()
        self.feed(data)
        self._size = self._size + len(data) if self._is_head else 0
        if self._size > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(to_bytes(too_large()))
            self.transport.close()

    def feed(self, data: bytes) -> None:
        """Parse the next part of a connection. Responds with 400 to bytes that are not HTTP."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])

    def _decline(self, rest: bytes) -> None:
        """Continue with HTTP/1.1: the parser took what follows the head for another protocol."""
        lines = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        line = method + b" " + self.url + b" HTTP/" + version
        self.parser = httptools.HttpRequestParser(self)
        self.feed(b"\r\n".join([line, *lines, b"", b""]) + rest)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._patience.start()
        self._is_head = True

    def on_headers_complete(self) -> None:
        """Begin the request. Raises HttpParserInvalidURLError, which the parser reports."""
        is_path = self.url.startswith(b"/")
        if self.parser.get_method() == b"CONNECT" or not (is_path or self._has_path()):
            raise httptools.HttpParserInvalidURLError("neither a path nor a URL with a path")
        self._is_head = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def _has_path(self) -> bool:
        return bool(httptools.parse_url(self.url).path)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self._patience.stop()
            super().on_message_complete()


def refuse(status: int, detail: str, *, is_last: bool = False) -> Response:
    """Return a problem (RFC 9457), after which the connection ends if it `is_last`."""
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = {"Connection": "close"} if is_last else {}
    return Response(json.dumps(problem), status, headers, "application/problem+json")


def too_large() -> Response:
    detail = f"The request line and headers may have at most {MAX_HEAD_BYTES} bytes."
    return refuse(431, detail, is_last=True)


def to_bytes(response: Response) -> bytes:
    """Return the response as it is sent by a protocol that could not parse the request."""
    return message(response.status_code, response.raw_headers, bytes(response.body))


def message(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Return the bytes of a response."""
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return head + b"".join(lines) + b"\r\n" + body


def _values(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for name, value in headers if name == wanted]
