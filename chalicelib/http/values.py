"""Values of fields: ids, times, and their conversion between JSON and database columns.

Ids are UUIDv7 and encode the creation time. Times are in UTC, to the millisecond; in JSON they have
the format of RFC 3339. A `Codec` converts a value in Python, and is also the SQL that writes the
column as JSON: the database then builds the JSON text of a response, and the service does not parse
it.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from chalicelib.database import Value
from chalicelib.http.documents import dumps

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
RANDOM_BITS = 62
UUID_TEXT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

_UUID_PARTS = ((1, 4), (5, 2), (7, 2), (9, 2), (11, 6))  # first byte and number of bytes
_MILLISECONDS = "CONV(HEX(SUBSTR(id, 1, 6)), 16, 10)"
_CREATED_AT = f"TIMESTAMPADD(MICROSECOND, {_MILLISECONDS} * 1000, '1970-01-01 00:00:00.000')"


def new_id() -> UUID:
    """Return a UUIDv7: ids sort by creation time.

    The 12 bits after the milliseconds are a fraction of a millisecond (RFC 9562, section 6.2,
    method 3).
    """
    ticks = (time.time_ns() << 12) // 1_000_000
    return UUID(
        int=(ticks >> 12) << 80
        | 0x7 << 76
        | (ticks & 0xFFF) << 64
        | 0b10 << RANDOM_BITS
        | int.from_bytes(os.urandom(8)) >> 64 - RANDOM_BITS
    )


def created_at(resource_id: UUID) -> datetime:
    """Return the creation time that a UUIDv7 encodes."""
    return EPOCH + timedelta(milliseconds=resource_id.int >> 80)


def lowest_id(milliseconds: int) -> bytes:
    """Return the lowest UUIDv7 of a millisecond since 1970, as the database stores it."""
    return (max(0, milliseconds) << 80).to_bytes(16, "big")


def now() -> datetime:
    """Return the time, truncated to milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


def format_time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    # the offset would cost half as much again
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def parse_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


class Codec(NamedTuple):
    """How to store a JSON value in a column, and how to read it back.

    `sql` is a part of the arguments of CONCAT, with `{column}` for the column's name.
    """

    to_column: Callable[[Any], Value]
    from_column: Callable[[Any], Any]
    sql: str


def same(value: Any) -> Any:
    """Return the value unchanged."""
    return value


def _dump(value: list[Any] | dict[str, Any]) -> str:
    return dumps(value) if value else str(value)  # Python writes [] and {} as JSON does


def _load(text: str) -> Any:
    """Return what `_dump` wrote. Most documents are empty."""
    empty = _EMPTY.get(text)
    return json.loads(text) if empty is None else empty()


def _uuid_text(stored: bytes) -> str:
    digits = stored.hex()  # an object of UUID would take three times as long
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _uuid_sql() -> str:
    parts = [f"HEX(SUBSTR({{column}}, {first}, {size}))" for first, size in _UUID_PARTS]
    return f"""'"', LOWER(CONCAT_WS('-', {", ".join(parts)})), '"'"""


TEXT = Codec(same, same, "COALESCE(JSON_QUOTE({column}), 'null')")
INTEGER = Codec(same, same, "COALESCE({column}, 'null')")
_EMPTY: Mapping[str, Callable[[], Any]] = {"[]": list, "{}": dict}
DOCUMENT = Codec(_dump, _load, "{column}")
"""An array or an object, stored as JSON text. The column is NOT NULL."""
TIME = Codec(
    parse_time,
    format_time,
    """COALESCE(CONCAT('"', REPLACE({column}, ' ', 'T'), 'Z"'), 'null')""",
)
IDENTIFIER = Codec(
    lambda text: bytes.fromhex(text.replace("-", "")),
    _uuid_text,
    _uuid_sql(),
)
"""A UUID, stored in BINARY(16). The column is NOT NULL."""
VERSION = Codec(same, same, "{column}")
CREATED_AT_SQL = f"""'"', REPLACE(CAST({_CREATED_AT} AS DATETIME(3)), ' ', 'T'), 'Z"'"""
