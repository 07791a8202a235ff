"""The database contract: SQL with named parameters in, rows of Python values out.

Two implementations, `data_api` (RDS Data API) and `mysql` (PyMySQL), behave alike; the suite in
`tests/test_database.py` holds both to it. Errors are the same from both:

    DatabaseError
    ├── DuplicateKey            a unique key has this value already
    ├── StatementTooLong        more than 65,536 characters
    ├── StatementFailed         any other refusal: a bug, a missing table, a missing right
    └── temporary: `retry_after` says in how many seconds it is worth trying again
        ├── DatabaseUnavailable     not reachable, resuming, out of connections or gone meanwhile
        │   └── DatabaseThrottled       more was asked of the Data API than it takes
        ├── StatementTimeout        took too long, and was stopped
        ├── LockTimeout             waited too long for another's lock
        └── Deadlock                chosen to end one; its transaction was rolled back

After DatabaseUnavailable or StatementTimeout it is unknown whether a write took effect.
No error carries the server's own message: it may hold personal data.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from chalicelib import tracing
from chalicelib.settings import Settings

Value = str | int | float | bool | bytes | Decimal | date | datetime | None
Row = dict[str, Value]

MAX_STATEMENT_LENGTH = 65_536  # characters: the Data API's limit, kept by both


class DatabaseError(Exception):
    """A statement was not done. `code` is MySQL's error number, where there is one.

    `status` tells traces and metrics, in HTTP's terms, whose fault it is.
    """

    status: ClassVar[int] = 500
    retry_after: ClassVar[int | None] = None

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class DuplicateKey(DatabaseError):
    """A unique key has this value already."""

    status = 409


class StatementTooLong(DatabaseError):
    """The statement has more than 65,536 characters."""


class StatementFailed(DatabaseError):
    """The database refused the statement."""


class DatabaseUnavailable(DatabaseError):
    """The database can't be reached, or was lost; a write may or may not have taken effect."""

    retry_after = 2


class DatabaseThrottled(DatabaseUnavailable):
    """The database has more to do than it takes; the statement was not begun."""

    status = 429


class StatementTimeout(DatabaseError):
    """The statement took too long; a write may or may not have taken effect."""

    retry_after = 2


class LockTimeout(DatabaseError):
    """Another transaction held a lock for too long; the statement did nothing."""

    retry_after = 1


class Deadlock(DatabaseError):
    """The transaction was rolled back to end a deadlock."""

    retry_after = 1


# https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html; 1927 and 1969 are
# MariaDB's, 2xxx the client's own.
_BY_CODE: Mapping[int, type[DatabaseError]] = {
    1062: DuplicateKey,
    1205: LockTimeout,
    3572: LockTimeout,
    1213: Deadlock,
    1969: StatementTimeout,
    3024: StatementTimeout,
} | dict.fromkeys((1040, 1053, 1152, 1158, 1927, 2002, 2003, 2006, 2013), DatabaseUnavailable)


def error_for(code: int) -> DatabaseError:
    """Return the error that MySQL's number `code` stands for."""
    return _BY_CODE.get(code, StatementFailed)(f"MySQL error {code}", code)


class Database(ABC):
    """One database. Parameters are named, `:name`, and given by keyword; times are aware, in UTC.

    Every method raises DatabaseError.
    """

    def fetch_all(self, sql: str, /, **parameters: Value) -> list[Row]:
        """Return every row of a query."""
        return self._checked_run(sql, parameters)[0]

    def fetch_one(self, sql: str, /, **parameters: Value) -> Row | None:
        """Return the first row of a query, or None."""
        return next(iter(self.fetch_all(sql, **parameters)), None)

    def execute(self, sql: str, /, **parameters: Value) -> int:
        """Run a statement; return how many rows it matched, changed or not."""
        return self._checked_run(sql, parameters)[1]

    def ping(self) -> None:
        """Make sure that the database answers."""
        self.fetch_one("SELECT 1")

    @abstractmethod
    def transaction(self) -> AbstractContextManager["Database"]:
        """Give a database whose statements take effect together at the end, or not at all.

        They don't nest, and the database itself is not to be used until the end. An exception
        rolls back.
        """

    def _checked_run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        if len(sql) > MAX_STATEMENT_LENGTH:
            raise StatementTooLong(f"{len(sql)} characters, of at most {MAX_STATEMENT_LENGTH}")
        with tracing.statement(sql) as span:
            rows, matched = self._run(sql, parameters)
            span.note(rows=len(rows) or matched)
        return rows, matched

    @abstractmethod
    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        """Run one statement; return its rows and how many it matched."""


def connect(settings: Settings) -> Database:
    """Return the database that the settings choose, importing its driver only now."""
    if settings.database_url:
        from chalicelib.database.mysql import MySQL

        return MySQL(settings.database_url)
    from chalicelib.database.data_api import DataApi

    return DataApi.connect(settings)
