"""A customer as the database has it, and as JSON.

The id is a UUIDv7 made here, and carries the time of creation: so what a new customer will look
like is known before it is stored, and no statement reads back what another wrote.
"""

import json
import os
import time
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from chalicelib.database import Row, Value
from chalicelib.http.documents import dumps, json_size
from chalicelib.observability import times

Customer = dict[str, Any]
"""JSON values, with a member for everything that `schemas.Customer` names."""
Fields = Mapping[str, Any]
"""Members of a customer that a client may set."""

DOCUMENTS = ("addresses", "metadata")
TIMES = ("updated_at", "deleted_at", "purge_at")
COLUMNS = (
    *("id", "version", "status", "email", "phone", "given_name", "family_name", "company_name"),
    *("external_id", "addresses", "locale", "time_zone", "metadata", *TIMES),
)
STORED = (*COLUMNS, "email_key")
# what can be set without knowing the rest of a customer
DETAILS = ("status", "email", "phone", "external_id", "locale", "time_zone")
# of JSON, without the details: 100 customers then fit the Data API's answer of 1 MiB
MAX_SIZE = 8_000
MEMBERS = (*COLUMNS[: -len(TIMES)], "created_at", *TIMES)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BITS = 62
_UUID_PARTS = ((1, 4), (5, 2), (7, 2), (9, 2), (11, 6))  # where each begins, and its bytes


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
        | int.from_bytes(os.urandom(8)) >> 64 - _RANDOM_BITS
    )


def live(
    customer_id: UUID, version: int, fields: Mapping[str, Any], updated_at: datetime | None = None
) -> Customer:
    """Return the customer that has these fields, is not deleted, and was changed then, if ever."""
    created_at = times.rfc3339(customer_id.int >> 80)
    return {
        "id": str(customer_id),
        "version": version,
        **fields,
        "created_at": created_at,
        "updated_at": rfc3339(updated_at) if updated_at else created_at,
        "deleted_at": None,
        "purge_at": None,
    }


def new(fields: Mapping[str, Any], customer_id: UUID | None = None) -> Customer:
    """Return a customer that is made now, and stored nowhere yet."""
    return live(customer_id or new_id(), 1, fields)


def from_row(row: Row) -> Customer:
    """Return the customer of a row that has all `COLUMNS`."""
    return {member: made(row[column]) for member, (column, made) in _MADE_OF.items()}


def as_json(fields: Collection[str] = MEMBERS) -> str:
    """Return the SQL of a customer's JSON text, or of those members of it that are in `fields`.

    What only passes through is written by the database, as reading 50 customers and writing them
    again took six times what all the rest of a list does. `text` makes JSON of what comes.
    """
    members = [f"""'"{name}":', {_WRITTEN[name]}""" for name in MEMBERS if name in fields]
    json_text = f"""CONCAT('{{', {", ',', ".join(members)}, '}}')"""
    return f"""REPLACE({json_text}, '"', CHAR(127 USING utf8mb4)) AS customer"""


def texts(rows: Iterable[Row]) -> str:
    """Return the JSON texts that `as_json` had the database write, with commas between.

    They come with the character DEL, which no text of a customer has, in the place of quotes: the
    Data API would escape each, and that would be most of what a page costs.
    """
    return ",".join([cast("str", row["customer"]) for row in rows]).replace("\x7f", '"')


def to_row(customer: Mapping[str, Any], names: Iterable[str] = STORED) -> dict[str, Value]:
    """Return what each of the columns holds of the customer."""
    return {name: _STORED[name](customer) if name in _STORED else customer[name] for name in names}


def has_a_name(fields: Fields) -> bool:
    return bool(fields["given_name"] or fields["family_name"] or fields["company_name"])


def size(fields: Fields) -> int:
    """Return how many bytes of JSON the Data API sends for the customer, without its details.

    It sends the two JSON columns as text: their quotes count twice.
    """
    members = {name: value for name, value in fields.items() if name not in DETAILS}
    as_text = {name: dumps(fields[name]) for name in DOCUMENTS}
    return json_size({**members, **as_text})


def email_key(email: str) -> str:
    """Return what email addresses are compared by: whatever their case, they are the same.

    It is made here and compared byte by byte there, as each collation has letters of its own.
    """
    return unicodedata.normalize("NFC", email.lower())


def created(customer_id: UUID) -> datetime:
    return _EPOCH + timedelta(milliseconds=customer_id.int >> 80)


def now() -> datetime:
    """Return the time in the milliseconds that are stored."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


def rfc3339(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _document(value: list[Any] | dict[str, Any]) -> str:
    return dumps(value) if value else str(value)  # which is the same, and most have none


def _same(value: Any) -> Any:
    return value


# of each member, the column that it is made of, and how
_MADE_OF: dict[str, tuple[str, Callable[[Any], Any]]] = {
    **{member: (member, _same) for member in MEMBERS},
    "id": ("id", lambda stored: str(UUID(bytes=stored))),
    "created_at": ("id", lambda stored: rfc3339(created(UUID(bytes=stored)))),
    **{name: (name, json.loads) for name in DOCUMENTS},
    **{name: (name, rfc3339) for name in TIMES},
}
_HEX = [f"HEX(SUBSTR(id, {first}, {size}))" for first, size in _UUID_PARTS]
_MILLISECONDS = "CONV(HEX(SUBSTR(id, 1, 6)), 16, 10)"
_CREATED_AT = f"TIMESTAMPADD(MICROSECOND, {_MILLISECONDS} * 1000, '1970-01-01 00:00:00.000')"
# of each member, the SQL of its JSON
_WRITTEN = {
    **{member: f"COALESCE(JSON_QUOTE({member}), 'null')" for member in MEMBERS},
    "id": f"""'"', LOWER(CONCAT_WS('-', {", ".join(_HEX)})), '"'""",
    "version": "version",
    "created_at": f"""'"', REPLACE(CAST({_CREATED_AT} AS DATETIME(3)), ' ', 'T'), 'Z"'""",
    **{name: name for name in DOCUMENTS},
    **{at: f"""COALESCE(CONCAT('"', REPLACE({at}, ' ', 'T'), 'Z"'), 'null')""" for at in TIMES},
}
# how each column is made of a customer, where it is not the member itself
_STORED: dict[str, Callable[[Mapping[str, Any]], Value]] = {
    "id": lambda customer: bytes.fromhex(customer["id"].replace("-", "")),
    "email_key": lambda customer: email_key(customer["email"]),
    "addresses": lambda customer: _document(customer["addresses"]),
    "metadata": lambda customer: _document(customer["metadata"]),
    "updated_at": lambda customer: _moment(customer["updated_at"]),
    "deleted_at": lambda customer: _moment(customer["deleted_at"]),
    "purge_at": lambda customer: _moment(customer["purge_at"]),
}
