"""The data of a stage, copied to a server and back: every customer stays the same."""

import subprocess
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pymysql
import pytest

import app
import migrations
from chalicelib.database import Database, connect
from chalicelib.database.mysql import connection_arguments
from chalicelib.settings import LOCAL_RESOURCE_ARN, LOCAL_SECRET_ARN, Settings
from local.database_server import DatabaseServer
from serve import copying
from serve.copying import CopyError, copy
from tests.api import Api
from tests.serve.running import environment, start

pytestmark = pytest.mark.exhaustive  # it applies all migrations to another database


@pytest.fixture(scope="module")
def server(database_server: DatabaseServer) -> Iterator[Database]:
    """Return another database, without the Data API, that has the schema."""
    with pymysql.connect(**connection_arguments(database_server.url)) as connection:
        connection.cursor().execute("CREATE DATABASE customers_server")
        settings = Settings(database_url=f"{database_server.url}_server")
        migrations.apply(connect(settings), connect(settings), migrations.read(), print)
        yield connect(settings)
        connection.cursor().execute("DROP DATABASE customers_server")


@pytest.fixture
def stage(migrated: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return the database of a stage with customers in every state, and an email address moved."""
    migrated.execute("DELETE FROM customers")
    monkeypatch.setattr(app, "database", lambda: migrated)
    api = Api()
    first, second, third, fourth = (create(api, number) for number in range(1, 5))
    api.delete(first)
    api.post(f"{first}/restore")
    api.patch(second, {"email": "moved@example.com", "metadata": {"plan": "ü"}})
    api.patch(first, {"email": "c2@example.com"})  # the second's, before
    api.delete(third)
    api.post(f"{fourth}/erase")
    return migrated


def create(api: Api, number: int) -> str:
    customer = {"email": f"c{number}@example.com", "given_name": "Ada", "external_id": f"x{number}"}
    return str(api.post("/customers", customer, idempotency_key=f"k{number}").headers["Location"])


def everything(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return all columns, and what the API says: customers, ETags and histories."""
    monkeypatch.setattr(app, "database", lambda: database)
    api = Api()
    paths = [f"/customers/{UUID(bytes=row['id'])}" for row in rows(database)]
    responses = [api.get(path + more) for path in paths for more in ("", "/history")]
    told = [(one.status_code, one.headers.get("ETag"), one.body) for one in responses]
    return [rows(database), [one for one in told if one[0] == 200]]


def rows(database: Database) -> list[Any]:
    return database.fetch_all("SELECT * FROM customers ORDER BY id")


def test_copy_and_return_keep_every_customer(
    stage: Database, server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGE", 3)
    before = everything(stage, monkeypatch)
    assert copy(stage, server) == 4
    assert everything(server, monkeypatch) == before
    assert [one[1] for one in before[1] if one[1]] == ['"v4"', '"v2"']

    api = Api()  # of the server
    moved, other = (UUID(bytes=row["id"]) for row in before[0][:2])
    api.patch(f"/customers/{moved}", {"email": "elsewhere@example.com"})
    api.patch(f"/customers/{other}", {"email": "c2@example.com"})  # the first one's, before
    create(api, 5)
    after = everything(server, monkeypatch)
    assert copy(server, stage) == copy(server, stage) == 5
    assert everything(stage, monkeypatch) == after


def test_target_with_other_customers_is_left_as_it_is(stage: Database, server: Database) -> None:
    server.execute("DELETE FROM customers")
    before = rows(stage)
    with pytest.raises(CopyError, match="is this the right way"):
        copy(server, stage)
    assert rows(stage) == before


def test_different_migrations_are_an_error(stage: Database, server: Database) -> None:
    server.execute("INSERT INTO schema_migrations VALUES ('9999_later', '', NOW(), NOW())")
    with pytest.raises(CopyError, match="different migrations"):
        copy(stage, server)
    server.execute("DELETE FROM schema_migrations WHERE name = '9999_later'")


def test_write_during_the_copy_is_an_error(
    stage: Database, server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    replacement = copying._replacement

    def late(*arguments: Any) -> Any:
        sql, parameters = replacement(*arguments)
        return sql, parameters | {"given_name_0": "Grace"}

    monkeypatch.setattr(copying, "_replacement", late)
    with pytest.raises(CopyError, match="have changed meanwhile"):
        copy(stage, server)


def test_commands_copy_through_the_data_api(
    stage: Database, server: Database, database_server: DatabaseServer, data_api: str
) -> None:
    server.execute("DELETE FROM customers")
    environ = environment(
        f"{database_server.url}_server",
        AWS_ENDPOINT_URL_RDS_DATA=data_api,
        DATABASE_RESOURCE_ARN=LOCAL_RESOURCE_ARN,
        DATABASE_SECRET_ARN=LOCAL_SECRET_ARN,
        **dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "local"),
    )
    printed = [run(environ, command) for command in ("pull", "push")]

    told = "serve: copied 4 customers {} the stage\n"
    assert printed == [told.format("from"), told.format("to")]
    assert rows(server) == rows(stage)


def run(environ: dict[str, str], command: str) -> str:
    process = start(environ, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return process.communicate(timeout=60)[0].decode()


def test_copy_without_a_stage_is_reported_in_one_line() -> None:
    told = run(environment("mysql://a:b@127.0.0.1:1/c"), "pull")
    names = "DATABASE_RESOURCE_ARN, DATABASE_SECRET_ARN"
    assert told == f"serve: set the environment variables {names}: docs/serve.md\n"
