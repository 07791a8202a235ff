"""The console's pages, available only to browsers on this machine."""

import time

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import SCOPES
from local.console.events import Deliveries
from local.console.history import History
from local.console.overview import summarize
from local.console.templates import (
    CONFIGURATION_PATH,
    FOLDER,
    KEYS_PATH,
    MISSING,
    PAGES,
    render,
)
from local.console.traces import Traces
from local.issuer import LIFETIME_SECONDS, Issuer
from local.processes import answers
from local.stack import Settings
from serve.connections import LOOPBACK, Guard

# A page that needs more sets its own Content-Security-Policy.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
POLICY = (
    HEADERS["Content-Security-Policy"] + "; script-src 'self'; style-src 'self';"
    " img-src 'self'{images}; connect-src 'self'{servers}"
)


def create_app(
    issuer: Issuer, settings: Settings, traces: Traces, history: History, deliveries: Deliveries
) -> Starlette:
    """Return the ASGI application: the pages, their data, and the issuer's keys."""

    def page(request: Request) -> Response:
        if request.url.hostname != "127.0.0.1":  # the only origin that the API allows
            return RedirectResponse(f"{issuer.url}{request.url.path}")
        path = request.url.path
        status = 200 if path in PAGES else 404
        headers = {"Content-Security-Policy": _policy(path, settings)}
        return HTMLResponse(render(path, settings), status, headers)

    def missing(request: Request, _: Exception) -> Response:
        return page(request)

    def requests(request: Request) -> Response:
        is_for_a_page = "since" in request.query_params
        return history.list(request) if is_for_a_page else page(request)

    def overview(_: Request) -> Response:
        rows, is_complete = traces.all()
        figures = summarize(rows, time.time(), is_complete=is_complete)
        return JSONResponse({**figures, "is_api_running": answers(settings.port)})

    def events(request: Request) -> Response:
        wanted = request.query_params.get("resource_id")
        latest = [each.row() for each in deliveries.latest]
        return JSONResponse(
            {"items": [row for row in latest if wanted in {None, row["resource_id"]}]}
        )

    def token(request: Request) -> Response:
        return _token(issuer, request)

    def keys(_: Request) -> Response:
        return JSONResponse(issuer.jwks())

    def configuration(_: Request) -> Response:
        return JSONResponse(_configuration(issuer))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/overview", overview),
            Route("/customers", page),
            Route("/documentation", page),
            Route("/token", token, methods=["POST"]),
            Route("/requests", requests),
            *history.routes(issuer.url),
            Route("/events", page),
            Route("/events/latest", events),
            Route(KEYS_PATH, keys),
            Route(CONFIGURATION_PATH, configuration),
            Mount("/pages", StaticFiles(directory=FOLDER)),
            Mount("/swagger-ui", StaticFiles(packages=[("flask_swagger_ui", "dist")])),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(Guard, LOOPBACK, {issuer.url}),
        ],
        exception_handlers={404: missing},
    )


class SecurityHeaders:
    """Adds each of HEADERS that a response does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _policy(path: str, settings: Settings) -> str:
    servers = f" {settings.url}" if PAGES.get(path, MISSING).calls_api else ""
    # Swagger UI's style sheet contains images.
    return POLICY.format(servers=servers, images=" data:" if path == "/documentation" else "")


def _token(issuer: Issuer, request: Request) -> Response:
    """Return a token as RFC 6749, section 5, defines it; only to the console's own pages."""
    # Browsers send Origin with every POST, and a page can't fake it.
    if request.headers.get("origin") != issuer.url:
        return JSONResponse({"error": "unauthorized_client"}, 403)
    scopes = request.query_params.get("scope", "").split()
    if not scopes or set(scopes).difference(SCOPES):
        return JSONResponse({"error": "invalid_scope"}, 400)
    return JSONResponse(
        {
            "access_token": issuer.token(scopes),
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "scope": " ".join(scopes),
        }
    )


def _configuration(issuer: Issuer) -> dict[str, object]:
    # https://openid.net/specs/openid-connect-discovery-1_0.html, as far as it applies to an issuer
    # without sign-in.
    return {
        "issuer": issuer.url,
        "jwks_uri": issuer.url + KEYS_PATH,
        "scopes_supported": list(SCOPES),
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    }
