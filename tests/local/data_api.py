"""Shared by the tests of the Data API server: a client, and private servers."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.processes import Child, answers, free_port

DATABASE = "customers_data_api"
ARNS = {
    "resourceArn": "arn:aws:rds:eu-central-1:123456789012:cluster:customers",
    "secretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:customers",
}

Field = dict[str, Any]


class DataApi:
    """boto3's client, with the fields that every call needs."""

    def __init__(self, url: str, key: tuple[str, str] = ("test", "test")) -> None:
        self.url = url
        self.client = boto3.client(
            "rds-data",
            endpoint_url=url,
            region_name="eu-central-1",
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.errors = self.client.exceptions

    def execute(
        self, sql: str, parameters: list[Field] | None = None, **members: Any
    ) -> dict[str, Any]:
        """Run one statement in the tests' database. Returns the response without its headers."""
        members.setdefault("database", DATABASE)
        response: Any = self.client.execute_statement(
            sql=sql, parameters=parameters or [], **ARNS, **members
        )
        del response["ResponseMetadata"]
        return dict(response)

    def create(self, table: str) -> None:
        """Create a table, instead of an earlier one: `create("pets (id INT)")`."""
        self.execute(f"DROP TABLE IF EXISTS {table.split(maxsplit=1)[0]}")
        self.execute(f"CREATE TABLE {table}")

    def batch(self, sql: str, sets: list[list[Field]], **members: Any) -> list[Any]:
        """Run one statement per parameter set. Returns the updateResults."""
        members.setdefault("database", DATABASE)
        response: Any = self.client.batch_execute_statement(
            sql=sql, parameterSets=sets, **ARNS, **members
        )
        return list(response["updateResults"])

    def row(self, sql: str, parameters: list[Field] | None = None, **members: Any) -> list[Field]:
        """Return the fields of the only record."""
        (record,) = self.execute(sql, parameters, **members)["records"]
        return list(record)

    def value(self, sql: str, parameters: list[Field] | None = None, **members: Any) -> Field:
        """Return the only field of the only record."""
        (field,) = self.row(sql, parameters, **members)
        return field

    def begin(self, **members: Any) -> str:
        members.setdefault("database", DATABASE)
        return str(self.client.begin_transaction(**ARNS, **members)["transactionId"])

    def commit(self, transaction: str) -> str:
        return str(
            self.client.commit_transaction(**ARNS, transactionId=transaction)["transactionStatus"]
        )

    def rollback(self, transaction: str) -> str:
        return str(
            self.client.rollback_transaction(**ARNS, transactionId=transaction)["transactionStatus"]
        )

    def sessions(self, condition: str = "TRUE") -> list[list[Field]]:
        """Return the other sessions that match a condition: id, command, statement."""
        records = self.execute(
            "SELECT id, command, info FROM information_schema.processlist"
            f" WHERE id <> CONNECTION_ID() AND ({condition})"
        )["records"]
        return list(records)


@cache
def connect(url: str, key: tuple[str, str] = ("test", "test")) -> DataApi:
    """Return the client of a server, and create its test database."""
    api = DataApi(url, key)
    api.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}", database="customers")
    return api


def parameter(name: str, hint: str | None = None, **value: Any) -> Field:
    """Return a parameter: `parameter("id", longValue=7)`."""
    return {"name": name, "value": value, **({"typeHint": hint} if hint else {})}


def numbers(last: int) -> str:
    """Return a table for FROM whose column `seq` has the numbers from 1."""
    array = f"CONCAT('[0', REPEAT(',0', {last - 1}), ']')"
    return f"JSON_TABLE({array}, '$[*]' COLUMNS (seq FOR ORDINALITY)) AS numbers"


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Fail unless `condition()` becomes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextlib.contextmanager
def serving(
    database_url: str,
    directory: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, Child]]:
    """Run a private server; yield its URL and its process."""
    port = free_port()
    command = [sys.executable, "-m", "local.data_api", "--port", str(port), *options]
    variables = {**os.environ, "DATABASE_URL": database_url, **(environment or {})}
    with Child("data-api", command, directory / "data-api.log", variables) as server:
        server.wait_until(lambda: answers(port))
        yield f"http://127.0.0.1:{port}", server
