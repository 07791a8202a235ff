"""HTTP: route requests to operations, and write responses and errors as AWS does.

Source: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

import asyncio
import contextlib
import json
import logging
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from .access import EVERYONE, Access
from .errors import (
    BadRequestException,
    DataApiError,
    InternalServerErrorException,
    UnknownOperationException,
)
from .requests import Fields, parse
from .service import Service

logger = logging.getLogger(__name__)

REQUEST_LIMIT = 4 * 1024 * 1024

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Operation = Callable[[Fields], Awaitable[dict[str, Any]]]
Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(service: Service, access: Access = EVERYONE) -> Starlette:
    """Return the ASGI application for `service`, which the caller must close."""

    def route(path: str, operation: Operation, *required: str) -> Route:
        async def endpoint(request: Request) -> Response:
            body = await _body(request)
            with _report_unexpected():
                access.check_signature(request, body)
                fields = parse(body, *required)
                access.check_arns(fields)
                return _respond(await operation(fields))

        return Route(path, endpoint, methods=["POST"])

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        expiry = asyncio.create_task(service.expire_transactions())
        yield
        expiry.cancel()

    app = Starlette(
        routes=[
            route("/Execute", service.execute_statement, "sql"),
            route("/BatchExecute", service.batch_execute_statement, "sql"),
            route("/BeginTransaction", service.begin_transaction),
            route("/CommitTransaction", service.commit_transaction, "transactionId"),
            route("/RollbackTransaction", service.rollback_transaction, "transactionId"),
        ],
        exception_handlers={
            DataApiError: _refuse,
            HTTPException: _unknown,
            ClientDisconnect: _nobody,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # AWS has no other paths
    return app


@contextlib.contextmanager
def _report_unexpected() -> Iterator[None]:
    """Log an unexpected exception, and raise InternalServerErrorException instead.

    Starlette's handler would raise it again, and uvicorn would close the client's connection.
    """
    try:
        yield
    except DataApiError:
        raise
    except Exception as error:
        logger.exception("a call failed")
        raise InternalServerErrorException("An internal error occurred") from error


async def _body(request: Request) -> bytes:
    room = REQUEST_LIMIT - sum(len(name) + len(value) for name, value in request.headers.raw)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > room:
            raise BadRequestException("The request is larger than 4 MiB")
    return bytes(body)


def _respond(body: dict[str, Any], status: int = 200, error: str | None = None) -> Response:
    # Request ids need no cryptographic randomness, which would cost 20 us per call.
    request_id = uuid.UUID(int=random.getrandbits(128), version=4)
    headers = {"x-amzn-RequestId": str(request_id)}
    if error:
        headers["x-amzn-ErrorType"] = error
    return Response(_encode(body), status, headers, "application/json")


def error_response(error: DataApiError) -> Response:
    """Return an error as AWS writes it."""
    return _respond(error.body, error.status, type(error).__name__)


async def _refuse(_: Request, error: Exception) -> Response:
    return error_response(cast("DataApiError", error))


async def _unknown(request: Request, _: Exception) -> Response:
    return error_response(
        UnknownOperationException(f"No operation is at {request.method} {request.url.path}")
    )


async def _nobody(_: Request, __: Exception) -> Response:
    """Handle a client that disconnected while it was sending."""
    return Response(status_code=400)
