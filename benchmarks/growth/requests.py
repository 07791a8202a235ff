"""The measured requests: calls of `lists`, `updates` and `creates` as the API makes them."""

import random
import secrets
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from benchmarks import list_depth
from benchmarks.list_depth import KEY
from chalicelib.customers import creates, lists, rows, updates
from chalicelib.customers.lists import Query
from chalicelib.customers.updates import Intent
from chalicelib.database import Database, Row
from chalicelib.http import pagination
from chalicelib.http.pagination import Position
from local import seed

CREATED_LATER = range(10**8, 10**10)

Call = Callable[[Database], object]
Prepare = Callable[[Row], Call]
"""Prepares a request about an existing customer, before the measurement."""


def anywhere(query: Query) -> Prepare:
    """Return a function that prepares the list page after a customer."""

    def prepare(customer: Row) -> Call:
        by_update = query.order[0] == "updated_at"
        position = Position(_id(customer), _moment(customer) if by_update else None)
        cursor = pagination.encode(KEY, query.listed, position)
        return lambda database: lists.page(database, query._replace(cursor=cursor), KEY)

    return prepare


def first_page(make: Callable[[Row], Query]) -> Prepare:
    """Return a function that prepares a first page, filtered by values of a customer."""

    def prepare(customer: Row) -> Call:
        query = make(customer)
        return lambda database: lists.page(database, query, KEY)

    return prepare


def get(customer: Row) -> Call:
    return lambda database: updates.get(database, _id(customer))


def create(_: Row) -> Call:
    fields = seed.generate(random.choice(CREATED_LATER))  # noqa: S311 (not a secret)
    key = secrets.token_bytes(16)
    return lambda database: creates.create(database, fields, key)


def patch(customer: Row) -> Call:
    name, intent = secrets.token_hex(6), Intent(None, secrets.token_bytes(32))
    return lambda database: updates.change(
        database, _id(customer), lambda _: {"family_name": name}, intent
    )


def _id(customer: Row) -> UUID:
    return UUID(bytes=customer["id"])  # type: ignore[arg-type]


def _moment(customer: Row) -> datetime:
    return customer["updated_at"]  # type: ignore[return-value]


def _created(customer: Row) -> datetime:
    return rows.created(_id(customer))


LISTS = {name: query for name, query in list_depth.LISTS.items() if not query.q} | {
    "limit=100": Query(limit=100)
}
FILTERED: dict[str, Callable[[Row], Query]] = {
    "email": lambda customer: Query(email=str(customer["email"])),
    "phone": lambda customer: Query(phone=str(customer["phone"])),
    "phone, -updated_at": lambda customer: Query(phone=str(customer["phone"]), sort="-updated_at"),
    "external_id": lambda customer: Query(external_id=str(customer["external_id"])),
    "created_after, created_at": lambda customer: Query(
        created_after=_created(customer), sort="created_at"
    ),
    "created_before": lambda customer: Query(created_before=_created(customer)),
    "updated_after, updated_at": lambda customer: Query(
        updated_after=_moment(customer), sort="updated_at"
    ),
    "q=an email address": lambda customer: Query(q=str(customer["email"])),
}
# These read all matches: a decision (docs/decisions/0007) with a price, which is measured here.
READING_ALL: dict[str, Callable[[Row], Query]] = {
    "q=a name": lambda customer: Query(q=str(customer["name"])),
    "q=mar": lambda _: Query(q="mar"),
    "q=mar, status=inactive": lambda _: Query(q="mar", status="inactive"),
    "created_after, updated_at": lambda customer: Query(
        created_after=_created(customer), sort="updated_at"
    ),
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
