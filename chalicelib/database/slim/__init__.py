"""A lightweight replacement for `boto3.client("rds-data")`, based on the standard library.

It signs, sends and parses as botocore does, for this one service; the tests compare both.
Credentials are those that Lambda provides. Only boto3 supports profiles, other sources of
credentials, proxies, retries, and validation of arguments before they are sent.

https://docs.aws.amazon.com/rdsdataservice/latest/APIReference/Welcome.html
"""

import json
import os
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from functools import partial
from typing import Any

from chalicelib.connections import Answer, Connections, Unreachable
from chalicelib.database.clients import ErrorAnswer, unreachable
from chalicelib.database.errors import (
    DatabaseUnavailable,
    StatementFailed,
    StatementNotBegun,
    StatementTimeout,
)
from chalicelib.database.retries import attempt_seconds
from chalicelib.database.slim import endpoints
from chalicelib.database.slim.credentials import Credentials, Key
from chalicelib.database.slim.signatures import signed
from chalicelib.settings import Settings


def _operation(path: str) -> Callable[..., Any]:
    return lambda client, **arguments: client.call(path, arguments)


class Client:
    """Calls the Data API at a URL. Thread-safe."""

    def __init__(self, url: str, region: str, credentials: Callable[[], Key]) -> None:
        self._url, self._credentials = url, credentials
        self._connections = Connections(url, os.environ.get("AWS_CA_BUNDLE"))
        self._signed = partial(signed, url.partition("://")[2], region)

    def call(self, path: str, arguments: dict[str, Any]) -> Any:
        request = self._signed(path, _encoded(arguments), self._credentials())
        try:
            answer = self._connections.send(request, attempt_seconds())
        except Unreachable as error:
            raise StatementNotBegun(unreachable(self._url, str(error))) from None
        except TimeoutError as error:
            raise StatementTimeout(type(error).__name__) from None
        except (OSError, ValueError) as error:
            reason = f"the Data API at {self._url} did not answer: {type(error).__name__}"
            raise DatabaseUnavailable(reason) from None
        return _result(answer)

    execute_statement = _operation("/Execute")
    batch_execute_statement = _operation("/BatchExecute")
    begin_transaction = _operation("/BeginTransaction")
    commit_transaction = _operation("/CommitTransaction")
    rollback_transaction = _operation("/RollbackTransaction")

    def close(self) -> None:
        """Close idle connections. Another call opens new ones."""
        self._connections.close()


def connect(settings: Settings) -> Client:
    """Return a client. Raises SettingsError if the environment's AWS settings are invalid."""
    if settings.is_local and settings.endpoint_url:
        key = Key("local", "local")
        return Client(endpoints.parse(settings.endpoint_url), "us-east-1", lambda: key)
    region = endpoints.region(os.environ)
    url = endpoints.choose(os.environ, region, settings.endpoint_url)
    return Client(url, region, Credentials(os.environ).current)


def _base64(value: Any) -> str:
    return b2a_base64(value, newline=False).decode()


# no circular arguments: looking for them would take a quarter of the time
_encode = json.JSONEncoder(default=_base64, allow_nan=False, check_circular=False).encode


def _encoded(arguments: dict[str, Any]) -> bytes:
    try:
        return _encode(arguments).encode()
    except (ValueError, TypeError) as error:  # its text may repeat the value
        raise StatementFailed(f"a value can't be sent: {type(error).__name__}") from None


def _result(answer: Answer) -> dict[str, Any]:
    """Parse a response as botocore does. Raises ErrorAnswer, DatabaseUnavailable."""
    is_error = answer.status >= 300  # noqa: PLR2004 (RFC 9110, 15)
    try:
        members = {**_members(answer.body)}
    except (ValueError, TypeError, RecursionError):
        if not is_error:
            raise DatabaseUnavailable("the Data API's answer can't be read") from None
        members = {}
    members["ResponseMetadata"] = {"HTTPStatusCode": answer.status, "HTTPHeaders": answer.headers}
    if is_error:
        raise ErrorAnswer({**members, "Error": _error(answer, members)})
    return members


def _members(body: bytes) -> Any:
    """Parse a body.

    Its text shows whether it contains anything that JSON represents differently.
    """
    hook = None
    if b'":null' in body or b'": null' in body:
        hook = _without_nulls
    elif b'"blobValue"' in body or b'"doubleValue"' in body:
        hook = _decoded
    return json.loads(body.decode(), object_hook=hook)


def _without_nulls(members: dict[str, Any]) -> dict[str, Any]:
    return _decoded({name: value for name, value in members.items() if value is not None})


def _decoded(members: dict[str, Any]) -> dict[str, Any]:
    """Return an object with a blob as bytes, and a double as float."""
    if "blobValue" in members:
        members["blobValue"] = a2b_base64(members["blobValue"])
    if "doubleValue" in members:
        members["doubleValue"] = float(members["doubleValue"])
    return members


def _error(answer: Answer, body: dict[str, Any]) -> dict[str, str]:
    """Parse an error response. The error's name is in a header or in the body.

    https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
    """
    named = body.get("code", body.get("__type", answer.status))
    name = str(answer.headers.get("x-amzn-errortype", named))
    message = body.get("message", body.get("Message", ""))
    return {"Code": name.partition(":")[0].rpartition("#")[2], "Message": str(message)}
