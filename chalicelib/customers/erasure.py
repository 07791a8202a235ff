"""Erase customers permanently: on request, and after the purge date of a deleted customer.

Erasure keeps the id, the timestamps and the erasure's line of the history. `fields` declares what
remains of each field.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import cast
from uuid import UUID

from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.problems import CustomerNotErased
from chalicelib.database import Database, DatabaseError, Value, tables
from chalicelib.http import values
from chalicelib.http.preconditions import Intent
from chalicelib.http.updates import raise_unless_applied
from chalicelib.observability import telemetry

PURGE_BATCH = 500
"""The maximum number of customers that one call of `purge` erases."""

_EMPTIED = {
    **{field.name: field.erased for field in CUSTOMERS.fields},
    **dict.fromkeys((*CUSTOMERS.derived, *tables.IDEMPOTENCY, "purge_at"), "NULL"),
}
# MySQL assigns from left to right, so history is first, and erased_at is last
_ERASURE = ", ".join(
    (
        f"history = IF(erased_at IS NULL, {tables.history_line('erased')}, history)",
        "version = version + (erased_at IS NULL)",
        "last_write = IF(erased_at IS NULL, :fingerprint, last_write)",
        "updated_at = IF(erased_at IS NULL, :updated_at, updated_at)",
        *(f"{column} = {value}" for column, value in _EMPTIED.items()),
        "deleted_at = COALESCE(deleted_at, :updated_at)",
        "erased_at = COALESCE(erased_at, :updated_at)",
    )
)


def erase(database: Database, customer_id: UUID, intent: Intent) -> None:
    """Erase a customer's personal data, whether or not it is deleted.

    Raises CustomerNotFound, PreconditionFailed.
    """
    guard, parameters = tables.version_guard(intent.versions)
    sql = f"UPDATE customers SET {_ERASURE} WHERE id = :id{guard}"
    parameters |= {"id": customer_id.bytes, "updated_at": values.now()}
    parameters |= intent.author
    if not tables.run_write(database, "customers", sql, parameters):
        raise_unless_applied(database, CUSTOMERS, customer_id, intent, "erased_at")


def find(database: Database, customer_id: UUID) -> datetime:
    """Return when the customer was erased. Raises CustomerNotFound, CustomerNotErased."""
    row = database.fetch_one("SELECT erased_at FROM customers WHERE id = :id", id=customer_id.bytes)
    if row is None:
        raise CUSTOMERS.not_found("No customer has this id, or ever had it.")
    if row["erased_at"] is None:
        raise CustomerNotErased("The customer was not erased. Erase it first.")
    return cast("datetime", row["erased_at"])


def purge(database: Database) -> list[UUID]:
    """Erase up to `PURGE_BATCH` customers after their purge date; return their ids."""
    now = values.now()
    due = database.fetch_all(
        "SELECT id FROM customers WHERE purge_at < :now LIMIT :batch", now=now, batch=PURGE_BATCH
    )
    if not due:
        return []
    named = {f"id{n}": row["id"] for n, row in enumerate(due)}
    condition = f"id IN ({', '.join(f':{name}' for name in named)})"
    unknown = _erase_due(database, condition, now, named)
    erased = database.fetch_all(
        f"SELECT id FROM customers WHERE {condition} AND erased_at = :now", now=now, **named
    )
    if unknown and not erased:
        raise unknown
    return [UUID(bytes=cast("bytes", row["id"])) for row in erased]


def _erase_due(
    database: Database, condition: str, now: datetime, named: Mapping[str, Value]
) -> DatabaseError | None:
    """Erase those customers that are still due; return the error if the outcome is unknown."""
    # a concurrent restore may have won
    sql = f"UPDATE customers SET {_ERASURE} WHERE {condition} AND purge_at < :updated_at"
    try:
        database.execute_guarded(
            sql, updated_at=now, fingerprint=None, history_caller=telemetry.SCHEDULE, **named
        )
    except DatabaseError as error:
        if error.is_outcome_unknown:
            return error
        raise
    return None
