"""The whole service on this machine, like `make run`, with a private database."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from app import SCOPES
from local.database_server import DatabaseServer
from local.processes import Child, answers, free_port
from tests import tokens


@dataclass(frozen=True)
class Service:
    """The API over HTTP, a token with every scope, and the database behind it.

    Each request opens its own connection, because tests send requests from several threads.
    """

    url: str
    token: str
    database_server: DatabaseServer

    def get(self, path: str) -> requests.Response:
        return self._send("GET", path)

    def create(self, number: int) -> requests.Response:
        customer = {"email": f"e2e.{number}@example.com", "given_name": "Ada"}
        return self._send("POST", "/customers", json=customer)

    def delete(self, customer_id: str) -> requests.Response:
        return self._send("DELETE", f"/customers/{customer_id}")

    def pages(self, limit: int = 100) -> Iterator[list[dict[str, Any]]]:
        path = f"/customers?limit={limit}"
        while path:
            page = self.get(path).json()
            yield page["items"]
            path = page["next"]

    def _send(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **more)


@contextmanager
def running(directory: Path) -> Iterator[Service]:
    """Run the service, with its data and logs in the directory; it accepts the tests' tokens."""
    token = tokens.token(*SCOPES)  # also sets the issuer's environment variables
    database_server = DatabaseServer(directory / "database", free_port())
    data_api, api = free_port(), free_port()
    environment = {**os.environ, "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{data_api}"}
    environment.pop("DATABASE_URL", None)

    def child(name: str, *module: str, **more: str) -> Child:
        command = [sys.executable, "-m", *module]
        return Child(name, command, directory / f"{name}.log", {**environment, **more})

    try:
        database_server.start()
        database = {"DATABASE_URL": database_server.url}
        with (
            child("data-api", "local.data_api", "--port", str(data_api), **database) as server,
            child("api", "local.gateway", "--port", str(api)) as gateway,
        ):
            server.wait_until(lambda: answers(data_api), seconds=60)
            child("migrations", "migrations").finish()
            gateway.wait_until(lambda: answers(api), seconds=60)
            yield Service(f"http://127.0.0.1:{api}", token, database_server)
    finally:
        database_server.stop()
