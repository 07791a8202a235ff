"""Measure the duration of requests, with one client and with many."""

import itertools
import multiprocessing
import random
import time
from collections.abc import Iterable, Mapping
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks.growth.filling import FIRST, LAST, forget
from benchmarks.growth.requests import AND, BULK, REQUESTS, Call, Prepare, Sample
from benchmarks.servers import cpu_seconds
from chalicelib.database import Database, connect
from chalicelib.http.resources import MAX_BATCH
from chalicelib.settings import Settings
from local import seed

CLIENTS = 32
MAX_RATIO = 1.1
"""Of the medians at the largest and at the smallest size, with one client."""
MAX_RATIO_OF_MANY = 1.2
"""The same with many clients."""
SAMPLES = 1_000
SLICE = 4
"""Customers of each client in a turn, with many clients."""
FORGET = 10
"""Turns of one client after which the customers that it has created are removed."""
MIN_CALLS = 5
"""Minimum number of calls for a median, regardless of their duration."""

SAMPLE = """
SELECT id, email, phone, external_id, name, updated_at
FROM customers FORCE INDEX (PRIMARY)
WHERE id >= :id AND state = 'live' AND phone IS NOT NULL AND external_id IS NOT NULL
    AND version = 1  # earlier runs have not updated the customer
ORDER BY id LIMIT 1
"""


class Sampled(NamedTuple):
    """A database, and some of its customers."""

    url: str
    samples: list[Sample]

    def customers(self, count: int = 1) -> list[Sample]:
        """Return different customers, so that clients don't wait for each other's locks."""
        return random.sample(self.samples, count)


class Measured(NamedTuple):
    """Milliseconds of calls: until the response, and of the database's CPU time."""

    durations: list[float]
    cpu_times: list[float]


Results = dict[str, dict[int, Measured]]
"""By the names of requests, and by size."""


def sample(url: str) -> Sampled:
    """Choose customers at random from all times. The last ones may have none after them."""
    database = connect(Settings(database_url=url))
    moments = (random.randrange(FIRST, LAST) for _ in range(SAMPLES))  # noqa: S311
    ids = ((moment << 80).to_bytes(16, "big") for moment in moments)
    rows: Iterable[Any] = (database.fetch_one(SAMPLE, id=customer_id) for customer_id in ids)
    found = {UUID(bytes=row["id"]): row for row in rows if row}  # small sizes have some twice
    texts = [*map(str, found)]
    return Sampled(
        url,
        [
            Sample(**{**row, "id": customer_id, "others": random.sample(texts, MAX_BATCH)})
            for customer_id, row in found.items()
        ],
    )


def alone(
    name: str, prepare: Prepare, databases: Mapping[int, Sampled], seconds: float, pid: int
) -> Results:
    """Measure the calls of one client for this time."""
    connections = _connect(databases)
    results = _no_results(name, databases)
    until = time.monotonic() + seconds
    turns = 0
    while time.monotonic() < until or turns < MIN_CALLS:
        for size, sampled in random.sample([*databases.items()], len(databases)):
            calls = prepare(*sampled.customers())
            for by_size, call in zip(results.values(), calls, strict=True):
                before = cpu_seconds(pid)
                by_size[size].durations.append(milliseconds(call, connections[size]))
                by_size[size].cpu_times.append((cpu_seconds(pid) - before) * 1000)
        turns += 1
        if turns % FORGET == 0:
            for sampled in databases.values():
                forget(sampled.url)
    return results


def _no_results(name: str, sizes: Iterable[int]) -> Results:
    return {part: {size: Measured([], []) for size in sizes} for part in name.split(AND)}


def milliseconds(call: Call, database: Database) -> float:
    """Return the duration of a call."""
    started = time.perf_counter()
    call(database)
    return (time.perf_counter() - started) * 1000


def _connect(databases: Mapping[int, Sampled]) -> dict[int, Database]:
    return {
        size: connect(Settings(database_url=sampled.url)) for size, sampled in databases.items()
    }


class Clients:
    """Many clients that call at once. Each is a process with a connection to each database."""

    def __init__(self, databases: Mapping[int, Sampled], pid: int) -> None:
        self._databases = databases
        self._pid = pid
        for locale, *_ in seed.PLACES:
            seed.vocabulary(locale)  # takes seconds, so not in each process
        self._pool = multiprocessing.Pool(
            CLIENTS, _become_client, (databases, multiprocessing.Barrier(CLIENTS))
        )

    def measure(self, name: str, seconds: float) -> Results:
        """Measure the calls of all clients for this time.

        The CPU time of each request is that of all requests about a customer.
        """
        results = _no_results(name, self._databases)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for size, sampled in self._databases.items():
                before = cpu_seconds(self._pid)
                calls = self._call(name, size)
                cpu_time = (cpu_seconds(self._pid) - before) * 1000 / len(calls)
                for by_size, durations in zip(
                    results.values(), zip(*calls, strict=True), strict=True
                ):
                    by_size[size].durations.extend(durations)
                    by_size[size].cpu_times.append(cpu_time)
                forget(sampled.url)
        return results

    def _call(self, name: str, size: int) -> list[list[float]]:
        """Return the duration of each request about each of some customers, in a turn."""
        count = 1 if name == BULK else SLICE
        customers = self._databases[size].customers(CLIENTS * count)
        tasks = [(name, size, customers[n::CLIENTS]) for n in range(CLIENTS)]
        return [*itertools.chain(*self._pool.map(_call_at_once, tasks, chunksize=1))]

    def close(self) -> None:
        self._pool.terminate()
        self._pool.join()


_client: dict[str, Any] = {}


def _become_client(databases: Mapping[int, Sampled], barrier: Barrier) -> None:
    random.seed()  # otherwise all clients would create the same customers
    _client.update(barrier=barrier, connections=_connect(databases))


def _call_at_once(task: tuple[str, int, list[Sample]]) -> list[list[float]]:
    name, size, customers = task
    database = _client["connections"][size]
    prepared = [REQUESTS[name](customer) for customer in customers]
    database.ping()
    _client["barrier"].wait()
    return [[milliseconds(call, database) for call in calls] for calls in prepared]
