"""A customer as the database has it, and as JSON.

The id is a UUIDv7 made here, and carries the time of creation: so what a new customer will look
like is known before it is stored, and no statement reads back what another wrote.
"""

import json
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from chalicelib.database import Row, Value

Customer = dict[str, Any]

DOCUMENTS = ("addresses", "metadata")
TIMES = ("updated_at", "deleted_at", "purge_at")
COLUMNS = (
    *("id", "version", "status", "email", "phone", "given_name", "family_name", "company_name"),
    *("external_id", "addresses", "locale", "time_zone", "metadata", *TIMES),
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM customers "

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BITS = 62


def new_id() -> UUID:
    """Return a UUIDv7: ids sort by when they were made.

    The 12 bits behind the milliseconds are their fraction (RFC 9562, section 6.2, method 3).
    """
    ticks = (time.time_ns() << 12) // 1_000_000
    return UUID(
        int=(ticks >> 12) << 80
        | 0x7 << 76
        | (ticks & 0xFFF) << 64
        | 0b10 << _RANDOM_BITS
        | secrets.randbits(_RANDOM_BITS)
    )


def live(
    customer_id: UUID, version: int, fields: Mapping[str, Any], updated_at: datetime
) -> Customer:
    """Return the customer that has these fields and is not deleted."""
    return {
        "id": str(customer_id),
        "version": version,
        **fields,
        "created_at": rfc3339(created(customer_id)),
        "updated_at": rfc3339(updated_at),
        "deleted_at": None,
        "purge_at": None,
    }


def customer(row: Row) -> Customer:
    """Return the customer in a row of `SELECT`."""
    customer_id = UUID(bytes=cast("bytes", row["id"]))
    times = {name: row.pop(name) for name in TIMES}  # to stand at the end
    return {
        **row,
        "id": str(customer_id),
        **{name: json.loads(cast("str", row[name])) for name in DOCUMENTS},
        "created_at": rfc3339(created(customer_id)),
        **{name: rfc3339(cast("datetime | None", moment)) for name, moment in times.items()},
    }


def columns(customer: Mapping[str, Any], names: Iterable[str]) -> dict[str, Value]:
    """Return the columns of these names, with which the customer is stored."""
    return {name: _column(name, customer[name]) for name in names}


def created(customer_id: UUID) -> datetime:
    return _EPOCH + timedelta(milliseconds=customer_id.int >> 80)


def now() -> datetime:
    """Return the time in the milliseconds that are stored."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


def rfc3339(moment: datetime | None) -> str | None:
    return moment and moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _column(name: str, value: Any) -> Value:
    if name in DOCUMENTS:
        return json.dumps(value, ensure_ascii=False)
    if name == "id":
        return UUID(value).bytes
    if name in TIMES and value is not None:
        return datetime.fromisoformat(value)
    return cast("Value", value)
