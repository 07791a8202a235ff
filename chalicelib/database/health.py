"""Check a database at most once per second, regardless of the number of requests."""

import time
from collections.abc import Callable
from copy import copy
from math import inf
from threading import Lock

from chalicelib.database.contract import Database
from chalicelib.database.errors import DatabaseError, StatementNotBegun
from chalicelib.database.retries import seconds_left

RESULT_SECONDS = 1.0
"""How long the result of a check is used again, whether it succeeded or failed."""


class Health:
    """The health of a database. Thread-safe: concurrent callers share one check."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = Lock()
        self._expires = -inf
        self._error: DatabaseError | None = None

    def check(self) -> None:
        """Raise what `ping` raises, or raised within the last second.

        Raises StatementNotBegun if another caller's check outlasts this request.
        """
        if not self._lock.acquire(timeout=max(seconds_left(), 0)):
            raise StatementNotBegun("another request's check of the database has not ended")
        try:
            if self._clock() >= self._expires:
                self._ping()
            elif self._error:
                raise copy(self._error)  # each thread adds its own traceback
        finally:
            self._lock.release()

    def _ping(self) -> None:
        self._error = None
        try:
            self._database.ping()
        except DatabaseError as error:
            self._error = error
            raise
        finally:
            self._expires = self._clock() + RESULT_SECONDS
