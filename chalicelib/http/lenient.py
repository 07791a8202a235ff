"""Create each resource of a batch that can be created, and report why the others can't.

One INSERT creates all of them. If values are in use, a SELECT finds the items that have them, and a
second INSERT creates the others.

The request is idempotent as a whole. The first row stores the key, as in `creates`. The last bits
of an id are the number of its item, so that a retry finds out which items the first attempt
created.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from chalicelib.database import Database, DuplicateKey, Row, tables
from chalicelib.http import conflicts, creates, idempotency, values
from chalicelib.http.conflicts import MAX_ROUNDS
from chalicelib.http.idempotency import Key
from chalicelib.http.items import pointer
from chalicelib.http.preconditions import NOBODY
from chalicelib.http.problems import InputError, Problem
from chalicelib.http.resources import Document, Fields, Resource

_NUMBER = 0x7F  # the bits of an id that are the number of the item, up to MAX_BATCH


class Outcomes(NamedTuple):
    """What became of each item; `replayed` if an earlier request with the same key was first."""

    items: list[Document | Problem]
    replayed: bool


def create_each(  # noqa: PLR0913, PLR0917 (as `create_all`)
    database: Database,
    resource: Resource,
    batch: Sequence[Fields | Problem],
    body: object,
    key: Key | None = None,
    caller: str = NOBODY,
) -> Outcomes:
    """Create the valid items, whose fields are given; the others are problems already.

    `body` is what the client sent. Raises IdempotencyKeyReused, ServiceUnavailable.
    """
    stored = idempotency.to_stored(key and key.secret, ["lenient", body])
    unkeyed = idempotency.to_stored(key and key.unkeyed, [])
    valid = {n: each for n, each in enumerate(batch) if not isinstance(each, Problem)}
    invalid = {n: each for n, each in enumerate(batch) if isinstance(each, Problem)}
    wanted, refused = valid, invalid
    for _ in range(MAX_ROUNDS):
        new = _build(resource, values.new_id(), wanted)
        if not new:
            return _outcomes(new, refused, replayed=False)
        try:
            creates.insert(database, resource, list(new.values()), stored, caller)
        except DuplicateKey:
            fields = list(valid.values())
            rows = conflicts.find_rows(database, resource, fields, stored.key, unkeyed.key)
        else:
            return _outcomes(new, refused, replayed=False)
        if earlier := next((row for row in rows if row["is_earlier"]), None):
            idempotency.check_body(earlier["idempotency_fingerprint"], stored)
            return _replay(database, resource, earlier, rows, valid, invalid)
        taken = _find_conflicts(resource, rows, wanted)
        refused = {**refused, **taken}
        wanted = {n: each for n, each in wanted.items() if n not in taken}
    raise conflicts.overtaken()


def _build(resource: Resource, base: UUID, wanted: Mapping[int, Fields]) -> dict[int, Document]:
    """Return the new documents by the number of their item, which is also in their ids."""
    return {
        n: resource.build(UUID(int=base.int & ~_NUMBER | n), 1, fields)
        for n, fields in wanted.items()
    }


def _outcomes(
    new: Mapping[int, Document], refused: Mapping[int, Problem], *, replayed: bool
) -> Outcomes:
    outcomes: dict[int, Document | Problem] = {**new, **refused}
    return Outcomes([outcomes[n] for n in sorted(outcomes)], replayed)


def _find_conflicts(
    resource: Resource, rows: Sequence[Row], wanted: Mapping[int, Fields]
) -> dict[int, Problem]:
    """Return the problem of each item whose values are in use."""
    found = {
        n: conflicts.find_conflict(resource, rows, {pointer(n): fields})
        for n, fields in wanted.items()
    }
    return {n: problem for n, problem in found.items() if problem}


def _replay(  # noqa: PLR0913, PLR0917 (what is known of both attempts)
    database: Database,
    resource: Resource,
    earlier: Row,
    rows: Sequence[Row],
    valid: Mapping[int, Fields],
    invalid: Mapping[int, Problem],
) -> Outcomes:
    """Return the outcomes of the earlier request, which had the same body."""
    expected = _build(resource, UUID(bytes=earlier["id"]), valid)  # type: ignore[arg-type]
    ids = [UUID(document["id"]).bytes for document in expected.values()]
    sql = tables.select_all_sql(resource.table, len(ids), ["id"])
    parameters = dict(zip(tables.numbered("id", len(ids)), ids, strict=True))
    created = {row["id"] for row in database.fetch_all(sql, **parameters)}
    new = {n: each for n, each in expected.items() if UUID(each["id"]).bytes in created}
    others = {n: fields for n, fields in valid.items() if n not in new}
    taken = {n: _taken_before(resource, n, fields) for n, fields in others.items()}
    taken |= _find_conflicts(resource, rows, others)
    return _outcomes(new, {**invalid, **taken}, replayed=True)


def _taken_before(resource: Resource, number: int, fields: Fields) -> Problem:
    """Return the problem of an item whose value was in use at the first attempt only."""
    unique = next(one for one in resource.unique if fields[one.field] is not None)
    error: InputError = {
        "pointer": f"{pointer(number)}/{unique.field}",
        "code": "taken",
        "detail": f"Used by another {resource.name} when this request was first made.",
    }
    return unique.problem("Send the item in a new request, with a new key.", [error])
