"""Compare the cost of list pages at the start and at the end: `python -m benchmarks.list_depth`.

Fills a private server of the engine of ENGINE as `benchmarks.growth` does, and measures pages at
the start and at the end of each list, including the first and the last page. To find the end, it
reads the list in the opposite order. Both places alternate, page by page, so that a disturbance
affects both.
`chalicelib.customers.lists` reads the pages through PyMySQL, so that only the database is measured.
A ratio compares medians. The cost of a search depends on its number of matches, so the report has
both.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import UUID

from tqdm import tqdm

from benchmarks.growth import filling
from benchmarks.growth.measuring import milliseconds
from benchmarks.growth.requests import KEY, LISTS, SEARCHES, cursor_after
from benchmarks.results import table
from chalicelib.customers import lists
from chalicelib.customers.lists import Query
from chalicelib.database import Database, connect
from chalicelib.settings import Settings
from local import engines, seed
from local.processes import LocalError

MAX_RATIO = 1.3
# A third of the customers have the same company, for a search with many matches.
WIDESPREAD = (
    "UPDATE customers SET company_name = 'Widespread Ltd', company_name_key = 'widespread ltd'"
    " WHERE CONV(HEX(RIGHT(id, 4)), 16, 10) % 3 = 0"
)
MATCHES = (
    "SELECT COUNT(*) AS matches FROM customers WHERE state = 'live'"
    " AND (name_key LIKE :q OR family_name_key LIKE :q OR company_name_key LIKE :q"
    " OR email_key LIKE :q)"
)
PREFIXES = ("smith", "an", "mar", "ma", "wide", "xyzzy")

Cursors = Sequence[str | None]


class Measured(NamedTuple):
    """Milliseconds of pages at the start and at the end."""

    start: list[float]
    end: list[float]

    @property
    def ratio(self) -> float:
        return median(self.end) / median(self.start)


def first_pages(database: Database, query: Query, count: int = 20) -> Cursors:
    """Return the cursors of the first pages. The first page has none."""
    cursors: list[str | None] = [None]
    while len(cursors) < count and (
        cursor := lists.page(database, query._replace(cursor=cursors[-1]), KEY).cursor
    ):
        cursors.append(cursor)
    return cursors


def last_pages(database: Database, query: Query) -> Cursors:
    """Return the cursors of the last pages. A list of one page has none."""
    opposite = query.sort[1:] if query.sort.startswith("-") else f"-{query.sort}"
    backwards = query._replace(sort=opposite, limit=100, fields=("id", "updated_at"))
    items = json.loads(lists.page(database, backwards, KEY).items)
    cursors = [
        cursor_after(query, UUID(item["id"]), datetime.fromisoformat(item["updated_at"]))
        for item in items[query.limit :]
    ]
    return cursors or [None]


def time_page(database: Database, query: Query) -> float:
    return milliseconds(lambda database: lists.page(database, query, KEY), database)


def measure(database: Database, query: Query, pages: int) -> Measured:
    places = first_pages(database, query), last_pages(database, query)
    measured = Measured([], [])
    for n in range(pages):
        for times, cursors in zip(measured, places, strict=True):
            page = query._replace(cursor=cursors[n % len(cursors)])
            times.append(time_page(database, page))
    return measured


def search(database: Database, q: str) -> list[str]:
    """Return a search, its number of matches, and the milliseconds of its first page."""
    row = database.fetch_one(MATCHES, q=f"{q}%")
    matches = int(str(row and row["matches"]))
    times = [time_page(database, Query(q=q)) for _ in range(15)]
    return [f"q={q}", f"{matches:,}", f"{median(times):.2f} ms"]


REPORT = """
{lists}

{searches}

Highest ratio: {highest:.2f} (target: at most {target}).

Method: {customers:,} customers; {pages} pages of 20 at each end of each list, which alternate;
medians. Client and database on one machine: {cores} cores, Python {python}, {database}, indexes in
memory.
"""


def report(results: dict[str, Measured], searches: list[list[str]], **numbers: int) -> str:
    """Return the tables, with the method."""
    rows = [
        [name, *(f"{median(times):.2f} ms" for times in measured), f"{measured.ratio:.2f}"]
        for name, measured in results.items()
    ]
    return REPORT.format(
        lists=table(["list", "start", "end", "ratio"], rows),
        searches=table(["search", "matches", "first page"], searches),
        highest=max(measured.ratio for measured in results.values()),
        target=MAX_RATIO,
        cores=os.cpu_count(),
        python=platform.python_version(),
        database=engines.selected().find(),
        **numbers,
    ).strip()


def main() -> None:
    """Measure and print the tables. Fail if a ratio is too high."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.list_depth", description=__doc__)
    parser.add_argument("--customers", type=seed.positive, default=100_000, help="(%(default)s)")
    parser.add_argument("--pages", type=seed.positive, default=300, help="(%(default)s)")
    arguments = parser.parse_args()
    try:
        with (
            TemporaryDirectory(prefix="benchmark-") as directory,
            filling.running(Path(directory), [arguments.customers]) as (_, urls),
        ):
            url = urls[arguments.customers]
            filling.fetch(url, WIDESPREAD)
            filling.fetch(url, "ANALYZE TABLE customers")
            database = connect(Settings(database_url=url))
            results = {
                name: measure(database, query, arguments.pages)
                for name, query in tqdm((LISTS | SEARCHES).items(), desc="lists", leave=False)
            }
            searches = [search(database, q) for q in PREFIXES]
    except LocalError as error:
        sys.exit(f"benchmark: {error}")
    print(report(results, searches, customers=arguments.customers, pages=arguments.pages))
    sys.exit(any(measured.ratio > MAX_RATIO for measured in results.values()))


if __name__ == "__main__":
    main()
