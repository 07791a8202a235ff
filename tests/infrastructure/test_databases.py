"""The users of a stage have exactly their privileges, over TLS, on a real MariaDB."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest
import trustme

import migrations
from chalicelib.database import Database, DatabaseUnavailable, connect
from chalicelib.settings import Settings
from infrastructure import databases
from infrastructure.databases import SCHEMA, Login
from infrastructure.failures import Failure
from infrastructure.rotation import accounts
from infrastructure.rotation.accounts import ROWS
from local.database_server import DatabaseServer
from local.processes import free_port
from tests.local.data_api import serving

APPLICATION = Login("application", "a" * 32)
MIGRATIONS = Login("migrations", "m" * 32)
USERS = {APPLICATION: ROWS, MIGRATIONS: SCHEMA}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DatabaseServer, Path, str]]:
    """Run a server with TLS; yield it, its authority, and its Data API's settings."""
    directory = tmp_path_factory.mktemp("users")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key, chain, ca = (directory / name for name in ("key.pem", "chain.pem", "ca.pem"))
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    authority.cert_pem.write_to_path(ca)
    options = {"ssl-key": str(key), "ssl-cert": str(chain)}
    database_server = DatabaseServer(directory / "database", free_port(), options)
    try:
        database_server.start()
        _make_master(database_server)
        url = f"mysql://master:{'p' * 20}@127.0.0.1:{database_server.port}/customers"
        with serving(url, directory) as (address, _):
            yield database_server, ca, address
    finally:
        database_server.stop()


def _make_master(database_server: DatabaseServer) -> None:
    socket = str(database_server.directory / "data" / "server.sock")
    user = database_server.engine.administrator
    with closing(pymysql.connect(unix_socket=socket, user=user)) as root:
        cursor = root.cursor()
        cursor.execute(f"CREATE USER master@127.0.0.1 IDENTIFIED BY '{'p' * 20}'")
        cursor.execute("GRANT ALL PRIVILEGES ON *.* TO master@127.0.0.1 WITH GRANT OPTION")


@pytest.fixture
def master(server: tuple[DatabaseServer, Path, str]) -> Database:
    return connect(Settings(endpoint_url=server[2]))


def run(
    server: tuple[DatabaseServer, Path, str], login: Login, *statements: str, tls: bool = True
) -> None:
    database_server, ca, _ = server
    connection = pymysql.connect(
        host="127.0.0.1",
        port=database_server.port,
        user=login.name,
        password=login.password,
        database="customers",
        autocommit=True,
        ssl=ssl.create_default_context(cafile=str(ca)) if tls else None,
        ssl_disabled=not tls,
    )
    with closing(connection):
        for statement in statements:
            connection.cursor().execute(statement)


def test_users_have_their_privileges(
    server: tuple[DatabaseServer, Path, str], master: Database
) -> None:
    said: list[str] = []
    databases.create_users(master, "customers", USERS, said.append)
    databases.create_users(master, "customers", USERS, said.append)  # again is harmless
    assert "user application: DELETE, INSERT, SELECT, UPDATE" in said
    assert APPLICATION.password not in "".join(said)

    database_server, ca, _ = server
    url = f"mysql://migrations:{MIGRATIONS.password}@127.0.0.1:{database_server.port}/customers?tls_ca={ca}"
    databases.apply_migrations(
        lambda: connect(Settings(database_url=url)), said.append, finish=True
    )
    assert said[-1] == f"the schema is up to date at {migrations.read()[-1].name}"

    run(server, APPLICATION, "SELECT * FROM customers", "DELETE FROM customers")
    for statement in (
        "CREATE TABLE other (id INT)",
        "ALTER TABLE customers ADD COLUMN other INT",
        "DROP TABLE customers",
        "CREATE INDEX other ON customers (id)",
        "TRUNCATE customers",
        "SELECT * FROM mysql.user",
    ):
        with pytest.raises(pymysql.err.OperationalError) as denied:
            run(server, APPLICATION, statement)
        assert denied.value.args[0] in {1142, 1044}, statement
    with pytest.raises(pymysql.err.OperationalError):
        run(server, MIGRATIONS, "CREATE USER another")


def test_user_with_iam_has_the_privileges_of_the_application(
    server: tuple[DatabaseServer, Path, str], master: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has no plugin of AWS, so the user gets a password here."""
    functions = Login("functions", "f" * 32)
    plugin = databases._plugin(master)
    identity = f"{plugin} AS '{accounts.hash_for(plugin, functions.password)}'"
    said: list[str] = []
    monkeypatch.setattr(accounts, "IAM", identity)
    databases.create_iam_user(master, "customers", functions.name, said.append)
    databases.create_iam_user(master, "customers", functions.name, said.append)

    assert said[-1] == "user functions: DELETE, INSERT, SELECT, UPDATE, with IAM"
    run(server, functions, "SELECT 1")
    for tls, statement in ((True, "CREATE TABLE other (id INT)"), (False, "SELECT 1")):
        with pytest.raises(pymysql.err.OperationalError):
            run(server, functions, statement, tls=tls)


def test_user_with_iam_has_no_password() -> None:
    create, alter, _ = accounts.identified_statements("functions", accounts.IAM, ROWS, "customers")

    identity = "'functions'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL"
    assert create == f"CREATE USER IF NOT EXISTS {identity}"
    assert alter == f"ALTER USER {identity}"


def test_connection_without_tls_is_rejected(
    server: tuple[DatabaseServer, Path, str], master: Database
) -> None:
    databases.create_users(master, "customers", USERS, print)
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        run(server, APPLICATION, "SELECT 1", tls=False)


def test_changed_secret_changes_the_password(
    server: tuple[DatabaseServer, Path, str], master: Database
) -> None:
    databases.create_users(master, "customers", USERS, print)
    changed = replace(APPLICATION, password="b" * 32)
    databases.create_users(master, "customers", {changed: ROWS}, print)

    run(server, changed, "SELECT 1")
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        run(server, APPLICATION, "SELECT 1")


def test_user_with_extra_privileges_is_reported(master: Database) -> None:
    databases.create_users(master, "customers", USERS, print)
    master.execute("GRANT DROP ON customers.* TO 'application'@'%'")
    with pytest.raises(
        Failure, match="application has more privileges than it should: DROP on customers"
    ):
        databases.create_users(master, "customers", USERS, print)
    master.execute("REVOKE DROP ON customers.* FROM 'application'@'%'")


@pytest.mark.parametrize(
    "secret",
    [
        "no JSON",
        '{"username": "a"}',
        '{"username": "a", "password": "it\'s a password"}',
        '{"username": "a\'@\'%", "password": "aaaaaaaaaaaaaaaaaaaa"}',
        '{"username": "a", "password": "short"}',
        '{"username": "a", "password": 12345678901234567890}',
    ],
)
def test_secret_unsafe_in_sql_is_rejected(secret: str) -> None:
    with pytest.raises(Failure) as failure:
        Login.parse(secret, "arn:secret")
    assert "arn:secret" in str(failure.value)
    assert "it's" not in str(failure.value)


def test_password_is_not_in_the_repr() -> None:
    assert APPLICATION.password not in repr(APPLICATION)


def test_paused_database_is_awaited_until_a_timeout() -> None:
    nowhere = connect(Settings(endpoint_url="http://127.0.0.1:1"))
    said: list[str] = []
    with pytest.raises(DatabaseUnavailable):
        databases.resume(nowhere, said.append, seconds=0)
