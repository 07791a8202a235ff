"""The measured requests: the API's calls of `lists`, `reads`, `updates` and `creates`."""

import random
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chalicelib.customers import lists
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.lists import Query
from chalicelib.database import Database
from chalicelib.http import creates, pagination, reads, updates, values
from chalicelib.http.idempotency import Key
from chalicelib.http.pagination import Position
from chalicelib.http.preconditions import Intent
from local import seed

KEY = b"signs the cursors of the benchmark"
CREATED_LATER = range(10**8, 10**10)


class Sample(NamedTuple):
    """A customer in the database."""

    id: UUID
    email: str
    phone: str
    external_id: str
    name: str
    updated_at: datetime

    @property
    def created_at(self) -> datetime:
        return values.created_at(self.id)


Call = Callable[[Database], object]
Prepare = Callable[[Sample], Call]
"""Prepares a request about a customer, before the measurement."""


def cursor_after(query: Query, customer_id: UUID, updated_at: datetime) -> str:
    """Return the cursor of the page after a customer."""
    is_by_update = query.order[0] == "updated_at"
    position = Position(customer_id, updated_at if is_by_update else None)
    return pagination.encode(KEY, query.listed, position)


def anywhere(query: Query) -> Prepare:
    """Return a function that prepares the list page after a customer."""

    def prepare(customer: Sample) -> Call:
        after = query._replace(cursor=cursor_after(query, customer.id, customer.updated_at))
        return lambda database: lists.page(database, after, KEY)

    return prepare


def first_page(build: Callable[[Sample], Query]) -> Prepare:
    """Return a function that prepares a first page, filtered by values of a customer."""

    def prepare(customer: Sample) -> Call:
        query = build(customer)
        return lambda database: lists.page(database, query, KEY)

    return prepare


def get(customer: Sample) -> Call:
    return lambda database: reads.get(database, CUSTOMERS, customer.id)


def create(_: Sample) -> Call:
    fields = seed.generate(random.choice(CREATED_LATER))  # noqa: S311 (not a secret)
    key = Key(secrets.token_bytes(32), secrets.token_bytes(32))
    return lambda database: creates.create(database, CUSTOMERS, fields, key)


def patch(customer: Sample) -> Call:
    name, intent = secrets.token_hex(6), Intent(None, secrets.token_bytes(32))
    return lambda database: updates.change(
        database, CUSTOMERS, customer.id, lambda _: {"family_name": name}, intent
    )


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
REQUESTS: dict[str, Prepare] = {
    "get": get,
    "list: -created_at, first page": first_page(lambda _: Query()),
    **{f"list: {name}": anywhere(query) for name, query in LISTS.items()},
    "list: limit=100": anywhere(Query(limit=100)),
    **{f"list: {name}": first_page(build) for name, build in FILTERED.items()},
    "patch": patch,
    "create": create,
}
GROWING = {f"list: {name}": first_page(build) for name, build in READING_ALL.items()}
