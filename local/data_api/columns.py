"""A column as described in the database protocol, and the tests for special types.

Source:
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html
"""

from typing import Protocol

from pymysql.constants import FIELD_TYPE, FLAG

BINARY_CHARSET = 63
# The length that MariaDB's protocol reports for a JSON column.
LONGTEXT_BYTES = 2**32 - 1

INTEGER_TYPES = frozenset(
    {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG}
)
REAL_TYPES = frozenset({FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE})
STRING_TYPES = frozenset(
    {
        FIELD_TYPE.VARCHAR,
        FIELD_TYPE.VAR_STRING,
        FIELD_TYPE.STRING,
        FIELD_TYPE.TINY_BLOB,
        FIELD_TYPE.BLOB,
        FIELD_TYPE.MEDIUM_BLOB,
        FIELD_TYPE.LONG_BLOB,
    }
)


class Column(Protocol):
    """A column of a result, as PyMySQL parses it. `length` is in bytes or digits."""

    name: str
    org_name: str
    org_table: str
    type_code: int
    length: int
    scale: int
    flags: int
    charsetnr: int


def is_mariadb_json(column: Column) -> bool:
    """Return whether a column of MariaDB is JSON, which is a LONGTEXT with a binary collation."""
    return (
        column.type_code in STRING_TYPES
        and column.length == LONGTEXT_BYTES
        and column.charsetnr != BINARY_CHARSET
        and bool(column.flags & FLAG.BINARY)
    )


def is_boolean(column: Column) -> bool:
    """Return whether a column is BIT(1), BOOL or TINYINT(1). An unsigned TINYINT(1) is a number."""
    if column.type_code == FIELD_TYPE.TINY:
        return column.length == 1 and not column.flags & FLAG.UNSIGNED
    return column.type_code == FIELD_TYPE.BIT and column.length == 1
