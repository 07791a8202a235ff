"""Private servers for benchmarks, on free ports of 127.0.0.1, and their CPU time."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import migrations
from chalicelib.database import Database, connect
from chalicelib.settings import Settings
from local.database_server import DatabaseServer
from local.engines import Engine
from local.processes import Child, answers, free_port


class Served(NamedTuple):
    """The port and the process id of a server."""

    port: int
    pid: int


@contextmanager
def database(
    directory: Path, options: Mapping[str, str] | None = None, engine: Engine | None = None
) -> Iterator[DatabaseServer]:
    """Run a database in `directory`, with these settings in addition to the usual ones.

    Default of `engine`: the one that ENGINE selects.
    """
    server = DatabaseServer(directory / "database", free_port(), options, engine=engine)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def data_api(directory: Path, database_url: str) -> Iterator[Served]:
    """Run the local Data API server on a database."""
    port = free_port()
    command = [sys.executable, "-m", "local.data_api", "--port", str(port)]
    environment = {**os.environ, "DATABASE_URL": database_url}
    with Child("data-api", command, directory / "log", environment) as server:
        server.wait_until(lambda: answers(port))
        yield Served(port, server.pid)


def migrate(url: str) -> Database:
    """Apply all migrations to a database, and return a connection to it."""
    settings = Settings(database_url=url)
    migrations.apply(connect(settings), connect(settings), migrations.read(), lambda _: None)
    return connect(settings)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, with nanosecond resolution.

    Computes the clock's number as glibc's clock_getcpuclockid does.
    """
    return time.clock_gettime(~pid << 3 | 2)
