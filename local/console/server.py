"""The console's pages, available only to browsers on this machine."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import SCOPES
from local.console import events
from local.console.events import Deliveries
from local.console.history import History
from local.issuer import LIFETIME_SECONDS, Issuer
from local.stack import Settings
from serve.connections import LOOPBACK, Guard

PAGES = Path(__file__).with_name("pages")
KEYS_PATH = "/.well-known/jwks.json"
CONFIGURATION_PATH = "/.well-known/openid-configuration"
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
# For the images in Swagger UI's style sheet.
DOCUMENTATION_POLICY = (
    HEADERS["Content-Security-Policy"] + "; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self' {api}"
)
REQUESTS_POLICY = (
    HEADERS["Content-Security-Policy"] + "; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'"
)


def create_app(
    issuer: Issuer, settings: Settings, history: History, deliveries: Deliveries
) -> Starlette:
    """Return the ASGI application: the pages, their data, and the issuer's keys."""
    policy = DOCUMENTATION_POLICY.format(api=settings.url)
    documentation = _page(issuer, _documentation(settings), policy)
    requests_page = _page(issuer, _requests(settings), REQUESTS_POLICY)

    def requests(request: Request) -> Response:
        is_for_a_page = "since" in request.query_params
        return history.list(request) if is_for_a_page else requests_page(request)

    def events_page(request: Request) -> Response:
        return _page(issuer, _events(settings, deliveries), REQUESTS_POLICY)(request)

    def token(request: Request) -> Response:
        return _token(issuer, request)

    def keys(_: Request) -> Response:
        return JSONResponse(issuer.jwks())

    def configuration(_: Request) -> Response:
        return JSONResponse(_configuration(issuer))

    return Starlette(
        routes=[
            Route("/", documentation),
            Route("/token", token, methods=["POST"]),
            Route("/requests", requests),
            *history.routes(issuer.url),
            Route("/events", events_page),
            Route(KEYS_PATH, keys),
            Route(CONFIGURATION_PATH, configuration),
            Mount("/pages", StaticFiles(directory=PAGES)),
            Mount("/swagger-ui", StaticFiles(packages=[("flask_swagger_ui", "dist")])),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(Guard, LOOPBACK, {issuer.url}),
        ],
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


def _page(issuer: Issuer, page: str, policy: str) -> Callable[[Request], Response]:
    def show(request: Request) -> Response:
        if request.url.hostname != "127.0.0.1":  # the only origin that the API allows
            return RedirectResponse(f"{issuer.url}{request.url.path}")
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    return show


def _requests(settings: Settings) -> str:
    words = {"api": settings.url, "token_command": settings.token_command}
    template = Template((PAGES / "requests.html").read_text())
    return template.substitute({name: escape(word) for name, word in words.items()})


def _events(settings: Settings, deliveries: Deliveries) -> str:
    consumer = escape(settings.events_url or "none (set EVENTS_URL)")
    template = Template((PAGES / "events.html").read_text())
    return template.substitute(consumer=consumer, rows=events.rows(deliveries.latest))


def _documentation(settings: Settings) -> str:
    state = settings.state.absolute()
    is_ours = settings.database_url is None
    password = settings.database_directory.absolute() / "password"
    ours = f"<small>{_engine(settings)}; its password is in {escape(str(password))}</small>"
    words = {
        "api": settings.url,
        "all_scopes": " ".join(SCOPES),
        "token_command": settings.token_command,
        "database": settings.database_address,
        "logs": str(state / "logs"),
        "keys_path": KEYS_PATH,
        "configuration_path": CONFIGURATION_PATH,
    }
    escaped = {name: escape(word) for name, word in words.items()}
    template = Template((PAGES / "documentation.html").read_text())
    return template.substitute(escaped, password=ours if is_ours else "")


def _engine(settings: Settings) -> str:
    """Return the private database's engine and version."""
    file = settings.database_directory / "version"
    return escape(file.read_text()) if file.exists() else settings.engine.title


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
