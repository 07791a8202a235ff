"""The app's operations on a database of either engine, for benchmarks of the database.

The app handles the requests in this process, through PyMySQL.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks import servers
from benchmarks.backends import KNOWN
from benchmarks.events import CUSTOMER_ID, IN_PATH, PATCH, SET, event, request
from chalicelib.database import Database
from local import seed
from local.database_server import DatabaseServer
from local.engines import Engine

OLDER = "UPDATE customers SET changed_at = changed_at - INTERVAL 1 DAY"
"""Makes the feed return customers, which it does not in the first minute."""
CONTEXT = SimpleNamespace(aws_request_id="benchmark", get_remaining_time_in_millis=lambda: 10**9)

Event = dict[str, Any]
Prepare = Callable[["Caller", int], list[Event]]
"""Returns the requests of a slice, for which it may create customers."""


class Failed(Exception):
    """The app did not respond with success."""


class Caller:
    """Calls the app, whose database is that of `url`. No two of its `number`s are the same."""

    def __init__(self, url: str) -> None:
        os.environ["DATABASE_URL"] = url
        import app

        app.database.cache_clear()
        self._module = app
        self._number = 0

    @property
    def database(self) -> Database:
        """The app's database, with the session of its requests."""
        return self._module.database()

    @property
    def number(self) -> int:
        self._number += 1
        return self._number

    def call(self, own: Event) -> Any:
        """Return the body of the response. Raises Failed."""
        response = self._module.app(own, CONTEXT)
        if response["statusCode"] >= HTTPStatus.MULTIPLE_CHOICES:
            raise Failed(f"{own['httpMethod']} {own['path']}: {response['body']}")
        return json.loads(response["body"] or "null")

    def create(self) -> list[str]:
        """Return the ids of 100 new customers."""
        return [item["id"] for item in self.call(event("batch", self.number))["items"]]


def same(kind: str) -> Prepare:
    return lambda _, count: [event(kind, 0)] * count


def new(kind: str) -> Prepare:
    return lambda caller, count: [event(kind, caller.number) for _ in range(count)]


def changing(kind: str, body: dict[str, Any]) -> Prepare:
    """Return requests that change the same customer, each in another way."""
    place = {**IN_PATH, "external_id": "changing"}  # no other request reads this customer
    return lambda caller, count: [
        request(kind, {**body, "company_name": f"Company {caller.number}"}, place)
        for _ in range(count)
    ]


def of_each(kind: str, *before: str, body: Callable[["Caller"], Any] = lambda _: None) -> Prepare:
    """Return requests about new customers, each after a request of these other kinds."""

    def prepare(caller: Caller, count: int) -> list[Event]:
        places = [{"customer_id": customer_id} for customer_id in caller.create()[:count]]
        for place in places:
            for other in before:
                caller.call(request(other, None, place))
        return [request(kind, body(caller), place) for place in places]

    return prepare


def replacement(caller: Caller) -> dict[str, Any]:
    """Return all fields of a customer, with its own email address."""
    return {**SET, "email": f"replaced.{caller.number}@example.com"}


def of_external(kind: str) -> Prepare:
    """Return requests about new customers that have external ids."""

    def prepare(caller: Caller, count: int) -> list[Event]:
        places = [{"external_id": f"new-{caller.number}"} for _ in range(count)]
        for place in places:
            caller.call(request("put by external id", replacement(caller), place))
        return [request(kind, None, place) for place in places]

    return prepare


def of_hundred(kind: str, change: dict[str, Any]) -> Prepare:
    """Return requests about a hundred new customers."""
    return lambda caller, count: [
        request(kind, {"items": [{"id": own, "version": 1} | change for own in caller.create()]})
        for _ in range(count)
    ]


OPERATIONS: dict[str, Prepare] = {
    "get": same("get"),
    "get by external id": same("get by external id"),
    "list": same("list"),
    "changes": same("changes"),
    "history": same("history"),
    "export": same("export"),
    "create": new("create"),
    "patch a field": changing("patch a field", {}),
    "put": of_each("put", body=replacement),
    "put by external id": changing("put by external id", {**SET, "email": "changing@example.com"}),
    "patch by external id": changing("patch by external id", {}),
    "delete": of_each("delete"),
    "delete by external id": of_external("delete by external id"),
    "restore": of_each("restore", "delete"),
    "erase": of_each("erase"),
    "erasure": of_each("erasure", "erase"),
    "batch": new("batch"),
    "patch batch": of_hundred("patch batch", PATCH),
    "delete batch": of_hundred("delete batch", {}),
}


class Running(NamedTuple):
    """A server that contains customers, and a caller of the app on it."""

    server: DatabaseServer
    caller: Caller


@contextmanager
def running(
    engine: Engine, customers: int, options: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run a server with these settings besides the usual ones. Raises LocalError."""
    with (
        TemporaryDirectory(prefix="benchmark-") as directory,
        servers.database(Path(directory), options, engine) as server,
    ):
        database = servers.migrate(server.url)
        seed.load(database, customers)
        database.execute(KNOWN, id=UUID(CUSTOMER_ID).bytes)
        database.execute(OLDER)
        caller = Caller(server.url)
        for own in (event("put by external id", 0), *OPERATIONS["put by external id"](caller, 1)):
            caller.call(own)  # creates the customer that requests of other kinds read or change
        yield Running(server, caller)
