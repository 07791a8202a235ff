"""What is done with a customer that is there, in as few SQL statements as it can be.

`versions`, in what changes a customer, are those that the change is meant for; None means
any. A change whose answer was lost can be repeated: it is answered as if it had just been made.
"""

from collections.abc import Callable, Collection
from datetime import timedelta
from functools import cache
from uuid import UUID

from chalicelib import conflicts, rows
from chalicelib.conflicts import ATTEMPTS
from chalicelib.database import Database, DuplicateKey, Value
from chalicelib.problems import CustomerNotFound, PreconditionFailed, Problem
from chalicelib.rows import Customer, Fields

PURGE_BATCH = 500  # customers that one statement erases

# the order matters: a SET sees what those before it have set
_ERASURE = """
 version = version + (erased_at IS NULL), updated_at = IF(erased_at IS NULL, :now, updated_at),
 status = 'inactive', email = NULL, phone = NULL, given_name = NULL, family_name = NULL,
 company_name = NULL, external_id = NULL, addresses = '[]', locale = NULL, time_zone = NULL,
 metadata = '{}', idempotency_key = NULL, idempotency_fingerprint = NULL,
 deleted_at = COALESCE(deleted_at, :now), purge_at = NULL, erased_at = COALESCE(erased_at, :now)
""".replace("\n", "")


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
    for _ in range(ATTEMPTS):
        current = get(database, customer_id)
        edited = edit(current)
        members = {name: value for name, value in edited.items() if value != current[name]}
        _check(current["version"], versions, is_done=not members)
        if not members:
            return current
        if changed := _set(database, customer_id, current["version"], members):
            return current | changed
    raise conflicts.overtaken()


def write(database: Database, customer_id: UUID, version: int, members: Fields) -> Customer:
    """Set members of the customer without reading it, if it is of the version.

    Returns what is then known of it: `members` and what the service sets. When nothing changes,
    no version is made. Raises as `change` does.
    """
    for _ in range(ATTEMPTS):
        if changed := _set(database, customer_id, version, members):
            return changed
        current = get(database, customer_id)
        if all(current[name] == value for name, value in members.items()):
            _check(current["version"], {version}, is_done=True)
            return current
        _check(current["version"], {version})
    raise conflicts.overtaken()


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
    for _ in range(ATTEMPTS):
        current = _restorable(database, customer_id)
        is_done = current["deleted_at"] is None
        _check(current["version"], versions, is_done=is_done)
        if is_done:
            return current
        if changed := _undelete(database, current):
            return changed
    raise conflicts.overtaken()


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


def _set(database: Database, customer_id: UUID, version: int, members: Fields) -> Customer | None:
    """Make the version after `version`; None if the customer has another, or the members already.

    Also None when what was taken by another customer was let go of meanwhile.
    """
    changed = rows.live(customer_id, version + 1, members, rows.now())
    names = ("id", "version", "updated_at", *members)
    try:
        matched = database.execute(_update(tuple(members)), **rows.to_row(changed, names))
    except DuplicateKey:
        rivals = conflicts.rivals(database, [members])
        if problem := conflicts.taken(rivals, {"": members}, customer_id):
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
        if problem := conflicts.taken(conflicts.rivals(database, [deleted]), {"": deleted}):
            raise problem from None
        return None
    return restored if matched else None


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
