"""Migrations: SQL files of one statement each, applied in order, once.

`apply` goes through the database contract, so it works over the RDS Data API too, which takes
single statements only. Two runs at once are safe: one holds a row's lock, the other waits. The
lock is the database server's, which lets go of it when a run is killed. What a run was killed
in the middle of is finished by the next: a migration's record is opened before its statement
and closed after it, and "already there" is then good news.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from chalicelib.database import Database, DatabaseError, LockTimeout, StatementTimeout

DIRECTORY = Path(__file__).parent
WAIT_ATTEMPTS = 60  # each as long as the server waits for a lock

# Makes the row or locks the one that is there
_LOCK = "INSERT INTO schema_lock (id) VALUES (1) ON DUPLICATE KEY UPDATE id = id"

# The table, column or key that a statement was to make exists, or what it was to drop does not.
_DONE_ALREADY = {1050, 1051, 1060, 1061, 1091}


class MigrationError(Exception):
    """The migrations can't be applied; the message says which, why, and what to do."""


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
    """Apply those that are not applied yet; `report` is told of each.

    `lock` is another connection to the same database: MySQL ends a transaction, and with it its
    locks, where a statement changes the schema. Raises MigrationError, DatabaseError.
    """
    _create_tables(database)
    with _exclusive(lock, report):
        applied = _check(database, migrations)
        for migration in migrations:
            if migration.name not in applied:
                _apply(database, migration)
                report(f"applied {migration.name}")


def _create_tables(database: Database) -> None:
    database.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (name VARCHAR(255) NOT NULL PRIMARY KEY,"
        " checksum CHAR(64) NOT NULL, started_at DATETIME(3) NOT NULL, applied_at DATETIME(3) NULL)"
        " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    )
    database.execute(
        "CREATE TABLE IF NOT EXISTS schema_lock (id INT NOT NULL PRIMARY KEY) ENGINE = InnoDB"
    )


@contextmanager
def _exclusive(lock: Database, report: Callable[[str], None]) -> Iterator[None]:
    for _ in range(WAIT_ATTEMPTS):
        with lock.transaction() as held:
            try:
                held.execute(_LOCK)
            except (LockTimeout, StatementTimeout):
                report("waiting for another run to end")
                continue
            yield
            return
    raise MigrationError("Another run has not ended for too long: look for it, or try again later.")


def _check(database: Database, migrations: list[Migration]) -> set[str]:
    """Return the names of what is applied. Raises MigrationError when it does not fit the files."""
    rows = database.fetch_all("SELECT name, checksum, applied_at FROM schema_migrations")
    checksums = {row["name"]: row["checksum"] for row in rows}
    for migration in migrations:
        if checksums.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"{migration.name}.sql was changed after it was applied:"
                " restore it, and put the change into a new file."
            )
    return {str(row["name"]) for row in rows if row["applied_at"]}


def _apply(database: Database, migration: Migration) -> None:
    resumed = _open_record(database, migration)
    try:
        database.execute(migration.sql)
    except DatabaseError as error:
        if not (resumed and error.code in _DONE_ALREADY):
            raise MigrationError(f"{migration.name} failed: {error}") from None
    database.execute(
        "UPDATE schema_migrations SET applied_at = :now WHERE name = :name",
        now=datetime.now(UTC),
        name=migration.name,
    )


def _open_record(database: Database, migration: Migration) -> bool:
    """Note that the migration starts; True when a run before this one noted it already."""
    inserted = database.execute(
        "INSERT IGNORE INTO schema_migrations (name, checksum, started_at)"
        " VALUES (:name, :checksum, :now)",
        name=migration.name,
        checksum=migration.checksum,
        now=datetime.now(UTC),
    )
    return inserted == 0
