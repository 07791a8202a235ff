"""The requests that are measured: what the API calls `listing`, `customers` and `creation` for."""

import random
import secrets
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from benchmarks import list_depth
from benchmarks.list_depth import KEY
from chalicelib.customers import lists
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.customers.lists import Query
from chalicelib.database import Database, Row
from chalicelib.http import creates, pagination, reads, updates, values
from chalicelib.http.pagination import Position
from chalicelib.http.preconditions import Intent
from local import seed

CREATED_LATER = range(10**8, 10**10)

Call = Callable[[Database], object]
Prepare = Callable[[Row], Call]
"""Makes a request of a customer that is there, before the time is taken."""


def anywhere(query: Query) -> Prepare:
    """Return how to read the page of a list that begins behind a customer."""

    def prepare(one: Row) -> Call:
        by_update = query.order[0] == "updated_at"
        position = Position(_id(one), _moment(one) if by_update else None)
        cursor = pagination.encode(KEY, query.listed, position)
        return lambda database: lists.page(database, query._replace(cursor=cursor), KEY)

    return prepare


def first_page(make: Callable[[Row], Query]) -> Prepare:
    """Return how to read the first page of a list whose filters are a customer's."""

    def prepare(one: Row) -> Call:
        query = make(one)
        return lambda database: lists.page(database, query, KEY)

    return prepare


def get(one: Row) -> Call:
    return lambda database: reads.get(database, CUSTOMERS, _id(one))


def create(_: Row) -> Call:
    fields = seed.generate(random.choice(CREATED_LATER))  # noqa: S311 (no secret)
    key = secrets.token_bytes(16)
    return lambda database: creates.create(database, CUSTOMERS, fields, key)


def patch(one: Row) -> Call:
    name, intent = secrets.token_hex(6), Intent(None, secrets.token_bytes(32))
    return lambda database: updates.change(
        database, CUSTOMERS, _id(one), lambda _: {"family_name": name}, intent
    )


def _id(one: Row) -> UUID:
    return UUID(bytes=one["id"])  # type: ignore[arg-type]


def _moment(one: Row) -> datetime:
    return one["updated_at"]  # type: ignore[return-value]


def _created(one: Row) -> datetime:
    return values.created_at(_id(one))


LISTS = {name: query for name, query in list_depth.LISTS.items() if not query.q} | {
    "limit=100": Query(limit=100)
}
FILTERED: dict[str, Callable[[Row], Query]] = {
    "email": lambda one: Query(email=str(one["email"])),
    "phone": lambda one: Query(phone=str(one["phone"])),
    "phone, -updated_at": lambda one: Query(phone=str(one["phone"]), sort="-updated_at"),
    "external_id": lambda one: Query(external_id=str(one["external_id"])),
    "created_after, created_at": lambda one: Query(created_after=_created(one), sort="created_at"),
    "created_before": lambda one: Query(created_before=_created(one)),
    "updated_after, updated_at": lambda one: Query(updated_after=_moment(one), sort="updated_at"),
    "q=an email address": lambda one: Query(q=str(one["email"])),
}
# what reads all that matches: a decision (docs/decisions/0007), told here with its price
READING_ALL: dict[str, Callable[[Row], Query]] = {
    "q=a name": lambda one: Query(q=str(one["name"])),
    "q=mar": lambda _: Query(q="mar"),
    "q=mar, status=inactive": lambda _: Query(q="mar", status="inactive"),
    "created_after, updated_at": lambda one: Query(created_after=_created(one), sort="updated_at"),
}
REQUESTS: dict[str, Prepare] = {
    "get": get,
    "list: -created_at, first page": first_page(lambda _: Query()),
    **{f"list: {name}": anywhere(query) for name, query in LISTS.items()},
    **{f"list: {name}": first_page(make) for name, make in FILTERED.items()},
    "patch": patch,
    "create": create,
}
GROWING = {f"list: {name}": first_page(make) for name, make in READING_ALL.items()}
