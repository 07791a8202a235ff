"""The measured requests: for each operation, the functions that the API calls.

Requests that use up a customer, and those that need one in a certain state, follow each other:
`delete + restore` are two requests about one customer, and each has its own measurement. The ids of
customers that requests create are those of the present, so that `filling.forget` finds them.
"""

import random
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from chalicelib.customers import erasure, lists
from chalicelib.customers.fields import CUSTOMERS, EXTERNAL_ID
from chalicelib.customers.lists import Query
from chalicelib.database import Database
from chalicelib.http import (
    bulk,
    creates,
    exports,
    feed,
    history,
    pagination,
    reads,
    unique,
    updates,
    values,
)
from chalicelib.http.idempotency import Key
from chalicelib.http.items import Item
from chalicelib.http.lists import with_ids
from chalicelib.http.pagination import Position
from chalicelib.http.preconditions import Conditions, Intent
from chalicelib.http.resources import MAX_BATCH, Place
from local import seed

KEY = b"signs the cursors of the benchmark"
CREATED_LATER = range(10**8, 10**10)
RETENTION = timedelta(days=30)


class Sample(NamedTuple):
    """A customer in the database."""

    id: UUID
    email: str
    phone: str
    external_id: str
    name: str
    updated_at: datetime
    others: Sequence[str]
    """The ids of as many customers as a request can have."""

    @property
    def created_at(self) -> datetime:
        return values.created_at(self.id)

    @property
    def place(self) -> Place:
        return EXTERNAL_ID.place(self.external_id)


Call = Callable[[Database], object]
Calls = Sequence[Call]
"""Requests that follow each other."""
Prepare = Callable[[Sample], Calls]
"""Prepares requests about a customer, before the measurement."""
AND = " + "
"""Separates the names of requests that follow each other."""


def cursor_after(query: Query, customer_id: UUID, updated_at: datetime) -> str:
    """Return the cursor of the page after a customer."""
    is_by_update = query.order[0] == "updated_at"
    position = Position(customer_id, updated_at if is_by_update else None)
    return pagination.encode(KEY, query.listed, position)


def anywhere(query: Query) -> Prepare:
    """Return a function that prepares the list page after a customer."""

    def prepare(customer: Sample) -> Calls:
        after = query._replace(cursor=cursor_after(query, customer.id, customer.updated_at))
        return [lambda database: lists.page(database, after, KEY)]

    return prepare


def first_page(build: Callable[[Sample], Query]) -> Prepare:
    """Return a function that prepares a first page, filtered by values of a customer."""

    def prepare(customer: Sample) -> Calls:
        query = build(customer)
        return [lambda database: lists.page(database, query, KEY)]

    return prepare


def changes(customer: Sample) -> Calls:
    """Return the page of the feed after the customer's last change."""
    position = Position(customer.id, customer.updated_at)
    cursor = pagination.encode(KEY, {"changes": CUSTOMERS.plural}, position)
    return [lambda database: feed.page(database, CUSTOMERS, KEY, cursor=cursor)]


def patch(customer: Sample) -> Calls:
    edit = _rename()
    return [lambda database: updates.change(database, CUSTOMERS, customer.id, edit, _intent())]


def patch_at(customer: Sample) -> Calls:
    edit, conditions = _rename(), Conditions(None, _intent())
    return [lambda database: unique.change(database, CUSTOMERS, customer.place, edit, conditions)]


def put_at(customer: Sample) -> Calls:
    """Replace the customer's fields, except those by which it is found."""
    kept = {name: getattr(customer, name) for name in ("email", "phone", "external_id")}
    fields, conditions = _new() | kept, Conditions(None, _intent())
    return [
        lambda database: unique.put(
            database, CUSTOMERS, customer.place, lambda _: fields, conditions
        )
    ]


def delete(customer: Sample) -> Calls:
    return [
        lambda database: updates.delete(database, CUSTOMERS, customer.id, RETENTION, _intent()),
        lambda database: updates.restore(database, CUSTOMERS, customer.id, _intent()),
    ]


def delete_at(customer: Sample) -> Calls:
    conditions = Conditions(None, _intent())
    return [
        lambda database: unique.delete(database, CUSTOMERS, customer.place, RETENTION, conditions),
        lambda database: updates.restore(database, CUSTOMERS, customer.id, _intent()),
    ]


def create(_: Sample) -> Calls:
    """Create a customer, replace its first version, erase it and prove that."""
    fields, replaced, key = _new(), _new(), _key()
    ids: list[UUID] = []

    def insert(database: Database) -> None:
        ids.append(UUID(creates.create(database, CUSTOMERS, fields, key).items[0]["id"]))

    return [
        insert,
        lambda database: updates.replace(
            database, CUSTOMERS, ids[0], lambda _: replaced, _intent(1)
        ),
        lambda database: erasure.erase(database, ids[0], _intent()),
        lambda database: erasure.find(database, ids[0]),
    ]


def create_all(_: Sample) -> Calls:
    """Create, update and delete as many customers as a request can have."""
    batch, key, rename = [_new() for _ in range(MAX_BATCH)], _key(), _rename()
    ids: list[UUID] = []

    def insert(database: Database) -> None:
        created = creates.create_all(database, CUSTOMERS, batch, key)
        ids.extend(UUID(document["id"]) for document in created.items)

    def items(version: int) -> list[Item]:
        return [Item(each, version, {}) for each in ids]

    return [
        insert,
        lambda database: bulk.change_all(
            database, CUSTOMERS, items(1), lambda _, current: rename(current), _intent()
        ),
        lambda database: bulk.delete_all(database, CUSTOMERS, items(2), RETENTION, _intent()),
    ]


def _new() -> dict[str, Any]:
    return seed.generate(random.choice(CREATED_LATER))  # noqa: S311 (not a secret)


def _rename() -> updates.Edit:
    name = secrets.token_hex(6)
    return lambda _: {"family_name": name}


def _key() -> Key:
    return Key(secrets.token_bytes(32), secrets.token_bytes(32))


def _intent(*versions: int) -> Intent:
    """Return the intent of a request for these versions; for any if none is given."""
    return Intent(versions or None, secrets.token_bytes(32))


LISTS = {
    "-created_at": Query(),
    "created_at": Query(sort="created_at"),
    "-updated_at": Query(sort="-updated_at"),
    "updated_at": Query(sort="updated_at"),
    "status=active": Query(status="active"),
    "status=inactive": Query(status="inactive"),
    "status=inactive, -updated_at": Query(status="inactive", sort="-updated_at"),
    "include_deleted": Query(include_deleted=True),
    "include_deleted, updated_at": Query(include_deleted=True, sort="updated_at"),
    "fields=id,email": Query(fields=("id", "email")),
}
FILTERED: dict[str, Callable[[Sample], Query]] = {
    "email": lambda one: Query(email=one.email),
    "phone": lambda one: Query(phone=one.phone),
    "phone, -updated_at": lambda one: Query(phone=one.phone, sort="-updated_at"),
    "external_id": lambda one: Query(external_id=one.external_id),
    "created_after, created_at": lambda one: Query(created_after=one.created_at, sort="created_at"),
    "created_before": lambda one: Query(created_before=one.created_at),
    "updated_after, updated_at": lambda one: Query(updated_after=one.updated_at, sort="updated_at"),
    "q=an email address": lambda one: Query(q=one.email),
}
SEARCHES = {"q=mar": Query(q="mar"), "q=mar, status=inactive": Query(q="mar", status="inactive")}
# These read all matches, as docs/decisions/0007 explains.
READING_ALL: dict[str, Callable[[Sample], Query]] = {
    "q=a name": lambda one: Query(q=one.name),
    **{name: lambda _, query=query: query for name, query in SEARCHES.items()},  # type: ignore[misc]
    "created_after, updated_at": lambda one: Query(created_after=one.created_at, sort="updated_at"),
}
BULK = "create 100 + patch 100 + delete 100"
REQUESTS: dict[str, Prepare] = {
    "get": lambda one: [lambda database: reads.get(database, CUSTOMERS, one.id)],
    "get by external id": lambda one: [
        lambda database: reads.get_at(database, CUSTOMERS, one.place)
    ],
    "history": lambda one: [lambda database: history.get(database, CUSTOMERS, one.id)],
    "export": lambda one: [lambda database: exports.get(database, CUSTOMERS, one.id)],
    "changes": changes,
    "list: 100 ids": lambda one: [lambda database: with_ids(database, CUSTOMERS, one.others)],
    "list: -created_at, first page": first_page(lambda _: Query()),
    **{f"list: {name}": anywhere(query) for name, query in LISTS.items()},
    "list: limit=100": anywhere(Query(limit=100)),
    **{f"list: {name}": first_page(build) for name, build in FILTERED.items()},
    "patch": patch,
    "patch by external id": patch_at,
    "put by external id": put_at,
    "delete + restore": delete,
    "delete by external id + restore by id": delete_at,
    "create + put + erase + erasure": create,
    BULK: create_all,
}
GROWING = {f"list: {name}": first_page(build) for name, build in READING_ALL.items()}
