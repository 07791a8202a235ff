"""New customers, one or many in one statement, created once however often that is asked for.

docs/decisions/0008 tells how a repetition is known without anything being kept for it.
"""

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from chalicelib.customers import conflicts, rows
from chalicelib.customers.conflicts import ATTEMPTS
from chalicelib.customers.rows import Customer, Fields
from chalicelib.database import Database, DatabaseError, DuplicateKey, Row, Value
from chalicelib.http.problems import IdempotencyKeyReused

_IS_STORED = "SELECT id FROM customers WHERE id = :id"
_INSERTED = (*rows.STORED, "idempotency_key", "idempotency_fingerprint")


class Created(NamedTuple):
    """New customers; `replayed` when an earlier request with the same key created them."""

    items: list[Customer]
    replayed: bool


def create(database: Database, fields: Fields, key: bytes | None = None) -> Created:
    """Store a new customer, or find the one that an earlier request with the same key stored.

    Raises EmailTaken, ExternalIdTaken, IdempotencyKeyReused, ServiceUnavailable.
    """
    return _create(database, {"": fields}, key)


def create_all(database: Database, batch: Sequence[Fields], key: bytes | None = None) -> Created:
    """Store all of the new customers or none, as `create` does."""
    return _create(database, {f"/items/{n}": fields for n, fields in enumerate(batch)}, key)


def _create(database: Database, wanted: Mapping[str, Fields], key: bytes | None) -> Created:
    """Store a new customer for each of the fields, which come by their JSON pointers."""
    stored, fingerprint = _marks(key, wanted.values())
    for _ in range(ATTEMPTS):
        new = _new(rows.new_id(), wanted.values())
        try:
            _store(database, new, stored, fingerprint)
        except DuplicateKey:
            rivals = conflicts.rivals(database, wanted.values(), stored)
        else:
            return Created(new, replayed=False)
        if earlier := next((row for row in rivals if row["is_earlier"]), None):
            return _replay(earlier, fingerprint, wanted.values())
        if problem := conflicts.taken(rivals, wanted):
            raise problem
    raise conflicts.overtaken()


def _new(first: UUID, batch: Collection[Fields]) -> list[Customer]:
    """Return new customers with ids that follow each other: the first one tells them all."""
    ids = (first, *(UUID(int=first.int + n) for n in range(1, len(batch))))
    return [rows.new(fields, each) for fields, each in zip(batch, ids, strict=True)]


def _store(
    database: Database, new: Sequence[Customer], key: bytes | None, fingerprint: bytes | None
) -> None:
    """Insert all of them or none. What left that unclear is read back: the ids are random."""
    sql, parameters = _insertion(new, key, fingerprint)
    try:
        database.execute_guarded(sql, **parameters)
    except DatabaseError as error:
        first = parameters["id_0"]
        if not error.is_unclear or not database.fetch_one(_IS_STORED, id=first):
            raise


@lru_cache(maxsize=256)
def _insert(size: int, columns: Sequence[str]) -> str:
    values = (", ".join(f":{name}_{n}" for name in columns) for n in range(size))
    return (
        f"INSERT INTO customers ({', '.join(columns)})"
        f" VALUES {', '.join(f'({each})' for each in values)}"
    )


@lru_cache(maxsize=256)
def _parameters(size: int, columns: Sequence[str]) -> list[str]:
    return [f"{name}_{n}" for n in range(size) for name in columns]


def _insertion(
    new: Sequence[Customer], key: bytes | None, fingerprint: bytes | None
) -> tuple[str, dict[str, Value]]:
    """Return the statement, which leaves out what is null in all: each parameter costs."""
    stored = [rows.to_row(customer) for customer in new]
    stored[0] |= {"idempotency_key": key, "idempotency_fingerprint": fingerprint}
    known = {name for row in stored for name, value in row.items() if value is not None}
    columns = tuple([name for name in _INSERTED if name in known])
    values = [row.get(name) for row in stored for name in columns]
    parameters = zip(_parameters(len(new), columns), values, strict=True)
    return _insert(len(new), columns), dict(parameters)


def _marks(key: bytes | None, batch: Iterable[Fields]) -> tuple[bytes | None, bytes | None]:
    """Return what is stored of the key, and of the body.

    Who has the database only has not the key, and can't try out what the body was.
    """
    if key is None:
        return None, None
    body = json.dumps(list(batch), sort_keys=True).encode()
    return hashlib.sha256(key).digest(), hmac.digest(key, body, "sha256")


def _replay(earlier: Row, fingerprint: bytes | None, batch: Collection[Fields]) -> Created:
    """Return what the earlier request was answered: its body is this one's."""
    if earlier["idempotency_fingerprint"] != fingerprint:
        raise IdempotencyKeyReused("Another body came with this key before. Use a new key.")
    return Created(_new(UUID(bytes=earlier["id"]), batch), replayed=True)  # type: ignore[arg-type]
