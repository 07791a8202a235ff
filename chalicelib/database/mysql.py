"""The database through PyMySQL: Aurora behind RDS Proxy, or any MySQL server.

`chalicelib.database.address` describes the URL and its options. Each session limits its wait for
locks. If AWS provides the login, the database's parameter group does this, because RDS Proxy would
pin every session that sets the variable:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-proxy-pinning.html
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BufferedReader
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CLIENT, FIELD_TYPE

from chalicelib.database import retries
from chalicelib.database.address import Address, AddressError
from chalicelib.database.contract import Database, Row, Value
from chalicelib.database.errors import (
    DatabaseError,
    DatabaseUnavailable,
    StatementNotBegun,
    StatementTimeout,
    error_for,
)
from chalicelib.database.parameters import to_pyformat
from chalicelib.database.retries import LOCK_SECONDS, attempt_seconds
from chalicelib.deadlines import Deadline, SocketReader
from chalicelib.settings import SettingsError

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

CONNECT_SECONDS = 3
_MIN_TIMEOUT = 0.001  # seconds, because a socket with a timeout of 0 doesn't wait at all
_CHANGED_BY_READER = -1.0  # differs from each timeout
IDLE_SECONDS = 5  # a connection that was unused for longer is pinged first

_UTC = "SET time_zone = '+00:00'"
# MySQL rejects a DECIMAL, which is the result of LEAST for a signed and an unsigned integer.
_LOCK_LIMIT = (
    "innodb_lock_wait_timeout ="
    f" LEAST(@@innodb_lock_wait_timeout, CAST({LOCK_SECONDS} AS UNSIGNED))"
)


class MySQL(Database, threading.local):
    """A server's database. Each thread keeps one connection, across warm invocations.

    Raises SettingsError if the URL is malformed.
    """

    def __init__(self, url: str) -> None:
        with _settings_errors():
            Address.parse(url)
        self._url = url
        self._connection: Connection | None = None
        self._last_used = 0.0
        self._in_transaction = False

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        connection = self._live_connection()
        with _translated_errors():
            connection.begin()
        self._in_transaction = True
        try:
            yield _Transaction(connection)
        except BaseException:
            with suppress(pymysql.MySQLError):
                connection.rollback()
            raise
        else:
            with _translated_errors():
                connection.commit()
        finally:
            self._in_transaction = False

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        connection = self._live_connection()
        try:
            result = _run_on(connection, sql, parameters)
        except StatementNotBegun:  # by a reader, after a failover: there is a new writer
            connection.close()
            raise
        self._last_used = time.monotonic()
        return result

    def _run_to_end(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        connection = self._live_connection()
        connection.is_patient = True
        try:
            return self._run(sql, parameters)
        finally:
            connection.is_patient = False

    def _live_connection(self) -> "Connection":
        if self._in_transaction:  # this statement would run in it
            raise RuntimeError("A transaction is open: use what it gave.")
        attempt_seconds()  # raises if no time is left
        if self._connection and self._connection.open:
            if time.monotonic() - self._last_used < IDLE_SECONDS:
                return self._connection
            with suppress(pymysql.MySQLError):
                self._connection.ping(reconnect=False)
                return self._connection
        self._connection = _connected(self._url)
        return self._connection


class _Transaction(Database):
    """A transaction on a connection. It never reconnects: a lost connection ends it."""

    is_transaction = True

    def __init__(self, connection: "pymysql.Connection[Cursor]") -> None:
        self._connection = connection

    def transaction(self) -> Any:
        raise NotImplementedError("Transactions don't nest.")

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        return _run_on(self._connection, sql, parameters)


class Connection(pymysql.connections.Connection):
    """A connection that never waits longer for the server than the request has time.

    If it `is_patient`, it has no limit: a server may end a statement whose client has gone.
    """

    is_patient = False
    _reader: BufferedReader | None = None

    def connect(self, sock: Any = None) -> None:
        self._begin()
        super().connect(sock)

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        self._begin()
        super()._execute_command(command, sql)  # type: ignore[misc]

    def _begin(self) -> None:
        """Set the deadline of a command and its response.

        PyMySQL sets the socket's timeout if it differs from the last one that it has set: once for
        a command, because each time lets other threads take Python's lock.
        """
        self._deadline = Deadline(min(retries.ATTEMPT_SECONDS, retries.seconds_left()))
        self._read_timeout = self._write_timeout = self._seconds_left()
        self._current_timeout = _CHANGED_BY_READER

    def _seconds_left(self) -> float | None:
        return None if self.is_patient else max(self._deadline.seconds, _MIN_TIMEOUT)

    @property
    def _rfile(self) -> BufferedReader | None:
        return self._reader

    @_rfile.setter
    def _rfile(self, reader: Any) -> None:
        """Replace PyMySQL's reader: its timeout starts again with each part of a packet."""
        if reader is not None:
            reader.close()
            reader = BufferedReader(SocketReader(self._sock, self._seconds_left))  # type: ignore[attr-defined]
        self._reader = reader


def _connected(url: str) -> Connection:
    seconds = min(CONNECT_SECONDS, attempt_seconds())
    arguments = connection_arguments(url) | {"connect_timeout": seconds}
    try:
        with _translated_errors():
            return Connection(**arguments)
    except (DatabaseUnavailable, StatementTimeout) as error:
        raise StatementNotBegun(str(error), error.code) from None


def connection_arguments(url: str) -> dict[str, Any]:
    """Return PyMySQL's arguments for the URL, each time with a new token or the secret's password.

    Raises SettingsError, without the URL, because it contains a password, and DatabaseError.
    """
    with _settings_errors():
        address = Address.parse(url)
        login = address.login
    if address.needs_aws:
        from chalicelib.database import logins

        login |= logins.login(address)
    return {
        **login,
        "charset": "utf8mb4",
        "autocommit": True,
        # As the Data API counts: rows matched, changed or not.
        "client_flag": CLIENT.FOUND_ROWS,
        "init_command": _UTC if address.needs_aws else f"{_UTC}, {_LOCK_LIMIT}",
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": retries.ATTEMPT_SECONDS,
        "write_timeout": retries.ATTEMPT_SECONDS,
    }


@contextmanager
def _settings_errors() -> Iterator[None]:
    try:
        yield
    except AddressError as error:
        raise SettingsError(str(error)) from None


def _run_on(
    connection: "pymysql.Connection[Cursor]", sql: str, parameters: Mapping[str, Value]
) -> tuple[list[Row], int]:
    arguments = {name: _to_mysql(value) for name, value in parameters.items()}
    with _translated_errors(), connection.cursor() as cursor:
        count = cursor.execute(to_pyformat(sql), arguments)
        if not cursor.description:
            return [], count
        columns: list[Any] = [column[:4] for column in cursor.description]
        return [_row(columns, values) for values in cursor.fetchall()], 0


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except pymysql.MySQLError as error:
        raise _translated(error) from None


def _translated(error: pymysql.MySQLError) -> DatabaseError:
    if isinstance(error.__context__, TimeoutError):
        return StatementTimeout("no answer in time")
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return error_for(code or 2006)  # no number: the connection was already closed


def _to_mysql(value: Value) -> Value:
    """Return the value in UTC, because PyMySQL returns times without a zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _row(columns: list[tuple[str, int, None, int]], values: tuple[Any, ...]) -> Row:
    return {
        name: _from_mysql(code, size, value)
        for (name, code, _, size), value in zip(columns, values, strict=True)
    }


def _from_mysql(code: int, size: int, value: Any) -> Value:
    if code == FIELD_TYPE.TINY and size == 1 and value is not None:
        return bool(value)
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
