"""The app of a server with faults: wrapped from outside, and controlled at `/_faults`.

Only a server started with `--faults` is wrapped: any other has nothing of this in a call's way.
A fault is given before a call is looked at, its signature and its members included.

To drop a connection takes its transport, which uvicorn keeps to itself: `Protocol` hands it to
the application in each request's state. An answer is spoilt by a Response that is sent otherwise.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
"""

import asyncio
import json
from contextlib import suppress

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local.data_api.access import Access
from local.data_api.errors import BadRequestException, DataApiError
from local.data_api.faults import ANSWERS, OTHERS, FaultsError, Planned, read
from local.data_api.server import Endpoint, create_app, error_response
from local.data_api.service import Service
from local.data_api.transactions import ABORTED, EXPIRED

PIECES = 20
"""In how many pieces an answer drips."""


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, which also hands each request its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class Faults:
    """The plan of a running server: gives the faults, and is asked and told over HTTP."""

    def __init__(self, service: Service, plan: list[Planned]) -> None:
        self._service = service
        self._plan = plan

    def around(self, operation: str, endpoint: Endpoint) -> Endpoint:
        """Return an operation's endpoint with the faults of the plan."""

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
        """Answer the plan and its counts, after PUT has replaced or DELETE emptied it."""
        if request.method == "PUT":
            try:
                self._plan = read(await request.body())
            except FaultsError as error:
                raise BadRequestException(str(error)) from None
        elif request.method == "DELETE":
            self._plan = []
        return JSONResponse(
            [{**fault.members, "given": fault.given, "left": fault.left} for fault in self._plan]
        )

    async def _give(
        self, planned: Planned, transaction: str | None, endpoint: Endpoint, request: Request
    ) -> Response:
        answer = await _answer(endpoint, request) if planned.is_after else None
        if answer and planned.kind in ANSWERS:
            return await _spoilt(answer, planned, request)
        await asyncio.sleep(planned.seconds)
        if planned.kind == "drop":
            return _Dropped(request)
        if planned.kind not in OTHERS:
            return self._error(planned, transaction)
        if planned.kind == "expire":
            self._end(transaction, EXPIRED)
        return answer or await endpoint(request)

    def _error(self, planned: Planned, transaction: str | None) -> Response:
        error = planned.error()
        if error.aborts_transaction:
            self._end(transaction, ABORTED)
        answer = error_response(error)
        answer.status_code = planned.members.get("status", answer.status_code)
        return answer

    def _end(self, transaction: str | None, cause: str) -> None:
        if transaction is not None:
            self._service.end_transaction(transaction, cause)


def create_faulty_app(service: Service, plan: list[Planned], access: Access) -> Starlette:
    """Return the app of `server.create_app` with faults, and with `/_faults` to control them."""
    app = create_app(service, access)
    faults = Faults(service, plan)
    app.router.routes = [
        Route(route.path, faults.around(route.path.strip("/"), route.endpoint), methods=["POST"])
        for route in app.routes
        if isinstance(route, Route)
    ]
    app.add_route("/_faults", faults.control, methods=["GET", "PUT", "DELETE"])
    return app


def _transaction(body: bytes) -> str | None:
    with suppress(ValueError, RecursionError, AttributeError):
        transaction = json.loads(body).get("transactionId")
        return transaction if isinstance(transaction, str) else None
    return None


async def _answer(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except DataApiError as error:
        return error_response(error)


async def _spoilt(answer: Response, planned: Planned, request: Request) -> Response:
    if planned.kind == "drip":
        return _Dripping(answer, request, planned.seconds)
    await asyncio.sleep(planned.seconds)
    return (_Half if planned.kind == "half" else _Garbage)(answer, request)


class _Dropped(Response):
    """The connection's end, without a byte of an answer."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._transport: asyncio.Transport = request.state.transport

    async def __call__(self, _: Scope, receive: Receive, __: Send) -> None:
        self._transport.abort()
        await _disconnect(receive)


class _Altered(Response):
    """An answer that is sent otherwise than as it is."""

    def __init__(self, answer: Response, request: Request) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = answer.raw_headers
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
        self._transport.close()  # after what has been sent
        await _disconnect(receive)


class _Dripping(_Altered):
    """The headers at once, the body in equal pieces over `seconds`."""

    def __init__(self, answer: Response, request: Request, seconds: float) -> None:
        super().__init__(answer, request)
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
    """A body of the right length in which every bit is wrong: neither JSON nor UTF-8."""

    def __init__(self, answer: Response, request: Request) -> None:
        super().__init__(answer, request)
        self.body = bytes(byte ^ 0xFF for byte in answer.body)


class _Half(_Altered):
    """The headers and half of the body, and then the connection's end."""

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await self._start(send)
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._hang_up(receive)


async def _disconnect(receive: Receive) -> None:
    """Wait until uvicorn has seen the end too, which else sends an answer of its own."""
    while (await receive())["type"] != "http.disconnect":
        pass
