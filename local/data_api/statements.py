"""One statement on one connection: parameters bound, run, its result in AWS's shapes."""

import contextlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pymysql.cursors import SSCursor

from chalicelib.database.parameters import TOKEN, to_pyformat
from local.data_api.columns import Column
from local.data_api.connections import Connection
from local.data_api.errors import (
    BadRequestException,
    UnsupportedResultException,
    ValidationException,
)
from local.data_api.metadata import describe, type_of
from local.data_api.values import NULL, to_field

RESPONSE_LIMIT = 1024 * 1024

# Statements that leave their session as it was, if they touch no variable and take no lock.
_HARMLESS = re.compile(
    r"[\s(]*(SELECT|WITH|INSERT|UPDATE|DELETE|REPLACE|SHOW|EXPLAIN|DESC|DESCRIBE|VALUES)\b"
    r"(?!.*(@|\bGET_LOCK\b))",
    re.IGNORECASE | re.DOTALL,
)

Response = dict[str, Any]
Parameters = dict[str, Any]


def check(sql: str) -> None:
    """Raise ValidationException when `sql` is more than one statement."""
    if ";" in sql and ";" in _bare(sql).rstrip("; \t\r\n"):
        raise ValidationException("Multistatements aren't supported")


def execute(
    connection: Connection, sql: str, parameters: Parameters, *, metadata: bool = False
) -> Response:
    """Run a statement and return ExecuteStatement's response.

    Only a statement with a result set has `records`, and `columnMetadata` if it was asked for.

    Raises BadRequestException for a parameter that has no value, UnsupportedResultException for
    a result that the Data API cannot return, and pymysql.Error.
    """
    with _cursor(connection) as cursor:
        _run(connection, cursor, sql, parameters)
        if not cursor.description:
            return {
                "generatedFields": _generated(cursor),
                "numberOfRecordsUpdated": cursor.rowcount,
            }
        columns = _columns(cursor)
        response: Response = {"numberOfRecordsUpdated": 0}
        if metadata:
            response["columnMetadata"] = [describe(column) for column in columns]
        response["records"] = _records(cursor, columns)
        return response


def execute_batch(connection: Connection, sql: str, sets: list[Parameters]) -> Response:
    """Run a statement once for each set of parameters and return BatchExecuteStatement's response.

    Raises what `execute` does; what the sets before the failing one did is the caller's to undo.
    """
    return {"updateResults": [_update(connection, sql, parameters) for parameters in sets]}


def _update(connection: Connection, sql: str, parameters: Parameters) -> Response:
    with _cursor(connection) as cursor:
        _run(connection, cursor, sql, parameters)
        return {"generatedFields": _generated(cursor)}


@contextlib.contextmanager
def _cursor(connection: Connection) -> Iterator[SSCursor]:
    """Open a cursor that reads row by row, and in the end what is left of the result."""
    cursor = connection.cursor(SSCursor)
    try:
        yield cursor
    finally:
        if connection.open:
            cursor.close()
        else:
            # PyMySQL would go on reading from the connection that it has lost.
            cursor._result = None  # type: ignore[attr-defined]  # noqa: SLF001


def _run(connection: Connection, cursor: SSCursor, sql: str, parameters: Parameters) -> None:
    statement = _bind(connection, sql, parameters)
    connection.spoiled = connection.spoiled or not _is_harmless(sql)
    cursor.execute(statement)


def _bind(connection: Connection, sql: str, parameters: Parameters) -> str:
    literals = {name: connection.escape(value) for name, value in parameters.items()}
    try:
        return to_pyformat(sql) % literals
    except KeyError as missing:
        raise BadRequestException(f"Cannot find parameter: {missing.args[0]}") from None


def _generated(cursor: SSCursor) -> list[dict[str, Any]]:
    return [{"longValue": cursor.lastrowid}] if cursor.lastrowid else []


def _columns(cursor: SSCursor) -> list[Column]:
    # The cursor's public description leaves out the flags and the character set.
    fields: list[Column] = cursor._result.fields  # type: ignore[attr-defined]  # noqa: SLF001
    return fields


def _records(cursor: SSCursor, columns: list[Column]) -> list[list[dict[str, Any]]]:
    for column in columns:
        type_of(column)  # refuses one that the Data API does not know
    fields = [to_field(column) for column in columns]
    return [
        [NULL if value is None else field(value) for field, value in zip(fields, row, strict=True)]
        for row in _limited(cursor)
    ]


def _limited(cursor: SSCursor) -> Iterator[tuple[Any, ...]]:
    size = 0
    for row in cursor:
        size += sum(len(value) for value in row if value is not None)
        if size > RESPONSE_LIMIT:
            raise UnsupportedResultException(
                "Database returned more than the allowed response size limit"
            )
        yield row


@lru_cache(maxsize=256)
def _is_harmless(sql: str) -> bool:
    return _HARMLESS.match(_bare(sql)) is not None


def _bare(sql: str) -> str:
    """Return `sql` without its strings, quoted identifiers, comments and parameters."""
    return TOKEN.sub(" ", sql)
