"""Conditional requests (RFC 9110, section 13): ETag, If-Match and If-None-Match."""

import re
from collections.abc import Collection
from typing import NamedTuple

from chalicelib.http.problems import PreconditionFailed, invalid

MAX_ETAGS = 20
NOBODY = "service"
"""The caller in the history of writes without a request, such as example data."""

# compiled on first use, because a cold start seldom needs them
_ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_OUR_TAG = r'"v([1-9][0-9]{0,9})(?:\.[a-z_.]+)?"'


class Intent(NamedTuple):
    """The versions that the client of a write expects, and the request's fingerprint.

    `versions` is None if the client accepts any version. The fingerprint is stored with the write.
    If the response is lost and the client retries, the fingerprint shows that the write was already
    applied. `unkeyed` is the fingerprint that the service stored before fingerprints had a key.
    `has_weak_tag` is true if `If-Match` names a weak ETag, which never matches. `caller` is the
    caller's pseudonym, which the history has.
    """

    versions: Collection[int] | None
    fingerprint: bytes
    unkeyed: bytes = b""
    has_weak_tag: bool = False
    caller: str = NOBODY

    def admits(self, version: int) -> bool:
        """Return whether the client expects this version."""
        return self.versions is None or version in self.versions

    def has_made(self, version: int, last_write: object) -> bool:
        """Return whether this request made the version; `last_write` is the stored fingerprint."""
        is_ours = last_write in {self.fingerprint, self.unkeyed}
        return is_ours and self.versions is not None and version - 1 in self.versions


def etag(version: int, fields: Collection[str] = ()) -> str:
    """Return the strong entity tag of a version, or of some of its fields."""
    if not fields:
        return f'"v{version}"'
    return f'"{".".join((f"v{version}", *sorted(fields)))}"'


def parse_if_match(value: str | None) -> Collection[int] | None:
    """Return the versions that `If-Match` names; None if the header is missing or `*`.

    Weak tags and the tags of other services never match. Raises ValidationError.
    """
    if value is None or value.strip() == "*":
        return None
    tags = _parse_tags("If-Match", value)
    return {int(ours[1]) for tag in tags if (ours := re.fullmatch(_OUR_TAG, tag, re.ASCII))}


def has_weak_tag(value: str | None) -> bool:
    """Return whether the valid value of `If-Match` names a weak ETag."""
    return value is not None and any(tag.startswith("W/") for tag in re.findall(_ENTITY_TAG, value))


def single_version(versions: Collection[int] | None) -> int | None:
    """Return the version if `If-Match` names exactly one."""
    return next(iter(versions)) if versions and len(versions) == 1 else None


def is_unchanged(if_none_match: str | None, tag: str) -> bool:
    """Return whether `If-None-Match` names the entity tag, weak or strong.

    Raises ValidationError.
    """
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    tags = _parse_tags("If-None-Match", if_none_match)
    return tag in {candidate.removeprefix("W/") for candidate in tags}


def reject_if_none_match(value: str) -> None:
    """Reject a write with `If-None-Match`: PreconditionFailed for `*`, else ValidationError."""
    if value.strip() == "*":
        raise PreconditionFailed("If-None-Match: * requires that the resource doesn't exist yet.")
    message = "method: If-None-Match is for GET and HEAD only. Use If-Match for a write."
    raise invalid("header", [("If-None-Match", message)])


def _parse_tags(header: str, value: str) -> list[str]:
    tags = re.findall(_ENTITY_TAG, value)
    if not tags or re.sub(_ENTITY_TAG, "", value).strip(" \t,"):
        message = 'entity-tag: Must be the ETag of a response, such as "v1", or *.'
        raise invalid("header", [(header, message)])
    if len(tags) > MAX_ETAGS:
        raise invalid("header", [(header, f"too-many: Must name at most {MAX_ETAGS} ETags.")])
    return tags
