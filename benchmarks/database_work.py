"""Count what a request of each operation makes a database server do: a part of `make budget`.

Handler calls are what the server asks of the storage engine in the request's session: entries of
indexes that it reads, rows that it writes, and commits. Page requests are the pages that InnoDB
looks up in its buffer pool, also to maintain indexes. Neither depends on the machine's speed.
"""

import logging
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.operations import OPERATIONS, Caller, Event, running
from chalicelib.database import connect
from chalicelib.settings import Settings
from local.engines import ENGINES

CALLS, PAGES = "handler calls", "page requests"
ALLOWED = 1.25
"""The ratio that page requests may reach: they vary by up to 18%, because ids are random."""
CUSTOMERS = 1_000
REQUESTS = 6
# The optimizer chooses plans by statistics, which must not change while the program counts.
SETTINGS = {"innodb-stats-auto-recalc": "OFF", "innodb-stats-persistent-sample-pages": "1000"}
ANALYZE = "ANALYZE TABLE customers"
ANY = "SELECT id FROM customers LIMIT 1"
HANDLER_CALLS = "SHOW SESSION STATUS LIKE 'Handler_%'"
PAGE_REQUESTS = "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_read_requests'"


def installed() -> dict[str, str]:
    """Return the server of each engine, after installing those that are missing.

    Raises LocalError.
    """
    return {
        name: str(engine.find() or engine.get(Path(mkdtemp(prefix="install-"))))
        for name, engine in ENGINES.items()
    }


def measure(names: Collection[str]) -> dict[str, int]:
    """Return the counts on the engines that have these names. Raises Failed and LocalError.

    Each engine has its own process, because the app has one database.
    """
    with ProcessPoolExecutor() as pool:
        counts = [*pool.map(count, [own for own in ENGINES if own in names])]
    return {name: value for own in counts for name, value in own.items()}


def count(engine: str) -> dict[str, int]:
    """Return the counts of each operation on an engine."""
    logging.disable()
    counts = {}
    with running(ENGINES[engine], CUSTOMERS, SETTINGS) as (server, caller), _no_purge(server.url):
        caller.database.execute(ANALYZE)
        for kind, prepare in OPERATIONS.items():
            calls, pages = least_work(caller, prepare(caller, REQUESTS))
            counts[f"{engine} {kind} {CALLS}"] = calls
            counts[f"{engine} {kind} {PAGES}"] = pages
    return counts


@contextmanager
def _no_purge(url: str) -> Iterator[None]:
    """Keep the server from removing old versions of rows, which requests pages at any time."""
    with connect(Settings(database_url=url)).transaction() as transaction:
        transaction.fetch_all(ANY)  # this transaction may read the present versions again
        yield


def least_work(caller: Caller, requests: list[Event]) -> tuple[int, int]:
    """Return the least handler calls and page requests of the requests after the first.

    The first request fills caches. The server may request further pages in the background.
    """
    calls, pages = zip(*(_work(caller, own) for own in requests), strict=True)
    return min(calls[1:]), min(pages[1:])


def _work(caller: Caller, own: Event) -> tuple[int, int]:
    """Return the handler calls and the page requests of a request."""
    pages, calls = _read(caller, PAGE_REQUESTS), _read(caller, HANDLER_CALLS)
    caller.call(own)
    return _read(caller, HANDLER_CALLS) - calls, _read(caller, PAGE_REQUESTS) - pages


def _read(caller: Caller, sql: str) -> int:
    """Return the sum of the counters, which this statement does not increase."""
    return sum(int(str(row["Value"])) for row in caller.database.fetch_all(sql))
