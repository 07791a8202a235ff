"""What a page of the list costs at its start and at its end: `python -m benchmarks.list_depth`.

It fills a private MariaDB with customers, walks a few pages of each list, and measures pages at
its start and at its end: the first page is always the list's, the last one ends it. The end is
found by walking the list in the opposite order and turning back. Both places take turns, page by
page, so that a disturbance affects both. `chalicelib.customers.lists` reads each page through
PyMySQL, so that the database is measured. A ratio is that of the medians.
Searches are not the same at any depth but by their number of matches: they are listed with it.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import UUID

from tqdm import tqdm

import migrations
from chalicelib.customers import lists
from chalicelib.customers.lists import Query
from chalicelib.database import Database, connect
from chalicelib.http import pagination
from chalicelib.http.pagination import Position
from chalicelib.settings import Settings
from local import engines, seed
from local.database_server import DatabaseServer
from local.processes import LocalError, free_port

KEY = b"signs the cursors of the benchmark"
HIGHEST_RATIO = 1.3
# of a server whose keys are in memory, as a production server's are
MEMORY = {
    "innodb-buffer-pool-size": "3G",
    "innodb-log-file-size": "1G",
    "innodb-flush-log-at-trx-commit": "0",
}
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
    "q=mar": Query(q="mar"),
    "q=mar, status=inactive": Query(q="mar", status="inactive"),
}
# each third is of one company, each 10th was changed since, at times all over an hour, and each
# 50th deleted
AFTERWARDS = (
    """UPDATE customers SET company_name = 'Widespread Ltd'
       WHERE CONV(HEX(RIGHT(id, 4)), 16, 10) % 3 = 0""",
    """UPDATE customers SET updated_at = updated_at
       + INTERVAL 300000 + CONV(HEX(RIGHT(id, 2)), 16, 10) * 54925 MICROSECOND
       WHERE CONV(HEX(RIGHT(id, 4)), 16, 10) % 10 = 3""",
    "UPDATE customers SET deleted_at = updated_at WHERE CONV(HEX(RIGHT(id, 4)), 16, 10) % 50 = 7",
    "ANALYZE TABLE customers",
)
MATCHES = (
    "SELECT COUNT(*) AS matches FROM customers WHERE state = 'live' AND (name LIKE :q"
    " OR family_name LIKE :q OR company_name LIKE :q OR email_key LIKE LOWER(:q))"
)
SEARCHES = ("smith", "an", "mar", "ma", "wide", "xyzzy")


class Measured(NamedTuple):
    """Milliseconds of pages at the start and at the end."""

    start: list[float]
    end: list[float]

    @property
    def ratio(self) -> float:
        return median(self.end) / median(self.start)


@contextmanager
def filled(customers: int) -> Iterator[Database]:
    """Run a MariaDB with so many customers, some of them deleted, some changed since."""
    with TemporaryDirectory(prefix="benchmark-") as directory:
        server = DatabaseServer(Path(directory, "database"), free_port(), MEMORY)
        try:
            server.start()
            settings = Settings(database_url=server.url)
            migrations.apply(connect(settings), connect(settings), migrations.read(), print)
            seed.load(connect(settings), customers)
            for statement in AFTERWARDS:
                connect(settings).fetch_all(statement)
            yield connect(settings)
        finally:
            server.stop()


def last_pages(database: Database, query: Query) -> list[str | None]:
    """Return the cursors of the last pages, found from behind."""
    opposite = query.sort[1:] if query.sort.startswith("-") else f"-{query.sort}"
    behind = query._replace(sort=opposite, limit=100, fields=("id", "updated_at"))
    items = json.loads(lists.page(database, behind, KEY).items)
    return [
        pagination.encode(KEY, query.listed, position(query, items[n]))
        for n in range(20, len(items))
    ]


def position(query: Query, item: dict[str, str]) -> Position:
    updated_at = datetime.fromisoformat(item["updated_at"])
    is_by_update = query.order[0] == "updated_at"
    return Position(UUID(item["id"]), updated_at if is_by_update else None)


def first_pages(database: Database, query: Query, count: int) -> list[str | None]:
    """Return the cursors of the first pages; the very first has none."""
    found: list[str | None] = [None]
    while len(found) < count and (
        following := lists.page(database, query._replace(cursor=found[-1]), KEY).cursor
    ):
        found.append(following)
    return found


def measure(database: Database, query: Query, pages: int) -> Measured:
    starts, ends = first_pages(database, query, 20), last_pages(database, query)
    measured = Measured([], [])
    for n in range(pages):
        for times, places in zip(measured, (starts, ends), strict=True):
            at = query._replace(cursor=places[n % len(places)])
            started = time.perf_counter()
            lists.page(database, at, KEY)
            times.append((time.perf_counter() - started) * 1000)
    return measured


def search(database: Database, q: str) -> tuple[str, int, float]:
    """Return how many customers match, and what their first page takes."""
    row = database.fetch_one(MATCHES, q=f"{q}%")
    times = []
    for _ in range(15):
        started = time.perf_counter()
        lists.page(database, Query(q=q), KEY)
        times.append((time.perf_counter() - started) * 1000)
    return q, int(str(row and row["matches"])), median(times)


REPORT = """
| list                         | start      | end        | ratio |
|------------------------------|------------|------------|-------|
{lists}

| search     | matches | first page |
|------------|---------|------------|
{searches}

Highest ratio: {highest:.2f} (target: at most {target}).

Method: {customers:,} customers; {pages} pages of 20 at each place of each list, in turns; medians.
In the process of the client: {cores} cores, Python {python}, {database}, keys in memory.
"""


def report(lists: dict[str, Measured], searches: list[tuple[str, int, float]], **more: int) -> str:
    """Return the tables, and how they were made."""
    return REPORT.format(
        lists="\n".join(
            f"| {name:<28} | {median(times.start):7.2f} ms | {median(times.end):7.2f} ms"
            f" | {times.ratio:5.2f} |"
            for name, times in lists.items()
        ),
        searches="\n".join(
            f"| q={q:<8} | {matches:7,} | {took:7.2f} ms |" for q, matches, took in searches
        ),
        highest=max(times.ratio for times in lists.values()),
        target=HIGHEST_RATIO,
        cores=os.cpu_count(),
        python=platform.python_version(),
        database=engines.selected().find(),
        **more,
    ).strip()


def main() -> None:
    """Measure, and print the tables; fail when a ratio is too high."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.list_depth", description=__doc__)
    parser.add_argument("--customers", type=seed.positive, default=100_000, help="(%(default)s)")
    parser.add_argument("--pages", type=seed.positive, default=300, help="(%(default)s)")
    arguments = parser.parse_args()
    try:
        with filled(arguments.customers) as database:
            lists = {
                name: measure(database, query, arguments.pages)
                for name, query in tqdm(LISTS.items(), desc="lists", leave=False)
            }
            searches = [search(database, q) for q in SEARCHES]
    except LocalError as error:
        sys.exit(f"benchmark: {error}")
    print(report(lists, searches, customers=arguments.customers, pages=arguments.pages))
    if max(times.ratio for times in lists.values()) > HIGHEST_RATIO:
        sys.exit(1)


if __name__ == "__main__":
    main()
