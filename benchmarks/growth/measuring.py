"""Measure the duration of requests, with one client and with many."""

import itertools
import multiprocessing
import random
import time
from collections.abc import Mapping
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

from benchmarks.growth.filling import FIRST, LAST
from benchmarks.growth.requests import REQUESTS, Prepare
from chalicelib.database import Row, connect
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
    samples: list[Row]

    def customer(self) -> Row:
        return random.choice(self.samples)  # noqa: S311 (not a secret)


class Measured(NamedTuple):
    """Durations of calls in milliseconds: until the response, and of the database's CPU time."""

    took: list[float]
    worked: list[float]


Results = dict[str, dict[int, Measured]]


def sample(url: str) -> Sampled:
    """Choose customers at random from all times.

    Fewer follow the last ones in a list.
    """
    database = connect(Settings(database_url=url))
    moments = (random.randrange(FIRST, LAST) for _ in range(SAMPLES))  # noqa: S311
    found = (
        database.fetch_one(SAMPLE, id=(moment << 80).to_bytes(16, "big")) for moment in moments
    )
    return Sampled(url, [row for row in found if row])


def alone(prepare: Prepare, databases: Mapping[int, Sampled], seconds: float, pid: int) -> Any:
    """Measure one client's calls for this time."""
    connections = {
        size: connect(Settings(database_url=sampled.url)) for size, sampled in databases.items()
    }
    measured = {size: Measured([], []) for size in databases}
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(measured[min(databases)].took) < MIN_CALLS:
        for size, sampled in random.sample([*databases.items()], len(databases)):
            call = prepare(sampled.customer())
            worked, started = _worked(pid), time.perf_counter()
            call(connections[size])
            measured[size].took.append((time.perf_counter() - started) * 1000)
            measured[size].worked.append((_worked(pid) - worked) * 1000)
    return measured


def _worked(pid: int) -> float:
    """Return the CPU seconds of a process, with nanosecond resolution.

    Computes the clock's number as glibc's clock_getcpuclockid does.
    """
    return time.clock_gettime(~pid << 3 | 2)


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
                worked = _worked(self._pid)
                times = self._pool.map(_call_at_once, [(name, size)] * CLIENTS, chunksize=1)
                duration = (_worked(self._pid) - worked) / (CLIENTS * SLICE)
                measured[size].took.extend(itertools.chain(*times))
                measured[size].worked.append(duration * 1000)
        return measured

    def close(self) -> None:
        self._pool.terminate()
        self._pool.join()


_client: dict[str, Any] = {}


def _become_client(databases: Mapping[int, Sampled], barrier: Barrier) -> None:
    random.seed()  # else all clients would choose the same customers
    urls = {size: sampled.url for size, sampled in databases.items()}
    connections = {size: connect(Settings(database_url=url)) for size, url in urls.items()}
    _client.update(databases=databases, barrier=barrier, connections=connections)


def _call_at_once(task: tuple[str, int]) -> list[float]:
    name, size = task
    database, sampled = _client["connections"][size], _client["databases"][size]
    calls = [REQUESTS[name](sampled.customer()) for _ in range(SLICE)]
    database.ping()
    _client["barrier"].wait()
    times = []
    for call in calls:
        started = time.perf_counter()
        call(database)
        times.append((time.perf_counter() - started) * 1000)
    return times
