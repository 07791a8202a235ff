"""The whole service with its own state folder, and functions that break its parts."""

import http.client
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil

from app import SCOPES
from chalicelib import database
from chalicelib.http import feed
from chalicelib.settings import LOCAL_AUDIENCE, Settings
from load.chaos import api, broken
from load.chaos.database import Database
from load.chaos.relay import URL
from local import reaper
from local.issuer import Issuer
from local.processes import Child, answers, free_port

BACKENDS = ("slim", "boto3", "mysql")
"""How the API reaches the database: a client of the Data API, or PyMySQL."""
RELAYS = 2
"""Relays at once, one more than a stage has."""
SERVE = "serve"
"""The API is `python -m serve`, instead of the local gateway."""
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
        self._backends, self._serves = cycle(backends), SERVE in backends
        self._faults = faults
        self._exit = ExitStack()
        self.database = Database(directory / "database")
        self._data_api_port, self.port = free_port(), free_port()
        self._clock = directory / "clock"
        self._starts = 0
        self._api: Child | None = None
        self._relays: deque[Child] = deque()

    def start(self) -> None:
        """Start everything. Raises LocalError if a part does not start."""
        issuer = self._exit.enter_context(_publishing(self._directory))
        self._issuer = issuer
        self._exit.callback(self.database.stop)
        self.database.start()
        self._environment = self._environment_of(issuer.url)
        port = str(self._data_api_port)
        settings = {"DATABASE_URL": self.database.url}
        data_api = self._child("data-api", settings, "local.data_api", "--port", port, "--faults")
        self._exit.callback(data_api.stop)
        data_api.wait_until(lambda: answers(self._data_api_port))
        self._child("migrations", {}, "migrations").finish()
        if not broken.DUPLICATES.isdisjoint(self._faults):
            self.database.ask(broken.ALLOW_DUPLICATES)
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
            broken.NAMES: ",".join(self._faults),
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
        """Seconds after which the feed shows every change, and a relay sends its event."""
        return feed.DELAY_SECONDS if broken.FOLLOWED.isdisjoint(self._faults) else 0

    def connect(self) -> database.Database:
        """Return the database through the Data API, as the functions use it."""
        return database.connect(Settings.from_environ(self._environment))

    def move_clock(self, seconds: float) -> None:
        """Move the API's clock away from the right time."""
        self._clock.write_text(str(seconds))

    def kill_api(self) -> None:
        if self._api:
            reaper.signal_group(self._api.pid, signal.SIGKILL)

    def start_api(self) -> None:
        """Start the API with the next backend. Returns when it accepts connections."""
        self._stop_api()
        if self._serves:
            self._api = self._start("api", self._serve_settings(), "serve")
        else:
            self._api = self._start("api", {}, "load.chaos.api", "--port", str(self.port))
        self._api.wait_until(lambda: answers(self.port))

    def _start(self, name: str, environment: Mapping[str, str], *module: str) -> Child:
        """Start a program with the next backend."""
        self._starts += 1  # each start has its own log
        backend = next(self._backends)
        selected = {"DATA_API_CLIENT": backend}
        if backend in {"mysql", SERVE}:
            selected = {"DATABASE_URL": self.database.url}
        name = f"{name}-{self._starts}-{backend}"
        return self._child(name, {**selected, **environment}, *module)

    def _serve_settings(self) -> dict[str, str]:
        return {
            "CURSOR_KEY": "a key of chaos runs, of more than 32 characters",
            "PORT": str(self.port),
            "METRICS_PORT": str(free_port()),
            "PROCESSES": "2",
        }

    def kill_worker(self) -> int:
        """Kill the oldest process of `serve`. Returns how many were killed: none if none runs.

        `serve` ends if a process ends three times in a row soon after its start.
        """
        workers = psutil.Process(self._api.pid).children() if self._api else []
        for worker in sorted(workers, key=lambda worker: worker.create_time())[:1]:
            worker.kill()
        return min(len(workers), 1)

    def _stop_api(self) -> None:
        if self._api:
            self._api.stop()

    def start_relays(self, consumer: str) -> None:
        """Start the relays, which send the events to a consumer's URL; await their first runs."""
        self._exit.callback(self._stop_relays)
        for _ in range(RELAYS):
            self._start_relay(consumer)
        for relay in self._relays:
            _await_run(relay)

    def restart_relay(self, consumer: str) -> None:
        """Kill a relay after its first run, and start another one.

        Raises LocalError if it has ended by itself.
        """
        relay = self._relays.popleft()
        _await_run(relay)
        reaper.signal_group(relay.pid, signal.SIGKILL)
        relay.stop()
        self._start_relay(consumer)

    def _start_relay(self, consumer: str) -> None:
        self._relays.append(self._start("relay", {URL: consumer}, "load.chaos.relay"))

    def _stop_relays(self) -> None:
        for relay in self._relays:
            relay.stop()

    def give(self, *faults: dict[str, Any]) -> None:
        """Let the Data API server inject these faults, and no others."""
        self._control("PUT", json.dumps(faults))

    def given(self) -> int:
        """Return the number of injected faults."""
        return sum(fault["given"] for fault in self._control("GET"))

    def _control(self, method: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._data_api_port, timeout=60)
        try:
            connection.request(method, "/_faults", body)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise RuntimeError(f"the Data API server rejected a fault: {text.decode()}")
        return json.loads(text)


def _await_run(relay: Child) -> None:
    relay.wait_until(lambda: relay.log.stat().st_size > 0)


@contextmanager
def _publishing(directory: Path) -> Iterator[Issuer]:
    """Publish the keys of a new token issuer, which survives every kill of the API."""
    keys: list[bytes] = []

    class Keys(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

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
