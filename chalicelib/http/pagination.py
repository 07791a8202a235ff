"""Where a page of customers ended, as text for a URL: opaque, signed, and short.

A cursor holds a position and nothing else: the id and, in orders by it, `updated_at`. The
signature covers the list, too (its filters and order), so a cursor goes on in the list that it
came from and in no other, without repeating what that was. It has 44 or 52 characters.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

FORMAT = 1  # another layout or meaning is another number, so that no cursor is misread

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ID_ENDS = 17
_TAG_BYTES = 16  # of HMAC's 32: a URL and a header have to hold it, and none can be guessed


class Position(NamedTuple):
    """The last customer of a page; `updated_at`, to the millisecond, in orders by it only."""

    id: UUID
    updated_at: datetime | None = None


def encode(key: bytes, listed: Mapping[str, str], position: Position) -> str:
    """Return the cursor behind the position in the list that the filters and order describe."""
    content = bytes([FORMAT]) + position.id.bytes
    if position.updated_at:
        content += ((position.updated_at - _EPOCH) // _MILLISECOND).to_bytes(6, "big")
    return _signed(key, listed, content).decode()


def decode(key: bytes, listed: Mapping[str, str], cursor: str) -> Position:
    """Return the position in the cursor.

    Raises ValueError when the cursor was not made with this key, for this list.
    """
    content = urlsafe_b64decode(cursor.encode())[:-_TAG_BYTES]
    # made anew, it must be the same: no cursor can be written in two ways
    if not hmac.compare_digest(_signed(key, listed, content), cursor.encode()):
        raise ValueError("not a cursor of this list")
    milliseconds = content[_ID_ENDS:]
    return Position(
        UUID(bytes=content[1:_ID_ENDS]),
        _EPOCH + int.from_bytes(milliseconds, "big") * _MILLISECOND if milliseconds else None,
    )


def _signed(key: bytes, listed: Mapping[str, str], content: bytes) -> bytes:
    signed = json.dumps([FORMAT, sorted(listed.items()), content.hex()])
    tag = hmac.digest(key, signed.encode(), "sha256")[:_TAG_BYTES]
    return urlsafe_b64encode(content + tag)
