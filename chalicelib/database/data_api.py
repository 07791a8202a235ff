"""The database through the RDS Data API.

https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/Welcome.html
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from chalicelib.database.clients import Client, ErrorAnswer
from chalicelib.database.contract import Database, Row, Value
from chalicelib.database.errors import (
    DatabaseError,
    DatabaseResuming,
    DatabaseThrottled,
    DatabaseUnavailable,
    StatementFailed,
    StatementTimeout,
    error_for,
)
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_rds_data.type_defs import (
        ExecuteStatementResponseTypeDef,
        FieldOutputTypeDef,
        SqlParameterTypeDef,
    )

_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429
_TEMPORARY = {
    "DatabaseUnavailableException",
    "InternalServerErrorException",
    "ServiceUnavailableError",
    "TransactionNotFoundException",
}
_THROTTLED = {"Throttling", "ThrottlingException"}

# Aurora's format is `...Error code: 1062; SQLState: 23000`, version 1's `Database error code:
# 1062.`
_CODE = r"error code: (\d+)"


class DataApi(Database):
    """A cluster's database, or one transaction in it."""

    def __init__(
        self, client: Client, cluster: Mapping[str, str], scope: Mapping[str, str]
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._scope = scope
        self.is_transaction = "transactionId" in scope

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return the database in the settings. The client is created at the first statement.

        Raises SettingsError if the environment's AWS settings are invalid.
        """
        cluster = {"resourceArn": settings.resource_arn, "secretArn": settings.secret_arn}
        return cls(_connect(settings), cluster, {"database": settings.database_name})

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        if self.is_transaction:
            raise NotImplementedError("Transactions don't nest.")
        answer = self._call("begin_transaction", "transactionId", **self._scope)
        transaction = {"transactionId": answer["transactionId"]}
        try:
            yield DataApi(self._client, self._cluster, transaction)
        except BaseException:
            with suppress(DatabaseError):
                self._call("rollback_transaction", "transactionStatus", **transaction)
            raise
        self._call("commit_transaction", "transactionStatus", **transaction)

    def _run(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        return self._execute(sql, parameters)

    def _run_to_end(self, sql: str, parameters: Mapping[str, Value]) -> tuple[list[Row], int]:
        return self._execute(sql, parameters, continueAfterTimeout=True)

    def _execute(
        self, sql: str, parameters: Mapping[str, Value], **options: bool
    ) -> tuple[list[Row], int]:
        answer = self._call(
            "execute_statement",
            "numberOfRecordsUpdated",
            sql=sql,
            parameters=[
                {"name": name, "value": {"stringValue": value}}  # the most frequent type
                if type(value) is str
                else _parameter(name, value)
                for name, value in parameters.items()
            ],
            includeResultMetadata=True,
            **self._scope,
            **options,
        )
        return _rows(answer), answer["numberOfRecordsUpdated"]

    def _call(self, operation: str, wanted: str, **arguments: Any) -> Any:
        """Call the operation. A response without the key `wanted` is an error."""
        try:
            answer = getattr(self._client, operation)(**self._cluster, **arguments)
        except ErrorAnswer as error:
            raise _from_answer(error) from None
        if wanted not in answer:
            raise DatabaseUnavailable("the Data API's answer can't be read")
        return answer


def _connect(settings: Settings) -> Client:
    """Return the client that the settings choose; import only that one. Raises SettingsError."""
    if settings.data_api_client == "boto3":
        from chalicelib.database import boto

        return boto.connect(settings)
    from chalicelib.database import slim

    return slim.connect(settings)


def _from_answer(error: ErrorAnswer) -> DatabaseError:
    """Convert an error response to an exception, without its text."""
    name = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if name in _THROTTLED or status == _TOO_MANY_REQUESTS:
        return DatabaseThrottled(name)
    if name == "DatabaseResumingException":
        return DatabaseResuming(name)
    if name in _TEMPORARY or status >= _SERVER_ERROR:
        return DatabaseUnavailable(name)
    if name == "StatementTimeoutException":
        return StatementTimeout(name)
    if code := re.search(_CODE, error.response["Error"].get("Message") or "", re.IGNORECASE):
        return error_for(int(code[1]))
    # MySQL's errors always have a number; without a number, the response was truncated or
    # malformed.
    return (DatabaseUnavailable if name == "DatabaseErrorException" else StatementFailed)(name)


def _parameter(name: str, value: Value) -> "SqlParameterTypeDef":  # noqa: PLR0911 (one a type)
    match value:
        case str():
            return {"name": name, "value": {"stringValue": value}}
        case None:
            return {"name": name, "value": {"isNull": True}}
        case bool():
            return {"name": name, "value": {"booleanValue": value}}
        case int() if -(2**63) <= value < 2**63:
            return {"name": name, "value": {"longValue": value}}
        case float():
            return {"name": name, "value": {"doubleValue": value}}
        case bytes():
            return {"name": name, "value": {"blobValue": value}}
        case datetime():
            text = _timestamp(value)
            return {"name": name, "value": {"stringValue": text}, "typeHint": "TIMESTAMP"}
        case date():
            text = value.isoformat()
            return {"name": name, "value": {"stringValue": text}, "typeHint": "DATE"}
        case Decimal() | int():
            text = format(value, "f" if isinstance(value, Decimal) else "d")
            return {"name": name, "value": {"stringValue": text}, "typeHint": "DECIMAL"}


@lru_cache(maxsize=8)  # all rows of an INSERT have the same time
def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# java.sql.Types of columns with text values: BIGINT (unsigned, above 2**63 - 1), DECIMAL, DATE,
# TIMESTAMP
_FROM_TEXT: Mapping[int, Callable[[str], Value]] = {
    -5: int,
    3: Decimal,
    91: date.fromisoformat,
    93: _utc,
}


def _rows(answer: "ExecuteStatementResponseTypeDef") -> list[Row]:
    columns, records = answer.get("columnMetadata", []), answer.get("records", [])
    if {*map(len, records)} - {len(columns)}:
        raise DatabaseUnavailable("the Data API's answer can't be read")
    readers = [(n, each["label"], _FROM_TEXT.get(each["type"])) for n, each in enumerate(columns)]
    rows: list[Row] = []
    for record in records:
        row: Row = {}
        for number, label, read in readers:  # with `zip`, a list of 50 would cost 5% more
            field = record[number]
            text = None if read else field.get("stringValue")
            row[label] = _value(field, read) if text is None else text
        rows.append(row)
    return rows


def _value(field: "FieldOutputTypeDef", read: Callable[[str], Value] | None) -> Value:
    """Return a column's value; `read` converts the text of some types."""
    if field.get("isNull"):
        return None
    if read and "stringValue" in field:
        return read(field["stringValue"])
    (value,) = field.values()
    return value  # type: ignore[return-value]  # a long, double, boolean or blob
