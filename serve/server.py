"""A gateway as an ASGI application."""

import asyncio
import base64
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from serve.gateway import HEALTH, Arrival, Gateway, LambdaResponse, header_lines, own_response
from serve.threads import Threads

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_IN_FLIGHT = 100
"""Requests that run or wait for a thread. Further ones would wait for long, so they get 429."""
INTEGRATION_SECONDS = 29.0
"""How long a client waits for a handler: API Gateway's default."""
BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
# Set by the server, regardless of the handler.
FRAMING = {"connection", "content-length", "transfer-encoding"}
CLOSE = (b"connection", b"close")
# Everything except characters that must be escaped in a URI.
TARGET_CHARACTERS = "!$%&'()*+,-./:;=?@[]_~"
TARGET = re.compile(r"[!$%&'()*+,\-./:;=?@\[\]_~0-9A-Za-z]*")
TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS.value

LOG = logging.getLogger(__name__)

Record = Callable[[str, str, int, float], None]
"""Called with each response: the request's method and target, the status, and the seconds."""


class Disconnected(Exception):
    """The client has gone before it sent the whole request."""


class Rejection:
    """429 for a request that is too many, rendered in advance: overload leaves no time for it."""

    def __init__(self) -> None:
        response = own_response("THROTTLED", "/")
        self._id = response["headers"].pop("Request-Id")
        start, _, self._end = response["body"].partition(f'"{self._id}"')
        self._start, self._middle = start.split('"/"')
        self._headers = _encode_headers(response)

    async def send(self, send: Send, target: str) -> None:
        request_id, path = str(uuid.uuid4()), json.dumps(target.partition("?")[0])
        text = f'{self._start}{path}{self._middle}"{request_id}"{self._end}'
        body = text.encode()
        own = [(b"request-id", request_id.encode()), (b"content-length", b"%d" % len(body))]
        headers = [*self._headers, *own]
        await send({"type": "http.response.start", "status": TOO_MANY, "headers": headers})
        await send({"type": "http.response.body", "body": body})  # uvicorn omits it for HEAD


class Server:
    """Serves a gateway. `throttle` decides whether another request may be handled now.

    Calls `record` with each response, but only `rejected` with a response to a request that is too
    many.

    A request that is too many gets 429 in the event loop, because all threads may be busy, and is
    only counted: a log line would cost more than the response. `/health` never is too many.
    """

    def __init__(
        self,
        gateway: Gateway,
        threads: Threads,
        record: Record,
        throttle: Callable[[], bool] = lambda: True,
        rejected: Callable[[], None] = lambda: None,
    ) -> None:
        self._gateway = gateway
        self._threads = threads
        self._record = record
        self._throttle = throttle
        self._on_rejected = rejected
        self._rejection = Rejection()
        self._rejected = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.monotonic()
        target = _target(scope)
        if target != HEALTH and self._is_overloaded():
            await self._rejection.send(send, target)
            self._count_rejected()
            return
        try:
            response, more = await self._respond(scope, target, receive, start)
        except Disconnected:
            return
        await _send(send, scope["method"], response, *more)
        self._record(scope["method"], target, response["statusCode"], time.monotonic() - start)

    def _is_overloaded(self) -> bool:
        return self._threads.busy >= MAX_IN_FLIGHT or not self._throttle()

    async def _respond(
        self, scope: Scope, target: str, receive: Receive, start: float
    ) -> tuple[LambdaResponse, Iterable[tuple[bytes, bytes]]]:
        headers = _headers(scope)
        body = await _read(headers, receive)
        if body is None:
            return own_response("REQUEST_TOO_LARGE", target), [CLOSE]
        address = scope["client"][0] if scope["client"] else ""
        call = partial(
            self._gateway.handle_request,
            scope["method"],
            target,
            headers,
            body or None,
            Arrival(address, start),
        )
        if target == HEALTH:  # a check of this process: it needs neither a thread nor a database
            return call(), []
        try:
            async with asyncio.timeout(INTEGRATION_SECONDS):
                return await self._threads.run(call), []
        except TimeoutError:
            return own_response("INTEGRATION_TIMEOUT", target), []

    def _count_rejected(self) -> None:
        self._on_rejected()
        if not self._rejected:
            asyncio.get_running_loop().call_later(1, self._report_rejected)
        self._rejected += 1

    def _report_rejected(self) -> None:
        # As a field: the formatter drops the arguments of messages outside the service.
        LOG.warning("too many requests in progress", extra={"fields": {"rejected": self._rejected}})
        self._rejected = 0


def _headers(scope: Scope) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return headers


async def _read(headers: dict[str, list[str]], receive: Receive) -> bytes | None:
    """Return the body, or None if it is too large. Raises Disconnected.

    A body that is too large is read and discarded, because a client that is sending does not read
    the response; except if the client first asks whether to send (Expect: 100-continue).
    """
    if not ("content-length" in headers or "transfer-encoding" in headers):
        return b""
    announced = int(headers.get("content-length", ["0"])[0])
    if announced > MAX_BODY_BYTES and "expect" in headers:
        return None
    body, size, is_complete = bytearray(), 0, False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        size += len(message["body"])
        if size <= MAX_BODY_BYTES:
            body += message["body"]
        is_complete = not message["more_body"]
    return bytes(body) if size <= MAX_BODY_BYTES else None


def _target(scope: Scope) -> str:
    """Return the raw path and query, with the escapes that URIs require."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    target = ((scope["raw_path"] or b"/") + query).decode("latin-1")
    return target if TARGET.fullmatch(target) else quote(target, TARGET_CHARACTERS, "latin-1")


def _encode_headers(result: LambdaResponse) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in header_lines(result)
        if name.lower() not in FRAMING
    ]


async def _send(
    send: Send, method: str, result: LambdaResponse, *more: tuple[bytes, bytes]
) -> None:
    has_body = method != "HEAD" and result["statusCode"] not in BODILESS
    text = result["body"] if has_body else ""
    body = base64.b64decode(text) if result.get("isBase64Encoded") else text.encode()
    headers = _encode_headers(result)
    length = [(b"content-length", str(len(body)).encode())] if has_body else []
    status = result["statusCode"]
    head = {"type": "http.response.start", "status": status, "headers": [*headers, *length, *more]}
    await send(head)
    await send({"type": "http.response.body", "body": body})
