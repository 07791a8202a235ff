"""The operations on customers, each in as few SQL statements as it can be.

A customer is a dictionary of JSON values, with a member for everything that `schemas.Customer`
names. The id is a UUIDv7 made here, and carries the time of creation; so what a new customer will
look like is known before it is stored, and no statement reads back what another wrote.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from chalicelib.database import Database, DuplicateKey, Row, Value
from chalicelib.problems import (
    CustomerNotFound,
    EmailTaken,
    ExternalIdTaken,
    Problem,
    ServiceUnavailable,
)

Customer = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_ID = UUID(int=2**128 - 1)
_ATTEMPTS = 5

_COLUMNS = (
    *("id", "version", "status", "email", "phone", "given_name", "family_name", "company_name"),
    *("external_id", "addresses", "locale", "time_zone", "metadata", "updated_at"),
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM customers "
_INSERT = (
    f"INSERT INTO customers ({', '.join(_COLUMNS)})"
    f" VALUES ({', '.join(f':{column}' for column in _COLUMNS)})"
)
# deleting is a version, too
_UPDATE = (
    f"UPDATE customers SET {', '.join(f'{column} = :{column}' for column in _COLUMNS[1:])}"
    " WHERE id = :id AND version = :version - 1"
)


class Page(NamedTuple):
    """Customers, newest first; `last` is where the next page goes on, None at the end."""

    items: list[Customer]
    last: UUID | None


def page(database: Database, limit: int = 20, after: UUID = LAST_ID) -> Page:
    """Return up to `limit` customers, newest first, from the one after `after` on."""
    rows = database.fetch_all(
        _SELECT + "WHERE id < :after AND deleted_at IS NULL ORDER BY id DESC LIMIT :rows",
        after=after.bytes,
        rows=limit + 1,
    )
    items = [_customer(row) for row in rows[:limit]]
    return Page(items, UUID(items[-1]["id"]) if len(rows) > limit else None)


def get(database: Database, customer_id: UUID) -> Customer:
    """Return the customer. Raises CustomerNotFound."""
    row = database.fetch_one(
        _SELECT + "WHERE id = :id AND deleted_at IS NULL", id=customer_id.bytes
    )
    if row is None:
        raise CustomerNotFound("No customer has this id, or it was deleted.")
    return _customer(row)


def create(database: Database, fields: Mapping[str, Any]) -> Customer:
    """Store a new customer. Raises EmailTaken, ExternalIdTaken, ServiceUnavailable."""
    customer_id = new_id()
    now = _rfc3339(_created_at(customer_id))
    customer = {
        "id": str(customer_id),
        "version": 1,
        **fields,
        "created_at": now,
        "updated_at": now,
    }
    for _ in range(_ATTEMPTS):
        if _store(database, _INSERT, customer):
            return customer
    raise _overtaken()


def change(database: Database, customer_id: UUID, edit: Callable[[Customer], Customer]) -> Customer:
    """Replace the customer's fields by what `edit` makes of the customer as it is.

    A change that another one overtakes is made again on what that one left. When nothing
    changes, nothing is written. Raises CustomerNotFound, EmailTaken, ExternalIdTaken, and
    ServiceUnavailable when it was overtaken each time.
    """
    for _ in range(_ATTEMPTS):
        current = get(database, customer_id)
        wanted = current | edit(current)
        if wanted == current:
            return current
        changed = wanted | {
            "version": current["version"] + 1,
            "updated_at": _rfc3339(datetime.now(UTC)),
        }
        if _store(database, _UPDATE, changed):
            return changed
    raise _overtaken()


def delete(database: Database, customer_id: UUID) -> None:
    """Hide the customer, and free its email address and external id. Raises CustomerNotFound."""
    matched = database.execute(
        "UPDATE customers SET deleted_at = :now, version = version + 1"
        " WHERE id = :id AND deleted_at IS NULL",
        id=customer_id.bytes,
        now=datetime.now(UTC),
    )
    if not matched:
        raise CustomerNotFound("No customer has this id, or it was deleted.")


def new_id() -> UUID:
    """Return a UUIDv7: ids sort by when they were made.

    The 12 bits behind the milliseconds are their fraction (RFC 9562, section 6.2, method 3).
    """
    ticks = (time.time_ns() << 12) // 1_000_000
    return UUID(
        int=(ticks >> 12) << 80
        | 0x7 << 76
        | (ticks & 0xFFF) << 64
        | 0b10 << 62
        | secrets.randbits(62)
    )


def _store(database: Database, sql: str, customer: Customer) -> bool:
    """Run the statement; False when another request was faster, and it is worth trying again."""
    try:
        return database.execute(sql, **_columns(customer)) == 1
    except DuplicateKey:
        if problem := _taken(database, customer):
            raise problem from None
        return False  # whoever had it has let go of it


def _taken(database: Database, customer: Customer) -> Problem | None:
    """Return what a duplicate key means; which one the server named is not to be relied on."""
    row = database.fetch_one(
        "SELECT email_live = LOWER(:email) AS is_email FROM customers"
        " WHERE (email_live = LOWER(:email) OR external_id_live = :external_id) AND id <> :id"
        " ORDER BY is_email DESC LIMIT 1",
        email=customer["email"],
        external_id=customer["external_id"],
        id=UUID(customer["id"]).bytes,
    )
    if row is None:
        return None
    problem, member = (EmailTaken, "email") if row["is_email"] else (ExternalIdTaken, "external_id")
    return problem(
        "Choose another, or change the customer that has it.",
        [{"pointer": f"/{member}", "code": "taken", "detail": "Is another customer's."}],
    )


def _overtaken() -> Problem:
    return ServiceUnavailable("Other requests keep changing the same. Try again.", retry_after=1)


def _customer(row: Row) -> Customer:
    customer_id = UUID(bytes=cast("bytes", row["id"]))
    updated_at = cast("datetime", row.pop("updated_at"))  # to stand behind created_at
    return row | {
        "id": str(customer_id),
        "addresses": json.loads(cast("str", row["addresses"])),
        "metadata": json.loads(cast("str", row["metadata"])),
        "created_at": _rfc3339(_created_at(customer_id)),
        "updated_at": _rfc3339(updated_at),
    }


def _columns(customer: Customer) -> dict[str, Value]:
    columns = customer | {
        "id": UUID(customer["id"]).bytes,
        "addresses": json.dumps(customer["addresses"], ensure_ascii=False),
        "metadata": json.dumps(customer["metadata"], ensure_ascii=False),
        "updated_at": datetime.fromisoformat(customer["updated_at"]),
    }
    del columns["created_at"]
    return columns


def _created_at(customer_id: UUID) -> datetime:
    return _EPOCH + timedelta(milliseconds=customer_id.int >> 80)


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
