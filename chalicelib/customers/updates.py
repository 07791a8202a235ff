"""What is done with a customer that is there, in as few SQL statements as it can be.

A change says what it is meant for, its `Intent`. One whose answer was lost can be repeated: it is
answered as if it had just been made.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple, cast
from uuid import UUID

from chalicelib.customers import conflicts, rows
from chalicelib.customers.conflicts import ATTEMPTS
from chalicelib.customers.rows import Customer, Fields
from chalicelib.database import Database, DatabaseError, DuplicateKey, Value
from chalicelib.http.problems import CustomerNotFound, PreconditionFailed, Problem

PURGE_BATCH = 500  # customers that a run erases at once
_READ = ", ".join((*rows.COLUMNS, "last_write"))
_LEFT = ("id", "updated_at", "mark")  # what tells a write of a customer from any other

# the order matters: a SET sees what those before it have set
_ERASURE = """
 version = version + (erased_at IS NULL), last_write = IF(erased_at IS NULL, :mark, last_write),
 updated_at = IF(erased_at IS NULL, :updated_at, updated_at),
 status = 'inactive', email = NULL, email_key = NULL, phone = NULL, given_name = NULL,
 family_name = NULL, company_name = NULL, external_id = NULL, addresses = '[]', locale = NULL,
 time_zone = NULL, metadata = '{}', idempotency_key = NULL, idempotency_fingerprint = NULL,
 deleted_at = COALESCE(deleted_at, :updated_at), purge_at = NULL,
 erased_at = COALESCE(erased_at, :updated_at)
""".replace("\n", "")


class Intent(NamedTuple):
    """What a change is meant for: customers of one of the versions; None for any.

    The mark is the request's own: it tells a repetition from another's change.
    """

    versions: Collection[int] | None
    mark: bytes

    def admits(self, version: int) -> bool:
        return self.versions is None or version in self.versions

    def has_made(self, version: int, mark: object) -> bool:
        """Whether it was this change that made the version, of which `last_write` is the mark."""
        return mark == self.mark and self.versions is not None and version - 1 in self.versions


class Found(NamedTuple):
    """A customer that was read: its version, and its JSON text."""

    version: int
    text: str


def get(database: Database, customer_id: UUID, fields: Collection[str] = rows.MEMBERS) -> Found:
    """Return the customer, or the members of it that are in `fields`. Raises CustomerNotFound."""
    row = database.fetch_one(
        f"SELECT version, {rows.as_json(fields)} FROM customers"
        " WHERE id = :id AND deleted_at IS NULL",
        id=customer_id.bytes,
    )
    if row is None:
        raise _not_found()
    return Found(cast("int", row["version"]), rows.texts([row]))


def change(
    database: Database, customer_id: UUID, edit: Callable[[Customer], Fields], intent: Intent
) -> Customer:
    """Replace the customer's fields by what `edit` makes of the customer as it is.

    A change that another one overtakes is made again on what that one left. When nothing
    changes, nothing is written. Raises CustomerNotFound, PreconditionFailed, EmailTaken,
    ExternalIdTaken, and ServiceUnavailable when it was overtaken each time.
    """
    for _ in range(ATTEMPTS):
        current, mark = _current(database, customer_id)
        version, edited = current["version"], edit(current)
        if not intent.admits(version):
            return _unless_outdated(current, intent, mark)
        members = {name: new for name, new in edited.items() if new != current[name]}
        if not members:
            return current
        if changed := _set(database, customer_id, version, members, intent.mark):
            return current | changed
    raise conflicts.overtaken()


def write(
    database: Database, customer_id: UUID, version: int, members: Fields, mark: bytes
) -> Customer:
    """Set members of the customer without reading it, if it is of the version.

    Returns what is then known of it: `members` and what the service sets. When nothing changes,
    no version is made. Raises as `change` does.
    """
    intent = Intent({version}, mark)
    for _ in range(ATTEMPTS):
        if changed := _set(database, customer_id, version, members, mark):
            return changed
        current, last = _current(database, customer_id)
        if current["version"] != version:
            return _unless_outdated(current, intent, last)
        if all(current[name] == value for name, value in members.items()):
            return current
    raise conflicts.overtaken()


def delete(database: Database, customer_id: UUID, retention: timedelta, intent: Intent) -> None:
    """Hide the customer, to be erased after `retention`, and free its email and external id.

    Raises CustomerNotFound, PreconditionFailed.
    """
    now = rows.now()
    guard, named = _guard(intent.versions)
    sql = (
        "UPDATE customers SET deleted_at = :updated_at, updated_at = :updated_at,"
        " purge_at = :purge_at, version = version + 1, last_write = :mark"
        f" WHERE id = :id AND deleted_at IS NULL{guard}"
    )
    named |= {"id": customer_id.bytes, "updated_at": now, "mark": intent.mark}
    named["purge_at"] = now + retention
    matched = _write(database, sql, named, is_guarded=bool(guard))
    if not matched:
        _explain(database, customer_id, intent, "deleted_at")


def restore(database: Database, customer_id: UUID, intent: Intent) -> Customer:
    """Bring a deleted customer back, until its purge; one that was not deleted stays as it is.

    Raises CustomerNotFound, PreconditionFailed, EmailTaken, ExternalIdTaken, ServiceUnavailable.
    """
    for _ in range(ATTEMPTS):
        current, mark = _restorable(database, customer_id)
        if not intent.admits(current["version"]):
            return _unless_outdated(current, intent, mark)
        if current["deleted_at"] is None:
            return current
        if changed := _undelete(database, current, intent.mark):
            return changed
    raise conflicts.overtaken()


def erase(database: Database, customer_id: UUID, intent: Intent) -> None:
    """Erase all of the customer, deleted or not, but the id and the times.

    Raises CustomerNotFound, PreconditionFailed.
    """
    guard, named = _guard(intent.versions)
    sql = f"UPDATE customers SET{_ERASURE} WHERE id = :id{guard}"
    named |= {"id": customer_id.bytes, "updated_at": rows.now(), "mark": intent.mark}
    matched = _write(database, sql, named)
    if not matched:
        _explain(database, customer_id, intent, "erased_at")


def purge(database: Database) -> list[UUID]:
    """Erase up to `PURGE_BATCH` customers whose time to be restored is over; return their ids."""
    now = rows.now()
    due = database.fetch_all(
        "SELECT id FROM customers WHERE purge_at < :now LIMIT :batch", now=now, batch=PURGE_BATCH
    )
    if not due:
        return []
    ids = {f"id{n}": row["id"] for n, row in enumerate(due)}
    among = f"id IN ({', '.join(f':{name}' for name in ids)})"
    unclear = _erase_due(database, among, now, ids)
    erased = database.fetch_all(
        f"SELECT id FROM customers WHERE {among} AND erased_at = :now", now=now, **ids
    )
    if unclear and not erased:
        raise unclear
    return [UUID(bytes=cast("bytes", row["id"])) for row in erased]


def _erase_due(
    database: Database, among: str, now: datetime, ids: Mapping[str, Value]
) -> DatabaseError | None:
    """Erase those of the customers that are still due; return an error that left that unclear."""
    # a restore that was begun in time may have been quicker
    sql = f"UPDATE customers SET{_ERASURE} WHERE {among} AND purge_at < :updated_at"
    try:
        database.execute_guarded(sql, updated_at=now, mark=None, **ids)
    except DatabaseError as error:
        if error.is_unclear:
            return error
        raise
    return None


def known(customer_id: UUID, version: int) -> Customer:
    """Return what the service sets of a customer of the version, as far as no reading tells."""
    customer = rows.live(customer_id, version, {}, rows.now())
    del customer["updated_at"]
    return customer


def _current(database: Database, customer_id: UUID) -> tuple[Customer, object]:
    """Return the customer, and the mark of the last change."""
    row = database.fetch_one(
        f"SELECT {_READ} FROM customers WHERE id = :id AND deleted_at IS NULL",
        id=customer_id.bytes,
    )
    if row is None:
        raise _not_found()
    return rows.from_row(row), row["last_write"]


def _set(
    database: Database, customer_id: UUID, version: int, members: Fields, mark: bytes
) -> Customer | None:
    """Make the version after `version`; None if the customer has another, or the members already.

    Also None when what was taken by another customer was let go of meanwhile.
    """
    changed = rows.live(customer_id, version + 1, members, rows.now())
    names = (*members, "email_key") if "email" in members else tuple(members)
    stored = rows.to_row(changed, ("id", "version", "updated_at", *names))
    try:
        matched = _write(database, _update(names), {**stored, "mark": mark})
    except DuplicateKey:
        rivals = conflicts.rivals(database, [members])
        if problem := conflicts.taken(rivals, {"": members}, customer_id):
            raise problem from None
        return None
    return changed if matched else None


@cache
def _update(names: tuple[str, ...]) -> str:
    settings = ", ".join(f"{name} = :{name}" for name in ("version", "updated_at", *names))
    unchanged = " AND ".join(f"{name} COLLATE utf8mb4_bin <=> :{name}" for name in names)
    return (
        f"UPDATE customers SET {settings}, last_write = :mark"
        " WHERE id = :id AND version = :version - 1"
        f" AND deleted_at IS NULL AND NOT ({unchanged})"
    )


def _restorable(database: Database, customer_id: UUID) -> tuple[Customer, object]:
    row = database.fetch_one(
        f"SELECT {_READ} FROM customers WHERE id = :id AND erased_at IS NULL"
        " AND (purge_at IS NULL OR purge_at > :now)",
        id=customer_id.bytes,
        now=rows.now(),
    )
    if row is None:
        raise _not_found()
    return rows.from_row(row), row["last_write"]


def _undelete(database: Database, deleted: Customer, mark: bytes) -> Customer | None:
    customer_id, version = UUID(deleted["id"]), deleted["version"] + 1
    restored = deleted | rows.live(customer_id, version, {}, rows.now())
    stored = rows.to_row(restored, ("id", "version", *rows.TIMES))
    sql = (
        "UPDATE customers SET version = :version, updated_at = :updated_at,"
        " deleted_at = :deleted_at, purge_at = :purge_at, last_write = :mark"
        " WHERE id = :id AND version = :version - 1"
    )
    try:
        matched = _write(database, sql, {**stored, "mark": mark})
    except DuplicateKey:
        rivals = conflicts.rivals(database, [deleted])
        if problem := conflicts.taken(rivals, {"": deleted}, customer_id):
            raise problem from None
        return None
    return restored if matched else None


def _write(
    database: Database, sql: str, parameters: Mapping[str, Value], *, is_guarded: bool = True
) -> int:
    """Run a statement that leaves its time and its mark; return how many customers it matched.

    One that left it unclear whether it took effect is read back. `is_guarded` where it may be sent
    again, as its version, or what it sets, makes that harmless.
    """
    run = database.execute_guarded if is_guarded else database.execute
    try:
        return run(sql, **parameters)
    except DatabaseError as error:
        if error.is_unclear and _has_left(database, **{n: parameters[n] for n in _LEFT}):
            return 1
        raise


def _has_left(database: Database, **left: Value) -> bool:
    row = database.fetch_one(
        "SELECT id FROM customers"
        " WHERE id = :id AND updated_at = :updated_at AND last_write = :mark",
        **left,
    )
    return row is not None


def _guard(versions: Collection[int] | None) -> tuple[str, dict[str, Value]]:
    """Return a condition on the version, with its parameters."""
    if versions is None:
        return "", {}
    named: dict[str, Value] = {f"version_{n}": each for n, each in enumerate(versions or {0})}
    return f" AND version IN ({', '.join(f':{name}' for name in named)})", named


def _explain(database: Database, customer_id: UUID, intent: Intent, done: str) -> None:
    """Raise why the change matched nothing, unless it was made before, which sets `done`."""
    row = None
    if intent.versions is not None:
        row = database.fetch_one(
            f"SELECT version, last_write, {done} FROM customers WHERE id = :id",
            id=customer_id.bytes,
        )
    if row is None:
        raise _not_found()
    if row[done] is None:
        raise _outdated()
    if not intent.has_made(int(str(row["version"])), row["last_write"]):
        raise _not_found()


def _unless_outdated(current: Customer, intent: Intent, mark: object) -> Customer:
    """Return the customer if the change was made before. Raises PreconditionFailed."""
    if intent.has_made(current["version"], mark):
        return current
    raise _outdated()


def _outdated() -> Problem:
    return PreconditionFailed("It has another version by now. Read it, and decide again.")


def _not_found() -> Problem:
    return CustomerNotFound("No customer has this id, or it was deleted.")
