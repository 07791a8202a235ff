"""Clients of the Data API: boto3's, and `slim`, which starts and calls at a tenth of its cost.

Both have the five methods of `boto3.client("rds-data")`, with the same keyword arguments and
responses. Instead of boto3's exceptions, both raise ErrorAnswer or, without a readable response,
DatabaseUnavailable, StatementTimeout or StatementFailed. Neither retries. Calls end within
`retries.attempt_seconds()`.

https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/rds-data.html
"""

from collections.abc import Mapping
from typing import Any, Protocol

from chalicelib.settings import LOCAL_DATA_API


class ErrorAnswer(Exception):
    """The Data API returned an error; `response` has the format of botocore's ClientError."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        super().__init__(response["Error"]["Code"])
        self.response = response


def unreachable(url: str, reason: str) -> str:
    """Return what to tell an operator if there is no response from the URL."""
    advice = "; `make stack` starts it" if url == LOCAL_DATA_API else ""
    return f"the Data API at {url} can't be reached: {reason}{advice}"


class Client(Protocol):
    """The methods of a client."""

    def execute_statement(self, **arguments: Any) -> Any: ...
    def batch_execute_statement(self, **arguments: Any) -> Any: ...
    def begin_transaction(self, **arguments: Any) -> Any: ...
    def commit_transaction(self, **arguments: Any) -> Any: ...
    def rollback_transaction(self, **arguments: Any) -> Any: ...
