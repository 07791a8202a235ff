"""Compare the cost of the feed's pages at up to ten million customers, on the engine of ENGINE.

`python -m benchmarks.growth.feed` fills one database per size, with the index of the feed only, and
reads pages at the beginning, in the middle and at the end in turn. The database's counters are the
same in each run. Its CPU time excludes other programs, but they slow it down by filling the
processor's cache.
"""

import argparse
import random
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks import servers
from benchmarks.growth import filling
from benchmarks.growth.measuring import Measured, milliseconds
from benchmarks.growth.plans import entries_read
from benchmarks.growth.requests import KEY, Call
from benchmarks.results import table
from benchmarks.servers import cpu_seconds
from chalicelib.customers.fields import CUSTOMERS
from chalicelib.database import Database, connect
from chalicelib.http import feed, pagination
from chalicelib.http.pagination import Position
from chalicelib.settings import Settings
from local import engines, seed
from local.processes import LocalError

MAX_RATIO = 1.1
PAGES = 20
"""Pages at each place, because the customers of a page may be larger than others."""
SPREAD = 10_000
"""Customers among which these pages are."""
# Each server has all pages that are read in memory, but not all data.
OPTIONS = {
    "innodb-buffer-pool-size": "1G",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-doublewrite": "OFF",
}
LOGS = {
    "mariadb": {"innodb-log-file-size": "1G"},
    "mysql": {"loose-innodb-redo-log-capacity": "1G"},
}
POSITION = """
SELECT id, changed_at FROM customers FORCE INDEX (ix_customers_changed)
ORDER BY changed_at, id LIMIT 1 OFFSET :offset
"""


class Case(NamedTuple):
    """Pages at one place of one database, with a connection to it."""

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


def cases(size: int, url: str) -> list[Case]:
    """Return the places of a database. Raises RuntimeError if a page is not full."""
    database = connect(Settings(database_url=url))
    steps = [SPREAD * number // PAGES for number in range(PAGES)]
    last = size - 1 - feed.LIMIT
    cursors: Mapping[str, Sequence[str | None]] = {
        "first": [None, *(_cursor(database, step) for step in steps[1:])],
        "middle": [_cursor(database, size // 2 + step) for step in steps],
        "last": [_cursor(database, last - step) for step in steps],
    }
    found = [Case(size, place, database, cursors[place]) for place in cursors]
    for case in found:
        for cursor in case.cursors:
            page = feed.page(database, CUSTOMERS, KEY, cursor=cursor)
            if len(page.rows) != feed.LIMIT:
                raise RuntimeError(f"the {case.place} page of {size} has {len(page.rows)} rows")
    return found


def _cursor(database: Database, offset: int) -> str:
    """Return the cursor after a customer, by its number in the feed."""
    row: Any = database.fetch_one(POSITION, offset=offset)
    position = Position(UUID(bytes=row["id"]), row["changed_at"])
    return pagination.encode(KEY, {"changes": CUSTOMERS.plural}, position)


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


def report(found: Sequence[Case], measured: Sequence[Measured], read: Sequence[int]) -> str:
    """Return the costs of each case, and the ratios of the highest to the lowest."""
    times = [median(one.durations) for one in measured]
    cpu_times = [median(one.cpu_times) for one in measured]
    rows = [
        [f"{case.size:,}", case.place, str(entries), f"{duration:.3f} ms", f"{cpu:.3f} ms"]
        for case, entries, duration, cpu in zip(found, read, times, cpu_times, strict=True)
    ]
    ratios = [f"{max(values) / min(values):.3f}" for values in (read, times, cpu_times)]
    head = ["customers", "page", "entries read", "time", "database's CPU time"]
    return table(head, [*rows, ["ratio", "highest to lowest", *ratios]])


def run(directory: Path, arguments: argparse.Namespace) -> bool:
    """Fill, measure and print. Return whether the ratio of the database's costs is low enough."""
    engine = engines.selected()
    with servers.database(directory, OPTIONS | LOGS[engine.name], engine) as server:
        began = time.monotonic()
        urls = filling.fill(server.url, arguments.sizes, "ix_customers_changed")
        print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
        found = [case for size, url in urls.items() for case in cases(size, url)]
        read = [max(entries_read(case.database, call) for call in case.calls()) for case in found]
        measure(found, 1, server.pid)  # into memory
        measured = measure(found, arguments.seconds, server.pid)
    print(report(found, measured, read))
    calls = len(measured[0].durations)
    print(f"\nMedians of {calls:,} calls each, {feed.LIMIT} customers per page, {engine.find()}.")
    cpu_times = [median(one.cpu_times) for one in measured]
    return len(set(read)) == 1 and max(cpu_times) / min(cpu_times) <= MAX_RATIO


def main() -> None:
    """Measure and print the table. Fail if a page costs more than others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth.feed", description=__doc__)
    parser.add_argument(
        "--sizes",
        type=lambda text: sorted(map(seed.positive, text.split(","))),
        default="1000000,10000000",
        help="(%(default)s)",
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
