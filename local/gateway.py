"""API Gateway on a laptop: Chalice's local gateway, corrected where it differs from AWS.

`Gateway` handles a request in this process, for tests. `python -m local.gateway` serves it over
HTTP with uvicorn. Chalice's own server needs 40 ms for each further request on a connection,
ignores chunked bodies, and answers malformed requests with HTML or not at all.
"""

import argparse
import asyncio
import base64
import contextlib
import logging
import os
import re
import socket
import sys
import time
import uuid
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import h11
import uvicorn
from chalice import Chalice
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.deploy.validate import validate_routes
from chalice.local import (
    InvalidAuthorizerError,
    LambdaContext,
    LocalChalice,
    LocalGateway,
    LocalGatewayAuthorizer,
    NotAuthorizedError,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from chalicelib.http.values import UUID_TEXT
from infrastructure.gateway_responses import render
from local import serving
from local.remapping import remapped
from local.segments import NAME as TRACE_HEADER
from local.segments import Segment
from local.throttle import Throttle

MAX_BODY_BYTES = 10 * 1024 * 1024
INCOMPLETE = {h11.IDLE, h11.SEND_BODY}
TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
# Set by the server, regardless of the handler.
FRAMING = {"connection", "content-length", "transfer-encoding"}
# HTTP allows a request for an absolute URI.
ORIGIN = re.compile(rb"^https?://[^/]*", re.IGNORECASE)
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Everything except characters that must be escaped in a URI, and the semicolon, at which Chalice
# would cut the path.
TARGET_CHARACTERS = "!$%&'()*+,-./:=?@[]_~"

HEADERS = ("headers", "multiValueHeaders")  # of a handler's response

LOG = logging.getLogger(__name__)

LambdaResponse = dict[str, Any]
"""A handler's response for API Gateway: `statusCode`, `headers`, `body` and so on."""


class Refusal(Exception):
    """The gateway responds itself, with the gateway response of this type."""

    def __init__(self, response_type: str, reason: str = "") -> None:
        super().__init__(response_type)
        self.response_type = response_type
        self.reason = reason


class Authorizer(LocalGatewayAuthorizer):
    """Chalice's local authorizer. It rejects as AWS does, also if the app's authorizer raises."""

    def authorize(
        self, raw_path: str, lambda_event: dict[str, Any], lambda_context: LambdaContext
    ) -> tuple[dict[str, Any], LambdaContext]:
        try:
            return super().authorize(raw_path, lambda_event, lambda_context)
        except Refusal:
            raise
        except NotAuthorizedError:
            raise Refusal("UNAUTHORIZED") from None
        except InvalidAuthorizerError:
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR") from None
        except Exception:
            LOG.exception("the authorizer failed")
            raise Refusal("AUTHORIZER_FAILURE") from None

    def _check_can_invoke_view_function(self, arn: str, auth_result: dict[str, Any]) -> bool:
        # Set here, because Chalice drops the context of denied callers.
        if not super()._check_can_invoke_view_function(arn, auth_result):
            raise Refusal("ACCESS_DENIED", str(auth_result.get("context", {}).get("reason", "")))
        return True


class Gateway(LocalGateway):
    """Chalice's local gateway, with its own responses from `gateway_responses`."""

    def __init__(self, app_object: Chalice, config: Config) -> None:
        super().__init__(app_object, config)
        self._authorizer = Authorizer(app_object)
        self._literals = {part for route in app_object.routes for part in route.split("/")}

    def handle_request(
        self, method: str, path: str, headers: dict[str, Any], body: bytes | None
    ) -> LambdaResponse:
        """Return the response of the handler or of the gateway itself.

        `path` may include a query. A header that is repeated has a list of its values.
        """
        last = _last_values(headers)
        segment = Segment(f"{self._config.app_name}/{self._config.chalice_stage}", last)
        rest = {name: value for name, value in headers.items() if name.lower() != TRACE_HEADER}
        response = self._respond(method, path, {**rest, TRACE_HEADER: segment.header}, body)
        length = len(response["body"].encode(errors="replace"))
        segment.end(method, self.to_loggable(path), response["statusCode"], length)
        return response

    def to_loggable(self, target: str) -> str:
        """Return the path for logs and traces: `*` stands for a part that may be personal data.

        Only parts of routes and UUIDs remain, because a client may send
        `/customers/ada@example.com`.
        """
        parts = target.partition("?")[0].split("/")
        return "/".join(part if self._is_impersonal(part) else "*" for part in parts)

    def _is_impersonal(self, part: str) -> bool:
        return part in self._literals or bool(UUID_TEXT.fullmatch(part))

    def _respond(
        self, method: str, path: str, headers: dict[str, Any], body: bytes | None
    ) -> LambdaResponse:
        try:
            response = super().handle_request(method, path, headers, body)
            response |= {name: remapped(response[name]) for name in HEADERS}
            header_lines(response)
        except Refusal as refusal:
            response = own_response(refusal.response_type, path, refusal.reason)
        except Exception:
            LOG.exception("the handler failed")
            response = own_response("INTEGRATION_FAILURE", path)
        return response | {"body": "" if method == "HEAD" else response["body"] or ""}

    def _generate_lambda_event(
        self, method: str, path: str, headers: dict[str, Any], body: bytes | None
    ) -> dict[str, Any]:
        if path.startswith("//"):  # Chalice would ignore the first part, as if it were a host
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
        try:
            event = super()._generate_lambda_event(method, path, _last_values(headers), body)
        except ValueError:
            raise Refusal("MISSING_AUTHENTICATION_TOKEN") from None
        if not self._has_method(event["requestContext"]["resourcePath"], method):
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
        event["multiValueHeaders"] = {name.lower(): _values(v) for name, v in headers.items()}
        event["requestContext"]["requestId"] = str(uuid.uuid4())
        return event

    def _has_method(self, route: str, method: str) -> bool:
        views = self._app_object.routes[route]
        # AWS has the preflight route that Chalice only creates with CORS.
        return method in views or (method == "OPTIONS" and any(v.cors for v in views.values()))


class Server:
    """A gateway as an ASGI application. It logs a line for each request."""

    def __init__(self, gateway: Gateway, throttle: Throttle | None) -> None:
        self._gateway = gateway
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        request = Request(scope, receive)
        try:
            body = await _read(request)
        except ClientDisconnect:
            return
        if self._throttle and not self._throttle.lets_pass():
            # In the event loop, because all threads may be busy.
            response = _response(request.method, own_response("THROTTLED", _target(scope)))
        else:
            response = await run_in_threadpool(self._respond, request, body)
        await response(scope, receive, send)
        path = self._gateway.to_loggable(_target(scope))
        milliseconds = (time.perf_counter() - start) * 1000
        line = f"{request.method} {path} {response.status_code} {milliseconds:.0f} ms\n"
        sys.stderr.write(line)  # in one write, so that lines of concurrent requests don't mix

    def _respond(self, request: Request, body: bytes | None) -> Response:
        target = _target(request.scope)
        if body is None:
            too_large = own_response("REQUEST_TOO_LARGE", target)
            return _response(request.method, too_large, (b"connection", b"close"))
        headers = {name: request.headers.getlist(name) for name in request.headers}
        response = self._gateway.handle_request(request.method, target, headers, body or None)
        return _response(request.method, response)


class Protocol(H11Protocol):
    """uvicorn's HTTP protocol, with the gateway's response to malformed HTTP.

    It also ends incomplete requests. Not based on httptools, which loses the body of requests that
    offer HTTP/2, as Java's client does.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = serving.Patience(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._patience.start()
        super().data_received(data)
        if self.conn.their_state not in INCOMPLETE:
            self._patience.stop()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.trailing_data[0]:  # the beginning of the next request
            self._patience.start()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's own words)
        response = _response("GET", own_response("DEFAULT_4XX", "/"), (b"connection", b"close"))
        error = sys.exception()
        if isinstance(error, h11.ProtocolError) and error.error_status_hint == TOO_LARGE:
            response = serving.too_large()
        self.transport.write(serving.to_bytes(response))
        self.transport.close()


def own_response(response_type: str, target: str, reason: str = "") -> LambdaResponse:
    """Return the gateway's own response to a request for the target."""
    path, request_id = target.partition("?")[0], str(uuid.uuid4())
    status, headers, body = render(response_type, path, request_id, reason)
    return {"statusCode": status, "headers": headers, "multiValueHeaders": {}, "body": body}


def header_lines(response: LambdaResponse) -> list[tuple[str, str]]:
    """Return the response's headers, one entry for each value.

    Raises ValueError if a header or the status is invalid in HTTP.
    """
    if response["statusCode"] not in range(200, 600):
        raise ValueError(f"{response['statusCode']} is not a valid response status")
    headers = {**response["headers"], **response["multiValueHeaders"]}
    lines = [(name, str(value)) for name, given in headers.items() for value in _values(given)]
    for name, value in lines:
        if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
            raise ValueError(f"{name!r} is not a valid header in HTTP")
    return lines


def _last_values(headers: dict[str, Any]) -> dict[str, Any]:
    """Return the last value of each header, as `headers` of AWS's event has it."""
    return {name: _values(given)[-1] for name, given in headers.items()}


def _values(given: object) -> list[object]:
    return given if isinstance(given, list) else [given]


async def _read(request: Request) -> bytes | None:
    """Return the body, or None if it is too large.

    A body that is too large is read and discarded, because a client that is sending does not read
    the response; except if the client first asks whether to send (Expect: 100-continue).
    """
    announced = int(request.headers.get("content-length", 0))
    if announced > MAX_BODY_BYTES and "expect" in request.headers:
        return None
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            body += chunk
    return bytes(body) if size <= MAX_BODY_BYTES else None


def _target(scope: Scope) -> str:
    """Return the raw path and query, with the escapes that URIs require."""
    path = ORIGIN.sub(b"", scope["raw_path"]) or b"/"
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return quote(path + query, safe=TARGET_CHARACTERS)


def _response(method: str, result: LambdaResponse, *more: tuple[bytes, bytes]) -> Response:
    has_body = method != "HEAD" and result["statusCode"] not in BODILESS
    text = result["body"] if has_body else ""
    body = base64.b64decode(text) if result.get("isBase64Encoded") else text.encode()
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in header_lines(result)
        if name.lower() not in FRAMING
    ]
    length = [(b"content-length", str(len(body)).encode())] if has_body else []
    response = Response(body, result["statusCode"])
    response.raw_headers = [*headers, *length, *more]
    return response


def load(project: str, stage: str) -> Gateway:
    """Return the gateway of the app in a directory, loaded as `chalice local --stage` loads it.

    Sets the stage's environment variables in this process. Raises RuntimeError or ValueError if the
    configuration, the app's syntax or its routes are invalid.
    """
    config = CLIFactory(project, environ=os.environ).create_config_obj(chalice_stage_name=stage)
    app = config.chalice_app
    validate_routes(app.routes)
    # Each thread has its own request.
    app.__class__ = type("LocalApp", (LocalChalice, type(app)), {})
    return Gateway(app, config)


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    arguments = _arguments()
    try:
        throttle = Throttle.parse(os.environ.get("THROTTLE", ""))
        gateway = load(os.getcwd(), arguments.stage)  # noqa: PTH109 (Chalice takes text)
        listener = _listen(arguments.port)
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"gateway: {error}")
    # The API itself decides about origins: see CORS_ORIGINS.
    app = serving.Guard(Server(gateway, throttle), serving.LOOPBACK, origins=None)
    config = serving.configure(app, Protocol)
    print(f"The API listens on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.gateway",
        description="Serve the API as API Gateway does, on this machine.",
        epilog="Environment: THROTTLE (rate/burst, such as 50/100 as in dev) limits requests per"
        " second, and bursts; other requests get 429. Default: no limit.",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="0 selects a free port (default: %(default)s)"
    )
    parser.add_argument("--stage", default="local", help="stage in .chalice (default: %(default)s)")
    return parser.parse_args()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=2048)
    except (OSError, OverflowError) as error:
        code = getattr(error, "errno", None)
        reason = os.strerror(code) if code else error
        raise OSError(f"can't listen on port {port}: {reason}") from error


if __name__ == "__main__":
    main()
