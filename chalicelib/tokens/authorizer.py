"""Bearer tokens: who the caller is, and what the caller may do.

A token is a JWT that the issuer signed with RS256 or ES256 for one of our audiences: `Verifier`
checks it with the issuer's `Keys`, and `authorize` tells API Gateway. PyJWT and cryptography are
imported when the first token comes: only the authorizer's function carries them.

Sources: RFC 6750 (bearer tokens), 7519 (JWT), 8725 (its best practices), 9068 (access tokens).
"""

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from chalice.app import AuthRequest, AuthResponse

from chalicelib.http.caller import LEEWAY_SECONDS, Caller
from chalicelib.settings import TokenSettings
from chalicelib.tokens.keys import ALGORITHMS, Keys

if TYPE_CHECKING:
    from jwt import PyJWK

LONGEST_HEADER = 8_192  # characters; API Gateway takes 10,240 for all headers together
TYPES = {"jwt", "at+jwt", "application/at+jwt"}

BEARER = re.compile(r"bearer +([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
REASONS = {
    "ExpiredSignatureError": "The token has expired.",
    "ImmatureSignatureError": "The token is not valid yet.",
    "InvalidIssuerError": "The token is not of the issuer that is trusted here.",
    "InvalidSignatureError": "The token's signature is not right.",
    "MissingRequiredClaimError": "The token lacks one of exp, iss and sub.",
}


class InvalidToken(Exception):
    """The token is refused; the message is for the client, and holds nothing of the token."""


class Verifier:
    """Checks tokens; any number of threads may share one."""

    def __init__(self, settings: TokenSettings) -> None:
        """Raise SettingsError if the address of the keys is not one."""
        self._settings = settings
        self._keys = Keys(settings.jwks_url)

    def verify(self, authorization: str) -> Caller:
        """Return the caller that the value of an Authorization header names.

        Raises InvalidToken, and KeysUnavailable.
        """
        token = _bearer_token(authorization)
        claims = self._claims(token, self._key(token))
        self._check_audience(claims)
        if not claims["sub"]:
            raise InvalidToken("The token names nobody.")
        return Caller(claims["sub"], _scopes(claims), int(claims["exp"]))

    def _key(self, token: str) -> "PyJWK":
        header = _header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise InvalidToken("The token is not signed with RS256 or ES256.")
        if str(header.get("typ", "JWT")).lower() not in TYPES:
            raise InvalidToken("This is not an access token.")
        if not kid:
            raise InvalidToken("The token does not say which key it is signed with.")
        if key := self._keys.find(kid, algorithm):
            return key
        raise InvalidToken("The token is signed with a key that is not the issuer's.")

    def _claims(self, token: str, key: "PyJWK") -> dict[str, Any]:
        import jwt

        try:
            return jwt.decode(
                token,
                key,
                ALGORITHMS,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
                issuer=self._settings.issuer,
                leeway=LEEWAY_SECONDS,
            )
        except jwt.InvalidTokenError as error:
            reason = REASONS.get(type(error).__name__, "The token is malformed.")
            raise InvalidToken(reason) from None

    def _check_audience(self, claims: dict[str, Any]) -> None:
        # Cognito: https://docs.aws.amazon.com/cognito/latest/developerguide/
        # amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
        use = claims.get("token_use", "access")
        if use != "access":
            raise InvalidToken("This is not an access token.")
        audience = claims.get("client_id") if "token_use" in claims else None
        audience = claims.get("aud", audience)
        named = audience if isinstance(audience, list) else [audience]
        if not any(each in self._settings.audiences for each in named):
            raise InvalidToken("The token is for another audience.")


@cache
def verifier() -> Verifier:
    return Verifier(TokenSettings.from_environ(os.environ))


def authorize(request: AuthRequest) -> AuthResponse | dict[str, Any]:
    """Tell API Gateway whether a token is good; what it may do, the view decides by its scopes.

    API Gateway keeps the answer for all requests with the token, so the view also has to look at
    `expires`. Raises KeysUnavailable and SettingsError, which it answers as AUTHORIZER_FAILURE.
    """
    try:
        caller = verifier().verify(request.token)
    except InvalidToken as error:
        return _denial(str(error))
    context = {"scopes": " ".join(sorted(caller.scopes)), "expires": str(caller.expires)}
    return AuthResponse(["*"], caller.subject, context)


def _denial(reason: str) -> dict[str, Any]:
    # Not AuthResponse([]): that allows an empty list of resources, which IAM's grammar does not
    # have, and which API Gateway is said to have let through (aws/chalice#1619).
    statement = {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": ["*"]}
    return {
        "principalId": "unknown",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"reason": reason},
    }


def _bearer_token(authorization: str) -> str:
    if len(authorization) > LONGEST_HEADER:
        raise InvalidToken("The token is too long.")
    if match := BEARER.fullmatch(authorization):
        return match[1]
    raise InvalidToken("Send `Authorization: Bearer` with one JSON Web Token.")


def _header(token: str) -> dict[str, Any]:
    import jwt

    try:
        return jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise InvalidToken("The token is malformed.") from None


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return the scopes, which issuers write in several ways.

    `scope` is text with spaces (RFC 9068) or a list (IdentityServer); `scp` is a list (Okta) or
    text (Microsoft). Cognito puts the name of a resource server and a slash before each.
    """
    granted = claims.get("scope", claims.get("scp"))
    words = granted.split() if isinstance(granted, str) else granted
    if not isinstance(words, list):
        return frozenset()
    return frozenset(word.rpartition("/")[2] for word in words if isinstance(word, str))
