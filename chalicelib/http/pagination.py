"""Keyset pagination: pages, and the cursors that continue them.

A cursor holds the position of the last row of a page: its id and, if the list is sorted by a time,
that time. Its signature also covers the list's filters and sorting, so a cursor only works for
the list that it came from. A cursor has 44 or 52 characters.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chalicelib.database import Row
from chalicelib.http.problems import invalid
from chalicelib.http.resources import read_texts
from chalicelib.http.values import EPOCH, MILLISECOND

FORMAT = 1  # a cursor with another layout or meaning gets another number

_ID_END = 17
_TAG_BYTES = 16  # of 32: short enough for a URL, too long to guess


class Position(NamedTuple):
    """The last row of a page; `time` only if the list is sorted by a time."""

    id: UUID
    time: datetime | None = None


class Page(NamedTuple):
    """The JSON text of a page's rows, as an array; `cursor` is None on the last page."""

    items: str
    cursor: str | None


def make_page(rows: Sequence[Row], limit: int, to_cursor: Callable[[Row], str]) -> Page:
    """Return a page of at most `limit` rows. One more row shows that there is a next page."""
    items = f"[{read_texts(rows[:limit])}]"
    return Page(items, to_cursor(rows[limit - 1]) if len(rows) > limit else None)


def parse(key: bytes, listed: Mapping[str, str], cursor: str | None) -> Position | None:
    """Return the position in the query parameter `cursor`, if any. Raises ValidationError."""
    if cursor is None:
        return None
    try:
        return decode(key, listed, cursor)
    except ValueError:
        message = "cursor: Must be the cursor of a page's `next`, with the same parameters."
        raise invalid("parameter", [("cursor", message)]) from None


def encode(key: bytes, listed: Mapping[str, str], position: Position) -> str:
    """Return the cursor after the position in the list with these filters and sorting."""
    content = bytes([FORMAT]) + position.id.bytes
    if position.time:
        content += ((position.time - EPOCH) // MILLISECOND).to_bytes(6, "big")
    return _sign(key, listed, content).decode()


def decode(key: bytes, listed: Mapping[str, str], cursor: str) -> Position:
    """Return the position in the cursor.

    Raises ValueError if the cursor was not created with this key, for this list.
    """
    content = urlsafe_b64decode(cursor.encode())[:-_TAG_BYTES]
    # base64 can be written in several ways: accept only ours
    if not hmac.compare_digest(_sign(key, listed, content), cursor.encode()):
        raise ValueError("not a cursor of this list")
    milliseconds = content[_ID_END:]
    return Position(
        UUID(bytes=content[1:_ID_END]),
        EPOCH + int.from_bytes(milliseconds, "big") * MILLISECOND if milliseconds else None,
    )


def _sign(key: bytes, listed: Mapping[str, str], content: bytes) -> bytes:
    signed = json.dumps([FORMAT, sorted(listed.items()), content.hex()])
    tag = hmac.digest(key, signed.encode(), "sha256")[:_TAG_BYTES]
    return urlsafe_b64encode(content + tag)
