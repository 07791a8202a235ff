"""The clients of the Data API: boto3's, and `slim`, which starts and calls at a tenth of its cost.

Both have the five methods of `boto3.client("rds-data")`, their keyword arguments and answers.
Instead of boto3's exceptions, both raise ErrorAnswer and, where no answer can be read,
DatabaseUnavailable, StatementTimeout or StatementFailed. Neither sends anything twice.

https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/rds-data.html
"""

from collections.abc import Mapping
from typing import Any, Protocol

# Both end within the gateway's 29 seconds, one after the other.
CONNECT_SECONDS = 3
READ_SECONDS = 24


class ErrorAnswer(Exception):
    """The Data API answered with an error; `response` is that of botocore's ClientError."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        super().__init__(response["Error"]["Code"])
        self.response = response


class Client(Protocol):
    """What a client does."""

    def execute_statement(self, **arguments: Any) -> Any: ...
    def batch_execute_statement(self, **arguments: Any) -> Any: ...
    def begin_transaction(self, **arguments: Any) -> Any: ...
    def commit_transaction(self, **arguments: Any) -> Any: ...
    def rollback_transaction(self, **arguments: Any) -> Any: ...
