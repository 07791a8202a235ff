"""The clients of the Data API: boto3's, and `slim`, which starts and calls at a tenth of its cost.

Both have the five methods of `boto3.client("rds-data")`, their keyword arguments and answers.
Instead of boto3's exceptions, both raise ErrorAnswer and, where no answer can be read,
DatabaseUnavailable, StatementTimeout or StatementFailed. Neither sends anything twice.

https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/rds-data.html
"""

from collections.abc import Mapping
from typing import Any, Protocol

from chalicelib.settings import Settings

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


def connect(settings: Settings) -> Client:
    """Return the client that the settings choose, importing only that one.

    Nothing is sent yet, nor are credentials read. Raises SettingsError.
    """
    if settings.data_api_client == "boto3":
        from chalicelib.database import boto

        return boto.connect(settings)
    from chalicelib.database import slim

    return slim.connect(settings)
