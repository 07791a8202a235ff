"""Tokens of the shape of each issuer that docs/tokens.md explains: only this API's scopes count."""

import time
from typing import Any, NamedTuple

import pytest

from chalicelib.settings import TokenSettings
from chalicelib.tokens.authorizer import InvalidToken, Verifier
from tests import tokens

API = "https://api.example.com"
GUID = "11111111-2222-4333-8444-555555555555"
READ, WRITE = "customers:read", "customers:write"


class Shape(NamedTuple):
    """An issuer's settings, a token's claims, and this API's scopes among them.

    In a claim, None removes the local issuer's claim of this name.
    """

    issuer: str
    audience: str
    prefix: str
    claims: dict[str, Any]
    scopes: set[str]


COGNITO = {
    "aud": None,
    "client_id": "4example",
    "token_use": "access",
    "version": 2,
    "origin_jti": "a1",
    "auth_time": int(time.time()),
    "username": "ada",
    "cognito:groups": ["customers:erase"],
    "scope": f"aws.cognito.signin.user.admin openid {API}/{READ} {API}/{WRITE}",
}
AUTH0 = {
    "sub": "auth0|ada",
    "client_id": None,
    "aud": [API, "https://tenant.eu.auth0.com/userinfo"],
    "azp": "4example",
    "scope": f"openid profile {READ}",
    "permissions": [READ, WRITE, "customers:erase"],
}
OKTA = {
    "client_id": None,
    "ver": 1,
    "cid": "0oaexample",
    "uid": "00uexample",
    "scp": [READ, WRITE, "openid"],
    "scope": None,
    "sub": "ada@example.com",
}
ENTRA = {
    "client_id": None,
    "aio": "E2",
    "azp": GUID,
    "azpacr": "1",
    "oid": GUID,
    "rh": "1.A",
    "tid": GUID,
    "uti": "u",
    "ver": "2.0",
    "scope": None,
    "nbf": int(time.time()),
}
KEYCLOAK = {
    "client_id": None,
    "typ": "Bearer",
    "azp": "shop",
    "sid": "s",
    "acr": "1",
    "aud": ["customers", "account"],
    "realm_access": {"roles": ["offline_access", "customers:erase"]},
    "resource_access": {"customers": {"roles": ["customers:erase"]}},
    "scope": f"email {READ} profile",
    "preferred_username": "ada",
}
POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf"
TENANT = f"https://login.microsoftonline.com/{GUID}/v2.0"
OF_COGNITO = (POOL, "4example", API)
OF_AUTH0 = ("https://tenant.eu.auth0.com/", API, "")
OF_OKTA = ("https://example.okta.com/oauth2/aus1", "api://customers", "")
OF_ENTRA = (TENANT, GUID, "")
OF_KEYCLOAK = ("https://sso.example.com/realms/shop", "customers", "")

SHAPES = {
    "Cognito": Shape(*OF_COGNITO, COGNITO, {READ, WRITE}),
    "Cognito, application": Shape(
        *OF_COGNITO, COGNITO | {"sub": "4example", "scope": f"{API}/{READ}"}, {READ}
    ),
    "Cognito, resource binding": Shape(POOL, API, API, COGNITO | {"aud": API}, {READ, WRITE}),
    "Auth0": Shape(*OF_AUTH0, AUTH0, {READ, "openid", "profile"}),
    "Auth0, application": Shape(
        *OF_AUTH0,
        AUTH0 | {"aud": API, "sub": "4example@clients", "gty": "client-credentials", "scope": READ},
        {READ},
    ),
    "Auth0, RFC 9068": Shape(
        *OF_AUTH0, AUTH0 | {"azp": None, "client_id": "4example", "scope": READ}, {READ}
    ),
    "Okta": Shape(*OF_OKTA, OKTA | {"aud": "api://customers"}, {READ, WRITE, "openid"}),
    "Okta, application": Shape(
        *OF_OKTA, OKTA | {"aud": "api://customers", "sub": "0oaexample", "scp": [READ]}, {READ}
    ),
    "Entra ID": Shape(
        *OF_ENTRA,
        ENTRA | {"aud": GUID, "scp": f"{READ} {WRITE}", "roles": ["customers:erase"]},
        {READ, WRITE},
    ),
    "Entra ID, application": Shape(
        *OF_ENTRA, ENTRA | {"aud": GUID, "idtyp": "app", "roles": [READ]}, {READ}
    ),
    "Entra ID, user's roles only": Shape(
        *OF_ENTRA, ENTRA | {"aud": GUID, "idtyp": "user", "roles": [READ]}, set()
    ),
    "Keycloak": Shape(*OF_KEYCLOAK, KEYCLOAK, {"email", READ, "profile"}),
}


def scopes(shape: Shape) -> set[str]:
    """Return the scopes that the authorizer finds in a token of this shape."""
    local = tokens.issuer()
    environ = {
        "TOKEN_ISSUER": shape.issuer,
        "TOKEN_AUDIENCE": shape.audience,
        "TOKEN_JWKS_URL": local.url,
        "TOKEN_SCOPE_PREFIX": shape.prefix,
    }
    claims = {"aud": shape.audience, "iss": shape.issuer} | shape.claims
    token = local.token(algorithm="RS256", **claims)
    caller = Verifier(TokenSettings.from_environ(environ)).verify(f"Bearer {token}")
    return set(caller.scopes)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_token_has_its_issuers_scopes(shape: Shape) -> None:
    assert scopes(shape) == shape.scopes


@pytest.mark.parametrize(
    "foreign",
    [
        "https://crm.example.com/customers:read",
        "https://api.example.com.evil.example/customers:read",
        "https://api.example.com/v2/customers:read",
        "https://api.example.comcustomers:read",
        "api.example.com/customers:read",
        "HTTPS://API.EXAMPLE.COM/customers:read",
        "/customers:read",
        "customers:read",
    ],
)
def test_scope_of_another_api_gives_no_permission(foreign: str) -> None:
    """RFC 9700, section 2.3: the API that accepts a token restricts it to its own resource."""
    shape = Shape(*OF_COGNITO, COGNITO | {"scope": foreign}, set())

    assert scopes(shape).isdisjoint({READ})


@pytest.mark.parametrize("foreign", [f"https://crm.example.com/{READ}", f"crm/{READ}", f"/{READ}"])
def test_scope_with_a_prefix_counts_only_with_this_setting(foreign: str) -> None:
    shape = Shape(*OF_KEYCLOAK, KEYCLOAK | {"scope": foreign}, set())

    assert READ not in scopes(shape)


def test_prefix_may_contain_slashes() -> None:
    prefix = "https://example.com/apis/customers"
    shape = Shape(POOL, "4example", prefix, COGNITO | {"scope": f"{prefix}/{READ}"}, set())

    assert scopes(shape) == {READ}


@pytest.mark.parametrize(
    "shape",
    [
        Shape(*OF_AUTH0, AUTH0 | {"aud": "https://tenant.eu.auth0.com/userinfo"}, set()),
        Shape(*OF_ENTRA, ENTRA | {"aud": "00000003-0000-0000-c000-000000000000"}, set()),
        Shape(*OF_KEYCLOAK, KEYCLOAK | {"aud": "account", "azp": "customers"}, set()),
        Shape(*OF_OKTA, OKTA | {"aud": "https://example.okta.com", "cid": OF_OKTA[1]}, set()),
        Shape(*OF_COGNITO, COGNITO | {"client_id": "other"}, set()),
    ],
    ids=["Auth0", "Entra ID", "Keycloak", "Okta", "Cognito"],
)
def test_token_for_another_api_is_rejected(shape: Shape) -> None:
    """The client that requested a token (`azp`, `cid`) is not the API that it is for."""
    with pytest.raises(InvalidToken, match="different audience"):
        scopes(shape)


@pytest.mark.parametrize("use", ["id", "refresh"])
def test_other_tokens_of_cognito_are_rejected(use: str) -> None:
    shape = Shape(*OF_COGNITO, COGNITO | {"aud": "4example", "token_use": use}, set())

    with pytest.raises(InvalidToken, match="not an access token"):
        scopes(shape)
