"""Signature Version 4: verify that a request is signed with a key, as AWS does.

The checks, their order and their messages are those of AWS's services. The canonical form is
computed from the request, so any change to the signed parts invalidates the signature.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from starlette.datastructures import Headers
from starlette.requests import Request

from .errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "rds-data"
TERMINATOR = "aws4_request"
BASIC_FORMAT = "%Y%m%dT%H%M%SZ"
# Maximum difference of the client's clock.
SKEW = timedelta(minutes=5)

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your"
    " AWS Secret Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True)
class Key:
    """An access key."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Signature:
    """A request's Authorization header and date; `scope` is date/region/service/end."""

    key_id: str
    scope: str
    signed: list[str]
    hex: str
    date: str


def verify(request: Request, body: bytes, key: Key, regions: frozenset[str] = frozenset()) -> None:
    """Verify that `request` was signed with `key`, within five minutes from now.

    The region must be one of `regions`, or any if `regions` is empty.

    Raises MissingAuthenticationTokenException, IncompleteSignatureException,
    InvalidSignatureException or UnrecognizedClientException.
    """
    signature = _read(request.headers)
    _check_time(signature.date)
    if "host" not in signature.signed:
        raise InvalidSignatureException("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    _check_scope(signature, regions)
    if signature.key_id != key.id:
        raise UnrecognizedClientException("The security token included in the request is invalid.")
    expected = _sign(request, body, signature, key.secret)
    if not hmac.compare_digest(expected.encode(), signature.hex.encode()):
        raise InvalidSignatureException(MISMATCH)


def _read(headers: Headers) -> Signature:
    authorization = headers.get("authorization", "")
    if not authorization.startswith(ALGORITHM):
        raise MissingAuthenticationTokenException("Missing Authentication Token")
    pairs = authorization.removeprefix(ALGORITHM).split(",")
    given = {name.strip(): value for name, _, value in (pair.partition("=") for pair in pairs)}
    date = headers.get("x-amz-date") or headers.get("date")
    missing = [
        f"Authorization header requires '{name}' parameter. "
        for name in ("Credential", "Signature", "SignedHeaders")
        if not given.get(name)
    ]
    if not date:
        missing.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        )
    if missing or not date:
        raise IncompleteSignatureException(f"{''.join(missing)}Authorization={authorization}")
    key_id, _, scope = given["Credential"].partition("/")
    return Signature(
        key_id, scope, given["SignedHeaders"].lower().split(";"), given["Signature"], date
    )


def _check_time(date: str) -> None:
    try:
        signed = datetime.strptime(date, BASIC_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise IncompleteSignatureException(
            f"Date must be in ISO-8601 'basic format'. Got '{date}'."
            " See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None
    now = datetime.now(UTC)
    first, last = (format(now + skew, BASIC_FORMAT) for skew in (-SKEW, SKEW))
    if signed < now - SKEW:
        raise InvalidSignatureException(
            f"Signature expired: {date} is now earlier than {first} ({now:{BASIC_FORMAT}} - 5 min.)"
        )
    if signed > now + SKEW:
        raise InvalidSignatureException(
            f"Signature not yet current: {date} is still later than {last}"
            f" ({now:{BASIC_FORMAT}} + 5 min.)"
        )


def _check_scope(signature: Signature, regions: frozenset[str]) -> None:
    try:
        day, region, service, terminator = signature.scope.split("/")
    except ValueError:
        raise IncompleteSignatureException(
            "Credential must have exactly 5 slash-delimited elements, e.g."
            f" keyid/date/region/service/term, got '{signature.key_id}/{signature.scope}'"
        ) from None
    mismatch = []
    if regions and region not in regions:
        mismatch.append(f"Credential should be scoped to a valid region, not '{region}'.")
    if service != SERVICE:
        mismatch.append(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if terminator != TERMINATOR:
        mismatch.append(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}',"
            f" not '{terminator}'."
        )
    if day != signature.date[:8]:
        mismatch.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from"
            f" HTTP: '{day}' != '{signature.date[:8]}', from '{signature.date}'."
        )
    if mismatch:
        raise InvalidSignatureException(" ".join(mismatch))


def _sign(request: Request, body: bytes, signature: Signature, secret: str) -> str:
    headers = [
        f"{name}:{','.join(' '.join(value.split()) for value in request.headers.getlist(name))}\n"
        for name in signature.signed
    ]
    canonical = [
        request.method,
        request.url.path,
        "&".join(sorted(request.url.query.split("&"))),
        "".join(headers),
        ";".join(signature.signed),
        hashlib.sha256(body).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in signature.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"{ALGORITHM}\n{signature.date}\n{signature.scope}\n{digest}"
    return hmac.digest(key, text.encode(), "sha256").hex()
