"""Migrations, applied once, in order: SQL files with one statement each, and data steps.

A data step is a Python file that declares `FILL`: columns with values that the service computes.
`filling` describes it. While code is running that leaves the columns empty, a data step stays
unfinished, and each run fills what this code has written since. `apply(..., finish=True)` then
completes it.

`apply` uses the database contract, so it also works through the RDS Data API, which accepts only
single statements. Concurrent runs are safe: one run locks a row, and the others wait. The database
server holds the lock, so it releases it when a run is killed.

A statement that changes rows is committed together with its record. A statement that changes the
schema can't be in a transaction, so its record is opened before and closed after it. A change may
take longer than a call or a run: if the record is open, the run waits until the database has ended
the statement, and finds out whether the change was applied. `changes` describes how.
"""

import hashlib
import re
import runpy
import time
from collections.abc import Callable, Iterator, Sequence
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
from migrations import changes, filling
from migrations.filling import Fill, FillError

DIRECTORY = Path(__file__).parent
WAIT_SECONDS = 300  # for another run to end
LOCK_SECONDS = 60
"""How often a long step uses the lock: the Data API ends a transaction that is idle for 180 s."""

_CHANGES_ROWS = re.compile(r"(\s|--[^\n]*\n)*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


class MigrationError(Exception):
    """The migrations can't be applied. The message says which, why, and what to do."""


class Migration(NamedTuple):
    """A file with one SQL statement."""

    name: str
    sql: str

    @property
    def file(self) -> str:
        return f"{self.name}.sql"

    @property
    def checksum(self) -> str:
        return _checksum(self.sql)


class DataStep(NamedTuple):
    """A Python file that declares `FILL`."""

    name: str
    source: str
    fill: Fill

    @property
    def file(self) -> str:
        return f"{self.name}.py"

    @property
    def checksum(self) -> str:
        return _checksum(self.source)


Step = Migration | DataStep


def read(directory: Path = DIRECTORY) -> list[Step]:
    """Return the migrations in order. Raises MigrationError for a file that is out of order."""
    files = sorted((*directory.glob("*.sql"), *directory.glob("[0-9]*.py")))
    for number, file in enumerate(files, 1):
        if not file.name.startswith(f"{number:04}_"):
            raise MigrationError(
                f"{file.name} is number {number}: name it {number:04}_<what it does>{file.suffix}."
            )
    return [_read(file) for file in files]


def _read(file: Path) -> Step:
    if file.suffix == ".sql":
        return Migration(file.stem, file.read_text())
    fill = runpy.run_path(str(file)).get("FILL")
    if not isinstance(fill, Fill):
        raise MigrationError(f"{file.name} declares no FILL: see migrations/filling.py.")
    return DataStep(file.stem, file.read_text(), fill)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def apply(
    database: Database,
    lock: Database,
    migrations: Sequence[Step],
    report: Callable[[str], None],
    *,
    finish: bool = True,
) -> None:
    """Apply the pending migrations; call `report` for each.

    `lock` is another connection to the same database, because MySQL commits a transaction, and
    releases its locks, at each schema change. Without `finish`, data steps stay unfinished: earlier
    code may still be running. Raises MigrationError, DatabaseError.
    """
    database.ping()
    _create_tables(database)
    with _exclusive(lock, report) as locked:
        applied = _check(database, migrations)
        for migration in migrations:
            if migration.name in applied:
                continue
            beat = _Heartbeat(locked).beat
            if isinstance(migration, DataStep):
                _fill(database, migration, report, beat, finish=finish)
            else:
                _apply(database, migration, report, beat)
                report(f"applied {migration.name}")
            # again, because the Data API ends a transaction that is idle for 3 minutes
            _acquire_lock(locked)


def _create_tables(database: Database) -> None:
    database.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (name VARCHAR(255) NOT NULL PRIMARY KEY,"
        " checksum CHAR(64) NOT NULL, started_at DATETIME(3) NOT NULL, applied_at DATETIME(3) NULL)"
        " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    )
    database.execute(filling.CREATE_TABLE)
    database.execute(changes.CREATE_TABLE)
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


class _Heartbeat:
    """Keeps the lock's transaction from becoming idle, without a statement for each batch."""

    def __init__(self, locked: Database) -> None:
        self._locked, self._last = locked, time.monotonic()

    def beat(self) -> None:
        if time.monotonic() > self._last + LOCK_SECONDS:
            _acquire_lock(self._locked)
            self._last = time.monotonic()


def _check(database: Database, migrations: Sequence[Step]) -> set[str]:
    """Return the names of the applied migrations. Raises MigrationError if a file has changed."""
    rows = database.fetch_all(
        "SELECT name, checksum FROM schema_migrations WHERE applied_at IS NOT NULL"
    )
    checksums = {str(row["name"]): row["checksum"] for row in rows}
    for migration in migrations:
        if checksums.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"{migration.file} was changed after it was applied:"
                " restore it, and put the change into a new file."
            )
    return set(checksums)


def _apply(
    database: Database,
    migration: Migration,
    report: Callable[[str], None],
    beat: Callable[[], None],
) -> None:
    with _failure_of(migration):
        if _CHANGES_ROWS.match(migration.sql):
            _change_rows(database, migration)
            return
        _change_schema(database, migration, report, beat)
        with database.transaction() as transaction:
            _close_record(transaction, migration)
            changes.forget(transaction, migration.name)


def _change_rows(database: Database, migration: Migration) -> None:
    try:
        with database.transaction() as transaction:
            transaction.execute(migration.sql)
            _open_record(transaction, migration)
            _close_record(transaction, migration)
    except StatementTimeout:
        raise MigrationError(
            f"{migration.name} changes more rows than one call of the Data API has time for, so it"
            " was rolled back: replace it by a data step (migrations/filling.py)."
        ) from None


def _fill(
    database: Database,
    step: DataStep,
    report: Callable[[str], None],
    after_batch: Callable[[], None],
    *,
    finish: bool,
) -> None:
    with _failure_of(step):
        _open_record(database, step)
        filling.run(database, step.name, step.fill, report, after_batch)
        if not finish:
            report(f"filled {step.name}: finish it when the previous code has ended")
            return
        with database.transaction() as transaction:
            _close_record(transaction, step)
            filling.forget(transaction, step.name)
    report(f"applied {step.name}")


@contextmanager
def _failure_of(migration: Step) -> Iterator[None]:
    """Name the migration in errors other than those that another run may not meet."""
    try:
        yield
    except (DatabaseUnavailable, StatementTimeout):
        raise
    except (DatabaseError, FillError) as error:
        raise MigrationError(f"{migration.name} failed: {error}") from None


def _change_schema(
    database: Database,
    migration: Migration,
    report: Callable[[str], None],
    beat: Callable[[], None],
) -> None:
    def was_applied() -> bool:
        changes.await_end(database, migration.name, report, beat)
        return changes.was_applied(database, migration.name)

    is_resumed = _is_open(database, migration)
    if is_resumed and was_applied():
        return
    if not is_resumed:
        changes.remember(database, migration.name)
        _open_record(database, migration)
    try:
        database.execute_to_end(changes.tagged(migration.name, migration.sql))
    except DatabaseError as error:
        # The statement that a killed run has sent may have reached the database only now.
        if (error.is_outcome_unknown or is_resumed) and was_applied():
            return
        if isinstance(error, DatabaseUnavailable):
            raise  # the record stays open for the next run
        _delete_record(database, migration)
        if isinstance(error, StatementTimeout):
            raise MigrationError(_FAILED_LATE.format(name=migration.name)) from None
        raise


_FAILED_LATE = (
    "{name} failed after the call had timed out: the database has ended it, and the schema is"
    " unchanged. Find the reason (the database's error log; an operator's KILL; rows that violate"
    " a new key), fix it, and run the migrations again."
)


def _is_open(database: Database, migration: Step) -> bool:
    """Return whether an earlier run has started the migration and not completed it."""
    row = database.fetch_one(
        "SELECT name FROM schema_migrations WHERE name = :name AND applied_at IS NULL",
        name=migration.name,
    )
    return row is not None


def _open_record(database: Database, migration: Step) -> None:
    """Record that the migration starts, unless an earlier run has left an open record."""
    database.execute_guarded(
        "INSERT IGNORE INTO schema_migrations (name, checksum, started_at)"
        " VALUES (:name, :checksum, :now)",
        name=migration.name,
        checksum=migration.checksum,
        now=datetime.now(UTC),
    )


def _close_record(database: Database, migration: Step) -> None:
    database.execute(
        "UPDATE schema_migrations SET checksum = :checksum, applied_at = :now WHERE name = :name",
        checksum=migration.checksum,
        name=migration.name,
        now=datetime.now(UTC),
    )


def _delete_record(database: Database, migration: Migration) -> None:
    database.execute("DELETE FROM schema_migrations WHERE name = :name", name=migration.name)
