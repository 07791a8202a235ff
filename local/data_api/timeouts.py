"""End a statement after its timeout: KILL QUERY, through a second connection."""

import contextlib
import logging
import threading
from collections.abc import Iterator

import pymysql

from .connections import Connection, Pool
from .errors import StatementTimeoutException

logger = logging.getLogger(__name__)


class Attempt:
    """A call in a thread, which its timeout may end."""

    def __init__(self, pool: Pool) -> None:
        self.connection_id = 0
        self._pool = pool
        self._connection: Connection | None = None
        self._expired = False
        # Locked during the kill, so that it can't hit a later statement on the same connection.
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def on(self, connection: Connection) -> Iterator[None]:
        """Run on `connection`.

        Raises StatementTimeoutException after the timeout, regardless of other results.
        """
        with self._lock:
            self.connection_id = connection.id
            self._connection = connection
            connection.expired = False
        try:
            if not self._expired:
                yield
        finally:
            with self._lock:
                self._connection = None
            if self._expired:
                connection.spoiled = True
                raise StatementTimeoutException(self.connection_id)

    def expire(self) -> None:
        """Kill the running statement.

        Blocks until the database has responded, or is found to be down.
        """
        with self._lock:
            self._expired = True
            if connection := self._connection:
                connection.expired = True
                try:
                    self._pool.kill_query(self.connection_id)
                except pymysql.Error as error:
                    logger.warning("could not kill query %d: %r", self.connection_id, error)
                    connection.abort()
