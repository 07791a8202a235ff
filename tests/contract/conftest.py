"""The whole service over HTTP, one for all of these tests, and a token for it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from chalicelib.auth import SCOPES
from local.mariadb import MariaDB
from local.processes import Child, answers, free_port
from tests import tokens


class Service(NamedTuple):
    """The API's base URL, and a token with every scope."""

    url: str
    token: str


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("contract")
    mariadb = MariaDB(directory / "mariadb", free_port())
    try:
        mariadb.start()
        yield from _api(directory, mariadb.url)
    finally:
        mariadb.stop()


def _api(directory: Path, database_url: str) -> Iterator[Service]:
    token = tokens.token(*SCOPES)  # which tells the environment of its issuer, too
    data_api, api = free_port(), free_port()
    environment = {**os.environ, "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{data_api}"}
    environment.pop("DATABASE_URL", None)

    def child(name: str, *command: str, **more: str) -> Child:
        return Child(name, command, directory / name, {**environment, **more})

    python = sys.executable
    with (
        child(
            "data-api",
            *(python, "-m", "local.data_api", "--port", str(data_api)),
            DATABASE_URL=database_url,
        ) as server,
        child("api", python, "-m", "local.gateway", "--port", str(api)) as gateway,
    ):
        server.wait_until(lambda: answers(data_api), seconds=20)
        child("migrations", python, "-m", "migrations").finish()
        gateway.wait_until(lambda: answers(api), seconds=20)
        yield Service(f"http://127.0.0.1:{api}", token)
