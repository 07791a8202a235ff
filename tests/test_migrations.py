"""Migrations over both backends: once, in order, safe to interrupt and to run concurrently."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

import migrations
from chalicelib.database import Database, DatabaseUnavailable, Row, Value, connect, mysql
from chalicelib.settings import Settings
from local.database_server import DatabaseServer
from migrations import Migration, MigrationError, Step
from tests.mysql8 import refusal
from tests.recorded import Recorded

MAKE_A = Migration("0001_make_a", "CREATE TABLE a (id INT NOT NULL PRIMARY KEY)")
FILL_A = Migration("0002_fill_a", "-- seven\nINSERT INTO a (id) VALUES (7)")
ADD_B = Migration("0002_add_b", "ALTER TABLE a ADD COLUMN b INT NULL")

NAME = "customers_migrations"


@pytest.fixture(params=["data-api", "mysql"])
def new_database(
    database_server: DatabaseServer, data_api: str, request: pytest.FixtureRequest
) -> Iterator[Callable[[], Database]]:
    """Yield a function that connects to a new, empty database."""
    arguments = mysql.connection_arguments(database_server.url)
    with pymysql.connect(**arguments) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME}")
        cursor.execute(f"CREATE DATABASE {NAME}")
    if request.param == "mysql":
        settings = Settings(database_url=database_server.url.rsplit("/", 1)[0] + f"/{NAME}")
    else:
        settings = Settings(endpoint_url=data_api, database_name=NAME)
    yield lambda: connect(settings)
    with pymysql.connect(**arguments) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME}")


def apply(new_database: Callable[[], Database], files: Sequence[Step]) -> list[str]:
    said: list[str] = []
    migrations.apply(new_database(), new_database(), files, said.append)
    return said


def test_migrations_are_applied_once_and_in_order(new_database: Callable[[], Database]) -> None:
    assert apply(new_database, [MAKE_A]) == ["applied 0001_make_a"]
    assert apply(new_database, [MAKE_A, FILL_A]) == ["applied 0002_fill_a"]
    assert apply(new_database, [MAKE_A, FILL_A]) == []
    assert new_database().fetch_all("SELECT id FROM a") == [{"id": 7}]


def test_project_migrations_create_the_schema(new_database: Callable[[], Database]) -> None:
    apply(new_database, migrations.read())

    assert new_database().fetch_all("SELECT * FROM customers") == []


def test_runner_statements_are_valid_mysql(new_database: Callable[[], Database]) -> None:
    database, lock = Recorded(new_database()), Recorded(new_database())

    migrations.apply(database, lock, [MAKE_A, FILL_A], print)

    statements = database.statements + lock.statements
    assert len(statements) > 10
    assert {sql: refusal(sql) for sql in statements} == dict.fromkeys(statements)


def test_changed_file_raises_migration_error(new_database: Callable[[], Database]) -> None:
    apply(new_database, [MAKE_A])
    changed = MAKE_A._replace(sql=MAKE_A.sql + " -- changed")

    with pytest.raises(MigrationError, match=r"0001_make_a\.sql was changed after it was applied"):
        apply(new_database, [changed, FILL_A])

    assert new_database().fetch_all("SELECT id FROM a") == []


def test_database_ahead_of_the_files_is_unchanged(new_database: Callable[[], Database]) -> None:
    """After a rollback, the code has fewer files than the database has migrations."""
    apply(new_database, [MAKE_A, FILL_A])

    assert apply(new_database, [MAKE_A]) == []


def test_failed_migration_is_reported_and_applied_by_the_next_run(
    new_database: Callable[[], Database],
) -> None:
    for wrong in (FILL_A._replace(sql="INSERT INTO b VALUES (7)"), ADD_B._replace(sql="ALTER b")):
        with pytest.raises(MigrationError, match=rf"{wrong.name} failed: MySQL error 1\d\d\d"):
            apply(new_database, [MAKE_A, wrong])

    assert apply(new_database, [MAKE_A, FILL_A]) == ["applied 0002_fill_a"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("files", [[MAKE_A], [MAKE_A, FILL_A], [MAKE_A, ADD_B]])
def test_run_killed_before_the_record_is_completed_by_the_next(
    new_database: Callable[[], Database], files: list[Migration]
) -> None:
    apply(new_database, files[:-1])

    with pytest.raises(Killed):
        migrations.apply(Dying(new_database()), new_database(), files, print)

    assert apply(new_database, files) == [f"applied {files[-1].name}"]
    expected = [{"id": 7}] if FILL_A in files else []
    assert new_database().fetch_all("SELECT id FROM a") == expected


class Killed(BaseException):
    """Simulates the end of a process: `except Exception` doesn't catch it."""


class Dying(Recorded):
    """A database whose client is killed when it is about to close a record."""

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        with self._database.transaction() as transaction:
            yield Dying(transaction)

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        if sql.startswith("UPDATE schema_migrations"):
            raise Killed
        return super()._run(sql, parameters)


def test_unrelated_existing_table_is_an_error_each_time(
    new_database: Callable[[], Database],
) -> None:
    new_database().execute("CREATE TABLE a (other INT)")

    for _ in range(2):
        with pytest.raises(MigrationError, match="0001_make_a failed: MySQL error 1050"):
            apply(new_database, [MAKE_A])


def test_failed_file_may_be_corrected(new_database: Callable[[], Database]) -> None:
    with pytest.raises(MigrationError, match="failed"):
        apply(new_database, [MAKE_A._replace(sql="CREATE TABLE a (id INTT)")])

    assert apply(new_database, [MAKE_A]) == ["applied 0001_make_a"]


@pytest.mark.exhaustive
def test_concurrent_runs_apply_each_migration_once(new_database: Callable[[], Database]) -> None:
    slow = [MAKE_A] + [
        Migration(f"{n:04}_slow", f"INSERT INTO a (id) SELECT {n} + SLEEP(0.1)")
        for n in range(2, 6)
    ]
    start = threading.Barrier(3)
    said: list[str] = []

    def run() -> None:
        databases = new_database(), new_database()
        start.wait(timeout=60)
        migrations.apply(*databases, slow, said.append)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    applied = [line for line in said if line.startswith("applied")]
    assert applied == [f"applied {migration.name}" for migration in slow]
    assert len(new_database().fetch_all("SELECT id FROM a")) == 4


@pytest.mark.exhaustive
def test_run_that_missed_a_new_lock_waits_for_it(
    new_database: Callable[[], Database],
) -> None:
    """The other run creates and locks the row after this run has searched for it."""
    apply(new_database, [MAKE_A])

    class Late(Recorded):
        def _run(self, sql: str, parameters: Any) -> Any:
            found = super()._run(sql, parameters)
            return ([], 0) if sql == "SELECT id FROM schema_lock" else found

    with new_database().transaction() as held:
        migrations._acquire_lock(held)
        migrations._create_tables(Late(new_database()))


@pytest.mark.exhaustive
def test_waiting_run_reports_and_times_out(
    new_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "WAIT_SECONDS", 2)
    apply(new_database, [])
    said: list[str] = []

    with new_database().transaction() as other:
        other.fetch_one("SELECT id FROM schema_lock WHERE id = 1 FOR UPDATE")
        with pytest.raises(MigrationError, match="Another run has not ended"):
            migrations.apply(new_database(), new_database(), [MAKE_A], said.append)

    assert said == ["waiting for another run to end"]


def test_files_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "0002_b.sql").write_text("B")
    (tmp_path / "0001_a.sql").write_text("A")

    assert migrations.read(tmp_path) == [Migration("0001_a", "A"), Migration("0002_b", "B")]


@pytest.mark.parametrize("name", ["0003_gap", "0001_twice", "2_short"])
def test_file_out_of_order_raises_migration_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "0001_a.sql").write_text("A")
    (tmp_path / f"{name}.sql").write_text("B")

    with pytest.raises(MigrationError, match="0002_"):
        migrations.read(tmp_path)


def test_unreachable_database_is_not_a_failed_migration() -> None:
    nowhere = connect(Settings(endpoint_url="http://127.0.0.1:9"))

    with pytest.raises(DatabaseUnavailable):
        migrations.apply(nowhere, nowhere, [MAKE_A], print)
