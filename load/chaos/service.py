"""The whole service with its own state folder, and functions that break its parts."""

import http.client
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import pymysql
from pymysql.cursors import Cursor, DictCursor

from app import SCOPES
from chalicelib.database import Database, connect
from chalicelib.database.mysql import connection_arguments
from chalicelib.http import feed
from chalicelib.settings import LOCAL_AUDIENCE, Settings
from load.chaos import api, broken
from load.chaos.history import Seen
from local import reaper
from local.database_server import DatabaseServer
from local.issuer import Issuer
from local.processes import Child, answers, free_port

READY_SECONDS = 60.0
BACKENDS = ("slim", "boto3", "mysql")
"""How the API reaches the database: a client of the Data API, or PyMySQL."""
# All tables are in one file, so that its maximum size works like the size of a disk.
ONE_FILE = {"innodb-file-per-table": "OFF", "innodb-autoextend-increment": "8"}
DATA_FILE = "ibdata1"
MIB = 1 << 20
FILLING = "INSERT INTO filling VALUES (REPEAT('x', %s))"
FILLING_BYTES = (1 << 16, 1 << 10)
# What remains of an erased customer, and columns that are generated or the same for all.
KEPT = {"id", "version", "status", "updated_at", "deleted_at", "erased_at", "changed_at"}
KEPT |= {"state", "last_write"}
EMPTY = (None, "", "[]", "{}")
SESSIONS = "SHOW PROCESSLIST"
IN_PAST = 2 * 3_600
"""Seconds for which a token is already valid, longer than a clock jumps back."""


class Service:
    """A database, the Data API server with fault injection, and the API, from `start` to `close`.

    Each start of the API uses the next of the backends. `faults` are those of `broken`.
    """

    def __init__(
        self, directory: Path, backends: Sequence[str] = BACKENDS, faults: Collection[str] = ()
    ) -> None:
        self._directory = directory
        self._backends = cycle(backends)
        self._faults = faults
        self._exit = ExitStack()
        self._options = dict(ONE_FILE)
        self._database = DatabaseServer(directory / "database", free_port(), self._options)
        self._data_api_port, self.port = free_port(), free_port()
        self._clock = directory / "clock"
        self._starts = 0
        self._api: Child | None = None

    def start(self) -> None:
        """Start everything. Raises LocalError if a part does not start."""
        issuer = self._exit.enter_context(_publishing(self._directory))
        self._issuer = issuer
        self._exit.callback(self._database.stop)
        self._database.start()
        self._environment = self._environment_of(issuer.url)
        port = str(self._data_api_port)
        database = {"DATABASE_URL": self._database.url}
        data_api = self._child("data-api", database, "local.data_api", "--port", port, "--faults")
        self._exit.callback(data_api.stop)
        data_api.wait_until(lambda: answers(self._data_api_port), READY_SECONDS)
        self._child("migrations", {}, "migrations").finish()
        if "duplicated" in self._faults:
            self.ask(broken.ALLOW_DUPLICATES)
        self._exit.callback(self._stop_api)
        self.start_api()

    def close(self) -> None:
        self._exit.close()

    def _environment_of(self, issuer: str) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if "DATABASE_" not in name}
        return {
            **others,
            "DATA_API_CLIENT": "slim",
            "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{self._data_api_port}",
            "TOKEN_ISSUER": issuer,
            "TOKEN_AUDIENCE": LOCAL_AUDIENCE,
            "PYTHONUNBUFFERED": "1",
            api.CLOCK: str(self._clock),
            api.FAULTS: ",".join(self._faults),
        }

    def _child(self, name: str, environment: Mapping[str, str], *module: str) -> Child:
        log = self._directory / "logs" / f"{name}.log"
        command = [sys.executable, "-m", *module]
        return Child(name, command, log, {**self._environment, **environment})

    def token(self, subject: str, scopes: Collection[str] = tuple(SCOPES)) -> str:
        """Return a caller's token. The API recognizes a retry only from the same caller."""
        return self._issuer.token(scopes, subject=subject, iat=int(time.time()) - IN_PAST)

    @property
    def feed_delay(self) -> float:
        """Seconds after which the feed shows every change."""
        return 0 if "mirror" in self._faults else feed.DELAY_SECONDS

    def connect(self) -> Database:
        """Return the database through the Data API, as the functions use it."""
        return connect(Settings.from_environ(self._environment))

    def kill_database(self) -> None:
        """Kill the database as a crash would: it flushes nothing and closes no connection."""
        reaper.signal_group(self._database.pid, signal.SIGKILL)

    def start_database(self) -> None:
        """Start the database. Returns when it accepts logins again."""
        self._database.start()

    @contextmanager
    def frozen_database(self) -> Iterator[None]:
        """Suspend the database: it neither responds nor closes connections."""
        reaper.signal_group(self._database.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            reaper.signal_group(self._database.pid, signal.SIGCONT)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Restart the database with a file that can't grow, and fill it; then with more space.

        Each restart is a crash. The database may also end itself.
        """
        size = (self._database.directory / "data" / DATA_FILE).stat().st_size // MIB
        self._options["innodb-data-file-path"] = f"{DATA_FILE}:12M:autoextend:max:{size}M"
        self.kill_database()
        self.start_database()
        try:
            self._fill()
            yield
        finally:
            del self._options["innodb-data-file-path"]
            self.kill_database()
            self.start_database()
            self.ask("DROP TABLE IF EXISTS filling")

    def _fill(self) -> None:
        for size in FILLING_BYTES:
            with suppress(pymysql.Error), self._session() as cursor:
                cursor.execute("CREATE TABLE IF NOT EXISTS filling (text MEDIUMTEXT)")
                while True:
                    cursor.execute(FILLING, (size,))

    @contextmanager
    def locked_customers(self) -> Iterator[None]:
        """Hold the locks of the newest customers, and of all that will be created."""
        with self._session() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM customers ORDER BY id DESC LIMIT 30 FOR UPDATE")
            yield

    def kill_sessions(self) -> int:
        """End all other sessions of the database, as a failover does; return how many."""
        killed = 0
        with self._session() as cursor:
            cursor.execute(SESSIONS)
            for number, *_ in cursor.fetchall():
                if number != cursor.connection.thread_id():
                    with suppress(pymysql.Error):  # it has ended
                        cursor.execute(f"KILL {number}")
                        killed += 1
        return killed

    def move_clock(self, seconds: float) -> None:
        """Move the API's clock away from the right time."""
        self._clock.write_text(str(seconds))

    def kill_api(self) -> None:
        if self._api:
            reaper.signal_group(self._api.pid, signal.SIGKILL)

    def start_api(self) -> None:
        """Start the API with the next backend. Returns when it accepts connections."""
        self._stop_api()
        self._starts += 1  # each start has its own log
        backend = next(self._backends)
        selected = {"DATA_API_CLIENT": backend}
        if backend == "mysql":
            selected = {"DATABASE_URL": self._database.url}
        name, port = f"api-{self._starts}-{backend}", str(self.port)
        self._api = self._child(name, selected, "load.chaos.api", "--port", port)
        self._api.wait_until(lambda: answers(self.port), READY_SECONDS)

    def _stop_api(self) -> None:
        if self._api:
            self._api.stop()

    def give(self, *faults: dict[str, Any]) -> None:
        """Let the Data API server inject these faults, and no others."""
        self._control("PUT", json.dumps(faults))

    def given(self) -> int:
        """Return the number of injected faults."""
        return sum(fault["given"] for fault in self._control("GET"))

    def _control(self, method: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._data_api_port, timeout=10)
        try:
            connection.request(method, "/_faults", body)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise RuntimeError(f"the Data API server rejected a fault: {text.decode()}")
        return json.loads(text)

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

    def ask(self, sql: str) -> Any:
        with self._session(DictCursor) as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    @contextmanager
    def _session(self, kind: type[Any] = Cursor) -> Iterator[Any]:
        with (
            pymysql.connect(**connection_arguments(self._database.url)) as connection,
            connection.cursor(kind) as cursor,
        ):
            yield cursor


def _stored(row: Mapping[str, Any]) -> Seen:
    state = "erased" if row["erased_at"] else "deleted" if row["deleted_at"] else "live"
    return Seen(
        str(UUID(bytes=row["id"])), row["version"], row["email"] or "", row["phone"] or "", state
    )


@contextmanager
def _publishing(directory: Path) -> Iterator[Issuer]:
    """Publish the keys of a new token issuer, which survives every kill of the API."""
    keys: list[bytes] = []

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(keys[0])))
            self.end_headers()
            self.wfile.write(keys[0])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        issuer = Issuer(directory, f"http://127.0.0.1:{server.server_port}")
        keys.append(json.dumps(issuer.jwks()).encode())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield issuer
        finally:
            server.shutdown()
