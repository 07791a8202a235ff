"""Retry policy for SQL statements. No other module retries a statement.

    error means               query     guarded write            other write
    not executed              retry     retry                    retry
    outcome unknown           retry     retry, then read back    read back

A guarded write is idempotent: its unique key or its version condition makes a second execution
harmless. If the outcome is still unknown, the caller (`tables.run_write`, `creates`) reads the row
back.

A statement gets three attempts. While a paused cluster resumes, it gets as many attempts as fit
into the request's remaining time. After the last attempt the error is raised, and the API returns
503 with Retry-After. Statements inside a transaction are never retried.

No attempt outlasts the request's remaining time. `LOCK_SECONDS` is shorter than an attempt, so that
waiting for a lock ends with an error of the database, and not with an unknown outcome.

Backoff uses full jitter, so that clients that failed together do not retry together:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import os
import time

from chalicelib import deadlines
from chalicelib.database.errors import DatabaseError, DatabaseResuming, StatementNotBegun

MAX_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.05
"""Maximum backoff before the second attempt; it doubles with each further attempt."""
LONGEST_PAUSE_SECONDS = 2.0
ATTEMPT_SECONDS = 24.0
"""Maximum duration of an attempt, including the connection."""
LOCK_SECONDS = 5
"""Maximum time for which the database lets a statement wait for another transaction's row lock."""
STATEMENT_SECONDS = 27.0
"""Maximum duration of a statement with its retries, unless a request sets a deadline."""
ANSWER_SECONDS = 1.0
"""Time that a request reserves for its response."""


def seconds_left() -> float:
    """Return the seconds left for statements; negative after the deadline."""
    deadline = deadlines.current()
    return STATEMENT_SECONDS if deadline is None else deadline.seconds - ANSWER_SECONDS


def attempt_seconds() -> float:
    """Return how long an attempt may take. Raises StatementNotBegun if no time is left."""
    if (seconds := seconds_left()) <= 0:
        raise StatementNotBegun("the request has no time left for a statement")
    return min(ATTEMPT_SECONDS, seconds)


class Attempts:
    """The attempts at one statement. `unknown` is the first error with an unknown outcome.

    A query has no outcome that could be unknown. With `is_single`, there is one attempt.
    """

    def __init__(
        self, *, is_idempotent: bool, is_query: bool = False, is_single: bool = False
    ) -> None:
        self.number = 1
        self.is_single = is_single
        self.unknown: DatabaseError | None = None
        self._is_idempotent = is_idempotent
        self._is_query = is_query
        self._failures = 0
        self._end = 0.0

    def wait(self, error: DatabaseError) -> None:
        """Wait for the next attempt. Raises the error, or `unknown`, if none is left."""
        self._end = self._end or time.monotonic() + seconds_left()
        if self._is_query:
            error.is_outcome_unknown = False
        if error.is_outcome_unknown and not self.unknown:
            self.unknown = error
        self._failures += not isinstance(error, DatabaseResuming)
        pause = _pause(self.number)
        if not self._may_repeat(error) or time.monotonic() + pause > self._end:
            raise self.unknown or error
        time.sleep(pause)
        self.number += 1

    def _may_repeat(self, error: DatabaseError) -> bool:
        is_allowed = self._is_idempotent or not (error.is_outcome_unknown or self.is_single)
        return error.retry_after is not None and is_allowed and self._failures < MAX_ATTEMPTS


def _pause(number: int) -> float:
    longest: float = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (number - 1))
    # Not `random`, whose state would be shared by all environments restored from a snapshot.
    return longest * int.from_bytes(os.urandom(4)) / 2**32
