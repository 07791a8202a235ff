"""Update, delete and restore resources, with as few statements as possible.

Updates use optimistic locking: an `Intent` holds the versions that the client expects and a
fingerprint of its request. If a response is lost and the client retries with If-Match, the
fingerprint shows that the update was already applied, and the retry succeeds like the first
attempt, unless another update followed.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Literal
from uuid import UUID

from chalicelib.database import Database, DuplicateKey, Value, tables
from chalicelib.http import conflicts, reads, values
from chalicelib.http.conflicts import MAX_ROUNDS
from chalicelib.http.preconditions import Intent, single_version
from chalicelib.http.resources import Document, Fields, Place, Resource

Edit = Callable[[Document], Fields]
"""Return all writable fields, given the current document or its known fields."""


def change(
    database: Database, resource: Resource, resource_id: UUID, edit: Edit, intent: Intent
) -> Document:
    """Replace the writable fields by the result of `edit` for the current document.

    If a concurrent update was first, `edit` is applied again to its result. Without a change,
    nothing is written. Raises the resource's `not_found`, PreconditionFailed, the problems of the
    unique fields, and ServiceUnavailable after too many concurrent updates.
    """
    for _ in range(MAX_ROUNDS):
        found = reads.fetch(database, resource, resource_id)
        if changed := apply(database, resource, found, edit, intent):
            return changed
    raise conflicts.overtaken()


def apply(
    database: Database,
    resource: Resource,
    found: tuple[Document, object],
    edit: Edit,
    intent: Intent,
) -> Document | None:
    """Do what `change` does to a resource that was read. Return None if another write was first."""
    current, last_write = found
    edited = edit(current)
    if not intent.admits(current["version"]):
        return _unless_outdated(resource, current, intent, last_write)
    changes = {name: value for name, value in edited.items() if value != current[name]}
    if not changes:
        return current
    changed = _set(database, resource, current, changes, intent)
    return changed and current | changed


def overwrite(  # noqa: PLR0913, PLR0917 (as `apply`)
    database: Database,
    resource: Resource,
    place: Place,
    found: tuple[Document, object],
    edit: Edit,
    intent: Intent,
) -> Document | None:
    """Replace the writable fields of the resource that still has a unique value, at any version.

    For requests that have lost to concurrent updates, which would be first again. The result may
    contain a later update. Return None as `apply` does. Raises what `change` raises.
    """
    current, _ = found
    fields = edit(current)
    if all(current[name] == value for name, value in fields.items()):
        return current
    if not _set(database, resource, current, fields, intent, place):
        return None
    return reads.fetch(database, resource, UUID(current["id"]))[0]


def replace(
    database: Database, resource: Resource, resource_id: UUID, load: Edit, intent: Intent
) -> Document:
    """Replace all writable fields, without reading the resource if `intent` names one version.

    Raises what `change` raises.
    """
    version = single_version(intent.versions)
    if version is None:
        return change(database, resource, resource_id, load, intent)
    known = resource.build_known(resource_id, version)
    return write(database, resource, known, load(known), intent)


def write(
    database: Database, resource: Resource, known: Document, fields: Fields, intent: Intent
) -> Document:
    """Set fields of the resource without reading it, if it still has the version of `known`.

    `intent` names that version only. Returns what is then known: these fields and the read-only
    ones. Without a change, no version is created. Raises what `change` raises.
    """
    for _ in range(MAX_ROUNDS):
        if changed := _set(database, resource, known, fields, intent):
            return changed
        current, last_write = reads.fetch(database, resource, UUID(known["id"]))
        if current["version"] != known["version"]:
            return _unless_outdated(resource, current, intent, last_write)
        if all(current[name] == value for name, value in fields.items()):
            return current
    raise conflicts.overtaken()


def delete(
    database: Database,
    resource: Resource,
    resource_id: UUID,
    retention: timedelta,
    intent: Intent,
) -> None:
    """Soft-delete the resource until its purge after `retention`, and free its unique values.

    Raises the resource's `not_found`, PreconditionFailed.
    """
    if not try_delete(database, resource, resource_id, retention, intent):
        raise_unless_applied(database, resource, resource_id, intent, "deleted_at")


def try_delete(
    database: Database,
    resource: Resource,
    resource_id: UUID,
    retention: timedelta,
    intent: Intent,
) -> bool:
    """Soft-delete the resource, and return whether it had a version that `intent` expects."""
    now = values.now()
    guard, parameters = tables.version_guard(intent.versions)
    parameters |= {"id": resource_id.bytes, "updated_at": now, "purge_at": now + retention}
    parameters |= intent.author
    sql = tables.delete_sql(resource.table, guard)
    is_guarded = bool(guard)
    return tables.run_write(database, resource.table, sql, parameters, is_idempotent=is_guarded) > 0


def restore(database: Database, resource: Resource, resource_id: UUID, intent: Intent) -> Document:
    """Restore a soft-deleted resource before its purge. Without a deletion, nothing is written.

    Raises what `change` raises.
    """
    for _ in range(MAX_ROUNDS):
        current, last_write = reads.fetch_restorable(database, resource, resource_id)
        if not intent.admits(current["version"]):
            return _unless_outdated(resource, current, intent, last_write)
        if current["deleted_at"] is None:
            return current
        if restored := _restore(database, resource, current, intent):
            return restored
    raise conflicts.overtaken()


def raise_unless_applied(
    database: Database,
    resource: Resource,
    resource_id: UUID,
    intent: Intent,
    time_column: Literal["deleted_at", "erased_at"],
) -> None:
    """Raise why a removal matched no row, unless this request has already applied it.

    `time_column` is the column that the removal sets.
    """
    row = None
    if intent.versions is not None:
        row = database.fetch_one(
            f"SELECT version, last_write, {time_column} FROM {resource.table} WHERE id = :id",
            id=resource_id.bytes,
        )
    if row is None:
        raise resource.missing()
    if row[time_column] is None:
        raise resource.changed(has_weak_tag=intent.has_weak_tag)
    if not intent.has_made(int(str(row["version"])), row["last_write"]):
        raise resource.missing()


def _set(  # noqa: PLR0913, PLR0917 (the parts of an update)
    database: Database,
    resource: Resource,
    current: Document,
    fields: Fields,
    intent: Intent,
    place: Place | None = None,
) -> Document | None:
    """Create the version after the current one. Return None if another write was first.

    Also returns None if the fields have these values already, or a conflict is gone. With `place`,
    create the version after any, while the resource has the unique value.
    """
    changed = resource.build(UUID(current["id"]), current["version"] + 1, fields, values.now())
    derived = resource.derived_from(fields)
    named = tuple(name for name in resource.writable if name in fields)  # as in the history
    row = resource.to_row(current | changed, ("id", "updated_at", *named, *derived))
    row |= intent.author
    if place:
        guard, row["place"] = f"{place.column} = :place", place.key
    else:
        guard, row["version"] = tables.NEXT_VERSION, changed["version"]
    sql = tables.update_sql(resource.table, named, tuple(derived), guard)
    is_applied = _run(database, resource, sql, row, fields)
    return changed if is_applied else None


def _restore(
    database: Database, resource: Resource, deleted: Document, intent: Intent
) -> Document | None:
    """Create a version that is not deleted. Return None as `_set` does."""
    resource_id, version = UUID(deleted["id"]), deleted["version"] + 1
    restored = deleted | resource.build(resource_id, version, {}, values.now())
    row = resource.to_row(restored, ("id", "version", "updated_at", "deleted_at", "purge_at"))
    sql = tables.restore_sql(resource.table)
    is_applied = _run(database, resource, sql, row | intent.author, deleted)
    return restored if is_applied else None


def _run(
    database: Database,
    resource: Resource,
    sql: str,
    parameters: Mapping[str, Value],
    fields: Fields,
) -> bool:
    """Run an update that sets the fields; return whether it was applied.

    Raises the problem of a unique field whose value is in use.
    """
    try:
        is_guarded = "version" in parameters
        run = partial(tables.run_write, is_idempotent=is_guarded)
        return run(database, resource.table, sql, parameters) > 0
    except DuplicateKey:
        rows = conflicts.find_rows(database, resource, [fields])
        own_id = UUID(bytes=parameters["id"])  # type: ignore[arg-type]
        if problem := conflicts.find_conflict(resource, rows, {"": fields}, {"": own_id}):
            raise problem from None
        return False


def _unless_outdated(
    resource: Resource, current: Document, intent: Intent, last_write: object
) -> Document:
    """Return the document if this request has already applied its update.

    Raises PreconditionFailed.
    """
    if intent.has_made(current["version"], last_write):
        return current
    raise resource.changed(has_weak_tag=intent.has_weak_tag)
