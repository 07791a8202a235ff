"""Access control: every route rejects every kind of invalid or insufficient token."""

import json
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode

import app
from app import SCOPES
from tests import tokens
from tests.api import ADA, Api, assert_problem

ROOT = Path(__file__).parent.parent
ID = "0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
RENAMED = "x-amzn-Remapped-WWW-Authenticate"  # by API Gateway, in a function's response
PUBLIC = {"get_health", "get_openapi", "get_problems"}


def routes() -> Iterator[Any]:
    """Yield every method of every path of the app, with the required scope."""
    needed = {
        (operation.path, method): operation.scope
        for operation in app.operation.table.values()
        for method in operation.methods
    }
    for path, views in app.app.routes.items():
        for method in views:
            yield pytest.param(method, path, needed.get((path, method)), id=f"{method} {path}")


PROTECTED = [route for route in routes() if route.values[2]]


@cache
def invalid_tokens() -> dict[str, str]:
    good = tokens.issuer()
    claims = jwt.decode(good.token(), options={"verify_signature": False})
    (public,) = [key for key in good.jwks()["keys"] if key["kty"] == "RSA"]
    now = int(time.time())
    return {
        "expired": good.token(seconds=-60),
        "not yet valid": good.token(nbf=now + 3_600),
        "wrong issuer": good.token(iss="https://example.com"),
        "wrong audience": good.token(aud="others"),
        "unknown kid": tokens.stranger().token(),
        "signed none": jwt.encode(claims, "", "none", {"kid": public["kid"]}),
        "HS256 over the public key": confused(claims, public),
        "tampered": tampered(good.token()),
        "garbage": "garbage",
    }


def confused(claims: dict[str, Any], public: dict[str, Any]) -> str:
    """Return a token whose HMAC secret is the issuer's public key."""
    key = jwt.PyJWK(public).key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT", "kid": public["kid"]}
    signed = b".".join(base64url_encode(json.dumps(item).encode()) for item in (header, claims))
    mac = hmac.HMAC(pem, hashes.SHA256())
    mac.update(signed)
    return b".".join((signed, base64url_encode(mac.finalize()))).decode()


def tampered(token: str) -> str:
    header, payload, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"sub": "root"}
    payload = base64url_encode(json.dumps(claims).encode()).decode()
    return f"{header}.{payload}.{signature}"


def list_event(authorizer: dict[str, str]) -> dict[str, Any]:
    """Return API Gateway's event for the list, with the authorizer's context."""
    return {
        "requestContext": {
            "httpMethod": "GET",
            "resourcePath": "/customers",
            "authorizer": authorizer,
        },
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
    }


def expiry(seconds: int) -> str:
    return str(int(time.time()) + seconds)


def concrete(path: str) -> str:
    return re.sub("{.*?}", ID, path)


def test_only_intended_routes_are_public(api: Api) -> None:
    """Routes without an authorizer are public on purpose, and the tests cover all others."""
    public = {
        (path, method)
        for path, views in app.app.routes.items()
        for method, view in views.items()
        if view.authorizer is None
    }
    meant = {
        (operation.path, method)
        for name, operation in app.operation.table.items()
        for method in operation.methods
        if name in PUBLIC
    }
    for path, method in public - meant:
        assert api.request(method, concrete(path)).status_code in {204, 405}
    assert meant <= public
    assert len([each for each in PROTECTED if str(each.values[1]).startswith("/customers")]) == 26


@pytest.mark.parametrize(("method", "path", "scope"), PROTECTED)
def test_missing_token_returns_401(method: str, path: str, scope: str) -> None:
    del scope
    answer = Api(token="").request(method, concrete(path))

    assert answer.status_code == 401


@pytest.mark.parametrize("fault", invalid_tokens())
@pytest.mark.parametrize(("method", "path", "scope"), PROTECTED)
def test_invalid_token_returns_401(method: str, path: str, scope: str, fault: str) -> None:
    del scope
    answer = Api(invalid_tokens()[fault]).request(method, concrete(path))

    assert_problem(answer, 401, "invalid-token", head=method == "HEAD")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "granted", [*SCOPES, "customers:none", " ".join(f"{item}s" for item in SCOPES), ""]
)
@pytest.mark.parametrize(("method", "path", "scope"), PROTECTED)
def test_scope_allows_only_its_routes(
    api: Api, method: str, path: str, scope: str, granted: str
) -> None:
    del api  # for its database
    answer = Api(tokens.issuer().token(granted.split())).request(method, concrete(path))

    if granted == scope:
        assert answer.status_code not in {401, 403}
        return
    assert_problem(answer, 403, "insufficient-scope", head=method == "HEAD")
    assert f'error="insufficient_scope", scope="{scope}"' in answer.headers[RENAMED]
    assert method == "HEAD" or scope in answer.json_body["detail"]


def test_token_that_expires_in_the_gateways_cache_is_rejected(api: Api) -> None:
    del api
    context = {"principalId": "ada", "scopes": "customers:read", "expires": expiry(-31)}
    event = list_event(context)

    expired = app.app(event, None)
    assert expired["statusCode"] == 401
    assert json.loads(expired["body"])["type"].endswith("#invalid-token")
    assert 'error="invalid_token"' in expired["headers"]["WWW-Authenticate"]
    context["expires"] = expiry(-20)  # by our clock, but perhaps not by the issuer's
    assert app.app(event, None)["statusCode"] == 200
    context["expires"] = expiry(60)
    assert app.app(event, None)["statusCode"] == 200


@pytest.mark.parametrize("context", [{}, {"principalId": "ada"}, {"scopes": "customers:read"}])
@pytest.mark.usefixtures("api")
def test_request_without_authorizer_context_is_rejected(context: dict[str, str]) -> None:
    answer = app.app(list_event(context), None)

    assert answer["statusCode"] == 401
    assert answer["headers"]["WWW-Authenticate"].startswith('Bearer realm="customers"')


def test_route_without_a_scope_fails_to_load() -> None:
    with pytest.raises(TypeError, match="scope"):
        app.operation("/orders", "GET")  # type: ignore[call-arg]


def test_forbidden_write_does_not_reveal_whether_a_customer_exists(api: Api) -> None:
    path = api.post("/customers", ADA).headers["Location"]
    reader = Api(tokens.token("customers:read"))

    assert reader.get(path).status_code == 200
    for existing, absent in ((path, f"/customers/{ID}"),):
        assert reader.delete(existing).status_code == reader.delete(absent).status_code == 403


def test_listing_deleted_customers_requires_the_write_scope(api: Api) -> None:
    """Only callers who can restore deleted customers need to see them."""
    api.delete(api.post("/customers", ADA).headers["Location"])
    reader = Api(tokens.token("customers:read"))
    writer = Api(tokens.token("customers:read", "customers:write"))

    rejected = reader.get("/customers?include_deleted=true")

    assert_problem(rejected, 403, "insufficient-scope")
    assert 'scope="customers:write"' in rejected.headers[RENAMED]
    assert reader.get("/customers?include_deleted=false").json_body["items"] == []
    assert len(writer.get("/customers?include_deleted=true").json_body["items"]) == 1


def test_scopes_named_in_other_files_are_declared() -> None:
    """Scripts, the deployment's hook, pages and documents can't import `app.SCOPES`."""
    others = {"customers:live", "customers:customers"}  # an alias; a user and its password
    folders = (".github", "benchmarks", "docs", "infrastructure", "load", "local")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    paths = [path for path in paths if path.suffix != ".pyc"]
    texts = {path: path.read_text(errors="ignore") for path in (*paths, ROOT / "README.md")}
    unknown = {
        f"{path.relative_to(ROOT)}: {scope}"
        for path, text in texts.items()
        for scope in re.findall(r"\bcustomers:[a-z]+\b", text)
        if scope not in {*app.SCOPES, *others}
    }

    assert unknown == set()
    of_customers = [scope for scope in app.SCOPES if scope.startswith("customers:")]
    for path in (".github/token.sh", "load/fuzz/cases.py", "docs/tokens.md"):
        assert all(scope in texts[ROOT / path] for scope in of_customers), path
