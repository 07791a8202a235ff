"""Read a result set within its limits, in one of AWS's two formats: records, or a JSON string.

Source: https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/API_ExecuteStatement.html and
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api-json.html
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from pymysql.constants import FIELD_TYPE
from pymysql.cursors import SSCursor

from .columns import Column, is_mariadb_json
from .errors import BadRequestException, UnsupportedResultException
from .metadata import describe, type_of
from .values import AS_THEY_ARE, NULL, Field, Returns, to_field

# Bytes. The first two limit the data from the database, the last one limits the JSON.
RESPONSE_LIMIT = 1024 * 1024
ROW_LIMIT = 64 * 1024
JSON_LIMIT = 10 * 1024 * 1024
# The database sends a header before each row, and at least one byte per value, including NULL.
ROW_HEADER = 4

Records = list[list[Field]]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Shape:
    """The requested format of a result set."""

    metadata: bool = False
    json: bool = False
    returns: Returns = AS_THEY_ARE

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """Create it from a call's validated fields."""
        options = fields.get("resultSetOptions", {})
        return cls(
            fields.get("includeResultMetadata", False),
            fields.get("formatRecordsAs") == "JSON",
            Returns(
                longs_as_strings=options.get("longReturnType") == "STRING",
                decimals_as_numbers=options.get("decimalReturnType") == "DOUBLE_OR_LONG",
            ),
        )


def read(cursor: SSCursor, shape: Shape, row_limit: int | None = None) -> dict[str, Any]:
    """Return the fields of a response that contain the result set of `cursor`.

    Raises UnsupportedResultException for a column type that the Data API does not support, and for
    a result that is too large; BadRequestException for a result that can't be JSON.
    """
    columns = _columns(cursor)
    for column in columns:
        type_of(column)  # raises for an unsupported type
    fields = [to_field(column, shape.returns) for column in columns]
    records = [
        [NULL if value is None else field(value) for field, value in zip(fields, row, strict=True)]
        for row in _limited(cursor, row_limit or RESPONSE_LIMIT)
    ]
    if shape.json:
        _check_labels(columns)
        return {"formattedRecords": _format(columns, records)}
    metadata = (
        {"columnMetadata": [describe(column) for column in columns]} if shape.metadata else {}
    )
    return {**metadata, "records": records}


def _columns(cursor: SSCursor) -> list[Column]:
    # The cursor's public description omits the flags and the character set.
    fields: list[Column] = cursor._result.fields  # type: ignore[attr-defined]  # noqa: SLF001
    server: str = cursor.connection.get_server_info()  # type: ignore[no-untyped-call]
    if "MariaDB" in server:
        for column in filter(is_mariadb_json, fields):
            column.type_code = FIELD_TYPE.JSON
    return fields


def _limited(cursor: SSCursor, row_limit: int) -> Iterator[tuple[Any, ...]]:
    total = 0
    for number, row in enumerate(cursor):
        size = sum(_size(value) for value in row if value is not None)
        # Not checked for the first row, so that one value may reach the limit.
        headers = len(row) + ROW_HEADER if number else 0
        total += size + headers
        if total > RESPONSE_LIMIT:
            raise UnsupportedResultException(
                "Database returned more than the allowed response size limit"
            )
        if size > row_limit:
            raise UnsupportedResultException(
                f"Packet for query is too large ({size:,} > {row_limit:,})"
            )
        yield row


def _size(value: str | bytes) -> int:
    # PyMySQL has decoded the text, so checking for ASCII takes no time.
    if isinstance(value, bytes) or value.isascii():
        return len(value)
    return len(value.encode())


def _check_labels(columns: list[Column]) -> None:
    labels = [column.name for column in columns]
    for label in labels:
        if labels.count(label) > 1:
            raise BadRequestException(f"The result set has more than one column named {label}")


def _format(columns: list[Column], records: Records) -> str:
    labels = [column.name for column in columns]
    # A Field has one key, whose value suits JSON; for a null the value is `true`.
    rows = (
        [None if field is NULL else value for field in record for value in field.values()]
        for record in records
    )
    text = _encode([dict(zip(labels, row, strict=True)) for row in rows])
    if len(text.encode()) > JSON_LIMIT:
        raise BadRequestException("The formatted result set is larger than 10 MB")
    return text
