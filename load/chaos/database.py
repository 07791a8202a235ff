"""The database of a run, and functions that break it."""

import math
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pymysql
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor, DictCursor

from chalicelib.database import tables
from chalicelib.database.mysql import connection_arguments
from chalicelib.http import history
from load.chaos.history import Seen
from local import reaper
from local.database_server import DatabaseServer
from local.processes import free_port

# All tables are in one file, so that its maximum size works like the size of a disk.
ONE_FILE = {"innodb-file-per-table": "OFF", "innodb-autoextend-increment": "8"}
DATA_FILE = "ibdata1"
MIB = 1 << 20
FILLING = "INSERT INTO filling VALUES (REPEAT('x', %s))"
FILLING_BYTES = (1 << 16, 1 << 10)
FULL = (ER.RECORD_FILE_FULL, CR.CR_SERVER_LOST, CR.CR_CONN_HOST_ERROR)  # or the server has ended
LOCK = "SELECT id FROM customers ORDER BY id DESC LIMIT 30 FOR UPDATE"
# Each version adds a line. An erasure leaves only its own.
GAPS = f"""
SELECT id FROM customers
WHERE history IS NULL
    OR SUBSTRING_INDEX(SUBSTRING_INDEX(history, '\\n', -1), ' ', 1) <> version
    OR 1 + LENGTH(history) - LENGTH(REPLACE(history, '\\n', ''))
        <> IF(erased_at IS NULL, LEAST(version, {tables.MAX_VERSIONS}), 1)
"""  # noqa: S608 (a constant)
# What remains of an erased customer, and columns that are generated or the same for all.
KEPT = {"id", "version", "status", "updated_at", "deleted_at", "erased_at", "changed_at"}
KEPT |= {"state", "last_write", "history"}
EMPTY = (None, "", "[]", "{}")


class Database:
    """A private database server, from `start` to `stop`."""

    def __init__(self, directory: Path) -> None:
        self._options = dict(ONE_FILE)
        self._server = DatabaseServer(directory, free_port(), self._options)

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        """Start the server. Returns when it accepts logins, also after a crash."""
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """Kill the server as a crash would: it flushes nothing and closes no connection."""
        reaper.signal_group(self._server.pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Suspend the server: it neither responds nor closes connections."""
        reaper.signal_group(self._server.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            reaper.signal_group(self._server.pid, signal.SIGCONT)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Restart the server with a file that can't grow, and fill it; then with more space.

        Each restart is a crash. The server may also end itself.
        """
        self.kill()
        size = math.ceil((self._server.directory / "data" / DATA_FILE).stat().st_size / MIB)
        self._options["innodb-data-file-path"] = f"{DATA_FILE}:12M:autoextend:max:{size}M"
        try:
            self.start()
            self._fill()
            yield
        finally:
            del self._options["innodb-data-file-path"]
            self.kill()
            self.start()
            self.ask("DROP TABLE IF EXISTS filling")

    def _fill(self) -> None:
        """Fill the file. Raises pymysql's error if it is not full then."""
        for size in FILLING_BYTES:
            try:
                with self._session() as cursor:
                    cursor.execute("CREATE TABLE IF NOT EXISTS filling (text MEDIUMTEXT)")
                    while True:
                        cursor.execute(FILLING, (size,))
            except pymysql.Error as error:
                if error.args[0] not in FULL:
                    raise

    @contextmanager
    def locked_customers(self) -> Iterator[None]:
        """Hold the locks of the newest customers, and of all that will be created."""
        with self._session() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(LOCK)
            yield

    def kill_sessions(self) -> int:
        """End all other sessions of the database, as a failover does; return how many."""
        killed = 0
        with self._session() as cursor:
            cursor.execute("SHOW PROCESSLIST")
            for number, *_ in cursor.fetchall():
                if number != cursor.connection.thread_id():
                    with suppress(pymysql.Error):  # it has ended
                        cursor.execute(f"KILL {number}")
                        killed += 1
        return killed

    def rows(self) -> tuple[list[Seen], dict[str, list[str]]]:
        """Return every customer as stored, and the columns of erased ones that still have data."""
        stored, leftovers = [], {}
        for row in self.ask("SELECT * FROM customers"):
            seen = _stored(row)
            stored.append(seen)
            remaining = [name for name in row.keys() - KEPT if row[name] not in EMPTY]
            if seen.state == "erased" and remaining:
                leftovers[seen.id] = sorted(remaining)
        return stored, leftovers

    def gaps(self) -> list[str]:
        """Return the ids of customers whose history lacks a version, or survived an erasure."""
        return [str(UUID(bytes=row["id"])) for row in self.ask(GAPS)]

    def histories(self) -> dict[str, dict[int, str]]:
        """Return the operations in the history of each customer, by version."""
        rows = self.ask("SELECT id, history FROM customers")
        return {
            str(UUID(bytes=row["id"])): {
                version.version: version.operation for version in history.parse(row["history"])
            }
            for row in rows
        }

    def ask(self, sql: str) -> Any:
        with self._session(DictCursor) as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    @contextmanager
    def _session(self, kind: type[Any] = Cursor) -> Iterator[Any]:
        with (
            pymysql.connect(**connection_arguments(self.url)) as connection,
            connection.cursor(kind) as cursor,
        ):
            yield cursor


def _stored(row: Mapping[str, Any]) -> Seen:
    state = "erased" if row["erased_at"] else "deleted" if row["deleted_at"] else "live"
    return Seen(
        str(UUID(bytes=row["id"])), row["version"], row["email"] or "", row["phone"] or "", state
    )
