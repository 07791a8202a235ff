"""Convert database errors to those of the Data API, with MySQL's messages.

Source: https://dev.mysql.com/doc/relnotes/mysql/8.0/en/news-8-0-19.html (the key of error 1062)
"""

import contextlib
import logging
import re
from collections.abc import Iterator

import pymysql
from pymysql.constants import ER

from .errors import (
    DataApiError,
    DatabaseErrorException,
    DatabaseUnavailableException,
)
from .mysql_errors import DatabaseUnavailable, error_for

logger = logging.getLogger(__name__)

CLIENT_ERRORS = range(2000, 3000)
"""Numbers of errors that the client library reports, not the server."""

_KEY = re.compile(r" for key '([^'.]+)'$")
_NAME = r"(?:`?[\w$]+`?\s*\.\s*)?`?(?P<{}>[\w$]+)`?"
# A statement that begins with the name of the one table that it writes to.
_WRITE = re.compile(
    rf"""
    (?:\s | /\*(?!!).*?\*/ | (?:--\s|\#)[^\n]*\n)*+
    (?:
      (?:INSERT|REPLACE)\s+(?:(?:LOW_PRIORITY|HIGH_PRIORITY|IGNORE|INTO)\s+)*{_NAME.format("insert")}
    | UPDATE\s+(?:(?:LOW_PRIORITY|IGNORE)\s+)*{_NAME.format("update")}
      \s+(?:(?:AS\s+)?`?\w+`?\s+)?SET\b
    | ALTER\s+TABLE\s+{_NAME.format("alter")}
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def name_table(error: pymysql.Error, sql: str) -> None:
    """Change `for key 'uq'` in MariaDB's error 1062 to MySQL's `for key 'table.uq'`.

    Messages of statements that don't begin with the name of their only table stay unchanged.
    """
    match error.args:
        case (ER.DUP_ENTRY, str() as message):
            write, key = _WRITE.match(sql), _KEY.search(message)
            if write and key:
                table = write["insert"] or write["update"] or write["alter"]
                error.args = (ER.DUP_ENTRY, f"{message[: key.start(1)]}{table}.{key[1]}'")


def from_database(error: pymysql.Error) -> DataApiError:
    """Convert a PyMySQL error to the client's error.

    The text of a database error is the server's own, and ends with its numbers, as in `Duplicate
    entry 'x' for key 'y'; Error code: 1062; SQLState: 23000`.
    """
    match error.args:
        case (int() as code, str() as message) if not is_connection_lost(code):
            return DatabaseErrorException(message, code, error.sqlstate or "HY000")
        case _:  # PyMySQL's own errors have no number, and mean a broken connection
            # The response has no message.
            logger.warning("the database is not available: %s", error)
            return DatabaseUnavailableException("The database is not available")


def is_connection_lost(code: int) -> bool:
    """Return whether an error means that the database is not connected."""
    # 0 is PyMySQL's code for a connection that it has closed.
    return code == 0 or code in CLIENT_ERRORS or type(error_for(code)) is DatabaseUnavailable


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """Convert PyMySQL's errors in the block to DataApiError."""
    try:
        yield
    except pymysql.Error as error:
        raise from_database(error) from error
