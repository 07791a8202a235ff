"""The operations on customers, each in as few SQL statements as it can be.

A customer is a dictionary of JSON values, with a member for everything that `schemas.Customer`
names. The id is a UUIDv7 made here, and carries the time of creation; so what a new customer will
look like is known before it is stored, and no statement reads back what another wrote.
"""

import json
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
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
_ATTEMPTS = 5

COLUMNS = (
    *("id", "version", "status", "email", "phone", "given_name", "family_name", "company_name"),
    *("external_id", "addresses", "locale", "time_zone", "metadata", "updated_at"),
)
MEMBERS = (*COLUMNS[:-1], "created_at", "updated_at")
_INSERT = (
    f"INSERT INTO customers ({', '.join(COLUMNS)})"
    f" VALUES ({', '.join(f':{column}' for column in COLUMNS)})"
)
# deleting is a version, too
_UPDATE = (
    f"UPDATE customers SET {', '.join(f'{column} = :{column}' for column in COLUMNS[1:])}"
    " WHERE id = :id AND version = :version - 1"
)


def get(database: Database, customer_id: UUID, fields: Collection[str] = MEMBERS) -> Customer:
    """Return the customer, or those of its members that are in `fields`.

    Raises CustomerNotFound.
    """
    row = database.fetch_one(
        f"SELECT {', '.join(columns_of(fields))} FROM customers"
        " WHERE id = :id AND deleted_at IS NULL",
        id=customer_id.bytes,
    )
    if row is None:
        raise CustomerNotFound("No customer has this id, or it was deleted.")
    return from_row(row, fields)


def create(database: Database, fields: Mapping[str, Any]) -> Customer:
    """Store a new customer. Raises EmailTaken, ExternalIdTaken, ServiceUnavailable."""
    customer = new(fields)
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


def new(fields: Mapping[str, Any]) -> Customer:
    """Return a customer that is made now, and stored nowhere yet."""
    customer_id = new_id()
    now = _rfc3339(_created_at(customer_id))
    return {
        "id": str(customer_id),
        "version": 1,
        **fields,
        "created_at": now,
        "updated_at": now,
    }


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


def columns_of(fields: Collection[str]) -> list[str]:
    """Return the columns that these members of a customer are made of."""
    return list(dict.fromkeys(_MADE_OF[member][0] for member in MEMBERS if member in fields))


def from_row(row: Row, fields: Collection[str] = MEMBERS) -> Customer:
    """Return those members of the customer that are in `fields`; the row has their columns."""
    made_of = {member: _MADE_OF[member] for member in MEMBERS if member in fields}
    return {member: made(row[column]) for member, (column, made) in made_of.items()}


def to_row(customer: Customer) -> dict[str, Value]:
    """Return what each of `COLUMNS` holds of the customer."""
    columns = customer | {
        "id": UUID(customer["id"]).bytes,
        "addresses": json.dumps(customer["addresses"], ensure_ascii=False),
        "metadata": json.dumps(customer["metadata"], ensure_ascii=False),
        "updated_at": datetime.fromisoformat(customer["updated_at"]),
    }
    del columns["created_at"]
    return columns


def _store(database: Database, sql: str, customer: Customer) -> bool:
    """Run the statement; False when another request was faster, and it is worth trying again."""
    try:
        return database.execute(sql, **to_row(customer)) == 1
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


def _created_at(customer_id: UUID) -> datetime:
    return _EPOCH + timedelta(milliseconds=customer_id.int >> 80)


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# of each member, the column that it is made of, and how
_MADE_OF: dict[str, tuple[str, Callable[[Any], Any]]] = {
    **{member: (member, lambda value: value) for member in MEMBERS},
    "id": ("id", lambda stored: str(UUID(bytes=stored))),
    "addresses": ("addresses", json.loads),
    "metadata": ("metadata", json.loads),
    "created_at": ("id", lambda stored: _rfc3339(_created_at(UUID(bytes=stored)))),
    "updated_at": ("updated_at", _rfc3339),
}
