"""Database errors, the same for both backends.

    DatabaseError
    ├── DuplicateKey            a unique key already contains this value
    ├── StatementTooLong        more than 65,536 characters
    ├── StatementFailed         any other rejection: a bug, a missing table or privilege
    ├── DatabaseMisconfigured   a setting of the database is out of range
    └── temporary: retry after `retry_after` seconds
        ├── DatabaseUnavailable     connection lost: outcome unknown
        │   └── StatementNotBegun       unreachable, or out of connections
        │       ├── DatabaseThrottled       the Data API throttles calls
        │       └── DatabaseResuming        a paused cluster is resuming, which takes 15 seconds
        ├── StatementTimeout        timed out: outcome unknown
        ├── LockTimeout             waited too long for another transaction's lock
        ├── Deadlock                rolled back to resolve a deadlock
        └── StatementRolledBack     rolled back for another temporary reason

After an error with `is_outcome_unknown`, a write may have been applied, or may still be. After any
other error, it was not and will not be. No error contains the server's message, because it may
contain personal data.
"""

from collections.abc import Mapping
from typing import ClassVar


class DatabaseError(Exception):
    """A statement failed. `code` is MySQL's error number, if there is one.

    `status` is the corresponding HTTP status, for traces and metrics.
    """

    status: ClassVar[int] = 500
    retry_after: ClassVar[int | None] = None
    is_outcome_unknown: bool = False

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


class DatabaseMisconfigured(DatabaseError):
    """A setting of the database is out of range. The message says what to change."""


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


class StatementRolledBack(DatabaseError):
    """The database ended the statement and undid its changes. A retry may succeed."""

    retry_after = 1


# Sources of the numbers and their meaning:
#   server   https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
#   client   https://dev.mysql.com/doc/mysql-errors/8.0/en/client-error-reference.html
#   InnoDB   https://dev.mysql.com/doc/refman/8.0/en/innodb-error-handling.html
#   Aurora   https://repost.aws/knowledge-center/aurora-mysql-db-cluser-read-only-error
#   proxy    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-proxy.troubleshooting.html
#   MariaDB  https://mariadb.com/kb/en/mariadb-error-codes/
# InnoDB rolls back a statement that fails, so only a lost connection leaves its outcome unknown.
_BY_CODE: Mapping[int, type[DatabaseError]] = {
    1062: DuplicateKey,  # server: ER_DUP_ENTRY
    # The server or the proxy accepts no statement from this client.
    1040: StatementNotBegun,  # server: ER_CON_COUNT_ERROR; proxy: limits of connections and logins
    1135: StatementNotBegun,  # server: ER_CANT_CREATE_THREAD
    1203: StatementNotBegun,  # server: ER_TOO_MANY_USER_CONNECTIONS
    1226: StatementNotBegun,  # server: ER_USER_LIMIT_REACHED
    2002: StatementNotBegun,  # client: CR_CONNECTION_ERROR
    2003: StatementNotBegun,  # client: CR_CONN_HOST_ERROR
    2005: StatementNotBegun,  # client: CR_UNKNOWN_HOST
    2012: StatementNotBegun,  # client: CR_SERVER_HANDSHAKE_ERR
    3032: StatementNotBegun,  # server: ER_SERVER_OFFLINE_MODE
    3168: StatementNotBegun,  # server: ER_SERVER_ISNT_AVAILABLE
    4031: StatementNotBegun,  # server: ER_CLIENT_INTERACTION_TIMEOUT, the session had ended before
    9501: StatementNotBegun,  # proxy: timed out while waiting for a database connection
    # A failover has made this writer a reader.
    1290: StatementNotBegun,  # Aurora: ER_OPTION_PREVENTS_STATEMENT
    1836: StatementNotBegun,  # server: ER_READ_ONLY_MODE
    1874: StatementNotBegun,  # server: ER_INNODB_READ_ONLY; Aurora: a reader has this mode
    # The connection was lost.
    1053: DatabaseUnavailable,  # server: ER_SERVER_SHUTDOWN
    1152: DatabaseUnavailable,  # server: ER_ABORTING_CONNECTION
    1158: DatabaseUnavailable,  # server: ER_NET_READ_ERROR
    1159: DatabaseUnavailable,  # server: ER_NET_READ_INTERRUPTED
    1160: DatabaseUnavailable,  # server: ER_NET_ERROR_ON_WRITE
    1161: DatabaseUnavailable,  # server: ER_NET_WRITE_INTERRUPTED
    1184: DatabaseUnavailable,  # server: ER_NEW_ABORTING_CONNECTION
    1927: DatabaseUnavailable,  # MariaDB: ER_CONNECTION_KILLED
    2006: DatabaseUnavailable,  # client: CR_SERVER_GONE_ERROR
    2013: DatabaseUnavailable,  # client: CR_SERVER_LOST
    2027: DatabaseUnavailable,  # client: CR_MALFORMED_PACKET
    2055: DatabaseUnavailable,  # client: CR_SERVER_LOST_EXTENDED
    3169: DatabaseUnavailable,  # server: ER_SESSION_WAS_KILLED
    # The statement ran, and failed for a temporary reason.
    1021: StatementRolledBack,  # server: ER_DISK_FULL
    1205: LockTimeout,  # InnoDB: ER_LOCK_WAIT_TIMEOUT, rolls back the statement
    3572: LockTimeout,  # server: ER_LOCK_NOWAIT
    1213: Deadlock,  # InnoDB: ER_LOCK_DEADLOCK, rolls back the transaction
    1969: StatementTimeout,  # MariaDB: ER_STATEMENT_TIMEOUT
    3024: StatementTimeout,  # server: ER_QUERY_TIMEOUT
    1037: StatementRolledBack,  # server: ER_OUTOFMEMORY, "try again"
    1041: StatementRolledBack,  # server: ER_OUT_OF_RESOURCES, memory
    1114: StatementRolledBack,  # InnoDB: ER_RECORD_FILE_FULL, no disk space, rolls back
    1206: StatementRolledBack,  # server: ER_LOCK_TABLE_FULL
    1317: StatementRolledBack,  # server: ER_QUERY_INTERRUPTED, by KILL QUERY or a failover
    1412: StatementRolledBack,  # server: ER_TABLE_DEF_CHANGED, "please retry"
    1615: StatementRolledBack,  # server: ER_NEED_REPREPARE
    1637: StatementRolledBack,  # server: ER_TOO_MANY_CONCURRENT_TRXS
    1689: StatementRolledBack,  # server: ER_LOCK_ABORTED
    3101: StatementRolledBack,  # server: ER_TRANSACTION_ROLLBACK_DURING_COMMIT
}


def error_for(code: int) -> DatabaseError:
    """Return the error for MySQL's number `code`."""
    return _BY_CODE.get(code, StatementFailed)(f"MySQL error {code}", code)
