"""Migrations: SQL files with one statement each, applied once, in order.

`apply` uses the database contract, so it also works through the RDS Data API, which accepts only
single statements. Concurrent runs are safe: one run locks a row, and the others wait. The database
server holds the lock, so it releases it when a run is killed.

A statement that changes rows is committed together with its record. A statement that changes the
schema can't be in a transaction, so its record is opened before and closed after it. If a run is
killed in between, the next run finds the open record, and treats "already exists" as success.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from chalicelib.database import (
    Database,
    DatabaseError,
    DatabaseUnavailable,
    LockTimeout,
    StatementTimeout,
)

DIRECTORY = Path(__file__).parent
WAIT_SECONDS = 300  # for another run to end

_CHANGES_ROWS = re.compile(r"(\s|--[^\n]*\n)*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)

# The table, column or index to create already exists, or the one to drop does not exist.
_DONE_ALREADY = {1050, 1051, 1060, 1061, 1091}


class MigrationError(Exception):
    """The migrations can't be applied. The message says which, why, and what to do."""


class Migration(NamedTuple):
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read(directory: Path = DIRECTORY) -> list[Migration]:
    """Return the migrations in order. Raises MigrationError for a file that is out of order."""
    migrations = [
        Migration(file.stem, file.read_text()) for file in sorted(directory.glob("*.sql"))
    ]
    for number, migration in enumerate(migrations, 1):
        if not migration.name.startswith(f"{number:04}_"):
            raise MigrationError(
                f"{migration.name}.sql is number {number}: name it {number:04}_<what it does>.sql."
            )
    return migrations


def apply(
    database: Database,
    lock: Database,
    migrations: list[Migration],
    report: Callable[[str], None],
) -> None:
    """Apply the pending migrations; call `report` for each.

    `lock` is another connection to the same database, because MySQL commits a transaction, and
    releases its locks, at each schema change. Raises MigrationError, DatabaseError.
    """
    database.ping()
    _create_tables(database)
    with _exclusive(lock, report) as locked:
        applied = _check(database, migrations)
        for migration in migrations:
            if migration.name not in applied:
                _apply(database, migration)
                report(f"applied {migration.name}")
                _acquire_lock(
                    locked
                )  # again, because the Data API ends a transaction that is idle for 3 minutes


def _create_tables(database: Database) -> None:
    database.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (name VARCHAR(255) NOT NULL PRIMARY KEY,"
        " checksum CHAR(64) NOT NULL, started_at DATETIME(3) NOT NULL, applied_at DATETIME(3) NULL)"
        " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    )
    database.execute(
        "CREATE TABLE IF NOT EXISTS schema_lock (id INT NOT NULL PRIMARY KEY) ENGINE = InnoDB"
    )
    if not database.fetch_one("SELECT id FROM schema_lock"):
        with suppress(LockTimeout):  # another run has inserted the row, and holds its lock
            database.execute("INSERT IGNORE INTO schema_lock (id) VALUES (1)")


@contextmanager
def _exclusive(lock: Database, report: Callable[[str], None]) -> Iterator[Database]:
    with ExitStack() as attempt:
        for second in range(WAIT_SECONDS):
            locked = attempt.enter_context(lock.transaction())
            try:
                _acquire_lock(locked)
                break
            except LockTimeout:
                attempt.close()
            if second == 0:
                report("waiting for another run to end")
            time.sleep(1)
        else:
            raise MigrationError(
                f"Another run has not ended after {WAIT_SECONDS} s: find it and end it."
            )
        yield locked


def _acquire_lock(locked: Database) -> None:
    locked.fetch_one("SELECT id FROM schema_lock WHERE id = 1 FOR UPDATE NOWAIT")


def _check(database: Database, migrations: list[Migration]) -> set[str]:
    """Return the names of the applied migrations. Raises MigrationError if a file has changed."""
    rows = database.fetch_all(
        "SELECT name, checksum FROM schema_migrations WHERE applied_at IS NOT NULL"
    )
    checksums = {str(row["name"]): row["checksum"] for row in rows}
    for migration in migrations:
        if checksums.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"{migration.name}.sql was changed after it was applied:"
                " restore it, and put the change into a new file."
            )
    return set(checksums)


def _apply(database: Database, migration: Migration) -> None:
    try:
        if _CHANGES_ROWS.match(migration.sql):
            with database.transaction() as transaction:
                transaction.execute(migration.sql)
                _open_record(transaction, migration)
                _close_record(transaction, migration)
        else:
            _change_schema(database, migration)
            _close_record(database, migration)
    except (DatabaseUnavailable, StatementTimeout):
        raise
    except DatabaseError as error:
        raise MigrationError(f"{migration.name} failed: {error}") from None


def _change_schema(database: Database, migration: Migration) -> None:
    resumed = not _open_record(database, migration)
    try:
        database.execute(migration.sql)
    except (DatabaseUnavailable, StatementTimeout):
        raise  # may have been executed, so the record stays open
    except DatabaseError as error:
        if resumed and error.code in _DONE_ALREADY:
            return
        _delete_record(database, migration)
        raise


def _open_record(database: Database, migration: Migration) -> bool:
    """Record that the migration starts. Returns False if an earlier run has left an open record."""
    return bool(
        database.execute(
            "INSERT IGNORE INTO schema_migrations (name, checksum, started_at)"
            " VALUES (:name, :checksum, :now)",
            name=migration.name,
            checksum=migration.checksum,
            now=datetime.now(UTC),
        )
    )


def _close_record(database: Database, migration: Migration) -> None:
    database.execute(
        "UPDATE schema_migrations SET checksum = :checksum, applied_at = :now WHERE name = :name",
        checksum=migration.checksum,
        name=migration.name,
        now=datetime.now(UTC),
    )


def _delete_record(database: Database, migration: Migration) -> None:
    database.execute("DELETE FROM schema_migrations WHERE name = :name", name=migration.name)
