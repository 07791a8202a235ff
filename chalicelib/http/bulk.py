"""Update and delete several resources, all of them or none.

Each item names the version that the client has read, so a request can be repeated: as with
`If-Match`, a fingerprint shows which items it has changed already (`updates`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chalicelib.database import Database, DuplicateKey, Row, Value, tables
from chalicelib.http import conflicts, values
from chalicelib.http.conflicts import MAX_ROUNDS
from chalicelib.http.items import Item, placed, pointer
from chalicelib.http.preconditions import Intent
from chalicelib.http.problems import (
    MAX_ERRORS,
    InputError,
    ValidationError,
    VersionConflict,
)
from chalicelib.http.resources import Document, Fields, Resource

Edit = Callable[[Mapping[str, Any], Document], Fields]
"""Return all writable fields, given a merge patch and the current document."""


class Stored(NamedTuple):
    """The row of an item; `is_done` if this request has already changed it."""

    row: Row
    is_done: bool


def change_all(
    database: Database, resource: Resource, items: Sequence[Item], edit: Edit, intent: Intent
) -> list[Document]:
    """Apply each item's patch. Without a change, a resource keeps its version.

    Raises the resource's `not_found`, VersionConflict, ValidationError, the problems of the unique
    fields, and ServiceUnavailable after too many concurrent updates. Nothing was changed then.
    """
    for _ in range(MAX_ROUNDS):
        stored = _read(database, resource, items, intent, deletes=False)
        documents = [resource.from_row(each.row) for each in stored]
        changes = _edited(resource, items, stored, documents, edit)
        if not changes:
            return documents
        if updated_at := _update(database, resource, items, documents, changes, intent):
            time = values.format_time(updated_at)
            return [
                _merged(document, changes[n], time) if n in changes else document
                for n, document in enumerate(documents)
            ]
    raise conflicts.overtaken()


def delete_all(
    database: Database,
    resource: Resource,
    items: Sequence[Item],
    retention: timedelta,
    intent: Intent,
) -> None:
    """Soft-delete all resources. Raises the resource's `not_found`, VersionConflict."""
    sql = tables.delete_all_sql(resource.table, len(items))
    for _ in range(MAX_ROUNDS):
        now = values.now()
        parameters = _named(items) | {"updated_at": now, "purge_at": now + retention}
        parameters |= intent.author
        if tables.run_write(database, resource.table, sql, parameters):
            return
        if all(each.is_done for each in _read(database, resource, items, intent, deletes=True)):
            return
    raise conflicts.overtaken()


def _read(
    database: Database,
    resource: Resource,
    items: Sequence[Item],
    intent: Intent,
    *,
    deletes: bool,
) -> list[Stored]:
    """Read the items. Raises `not_found` and VersionConflict for those that are not as expected."""
    columns = ("id", "version", "deleted_at") if deletes else resource.columns
    sql = tables.select_all_sql(resource.table, len(items), (*columns, "last_write"))
    rows = database.fetch_all(sql, **_ids(items))
    found = {row["id"]: row for row in rows}
    missing: list[InputError] = []
    changed: list[InputError] = []
    stored = []
    for n, item in enumerate(items):
        row = found.get(item.id.bytes)
        # this request wrote last: its response was lost
        is_done = row is not None and intent.has_written(row["last_write"])
        if row is None or (row["deleted_at"] is not None and not is_done):
            detail = f"No {resource.name} has this id, or it was deleted."
            missing.append({"pointer": f"{pointer(n)}/id", "code": "not-found", "detail": detail})
        elif row["version"] != item.version and not is_done:
            detail = f"The {resource.name} has changed: it has another version."
            changed.append(
                {"pointer": f"{pointer(n)}/version", "code": "version", "detail": detail}
            )
        else:
            stored.append(Stored(row, is_done))
    if missing or changed:
        kind = resource.not_found if missing else VersionConflict
        raise kind(
            f"Nothing was changed. `errors` lists the {resource.plural} to fetch again or to leave"
            " out.",
            [*missing, *changed],
        )
    return stored


def _edited(
    resource: Resource,
    items: Sequence[Item],
    stored: Sequence[Stored],
    documents: Sequence[Document],
    edit: Edit,
) -> dict[int, Fields]:
    """Return the changes of each item that changes. Raises ValidationError."""
    changes: dict[int, Fields] = {}
    errors: list[InputError] = []
    for n, (item, each, document) in enumerate(zip(items, stored, documents, strict=True)):
        try:
            edited = {} if each.is_done else edit(item.patch, document)
        except ValidationError as problem:
            errors += placed(problem, n)
            continue
        if changed := {name: value for name, value in edited.items() if value != document[name]}:
            changes[n] = changed
    if errors := [*errors, *_repeated(resource, changes)]:
        raise ValidationError("`errors` lists what to change.", errors[:MAX_ERRORS])
    return changes


def _repeated(resource: Resource, changes: Mapping[int, Fields]) -> list[InputError]:
    """Return an error for each unique value that an earlier item has, too."""
    first: dict[tuple[str, str], int] = {}
    return [
        {
            "pointer": f"{pointer(n)}/{unique.field}",
            "code": "repeated",
            "detail": f"Duplicates item {earlier}.",
        }
        for n, fields in changes.items()
        for unique in resource.unique
        if (key := unique.to_column(fields.get(unique.field)))
        and (earlier := first.setdefault((unique.field, key), n)) != n
    ]


def _update(  # noqa: PLR0913, PLR0917 (the parts of an update)
    database: Database,
    resource: Resource,
    items: Sequence[Item],
    documents: Sequence[Document],
    changes: Mapping[int, Fields],
    intent: Intent,
) -> datetime | None:
    """Apply the changes; return their time, or None if another write was first.

    Raises the problems of the unique fields.
    """
    now = values.now()
    others = (item for n, item in enumerate(items) if n not in changes)
    parameters = _named([*(items[n] for n in changes), *others])
    parameters |= {"updated_at": now, **intent.author}
    changed = [[name for name in resource.writable if name in each] for each in changes.values()]
    parameters |= _numbered("f", [" ".join(names) for names in changed])  # as in the history
    columns: dict[str, dict[int, Value]] = {}
    for row, (n, fields) in enumerate(changes.items()):
        names = (*changed[row], *resource.derived_from(fields))
        for name, value in resource.to_row({**documents[n], **fields}, names).items():
            columns.setdefault(name, {})[row] = value
    for number, by_row in enumerate(columns.values()):
        parameter = tables.numbered(tables.column_parameter(number), len(changes))
        parameters |= {parameter[row]: value for row, value in by_row.items()}
    sql = tables.update_all_sql(resource.table, len(items), len(changes), columns)
    try:
        return now if tables.run_write(database, resource.table, sql, parameters) else None
    except DuplicateKey:
        rows = conflicts.find_rows(database, resource, list(changes.values()))
        wanted = {pointer(n): fields for n, fields in changes.items()}
        own_ids = {pointer(n): items[n].id for n in changes}
        if problem := conflicts.find_conflict(resource, rows, wanted, own_ids):
            raise problem from None
        return None


def _merged(document: Document, fields: Fields, updated_at: str | None) -> Document:
    """Return the document after the update."""
    version = document["version"] + 1
    return {**document, **fields, "version": version, "updated_at": updated_at}


def _ids(items: Sequence[Item]) -> dict[str, Value]:
    return _numbered("id", [item.id.bytes for item in items])


def _named(items: Sequence[Item]) -> dict[str, Value]:
    return _ids(items) | _numbered("version", [item.version for item in items])


def _numbered(name: str, values: Sequence[Value]) -> dict[str, Value]:
    """Return the parameters of this name, one for each value."""
    return dict(zip(tables.numbered(name, len(values)), values, strict=True))
