"""Compare the cost of the feed's pages at up to ten million customers, on the engine of ENGINE.

`python -m benchmarks.growth.feed` fills databases with the index of the feed only, and reads pages
at the beginning, in the middle and at the end in turn. Customers that were updated long after their
creation are not adjacent in the primary key, which costs more. So the default compares pages in two
kinds of databases: those without any such customer, and those with nothing else. With a percentage
between them, such customers become more frequent towards the end.

The database's counters are the same in each run. Its CPU time excludes other programs, but they
slow it down by filling the processor's cache.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks import servers
from benchmarks.growth import filling
from benchmarks.growth.measuring import MAX_RATIO, Measured, milliseconds
from benchmarks.growth.plans import entries_read
from benchmarks.growth.requests import KEY, Call
from benchmarks.results import table
from benchmarks.servers import cpu_seconds
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, connect
from chalicelib.http import feed, pagination, values
from chalicelib.http.pagination import Position
from chalicelib.settings import Settings
from local import engines, seed
from local.processes import LocalError

PAGES = 20
"""Pages at each place, because the customers of a page may be larger than others."""
STEP = 500
"""Customers from the beginning of one of these pages to that of the next."""
MEMORY = 1 << 30
"""Of the server in bytes: enough for all pages that are read, but not for all data."""
POSITIONS = """
SELECT id, changed_at FROM customers FORCE INDEX (ix_customers_changed)
ORDER BY changed_at, id LIMIT :count OFFSET :begin
"""


class Case(NamedTuple):
    """Pages at one place of one database, with a connection to it."""

    updated: int
    """Percentage of the database's customers that were updated after their creation."""
    size: int
    place: str
    database: Database
    cursors: Sequence[str | None]

    def calls(self) -> list[Call]:
        """Return a call for each of the pages."""
        return [
            lambda database, cursor=cursor: feed.page(database, CUSTOMERS, KEY, cursor=cursor)  # type: ignore[misc]
            for cursor in self.cursors
        ]

    def count_updated(self) -> float:
        """Return how many customers of a page were updated after their creation, on average.

        Raises RuntimeError if a page is not full.
        """
        pages = [feed.page(self.database, CUSTOMERS, KEY, cursor=cursor) for cursor in self.cursors]
        if any(len(page.rows) != feed.LIMIT for page in pages):
            raise RuntimeError(f"a {self.place} page of {self.size} is not full")
        return mean(sum(map(_was_updated, page.rows)) for page in pages)


class Costs(NamedTuple):
    """The cost of a page: the index entries that it reads, and milliseconds."""

    entries: int
    duration: float
    cpu_time: float


Results = Sequence[tuple[Case, Costs]]


def cases(updated: int, size: int, url: str) -> list[Case]:
    """Return the places of a database."""
    database = connect(Settings(database_url=url))
    places: Mapping[str, Sequence[str | None]] = {
        "first": [None, *_cursors(database, 0)[1:]],
        "middle": _cursors(database, size // 2),
        "last": _cursors(database, size - 1 - feed.LIMIT - (PAGES - 1) * STEP),
    }
    return [Case(updated, size, place, database, cursors) for place, cursors in places.items()]


def _cursors(database: Database, begin: int) -> list[str]:
    """Return the cursors after this customer of the feed, and after each STEP-th that follows."""
    rows: Any = database.fetch_all(POSITIONS, begin=begin, count=PAGES * STEP)
    positions = [Position(UUID(bytes=row["id"]), row["changed_at"]) for row in rows[::STEP]]
    changes = {"changes": CUSTOMERS.plural}
    return [pagination.encode(KEY, changes, position) for position in positions]


def _was_updated(row: Any) -> bool:
    return bool(values.created_at(UUID(row["hex_id"])) != row["changed_at"])


def measure(found: Sequence[Case], seconds: float, pid: int) -> list[Measured]:
    """Read pages of all cases in turn, in random order."""
    measured = [Measured([], []) for _ in found]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for number in random.sample(range(len(found)), len(found)):
            call = random.choice(found[number].calls())  # noqa: S311 (not a secret)
            before = cpu_seconds(pid)
            measured[number].durations.append(milliseconds(call, found[number].database))
            measured[number].cpu_times.append((cpu_seconds(pid) - before) * 1000)
    return measured


def costs(case: Case, measured: Measured) -> Costs:
    """Return the most entries that a page reads, and the medians."""
    entries = max(entries_read(case.database, call) for call in case.calls())
    return Costs(entries, median(measured.durations), median(measured.cpu_times))


def ratios(results: Results) -> dict[tuple[int, int], list[float]]:
    """Return the ratios of the highest to the lowest costs of a database's pages.

    The keys are the percentage of updates and the number of customers.
    """
    compared: dict[tuple[int, int], list[Costs]] = {}
    for case, cost in results:
        compared.setdefault((case.updated, case.size), []).append(cost)
    return {
        database: [max(numbers) / min(numbers) for numbers in zip(*of_pages, strict=True)]
        for database, of_pages in compared.items()
    }


def report(results: Results) -> str:
    """Return the costs of each case, and their ratios."""
    rows = [
        [
            *(f"{case.updated}%", f"{case.size:,}", case.place, f"{case.count_updated():.0f}"),
            *(f"{cost.entries}", f"{cost.duration:.3f} ms", f"{cost.cpu_time:.3f} ms"),
        ]
        for case, cost in results
    ]
    highest = [
        [f"{updated}%", f"{size:,}", "highest to lowest", "", *(f"{one:.3f}" for one in numbers)]
        for (updated, size), numbers in ratios(results).items()
    ]
    head = ["updated", "customers", "pages", "updated customers on a page"]
    return table([*head, "entries read", "time", "database's CPU time"], rows + highest)


def is_flat(results: Results) -> bool:
    """Return whether the pages of each database read equally many entries, in about equal time."""
    return all(
        entries == 1 and max(times) <= MAX_RATIO for entries, *times in ratios(results).values()
    )


def run(directory: Path, arguments: argparse.Namespace) -> bool:
    """Fill, measure and print. Return whether the ratios of the database's costs are low enough."""
    engine = engines.selected()
    options = filling.server_options(engine, MEMORY, log="1G")
    with servers.database(directory, options, engine) as server:
        found = [*_filled(server.url, arguments)]
        for case in found:
            case.count_updated()  # reads all pages into memory
        measured = measure(found, arguments.seconds, server.pid)
        results = [(case, costs(case, one)) for case, one in zip(found, measured, strict=True)]
        print(report(results))
    calls = len(measured[0].durations)
    print(f"\nMedians of {calls:,} calls each, {feed.LIMIT} customers per page, {engine.find()}.")
    return is_flat(results)


def _filled(url: str, arguments: argparse.Namespace) -> Iterator[Case]:
    """Fill all databases, and yield their cases."""
    for updated in arguments.updates:
        began = time.monotonic()
        urls = filling.fill(url, arguments.sizes, "ix_customers_changed", updated)
        print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
        for size, database in urls.items():
            yield from cases(updated, size, database)


def main() -> None:
    """Measure and print the table. Fail if some pages cost more than others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth.feed", description=__doc__)
    parser.add_argument(
        "--sizes",
        type=lambda text: sorted(map(seed.positive, text.split(","))),
        default="1000000,10000000",
        help="(%(default)s)",
    )
    parser.add_argument(
        "--updates",
        type=lambda text: [*map(int, text.split(","))],
        default="0,100",
        help="percentages of customers that were updated after their creation; with 100, all of"
        " them after the last creation (%(default)s)",
    )
    parser.add_argument("--seconds", type=float, default=60, help="of measuring (%(default)s)")
    parser.add_argument("--directory", type=Path, help="keep the databases here, and reuse them")
    arguments = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="benchmark-") as temporary:
            is_low = run(arguments.directory or Path(temporary), arguments)
    except LocalError as error:
        sys.exit(f"benchmark: {error}")
    sys.exit(not is_low)


if __name__ == "__main__":
    main()
