"""Database errors, the same for both backends.

    DatabaseError
    ├── DuplicateKey            a unique key already contains this value
    ├── StatementTooLong        more than 65,536 characters
    ├── StatementFailed         any other rejection: a bug, a missing table or privilege
    └── temporary: retry after `retry_after` seconds
        ├── DatabaseUnavailable     connection lost: outcome unknown
        │   └── StatementNotBegun       unreachable, or out of connections
        │       ├── DatabaseThrottled       the Data API throttles calls
        │       └── DatabaseResuming        a paused cluster is resuming, which takes 15 seconds
        ├── StatementTimeout        timed out: outcome unknown
        ├── LockTimeout             waited too long for another transaction's lock
        └── Deadlock                rolled back to resolve a deadlock

After an error with `is_outcome_unknown`, a write may have been applied. After any other error, it
was not. No error contains the server's message, because it may contain personal data.
"""

from collections.abc import Mapping
from typing import ClassVar


class DatabaseError(Exception):
    """A statement failed. `code` is MySQL's error number, if there is one.

    `status` is the corresponding HTTP status, for traces and metrics.
    """

    status: ClassVar[int] = 500
    retry_after: ClassVar[int | None] = None
    is_outcome_unknown: ClassVar[bool] = False

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class DuplicateKey(DatabaseError):
    """A unique key already contains this value."""

    status = 409


class StatementTooLong(DatabaseError):
    """The statement has more than 65,536 characters."""


class StatementFailed(DatabaseError):
    """The database rejected the statement."""


class DatabaseUnavailable(DatabaseError):
    """The connection to the database was lost. The outcome of a write is unknown."""

    retry_after = 2
    is_outcome_unknown = True


class StatementNotBegun(DatabaseUnavailable):
    """The database is unreachable, or accepts no more connections, or no writes."""

    is_outcome_unknown = False


class DatabaseThrottled(StatementNotBegun):
    """The database is overloaded."""

    status = 429


class DatabaseResuming(StatementNotBegun):
    """The cluster was paused and is resuming: up to 15 seconds, longer after a day's pause.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
    """


class StatementTimeout(DatabaseError):
    """The statement timed out. The outcome of a write is unknown."""

    retry_after = 2
    is_outcome_unknown = True


class LockTimeout(DatabaseError):
    """Another transaction held a lock for too long. The statement was not executed."""

    retry_after = 1


class Deadlock(DatabaseError):
    """The transaction was rolled back to resolve a deadlock."""

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
    # No connection, or an Aurora writer that a failover has made a reader.
    **dict.fromkeys((1040, 2002, 2003, 1290, 1836), StatementNotBegun),
    **dict.fromkeys((1053, 1152, 1158, 1927, 2006, 2013), DatabaseUnavailable),
}


def error_for(code: int) -> DatabaseError:
    """Return the error for MySQL's number `code`."""
    return _BY_CODE.get(code, StatementFailed)(f"MySQL error {code}", code)
