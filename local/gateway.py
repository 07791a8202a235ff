"""API Gateway on a laptop: the gateway of `serve`, with what AWS does besides.

`Gateway` handles a request in this process, for tests. `python -m local.gateway` serves it over
HTTP. It renames headers as AWS does, and sends X-Ray segments. In the stage `local`, it
also tells the developer the text of exceptions, and the console the headers and bodies.
"""

import argparse
import contextlib
import logging
import os
import socket
import sys
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from chalice import Chalice
from chalice.app import ChaliceAuthorizer
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.deploy.validate import validate_routes

from chalicelib.settings import LOCAL_ISSUER
from local import exchanges, failures
from local.failures import Failures
from local.processes import API_LISTENS
from local.remapping import remapped
from local.segments import NAME as TRACE_HEADER
from local.segments import Segment
from local.throttle import Throttle
from serve import connections, gateway
from serve.connections import LOOPBACK
from serve.gateway import (
    Arrival,
    Authorizers,
    Context,
    Headers,
    LambdaResponse,
    Permission,
    separate_requests,
)
from serve.protocol import Protocol
from serve.server import Server
from serve.threads import Threads, favor_event_loop

THREADS = 40
MAX_SECONDS = 900
"""How long a function may take that sets no timeout."""
HEADERS = ("headers", "multiValueHeaders")  # of a handler's response
_segment: ContextVar[Segment] = ContextVar("segment")  # of the thread's request


class TracedAuthorizers(Authorizers):
    """Authorizers whose calls are parts of the trace. A cached result needs no call."""

    def _ask(self, authorizer: ChaliceAuthorizer, token: str, arn: str) -> Permission:
        with _segment.get().part("authorizer"):
            return super()._ask(authorizer, token, arn)


class Gateway(gateway.Gateway):
    """The gateway of an app in a stage of its configuration."""

    def __init__(self, app_object: Chalice, config: Config) -> None:
        super().__init__(app_object, config.lambda_timeout or MAX_SECONDS)
        self._authorizers = TracedAuthorizers()
        self._config = config
        self._failures: Failures | None = None

    def show_details(self) -> None:
        """Show the developer what other stages keep secret.

        Responses contain the text of an unexpected exception, and the log its traceback. The
        console receives headers and bodies.
        """
        self._failures = Failures(self._app.log, logging.getLogger())

    def handle_request(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes | None,
        arrival: Arrival | None = None,
    ) -> LambdaResponse:
        """Return the response, and send the request's segment to X-Ray."""
        last = {name: v[-1] if isinstance(v, list) else v for name, v in headers.items()}
        segment = Segment(f"{self._config.app_name}/{self._config.chalice_stage}", last)
        _segment.set(segment)
        rest = {name: value for name, value in headers.items() if name.lower() != TRACE_HEADER}
        traced = {**rest, TRACE_HEADER: segment.header}
        response = super().handle_request(method, path, traced, body, arrival)
        if self._failures:
            response = self._failures.explain(response, segment.trace_id)
        length = len(response["body"].encode(errors="replace"))
        segment.end(method, self.to_loggable(path), response["statusCode"], length)
        if self._failures:
            sent = exchanges.Sent(path, headers, body, segment.caller)
            segment.send(exchanges.encode(segment.trace_id, sent, response))
        return response

    def _caller(
        self, request: dict[str, Any], authorizer: ChaliceAuthorizer, token: str | None
    ) -> dict[str, str]:
        caller = super()._caller(request, authorizer, token)
        _segment.get().caller = caller["principalId"]
        return caller

    def _refuse(self, response_type: str, path: str, reason: str = "") -> LambdaResponse:
        """Lead people from the root, which no operation has, to the console's overview.

        The console issues the tokens, unless the developer has chosen another issuer.
        """
        response = super()._refuse(response_type, path, reason)
        console = os.environ.get("TOKEN_ISSUER", LOCAL_ISSUER)
        if path.partition("?")[0] != "/" or urlsplit(console).hostname not in LOOPBACK:
            return response
        headers = response["headers"] | {"Location": f"{console}/"}
        return response | {"statusCode": HTTPStatus.FOUND.value, "headers": headers}

    def _invoke(self, event: dict[str, Any], context: Context) -> LambdaResponse:
        response = super()._invoke(event, context)
        return response | {name: remapped(response[name]) for name in HEADERS}


def load(project: str, stage: str) -> Gateway:
    """Return the gateway of the app in a directory, loaded as `chalice local --stage` loads it.

    Sets the stage's environment variables in this process. Raises RuntimeError or ValueError if the
    configuration, the app's syntax or its routes are invalid.
    """
    config = CLIFactory(project, environ=os.environ).create_config_obj(chalice_stage_name=stage)
    app = config.chalice_app
    validate_routes(app.routes)
    separate_requests(app)
    return Gateway(app, config)


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    arguments = _arguments()
    try:
        throttle = Throttle.parse(os.environ.get("THROTTLE", ""))
        own = load(os.getcwd(), arguments.stage)  # noqa: PTH109 (Chalice takes text)
        listener = _listen(arguments.port)
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"gateway: {error}")
    if arguments.stage == failures.STAGE:
        own.show_details()
    favor_event_loop()
    config = connections.configure(_create_app(own, throttle), Protocol)
    print(f"{API_LISTENS} http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _create_app(own: Gateway, throttle: Throttle | None) -> connections.Guard:
    def record(method: str, target: str, status: int, seconds: float) -> None:
        line = f"{method} {own.to_loggable(target)} {status} {seconds * 1000:.0f} ms\n"
        sys.stderr.write(line)  # in one write, so that lines of concurrent requests don't mix

    lets_pass = throttle.lets_pass if throttle else lambda: True
    server = Server(own, Threads(THREADS), record, lets_pass)
    # The API itself decides about origins: see CORS_ORIGINS.
    return connections.Guard(server, connections.LOOPBACK, origins=None)


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
