"""Convert result values: what the database sends for a column becomes a Field.

    column                                Field
    TINYINT ... BIGINT, also UNSIGNED     longValue; above 2**63 - 1 stringValue
    TINYINT(1), BOOL, BIT(1)              booleanValue
    FLOAT, DOUBLE                         doubleValue
    DECIMAL, CHAR, TEXT, ENUM, SET, JSON, DATE, TIME, DATETIME, TIMESTAMP, YEAR
                                          stringValue, as the database writes it
    BINARY, VARBINARY, BLOB, BIT(n)       blobValue, base64
    NULL                                  isNull

`Returns` changes this for integers and DECIMAL, according to a call's resultSetOptions.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api.html
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

from pymysql.constants import FIELD_TYPE

from .columns import (
    BINARY_CHARSET,
    INTEGER_TYPES,
    REAL_TYPES,
    STRING_TYPES,
    Column,
    is_boolean,
)
from .parameters import LARGEST_LONG

Field = dict[str, Any]

NULL: Field = {"isNull": True}


class Returns(NamedTuple):
    """A call's options for integers (default: longValue) and DECIMAL (default: stringValue).

    A DECIMAL without scale is a longValue. Any other, and one of more than 64 bits, is a
    doubleValue.
    """

    longs_as_strings: bool = False
    decimals_as_numbers: bool = False


AS_THEY_ARE = Returns()


def to_field(column: Column, returns: Returns) -> Callable[[Any], Field]:
    """Return the function that converts the database's text or bytes for `column` to a Field."""
    if is_boolean(column):
        return _bit if column.type_code == FIELD_TYPE.BIT else _truth
    if column.type_code in STRING_TYPES and column.charsetnr == BINARY_CHARSET:
        return _bytes
    if column.type_code in INTEGER_TYPES and returns.longs_as_strings:
        return _digits
    if column.type_code == FIELD_TYPE.NEWDECIMAL and returns.decimals_as_numbers:
        return _real if column.scale else _whole
    return _FIELDS.get(column.type_code, _text)


def _truth(text: str) -> Field:
    return {"booleanValue": int(text) != 0}


def _bit(data: bytes) -> Field:
    return {"booleanValue": any(data)}


def integer(text: str) -> Field:
    number = int(text)
    return {"longValue": number} if number <= LARGEST_LONG else {"stringValue": text}


def _digits(text: str) -> Field:
    return {"stringValue": str(int(text))}  # without the zeros of ZEROFILL


def _whole(text: str) -> Field:
    number = int(text)
    return {"longValue": number} if abs(number) <= LARGEST_LONG else {"doubleValue": float(text)}


def _real(text: str) -> Field:
    return {"doubleValue": float(text)}


def _bytes(data: bytes) -> Field:
    return {"blobValue": b64encode(data).decode()}


def _text(text: str) -> Field:
    return {"stringValue": text}


_FIELDS: dict[int, Callable[[Any], Field]] = (
    dict.fromkeys(INTEGER_TYPES, integer)
    | dict.fromkeys(REAL_TYPES, _real)
    | {FIELD_TYPE.BIT: _bytes}
)
