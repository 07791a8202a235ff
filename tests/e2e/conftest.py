"""The whole service as `make run` has it, of its own for the tests that break things."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.mariadb import MariaDB
from local.processes import Child, answers, free_port


class Service:
    """The API over HTTP, and the database behind it to be broken.

    Each request has a connection of its own: tests send from several threads.
    """

    def __init__(self, url: str, mariadb: MariaDB) -> None:
        self.url = url
        self.mariadb = mariadb

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=30)

    def create(self, number: int) -> requests.Response:
        customer = {"email": f"e2e.{number}@example.com", "given_name": "Ada"}
        return requests.post(self.url + "/customers", json=customer, timeout=30)

    def delete(self, customer_id: str) -> requests.Response:
        return requests.delete(f"{self.url}/customers/{customer_id}", timeout=30)

    def pages(self, limit: int = 100) -> Iterator[list[dict[str, Any]]]:
        path = f"/customers?limit={limit}"
        while path:
            page = self.get(path).json()
            yield page["items"]
            path = page["next"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    mariadb = MariaDB(tmp_path / "mariadb", free_port())
    data_api, api = free_port(), free_port()
    environment = {**os.environ, "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{data_api}"}
    environment.pop("DATABASE_URL", None)

    def child(name: str, *command: str, **more: str) -> Child:
        return Child(name, command, tmp_path / name, {**environment, **more})

    python = sys.executable
    serve_data_api = (python, "-m", "local.data_api", "--port", str(data_api))
    serve_api = (python, "-m", "local.gateway", "--port", str(api))
    try:
        mariadb.start()
        with (
            child("data-api", *serve_data_api, DATABASE_URL=mariadb.url) as server,
            child("api", *serve_api) as gateway,
        ):
            server.wait_until(lambda: answers(data_api), seconds=20)
            child("migrations", python, "-m", "migrations").finish()
            gateway.wait_until(lambda: answers(api), seconds=20)
            yield Service(f"http://127.0.0.1:{api}", mariadb)
    finally:
        mariadb.stop()
