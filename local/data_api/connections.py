"""Connections to the database: made when needed, kept while they are good.

The pool is a stack, so that the connection used last, the likeliest to be alive, is used next.
A connection that lies idle should be silent: when its socket is readable, the server has hung
up. Only one that was idle for long is asked. When one is lost, all idle ones are suspected.
"""

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from ssl import SSLContext
from typing import Self

import pymysql
from pymysql.constants import CLIENT

from chalicelib.database.mysql import connection_arguments
from local.data_api.database_errors import database_errors
from local.data_api.errors import DataApiError, DatabaseUnavailableException
from local.data_api.parameters import CONVERSIONS

CONNECT_TIMEOUT = 5
# Seconds. Looking at the socket hands the interpreter to another thread: a tenth of a call's time.
LOOK_AFTER_IDLE = 0.1
PING_AFTER_IDLE = 30.0

# What Aurora MySQL 8.0 has by default, and on MariaDB MySQL's rounding of fractional seconds.
# Parameters are escaped with backslashes, and their tokenizer knows no other way.
SESSION = """
SET time_zone = '+00:00', autocommit = 1, group_concat_max_len = 1024, sql_mode = CONCAT(
  'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,',
  'ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
  IF(VERSION() LIKE '%MariaDB%', ',TIME_ROUND_FRACTIONAL', ''))
"""


@dataclass(frozen=True)
class Address:
    """Where the database is, and who we are there."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    ssl: SSLContext | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read the address as `chalicelib.database.mysql` does; raises SettingsError."""
        arguments = {"ssl": None} | connection_arguments(url)
        return cls(*(arguments[part.name] for part in fields(cls)))


class Connection(pymysql.connections.Connection):
    """A session: its default database, and whether what it ran may have changed the session.

    `expired` says that the time of the call that uses it is up.
    """

    _sock: socket.socket | None
    _read_timeout: float | None

    def __init__(self, address: Address, database: str, read_timeout: float | None = None) -> None:
        self.database = database
        self.spoiled = False
        self.expired = False
        self.used = time.monotonic()
        super().__init__(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=database,
            charset="utf8mb4",
            conv=CONVERSIONS,
            autocommit=None,  # SESSION says so
            init_command=SESSION,
            # Else the affected rows of an UPDATE are those that it changed, not those it found.
            client_flag=CLIENT.FOUND_ROWS,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=CONNECT_TIMEOUT,
            ssl=address.ssl,
            ssl_disabled=address.ssl is None,
        )
        # A server that hangs may not hold up a login; a statement's time is not ours to limit.
        self._read_timeout = read_timeout

    @property
    def id(self) -> int:
        """The server's number for this connection."""
        return int(self.thread_id())  # type: ignore[no-untyped-call]

    def is_alive(self) -> bool:
        """Tell whether the server is still there, if possible without asking it."""
        idle = time.monotonic() - self.used
        if self._sock is None or (idle > LOOK_AFTER_IDLE and _is_readable(self._sock)):
            return False
        if idle > PING_AFTER_IDLE:
            with contextlib.suppress(pymysql.Error):
                self.ping()
        return self.open

    def use(self, database: str) -> None:
        """Make `database` the default one."""
        if database != self.database:
            self.select_db(database)
            self.database = database

    def abort(self) -> None:
        """Hang up, from any thread: whoever waits for the server gets a lost connection."""
        if sock := self._sock:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def discard(self) -> None:
        """Close, whatever state the connection is in; the server rolls back what is open."""
        with contextlib.suppress(pymysql.Error):
            self.close()


class Pool:
    """The idle connections, at most `size`; how many are in use is its user's to limit."""

    def __init__(self, address: Address, size: int) -> None:
        self.address = address
        self._size = size
        self._idle: list[Connection] = []
        self._in_use: set[Connection] = set()
        self._closed = False

    @contextlib.contextmanager
    def connection(self, database: str | None) -> Iterator[Connection]:
        """Lend a connection.

        Raises DataApiError for every database error, also one of the caller's statements.
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
        """Return a connection whose default database is `database`, or the URL's."""
        database = database or self.address.database
        connection = self._pop() or Connection(self.address, database)
        self._in_use.add(connection)
        # Asked after it has been added: so either this sees that the pool closes, or `close` it.
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
        """Keep a connection for the next one, unless it is lost, spoiled or one too many."""
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
        """Close what is idle."""
        while self._idle:
            self._idle.pop().discard()

    def close(self) -> None:
        """Close everything: idle connections politely, those in use by ending their sessions."""
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
