"""Create, replace, update and delete the resource that has the value of a unique field.

The path names whichever resource has the value at the moment, and none at times. Each write
therefore first finds the resource, and then writes it by id, guarded by the version that was read.
If another request was first, it starts again: the value may be that of another resource then.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from chalicelib.database import Database, DuplicateKey
from chalicelib.http import conflicts, creates, reads, updates, values
from chalicelib.http.conflicts import MAX_ROUNDS
from chalicelib.http.idempotency import Stored
from chalicelib.http.preconditions import Conditions, Intent
from chalicelib.http.problems import PreconditionFailed
from chalicelib.http.resources import Document, Fields, Place, Resource
from chalicelib.http.updates import Edit

Load = Callable[[Document | None], Fields]
"""Return all writable fields, given the current document, or None for a new resource."""


class Put(NamedTuple):
    """The resource after a PUT, and whether the request created it."""

    document: Document
    is_new: bool


def put(
    database: Database, resource: Resource, place: Place, load: Load, conditions: Conditions
) -> Put:
    """Create the resource, or replace all writable fields of the one that has the value.

    Raises PreconditionFailed, the problems of the unique fields, and ServiceUnavailable after too
    many concurrent updates.
    """
    if conditions.is_creation and conditions.if_match:
        raise PreconditionFailed("If-Match and If-None-Match: * exclude each other. Send one.")
    write = _create if conditions.is_creation else _create_or_replace
    return write(database, resource, place, load, conditions)


def _create(
    database: Database, resource: Resource, place: Place, load: Load, conditions: Conditions
) -> Put:
    """Create the resource unless another one has the value.

    A retry after a lost response gets the resource that the first attempt created.
    """
    fields = load(None)
    for _ in range(MAX_ROUNDS):
        if new := _insert(database, resource, place, fields, conditions.intent):
            return Put(new, is_new=True)
        if found := reads.find_at(database, resource, place):
            document, last_write = found
            if document["version"] == 1 and last_write == conditions.intent.fingerprint:
                return Put(document, is_new=True)
            raise PreconditionFailed(
                f"If-None-Match: * requires that no {resource.name} has this {place.field} yet."
            )
    raise conflicts.overtaken()


def _create_or_replace(
    database: Database, resource: Resource, place: Place, load: Load, conditions: Conditions
) -> Put:
    for attempt in range(MAX_ROUNDS):
        if found := reads.find_at(database, resource, place):
            intent = conditions.of(found[0]["id"])
            if attempt and not conditions.if_match:
                replaced = updates.overwrite(database, resource, place, found, load, intent)
            else:
                replaced = updates.apply(database, resource, found, load, intent)
            if replaced:
                return Put(replaced, is_new=False)
        elif conditions.if_match:
            raise PreconditionFailed(
                f"If-Match requires that a {resource.name} has this {place.field}."
            )
        elif new := _insert(database, resource, place, load(None), conditions.intent):
            return Put(new, is_new=True)
    raise conflicts.overtaken()


def change(
    database: Database, resource: Resource, place: Place, edit: Edit, conditions: Conditions
) -> Document:
    """Update the resource that has the value, as `updates.change` does."""
    for _ in range(MAX_ROUNDS):
        found = _find(database, resource, place, conditions)
        intent = conditions.of(found[0]["id"])
        if changed := updates.apply(database, resource, found, edit, intent):
            return changed
    raise conflicts.overtaken()


def delete(
    database: Database,
    resource: Resource,
    place: Place,
    retention: timedelta,
    conditions: Conditions,
) -> UUID:
    """Soft-delete the resource that has the value, as `updates.delete` does. Return its id."""
    for _ in range(MAX_ROUNDS):
        found = reads.find_at(database, resource, place)
        if found is None:
            return _deleted_before(database, resource, place, conditions)
        resource_id, version = UUID(found[0]["id"]), found[0]["version"]
        intent = conditions.of(resource_id)
        if not intent.admits(version):
            raise resource.changed(has_weak_tag=intent.has_weak_tag)
        read = intent._replace(versions=[version])
        if updates.try_delete(database, resource, resource_id, retention, read):
            return resource_id
    raise conflicts.overtaken()


def _insert(
    database: Database, resource: Resource, place: Place, fields: Fields, intent: Intent
) -> Document | None:
    """Return the new resource; None if another one has the value by now, or a conflict is gone.

    Raises the problems of the other unique fields.
    """
    new = resource.build(values.new_id(), 1, fields)
    try:
        stored = Stored(last_write=intent.fingerprint)
        creates.insert(database, resource, [new], stored, intent.caller)
    except DuplicateKey:
        rows = conflicts.find_rows(database, resource, [fields])
        is_created = any(row[place.unique.column] == place.key for row in rows)
        problem = conflicts.find_conflict(resource, rows, {"": fields})
        if problem and not is_created:
            raise problem from None
        return None
    return new


def _find(
    database: Database, resource: Resource, place: Place, conditions: Conditions
) -> tuple[Document, object]:
    """Return the resource that has the value, or that had it before this request's first attempt.

    Raises the resource's `not_found`.
    """
    if found := reads.find_at(database, resource, place):
        return found
    if named := conditions.named:
        document, last_write = reads.fetch(database, resource, named)
        if conditions.of(named).has_made(document["version"], last_write):
            return document, last_write
    raise resource.missing(place.field)


def _deleted_before(
    database: Database, resource: Resource, place: Place, conditions: Conditions
) -> UUID:
    """Return the id of the resource that this request's first attempt deleted.

    Raises the resource's `not_found`.
    """
    named = conditions.named
    if named is None:
        raise resource.missing(place.field)
    intent = conditions.of(named)
    updates.raise_unless_applied(database, resource, named, intent, "deleted_at")
    return named
