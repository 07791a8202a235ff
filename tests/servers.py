"""The servers that most tests share: a private database, and the Data API on it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.database_server import DatabaseServer
from local.processes import Child, answers, free_port


@contextmanager
def serve_database(directory: Path) -> Iterator[DatabaseServer]:
    """Run a private server. It waits for a lock for 1 s, and its time zone is not UTC."""
    options = {"innodb-lock-wait-timeout": "1", "default-time-zone": "+05:00"}
    database = DatabaseServer(directory / "database", free_port(), options)
    try:
        database.start()
        yield database
    finally:
        database.stop()


@contextmanager
def serve_data_api(database: DatabaseServer, directory: Path) -> Iterator[str]:
    """Run a Data API server on the database. Yields its base URL."""
    port = free_port()
    command = [sys.executable, "-m", "local.data_api", "--port", str(port)]
    environment = {**os.environ, "DATABASE_URL": database.url}
    with Child("data-api", command, directory / "data-api.log", environment) as server:
        server.wait_until(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"
