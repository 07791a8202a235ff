"""Lambda authorizer: validate bearer tokens.

A valid token is a JWT signed with RS256 or ES256 by the configured issuer, for one of the
configured audiences. `Verifier` validates it with the issuer's `Keys`; `authorize` returns the
result to API Gateway. `jws` parses tokens and verifies their signatures.

Sources: RFC 6750 (bearer tokens), 7519 (JWT), 8725 (JWT best practices), 9068 (access tokens).
"""

import hashlib
import os
import re
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from chalice.app import AuthRequest, AuthResponse

from chalicelib.http.requests import LEEWAY_SECONDS, Caller
from chalicelib.settings import TokenSettings, stage
from chalicelib.tokens import jws
from chalicelib.tokens.jws import ALGORITHMS, Key
from chalicelib.tokens.keys import Keys

MAX_HEADER_LENGTH = 8_192  # characters; API Gateway accepts 10,240 for all headers together
TYPES = {"jwt", "at+jwt", "application/at+jwt"}

BEARER = re.compile(r"bearer +([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
MALFORMED = "The token is malformed."
UNTRUSTED = "The token is from an issuer that is not trusted."
REQUIRED = ("exp", "iss", "sub")


class InvalidToken(Exception):
    """The token was rejected; the message is for the client, and contains no part of the token."""


class Verifier:
    """Validates tokens. Thread-safe."""

    def __init__(self, settings: TokenSettings) -> None:
        """Raise SettingsError if the URL of the keys is invalid."""
        self._settings = settings
        self._keys = Keys(settings.jwks_url)

    def verify(self, authorization: str) -> Caller:
        """Return the caller of an Authorization header's token.

        Raises InvalidToken, KeysUnavailable.
        """
        token = _parse(_bearer_token(authorization))
        if not jws.verify(token, self._key(token.header)):
            raise InvalidToken("The token's signature is invalid.")
        claims = token.claims
        _check_claims(claims, self._settings.issuer)
        self._check_audience(claims)
        if not claims["sub"]:
            raise InvalidToken("The token's sub claim is empty.")
        scopes = _scopes(claims, self._settings.scope_prefix)
        return Caller(claims["sub"], scopes, int(claims["exp"]))

    def _key(self, header: Mapping[str, Any]) -> Key:
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS.values():
            raise InvalidToken("The token is not signed with RS256 or ES256.")
        if str(header.get("typ", "JWT")).lower() not in TYPES:
            raise InvalidToken("This is not an access token.")
        if not kid:
            raise InvalidToken("The token has no kid: it must name its signing key.")
        if key := self._keys.find(kid, algorithm):
            return key
        raise InvalidToken("The token's signing key is not one of the issuer's keys.")

    def _check_audience(self, claims: dict[str, Any]) -> None:
        # Cognito: https://docs.aws.amazon.com/cognito/latest/developerguide/
        # amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
        use = claims.get("token_use", "access")
        if use != "access":
            raise InvalidToken("This is not an access token.")
        audience = claims.get("client_id") if "token_use" in claims else None
        audience = claims.get("aud", audience)
        audiences = audience if isinstance(audience, list) else [audience]
        if not any(name in self._settings.audiences for name in audiences):
            raise InvalidToken("The token is for a different audience.")


@cache
def verifier() -> Verifier:
    return Verifier(TokenSettings.from_environ(os.environ))


def authorize(request: AuthRequest) -> dict[str, Any]:
    """Return to API Gateway whether the token is valid, and its caller. Views check its scopes.

    API Gateway caches the result for all requests with the token, so views also check `expires`.
    Raises KeysUnavailable and SettingsError, for which API Gateway returns AUTHORIZER_FAILURE.
    """
    try:
        caller = verifier().verify(request.token)
    except InvalidToken as error:
        return _denial(str(error))
    context = {"scopes": " ".join(sorted(caller.scopes)), "expires": str(caller.expires)}
    allowed = AuthResponse(["*"], caller.subject, context).to_dict(request)
    return {**allowed, "usageIdentifierKey": usage_key(stage(os.environ), caller.subject)}


def usage_key(stage_name: str, subject: str) -> str:
    """Return the value of the caller's API key, by which a stage may throttle the caller.

    Not a secret: if API Gateway uses it, it accepts no key from a client. Values are unique in an
    account, so they depend on the stage, too.
    """
    return hashlib.sha256(f"{stage_name}/{subject}".encode()).hexdigest()


def _denial(reason: str) -> dict[str, Any]:
    # Not AuthResponse([]): it allows an empty list of resources, which IAM's grammar forbids, and
    # API Gateway reportedly treated it as a permission (aws/chalice#1619).
    statement = {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": ["*"]}
    return {
        "principalId": "unknown",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"reason": reason},
    }


def _bearer_token(authorization: str) -> str:
    if len(authorization) > MAX_HEADER_LENGTH:
        raise InvalidToken("The token is too long.")
    if match := BEARER.fullmatch(authorization):
        return match[1]
    raise InvalidToken("Send `Authorization: Bearer <token>`, with a JSON Web Token.")


def _parse(token: str) -> jws.Token:
    try:
        parsed = jws.parse(token)
    except ValueError:
        raise InvalidToken(MALFORMED) from None
    if not isinstance(parsed.header.get("kid", ""), str):
        raise InvalidToken(MALFORMED)
    return parsed


def _check_claims(claims: Mapping[str, Any], issuer: str) -> None:
    """Check the claims of a verified token (RFC 7519, section 4.1). Raises InvalidToken."""
    if any(claims.get(name) is None for name in REQUIRED):
        raise InvalidToken("The token lacks a required claim: exp, iss or sub.")
    now = time.time()
    if any(_seconds(claims, name) > now + LEEWAY_SECONDS for name in ("iat", "nbf")):
        raise InvalidToken("The token is not valid yet.")
    if _seconds(claims, "exp") <= now - LEEWAY_SECONDS:
        raise InvalidToken("The token has expired.")
    if claims["iss"] != issuer:
        raise InvalidToken(UNTRUSTED)
    if not isinstance(claims["sub"], str) or not isinstance(claims.get("jti", ""), str):
        raise InvalidToken(MALFORMED)


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    try:
        return int(claims.get(name, 0))
    except (ValueError, TypeError, OverflowError):
        raise InvalidToken(MALFORMED) from None


def _scopes(claims: dict[str, Any], prefix: str) -> frozenset[str]:
    """Return the scopes of this API. If it has a prefix, all other scopes belong to other APIs."""
    granted = _granted(claims)
    words = granted.split() if isinstance(granted, str) else granted
    if not isinstance(words, list):
        return frozenset()
    scopes = (word for word in words if isinstance(word, str))
    if not prefix:
        return frozenset(scopes)
    start = f"{prefix}/"
    return frozenset(scope.removeprefix(start) for scope in scopes if scope.startswith(start))


def _granted(claims: dict[str, Any]) -> Any:
    """Return the claim that contains what the client may do, for which issuers use several forms.

    `scope` is a text with spaces (RFC 9068) or a list (IdentityServer); `scp` is a list (Okta) or a
    text (Microsoft). Microsoft's tokens for an application without a user have `roles` instead.
    `permissions` (Auth0) and other roles say what the user may do, which may be more.

    Source: https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
    """
    if claims.get("idtyp") == "app":
        return claims.get("roles")
    return claims.get("scope", claims.get("scp"))
