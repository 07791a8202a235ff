"""Read one resource by its id, or by the value of a unique field."""

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple, cast
from uuid import UUID

from chalicelib.database import Database, Value
from chalicelib.http import values
from chalicelib.http.resources import Document, Place, Resource, read_texts

_LIVE_ID = "id = :id AND deleted_at IS NULL"


class Found(NamedTuple):
    """A resource that was read: its version and its JSON text; its id if it was not known."""

    version: int
    text: str
    id: UUID | None = None


def get(
    database: Database, resource: Resource, resource_id: UUID, names: Collection[str] = ()
) -> Found:
    """Return the resource, or the named fields of it. Raises the resource's `not_found`."""
    row = database.fetch_one(_select(resource, frozenset(names)), id=resource_id.bytes)
    if row is None:
        raise resource.missing()
    return Found(cast("int", row["version"]), read_texts([row]))


def get_at(
    database: Database, resource: Resource, place: Place, names: Collection[str] = ()
) -> Found:
    """Return the resource that has the unique value, as `get` does."""
    sql = _select_at(resource, place.column, frozenset(names))
    row = database.fetch_one(sql, value=place.key)
    if row is None:
        raise resource.missing(place.field)
    return Found(cast("int", row["version"]), read_texts([row]), UUID(str(row["hex_id"])))


def fetch(database: Database, resource: Resource, resource_id: UUID) -> tuple[Document, object]:
    """Return the document, and the fingerprint of its last update. Raises `not_found`."""
    return _fetch(database, resource, _LIVE_ID, id=resource_id.bytes)


def find_at(database: Database, resource: Resource, place: Place) -> tuple[Document, object] | None:
    """Return what `fetch` does for the resource that has the unique value; None without one."""
    return _find(database, resource, f"{place.column} = :value", value=place.key)


def fetch_restorable(
    database: Database, resource: Resource, resource_id: UUID
) -> tuple[Document, object]:
    """Return what `fetch` does, also for a deleted resource before its purge date."""
    condition = "id = :id AND erased_at IS NULL AND (purge_at IS NULL OR purge_at > :now)"
    return _fetch(database, resource, condition, id=resource_id.bytes, now=values.now())


def _fetch(
    database: Database, resource: Resource, condition: str, **parameters: Value
) -> tuple[Document, object]:
    found = _find(database, resource, condition, **parameters)
    if found is None:
        raise resource.missing()
    return found


def _find(
    database: Database, resource: Resource, condition: str, **parameters: Value
) -> tuple[Document, object] | None:
    columns = ", ".join(f"`{name}`" for name in (*resource.columns, "last_write"))
    sql = f"SELECT {columns} FROM {resource.table} WHERE {condition}"
    row = database.fetch_one(sql, **parameters)
    return None if row is None else (resource.from_row(row), row["last_write"])


@lru_cache(maxsize=256)
def _select(resource: Resource, names: frozenset[str]) -> str:
    return (
        f"SELECT version, {resource.select(names or resource.names)} FROM {resource.table}"
        f" WHERE {_LIVE_ID}"
    )


@lru_cache(maxsize=64)
def _select_at(resource: Resource, column: str, names: frozenset[str]) -> str:
    return (
        f"SELECT HEX(id) AS hex_id, version, {resource.select(names or resource.names)}"
        f" FROM {resource.table} WHERE {column} = :value"
    )
