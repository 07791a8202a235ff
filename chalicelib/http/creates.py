"""Create resources, singly or in batches, with one INSERT.

Until a resource is erased, requests with the same idempotency key create it only once. A retry is
recognized by hashes stored in the resource's own row; there is no separate store (see
docs/decisions/0008).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from chalicelib.database import Database, DatabaseError, DuplicateKey, Row, Value, tables
from chalicelib.http import conflicts, idempotency, values
from chalicelib.http.conflicts import MAX_ROUNDS
from chalicelib.http.idempotency import Key, Stored
from chalicelib.http.preconditions import NOBODY
from chalicelib.http.resources import Document, Fields, Resource


class Created(NamedTuple):
    """New resources; `replayed` if an earlier request with the same key created them."""

    items: list[Document]
    replayed: bool


def create(
    database: Database,
    resource: Resource,
    fields: Fields,
    key: Key | None = None,
    caller: str = NOBODY,
) -> Created:
    """Create a resource, or return the one that an earlier request with the same key created.

    `caller` is the caller's pseudonym, for the history.

    Raises IdempotencyKeyReused, ServiceUnavailable, and the problems of the unique fields.
    """
    return _create(database, resource, {"": fields}, key, caller)


def create_all(
    database: Database,
    resource: Resource,
    batch: Sequence[Fields],
    key: Key | None = None,
    caller: str = NOBODY,
) -> Created:
    """Create all resources of the batch or none, as `create` does."""
    wanted = {f"/items/{n}": fields for n, fields in enumerate(batch)}
    return _create(database, resource, wanted, key, caller)


def _create(
    database: Database,
    resource: Resource,
    wanted: Mapping[str, Fields],
    key: Key | None,
    caller: str,
) -> Created:
    """Create a resource for each of the fields, which are given by JSON pointer."""
    batch = wanted.values()
    stored = idempotency.to_stored(key and key.secret, batch)
    for _ in range(MAX_ROUNDS):
        new = _build(resource, values.new_id(), batch)
        try:
            insert(database, resource, new, stored, caller)
        except DuplicateKey:
            unkeyed = idempotency.to_stored(key and key.unkeyed, batch)
            rows = conflicts.find_rows(database, resource, batch, stored.key, unkeyed.key)
        else:
            return Created(new, replayed=False)
        if earlier := next((row for row in rows if row["is_earlier"]), None):
            idempotency.check_body(earlier["idempotency_fingerprint"], stored, unkeyed)
            return _replay(resource, earlier, batch)
        if problem := conflicts.find_conflict(resource, rows, wanted):
            raise problem
    raise conflicts.overtaken()


def _build(resource: Resource, first: UUID, batch: Collection[Fields]) -> list[Document]:
    """Return new documents with consecutive ids, so that the first id determines the others."""
    following = (UUID(int=first.int + n) for n in range(1, len(batch)))
    return [
        resource.build(resource_id, 1, fields)
        for fields, resource_id in zip(batch, (first, *following), strict=True)
    ]


def insert(
    database: Database, resource: Resource, new: Sequence[Document], stored: Stored, caller: str
) -> None:
    """Insert all or none. Raises DuplicateKey.

    If the outcome is unknown, read back: the ids are random.
    """
    sql, parameters = insertion(resource, new, stored, caller)
    try:
        database.execute_guarded(sql, **parameters)
    except DatabaseError as error:
        if not error.is_outcome_unknown or not tables.is_stored(
            database, resource.table, UUID(new[0]["id"]).bytes
        ):
            raise


def insertion(
    resource: Resource, new: Sequence[Document], stored: Stored, caller: str
) -> tuple[str, Mapping[str, Value]]:
    """Return the INSERT and its parameters.

    Columns that are null in all rows are left out, because each parameter costs time.
    """
    rows = [resource.to_new_row(document) for document in new]
    rows[0] |= stored.columns
    return tables.insertion(resource.table, rows, caller)


def _replay(resource: Resource, earlier: Row, batch: Collection[Fields]) -> Created:
    """Return the response to the earlier request, which had the same body."""
    first = UUID(bytes=earlier["id"])  # type: ignore[arg-type]
    return Created(_build(resource, first, batch), replayed=True)
