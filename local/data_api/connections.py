"""A pool of database connections, opened on demand and reused while they work.

The pool is a stack, so the next call uses the most recently used connection, which is most likely
still open. The socket of an idle connection is silent; if it is readable, the server has closed the
connection. Only connections that were idle for long are pinged. After one lost connection, all idle
ones are pinged.
"""

import contextlib
import select
import socket
import time
from collections.abc import Iterator

import pymysql
from pymysql.constants import CLIENT

from .address import Address
from .database_errors import database_errors
from .errors import DataApiError, DatabaseUnavailableException
from .parameters import CONVERSIONS

CONNECT_TIMEOUT = 5
# Seconds. Checking the socket switches threads, which costs a tenth of a call's time.
LOOK_AFTER_IDLE = 0.1
PING_AFTER_IDLE = 30.0

# Without rows, so FOUND_ROWS() is 0. On MariaDB, only statements with a table clear the warnings.
FORGET = "SELECT 1 FROM information_schema.character_sets WHERE LAST_INSERT_ID(0)"

# Defaults of Aurora MySQL 8.0 and, on MariaDB, MySQL's rounding of fractional seconds. Parameters
# are escaped with backslashes, and the tokenizer supports nothing else.
SESSION = """
SET time_zone = '+00:00', autocommit = 1, group_concat_max_len = 1024, sql_mode = CONCAT(
  'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,',
  'ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
  IF(VERSION() LIKE '%MariaDB%', ',TIME_ROUND_FRACTIONAL', ''))
"""


class Connection(pymysql.connections.Connection):
    """A session: its default database, and whether a statement may have changed the session.

    `expired` means that the timeout of the current call has passed. `lock_wait` is the time in
    seconds that a statement waits for a row lock; by default, the server's setting applies.
    """

    _sock: socket.socket | None
    _read_timeout: float | None

    def __init__(
        self,
        address: Address,
        database: str,
        read_timeout: float | None = None,
        lock_wait: int | None = None,
    ) -> None:
        self.database = database
        self.spoiled = False
        self.expired = False
        self.used = time.monotonic()
        limit = f", innodb_lock_wait_timeout = {lock_wait}" if lock_wait else ""
        super().__init__(
            **{**address.login, "database": database},
            charset="utf8mb4",
            conv=CONVERSIONS,
            autocommit=None,  # SESSION sets it
            init_command=SESSION + limit,
            # Otherwise an UPDATE would count the changed rows, not the matched ones.
            client_flag=CLIENT.FOUND_ROWS,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=CONNECT_TIMEOUT,
        )
        # Limits the login to a hanging server, but not the time of statements.
        self._read_timeout = read_timeout

    @property
    def id(self) -> int:
        """The server's id for this connection."""
        return int(self.thread_id())  # type: ignore[no-untyped-call]

    def is_alive(self) -> bool:
        """Return whether the server is still connected, if possible without a ping."""
        idle = time.monotonic() - self.used
        if self._sock is None or (idle > LOOK_AFTER_IDLE and _is_readable(self._sock)):
            return False
        if idle > PING_AFTER_IDLE:
            with contextlib.suppress(pymysql.Error):
                self.ping()
        return self.open

    def use(self, database: str) -> None:
        """Make `database` the default database."""
        if database != self.database:
            self.select_db(database)
            self.database = database

    def forget_results(self) -> None:
        """Hide the generated ids, counts and warnings of earlier statements from the next one."""
        self.query(FORGET)

    def abort(self) -> None:
        """Close the socket, from any thread: a waiting statement ends with a lost connection."""
        if sock := self._sock:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def discard(self) -> None:
        """Close the connection in any state; the server rolls back open transactions."""
        with contextlib.suppress(pymysql.Error):
            self.close()


class Pool:
    """The idle connections, at most `size`. The caller limits the number of connections in use."""

    def __init__(self, address: Address, size: int, lock_wait: int | None = None) -> None:
        self.address = address
        self._lock_wait = lock_wait
        self._size = size
        self._idle: list[Connection] = []
        self._in_use: set[Connection] = set()
        self._closed = False

    @contextlib.contextmanager
    def connection(self, database: str | None) -> Iterator[Connection]:
        """Borrow a connection for the duration of the block.

        Raises DataApiError for every database error, including errors of the block's statements.
        """
        with database_errors():
            connection = self.take(database)
            try:
                yield connection
            except (pymysql.Error, DataApiError):
                raise
            except BaseException:
                connection.spoiled = True
                raise
            finally:
                self.give_back(connection)

    def take(self, database: str | None) -> Connection:
        """Return a connection with the default database `database`, or the URL's."""
        database = database or self.address.database
        connection = self._pop() or Connection(self.address, database, lock_wait=self._lock_wait)
        self._in_use.add(connection)
        # Checked after it was added, so that either this check or `close` closes it.
        if self._closed:
            self.give_back(connection)
            raise DatabaseUnavailableException("The server is shutting down")
        try:
            connection.use(database)
        except pymysql.Error:
            self.give_back(connection)
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        """Return a connection to the pool, unless it is lost, spoiled or superfluous."""
        self._in_use.discard(connection)
        if not connection.open:
            self.close_idle()
        elif connection.spoiled or self._closed or len(self._idle) >= self._size:
            connection.discard()
        else:
            connection.used = time.monotonic()
            self._idle.append(connection)

    def kill_query(self, connection_id: int) -> None:
        """End the statement that a connection is running, through a second connection."""
        with contextlib.closing(self._killer()) as killer:
            killer.query(f"KILL QUERY {connection_id:d}")

    def close_idle(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().discard()

    def close(self) -> None:
        """Close all connections: idle ones regularly, others by killing their sessions."""
        self._closed = True
        self.close_idle()
        in_use = list(self._in_use)
        if in_use:
            with contextlib.suppress(pymysql.Error):
                self._kill(in_use)
        for connection in in_use:
            connection.abort()

    def _kill(self, connections: list[Connection]) -> None:
        with contextlib.closing(self._killer()) as killer:
            for connection in connections:
                with contextlib.suppress(pymysql.Error):
                    killer.query(f"KILL {connection.id:d}")

    def _killer(self) -> Connection:
        return Connection(self.address, self.address.database, read_timeout=CONNECT_TIMEOUT)

    def _pop(self) -> Connection | None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if connection.is_alive():
                return connection
            connection.discard()
            self.close_idle()
        return None


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
