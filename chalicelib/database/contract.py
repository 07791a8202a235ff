"""The contract of a database: SQL with named parameters in, rows of Python values out.

`data_api` and `mysql` implement it. This module imports neither, so both can import it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal

from chalicelib.database.errors import DatabaseError, DatabaseMisconfigured, StatementTooLong
from chalicelib.database.retries import LOCK_SECONDS, Attempts
from chalicelib.observability import tracing

Value = str | int | float | bool | bytes | Decimal | date | datetime | None
Row = dict[str, Value]

MAX_STATEMENT_LENGTH = 65_536  # characters: the Data API's limit, enforced by both


class Database(ABC):
    """A database. Parameters are named, `:name`, and passed by keyword. Times are aware, in UTC.

    Every method raises DatabaseError.
    """

    is_transaction = False

    def fetch_all(self, sql: str, /, **parameters: Value) -> list[Row]:
        """Return all rows of a query."""
        return self._checked_run(sql, parameters, Attempts(is_idempotent=True, is_query=True))[0]

    def fetch_one(self, sql: str, /, **parameters: Value) -> Row | None:
        """Return the first row of a query, or None."""
        return next(iter(self.fetch_all(sql, **parameters)), None)

    def execute(self, sql: str, /, **parameters: Value) -> int:
        """Run a statement. Returns the number of rows that it matched, changed or not."""
        return self._checked_run(sql, parameters, Attempts(is_idempotent=False))[1]

    def execute_guarded(self, sql: str, /, **parameters: Value) -> int:
        """Run an idempotent statement, one that a unique key or a version condition guards.

        If an attempt's outcome is unknown, and no later attempt matched a row, it stays unknown.
        """
        attempts = Attempts(is_idempotent=True)
        matched = self._checked_run(sql, parameters, attempts)[1]
        if attempts.unknown and not matched:
            raise attempts.unknown
        return matched

    def execute_to_end(self, sql: str, /, **parameters: Value) -> int:
        """Run a statement that may take longer than an attempt. It is sent only once.

        After StatementTimeout, the database continues to run it.
        """
        attempts = Attempts(is_idempotent=False, is_single=True)
        return self._checked_run(sql, parameters, attempts)[1]

    def ping(self) -> None:
        """Check that the database responds, and has the limits and the time zone that we assume.

        Raises DatabaseMisconfigured.
        """
        (row,) = self.fetch_all(
            "SELECT @@innodb_lock_wait_timeout AS seconds,"
            " TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW()) AS minutes"
        )
        if minutes := int(str(row["minutes"])):
            raise DatabaseMisconfigured(
                f"time_zone is {minutes} minutes from UTC: set it to +00:00 in the parameter"
                " group or the server's configuration"
            )
        if (seconds := int(str(row["seconds"]))) > LOCK_SECONDS:
            raise DatabaseMisconfigured(
                f"innodb_lock_wait_timeout is {seconds}, but may be at most {LOCK_SECONDS}:"
                f" set it to {LOCK_SECONDS} in the parameter group or the server's configuration"
            )

    @abstractmethod
    def transaction(self) -> AbstractContextManager["Database"]:
        """Return a context manager that commits on success and rolls back on an exception.

        Transactions can't be nested, and the outer database must not be used until the end.
        Statements inside are never retried.
        """

    def _checked_run(
        self, sql: str, parameters: Mapping[str, Value], attempts: Attempts
    ) -> tuple[list[Row], int]:
        if len(sql) > MAX_STATEMENT_LENGTH:
            raise StatementTooLong(f"{len(sql)} characters, of at most {MAX_STATEMENT_LENGTH}")
        with tracing.statement(sql) as span:
            rows, matched = self._persist(sql, parameters, attempts)
            span.note(rows=len(rows) or matched)
        return rows, matched

    def _persist(
        self, sql: str, parameters: Mapping[str, Value], attempts: Attempts
    ) -> tuple[list[Row], int]:
        run = self._run_to_end if attempts.is_single else self._run
        try:
            while True:
                try:
                    return run(sql, parameters)
                except DatabaseError as error:
                    if self.is_transaction:
                        raise
                    attempts.wait(error)
        finally:
            tracing.attempted(attempts.number)

    @abstractmethod
    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        """Run one statement. Returns its rows and the number of rows that it matched."""

    def _run_to_end(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        """Run one statement like `_run`, but never end it because of its duration."""
        return self._run(sql, parameters)
