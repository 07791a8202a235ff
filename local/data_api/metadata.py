"""columnMetadata: the database's description of a column in JDBC's terms, as AWS returns it.

Type codes are those of java.sql.Types, names and precisions those of MySQL Connector/J.

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_ColumnMetadata.html and
https://docs.oracle.com/en/java/javase/21/docs/api/constant-values.html#java.sql.Types.BIT
"""

from typing import Any

from pymysql.constants import FIELD_TYPE, FLAG

from .columns import (
    BINARY_CHARSET,
    INTEGER_TYPES,
    REAL_TYPES,
    STRING_TYPES,
    Column,
    is_boolean,
)
from .errors import UnsupportedResultException

# The connection's character set, utf8mb4, uses up to four bytes per character.
BYTES_PER_CHARACTER = 4
LARGEST_PRECISION = 2**31 - 1

TEXTS = STRING_TYPES | {FIELD_TYPE.JSON}
NUMBERS = INTEGER_TYPES | REAL_TYPES | {FIELD_TYPE.NEWDECIMAL}
# MySQL type: its name, and its java.sql.Types code.
_TYPES = {
    FIELD_TYPE.NULL: ("NULL", 0),
    FIELD_TYPE.TINY: ("TINYINT", -6),
    FIELD_TYPE.SHORT: ("SMALLINT", 5),
    FIELD_TYPE.INT24: ("MEDIUMINT", 4),
    FIELD_TYPE.LONG: ("INT", 4),
    FIELD_TYPE.LONGLONG: ("BIGINT", -5),
    FIELD_TYPE.FLOAT: ("FLOAT", 7),
    FIELD_TYPE.DOUBLE: ("DOUBLE", 8),
    FIELD_TYPE.NEWDECIMAL: ("DECIMAL", 3),
    FIELD_TYPE.BIT: ("BIT", -7),
    FIELD_TYPE.DATE: ("DATE", 91),
    FIELD_TYPE.TIME: ("TIME", 92),
    FIELD_TYPE.DATETIME: ("DATETIME", 93),
    FIELD_TYPE.TIMESTAMP: ("TIMESTAMP", 93),
    FIELD_TYPE.YEAR: ("YEAR", 91),
    FIELD_TYPE.ENUM: ("ENUM", 1),
    FIELD_TYPE.SET: ("SET", 1),
    FIELD_TYPE.JSON: ("JSON", -1),
}
_TEXTS = {FIELD_TYPE.STRING: ("CHAR", 1), FIELD_TYPE.VAR_STRING: ("VARCHAR", 12)}
_BINARIES = {FIELD_TYPE.STRING: ("BINARY", -2), FIELD_TYPE.VAR_STRING: ("VARBINARY", -3)}
# The maximum length, in characters or bytes, of each size of TEXT and BLOB.
_SIZES = ((2**8 - 1, "TINY", 12, -3), (2**16 - 1, "", -1, -4), (2**24 - 1, "MEDIUM", -1, -4))
_PRECISIONS = {
    FIELD_TYPE.TINY: 3,
    FIELD_TYPE.SHORT: 5,
    FIELD_TYPE.INT24: 7,
    FIELD_TYPE.LONG: 10,
    FIELD_TYPE.LONGLONG: 19,
}


def describe(column: Column) -> dict[str, Any]:
    """Return the 14 fields of ColumnMetadata.

    Raises UnsupportedResultException for a type that the Data API does not support.
    """
    name, code = type_of(column)
    number = column.type_code in NUMBERS and not is_boolean(column)
    unsigned = number and column.flags & FLAG.UNSIGNED
    return {
        "arrayBaseColumnType": 0,
        "isAutoIncrement": bool(column.flags & FLAG.AUTO_INCREMENT),
        "isCaseSensitive": column.type_code in TEXTS and bool(column.flags & FLAG.BINARY),
        "isCurrency": False,
        "isSigned": number and not unsigned,
        "label": column.name,
        "name": column.org_name or column.name,
        "nullable": 0 if column.flags & FLAG.NOT_NULL else 1,
        "precision": min(_precision(column), LARGEST_PRECISION),
        "scale": column.scale if column.type_code == FIELD_TYPE.NEWDECIMAL else 0,
        "schemaName": "",
        "tableName": column.org_table,
        "type": code,
        "typeName": f"{name} UNSIGNED" if unsigned else name,
    }


def type_of(column: Column) -> tuple[str, int]:
    """Return a column's type name and its java.sql.Types code.

    Raises UnsupportedResultException for a type that the Data API does not support.
    """
    if column.flags & (FLAG.ENUM | FLAG.SET):
        return _TYPES[FIELD_TYPE.ENUM if column.flags & FLAG.ENUM else FIELD_TYPE.SET]
    if is_boolean(column):
        return _TYPES[FIELD_TYPE.BIT]
    if column.type_code in STRING_TYPES:
        return _string_type(column)
    if column.type_code in _TYPES:
        return _TYPES[column.type_code]
    name = "GEOMETRY" if column.type_code == FIELD_TYPE.GEOMETRY else str(column.type_code)
    raise UnsupportedResultException(f"The result contains the unsupported data type {name}")


def _string_type(column: Column) -> tuple[str, int]:
    binary = column.charsetnr == BINARY_CHARSET
    plain = _BINARIES if binary else _TEXTS
    if column.type_code in plain:
        return plain[column.type_code]
    for longest, size, text, blob in _SIZES:
        if _characters(column) <= longest:
            return (f"{size}BLOB", blob) if binary else (f"{size}TEXT", text)
    return ("LONGBLOB", -4) if binary else ("LONGTEXT", -1)


def _precision(column: Column) -> int:
    """Return the digits of a number, characters of a text or time, bytes of a binary string."""
    if column.type_code == FIELD_TYPE.NEWDECIMAL:
        sign = 0 if column.flags & FLAG.UNSIGNED else 1
        return column.length - sign - (1 if column.scale else 0)
    if column.type_code == FIELD_TYPE.LONGLONG and column.flags & FLAG.UNSIGNED:
        return 20
    if column.type_code in _PRECISIONS and not is_boolean(column):
        return _PRECISIONS[column.type_code]
    return _characters(column)


def _characters(column: Column) -> int:
    text = column.type_code in STRING_TYPES and column.charsetnr != BINARY_CHARSET
    # The protocol caps a LONGTEXT's length, because its bytes don't fit.
    return column.length // (BYTES_PER_CHARACTER if text else 1)
