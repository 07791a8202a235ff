"""The private server never loses committed data, and explains each failure in one line."""

import os
import shutil
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pymysql
import pytest

from local import database_server as module
from local.database_server import DatabaseServer
from local.engines import ENGINES
from local.engines.mariadb import MariaDB
from local.processes import LocalError, free_port
from tests.local.support import ODD, command_line, disk

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

pytestmark = pytest.mark.exhaustive  # each test starts servers


@pytest.fixture
def database(tmp_path: Path) -> Iterator[DatabaseServer]:
    # Longer than a Unix socket's address (107 bytes), with characters that are special to shells.
    directory = tmp_path / ODD / "back\\slash:" / ("deep" * 30)
    database = DatabaseServer(directory / "database", free_port())
    yield database
    database.stop()


def test_restart_keeps_data_and_url(database: DatabaseServer) -> None:
    database.start()
    run(database, "CREATE TABLE kept (id INT)", "INSERT INTO kept VALUES (1)")
    url = database.url
    database.stop()

    database.start()

    assert database.url == url
    assert run(database, "SELECT id FROM kept") == ((1,),)


def test_crash_loses_no_committed_data(database: DatabaseServer) -> None:
    database.start()
    run(database, "CREATE TABLE kept (id INT)", "INSERT INTO kept VALUES (1), (2)")
    open_transaction = connect(database, autocommit=False)
    open_transaction.cursor().execute("INSERT INTO kept VALUES (3)")
    os.kill(database.pid, signal.SIGKILL)
    open_transaction.close()

    database.start()

    assert run(database, "SELECT id FROM kept ORDER BY id") == ((1,), (2,))


def test_temporary_files_are_private(database: DatabaseServer) -> None:
    """In a shared directory, a starting server would delete the other servers' files."""
    database.start()

    ((data, temporary),) = run(database, "SELECT @@datadir, @@tmpdir")
    assert Path(data, temporary).resolve() == database.directory / "tmp"


def test_settings_equal_those_of_production(database: DatabaseServer) -> None:
    modes = [*module.SQL_MODES, *database.engine.sql_modes]
    database.start()

    assert run(
        database,
        "SELECT @@character_set_server, @@collation_server, @@time_zone, @@sql_mode, "
        "@@innodb_flush_log_at_trx_commit, @@innodb_lock_wait_timeout, @@bind_address",
    ) == (("utf8mb4", "utf8mb4_unicode_ci", "+00:00", ",".join(modes), 1, 5, "127.0.0.1"),)


def test_server_listens_only_on_its_loopback_port(database: DatabaseServer) -> None:
    """MySQL's X plugin would listen on all interfaces."""
    database.start()

    listening = [
        connection.laddr
        for connection in psutil.Process(database.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", database.port)]


def test_plan_is_a_table(database_server: DatabaseServer) -> None:
    """MySQL 9 returns plans as text by default, but the console and the tests read columns."""
    ((number, kind, *_),) = run(database_server, "EXPLAIN SELECT 1")

    assert (number, kind) == (1, "SIMPLE")


def test_application_may_use_only_its_databases(database_server: DatabaseServer) -> None:
    run(database_server, "CREATE DATABASE customers_other", "DROP DATABASE customers_other")

    for statement in ("CREATE DATABASE other", "SELECT 1 FROM mysql.user", "FLUSH PRIVILEGES"):
        with pytest.raises(pymysql.OperationalError, match="denied"):
            run(database_server, statement)


@pytest.mark.parametrize("user", ["root", "", "nobody"])
def test_other_users_cannot_log_in_over_the_network(
    database_server: DatabaseServer, user: str
) -> None:
    with pytest.raises(pymysql.OperationalError, match="denied"):
        pymysql.connect(host="127.0.0.1", port=database_server.port, user=user)


def test_only_the_owner_can_read_the_password(database_server: DatabaseServer) -> None:
    password = urlsplit(database_server.url).password or "?"
    modes = {path.name: path.stat().st_mode & 0o777 for path in database_server.directory.iterdir()}

    assert database_server.directory.stat().st_mode & 0o777 == 0o700
    assert (modes["password"], modes["init.sql"]) == (0o600, 0o600)
    assert password not in command_line(database_server.pid)


def test_interrupted_first_start_is_repeated(database: DatabaseServer) -> None:
    leftover = database.directory.with_suffix(".unfinished") / "data"
    leftover.mkdir(parents=True)
    (leftover / "ibdata1").write_bytes(b"half a file")

    database.start()

    assert run(database, "SELECT 1") == ((1,),)


def test_data_of_another_version_is_not_changed(database: DatabaseServer) -> None:
    database.start()
    database.stop()
    version = database.directory / "version"
    installed = version.read_text()
    title = database.engine.title
    version.write_text(f"{title} 99.0")
    before = contents(database.directory)

    with pytest.raises(LocalError) as failure:
        database.start()

    assert str(failure.value) == (
        f"the database in {database.directory} was made by {title} 99.0, but {installed} is "
        f"installed: install {title} 99.0, or empty the database with `make reset`"
    )
    assert contents(database.directory) == before


@pytest.mark.engine("mysql", reason="it only opens data of its own version")
def test_version_of_an_upgrade_is_recorded(database: DatabaseServer) -> None:
    database.start()
    database.stop()
    version = database.directory / "version"
    installed = version.read_text()
    version.write_text("MySQL 8.0")

    database.start()

    assert version.read_text() == installed


def test_data_of_the_other_engine_is_rejected(database: DatabaseServer) -> None:
    (other,) = (engine.title for engine in ENGINES.values() if engine != database.engine)
    database.start()
    database.stop()
    (database.directory / "version").write_text(f"{other} 8.0")

    with pytest.raises(LocalError, match=f"was made by {other} 8.0, but {database.engine.title}"):
        database.start()


def test_full_disk_prevents_the_first_start(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=20m") as mount:
        database = DatabaseServer(mount / "database", free_port())
        full = f"the disk that holds {mount} is full: free {database.engine.room >> 20} MB"

        with pytest.raises(LocalError, match=full):
            database.start()

        assert not list(mount.glob("database*"))


def test_full_disk_loses_no_data(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=500m") as mount:
        database = DatabaseServer(mount / "database", free_port())
        database.start()
        run(database, "CREATE TABLE kept (id INT)", "INSERT INTO kept VALUES (1)")
        os.kill(database.pid, signal.SIGKILL)
        fill(mount / "ballast")

        with pytest.raises(LocalError, match="is full"):
            database.start()

        (mount / "ballast").unlink()
        database.start()
        kept = run(database, "SELECT id FROM kept")
        database.stop()
    assert kept == ((1,),)


def test_too_long_path_is_rejected(tmp_path: Path) -> None:
    directory = tmp_path.joinpath(*["deep" * 30] * 4)

    with pytest.raises(LocalError) as failure:
        DatabaseServer(directory, free_port()).start()

    assert str(failure.value) == (
        f"the path of the database is {len(str(directory))} bytes long, of at most 400: "
        "choose a shorter one with `make run LOCAL_STATE=...`"
    )
    assert not directory.exists()


def test_long_path_may_link_to_a_short_one(tmp_path: Path) -> None:
    directory = tmp_path.joinpath(*["deep" * 30] * 4)
    directory.mkdir(parents=True)
    (directory / "link").symlink_to(tmp_path)
    database = DatabaseServer(directory / "link" / "database", free_port())

    database.start()
    database.stop()

    assert (tmp_path / "database" / "version").exists()


def test_last_use_is_the_time_of_the_newest_file(database: DatabaseServer) -> None:
    assert database.last_used is None
    database.start()
    database.stop()
    stopped = datetime.fromisoformat("2026-01-31T12:00:00Z")
    for file in (database.directory / "data").iterdir():
        os.utime(file, (0, stopped.timestamp() - ("sys" in file.name)))

    assert database.last_used == stopped


def test_other_failures_are_quoted_from_the_log(database: DatabaseServer) -> None:
    database.start()
    database.stop()
    other = DatabaseServer(database.directory, database.port, options={"innodb-page-size": "8k"})

    with pytest.raises(LocalError) as failure:
        other.start()

    message = str(failure.value)
    name, title = database.engine.name, database.engine.title
    part = {"mariadb": "InnoDB: ", "mysql": ""}[name]
    assert message.startswith(f"{title} did not start: {part}Data file './ibdata1' uses page size")
    assert message.endswith(f"(the whole log: {database.directory.parent}/logs/{name}.log)")
    assert "\n" not in message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch to another user")
@pytest.mark.skipif(not shutil.which("apt-get"), reason="apt-get is missing")
def test_user_without_root_gets_the_command_to_install(tmp_path: Path) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(LocalError) as failure:
            MariaDB().install(tmp_path)
    finally:
        os.seteuid(0)

    assert str(failure.value) == (
        "MariaDB is not installed: install it with `sudo apt-get update && sudo apt-get install "
        "-y --no-install-recommends mariadb-server-core mariadb-client-core` and retry"
    )


def test_missing_installer_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LocalError, match="MariaDB is not installed: install its server"):
        MariaDB().install(tmp_path)


def connect(database: DatabaseServer, *, autocommit: bool = True) -> "pymysql.Connection[Cursor]":
    address = urlsplit(database.url)
    return pymysql.connect(
        host=address.hostname,
        port=address.port or 0,
        user=address.username,
        password=address.password or "",
        database=address.path.strip("/"),
        autocommit=autocommit,
    )


def run(database: DatabaseServer, *statements: str) -> tuple[tuple[Any, ...], ...]:
    """Run statements; return the rows of the last."""
    with connect(database) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def contents(directory: Path) -> dict[Path, tuple[int, int]]:
    files = {path: path.stat() for path in directory.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in files.items()}


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return
