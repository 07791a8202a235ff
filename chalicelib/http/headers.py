"""Parse request headers and build response headers.

Implements content negotiation (RFC 9110), Prefer (RFC 7240) and CORS (Fetch standard).
`preconditions` and `idempotency` parse the headers of their subjects.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

STANDARD = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Vary": "Accept, Accept-Encoding, Authorization, Origin",
    "X-Content-Type-Options": "nosniff",
}

# cached by the client only, and always revalidated
REVALIDATED = {"Cache-Control": "private, no-cache"}
PUBLIC = {"Cache-Control": "public, max-age=300"}

_EXPOSED = (
    "Allow, Content-Location, ETag, Idempotency-Replayed, Link, Location, Preference-Applied,"
    " Request-Id, Retry-After, WWW-Authenticate, x-amzn-Remapped-WWW-Authenticate"
)
_ALLOWED = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, Request-Id,"
    " baggage, traceparent, tracestate, X-Amzn-Trace-Id"  # OpenTelemetry and CloudWatch RUM
)
_PREFLIGHT_SECONDS = "7200"  # the maximum in browsers

MAX_RANGES = 50
"""Media ranges of `Accept` that count. Browsers send ten, and each costs time."""

_REQUEST_ID = "[A-Za-z0-9._:-]{1,64}"


@lru_cache(maxsize=64)  # clients send the same few values
def preferred(accept: str | None, media_types: tuple[str, ...]) -> str | None:
    """Return the media type that `Accept` prefers, the first of several; None if it excludes all.

    RFC 9110, section 12.5.1.
    """
    if accept is None or not accept.strip():
        return media_types[0]
    qualities: dict[str, float] = {}
    for item in accept.split(",", MAX_RANGES)[:MAX_RANGES]:
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        qualities[media_range] = _quality(parameters)
    best = max(media_types, key=lambda media_type: _quality_of(media_type, qualities))
    return best if _quality_of(best, qualities) > 0 else None


def prefers(prefer: str | None, preference: str, wanted: str) -> bool:
    """Return whether `Prefer` has the preference with this value."""
    for item in (prefer or "").split(","):
        name, _, value = item.partition(";")[0].partition("=")
        if name.strip().lower() == preference:  # the first one counts
            return value.strip().strip('"').lower() == wanted
    return False


def request_id(sent: str | None, own: str) -> str:
    """Return the client's id of the request if it is well-formed, else ours."""
    return sent if sent and re.fullmatch(_REQUEST_ID, sent) else own


def cors(origin: str | None, origins: Collection[str]) -> Mapping[str, str]:
    """Return CORS headers for an allowed origin."""
    if origin is None or origin not in origins:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}


def preflight(methods: Collection[str]) -> Mapping[str, str]:
    """Return the CORS headers of the response to a preflight request."""
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": _ALLOWED,
        "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
    }


def _quality_of(media_type: str, qualities: Mapping[str, float]) -> float:
    """Return the quality of the most specific range that contains the media type."""
    whole_type = media_type.split("/", maxsplit=1)[0] + "/*"
    ranges = (name for name in (media_type, whole_type, "*/*") if name in qualities)
    return next((qualities[name] for name in ranges), 0.0)


def _quality(parameters: Collection[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q" and re.fullmatch(r"[01](\.[0-9]{0,3})?", value):
            return float(value)
    return 1.0
