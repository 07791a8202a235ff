"""Migrations that take longer than an attempt, on both backends.

A transaction of another client makes a change wait for as long as a test needs. The Data API server
ends a call after two seconds. On a direct connection, other statements end after two seconds.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Self

import pymysql
import pytest

import migrations
from chalicelib.database import (
    Database,
    DatabaseUnavailable,
    Row,
    Value,
    connect,
    error_for,
    mysql,
    retries,
)
from chalicelib.settings import Settings
from local.database_server import DatabaseServer
from migrations import DataStep, Migration, MigrationError, Step, changes
from migrations.filling import Fill
from tests.local.data_api import serving, wait_until
from tests.mysql8 import refusal
from tests.recorded import Recorded

pytestmark = pytest.mark.exhaustive

NAME = "customers_long_changes"
LIMIT_SECONDS = 2
IDLE_SECONDS = 6
MAKE = Migration(
    "0001_make",
    "CREATE TABLE a (id BINARY(1) NOT NULL PRIMARY KEY, version INT NOT NULL DEFAULT 1,"
    " updated_at DATETIME(3) NOT NULL DEFAULT '2020-01-01', name VARCHAR(9) NOT NULL,"
    " name_key VARCHAR(9) NULL) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4",
)
ADD = Migration("0002_add", "-- a comment\nALTER TABLE a ADD COLUMN b INT NULL")
UNIQUE = Migration("0002_unique", "ALTER TABLE a ADD UNIQUE KEY u (name)")
MODIFY = Migration("0002_modify", "ALTER TABLE a MODIFY name VARCHAR(10) NOT NULL")


@pytest.fixture(scope="module")
def impatient_api(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    options = ["--statement-timeout", str(LIMIT_SECONDS)]
    options += ["--transaction-idle-timeout", str(IDLE_SECONDS)]
    options += ["--lock-wait-timeout", "5"]
    directory = tmp_path_factory.mktemp("impatient")
    with serving(database_server.url, directory, *options) as (url, _):
        yield url


@pytest.fixture(params=["data-api", "mysql"])
def environment(
    request: pytest.FixtureRequest,
    database_server: DatabaseServer,
    impatient_api: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, str]]:
    """Yield the environment variables of a new, empty database, and make runs impatient."""
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0)
    if request.param == "mysql":
        monkeypatch.setattr(retries, "ATTEMPT_SECONDS", LIMIT_SECONDS)
    with closing(pymysql.connect(**mysql.connection_arguments(database_server.url))) as client:
        client.query(f"CREATE DATABASE {NAME}")
        if request.param == "mysql":
            yield {"DATABASE_URL": database_server.url.rsplit("/", 1)[0] + f"/{NAME}"}
        else:
            yield {"AWS_ENDPOINT_URL_RDS_DATA": impatient_api, "DATABASE_NAME": NAME}
        client.query(f"DROP DATABASE {NAME}")


through_data_api = pytest.mark.parametrize("environment", ["data-api"], indirect=True)
directly = pytest.mark.parametrize("environment", ["mysql"], indirect=True)


@pytest.fixture
def new(environment: Mapping[str, str]) -> Callable[[], Database]:
    """Return a function that connects to the database."""
    return lambda: connect(Settings.from_environ(environment))


@pytest.fixture
def database(new: Callable[[], Database]) -> Database:
    """Return a database with the table `a`, whose two rows have the same name."""
    migrations.apply(new(), new(), [MAKE], print)
    database = new()
    database.execute("INSERT INTO a (id, name) VALUES ('1', 'N'), ('2', 'N')")
    return database


class Client:
    """Another client of the server. Until `release`, changes of the table `a` wait for it."""

    def __init__(self, url: str) -> None:
        self._arguments = mysql.connection_arguments(url) | {"database": NAME}
        self._connection: pymysql.Connection[Any] | None = None

    def hold(self, sql: str = "SELECT COUNT(*) FROM a") -> None:
        self._connection = pymysql.connect(**self._arguments)
        self._connection.query("BEGIN")
        self._connection.query(sql)

    def release(self) -> None:
        if self._connection and self._connection.open:
            self._connection.close()

    def find_change(self, seconds: int = 0) -> int | None:
        """Return the session that has been running the change for so long."""
        with closing(pymysql.connect(**self._arguments)) as other, other.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE info LIKE '%migration 0002%'"
                f" AND id <> CONNECTION_ID() AND time >= {seconds}"
            )
            return next((session for (session,) in cursor.fetchall()), None)

    def kill(self) -> None:
        """End the change, as an operator would do."""
        with closing(pymysql.connect(**self._arguments)) as operator:
            operator.query(f"KILL QUERY {self.find_change()}")


@pytest.fixture
def client(database_server: DatabaseServer, database: Database) -> Iterator[Client]:
    del database  # for its table
    client = Client(database_server.url)
    yield client
    client.release()


class Run:
    """A run of the migrations: what it reports, and which statements it sends."""

    def __init__(self, new: Callable[[], Database], kind: type[Recorded] = Recorded) -> None:
        self.database, self._lock = kind(new()), new()
        self.lines: list[str] = []
        self._act: Callable[[], object] | None = None

    def apply(
        self, *files: Step, word: str = "running", act: Callable[[], object] | None = None
    ) -> Self:
        """Apply the files after MAKE, and act once: at the first line that contains the word."""
        self._word, self._act = word, act
        migrations.apply(self.database, self._lock, [MAKE, *files], self._report)
        return self

    def _report(self, line: str) -> None:
        self.lines.append(line)
        if self._act and self._word in line:
            act, self._act = self._act, None
            act()

    @property
    def changes(self) -> int:
        """The number of changes that the run has sent."""
        return sum("ALTER TABLE" in sql for sql in self.database.statements)


def columns(database: Database) -> list[object]:
    """Return the columns that were added to the table `a`."""
    rows = database.fetch_all(
        "SELECT column_name AS name FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = 'a' ORDER BY ordinal_position"
    )
    return [row["name"] for row in rows[5:]]


@through_data_api
def test_change_longer_than_a_call_is_applied_once(
    new: Callable[[], Database], database: Database, client: Client
) -> None:
    client.hold()
    run = Run(new).apply(ADD, act=client.release)

    assert re.fullmatch(r"0002_add has been running for \d+ s: .*metadata lock.*", run.lines[0])
    assert run.lines[-1] == "applied 0002_add"
    assert columns(database) == ["b"]
    assert run.changes == 1
    assert Run(new).apply(ADD).lines == []
    sent = run.database.statements
    assert {sql: refusal(sql) for sql in sent} == dict.fromkeys(sent)


@through_data_api
@pytest.mark.parametrize("end", ["release", "kill"])
def test_change_that_fails_after_its_call_is_reported(
    new: Callable[[], Database], database: Database, client: Client, end: str
) -> None:
    """The two rows violate the new key, or an operator kills the change."""
    client.hold()
    run = Run(new)

    with pytest.raises(MigrationError, match="0002_unique failed after the call had timed out"):
        run.apply(UNIQUE, act=getattr(client, end))

    assert run.changes == 1
    client.release()
    database.execute("DELETE FROM a WHERE id = '2'")
    assert Run(new).apply(UNIQUE).lines == ["applied 0002_unique"]


@directly
def test_change_on_a_direct_connection_has_no_time_limit(
    new: Callable[[], Database], database: Database, client: Client
) -> None:
    """MariaDB ends a change that waits for a lock if its client has gone."""
    client.hold()
    run = Run(new)
    thread = Thread(target=lambda: run.apply(ADD))
    thread.start()
    wait_until(lambda: client.find_change(seconds=2))
    client.release()
    thread.join()

    assert run.lines == ["applied 0002_add"]
    assert columns(database) == ["b"]
    assert run.changes == 1


@directly
def test_change_of_a_run_killed_on_a_direct_connection_is_applied_by_the_next(
    new: Callable[[], Database],
    environment: Mapping[str, str],
    client: Client,
    tmp_path: Path,
) -> None:
    """The server continues the change, or ends it because its client has gone."""
    client.hold()
    with running(environment, tmp_path, ADD):
        wait_until(client.find_change)
    client.release()

    run = Run(new).apply(ADD)

    assert run.lines[-1] == "applied 0002_add"
    assert columns(new()) == ["b"]
    assert run.changes <= 1


@through_data_api
def test_change_of_a_killed_run_is_awaited_and_not_repeated(
    new: Callable[[], Database],
    environment: Mapping[str, str],
    client: Client,
    tmp_path: Path,
) -> None:
    """MODIFY could be repeated without an error."""
    client.hold()
    with running(environment, tmp_path, MODIFY) as process:
        assert process.stdout
        assert "has been running" in process.stdout.readline()

    run = Run(new).apply(MODIFY, act=client.release)

    assert run.lines[-1] == "applied 0002_modify"
    assert any("has been running" in line for line in run.lines)
    assert run.changes == 0


RUN = """
import os, sys
from pathlib import Path
import migrations
from chalicelib.database import connect
from chalicelib.settings import Settings

migrations.changes.POLL_SECONDS = 0.05
migrations.LOCK_SECONDS = 0
databases = [connect(Settings.from_environ(os.environ)) for _ in range(2)]
files = migrations.read(Path(sys.argv[1]))
migrations.apply(*databases, files, lambda line: print(line, flush=True))
"""


@contextmanager
def running(
    environment: Mapping[str, str], folder: Path, change: Migration
) -> Iterator["subprocess.Popen[str]"]:
    """Run the migrations in a process, and kill it at the end."""
    for file in (MAKE, change):
        (folder / file.file).write_text(file.sql)
    command = [sys.executable, "-c", RUN, str(folder)]
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@through_data_api
def test_run_that_is_started_meanwhile_waits(
    new: Callable[[], Database], database: Database, client: Client
) -> None:
    client.hold()
    second = Run(new)
    thread = Thread(target=lambda: second.apply(ADD, word="waiting", act=client.release))

    first = Run(new).apply(ADD, act=thread.start)
    thread.join()

    assert first.lines[-1] == "applied 0002_add"
    assert second.lines == ["waiting for another run to end"]
    assert (first.changes, second.changes) == (1, 0)
    assert columns(database) == ["b"]


class Losing(Recorded):
    """A database whose connection is lost after it has run the change."""

    def _run_to_end(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        super()._run_to_end(sql, parameters)
        raise DatabaseUnavailable("connection lost")


class Unreached(Recorded):
    """A database whose connection is lost before it has received the change."""

    def _run_to_end(self, *_: object) -> tuple[list[Row], int]:
        raise DatabaseUnavailable("connection lost")


@pytest.mark.parametrize("change", [ADD, MODIFY])
@pytest.mark.usefixtures("database")
def test_lost_response_of_a_change_is_found_in_the_schema(
    new: Callable[[], Database], change: Migration
) -> None:
    run = Run(new, Losing).apply(change)

    assert run.lines == [f"applied {change.name}"]
    assert run.changes == 1


@pytest.mark.usefixtures("database")
def test_change_that_was_not_received_is_sent_by_the_next_run(
    new: Callable[[], Database],
) -> None:
    with pytest.raises(DatabaseUnavailable):
        Run(new, Unreached).apply(MODIFY)

    run = Run(new).apply(MODIFY)

    assert run.lines == ["applied 0002_modify"]
    assert run.changes == 1


def test_change_that_arrives_late_is_not_an_error(
    new: Callable[[], Database], database: Database
) -> None:
    """The statement of a killed run reaches the database after the next run has looked for it."""
    with pytest.raises(DatabaseUnavailable):
        Run(new, Unreached).apply(ADD)

    class Overtaken(Recorded):
        def _run_to_end(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
            database.execute(ADD.sql)
            return super()._run_to_end(sql, parameters)

    assert Run(new, Overtaken).apply(ADD).lines == ["applied 0002_add"]


def test_change_is_never_retried(new: Callable[[], Database], database: Database) -> None:
    """A retry could repeat a change that an operator has killed."""
    del database

    class Killed(Recorded):
        def _run_to_end(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
            super()._run_to_end("SELECT 1", parameters)
            self.statements.append(sql)
            raise error_for(1317)

    run = Run(new, Killed)
    with pytest.raises(MigrationError, match="MySQL error 1317"):
        run.apply(ADD)
    assert run.changes == 1


@pytest.mark.usefixtures("database")
def test_sql_file_that_changes_too_many_rows_is_to_become_a_data_step(
    new: Callable[[], Database],
) -> None:
    slow = Migration("0002_slow", "UPDATE a SET name_key = SLEEP(9) WHERE id = '1'")

    with pytest.raises(MigrationError, match=r"0002_slow changes more rows .* by a data step"):
        Run(new).apply(slow)

    assert Run(new).apply(ADD).lines == ["applied 0002_add"]


@through_data_api
def test_batch_longer_than_a_call_is_awaited(
    new: Callable[[], Database], database: Database, client: Client
) -> None:
    """Its rows are locked; the server's limit on this is longer than a call."""
    client.hold("SELECT id FROM a FOR UPDATE")
    fill = Fill("a", ("name",), lambda row: {"name_key": str(row["name"]).lower()})

    run = Run(new).apply(DataStep("0002_fill", "", fill), act=client.release)

    assert re.match(r"0002_fill has been running for \d+ s: ", run.lines[0])
    assert run.lines[-1] == "applied 0002_fill"
    assert database.fetch_all("SELECT name_key FROM a") == [{"name_key": "n"}] * 2


SCHEMA = (
    "CREATE TABLE other (id INT NOT NULL PRIMARY KEY)",
    "DROP TABLE other",
    "CREATE VIEW seen AS SELECT id FROM a",
    "ALTER TABLE a ADD COLUMN c VARCHAR(5) NULL",
    "ALTER TABLE a MODIFY c VARCHAR(6) NULL",
    "ALTER TABLE a DROP COLUMN c, ADD COLUMN c VARCHAR(6) NOT NULL",
    "ALTER TABLE a MODIFY c VARCHAR(6) NOT NULL DEFAULT 'd'",
    "ALTER TABLE a MODIFY c VARCHAR(6) CHARACTER SET ascii NOT NULL DEFAULT 'd'",
    "ALTER TABLE a MODIFY c VARCHAR(6) CHARACTER SET ascii NOT NULL DEFAULT 'd' COMMENT 'e'",
    "ALTER TABLE a ADD COLUMN g INT AS (version + 1) STORED",
    "ALTER TABLE a RENAME COLUMN c TO d",
    "ALTER TABLE a MODIFY d VARCHAR(6) NOT NULL FIRST",
    "CREATE INDEX i ON a (name)",
    "ALTER TABLE a RENAME INDEX i TO j",
    "ALTER TABLE a DROP INDEX j, ADD INDEX j (name (3))",
    "ALTER TABLE a DROP INDEX j, ADD INDEX j (name DESC)",
    "ALTER TABLE a DROP INDEX j, ADD UNIQUE INDEX j (name, id)",
    "ALTER TABLE a ADD CONSTRAINT positive CHECK (version > 0)",
    "ALTER TABLE a DROP CONSTRAINT positive, ADD CONSTRAINT positive CHECK (version > -1)",
    "ALTER TABLE a ADD COLUMN parent BINARY(1) NULL, ADD KEY (parent)",
    "ALTER TABLE a ADD CONSTRAINT child FOREIGN KEY (parent) REFERENCES a (id)",
    "ALTER TABLE a DROP FOREIGN KEY child",
    "ALTER TABLE a ADD CONSTRAINT child FOREIGN KEY (parent) REFERENCES a (id) ON DELETE CASCADE",
    "ALTER TABLE a COMMENT 'new'",
    "ALTER TABLE a ROW_FORMAT = COMPRESSED",
    "ALTER TABLE a DEFAULT CHARACTER SET ascii",
    "CREATE TABLE parts (id INT NOT NULL PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2",
    "ALTER TABLE parts ADD PARTITION PARTITIONS 1",
    "ALTER TABLE parts RENAME TO pieces",
)


@directly
def test_every_change_of_the_schema_is_found(database: Database) -> None:
    for sql in SCHEMA:
        changes.remember(database, "n")
        assert not changes.was_applied(database, "n")
        database.execute(sql)
        assert changes.was_applied(database, "n"), sql


def test_changes_of_rows_and_statistics_are_no_changes_of_the_schema(database: Database) -> None:
    database.execute("CREATE TABLE numbers (id INT AUTO_INCREMENT PRIMARY KEY, KEY k (id))")
    changes.remember(database, "n")

    database.execute("INSERT INTO numbers VALUES (), (), ()")
    database.fetch_all("ANALYZE TABLE numbers")

    assert not changes.was_applied(database, "n")
