"""Conditional requests (RFC 9110, section 13): ETag, If-Match and If-None-Match."""

import re
from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from chalicelib.http.problems import PreconditionFailed, invalid

MAX_ETAGS = 20
NOBODY = "service"
"""The caller in the history of writes without a request, such as example data."""

# compiled on first use, because a cold start seldom needs them
_ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_OUR_TAG = r'"v([1-9][0-9]{0,9})(?:-([0-9a-f-]{36}))?(?:\.[a-z_.]+)?"'


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

    @property
    def author(self) -> dict[str, bytes | str]:
        """The parameters of a write that identify the request and its caller."""
        return {"fingerprint": self.fingerprint, "history_caller": self.caller}

    def admits(self, version: int) -> bool:
        """Return whether the client expects this version."""
        return self.versions is None or version in self.versions

    def has_made(self, version: int, last_write: object) -> bool:
        """Return whether this request made the version; `last_write` is the stored fingerprint."""
        is_ours = self.has_written(last_write)
        return is_ours and self.versions is not None and version - 1 in self.versions

    def has_written(self, last_write: object) -> bool:
        """Return whether this request was the last write, whose stored fingerprint is given."""
        return last_write in {self.fingerprint, self.unkeyed}


class Conditions(NamedTuple):
    """The preconditions of a write to a path that names another resource from time to time.

    ETags of such a path name the resource, too: two resources may have the same version.
    `intent` has the request's fingerprint. `is_creation` is true for `If-None-Match: *`.
    """

    if_match: str | None
    intent: Intent
    is_creation: bool = False

    def of(self, resource_id: UUID | str) -> Intent:
        """Return the preconditions for this resource."""
        versions = parse_if_match(self.if_match, str(resource_id))
        return self.intent._replace(versions=versions)

    @property
    def named(self) -> UUID | None:
        """The resource that `If-Match` names, if it names exactly one."""
        named = {ours[2] for ours in _our_tags(self.if_match) or () if ours[2]}
        return UUID(named.pop()) if len(named) == 1 else None


def etag(version: int, fields: Collection[str] = (), resource_id: UUID | str | None = None) -> str:
    """Return the strong entity tag of a version, or of some of its fields.

    With `resource_id`, it is that of a path that may name another resource later.
    """
    whole = f"v{version}-{resource_id}" if resource_id else f"v{version}"
    return f'"{".".join((whole, *sorted(fields)))}"' if fields else f'"{whole}"'


def parse_if_match(value: str | None, resource_id: str | None = None) -> Collection[int] | None:
    """Return the versions that `If-Match` names; None if the header is missing or `*`.

    Weak tags and the tags of other services never match. With `resource_id`, only tags that name
    this resource match. Raises ValidationError.
    """
    tags = _our_tags(value)
    if tags is None:
        return None
    return {int(ours[1]) for ours in tags if resource_id is None or ours[2] == resource_id}


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


def _our_tags(if_match: str | None) -> list[re.Match[str]] | None:
    """Return the tags of `If-Match` that this service made; None if any version will do."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = _parse_tags("If-Match", if_match)
    return [ours for tag in tags if (ours := re.fullmatch(_OUR_TAG, tag, re.ASCII))]


def _parse_tags(header: str, value: str) -> list[str]:
    tags = re.findall(_ENTITY_TAG, value)
    if not tags or re.sub(_ENTITY_TAG, "", value).strip(" \t,"):
        message = 'entity-tag: Must be the ETag of a response, such as "v1", or *.'
        raise invalid("header", [(header, message)])
    if len(tags) > MAX_ETAGS:
        raise invalid("header", [(header, f"too-many: Must name at most {MAX_ETAGS} ETags.")])
    return tags
