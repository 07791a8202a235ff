"""What goes wrong with a database, the same from both backends.

    DatabaseError
    ├── DuplicateKey            a unique key has this value already
    ├── StatementTooLong        more than 65,536 characters
    ├── StatementFailed         any other refusal: a bug, a missing table, a missing right
    └── temporary: `retry_after` says in how many seconds it is worth trying again
        ├── DatabaseUnavailable     gone meanwhile: unclear
        │   └── StatementNotBegun       not reachable, or out of connections
        │       ├── DatabaseThrottled       more was asked of the Data API than it takes
        │       └── DatabaseResuming        a paused cluster wakes up, which takes 15 seconds
        ├── StatementTimeout        took too long: unclear
        ├── LockTimeout             waited too long for another's lock
        └── Deadlock                chosen to end one; its transaction was rolled back

After an error that `is_unclear`, nobody knows whether a write took effect; after another one it did
not. No error carries the server's own message: it may hold personal data.
"""

from collections.abc import Mapping
from typing import ClassVar


class DatabaseError(Exception):
    """A statement was not done. `code` is MySQL's error number, where there is one.

    `status` tells traces and metrics, in HTTP's terms, whose fault it is.
    """

    status: ClassVar[int] = 500
    retry_after: ClassVar[int | None] = None
    is_unclear: ClassVar[bool] = False

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
    """The database was lost; a write may or may not have taken effect."""

    retry_after = 2
    is_unclear = True


class StatementNotBegun(DatabaseUnavailable):
    """The database can't be reached, or takes no more connections, or no writes."""

    is_unclear = False


class DatabaseThrottled(StatementNotBegun):
    """The database has more to do than it takes."""

    status = 429


class DatabaseResuming(StatementNotBegun):
    """The cluster was paused, and wakes up: up to 15 seconds, longer after a day's pause.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
    """


class StatementTimeout(DatabaseError):
    """The statement took too long; a write may or may not have taken effect."""

    retry_after = 2
    is_unclear = True


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
    # no connection; and an Aurora writer that a failover has made a reader
    **dict.fromkeys((1040, 2002, 2003, 1290, 1836), StatementNotBegun),
    **dict.fromkeys((1053, 1152, 1158, 1927, 2006, 2013), DatabaseUnavailable),
}


def error_for(code: int) -> DatabaseError:
    """Return the error that MySQL's number `code` stands for."""
    return _BY_CODE.get(code, StatementFailed)(f"MySQL error {code}", code)
