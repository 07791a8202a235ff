"""Rotation of the application's password under traffic, on a real server."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import boto3
import pymysql
import pytest

import migrations
from chalicelib.database import Database
from infrastructure import databases
from infrastructure.databases import Login
from infrastructure.rotation import accounts, handler
from infrastructure.rotation.accounts import ROWS
from infrastructure.rotation.handler import STEPS, Rotation, RotationError
from local.database_server import DatabaseServer
from tests.infrastructure.secrets_manager import ARN, SecretsManager
from tests.infrastructure.test_databases import APPLICATION, master, run, server

__all__ = ["master", "server"]  # fixtures

Server = tuple[DatabaseServer, Path, str]
DATABASE = {
    "resourceArn": "arn:aws:rds:eu-west-1:123456789012:cluster:customers-prod",
    "secretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-1",
    "database": "customers",
}
CLONE = "application_clone"


class Recording:
    """The Data API's client, which records the text of statements."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.exceptions = client.exceptions
        self.statements: list[str] = []
        self.pauses = 0

    def execute_statement(self, **arguments: Any) -> Any:
        if self.pauses:
            self.pauses -= 1
            raise self.exceptions.DatabaseResumingException({}, "ExecuteStatement")
        self.statements.append(arguments["sql"])
        return self._client.execute_statement(**arguments)


@pytest.fixture
def data(server: Server) -> Recording:
    client = boto3.client(
        "rds-data",
        "eu-west-1",
        endpoint_url=server[2],
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    return Recording(client)


@pytest.fixture
def secrets(master: Database) -> SecretsManager:
    """Return the secret of the application's user, which `migrate` has created."""
    master.execute(f"DROP USER IF EXISTS {accounts.account(CLONE)}")
    databases.create_users(master, "customers", {APPLICATION: ROWS}, print)
    return SecretsManager({"username": APPLICATION.name, "password": APPLICATION.password})


def rotation(secrets: SecretsManager, data: Any) -> Rotation:
    """Return a rotation that Secrets Manager has started."""
    token = str(uuid4())
    secrets.begin(token)
    return Rotation(secrets, data, DATABASE, ARN, token)


def rotate(secrets: SecretsManager, data: Any) -> None:
    one = rotation(secrets, data)
    for step in STEPS:
        one.check()
        one.run(step)


def login(secrets: SecretsManager) -> Login:
    return Login(secrets.current["username"], secrets.current["password"])


class Traffic(Thread):
    """Requests that log in with a secret, read again after some requests, as caches do."""

    def __init__(self, server: Server, secrets: SecretsManager, cached: int) -> None:
        super().__init__()
        self._server, self._secrets, self._cached = server, secrets, cached
        self._ended = Event()
        self.count = 0
        self.errors: list[str] = []

    def run(self) -> None:
        while not self._ended.is_set():
            if self.count % self._cached == 0:
                current = login(self._secrets)
            try:
                run(self._server, current, "SELECT COUNT(*) FROM customers")
            except pymysql.Error as error:
                self.errors.append(str(error))
            self.count += 1

    def await_requests(self, number: int) -> None:
        deadline, end = time.monotonic() + 60, self.count + number
        while self.count < end:
            assert time.monotonic() < deadline
            self._ended.wait(0.01)

    def end(self) -> None:
        self._ended.set()
        self.join()


@contextmanager
def flowing(server: Server, secrets: SecretsManager) -> Iterator[list[Traffic]]:
    clients = [Traffic(server, secrets, cached) for cached in (1, 5)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.end()


@pytest.fixture(scope="module")
def _schema(server: Server) -> None:
    with closing(pymysql.connect(**_root(server))) as root:
        root.query(migrations.read()[0].sql)  # type: ignore[union-attr]


def _root(server: Server) -> dict[str, Any]:
    socket = server[0].directory / "data" / "server.sock"
    administrator = server[0].engine.administrator
    return {"unix_socket": str(socket), "user": administrator, "database": "customers"}


def change_in_place(master: Database, secrets: SecretsManager) -> None:
    """Change the password of the user that is in use, as an operator did before."""
    token = str(uuid4())
    changed = {"username": APPLICATION.name, "password": uuid4().hex}
    secrets.put_secret_value(
        SecretId=ARN,
        ClientRequestToken=token,
        SecretString=str(changed).replace("'", '"'),
        VersionStages=["AWSPENDING"],
    )
    (old,) = [name for name, stages in secrets.stages.items() if "AWSCURRENT" in stages]
    databases.create_users(master, "customers", {Login(**_named(changed)): ROWS}, print)
    secrets.update_secret_version_stage(
        SecretId=ARN,
        VersionStage="AWSCURRENT",
        MoveToVersionId=token,
        RemoveFromVersionId=old,
    )


def _named(value: dict[str, str]) -> dict[str, str]:
    return {"name": value["username"], "password": value["password"]}


@pytest.mark.exhaustive
@pytest.mark.usefixtures("_schema")
def test_rotation_under_traffic_fails_no_request(
    server: Server, secrets: SecretsManager, data: Recording
) -> None:
    users = []
    with flowing(server, secrets) as clients:
        for _ in range(4):
            rotate(secrets, data)
            users.append(secrets.current["username"])
            for client in clients:
                client.await_requests(10)

    assert [client.errors for client in clients] == [[], []]
    assert users == [CLONE, "application"] * 2


@pytest.mark.usefixtures("_schema")
@pytest.mark.exhaustive
def test_change_in_place_fails_requests(
    server: Server, secrets: SecretsManager, master: Database
) -> None:
    """So the traffic of these tests finds an outage."""
    with flowing(server, secrets) as clients:
        clients[1].await_requests(1)
        for _ in range(4):
            change_in_place(master, secrets)
            clients[1].await_requests(6)

    assert "Access denied" in clients[1].errors[0]


def test_previous_password_is_valid_until_the_next_rotation(
    server: Server, secrets: SecretsManager, data: Recording
) -> None:
    first = login(secrets)
    rotate(secrets, data)
    run(server, first, "SELECT 1")

    rotate(secrets, data)
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        run(server, first, "SELECT 1")
    run(server, login(secrets), "SELECT 1")


def test_clone_has_exactly_the_users_rights(
    server: Server, secrets: SecretsManager, data: Recording
) -> None:
    rotate(secrets, data)

    with pytest.raises(pymysql.err.OperationalError) as denied:
        run(server, login(secrets), "CREATE TABLE other (id INT)")
    assert denied.value.args[0] == 1142
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        run(server, login(secrets), "SELECT 1", tls=False)


def test_migrate_after_a_rotation_keeps_the_password(
    server: Server, secrets: SecretsManager, data: Recording, master: Database
) -> None:
    rotate(secrets, data)

    databases.create_users(master, "customers", {login(secrets): ROWS}, print)

    run(server, login(secrets), "SELECT 1")
    run(server, APPLICATION, "SELECT 1")


def test_no_statement_contains_a_password(secrets: SecretsManager, data: Recording) -> None:
    rotate(secrets, data)

    assert len(data.statements) == 6
    assert secrets.current["password"] not in "".join(data.statements)


def test_paused_database_is_awaited(
    server: Server, secrets: SecretsManager, data: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "RESUME_PAUSE_SECONDS", 0)
    data.pauses = handler.RESUME_ATTEMPTS - 1

    rotate(secrets, data)

    run(server, login(secrets), "SELECT 1")


def test_database_that_does_not_resume_fails_the_step(
    secrets: SecretsManager, data: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "RESUME_PAUSE_SECONDS", 0)
    data.pauses = handler.RESUME_ATTEMPTS

    with pytest.raises(data.exceptions.DatabaseResumingException):
        rotate(secrets, data)
    assert login(secrets) == APPLICATION


def test_each_step_can_be_repeated(
    server: Server, secrets: SecretsManager, data: Recording
) -> None:
    """Secrets Manager retries a step whose response was lost."""
    one = rotation(secrets, data)
    for step in STEPS:
        one.run(step)
        pending = secrets.stages.copy()
        one.run(step)
        assert secrets.stages == pending
    one.run("createSecret")

    assert secrets.current["username"] == CLONE
    run(server, login(secrets), "SELECT 1")


@pytest.mark.parametrize("done", range(1, 4))
def test_failed_rotation_changes_nothing_and_the_next_succeeds(
    server: Server, secrets: SecretsManager, data: Recording, done: int
) -> None:
    one = rotation(secrets, data)
    for step in STEPS[:done]:
        one.run(step)

    assert login(secrets) == APPLICATION
    run(server, APPLICATION, "SELECT 1")
    rotate(secrets, data)
    run(server, login(secrets), "SELECT 1")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ALTER USER {} IDENTIFIED BY 'another-password'", "has another password"),
        ("GRANT DROP ON customers.* TO {}", "has other privileges"),
        ("REVOKE DELETE ON customers.* FROM {}", "has other privileges"),
        ("DROP USER {}", "has another password"),
    ],
)
def test_wrong_user_is_not_switched_to(
    secrets: SecretsManager, data: Recording, master: Database, sql: str, message: str
) -> None:
    one = rotation(secrets, data)
    one.run("createSecret")
    one.run("setSecret")
    master.execute(sql.format(accounts.account(CLONE)))

    with pytest.raises(RotationError, match=message):
        one.run("testSecret")


def test_user_in_use_is_never_changed(secrets: SecretsManager, data: Recording) -> None:
    one = rotation(secrets, data)
    one.run("createSecret")
    pending = next(name for name, stages in secrets.stages.items() if "AWSPENDING" in stages)
    secrets._values[pending] = secrets._values["first"]

    with pytest.raises(RotationError, match="the user that is in use"):
        one.run("setSecret")
    assert data.statements == []


def test_rotation_that_was_not_started_is_rejected(
    secrets: SecretsManager, data: Recording
) -> None:
    with pytest.raises(RotationError, match="has not started a rotation"):
        Rotation(secrets, data, DATABASE, ARN, "unknown").check()


def test_operators_command_rotates(
    server: Server, secrets: SecretsManager, data: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL_RDS_DATA", server[2])
    clients: dict[str, Any] = {"secretsmanager": secrets, "rds-data": data}
    session = Mock(client=clients.__getitem__)
    outputs = {
        "ClusterArn": DATABASE["resourceArn"],
        "MasterSecretArn": DATABASE["secretArn"],
        "DatabaseName": DATABASE["database"],
        "ApplicationSecretArn": ARN,
    }
    said: list[str] = []

    databases.rotate(session, outputs, said.append)

    assert said == [f"{step}: done" for step in STEPS]
    run(server, login(secrets), "SELECT 1")


def test_handler_runs_the_step_of_the_event(
    secrets: SecretsManager, data: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: dict[str, Any] = {"secretsmanager": secrets, "rds-data": data}
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    monkeypatch.setenv("DATABASE_RESOURCE_ARN", DATABASE["resourceArn"])
    monkeypatch.setenv("DATABASE_MASTER_SECRET_ARN", DATABASE["secretArn"])
    monkeypatch.setenv("DATABASE_NAME", "customers")
    secrets.begin("second")

    for step in STEPS:
        handler.handle({"SecretId": ARN, "ClientRequestToken": "second", "Step": step}, None)

    assert secrets.stages == {"first": set(), "second": {"AWSPENDING", "AWSCURRENT"}}
    assert secrets.current["username"] == CLONE


# https://www.akkadia.org/drepper/SHA-crypt.txt, in `openssl passwd -5 -salt SALT PASSWORD`
@pytest.mark.parametrize(
    ("password", "salt", "digest"),
    [
        ("hello", "saltstring", "4mLzDd7PmpYGnmV6HHYAR6tJydOUyhkrRSQDy8q2eK8"),
        ("Hello world!", "saltstring", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    ],
)
def test_hash_is_that_of_sha_crypt(password: str, salt: str, digest: str) -> None:
    assert accounts._sha256_crypt(password.encode(), salt.encode()) == digest


@pytest.mark.parametrize("plugin", ["caching_sha2_password", "mysql_native_password"])
def test_hash_is_recognized(plugin: str) -> None:
    hashed = accounts.hash_for(plugin, "p" * 40)

    assert accounts.is_hash_of(hashed, "p" * 40)
    assert not accounts.is_hash_of(hashed, "q" * 40)
    assert "'" not in hashed


def test_unknown_plugin_is_an_error() -> None:
    with pytest.raises(accounts.UnknownPlugin, match="'ed25519', but must be one of caching_sha2"):
        accounts.hash_for("ed25519", "p")
