"""Read one resource by its id."""

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple, cast
from uuid import UUID

from chalicelib.database import Database, Value
from chalicelib.http import values
from chalicelib.http.resources import Document, Resource, read_texts


class Found(NamedTuple):
    """A resource that was read: its version and its JSON text."""

    version: int
    text: str


def get(
    database: Database, resource: Resource, resource_id: UUID, names: Collection[str] = ()
) -> Found:
    """Return the resource, or the named fields of it. Raises the resource's `not_found`."""
    row = database.fetch_one(_select(resource, frozenset(names)), id=resource_id.bytes)
    if row is None:
        raise resource.missing()
    return Found(cast("int", row["version"]), read_texts([row]))


def fetch(database: Database, resource: Resource, resource_id: UUID) -> tuple[Document, object]:
    """Return the document, and the fingerprint of its last update. Raises `not_found`."""
    return _fetch(database, resource, resource_id, "deleted_at IS NULL")


def fetch_restorable(
    database: Database, resource: Resource, resource_id: UUID
) -> tuple[Document, object]:
    """Return what `fetch` does, also for a deleted resource before its purge date."""
    condition = "erased_at IS NULL AND (purge_at IS NULL OR purge_at > :now)"
    return _fetch(database, resource, resource_id, condition, now=values.now())


def _fetch(
    database: Database, resource: Resource, resource_id: UUID, condition: str, **parameters: Value
) -> tuple[Document, object]:
    columns = ", ".join(f"`{name}`" for name in (*resource.columns, "last_write"))
    row = database.fetch_one(
        f"SELECT {columns} FROM {resource.table} WHERE id = :id AND {condition}",
        id=resource_id.bytes,
        **parameters,
    )
    if row is None:
        raise resource.missing()
    return resource.from_row(row), row["last_write"]


@lru_cache(maxsize=256)
def _select(resource: Resource, names: frozenset[str]) -> str:
    return (
        f"SELECT version, {resource.select(names or resource.names)} FROM {resource.table}"
        " WHERE id = :id AND deleted_at IS NULL"
    )
