"""How long requests take, those of one client and those of many at once."""

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
"""Calls of each client in a turn, where there are many."""
LEAST = 5
"""Calls that a median is made of, however long they take."""

SAMPLE = """
SELECT id, email, phone, external_id, name, updated_at
FROM customers FORCE INDEX (PRIMARY)
WHERE id >= :id AND state = 'live' AND phone IS NOT NULL AND external_id IS NOT NULL
ORDER BY id LIMIT 1
"""


class Place(NamedTuple):
    """A database, and some of the customers that are there."""

    url: str
    samples: list[Row]

    def one(self) -> Row:
        return random.choice(self.samples)  # noqa: S311 (no secret)


class Measured(NamedTuple):
    """Milliseconds of calls: until the answer was there, and of the database's processor."""

    took: list[float]
    worked: list[float]


Results = dict[str, dict[int, Measured]]


def sample(url: str) -> Place:
    """Choose customers at random, from all times; the last ones may have none behind them."""
    database = connect(Settings(database_url=url))
    moments = (random.randrange(FIRST, LAST) for _ in range(SAMPLES))  # noqa: S311
    found = (
        database.fetch_one(SAMPLE, id=(moment << 80).to_bytes(16, "big")) for moment in moments
    )
    return Place(url, [row for row in found if row])


def alone(prepare: Prepare, places: Mapping[int, Place], seconds: float, pid: int) -> Any:
    """Measure one client's calls, for so many seconds."""
    databases = {size: connect(Settings(database_url=place.url)) for size, place in places.items()}
    measured = {size: Measured([], []) for size in places}
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(measured[min(places)].took) < LEAST:
        for size, place in random.sample([*places.items()], len(places)):
            call = prepare(place.one())
            worked, started = _worked(pid), time.perf_counter()
            call(databases[size])
            measured[size].took.append((time.perf_counter() - started) * 1000)
            measured[size].worked.append((_worked(pid) - worked) * 1000)
    return measured


def _worked(pid: int) -> float:
    """Return the seconds of processor time that a process has had, to the nanosecond.

    The number of its clock is made as in glibc's clock_getcpuclockid.
    """
    return time.clock_gettime(~pid << 3 | 2)


class Clients:
    """Many clients, each a process with a connection to each database, that call at once."""

    def __init__(self, places: Mapping[int, Place], pid: int) -> None:
        self._sizes = list(places)
        self._pid = pid
        self._pool = multiprocessing.Pool(
            CLIENTS, _become_client, (places, multiprocessing.Barrier(CLIENTS))
        )

    def measure(self, name: str, seconds: float) -> dict[int, Measured]:
        """Measure the calls of all, for so many seconds."""
        measured = {size: Measured([], []) for size in self._sizes}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for size in self._sizes:
                worked = _worked(self._pid)
                times = self._pool.map(_call_at_once, [(name, size)] * CLIENTS, chunksize=1)
                each = (_worked(self._pid) - worked) / (CLIENTS * SLICE)
                measured[size].took.extend(itertools.chain(*times))
                measured[size].worked.append(each * 1000)
        return measured

    def close(self) -> None:
        self._pool.terminate()
        self._pool.join()


_client: dict[str, Any] = {}


def _become_client(places: Mapping[int, Place], barrier: Barrier) -> None:
    random.seed()  # or all of them would choose the same
    urls = {size: place.url for size, place in places.items()}
    databases = {size: connect(Settings(database_url=url)) for size, url in urls.items()}
    _client.update(places=places, barrier=barrier, databases=databases)


def _call_at_once(task: tuple[str, int]) -> list[float]:
    name, size = task
    database, place = _client["databases"][size], _client["places"][size]
    calls = [REQUESTS[name](place.one()) for _ in range(SLICE)]
    database.ping()
    _client["barrier"].wait()
    times = []
    for call in calls:
        started = time.perf_counter()
        call(database)
        times.append((time.perf_counter() - started) * 1000)
    return times
