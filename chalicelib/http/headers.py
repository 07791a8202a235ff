"""What the headers of requests mean, and what those of answers say.

Sources: RFC 9110 (conditions, negotiation), RFC 7240 (Prefer), the Fetch standard (CORS), and
the draft draft-ietf-httpapi-idempotency-key-header.
"""

import re
from collections.abc import Collection, Mapping

from chalicelib.http.problems import PreconditionFailed, invalid

STANDARD = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Vary": "Accept, Accept-Encoding, Authorization, Origin",
    "X-Content-Type-Options": "nosniff",
}
MOST_TAGS = 20

# of a client's own: it has it revalidated each time, and 304 is cheap
REVALIDATED = {"Cache-Control": "private, no-cache"}
PUBLIC = {"Cache-Control": "public, max-age=300"}

_EXPOSED = (
    "Allow, ETag, Idempotency-Replayed, Link, Location, Preference-Applied, Request-Id,"
    " Retry-After, WWW-Authenticate"
)
_ALLOWED = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, Request-Id"
)
_PREFLIGHT_SECONDS = "7200"  # browsers keep no answer for longer

_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_OUR_TAG = re.compile(r'"v([1-9][0-9]{0,9})(?:\.[a-z_.]+)?"', re.ASCII)
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


def etag(version: int, fields: Collection[str] = ()) -> str:
    """Return the strong entity tag of a customer's version, or of some of its members."""
    if not fields:
        return f'"v{version}"'
    return f'"{".".join((f"v{version}", *sorted(fields)))}"'


def versions(if_match: str | None) -> Collection[int] | None:
    """Return the versions that `If-Match` names; None when any will do.

    Weak tags and those of others name none: they never match. Raises ValidationError.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = _entity_tags("If-Match", if_match)
    return {int(ours[1]) for tag in tags if (ours := _OUR_TAG.fullmatch(tag))}


def is_unchanged(if_none_match: str | None, tag: str) -> bool:
    """Whether `If-None-Match` names the entity tag, weak or strong. Raises ValidationError."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    tags = _entity_tags("If-None-Match", if_none_match)
    return tag in {each.removeprefix("W/") for each in tags}


def refuse_unless_absent(if_none_match: str) -> None:
    """Refuse a write with `If-None-Match`: it is for customers that are not there."""
    if if_none_match.strip() == "*":
        raise PreconditionFailed("If-None-Match is not for customers that exist.")
    message = "method: Is for GET and HEAD here; a write takes If-Match."
    raise invalid("header", [("If-None-Match", message)])


def accepts(accept: str | None, media_type: str) -> bool:
    """Whether `Accept` admits the media type (RFC 9110, section 12.5.1)."""
    if accept is None or not accept.strip():
        return True
    qualities: dict[str, float] = {}
    for each in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in each.split(";"))
        qualities[media_range] = _quality(parameters)
    whole_type = media_type.split("/", maxsplit=1)[0] + "/*"
    named = [name for name in (media_type, whole_type, "*/*") if name in qualities]
    return bool(named) and qualities[named[0]] > 0


def wants_minimal(prefer: str | None) -> bool:
    """Whether `Prefer` asks for an answer without the customer."""
    for each in (prefer or "").split(","):
        name, _, value = each.partition(";")[0].partition("=")
        if name.strip().lower() == "return":  # the first one counts
            return value.strip().strip('"').lower() == "minimal"
    return False


def idempotency_key(value: str | None) -> str | None:
    """Return the key, which may be quoted. Raises ValidationError."""
    if value is None:
        return None
    key = _KEY.fullmatch(value.strip())
    if key is None:
        message = "idempotency-key: Must have 1 to 255 characters of ASCII."
        raise invalid("header", [("Idempotency-Key", message)])
    return key[1] or key[2]


def request_id(sent: str | None, own: str) -> str:
    """Return the client's id of the request if it is a sane one, else ours."""
    return sent if sent and _REQUEST_ID.fullmatch(sent) else own


def cors(origin: str | None, origins: Collection[str]) -> Mapping[str, str]:
    """Return what lets a page of the origin see the answer."""
    if origin is None or origin not in origins:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}


def preflight(methods: Collection[str]) -> Mapping[str, str]:
    """Return what a browser wants to know before it sends a page's request."""
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": _ALLOWED,
        "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
    }


def _entity_tags(header: str, value: str) -> list[str]:
    tags = _ENTITY_TAG.findall(value)
    if not tags or _ENTITY_TAG.sub("", value).strip(" \t,"):
        message = 'entity-tag: Must be the ETag of an answer, such as "v1", or *.'
        raise invalid("header", [(header, message)])
    if len(tags) > MOST_TAGS:
        raise invalid("header", [(header, f"too-many: Must name at most {MOST_TAGS}.")])
    return tags


def _quality(parameters: Collection[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q" and re.fullmatch(r"[01](\.[0-9]{0,3})?", value):
            return float(value)
    return 1.0
