"""Run a statement on a connection: bind parameters, execute, and return AWS's response."""

import contextlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pymysql
from pymysql.cursors import SSCursor

from . import results
from .connections import Connection
from .database_errors import name_table
from .errors import (
    BadRequestException,
    StatementTimeoutException,
    UnsupportedResultException,
    ValidationException,
)
from .placeholders import TOKEN, to_pyformat
from .values import integer

# Statements that don't change their session, if they set no variable and take no lock.
_KEEPS_SESSION = re.compile(
    r"[\s(]*(SELECT|WITH|INSERT|UPDATE|DELETE|REPLACE|SHOW|EXPLAIN|DESC|DESCRIBE|VALUES)\b"
    r"(?!.*(@|\bGET_LOCK\b))",
    re.IGNORECASE | re.DOTALL,
)

# The names that can read the results of the session's earlier statements.
_READS_RESULTS = re.compile(
    r"@|\b(LAST_INSERT_ID|ROW_COUNT|FOUND_ROWS|WARNINGS|ERRORS|DIAGNOSTICS|CALL)\b", re.IGNORECASE
)

Response = dict[str, Any]
Parameters = dict[str, Any]


def check(sql: str) -> None:
    """Raise ValidationException if `sql` contains more than one statement."""
    if ";" in sql and ";" in _without_literals(sql).rstrip("; \t\r\n"):
        raise ValidationException("Multistatements aren't supported")


@lru_cache(maxsize=256)
def reads_results(sql: str) -> bool:
    """Return whether `sql` may read the ids, counts or warnings of an earlier statement."""
    return _may_hide_code(sql) or _READS_RESULTS.search(_without_literals(sql)) is not None


def execute(
    connection: Connection,
    sql: str,
    parameters: Parameters,
    shape: results.Shape,
    row_limit: int | None = None,
) -> Response:
    """Run a statement and return ExecuteStatement's response.

    Only a statement with a result set has `records`, or the format in `shape`. `row_limit` is the
    maximum size of a row in bytes.

    Raises BadRequestException for a parameter without a value, the exceptions of `results.read`,
    and pymysql.Error.
    """
    with _cursor(connection) as cursor:
        _run(connection, cursor, sql, parameters)
        if not cursor.description:
            return {
                "generatedFields": _generated(cursor),
                "numberOfRecordsUpdated": cursor.rowcount,
            }
        return {"numberOfRecordsUpdated": 0, **results.read(cursor, shape, row_limit)}


def execute_batch(connection: Connection, sql: str, sets: list[Parameters]) -> Response:
    """Run a statement for each set of parameters, and return BatchExecuteStatement's response.

    Raises what `execute` raises. The caller must undo the sets before the failing one.
    """
    return {"updateResults": [_update(connection, sql, parameters) for parameters in sets]}


def _update(connection: Connection, sql: str, parameters: Parameters) -> Response:
    with _cursor(connection) as cursor:
        _run(connection, cursor, sql, parameters)
        return {"generatedFields": _generated(cursor)}


@contextlib.contextmanager
def _cursor(connection: Connection) -> Iterator[SSCursor]:
    """Open an unbuffered cursor. The rest of a rejected result is not read."""
    cursor = connection.cursor(SSCursor)
    unread = False
    try:
        yield cursor
    except UnsupportedResultException:
        unread = True  # and may be endless
        connection.spoiled = True
        connection.abort()
        raise
    finally:
        if unread or not connection.open:
            _discard(cursor)
        else:
            cursor.close()


def _discard(cursor: SSCursor) -> None:
    """Discard a result. PyMySQL would read on, even from a lost connection and on deletion."""
    if result := cursor._result:  # type: ignore[attr-defined]  # noqa: SLF001
        result.unbuffered_active = False
    cursor._result = None  # type: ignore[attr-defined]  # noqa: SLF001


def _run(connection: Connection, cursor: SSCursor, sql: str, parameters: Parameters) -> None:
    statement = _bind(connection, sql, parameters)
    if connection.spoiled:  # by a statement of this transaction, perhaps SET NAMES
        connection.query("SET NAMES utf8mb4")
    check_time(connection)
    connection.spoiled = connection.spoiled or not _keeps_session(sql)
    try:
        cursor.execute(statement)
    except pymysql.Error as error:
        name_table(error, sql)
        raise


def check_time(connection: Connection) -> None:
    """Raise StatementTimeoutException after the timeout: KILL QUERY only ends running ones."""
    if connection.expired:
        raise StatementTimeoutException(connection.id)


def _bind(connection: Connection, sql: str, parameters: Parameters) -> str:
    literals = {name: connection.escape(value) for name, value in parameters.items()}
    try:
        return to_pyformat(sql) % literals
    except KeyError as missing:
        raise BadRequestException(f"Cannot find parameter: {missing.args[0]}") from None


def _generated(cursor: SSCursor) -> list[dict[str, Any]]:
    return [integer(str(cursor.lastrowid))] if cursor.lastrowid else []


@lru_cache(maxsize=256)
def _keeps_session(sql: str) -> bool:
    return not _may_hide_code(sql) and _KEEPS_SESSION.match(_without_literals(sql)) is not None


def _may_hide_code(sql: str) -> bool:
    """Return whether `sql` contains an executable comment."""
    return "/*!" in sql or "/*M!" in sql


def _without_literals(sql: str) -> str:
    """Return `sql` without its strings, quoted identifiers, comments and parameters."""
    return TOKEN.sub(" ", sql)
