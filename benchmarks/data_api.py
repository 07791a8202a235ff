"""Measure the speed of the local Data API server: `python -m benchmarks.data_api`.

Starts a private database and the server, and reads rows by primary key: through PyMySQL; through
the server with a bare socket, which excludes the cost of a client; through the server with boto3;
and over 8 connections at once, through PyMySQL and through the server. All five take turns in many
short slices, so that a disturbance of the machine affects all of them equally.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import boto3
import pymysql
import uvloop
from botocore.config import Config
from tqdm import tqdm

from benchmarks import servers
from chalicelib.database.mysql import connection_arguments
from local import engines
from local.processes import LocalError

ROWS = 1000
CONNECTIONS = 8
CALLS = 100
"""Consecutive calls in a slice."""
LOAD_SECONDS = 0.5
"""Duration of a slice of concurrent calls, in seconds."""

TABLE = "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(100), created_at DATETIME(6))"
FILL = """
INSERT INTO people
WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)
SELECT n, CONCAT('name ', n), NOW(6) FROM numbers
"""
SELECT = "SELECT id, name, created_at FROM people WHERE id = "
ARNS = {
    "resourceArn": "arn:aws:rds:eu-central-1:123456789012:cluster:benchmark",
    "secretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:benchmark",
}

Read = Callable[[int], object]


@dataclass
class Measured:
    """The duration of one way of reading in each slice, in milliseconds per call."""

    name: str
    read: Read
    medians: list[float] = field(default_factory=list)

    def slice(self) -> None:
        """Read some rows one after another."""
        times = []
        for number in numbers(CALLS):
            started = time.perf_counter()
            self.read(number)
            times.append(time.perf_counter() - started)
        self.medians.append(median(times) * 1000)

    @property
    def median(self) -> float:
        return median(self.medians)


def numbers(count: int) -> list[int]:
    """Return random ids of rows."""
    return random.choices(range(1, ROWS + 1), k=count)  # noqa: S311 (not a secret)


def request(number: int) -> bytes:
    """Return the HTTP request that reads a row."""
    parameter = {"name": "id", "value": {"longValue": number}}
    body = json.dumps({**ARNS, "sql": f"{SELECT}:id", "parameters": [parameter]})
    head = f"POST /Execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def is_whole(response: bytes) -> bool:
    """Return whether the response is complete. Raises RuntimeError if it is not the row."""
    head, _, body = response.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
    if not length or len(body) < int(length):
        return False
    if b'"records":[[{"longValue":' not in body:
        raise RuntimeError(body.decode())
    return True


def by_pymysql(url: str) -> Read:
    cursor = pymysql.connect(**connection_arguments(url)).cursor()

    def read(number: int) -> object:
        cursor.execute(f"{SELECT}%(id)s", {"id": number})
        return cursor.fetchall()

    return read


def by_socket(port: int) -> Read:
    connection = socket.create_connection(("127.0.0.1", port))

    def read(number: int) -> object:
        connection.sendall(request(number))
        response = connection.recv(65_536)
        while not is_whole(response):
            response += connection.recv(65_536)
        return response

    return read


def by_boto3(port: int) -> Read:
    client: Any = boto3.client(
        "rds-data",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-central-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",  # noqa: S106 (not a real key)
        config=Config(retries={"total_max_attempts": 1}),
    )

    def read(number: int) -> object:
        parameter = {"name": "id", "value": {"longValue": number}}
        return client.execute_statement(**ARNS, sql=f"{SELECT}:id", parameters=[parameter])

    return read


class Cpu(NamedTuple):
    """CPU time of each process: this client, the Data API server and the database."""

    client: float
    server: float
    database: float


class Rate(NamedTuple):
    """Rows per second over many connections, and microseconds of CPU time per row."""

    rows: float
    cpu: Cpu

    @classmethod
    def of(cls, rows: int, seconds: float, before: Cpu, after: Cpu) -> Self:
        spent = (b - a for a, b in zip(before, after, strict=True))
        return cls(rows / seconds, Cpu(*(one / rows * 1e6 for one in spent)))


Clock = Callable[[], Cpu]


class Reader(asyncio.Protocol):
    """A keep-alive connection that sends the next request as soon as it has its response."""

    def __init__(self) -> None:
        self.count = 0
        self._response = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._response += data
        if is_whole(self._response):
            self.count += 1
            self._response = b""
            self._send()

    def _send(self) -> None:
        self._transport.write(request(*numbers(1)))


class Readers:
    """8 threads, each with a connection of PyMySQL that reads rows until the end of a slice."""

    def __init__(self, url: str) -> None:
        self._reads = [by_pymysql(url) for _ in range(CONNECTIONS)]
        self._threads = ThreadPoolExecutor(CONNECTIONS)

    def load(self, clock: Clock) -> Rate:
        """Read rows over all connections. `clock` returns the CPU seconds of the processes."""
        before, started = clock(), time.perf_counter()
        end = started + LOAD_SECONDS
        rows = sum(self._threads.map(lambda read: _read_until(end, read), self._reads))
        return Rate.of(rows, time.perf_counter() - started, before, clock())


def _read_until(end: float, read: Read) -> int:
    count = 0
    while time.perf_counter() < end:
        read(*numbers(1))
        count += 1
    return count


async def load(port: int, clock: Clock) -> Rate:
    """Read rows over many connections to the server. `clock` is that of `Readers.load`."""
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(Reader, "127.0.0.1", port) for _ in range(CONNECTIONS)]
    readers = [reader for _, reader in pairs]
    await asyncio.sleep(LOAD_SECONDS / 10)  # until all connections are busy
    rows, before, started = -sum(reader.count for reader in readers), clock(), time.perf_counter()
    await asyncio.sleep(LOAD_SECONDS)
    rows += sum(reader.count for reader in readers)
    rate = Rate.of(rows, time.perf_counter() - started, before, clock())
    for transport, _ in pairs:
        transport.close()
    return rate


@contextmanager
def running() -> Iterator[tuple[str, int, Clock]]:
    """Run a database with a table, and the server.

    Yield the database's URL, the server's port, and the clock of the processes' CPU seconds.
    """
    with TemporaryDirectory(prefix="benchmark-") as name:
        directory = Path(name)
        with servers.database(directory) as database:
            with pymysql.connect(**connection_arguments(database.url)) as session:
                session.cursor().execute(TABLE)
                session.cursor().execute(FILL, [ROWS])
            with servers.data_api(directory, database.url) as api:
                pids = api.pid, database.pid
                yield (
                    database.url,
                    api.port,
                    lambda: Cpu(time.process_time(), *map(servers.cpu_seconds, pids)),
                )


class Rates(NamedTuple):
    """The rates of one round."""

    direct: Rate
    server: Rate


def measure(rounds: int) -> tuple[list[Measured], list[Rates]]:
    """Return the ways of reading with their durations, and the rates over many connections."""
    with running() as (url, port, clock):
        ways = [
            Measured("PyMySQL", by_pymysql(url)),
            Measured("Data API, bare socket", by_socket(port)),
            Measured("Data API, boto3", by_boto3(port)),
        ]
        readers, rates = Readers(url), []
        for _ in tqdm(range(rounds), desc="rounds", leave=False):
            for way in ways:
                way.slice()
            rates.append(Rates(readers.load(clock), uvloop.run(load(port, clock))))
    return ways, rates


REPORT = """
| row by primary key    | median     | to PyMySQL |
|-----------------------|------------|------------|
{rows}

Overhead of the server over PyMySQL: {overhead:.2f} ms per call (target: at most 0.6).

| rows per second, {connections} connections | median | slowest round | fastest round |
|----------------------------------|--------|---------------|---------------|
| PyMySQL, {connections} threads               | {direct} |
| Data API, bare sockets           | {server} |

Share of PyMySQL's throughput: {share:.2f} (target: at least 0.5).

| CPU time per row, in us | client | server | database | all |
|-------------------------|--------|--------|----------|-----|
| PyMySQL, {connections} threads      | {direct_cpu} |
| Data API, bare sockets  | {server_cpu} |

PyMySQL's CPU time, all processes, divided by the server's: {cpu_share:.2f}.

Method: {rounds} rounds. Each has {calls} consecutive calls in each way, then {load:g} s of
concurrent calls in two ways. The tables show medians of the rounds. The overhead and the share are
medians of the rounds' differences and quotients. The bare sockets write each request, and search
the response for the row, without a client library. Client, server and database run on one machine:
{cores} cores, Python {python}, {database}.
"""


def report(ways: list[Measured], rates: list[Rates]) -> str:
    """Return the table, with the method."""
    direct, bare, _ = ways
    direct_rates, server_rates = zip(*rates, strict=True)
    return REPORT.format(
        rows="\n".join(
            f"| {way.name:<21} | {way.median:7.2f} ms | {way.median / direct.median:10.1f} |"
            for way in ways
        ),
        overhead=median(b - a for a, b in zip(direct.medians, bare.medians, strict=True)),
        direct=_spread([rate.rows for rate in direct_rates]),
        server=_spread([rate.rows for rate in server_rates]),
        share=median(rate.server.rows / rate.direct.rows for rate in rates),
        direct_cpu=_cpu(direct_rates),
        server_cpu=_cpu(server_rates),
        cpu_share=median(sum(rate.direct.cpu) / sum(rate.server.cpu) for rate in rates),
        connections=CONNECTIONS,
        rounds=len(rates),
        calls=CALLS,
        load=LOAD_SECONDS,
        cores=os.cpu_count(),
        python=platform.python_version(),
        database=engines.selected().find(),
    ).strip()


def _spread(rates: list[float]) -> str:
    return f"{median(rates):6,.0f} | {min(rates):13,.0f} | {max(rates):13,.0f}"


def _cpu(rates: Sequence[Rate]) -> str:
    client, server, database = (
        median(times) for times in zip(*(r.cpu for r in rates), strict=True)
    )
    together = median(sum(rate.cpu) for rate in rates)
    return f"{client:6.0f} | {server:6.0f} | {database:8.0f} | {together:3.0f}"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_api", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=30,
        help="number of rounds, about a second each (default: %(default)s)",
    )
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error("--rounds must be at least 1")
    try:
        print(report(*measure(rounds)))
    except LocalError as error:
        sys.exit(f"benchmark: {error}")


if __name__ == "__main__":
    main()
