"""Wrap the server's app with fault injection, controlled at `/_faults`.

Only a server started with `--faults` is wrapped, so that calls to other servers have no overhead. A
fault is injected before the server checks the call's signature and fields.

To drop a connection, the code closes its transport, which is private to uvicorn: `Protocol` adds it
to each request's state. Damaged responses are Response objects that send themselves differently.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
"""

import asyncio
import json
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from .access import Access
from .errors import BadRequestException, DataApiError
from .faults import ANSWERS, OTHERS, FaultsError, Planned, read
from .server import App, Endpoint, create_app, error_response
from .service import Service
from .serving import Protocol as Base
from .transactions import ABORTED, EXPIRED

PIECES = 20
"""Number of pieces in which a slow response is sent."""


class Protocol(Base):
    """The server's HTTP protocol, which also adds the connection to each request."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class Faults:
    """The plan of a running server: injects the faults, and is read and changed over HTTP."""

    def __init__(self, service: Service, plan: list[Planned]) -> None:
        self._service = service
        self._plan = plan

    def around(self, operation: str, endpoint: Endpoint) -> Endpoint:
        """Return an operation's endpoint with fault injection."""

        async def faulty(request: Request) -> Response:
            if not self._plan:
                return await endpoint(request)
            transaction = _transaction(await request.body())
            for planned in self._plan:
                if planned.takes(operation, transaction):
                    try:
                        return await self._give(planned, transaction, endpoint, request)
                    except asyncio.CancelledError:  # the server ends, and does not wait for faults
                        return _Dropped(request)
            return await endpoint(request)

        return faulty

    async def control(self, request: Request) -> Response:
        """Return the plan and its counts. PUT replaces the plan first, DELETE empties it."""
        if request.method == "PUT":
            try:
                self._plan = read(await request.body())
            except FaultsError as error:
                raise BadRequestException(str(error)) from None
        elif request.method == "DELETE":
            self._plan = []
        return JSONResponse(
            [{**fault.data, "given": fault.given, "left": fault.left} for fault in self._plan]
        )

    async def _give(
        self, planned: Planned, transaction: str | None, endpoint: Endpoint, request: Request
    ) -> Response:
        response = await _call(endpoint, request) if planned.is_after else None
        if response and planned.kind in ANSWERS:
            return await _spoilt(response, planned, request)
        await asyncio.sleep(planned.seconds)
        if planned.kind == "drop":
            return _Dropped(request)
        if planned.kind not in OTHERS:
            return self._error(planned, transaction)
        if planned.kind == "expire":
            self._end(transaction, EXPIRED)
        return response or await endpoint(request)

    def _error(self, planned: Planned, transaction: str | None) -> Response:
        error = planned.error()
        if error.aborts_transaction:
            self._end(transaction, ABORTED)
        response = error_response(error)
        response.status_code = planned.data.get("status", response.status_code)
        return response

    def _end(self, transaction: str | None, cause: str) -> None:
        if transaction is not None:
            self._service.end_transaction(transaction, cause)


def create_faulty_app(service: Service, plan: list[Planned], access: Access) -> App:
    """Return the app of `server.create_app` with fault injection and `/_faults`."""
    faults = Faults(service, plan)
    endpoints = {
        (method, path): faults.around(path.strip("/"), endpoint)
        for (method, path), endpoint in create_app(service, access).endpoints.items()
    }
    control = {(method, "/_faults"): faults.control for method in ("GET", "PUT", "DELETE")}
    return App({**endpoints, **control})


def _transaction(body: bytes) -> str | None:
    with suppress(ValueError, RecursionError, AttributeError):
        transaction = json.loads(body).get("transactionId")
        return transaction if isinstance(transaction, str) else None
    return None


async def _call(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except DataApiError as error:
        return error_response(error)


async def _spoilt(response: Response, planned: Planned, request: Request) -> Response:
    if planned.kind == "drip":
        return _Dripping(response, request, planned.seconds)
    await asyncio.sleep(planned.seconds)
    return (_Half if planned.kind == "half" else _Garbage)(response, request)


class _Dropped(Response):
    """Closes the connection without sending a byte."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._transport: asyncio.Transport = request.state.transport

    async def __call__(self, _: Scope, receive: Receive, __: Send) -> None:
        self._transport.abort()
        await _disconnect(receive)


class _Altered(Response):
    """A response that is sent in a damaged form."""

    def __init__(self, response: Response, request: Request) -> None:
        super().__init__(response.body, response.status_code)
        self.raw_headers = response.raw_headers
        self._transport: asyncio.Transport = request.state.transport

    async def _start(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )

    async def _hang_up(self, receive: Receive) -> None:
        self._transport.close()  # after everything was sent
        await _disconnect(receive)


class _Dripping(_Altered):
    """Sends the headers at once, and the body in equal pieces over `seconds`."""

    def __init__(self, response: Response, request: Request, seconds: float) -> None:
        super().__init__(response, request)
        self._seconds = seconds

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await self._start(send)
        try:
            await self._drip(send)
        except asyncio.CancelledError:  # the server ends
            await self._hang_up(receive)

    async def _drip(self, send: Send) -> None:
        size = max(len(self.body) // PIECES, 1)
        starts = range(0, len(self.body), size)
        for start in starts:
            await asyncio.sleep(self._seconds / len(starts))
            piece = bytes(self.body[start : start + size])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class _Garbage(_Altered):
    """Sends a body of the right length with all bits inverted: neither JSON nor UTF-8."""

    def __init__(self, response: Response, request: Request) -> None:
        super().__init__(response, request)
        self.body = bytes(byte ^ 0xFF for byte in response.body)


class _Half(_Altered):
    """Sends the headers and half of the body, then closes the connection."""

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await self._start(send)
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._hang_up(receive)


async def _disconnect(receive: Receive) -> None:
    """Wait until uvicorn has noticed the end. Otherwise it would send its own response."""
    while (await receive())["type"] != "http.disconnect":
        pass
