"""The whole service with its own state folder, and functions that break it.

The API uses the Data API client of a Lambda function, unless DATA_API_CLIENT selects another.
"""

import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pymysql

from chalicelib.database import tables
from chalicelib.database.mysql import connection_arguments
from chalicelib.settings import LOCAL_AUDIENCE
from load.chaos.history import Seen
from local import reaper
from local.database_server import DatabaseServer
from local.issuer import Issuer
from local.processes import Child, answers, free_port

READY_SECONDS = 60.0
ROWS = "SELECT id, version, email, phone, deleted_at IS NOT NULL FROM customers"
# Each version adds a line, and the last line is that of the current version.
GAPS = f"""
SELECT id FROM customers
WHERE SUBSTRING_INDEX(SUBSTRING_INDEX(history, '\\n', -1), ' ', 1) <> version
    OR 1 + LENGTH(history) - LENGTH(REPLACE(history, '\\n', ''))
        <> LEAST(version, {tables.MAX_VERSIONS})
    OR history IS NULL
"""  # noqa: S608 (a constant)
# The unique email address alone would prevent duplicates.
ALLOW_DUPLICATES = "ALTER TABLE customers DROP KEY uq_customers_email_live"


class Service:
    """A database, the Data API server with fault injection, and the API, from `start` to `close`.

    Without idempotency, the API ignores the keys of creates, and email addresses need not be
    unique.
    """

    def __init__(self, directory: Path, *, idempotency: bool = True) -> None:
        self._directory = directory
        self._idempotency = idempotency
        self._exit = ExitStack()
        self._database = DatabaseServer(directory / "database", free_port())
        self._data_api_port, self.port = free_port(), free_port()
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
        data_api = self._child("data-api", "local.data_api", "--port", port, "--faults")
        self._exit.callback(data_api.stop)
        data_api.wait_until(lambda: answers(self._data_api_port), READY_SECONDS)
        self._child("migrations", "migrations").finish()
        if not self._idempotency:
            self._ask(ALLOW_DUPLICATES)
        self._exit.callback(self._stop_api)
        self.start_api()

    def close(self) -> None:
        self._exit.close()

    def _environment_of(self, issuer: str) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if "DATABASE_" not in name}
        return {
            "DATA_API_CLIENT": "slim",
            **others,
            "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{self._data_api_port}",
            "TOKEN_ISSUER": issuer,
            "TOKEN_AUDIENCE": LOCAL_AUDIENCE,
            "PYTHONUNBUFFERED": "1",
        }

    def _child(self, name: str, *module: str) -> Child:
        database = {"DATABASE_URL": self._database.url} if name == "data-api" else {}
        log = self._directory / "logs" / f"{name}.log"
        return Child(name, [sys.executable, "-m", *module], log, self._environment | database)

    def token(self, subject: str) -> str:
        """Return a caller's token. The API recognizes a retry only from the same caller."""
        return self._issuer.token(subject=subject)

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

    def kill_api(self) -> None:
        if self._api:
            reaper.signal_group(self._api.pid, signal.SIGKILL)

    def start_api(self) -> None:
        """Start the API. Returns when it accepts connections."""
        self._stop_api()
        self._starts += 1  # each start has its own log
        module = "local.gateway" if self._idempotency else "load.chaos.broken"
        self._api = self._child(f"api-{self._starts}", module, "--port", str(self.port))
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

    def rows(self) -> list[Seen]:
        """Return every customer as stored in the database."""
        return [
            Seen(str(UUID(bytes=row[0])), row[1], row[2], row[3], bool(row[4]))
            for row in self._ask(ROWS)
        ]

    def gaps(self) -> list[str]:
        """Return the ids of customers whose history lacks a version."""
        return [str(UUID(bytes=row[0])) for row in self._ask(GAPS)]

    def _ask(self, sql: str) -> Any:
        with (
            pymysql.connect(**connection_arguments(self._database.url)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
            return cursor.fetchall()


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
