"""How a statement is ended when its time is up: KILL QUERY, through a second connection."""

import contextlib
import logging
import threading
from collections.abc import Iterator

import pymysql

from local.data_api.connections import Connection, Pool
from local.data_api.errors import StatementTimeoutException

logger = logging.getLogger(__name__)


class Attempt:
    """A call that a thread works on, and that its time may end."""

    def __init__(self, pool: Pool) -> None:
        self.connection_id = 0
        self._pool = pool
        self._connection: Connection | None = None
        self._expired = False
        # Held while the statement is killed, so that no later one on its connection is.
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def on(self, connection: Connection) -> Iterator[None]:
        """Run on `connection`.

        Raises StatementTimeoutException when time is up, whatever else has happened.
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
        """Kill what runs; blocks until the database has taken note, or is found to be gone."""
        with self._lock:
            self._expired = True
            if connection := self._connection:
                connection.expired = True
                try:
                    self._pool.kill_query(self.connection_id)
                except pymysql.Error as error:
                    logger.warning("could not kill query %d: %r", self.connection_id, error)
                    connection.abort()
