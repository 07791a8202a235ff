"""Query plans: EXPLAIN for the text of a statement with placeholders."""

import re
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from chalicelib.database.mysql import Connection, connection_arguments
from chalicelib.database.parameters import TOKEN, to_pyformat
from chalicelib.database.retries import ANSWER_SECONDS
from chalicelib.deadlines import Deadline
from chalicelib.observability.tracing import MAX_SQL

PLAN_SECONDS = 3

_EXPLAINED = re.compile(r"[\s(]*(?:SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"_\d+$")
# With NULLs, most plans would be for an empty result, so the values of an existing row are used.
_EXAMPLE = "SELECT * FROM customers WHERE deleted_at IS NULL ORDER BY id DESC LIMIT 1"
_COLUMNS = {
    "after_id": "id",
    "created_after": "id",
    "created_before": "id",
    "after_updated_at": "updated_at",
    "updated_after": "updated_at",
    "email": "email_key",
    "now": "updated_at",
}
_VALUES = {"rows": 20, "limit": 20, "q": "a", "q_end": "b", "q_email": "a", "q_email_end": "b"}


class PlanError(Exception):
    """There is no query plan. The message tells a developer why."""


def explain(database_url: str, sql: str) -> dict[str, Any]:
    """Return `columns` and `rows` as texts. Raises PlanError."""
    if len(sql) >= MAX_SQL:
        raise PlanError(f"The trace contains only the first {MAX_SQL} characters of the statement.")
    if not _EXPLAINED.match(sql):
        raise PlanError("Only SELECT, INSERT, UPDATE and DELETE have a query plan.")
    # EXPLAIN may execute parts of a statement, and any local program may have sent this one.
    arguments = connection_arguments(database_url)
    try:
        with Deadline(PLAN_SECONDS + ANSWER_SECONDS), Connection(**arguments) as connection:
            return _explain(connection.cursor(DictCursor), sql)
    except pymysql.MySQLError as error:
        raise PlanError(f"Database error: {error.args[-1]}") from None


def _explain(cursor: DictCursor, sql: str) -> dict[str, Any]:
    cursor.execute(_EXAMPLE)
    values = _values(sql, cursor.fetchone() or {})
    # MySQL's default format can be a tree, depending on its version and settings.
    cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {to_pyformat(sql)}", values)
    columns = [column[0] for column in cursor.description or ()]
    rows = [[_text(row[name]) for name in columns] for row in cursor.fetchall()]
    return {"columns": columns, "rows": rows}


def _values(sql: str, example: dict[str, Any]) -> dict[str, Any]:
    names = {match["name"] for match in TOKEN.finditer(sql) if match["name"]}
    return {name: _value(name, example) for name in names}


def _value(name: str, example: dict[str, Any]) -> Any:
    if name in _VALUES:
        return _VALUES[name]
    column = _NUMBERED.sub("", name)
    return example.get(_COLUMNS.get(column, column))


def _text(value: object) -> str:
    return "" if value is None else str(value)
