"""HTTP: route requests to operations, and write responses and errors as AWS does.

Source: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

import json
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

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
Endpoints = Mapping[tuple[str, str], Endpoint]
"""The endpoints by method and path."""


class App:
    """The ASGI application: returns an error, as AWS writes it, for every exception.

    Starlette's application, with its middlewares and path patterns, would add 25 us to each call.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        target = request.scope["method"], request.scope["path"]
        try:
            return await self.endpoints.get(target, _unknown)(request)
        except DataApiError as error:
            return error_response(error)
        except ClientDisconnect:  # while it was sending
            return Response(status_code=400)
        except Exception:  # uvicorn would close the connection
            logger.exception("a call failed")
            return error_response(InternalServerErrorException("An internal error occurred"))


def create_app(service: Service, access: Access = EVERYONE) -> App:
    """Return the ASGI application for `service`, which the caller must close."""

    def endpoint(operation: Operation, *required: str) -> Endpoint:
        async def call(request: Request) -> Response:
            body = await _body(request)
            access.check_signature(request, body)
            fields = parse(body, *required)
            access.check_arns(fields)
            return _respond(await operation(fields))

        return call

    return App(
        {
            ("POST", "/Execute"): endpoint(service.execute_statement, "sql"),
            ("POST", "/BatchExecute"): endpoint(service.batch_execute_statement, "sql"),
            ("POST", "/BeginTransaction"): endpoint(service.begin_transaction),
            ("POST", "/CommitTransaction"): endpoint(service.commit_transaction, "transactionId"),
            ("POST", "/RollbackTransaction"): endpoint(
                service.rollback_transaction, "transactionId"
            ),
        }
    )


async def _unknown(request: Request) -> Response:
    method, path = request.scope["method"], request.scope["path"]
    raise UnknownOperationException(f"No operation is at {method} {path}")


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
