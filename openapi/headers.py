"""Request and response headers that operations share."""

from collections.abc import Mapping
from typing import Any

from chalicelib.http.routing import DeclarationError

Component = dict[str, Any]

ENTITY_TAGS = r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*"){0,19})$'
KEY = r'^([!#-~]{1,255}|"[ !#-\[\]-~]{1,255}")$'
TEXT = {"type": "string"}
ETAG = '"v1"'
REQUEST_ID = "6f1d2c9e-0d3b-4a57-9a63-3c7f4f0b8a11"

REQUEST: Mapping[str, Component] = {
    "Request-Id": {
        "description": "Your id for the request. The response and the service's logs contain it."
        " Allowed: letters, digits and `._:-`. Maximum: 64 characters. Other values are ignored."
        " Default: a generated id.",
        "schema": TEXT,
        "example": "nightly-import-42",
    },
    "Idempotency-Key": {
        "description": "Makes retries safe: requests with the same key and body take effect once."
        " Use a new key, such as a UUID, for each new request. Allowed: printable ASCII"
        " characters, with or without quotes. Minimum: 1 character. Maximum: 255 characters.",
        "schema": TEXT | {"pattern": KEY},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    },
    "If-Match": {
        "description": "Proceed only if the current version has this `ETag`; otherwise, the"
        " response is 412. Send one `ETag`, a list separated by commas, or `*` for any version."
        " Maximum: 20 tags.",
        "schema": TEXT | {"pattern": ENTITY_TAGS},
        "example": ETAG,
    },
    "If-None-Match": {
        "description": "Return 304 without a body if the current version has this `ETag`. Send one"
        " `ETag`, or a list separated by commas. Maximum: 20 tags.",
        "schema": TEXT | {"pattern": ENTITY_TAGS},
        "example": ETAG,
    },
    "If-None-Match: *": {
        "description": "Send `*` to only create: if the resource exists, the response is 412.",
        "schema": TEXT | {"enum": ["*"]},
        "example": "*",
    },
    "Prefer": {
        "description": "Send `return=minimal` to get 204 without a body (RFC 7240).",
        "schema": TEXT,
        "example": "return=minimal",
    },
    "Prefer: handling": {
        "description": "Send `handling=lenient` to create every customer that can be created, and"
        " get 207 with a status for each (RFC 7240). Default: all or none.",
        "schema": TEXT,
        "example": "handling=lenient",
    },
}

RESPONSE: Mapping[str, Component] = {
    "Request-Id": {
        "description": "Identifies the request, also in the service's logs. Include it when you"
        " contact support.",
        "required": True,
        "schema": TEXT,
        "example": REQUEST_ID,
    },
    "Cache-Control": {
        "description": "Whether, and for how long, caches may store the response.",
        "required": True,
        "schema": TEXT,
        "example": "private, no-cache",
    },
    "Vary": {
        "description": "The request headers that the response depends on.",
        "required": True,
        "schema": TEXT,
        "example": "Accept, Accept-Encoding, Authorization, Origin",
    },
    "ETag": {
        "description": "Identifies the version. Send it in `If-Match` and `If-None-Match`.",
        "required": True,
        "schema": TEXT | {"pattern": r'^"v[1-9][0-9]*(-[0-9a-f-]{36})?(\.[a-z0-9_.]+)?"$'},
        "example": ETAG,
    },
    "Content-Location": {
        "description": "The path of the resource by its id.",
        "required": True,
        "schema": TEXT | {"format": "uri-reference"},
        "example": "/customers/01a2043a-b5d2-7386-b484-33764a732a70",
    },
    "Location": {
        "description": "The path of the new resource.",
        "required": True,
        "schema": TEXT | {"format": "uri-reference"},
        "example": "/customers/01a2043a-b5d2-7386-b484-33764a732a70",
    },
    "Link": {
        "description": 'The next page, with `rel="next"` (RFC 8288), as `next` in the body.'
        " Absent on the last page.",
        "schema": TEXT,
        "example": '</customers?limit=1&cursor=AaIEOrXSc4a0hDN2SnMqcA>; rel="next"',
    },
    "Idempotency-Replayed": {
        "description": "`true` if an earlier request with the same `Idempotency-Key` succeeded, and"
        " this is a replay of its response.",
        "schema": TEXT | {"enum": ["true"]},
        "example": "true",
    },
    "Preference-Applied": {
        "description": "The preference in `Prefer` that the service applied (RFC 7240).",
        "schema": TEXT,
        "example": "return=minimal",
    },
    "Retry-After": {
        "description": "Seconds to wait before the next attempt, or before asking again.",
        "required": True,
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 3_600},
        "example": 1,
    },
    "WWW-Authenticate": {
        "description": "The required kind of token, and why the service rejected the token that was"
        " sent (RFC 6750). API Gateway renames this header to `x-amzn-Remapped-WWW-Authenticate` if"
        " the response is not its own: always for 403, and for 401 if the token has expired within"
        " the last minutes. Read both.",
        "schema": TEXT,
        "example": 'Bearer realm="customers"',
    },
    "x-amzn-Remapped-WWW-Authenticate": {
        "description": "`WWW-Authenticate`, as API Gateway renames it.",
        "schema": TEXT,
        "example": 'Bearer realm="customers", error="insufficient_scope", scope="customers:read"',
    },
    "Accept-Post": {
        "description": "The media types that POST accepts.",
        "schema": TEXT,
        "example": "application/json",
    },
    "Accept-Patch": {
        "description": "The media types that PATCH accepts (RFC 5789).",
        "schema": TEXT,
        "example": "application/merge-patch+json, application/json",
    },
}


def request(operation: str, name: str) -> Component:
    """Return the description of a request header. Raises DeclarationError if it is unknown."""
    _check(operation, name, REQUEST, "REQUEST")
    return REQUEST[name]


def ref(operation: str, name: str) -> Component:
    """Return a reference to a response header. Raises DeclarationError if it is unknown."""
    _check(operation, name, RESPONSE, "RESPONSE")
    return {"$ref": f"#/components/headers/{name}"}


def _check(operation: str, name: str, known: Mapping[str, Component], table: str) -> None:
    if name not in known:
        raise DeclarationError(
            f"{operation}: the header {name} has no description: add it to {table} in"
            " openapi/headers.py"
        )
