"""The console's pages, which only a browser on this machine gets."""

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chalicelib.auth import SCOPES
from local.issuer import Issuer

KEYS_PATH = "/.well-known/jwks.json"
CONFIGURATION_PATH = "/.well-known/openid-configuration"
# A page that needs more than its own text sets a Content-Security-Policy of its own.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HOME = f"""<!doctype html>
<html lang="en">
<title>The customers API on this machine</title>
<h1>The customers API on this machine</h1>
<p>Its token issuer: <a href="{CONFIGURATION_PATH}">configuration</a>,
<a href="{KEYS_PATH}">keys</a>. <code>make -s token</code> prints a token.</p>
</html>
"""


def create_app(issuer: Issuer) -> Starlette:
    """Return the ASGI application that publishes the issuer's keys."""

    def home(_: Request) -> Response:
        return HTMLResponse(HOME)

    def keys(_: Request) -> Response:
        return JSONResponse(issuer.jwks())

    def configuration(_: Request) -> Response:
        return JSONResponse(_configuration(issuer))

    return Starlette(
        routes=[
            Route("/", home),
            Route(KEYS_PATH, keys),
            Route(CONFIGURATION_PATH, configuration),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            # Else another site could take a name of its own for this address, and read the pages.
            Middleware(TrustedHostMiddleware, ["127.0.0.1", "localhost"], www_redirect=False),
        ],
    )


class SecurityHeaders:
    """Gives each answer those of HEADERS that it has not itself."""

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


def _configuration(issuer: Issuer) -> dict[str, object]:
    # https://openid.net/specs/openid-connect-discovery-1_0.html, as far as it fits an issuer
    # that nobody signs in to.
    return {
        "issuer": issuer.url,
        "jwks_uri": issuer.url + KEYS_PATH,
        "scopes_supported": list(SCOPES),
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    }
