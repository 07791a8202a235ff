"""Export everything that the service keeps about a resource, in one document."""

from uuid import UUID

from chalicelib.database import Database, tables
from chalicelib.http import history
from chalicelib.http.resources import Document, Resource


def get(database: Database, resource: Resource, resource_id: UUID) -> Document:
    """Return the resource, its history, and the texts by which it is compared and found.

    Only hashes of requests are left out. They contain no data about the resource. Raises the
    resource's `not_found` if it was erased.
    """
    row = database.fetch_one(
        f"SELECT {tables.quoted((*resource.stored, 'history'))} FROM {resource.table}"
        " WHERE id = :id AND erased_at IS NULL",
        id=resource_id.bytes,
    )
    if row is None:
        raise resource.erased()
    return {
        resource.name: resource.from_row(row),
        "history": history.to_documents(row["history"]),
        "search_keys": {name: row[name] for name in resource.derived},
    }
