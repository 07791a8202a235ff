"""Measure the duration of requests, with one client and with many."""

import itertools
import multiprocessing
import random
import time
from collections.abc import Iterable, Mapping
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple
from uuid import UUID

from benchmarks.growth.filling import FIRST, LAST
from benchmarks.growth.requests import REQUESTS, Call, Prepare, Sample
from benchmarks.servers import cpu_seconds
from chalicelib.database import Database, connect
from chalicelib.settings import Settings

CLIENTS = 32
SAMPLES = 1_000
SLICE = 4
"""Calls of each client in a turn, with many clients."""
MIN_CALLS = 5
"""Minimum number of calls for a median, regardless of their duration."""

SAMPLE = """
SELECT id, email, phone, external_id, name, updated_at
FROM customers FORCE INDEX (PRIMARY)
WHERE id >= :id AND state = 'live' AND phone IS NOT NULL AND external_id IS NOT NULL
ORDER BY id LIMIT 1
"""


class Sampled(NamedTuple):
    """A database, and some of its customers."""

    url: str
    samples: list[Sample]

    def customer(self) -> Sample:
        return random.choice(self.samples)  # noqa: S311 (not a secret)


class Measured(NamedTuple):
    """Milliseconds of calls: until the response, and of the database's CPU time."""

    durations: list[float]
    cpu_times: list[float]


Results = dict[str, dict[int, Measured]]


def sample(url: str) -> Sampled:
    """Choose customers at random from all times. The last ones may have none after them."""
    database = connect(Settings(database_url=url))
    moments = (random.randrange(FIRST, LAST) for _ in range(SAMPLES))  # noqa: S311
    ids = ((moment << 80).to_bytes(16, "big") for moment in moments)
    rows: Iterable[Any] = (database.fetch_one(SAMPLE, id=customer_id) for customer_id in ids)
    return Sampled(url, [Sample(**{**row, "id": UUID(bytes=row["id"])}) for row in rows if row])


def alone(prepare: Prepare, databases: Mapping[int, Sampled], seconds: float, pid: int) -> Any:
    """Measure the calls of one client for this time."""
    connections = _connect(databases)
    measured = {size: Measured([], []) for size in databases}
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(measured[min(databases)].durations) < MIN_CALLS:
        for size, sampled in random.sample([*databases.items()], len(databases)):
            call = prepare(sampled.customer())
            before = cpu_seconds(pid)
            measured[size].durations.append(milliseconds(call, connections[size]))
            measured[size].cpu_times.append((cpu_seconds(pid) - before) * 1000)
    return measured


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
        self._sizes = list(databases)
        self._pid = pid
        self._pool = multiprocessing.Pool(
            CLIENTS, _become_client, (databases, multiprocessing.Barrier(CLIENTS))
        )

    def measure(self, name: str, seconds: float) -> dict[int, Measured]:
        """Measure the calls of all clients for this time."""
        measured = {size: Measured([], []) for size in self._sizes}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for size in self._sizes:
                before = cpu_seconds(self._pid)
                times = self._pool.map(_call_at_once, [(name, size)] * CLIENTS, chunksize=1)
                seconds_per_call = (cpu_seconds(self._pid) - before) / (CLIENTS * SLICE)
                measured[size].durations.extend(itertools.chain(*times))
                measured[size].cpu_times.append(seconds_per_call * 1000)
        return measured

    def close(self) -> None:
        self._pool.terminate()
        self._pool.join()


_client: dict[str, Any] = {}


def _become_client(databases: Mapping[int, Sampled], barrier: Barrier) -> None:
    random.seed()  # otherwise all clients would choose the same customers
    _client.update(databases=databases, barrier=barrier, connections=_connect(databases))


def _call_at_once(task: tuple[str, int]) -> list[float]:
    name, size = task
    database, sampled = _client["connections"][size], _client["databases"][size]
    calls = [REQUESTS[name](sampled.customer()) for _ in range(SLICE)]
    database.ping()
    _client["barrier"].wait()
    return [milliseconds(call, database) for call in calls]
