"""Find out why a write failed: a value that is already in use, or a concurrent update."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from uuid import UUID

from chalicelib.database import Database, Row, Value
from chalicelib.http.problems import InputError, Problem, ServiceUnavailable
from chalicelib.http.resources import Fields, Resource, Unique

MAX_ROUNDS = 5
"""How often a write is attempted on what a concurrent write left."""


def find_rows(
    database: Database,
    resource: Resource,
    batch: Collection[Fields],
    key: bytes | None = None,
    unkeyed: bytes | None = None,
) -> list[Row]:
    """Return the rows that have a unique value of the batch, or a stored idempotency key."""
    is_earlier = "idempotency_key IN (:idempotency_key, :unkeyed)"
    conditions = [is_earlier]
    parameters: dict[str, Value] = {"idempotency_key": key, "unkeyed": unkeyed}
    for unique in resource.unique:
        values = [unique.key(fields[unique.field]) for fields in batch if fields.get(unique.field)]
        named = {f"{unique.field}_{n}": value for n, value in enumerate(values)}
        if named:
            places = ", ".join(f":{name}" for name in named)
            conditions.append(f"{unique.live_column} IN ({places})")
            parameters |= named
    columns = "".join(f" {unique.column}," for unique in resource.unique)
    return database.fetch_all(
        f"SELECT id,{columns} idempotency_fingerprint, {is_earlier} AS is_earlier"
        f" FROM {resource.table} WHERE {' OR '.join(conditions)}",
        **parameters,
    )


def find_conflict(
    resource: Resource,
    rows: Iterable[Row],
    wanted: Mapping[str, Fields],
    own_ids: Mapping[str, UUID] = MappingProxyType({}),
) -> Problem | None:
    """Return the problem that a duplicate key stands for, or None if the conflict is gone.

    `wanted` has the fields by JSON pointer, and `own_ids` the ids of those that exist. The name of
    the key in the database's message is not reliable, so the values are compared.
    """
    found = list(rows)
    conflicts = [
        (unique, pointer)
        for pointer, fields in wanted.items()
        for unique in resource.unique
        if _is_in_use(unique, fields.get(unique.field), found, own_ids.get(pointer))
    ]
    if not conflicts:
        return None
    fields_in_use = {unique.field for unique, _ in conflicts}
    problem = next(one.problem for one in resource.unique if one.field in fields_in_use)
    return problem(
        f"Choose another value, or update the {resource.name} that uses it.",
        [_describe(resource, unique, pointer) for unique, pointer in conflicts],
    )


def overtaken() -> Problem:
    """Return the problem for a write that lost to concurrent writes each time."""
    return ServiceUnavailable("Too many concurrent updates. Try again.", retry_after=1)


def _is_in_use(unique: Unique, value: str | None, rows: Iterable[Row], own_id: UUID | None) -> bool:
    if value is None:
        return False
    others = (row for row in rows if own_id is None or row["id"] != own_id.bytes)
    return unique.key(value) in {row[unique.column] for row in others}


def _describe(resource: Resource, unique: Unique, pointer: str) -> InputError:
    return {
        "pointer": f"{pointer}/{unique.field}",
        "code": "taken",
        "detail": f"Already used by another {resource.name}.",
    }
