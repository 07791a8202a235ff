"""List resources: those with the given ids, or the newest first, with filters for equal values.

A resource with other filters or another order has its own list.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from uuid import UUID

from chalicelib.database import Database, Row
from chalicelib.http import pagination
from chalicelib.http.pagination import Page, Position
from chalicelib.http.resources import Resource, read_texts


def newest(  # noqa: PLR0913 (a list has many parameters)
    database: Database,
    resource: Resource,
    filters: Mapping[str, str],
    *,
    limit: int,
    cursor: str | None,
    key: bytes,
) -> Page:
    """Return a page of the resources whose fields have the values of `filters`.

    `key` signs cursors. Raises ValidationError for the cursor.
    """
    after = pagination.parse(key, filters, cursor)
    conditions = ["deleted_at IS NULL", *(f"`{name}` = :{name}" for name in filters)]
    parameters = resource.to_row(filters, filters) | {"rows": limit + 1}
    if after:
        conditions.append("id < :after")
        parameters["after"] = after.id.bytes
    rows = database.fetch_all(
        f"SELECT HEX(id) AS hex_id, {resource.select(resource.names)} FROM {resource.table}"
        f" WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT :rows",
        **parameters,
    )

    def to_cursor(row: Row) -> str:
        return pagination.encode(key, filters, Position(UUID(str(row["hex_id"]))))

    return pagination.make_page(rows, limit, to_cursor)


def with_ids(
    database: Database, resource: Resource, ids: Collection[str], fields: Collection[str] = ()
) -> Page:
    """Return the resources with these ids that are not deleted, in the order of creation."""
    sql = _of_ids(resource, len(ids), frozenset(fields or resource.names))
    parameters = {f"id_{n}": UUID(each).bytes for n, each in enumerate(ids)}
    return Page(f"[{read_texts(database.fetch_all(sql, **parameters))}]", None)


@lru_cache(maxsize=128)
def _of_ids(resource: Resource, count: int, names: frozenset[str]) -> str:
    ids = ", ".join(f":id_{n}" for n in range(count))
    return (
        f"SELECT {resource.select(names)} FROM {resource.table}"
        f" WHERE id IN ({ids}) AND deleted_at IS NULL ORDER BY id"
    )
