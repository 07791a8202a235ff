"""The history of a resource: who wrote its last versions, when, and which fields, but no values.

The statement that writes a version also writes its line: `chalicelib.database.tables` describes it.
"""

from typing import NamedTuple, cast
from uuid import UUID

from chalicelib.database import Database
from chalicelib.http.resources import Document, Resource


class Version(NamedTuple):
    """A version of a resource. `changed_at` has the format of RFC 3339.

    `operation` is created, updated, deleted, restored or erased. `caller` is a pseudonym.
    `changed_fields` are the fields that an update changed, in their usual order.
    """

    version: int
    operation: str
    changed_at: str
    caller: str
    changed_fields: list[str]


def parse(lines: object) -> list[Version]:
    """Return the versions in a column `history`, the newest first; none if it is NULL."""
    return [_parse(line) for line in reversed(cast("str", lines or "").splitlines())]


def to_documents(lines: object) -> list[Document]:
    """Return the versions in a column `history` as JSON objects, the newest first."""
    return [version._asdict() for version in parse(lines)]


def get(database: Database, resource: Resource, resource_id: UUID) -> list[Document]:
    """Return the last versions of a resource that is not erased, the newest first.

    Raises the resource's `not_found`.
    """
    row = database.fetch_one(
        f"SELECT history FROM {resource.table} WHERE id = :id AND erased_at IS NULL",
        id=resource_id.bytes,
    )
    if row is None:
        raise resource.erased()
    return to_documents(row["history"])


def _parse(line: str) -> Version:
    version, date, time, operation, caller, *changed_fields = line.split(" ")
    return Version(int(version), operation, f"{date}T{time}Z", caller, changed_fields)
