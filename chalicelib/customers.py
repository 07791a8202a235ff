"""The operations on customers, each in as few SQL statements as it can be.

A customer is a dictionary of JSON values, with a member for everything that `schemas.Customer`
names. `versions`, in what changes a customer, are those that the change is meant for; None means
any. A change whose answer was lost can be repeated: it is answered as if it had just been made.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from chalicelib import rows
from chalicelib.database import Database, DuplicateKey, Row, Value
from chalicelib.problems import (
    CustomerNotFound,
    EmailTaken,
    ExternalIdTaken,
    IdempotencyKeyReused,
    InputError,
    PreconditionFailed,
    Problem,
    ServiceUnavailable,
)
from chalicelib.rows import Customer

Fields = Mapping[str, Any]

PURGE_BATCH = 500  # customers that one statement erases
_ATTEMPTS = 5

_INSERTED = (*rows.COLUMNS, "idempotency_key", "idempotency_fingerprint")
# the order matters: a SET sees what those before it have set
_ERASURE = """
 version = version + (erased_at IS NULL), updated_at = IF(erased_at IS NULL, :now, updated_at),
 status = 'inactive', email = NULL, phone = NULL, given_name = NULL, family_name = NULL,
 company_name = NULL, external_id = NULL, addresses = '[]', locale = NULL, time_zone = NULL,
 metadata = '{}', idempotency_key = NULL, idempotency_fingerprint = NULL,
 deleted_at = COALESCE(deleted_at, :now), purge_at = NULL, erased_at = COALESCE(erased_at, :now)
""".replace("\n", "")


class Created(NamedTuple):
    """New customers; `replayed` when an earlier request with the same key created them."""

    items: list[Customer]
    replayed: bool


def get(database: Database, customer_id: UUID, fields: Collection[str] = rows.MEMBERS) -> Customer:
    """Return the customer, or the members of it that are in `fields`. Raises CustomerNotFound."""
    row = database.fetch_one(
        f"SELECT {', '.join(rows.columns_of(fields))} FROM customers"
        " WHERE id = :id AND deleted_at IS NULL",
        id=customer_id.bytes,
    )
    if row is None:
        raise _not_found()
    return rows.from_row(row, fields)


def create(database: Database, fields: Fields, key: bytes | None = None) -> Created:
    """Store a new customer, or find the one that an earlier request with the same key stored.

    Raises EmailTaken, ExternalIdTaken, IdempotencyKeyReused, ServiceUnavailable.
    """
    return _create(database, {"": fields}, key)


def create_all(database: Database, batch: Sequence[Fields], key: bytes | None = None) -> Created:
    """Store all of the new customers or none, as `create` does."""
    return _create(database, {f"/items/{n}": fields for n, fields in enumerate(batch)}, key)


def change(
    database: Database,
    customer_id: UUID,
    edit: Callable[[Customer], Fields],
    versions: Collection[int] | None = None,
) -> Customer:
    """Replace the customer's fields by what `edit` makes of the customer as it is.

    A change that another one overtakes is made again on what that one left. When nothing
    changes, nothing is written. Raises CustomerNotFound, PreconditionFailed, EmailTaken,
    ExternalIdTaken, and ServiceUnavailable when it was overtaken each time.
    """
    for _ in range(_ATTEMPTS):
        current = get(database, customer_id)
        edited = edit(current)
        members = {name: value for name, value in edited.items() if value != current[name]}
        _check(current["version"], versions, is_done=not members)
        if not members:
            return current
        if changed := _set(database, customer_id, current["version"], members):
            return current | changed
    raise _overtaken()


def write(database: Database, customer_id: UUID, version: int, members: Fields) -> Customer:
    """Set members of the customer without reading it, if it is of the version.

    Returns what is then known of it: `members` and what the service sets. When nothing changes,
    no version is made. Raises as `change` does.
    """
    for _ in range(_ATTEMPTS):
        if changed := _set(database, customer_id, version, members):
            return changed
        current = get(database, customer_id)
        if all(current[name] == value for name, value in members.items()):
            _check(current["version"], {version}, is_done=True)
            return current
        _check(current["version"], {version})
    raise _overtaken()


def delete(
    database: Database,
    customer_id: UUID,
    retention: timedelta,
    versions: Collection[int] | None = None,
) -> None:
    """Hide the customer, to be erased after `retention`, and free its email and external id.

    Raises CustomerNotFound, PreconditionFailed.
    """
    now = rows.now()
    guard, named = _guard(versions)
    matched = database.execute(
        "UPDATE customers SET deleted_at = :now, updated_at = :now, purge_at = :purge_at,"
        f" version = version + 1 WHERE id = :id AND deleted_at IS NULL{guard}",
        id=customer_id.bytes,
        now=now,
        purge_at=now + retention,
        **named,
    )
    if not matched:
        _explain(database, customer_id, versions, "deleted_at")


def restore(
    database: Database, customer_id: UUID, versions: Collection[int] | None = None
) -> Customer:
    """Bring a deleted customer back, until its purge; one that was not deleted stays as it is.

    Raises CustomerNotFound, PreconditionFailed, EmailTaken, ExternalIdTaken, ServiceUnavailable.
    """
    for _ in range(_ATTEMPTS):
        current = _restorable(database, customer_id)
        is_done = current["deleted_at"] is None
        _check(current["version"], versions, is_done=is_done)
        if is_done:
            return current
        if changed := _undelete(database, current):
            return changed
    raise _overtaken()


def erase(database: Database, customer_id: UUID, versions: Collection[int] | None = None) -> None:
    """Erase all of the customer, deleted or not, but the id and the times.

    Raises CustomerNotFound, PreconditionFailed.
    """
    guard, named = _guard(versions)
    matched = database.execute(
        f"UPDATE customers SET{_ERASURE} WHERE id = :id{guard}",
        id=customer_id.bytes,
        now=rows.now(),
        **named,
    )
    if not matched:
        _explain(database, customer_id, versions, "erased_at")


def purge(database: Database) -> int:
    """Erase up to `PURGE_BATCH` customers whose time to be restored is over; return how many."""
    return database.execute(
        f"UPDATE customers SET{_ERASURE} WHERE purge_at < :now LIMIT :batch",
        now=rows.now(),
        batch=PURGE_BATCH,
    )


def known(customer_id: UUID, version: int) -> Customer:
    """Return what the service sets of a customer of the version, as far as no reading tells."""
    customer = rows.live(customer_id, version, {}, rows.now())
    del customer["updated_at"]
    return customer


def _create(database: Database, wanted: Mapping[str, Fields], key: bytes | None) -> Created:
    """Store a new customer for each of the fields, which come by their JSON pointers."""
    fingerprint = _fingerprint(wanted.values()) if key else None
    for _ in range(_ATTEMPTS):
        new = _new(rows.new_id(), wanted.values())
        try:
            database.execute(_insert(len(new)), **_insertion(new, key, fingerprint))
        except DuplicateKey:
            rivals = _rivals(database, wanted.values(), key)
        else:
            return Created(new, replayed=False)
        if earlier := next((row for row in rivals if row["is_earlier"]), None):
            return _replay(earlier, fingerprint, wanted.values())
        if problem := _taken(rivals, wanted):
            raise problem
    raise _overtaken()


def _new(first: UUID, batch: Iterable[Fields]) -> list[Customer]:
    """Return new customers with ids that follow each other: the first one tells them all."""
    return [rows.new(fields, UUID(int=first.int + n)) for n, fields in enumerate(batch)]


@cache
def _insert(size: int) -> str:
    values = (", ".join(f":{name}_{n}" for name in _INSERTED) for n in range(size))
    return (
        f"INSERT INTO customers ({', '.join(_INSERTED)})"
        f" VALUES {', '.join(f'({each})' for each in values)}"
    )


def _insertion(
    new: Sequence[Customer], key: bytes | None, fingerprint: bytes | None
) -> dict[str, Value]:
    parameters: dict[str, Value] = {}
    for n, customer in enumerate(new):
        row = rows.to_row(customer) | {
            "idempotency_key": key if n == 0 else None,
            "idempotency_fingerprint": fingerprint if n == 0 else None,
        }
        parameters |= {f"{name}_{n}": value for name, value in row.items()}
    return parameters


def _fingerprint(batch: Iterable[Fields]) -> bytes:
    return hashlib.sha256(json.dumps(list(batch), sort_keys=True).encode()).digest()


def _replay(earlier: Row, fingerprint: bytes | None, batch: Iterable[Fields]) -> Created:
    """Return what the earlier request was answered: its body is this one's."""
    if earlier["idempotency_fingerprint"] != fingerprint:
        raise IdempotencyKeyReused("Another body came with this key before. Use a new key.")
    return Created(_new(UUID(bytes=earlier["id"]), batch), replayed=True)  # type: ignore[arg-type]


def _set(database: Database, customer_id: UUID, version: int, members: Fields) -> Customer | None:
    """Make the version after `version`; None if the customer has another, or the members already.

    Also None when what was taken by another customer was let go of meanwhile.
    """
    changed = rows.live(customer_id, version + 1, members, rows.now())
    names = ("id", "version", "updated_at", *members)
    try:
        matched = database.execute(_update(tuple(members)), **rows.to_row(changed, names))
    except DuplicateKey:
        rivals = _rivals(database, [members])
        if problem := _taken(rivals, {"": members}, customer_id):
            raise problem from None
        return None
    return changed if matched else None


@cache
def _update(names: tuple[str, ...]) -> str:
    settings = ", ".join(f"{name} = :{name}" for name in ("version", "updated_at", *names))
    unchanged = " AND ".join(map(_is_same, names))
    return (
        f"UPDATE customers SET {settings} WHERE id = :id AND version = :version - 1"
        f" AND deleted_at IS NULL AND NOT ({unchanged})"
    )


def _is_same(name: str) -> str:
    if name in rows.DOCUMENTS:  # JSON in MySQL, and text in MariaDB
        return f"JSON_EXTRACT({name}, '$') = JSON_EXTRACT(:{name}, '$')"
    return f"{name} COLLATE utf8mb4_bin <=> :{name}"


def _restorable(database: Database, customer_id: UUID) -> Customer:
    row = database.fetch_one(
        f"SELECT {', '.join(rows.COLUMNS)} FROM customers WHERE id = :id AND erased_at IS NULL"
        " AND (purge_at IS NULL OR purge_at > :now)",
        id=customer_id.bytes,
        now=rows.now(),
    )
    if row is None:
        raise _not_found()
    return rows.from_row(row)


def _undelete(database: Database, deleted: Customer) -> Customer | None:
    customer_id, version = UUID(deleted["id"]), deleted["version"] + 1
    restored = deleted | rows.live(customer_id, version, {}, rows.now())
    names = ("id", "version", *rows.TIMES)
    try:
        matched = database.execute(
            "UPDATE customers SET version = :version, updated_at = :updated_at,"
            " deleted_at = :deleted_at, purge_at = :purge_at"
            " WHERE id = :id AND version = :version - 1",
            **rows.to_row(restored, names),
        )
    except DuplicateKey:
        if problem := _taken(_rivals(database, [deleted]), {"": deleted}):
            raise problem from None
        return None
    return restored if matched else None


def _rivals(database: Database, batch: Collection[Fields], key: bytes | None = None) -> list[Row]:
    """Return who has what the customers want to have, and what was created with the key."""
    emails = {f"email_{n}": each["email"] for n, each in enumerate(batch) if each.get("email")}
    external_ids = {
        f"external_id_{n}": each["external_id"]
        for n, each in enumerate(batch)
        if each.get("external_id")
    }
    conditions = ["idempotency_key = :idempotency_key"]
    if emails:
        lowered = ", ".join(f"LOWER(:{name})" for name in emails)
        conditions.append(f"email_live IN ({lowered})")
    if external_ids:
        conditions.append(f"external_id_live IN ({', '.join(f':{name}' for name in external_ids)})")
    return database.fetch_all(
        "SELECT id, email, external_id, idempotency_fingerprint,"
        " idempotency_key = :idempotency_key AS is_earlier"
        f" FROM customers WHERE {' OR '.join(conditions)}",
        idempotency_key=key,
        **emails,
        **external_ids,
    )


def _taken(
    rivals: Iterable[Row], wanted: Mapping[str, Fields], own_id: UUID | None = None
) -> Problem | None:
    """Return what a duplicate key means; which one the server named is not to be relied on."""
    others = [row for row in rivals if own_id is None or row["id"] != own_id.bytes]
    emails = {str(row["email"]).casefold() for row in others}
    external_ids = {row["external_id"] for row in others if row["external_id"]}
    errors: list[InputError] = []
    for pointer, fields in wanted.items():
        if fields.get("email", "").casefold() in emails:
            errors.append(_is_taken(f"{pointer}/email"))
        if fields.get("external_id") in external_ids:
            errors.append(_is_taken(f"{pointer}/external_id"))
    if not others:
        return None
    by_email = not errors or any(error["pointer"].endswith("/email") for error in errors)
    problem = EmailTaken if by_email else ExternalIdTaken
    return problem("Choose another, or change the customer that has it.", errors)


def _is_taken(pointer: str) -> InputError:
    return {"pointer": pointer, "code": "taken", "detail": "Is another customer's."}


def _guard(versions: Collection[int] | None) -> tuple[str, dict[str, Value]]:
    """Return a condition on the version, with its parameters."""
    if versions is None:
        return "", {}
    named: dict[str, Value] = {f"version_{n}": each for n, each in enumerate(versions or {0})}
    return f" AND version IN ({', '.join(f':{name}' for name in named)})", named


def _explain(
    database: Database, customer_id: UUID, versions: Collection[int] | None, done: str
) -> None:
    """Raise why the change matched nothing, unless it was made before, which sets `done`."""
    row = None
    if versions is not None:
        row = database.fetch_one(
            f"SELECT version, {done} FROM customers WHERE id = :id", id=customer_id.bytes
        )
    if row is None:
        raise _not_found()
    if row[done] is None:
        raise _outdated()
    if versions is None or row["version"] - 1 not in versions:  # type: ignore[operator]
        raise _not_found()


def _check(version: int, versions: Collection[int] | None, *, is_done: bool = False) -> None:
    """Raise PreconditionFailed unless the change is for this version, or is done and made it."""
    if versions is None or version in versions or (is_done and version - 1 in versions):
        return
    raise _outdated()


def _outdated() -> Problem:
    return PreconditionFailed("It has another version by now. Read it, and decide again.")


def _not_found() -> Problem:
    return CustomerNotFound("No customer has this id, or it was deleted.")


def _overtaken() -> Problem:
    return ServiceUnavailable("Other requests keep changing the same. Try again.", retry_after=1)
