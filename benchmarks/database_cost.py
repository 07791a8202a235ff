"""Measure what each operation costs the database: `python -m benchmarks.database_cost`.

The app handles requests in this process, through PyMySQL. The cost is the CPU time of the
database server's process, which includes its work in the background. Slices of requests of all
operations take turns in random order, and the results are medians of the slices. Requests that need
a customer of their own get new ones before their slice. Both engines are measured one after the
other. docs/performance.md gets the table.
"""

import argparse
import json
import logging
import os
import platform
import random
import re
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from tqdm import tqdm

from benchmarks import budget, servers
from benchmarks.backends import KNOWN
from benchmarks.events import CUSTOMER_ID, IN_PATH, PATCH, SET, event, request
from benchmarks.meter import ROOT
from benchmarks.results import table
from local import engines, seed
from local.engines import Engine
from local.processes import LocalError

PAGE = ROOT / "docs" / "performance.md"
FIGURES = re.compile("(?<=<!-- database_cost -->\n).*?(?=<!-- end -->)", re.DOTALL)
CUSTOMERS = 10_000
SLICE, SLICES = 20, 30
BULK_SLICE = 2
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
        self._app = app.app
        self._number = 0

    @property
    def number(self) -> int:
        self._number += 1
        return self._number

    def call(self, own: Event) -> Any:
        """Return the body of the response. Raises Failed."""
        response = self._app(own, CONTEXT)
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


def of_each(kind: str, *before: str) -> Prepare:
    """Return requests about new customers, each after a request of these other kinds."""

    def prepare(caller: Caller, count: int) -> list[Event]:
        places = [{"customer_id": customer_id} for customer_id in caller.create()[:count]]
        for place in places:
            for other in before:
                caller.call(request(other, None, place))
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
    "put by external id": changing("put by external id", {**SET, "email": "changing@example.com"}),
    "delete": of_each("delete"),
    "restore": of_each("restore", "delete"),
    "erase": of_each("erase"),
    "batch": new("batch"),
    "patch batch": of_hundred("patch batch", PATCH),
    "delete batch": of_hundred("delete batch", {}),
}
NAMES = {
    "list": "list of 50",
    "changes": "changes, 50",
    "batch": "batch of 100",
    "patch batch": "bulk patch of 100",
    "delete batch": "bulk delete of 100",
}
BULK = {"batch", "patch batch", "delete batch"}


def main() -> int:
    """Measure both engines, print the table, and write it to the page. Return the exit code."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.database_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    logging.disable()
    try:
        costs = {str(own.find()): measure(own) for own in engines.ENGINES.values()}
    except (Failed, LocalError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    results = report(costs)
    print(results)
    PAGE.write_text(FIGURES.sub(lambda _: f"{results}\n", PAGE.read_text()))
    return 0


def measure(engine: Engine) -> dict[str, float]:
    """Return milliseconds of the database's CPU time for a request of each operation."""
    with (
        TemporaryDirectory(prefix="benchmark-") as directory,
        servers.database(Path(directory), engine=engine) as server,
    ):
        database = servers.migrate(server.url)
        seed.load(database, CUSTOMERS)
        database.execute(KNOWN, id=UUID(CUSTOMER_ID).bytes)
        caller = Caller(server.url)
        caller.call(event("put by external id", 0))
        return _slices(caller, server.pid, engine.name)


def _slices(caller: Caller, pid: int, engine: str) -> dict[str, float]:
    costs: dict[str, list[float]] = {kind: [] for kind in OPERATIONS}
    for number in tqdm(range(SLICES + 1), desc=engine, leave=False):
        for kind in random.sample([*OPERATIONS], len(OPERATIONS)):
            cost = _slice(caller, kind, pid)
            if number:  # the first slice fills caches
                costs[kind].append(cost)
    return {kind: median(own) for kind, own in costs.items()}


def _slice(caller: Caller, kind: str, pid: int) -> float:
    requests = OPERATIONS[kind](caller, BULK_SLICE if kind in BULK else SLICE)
    before = servers.cpu_seconds(pid)
    for own in requests:
        caller.call(own)
    return (servers.cpu_seconds(pid) - before) / len(requests) * 1000


def report(costs: dict[str, dict[str, float]]) -> str:
    """Return the table of both engines, next to the instructions of a warm function."""
    instructions = json.loads(budget.FILE.read_text())
    rows = [
        [
            NAMES.get(kind, kind),
            *(f"{own[kind]:.2f}" for own in costs.values()),
            f"{own / 1e6:.1f}" if (own := instructions.get(f"{kind} instructions")) else "",
        ]
        for kind in OPERATIONS
    ]
    engines_ms = [f"{engine}, ms of CPU" for engine in costs]
    head = ["operation", *engines_ms, "function, million instructions"]
    where = f"Python {platform.python_version()}, {platform.machine()}."
    return f"{table(head, rows)}\n\n{where}"


if __name__ == "__main__":
    sys.exit(main())
